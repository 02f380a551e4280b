//! Paths inside a dataset: bytes with `/`, checked once, safe ever after.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serializer;
use unicode_normalization::UnicodeNormalization;

/// A path inside a dataset: non-empty components of bytes, separated by `/`, relative.
///
/// Order is byte order. Bytes need not be UTF-8. A path is safe to create below a directory:
/// it has no `.` or `..`, no NUL, and no component that stands for `.stem`. A copy shares the bytes:
/// a million paths stand in several lists at once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Arc<[u8]>);

/// Why bytes are not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Begins with `/`.
    #[error("it is absolute")]
    Absolute,
    /// Two slashes in a row, or one at the end.
    #[error("it has an empty component")]
    EmptyComponent,
    /// `.` or `..`.
    #[error("it has a component `.` or `..`")]
    DotComponent,
    /// A zero byte.
    #[error("it contains a NUL byte")]
    Nul,
    /// `.stem`, however written.
    #[error("`.stem` belongs to stem itself")]
    Reserved,
    /// A component that some systems change silently.
    #[error("a component ends in a carriage return")]
    TrailingReturn,
    /// A component of more than 255 bytes.
    #[error("a component is longer than 255 bytes")]
    ComponentTooLong,
    /// More than 4,096 bytes.
    #[error("it is longer than 4096 bytes")]
    TooLong,
    /// More than 128 components.
    #[error("it is deeper than 128 directories")]
    TooDeep,
}

/// Bytes that are not a path inside a dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be a path in a dataset: {problem}", RepoPath::show_bytes(bytes))]
pub struct PathError {
    /// What was given.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub problem: PathProblem,
}

impl RepoPath {
    /// The longest path, in bytes.
    pub const MAX_BYTES: usize = 4096;
    /// The longest component, in bytes.
    pub const MAX_COMPONENT_BYTES: usize = 255;
    /// The most components.
    pub const MAX_DEPTH: usize = 128;

    /// The path made of `bytes`, if they are one.
    ///
    /// # Errors
    ///
    /// [`PathError`] names the first rule that `bytes` break.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match check(&bytes) {
            Ok(()) => Ok(Self(bytes.into())),
            Err(problem) => Err(PathError { bytes, problem }),
        }
    }

    /// The bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components, from the top.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// The directory that holds the path; empty at the top.
    pub fn directory(&self) -> &[u8] {
        match memchr::memrchr(b'/', &self.0) {
            Some(slash) => &self.0[..slash],
            None => b"",
        }
    }

    /// The last component.
    pub fn name(&self) -> &[u8] {
        match memchr::memrchr(b'/', &self.0) {
            Some(slash) => &self.0[slash + 1..],
            None => &self.0,
        }
    }

    /// Whether the path is `prefix` itself or lies below it; the empty prefix holds everything.
    pub fn is_at_or_below(&self, prefix: &[u8]) -> bool {
        prefix.is_empty()
            || self.0.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// The path in a form under which names that some file systems take for one are equal:
    /// lower case, composed. Paths that are not UTF-8 are their own form.
    pub fn folded(&self) -> Vec<u8> {
        fold(&self.0)
    }

    /// The path as text; bytes that are not UTF-8 become `\xNN`, control characters `\u{N}`.
    pub fn show(&self) -> String {
        Self::show_bytes(&self.0)
    }

    /// The path as text from which it can be told again: text as it is; where bytes are not UTF-8,
    /// these as `\xNN` and every backslash as `\\`.
    pub fn exact(&self) -> String {
        Self::exact_bytes(&self.0)
    }

    /// [`RepoPath::exact`] for bytes that may not be a path.
    pub fn exact_bytes(bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => Self::escaped(bytes, |_| false),
        }
    }

    /// Bytes as text: those that are not UTF-8, and ASCII characters that `also` accepts, as `\xNN`, and
    /// every backslash as `\\`.
    pub fn escaped(bytes: &[u8], also: impl Fn(char) -> bool) -> String {
        let mut text = String::with_capacity(2 * bytes.len());
        for chunk in bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\\' => text.push_str("\\\\"),
                    _ if letter.is_ascii() && also(letter) => {
                        text.push_str(&format!("\\x{:02x}", u32::from(letter)));
                    }
                    _ => text.push(letter),
                }
            }
            for byte in chunk.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        text
    }

    /// The bytes that [`RepoPath::exact_bytes`] has written so because they are not UTF-8; none if
    /// `text` can only stand for itself.
    pub fn from_exact(text: &str) -> Option<Vec<u8>> {
        let bytes = Self::unescaped(text)?;
        let is_text = std::str::from_utf8(&bytes).is_ok();
        (!is_text && Self::exact_bytes(&bytes) == text).then_some(bytes)
    }

    /// The bytes that [`RepoPath::escaped`] has written so; none if a backslash begins nothing that it
    /// writes.
    pub fn unescaped(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let (byte, left) = match (first, after) {
                (b'\\', [b'\\', left @ ..]) => (b'\\', left),
                (b'\\', [b'x', high, low, left @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    (u8::from_str_radix(digits, 16).ok()?, left)
                }
                (b'\\', _) => return None,
                _ => (first, after),
            };
            bytes.push(byte);
            rest = left;
        }
        Some(bytes)
    }

    /// [`RepoPath::show`] for bytes that may not be a path.
    pub fn show_bytes(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        for part in bytes.utf8_chunks() {
            for character in part.valid().chars() {
                if character.is_control() {
                    text.extend(character.escape_default());
                } else {
                    text.push(character);
                }
            }
            for byte in part.invalid() {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        text
    }
}

fn fold(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => bytes.to_ascii_lowercase(),
        Ok(text) => text.nfc().flat_map(char::to_lowercase).nfc().collect::<String>().into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

fn check(bytes: &[u8]) -> Result<(), PathProblem> {
    if bytes.is_empty() {
        return Err(PathProblem::Empty);
    }
    if bytes.len() > RepoPath::MAX_BYTES {
        return Err(PathProblem::TooLong);
    }
    if bytes[0] == b'/' {
        return Err(PathProblem::Absolute);
    }
    if memchr::memchr(0, bytes).is_some() {
        return Err(PathProblem::Nul);
    }
    let mut depth = 0;
    for component in bytes.split(|&byte| byte == b'/') {
        depth += 1;
        check_component(component)?;
    }
    if depth > RepoPath::MAX_DEPTH { Err(PathProblem::TooDeep) } else { Ok(()) }
}

fn check_component(component: &[u8]) -> Result<(), PathProblem> {
    match component {
        b"" => Err(PathProblem::EmptyComponent),
        b"." | b".." => Err(PathProblem::DotComponent),
        _ if component.len() > RepoPath::MAX_COMPONENT_BYTES => Err(PathProblem::ComponentTooLong),
        _ if component.ends_with(b"\r") => Err(PathProblem::TrailingReturn),
        _ if is_reserved(component) => Err(PathProblem::Reserved),
        _ => Ok(()),
    }
}

/// Whether some file system opens `.stem` when it is asked for `component`: other case, trailing
/// dots and spaces (Windows), characters that HFS+ ignores.
fn is_reserved(component: &[u8]) -> bool {
    if component.first() != Some(&b'.') && component.is_ascii() {
        return false;
    }
    let Ok(text) = std::str::from_utf8(component) else { return false };
    let visible: String = text.chars().filter(|&c| !is_ignorable(c)).collect();
    let trimmed = visible.trim_end_matches(['.', ' ']);
    trimmed.nfkc().flat_map(char::to_lowercase).eq(".stem".chars())
}

fn is_ignorable(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.show())
    }
}

