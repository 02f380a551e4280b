//! The strings and numbers of the SSH protocol (RFC 4251, section 5), and base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::Result;
use super::error::malformed;

/// The longest string that anything here holds.
const MAX_STRING: usize = 1 << 16;

/// Appends a string: its length as 32 bits, then its bytes.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing that is written here comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Bytes being read.
pub(super) struct Wire<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Wire<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { left: bytes, what }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, left) =
            self.left.split_at_checked(count).ok_or_else(|| malformed(self.what, "it is cut"))?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let length = self.number()? as usize;
        if length > MAX_STRING {
            return Err(malformed(self.what, "a string in it is too long"));
        }
        self.take(length)
    }

    /// A string that must be exactly this.
    pub(super) fn expect(&mut self, bytes: &[u8], name: &str) -> Result<()> {
        let found = self.string()?;
        if found == bytes {
            return Ok(());
        }
        let found = String::from_utf8_lossy(found).escape_debug().to_string();
        Err(malformed(self.what, format!("its {name} is `{found}`")))
    }

    pub(super) fn array<const N: usize>(&mut self, name: &str) -> Result<[u8; N]> {
        let found = self.string()?;
        found.try_into().map_err(|_| malformed(self.what, format!("its {name} is not {N} bytes")))
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.left
    }

    pub(super) fn end(self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(malformed(self.what, "bytes follow its end"))
    }
}

/// Standard base64 with padding.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The opposite of [`to_base64`]; unused bits must be zero, so that there is one text for each value.
pub(super) fn from_base64(text: &str, what: &'static str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| malformed(what, "it holds what is not base64"))
}

/// As [`from_base64`], in the standard or in the URL-safe alphabet.
pub(super) fn from_either_base64(text: &str, what: &'static str) -> Result<Vec<u8>> {
    match URL_SAFE.decode(text) {
        Ok(bytes) => Ok(bytes),
        Err(_) => from_base64(text, what),
    }
}

/// Bytes between two lines that say what they are, as OpenSSH writes them.
pub(super) fn armor(label: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = to_base64(bytes);
    for (place, digit) in encoded.chars().enumerate() {
        if place > 0 && place.is_multiple_of(70) {
            text.push('\n');
        }
        text.push(digit);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// The opposite of [`armor`]; where the lines break does not matter.
pub(super) fn unarmor(label: &str, text: &str, what: &'static str) -> Result<Vec<u8>> {
    let no_such = || malformed(what, format!("it is not between the lines of `{label}`"));
    let inner = text.trim_end().strip_prefix(&format!("-----BEGIN {label}-----"));
    let inner = inner.and_then(|text| text.strip_suffix(&format!("-----END {label}-----")));
    let inner = inner.ok_or_else(no_such)?;
    let encoded: String = inner.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    from_base64(&encoded, what)
}
