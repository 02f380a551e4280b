//! Content ids (BLAKE3-256) and the random names of packs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected} lower-case hexadecimal digits")]
pub struct IdError {
    /// What was given.
    pub text: String,
    /// How many digits an id of this kind has.
    pub expected: usize,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// How many bytes an id has.
            pub const LEN: usize = $len;

            /// The id made of these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The id as lower-case hexadecimal digits.
            pub fn to_hex(&self) -> String {
                let mut text = String::with_capacity($len * 2);
                for byte in self.0 {
                    text.push(char::from(HEX[usize::from(byte >> 4)]));
                    text.push(char::from(HEX[usize::from(byte & 15)]));
                }
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &self.to_hex()[..12])
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; $len];
                if parse_hex(text.as_bytes(), &mut bytes) {
                    Ok(Self(bytes))
                } else {
                    Err(IdError { text: text.into(), expected: $len * 2 })
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_hex())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! hashed {
    ($($name:ident),*) => {$(
        impl $name {
            /// The id of `bytes`: their BLAKE3-256 hash, as `b3sum` prints it.
            pub fn of(bytes: &[u8]) -> Self {
                Self(*blake3::hash(bytes).as_bytes())
            }
        }
    )*};
}

id_type!(
    /// BLAKE3-256 of the whole content of a file.
    FileId,
    32
);
id_type!(
    /// BLAKE3-256 of the uncompressed bytes of a chunk.
    ChunkId,
    32
);
id_type!(
    /// BLAKE3-256 of the encoded bytes of a manifest node; a manifest is named by its root.
    ManifestId,
    32
);
id_type!(
    /// BLAKE3-256 of the canonical JSON of a version.
    VersionId,
    32
);
id_type!(
    /// The name of a pack: 16 random bytes, never used twice.
    PackName,
    16
);
id_type!(
    /// Keyed BLAKE3 of a record: to recognise it again without keeping it.
    Fingerprint,
    32
);
hashed!(FileId, ChunkId, ManifestId, VersionId);

impl PackName {
    /// A name that has never been used, from the operating system's random source.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }
}

impl Fingerprint {
    /// The keyed BLAKE3-256 hash of `bytes` under `salt`.
    ///
    /// Whoever does not know the salt can neither compute it nor test a guess against it.
    pub fn keyed(salt: &[u8; 32], bytes: &[u8]) -> Self {
        Self(*blake3::keyed_hash(salt, bytes).as_bytes())
    }
}

impl From<FileId> for ChunkId {
    /// The only chunk of a file of one chunk has the file's id.
    fn from(file: FileId) -> Self {
        Self(file.0)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn parse_hex(text: &[u8], bytes: &mut [u8]) -> bool {
    text.len() == bytes.len() * 2
        && text.chunks_exact(2).zip(bytes).all(|(pair, byte)| {
            match (hex_digit(pair[0]), hex_digit(pair[1])) {
                (Some(high), Some(low)) => {
                    *byte = high << 4 | low;
                    true
                }
                _ => false,
            }
        })
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_b3sum_prints_and_reads_back() {
        let id = FileId::of(b"");
        let hex = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(id.to_string(), hex);
        assert_eq!(hex.parse(), Ok(id));
    }

    #[test]
    fn a_fingerprint_depends_on_the_salt() {
        // The first test vector of BLAKE3's specification: its key, no input.
        let salt = b"whats the Elvish word for friend";
        let hex = "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26";
        assert_eq!(Fingerprint::keyed(salt, b"").to_string(), hex);
        assert_ne!(Fingerprint::keyed(&[0; 32], b"").to_string(), hex);
    }

    #[test]
    fn only_lower_case_digits_of_the_right_number_are_an_id() {
        let hex = FileId::of(b"").to_hex();
        for wrong in ["", "af", &hex.to_uppercase(), &hex[1..], &format!("{hex}0")] {
            assert!(wrong.parse::<FileId>().is_err(), "{wrong}");
        }
    }
}