/// As [`RepoPath::exact`] writes it.
impl serde::Serialize for RepoPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_str(&self.exact()),
        }
    }
}

impl Borrow<[u8]> for RepoPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&str> for RepoPath {
    type Error = PathError;

    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

/// Writes a path of the operating system into an answer as [`RepoPath::exact`] writes one of a
/// version: a file that can be named on the command line can be named in JSON.
///
/// # Errors
///
/// The serializer's.
pub fn exact_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&RepoPath::exact_bytes(path.as_os_str().as_encoded_bytes()))
}

/// As [`exact_path`], where there may be none.
///
/// # Errors
///
/// The serializer's.
pub fn exact_path_if_any<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => exact_path(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// As [`exact_path`], of several.
///
/// # Errors
///
/// The serializer's.
pub fn exact_paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    let exact = |path: &PathBuf| RepoPath::exact_bytes(path.as_os_str().as_encoded_bytes());
    serializer.collect_seq(paths.iter().map(exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_the_directory_or_clash_with_stem_is_no_path() {
        use PathProblem::*;
        let cases: &[(&[u8], PathProblem)] = &[
            (b"", Empty),
            (b"/etc/x", Absolute),
            (b"../x", DotComponent),
            (b"a/../../x", DotComponent),
            (b"./a", DotComponent),
            (b"a//b", EmptyComponent),
            (b"a/", EmptyComponent),
            (b"a\0b", Nul),
            (b".STEM/config", Reserved),
            (b"x/.stem", Reserved),
            (b".Stem. .", Reserved),
            (".st\u{200c}em".as_bytes(), Reserved),
            ("．stem".as_bytes(), Reserved),
            (b"a\r", TrailingReturn),
            (&[b'a'; 256], ComponentTooLong),
            (&b"a/".repeat(2049)[..4097], TooLong),
            (&b"a/".repeat(200)[..399], TooDeep),
        ];
        for (bytes, problem) in cases {
            assert_eq!(RepoPath::new(*bytes).unwrap_err().problem, *problem);
        }
    }

    #[test]
    fn odd_names_are_kept_exactly() {
        for bytes in
            [&b"-rf"[..], b"a b", b"a\nb", b"\xff\xfe", "数据.jsonl".as_bytes(), b".stemignore"]
        {
            assert_eq!(RepoPath::new(bytes).unwrap().as_bytes(), bytes);
        }
    }

    #[test]
    fn control_characters_are_shown_escaped() {
        assert_eq!(RepoPath::new(&b"a\x1b[31m\xff"[..]).unwrap().show(), "a\\u{1b}[31m\\xff");
    }

    #[test]
    fn what_is_not_text_can_be_told_from_text_that_looks_the_same() {
        for bytes in [&b"a\xffb"[..], b"\xff", b"a\\\xff", b"\\x41\xfe", "é\\u".as_bytes()] {
            let text = RepoPath::exact_bytes(bytes);
            let is_text = std::str::from_utf8(bytes).is_ok();
            let back = RepoPath::from_exact(&text);
            assert_eq!(back.as_deref(), Some(bytes).filter(|_| !is_text), "{text}");
        }
        assert_eq!(RepoPath::exact_bytes(b"a\\\xff"), "a\\\\\\xff");
        for text in ["a", "a\\b", "\\x41", "\\xfg", "\\x", "\\xFF", "\\\\", "\\xé1"] {
            assert_eq!(RepoPath::from_exact(text), None, "{text}");
        }
    }

    #[test]
    fn names_that_differ_in_case_or_normal_form_fold_to_one() {
        let fold = |text: &str| RepoPath::new(text).unwrap().folded();
        assert_eq!(fold("A"), fold("a"));
        assert_eq!(fold("\u{e9}"), fold("e\u{301}"));
        assert_ne!(fold("a"), fold("b"));
    }
}
