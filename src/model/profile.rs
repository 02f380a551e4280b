//! How a file is cut into chunks.

use serde::{Deserialize, Serialize};

/// Which of the two rules cuts a file into chunks (`chunk` holds the rules).
///
/// The codes stand in every recipe and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Profile {
    /// Text in lines: small chunks that end where a line ends.
    Lines = 1,
    /// Everything else.
    Bytes = 2,
}

impl Profile {
    /// The byte that stands for the profile on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The profile that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Lines),
            2 => Some(Self::Bytes),
            _ => None,
        }
    }
}
