//! Numbers, ids and paths as a person reads them.

use clap::builder::{OsStringValueParser, TypedValueParser};
use stemmata::model::{FileId, RepoPath, Time, VersionId};

/// Bytes with a unit: `1.3 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: &[&str] = &["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A number with groups: `1,234,567`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`.
pub(crate) fn count(value: u64, what: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {what}{plural}", number(value))
}

/// The first 12 digits of a version's id.
pub(crate) fn short(id: &VersionId) -> String {
    id.to_hex()[..12].to_owned()
}

/// The first 12 digits of a file's id.
pub(crate) fn short_file(id: &FileId) -> String {
    id.to_hex()[..12].to_owned()
}

/// A moment as `2026-11-23 22:51:24 UTC`.
pub(crate) fn moment(time: Time) -> String {
    time.to_string().replace('T', " ").replace('Z', " UTC")
}

/// What several `-m` say together: paragraphs, as in Git; none if there are none.
pub(crate) fn paragraphs(messages: &[String]) -> Option<String> {
    (!messages.is_empty()).then(|| messages.join("\n\n"))
}

/// Takes text that may have a path in it: bytes that are not UTF-8 as [`RepoPath::exact`] writes
/// them.
pub(crate) fn path_text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|given| RepoPath::exact_bytes(given.as_encoded_bytes()))
}

/// Seconds from a length of time: `14d`, `12h`, `30m`, `0s`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is not a length of time such as 14d, 12h, 30m or 0s");
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds = match unit {
        'w' => 7 * 86_400,
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(bad()),
    };
    let digits = &text[..text.len() - 1];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number).ok_or_else(bad)?;
    number.checked_mul(seconds).ok_or_else(bad)
}
