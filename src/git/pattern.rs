//! One pattern over paths, in the language of `.gitignore`.

use gix::bstr::ByteSlice;
use gix::glob::pattern::{Case, Mode};
use gix::glob::wildmatch;

/// A pattern; it means what a line of a `.stemignore` at the top means.
#[derive(Debug, Clone)]
pub struct Pattern(gix::glob::Pattern);

impl Pattern {
    /// The pattern that `text` is; none if it is empty, a comment, or begins with `!`.
    pub fn parse(text: &str) -> Option<Self> {
        let (pattern, _, _) = gix::ignore::parse(text.as_bytes(), false).next()?;
        let whole = !text.contains(['\n', '\r']) && !pattern.mode.contains(Mode::NEGATIVE);
        whole.then_some(Self(pattern))
    }

    /// The pattern that only the path `path` fits, and what lies below it; none for a path that no
    /// line can name.
    pub fn of_path(path: &str) -> Option<String> {
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
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        above.map(|(at, _)| &path[..at]).any(|directory| self.fits(directory, true))
            || self.fits(path, false)
    }

    fn fits(&self, path: &[u8], is_dir: bool) -> bool {
        let name = path.rfind_byte(b'/').map(|slash| slash + 1);
        let slashes = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
        let path = path.as_bstr();
        self.0.matches_repo_relative_path(path, name, Some(is_dir), Case::Sensitive, slashes)
    }
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
            let pattern = Pattern::of_path(path).expect("a line can name it");
            let pattern = Pattern::parse(&pattern).expect("a pattern");
            assert!(pattern.matches(path.as_bytes()), "{path}");
            assert!(pattern.matches(format!("{path}/below").as_bytes()), "{path}");
            for other in others {
                assert!(!pattern.matches(other.as_bytes()), "{path} {other}");
            }
            assert!(!Pattern::is_plain(path) || path == "d/a*b", "{path}");
        }
        assert!(Pattern::of_path("a\nb").is_none());
        assert!(Pattern::is_plain("a b/c.txt") && Pattern::is_plain("/a/"));
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for text in ["", "# note", "!*.txt", "a\nb", "  "] {
            assert!(Pattern::parse(text).is_none(), "{text:?}");
        }
    }
}
