//! The ids of Git's objects.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// The id of a commit, tree, blob or tag in a Git repository: SHA-1 or SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitId(pub(super) gix::ObjectId);

impl fmt::Display for GitId {
    /// All hexadecimal digits, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitId({})", self.0.to_hex_with_len(12))
    }
}

impl FromStr for GitId {
    type Err = Error;

    /// Reads 40 or 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        let id = gix::ObjectId::from_hex(text.as_bytes());
        id.map(Self).map_err(|_| Error::Id { text: text.into() })
    }
}
