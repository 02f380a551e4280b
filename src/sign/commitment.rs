//! Salted commitments: a digest of small personal data is personal data, so a certificate says what
//! was erased in a form that only who has the salt can compare.

use super::tlog::{Hash, leaf, root};
use super::{Error, Result};

/// How the scheme is called in certificates.
pub const SCHEME: &str = "sha256(00 || salt || kind || 00 || id), RFC 9162 tree";

/// The secret part of commitments.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Salt {
    /// A salt that nobody else has.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(std::io::Error::other(error)))?;
        Ok(Self(bytes))
    }

    /// The salt with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The commitment to an id of some kind: `file` or `chunk`.
    pub fn commit(&self, kind: &str, id: &[u8; 32]) -> Hash {
        leaf(&[&self.0[..], kind.as_bytes(), &[0], id].concat())
    }
}

/// The root over commitments, in the order of their bytes.
pub fn root_of(mut leaves: Vec<Hash>) -> Hash {
    leaves.sort_unstable();
    root(&leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_depends_on_all_that_goes_in() {
        let (one, other) = (Salt::from_bytes([1; 32]), Salt::from_bytes([2; 32]));
        let all = [
            one.commit("file", &[7; 32]),
            one.commit("chunk", &[7; 32]),
            one.commit("file", &[8; 32]),
            other.commit("file", &[7; 32]),
        ];
        for (place, commitment) in all.iter().enumerate() {
            assert!(!all[..place].contains(commitment));
        }
        assert_eq!(root_of(vec![all[0], all[1]]), root_of(vec![all[1], all[0]]));
        assert_ne!(Salt::random().unwrap(), Salt::random().unwrap());
    }
}
