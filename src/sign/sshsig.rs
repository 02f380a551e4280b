//! Signatures that `ssh-keygen -Y verify` accepts (OpenSSH, `PROTOCOL.sshsig`).
//!
//! What is signed is not the message but its hash, together with a namespace, so that a signature
//! made for one purpose cannot be shown for another.

use sha2::{Digest, Sha256, Sha512};

use super::error::malformed;
use super::key::SSH_KIND;
use super::wire::{Wire, armor, put, unarmor};
use super::{Error, PublicKey, Result, SIGNATURE_BYTES, SecretKey};

/// The namespace of everything that this program signs this way.
pub const NAMESPACE: &str = "stemmata";

const WHAT: &str = "the SSH signature";
const LABEL: &str = "SSH SIGNATURE";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// Signs `message` for `namespace`.
pub fn sign(key: &SecretKey, namespace: &str, message: &[u8]) -> String {
    let hash = Sha512::digest(message);
    let raw = key.sign(&to_sign(namespace, "sha512", &hash));
    let mut signature = Vec::new();
    put(&mut signature, SSH_KIND.as_bytes());
    put(&mut signature, &raw);
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&VERSION.to_be_bytes());
    put(&mut blob, &key.public().to_ssh_blob());
    put(&mut blob, namespace.as_bytes());
    put(&mut blob, b"");
    put(&mut blob, b"sha512");
    put(&mut blob, &signature);
    armor(LABEL, &blob)
}

/// Checks that `signature` is one of `message`, made for `namespace`, and says by which key. Whether
/// that key is to be trusted is the caller's question.
///
/// # Errors
///
/// [`Error::Wrong`] if the key has not signed this; [`Error::Malformed`], [`Error::Unsupported`].
pub fn verify(signature: &str, namespace: &str, message: &[u8]) -> Result<PublicKey> {
    let blob = unarmor(LABEL, signature, WHAT)?;
    let mut wire = Wire::new(&blob, WHAT);
    if wire.take(MAGIC.len())? != MAGIC || wire.number()? != VERSION {
        return Err(malformed(WHAT, "it does not begin with `SSHSIG` and version 1"));
    }
    let key = PublicKey::from_ssh_blob(wire.string()?)?;
    wire.expect(namespace.as_bytes(), "namespace")?;
    wire.expect(b"", "reserved field")?;
    let (algorithm, hash) = match wire.string()? {
        b"sha512" => ("sha512", Sha512::digest(message).to_vec()),
        b"sha256" => ("sha256", Sha256::digest(message).to_vec()),
        other => {
            let found = String::from_utf8_lossy(other).escape_debug().to_string();
            return Err(Error::Unsupported { what: WHAT, found });
        }
    };
    let inner = wire.string()?;
    wire.end()?;
    let mut wire = Wire::new(inner, WHAT);
    wire.expect(SSH_KIND.as_bytes(), "kind")?;
    let raw: [u8; SIGNATURE_BYTES] = wire.array("signature")?;
    wire.end()?;
    if key.has_signed(&to_sign(namespace, algorithm, &hash), &raw) {
        Ok(key)
    } else {
        Err(Error::Wrong { what: "the message" })
    }
}

fn to_sign(namespace: &str, algorithm: &str, hash: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    put(&mut bytes, namespace.as_bytes());
    put(&mut bytes, b"");
    put(&mut bytes, algorithm.as_bytes());
    put(&mut bytes, hash);
    bytes
}

#[cfg(test)]
#[path = "sshsig_tests.rs"]
mod tests;
