//! What people may call a metric, a slice or a consumer.

use super::{Error, Result};

/// The longest name, in bytes.
const LONGEST: usize = 256;

/// Refuses what cannot be shown in a line or typed again.
pub(super) fn must_be_label(what: &str, text: &str) -> Result<()> {
    let refuse = |why: &str| {
        let shown: String = text.chars().take(40).collect();
        Err(Error::Refused(format!("the {what} `{}` {why}", shown.escape_debug())))
    };
    if text.trim().is_empty() {
        return Err(Error::Refused(format!("the {what} is empty")));
    }
    if text.len() > LONGEST {
        return refuse("is longer than 256 bytes");
    }
    if text.chars().any(char::is_control) {
        return refuse("has a control character");
    }
    if text.trim() != text { refuse("begins or ends with a space") } else { Ok(()) }
}
