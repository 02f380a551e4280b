//! What became of content that can no longer be read.

use serde::{Deserialize, Serialize};

use super::FileId;

/// Why the content of a file is not what its id says; a file without one is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Presence {
    /// It was removed from every version.
    Erased {
        /// Its length in bytes.
        size: u64,
        /// The certificate that proves it.
        certificate: String,
    },
    /// It was removed, and another file is given out in its place: a redacted copy.
    Replaced {
        /// Its length in bytes.
        size: u64,
        /// The copy.
        by: FileId,
        /// The length of the copy in bytes.
        by_size: u64,
        /// The certificate that proves it; empty once its content may be added again.
        certificate: String,
    },
    /// It was moved away, and can be brought back.
    Archived {
        /// Its length in bytes.
        size: u64,
        /// Where it lies, in words.
        place: String,
    },
}

/// How the place of content begins that lies nowhere, and can only be added again.
const NOWHERE: &str = "nowhere: ";

impl Presence {
    /// Content that is not there any more, and may come back.
    pub fn nowhere(size: u64, why: &str) -> Self {
        Self::Archived { size, place: format!("{NOWHERE}{why}") }
    }

    /// Whether a place is none, so that nobody can bring the content back from there.
    pub fn is_nowhere(place: &str) -> bool {
        place.starts_with(NOWHERE)
    }

    /// The length in bytes that the content had.
    pub fn size(&self) -> u64 {
        match self {
            Self::Erased { size, .. }
            | Self::Replaced { size, .. }
            | Self::Archived { size, .. } => *size,
        }
    }

    /// `erased`, `replaced` or `archived`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Erased { .. } => "erased",
            Self::Replaced { .. } => "replaced",
            Self::Archived { .. } => "archived",
        }
    }

    /// The certificate of an erasure whose ban still counts.
    pub fn certificate(&self) -> Option<&str> {
        match self {
            Self::Erased { certificate, .. } | Self::Replaced { certificate, .. } => {
                Some(certificate.as_str()).filter(|id| !id.is_empty())
            }
            Self::Archived { .. } => None,
        }
    }
}
