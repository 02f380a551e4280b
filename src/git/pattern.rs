//! One pattern over paths, in the language of `.gitignore`; or one path that no line of it can name.

use gix::bstr::ByteSlice;
use gix::glob::pattern::{Case, Mode};
use gix::glob::wildmatch;

use crate::model::RepoPath;

/// What stands before a path that is named exactly; a line that begins so is a comment to Git.
const EXACT: &str = "#path:";

/// A pattern; it means what a line of a `.stemignore` at the top means. Behind `#path:` stands one
/// path: bytes that are not UTF-8 and control characters as `\xNN`, every backslash as `\\`.
#[derive(Debug, Clone)]
pub struct Pattern(Meaning);

#[derive(Debug, Clone)]
enum Meaning {
    Glob(gix::glob::Pattern),
    Path(Vec<u8>),
}

impl Pattern {
    /// The pattern that `text` is; none if it is empty, a comment, or begins with `!`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix(EXACT) {
            let path =
                RepoPath::unescaped(path).filter(|path| RepoPath::new(path.clone()).is_ok())?;
            return Some(Self(Meaning::Path(path)));
        }
        let (pattern, _, _) = gix::ignore::parse(text.as_bytes(), false).next()?;
        let whole = !text.contains(['\n', '\r']) && !pattern.mode.contains(Mode::NEGATIVE);
        whole.then_some(Self(Meaning::Glob(pattern)))
    }

    /// The pattern that only the path `path` fits, and what lies below it.
    pub fn of_path(path: &[u8]) -> String {
        let line = std::str::from_utf8(path).ok().and_then(Self::line_of);
        line.unwrap_or_else(|| {
            format!("{EXACT}{}", RepoPath::escaped(path, |letter| letter.is_control()))
        })
    }

    /// The line that names a path; none if no line can.
    fn line_of(path: &str) -> Option<String> {
        let mut text = String::from("/");
        for letter in path.chars() {
            if "*?[]\\".contains(letter) {
                text.push('\\');
            }
            text.push(letter);
        }
        if text.ends_with(' ') {
            text.insert(text.len() - 1, '\\');
        }
        Self::parse(&text).map(|_| text)
    }

    /// Whether `text` names one path and means the same as a pattern.
    pub fn is_plain(text: &str) -> bool {
        let odd = text.contains(['*', '?', '[', '\\', '\n', '\r']) || text.ends_with(' ');
        !odd && !text.starts_with(['#', '!', ' '])
    }

    /// Whether a file at `path`, or a directory that it lies in, fits.
    pub fn matches(&self, path: &[u8]) -> bool {
        let pattern = match &self.0 {
            Meaning::Glob(pattern) => pattern,
            Meaning::Path(exact) => {
                let rest = path.strip_prefix(&exact[..]);
                return rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
            }
        };
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        above.map(|(at, _)| &path[..at]).any(|directory| fits(pattern, directory, true))
            || fits(pattern, path, false)
    }
}

fn fits(pattern: &gix::glob::Pattern, path: &[u8], is_dir: bool) -> bool {
    let name = path.rfind_byte(b'/').map(|slash| slash + 1);
    let slashes = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
    let path = path.as_bstr();
    pattern.matches_repo_relative_path(path, name, Some(is_dir), Case::Sensitive, slashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_means_to_git() {
        for (pattern, path, expected) in [
            ("*.tmp", "a/b.tmp", true),
            ("*.tmp", "a/b.tmp2", false),
            ("/a", "a/b/c", true),
            ("/a", "b/a", false),
            ("logs/", "x/logs/y", true),
            ("logs/", "x/logs", false),
            ("a/*.txt", "a/b.txt", true),
            ("a/*.txt", "a/b/c.txt", false),
            ("a/**/c.txt", "a/x/y/c.txt", true),
        ] {
            let parsed = Pattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.matches(path.as_bytes()), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_path_is_a_pattern_that_nothing_else_fits() {
        let others = ["data1.txt", "ax", "abc", "a", "b", "a\\b", "trail", "x/a[1]"];
        for path in ["data[1].txt", "a*", "a?", "#a", "!a", "\\a", " a", "trail ", "[!a]", "d/a*b"]
        {
            let pattern = Pattern::of_path(path.as_bytes());
            assert!(pattern.starts_with('/'), "a line can name it: {pattern}");
            let pattern = Pattern::parse(&pattern).expect("a pattern");
            assert!(pattern.matches(path.as_bytes()), "{path}");
            assert!(pattern.matches(format!("{path}/below").as_bytes()), "{path}");
            for other in others {
                assert!(!pattern.matches(other.as_bytes()), "{path} {other}");
            }
            assert!(!Pattern::is_plain(path) || path == "d/a*b", "{path}");
        }
        assert!(Pattern::is_plain("a b/c.txt") && Pattern::is_plain("/a/"));
    }

    #[test]
    fn a_path_that_no_line_can_name_is_named_exactly() {
        let others: [&[u8]; 6] = [b"a", b"b", b"a?b", b"caf", b"cafe.txt", b"caf\\xe9.txt"];
        for path in
            [&b"a\nb"[..], b"a\rb", b"caf\xe9.txt", b"\xff\n\\", b"\xe9/#path:\\x", b"\n\\xff"]
        {
            let text = Pattern::of_path(path);
            assert!(text.starts_with("#path:") && !text.contains('\n'), "{text}");
            let pattern = Pattern::parse(&text).expect("a pattern");
            assert!(pattern.matches(path) && pattern.matches(&[path, b"/below"].concat()));
            assert!(!pattern.matches(&[path, b"x"].concat()));
            assert!(!others.iter().any(|other| pattern.matches(other)), "{text}");
        }
        // Called so: a line can name it.
        let odd = Pattern::of_path(b"#path:a");
        assert!(Pattern::parse(&odd).expect("a pattern").matches(b"#path:a"), "{odd}");
        assert!(Pattern::parse("#path:a").expect("a pattern").matches(b"a"));
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for text in [
            "",
            "#path:",
            "#path:../x",
            "#path:\\q",
            "#path:a\\x0",
            "# note",
            "!*.txt",
            "a\nb",
            "  ",
        ] {
            assert!(Pattern::parse(text).is_none(), "{text:?}");
        }
    }
}
