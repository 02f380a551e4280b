//! Ed25519 keys.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::error::malformed;
use super::wire::{Wire, from_base64, put, to_base64};
use super::{Error, Result};

/// How many bytes a signature has.
pub const SIGNATURE_BYTES: usize = 64;
/// What OpenSSH calls keys of this kind.
pub(super) const SSH_KIND: &str = "ssh-ed25519";
/// What this program calls them.
const OWN_KIND: &str = "stem-ed25519";
const WHAT: &str = "the public key";

/// A short name of a public key: the first 8 bytes of the SHA-256 of its 32 bytes, as 16 lower-case
/// hexadecimal digits.
///
/// It finds a key; it proves nothing. Whoever decides by a signature compares the whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

/// Text that is not the id of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the id of a key: 16 lower-case hexadecimal digits", .0.escape_debug())]
pub struct KeyIdError(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let digits = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let value = u64::from_str_radix(text, 16).ok().filter(|_| digits && text.len() == 16);
        value.map(|value| Self(value.to_be_bytes())).ok_or_else(|| KeyIdError(text.to_owned()))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The key that signatures are checked with. A value of this type is a point of the curve, and not
/// one of the few with which one signature fits many messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key made of these bytes (RFC 8032).
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if they are no key, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let key = VerifyingKey::from_bytes(bytes)
            .map_err(|_| malformed(WHAT, "it is not a point of the curve"))?;
        if key.is_weak() {
            return Err(malformed(WHAT, "it is weak: a signature by it would prove nothing"));
        }
        Ok(Self(key))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's short name.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&Sha256::digest(self.as_bytes())[..8]);
        KeyId(id)
    }

    /// Whether `signature` is this key's over exactly `message`. Signatures that have a second
    /// form with the same meaning do not count (`verify_strict`).
    pub fn has_signed(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The key as one line: `stem-ed25519 BASE64 COMMENT`.
    pub fn to_line(&self, comment: &str) -> String {
        line(OWN_KIND, self.as_bytes(), comment)
    }

    /// The key as OpenSSH writes it: `ssh-ed25519 BASE64 COMMENT`.
    pub fn to_ssh_line(&self, comment: &str) -> String {
        line(SSH_KIND, &self.to_ssh_blob(), comment)
    }

    /// The key as a verifier of signed notes is told it; see [`super::note`].
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if `name` cannot be the name of a key.
    pub fn to_note_key(&self, name: &str) -> Result<String> {
        super::note::verifier_key(name, self)
    }

    /// Reads either kind of line; what follows the key is its comment.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for keys of other kinds, [`Error::Malformed`].
    pub fn from_line(text: &str) -> Result<(Self, String)> {
        let text = text.trim();
        if text.contains(['\n', '\r', '\0']) {
            return Err(malformed(WHAT, "it is not one line"));
        }
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (encoded, comment) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let comment = comment.trim().to_owned();
        if kind != OWN_KIND && kind != SSH_KIND {
            let found: String = kind.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(Error::Unsupported { what: WHAT, found });
        }
        let bytes = from_base64(encoded, WHAT)?;
        if kind == SSH_KIND {
            return Ok((Self::from_ssh_blob(&bytes)?, comment));
        }
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| malformed(WHAT, "it is not 32 bytes long"))?;
        Ok((Self::from_bytes(&bytes)?, comment))
    }

    pub(super) fn to_ssh_blob(self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        put(&mut blob, SSH_KIND.as_bytes());
        put(&mut blob, self.as_bytes());
        blob
    }

    pub(super) fn from_ssh_blob(bytes: &[u8]) -> Result<Self> {
        let mut wire = Wire::new(bytes, WHAT);
        let kind = wire.string()?;
        if kind != SSH_KIND.as_bytes() {
            let found = String::from_utf8_lossy(kind).chars().take(40).collect::<String>();
            return Err(Error::Unsupported { what: WHAT, found: found.escape_debug().to_string() });
        }
        let key = wire.array("key")?;
        wire.end()?;
        Self::from_bytes(&key)
    }
}

fn line(kind: &str, bytes: &[u8], comment: &str) -> String {
    let comment: String = comment.chars().filter(|c| !c.is_control()).collect();
    format!("{kind} {} {comment}", to_base64(bytes)).trim_end().to_owned()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl Serialize for PublicKey {
    /// As `stem-ed25519 BASE64`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_line(""))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_line(&text).map(|(key, _)| key).map_err(serde::de::Error::custom)
    }
}

/// The key that signs. It is wiped from memory when it is dropped, and never printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A key that nobody else has.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Random(std::io::Error::other(error)))?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of these 32 random bytes (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key that its signatures are checked with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`. The same message has the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }

    /// The key as the text of a file, in OpenSSH's own form without a passphrase.
    pub fn to_text(&self, comment: &str) -> String {
        super::openssh::encode(self, comment)
    }

    /// The opposite of [`SecretKey::to_text`], with the comment.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a key with a passphrase or of another kind; [`Error::Malformed`].
    pub fn from_text(text: &str) -> Result<(Self, String)> {
        super::openssh::decode(text)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().id())
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
