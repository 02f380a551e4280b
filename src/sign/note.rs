//! Signed notes (`c2sp.org/signed-note`; `golang.org/x/mod/sumdb/note`): lines of text, an empty line,
//! and lines of signatures.

use sha2::{Digest, Sha256};

use super::error::malformed;
use super::wire::{from_base64, to_base64};
use super::{Error, PublicKey, Result, SIGNATURE_BYTES, SecretKey};

const WHAT: &str = "the signed note";
/// The longest note, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The most signatures that a note may have; the specification asks for at least 16.
const MAX_SIGNATURES: usize = 100;
/// The byte that says Ed25519.
const ED25519: u8 = 1;
const DASH: &str = "\u{2014} ";

/// A text, and who of the asked keys has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, ending in a line feed.
    pub text: String,
    /// The key names and keys that have signed it.
    pub signers: Vec<(String, PublicKey)>,
}

/// Signs `text`, which must end in a line feed, under the key name `name`.
///
/// # Errors
///
/// [`Error::Malformed`] for a text or a name that no note can have.
pub fn sign(text: &str, name: &str, key: &SecretKey) -> Result<String> {
    check_text(text)?;
    check_name(name)?;
    let mut bytes = key_hash(name, &key.public()).to_vec();
    bytes.extend_from_slice(&key.sign(text.as_bytes()));
    Ok(format!("{text}\n{DASH}{name} {}\n", to_base64(&bytes)))
}

/// Opens a note that at least one of `keys`, each under its name, has signed.
///
/// Signatures by others are passed over, as the specification asks.
///
/// # Errors
///
/// [`Error::Wrong`] if a signature by one of the keys is not theirs; [`Error::TooFew`] if there is
/// none; [`Error::Malformed`].
pub fn open(note: &str, keys: &[(&str, PublicKey)]) -> Result<Note> {
    let (text, signatures) = split(note)?;
    let mut signers: Vec<(String, PublicKey)> = Vec::new();
    for (name, bytes) in signatures {
        let (hash, rest) = bytes.split_at(4);
        let known = keys.iter().find(|(known, key)| *known == name && key_hash(name, key) == *hash);
        let Some((_, key)) = known else { continue };
        let raw: [u8; SIGNATURE_BYTES] =
            rest.try_into().map_err(|_| Error::Wrong { what: "the note" })?;
        if !key.has_signed(text.as_bytes(), &raw) {
            return Err(Error::Wrong { what: "the note" });
        }
        if !signers.iter().any(|(_, known)| known == key) {
            signers.push((name.to_owned(), *key));
        }
    }
    if signers.is_empty() {
        return Err(Error::TooFew { what: WHAT, needed: 1, found: 0 });
    }
    Ok(Note { text: text.to_owned(), signers })
}

/// The text of a note that nobody has checked. For finding out whose note it says it is.
///
/// # Errors
///
/// [`Error::Malformed`].
pub fn peek(note: &str) -> Result<&str> {
    Ok(split(note)?.0)
}

/// A name, the hash and the key, as verifiers of notes are told them: `NAME+HASH+KEY`.
///
/// # Errors
///
/// [`Error::Malformed`] if no key can have that name.
pub fn verifier_key(name: &str, key: &PublicKey) -> Result<String> {
    check_name(name)?;
    let hash = u32::from_be_bytes(key_hash(name, key));
    let bytes = [&[ED25519][..], key.as_bytes()].concat();
    Ok(format!("{name}+{hash:08x}+{}", to_base64(&bytes)))
}

/// The name of a key, and the bytes beside it.
type Signature<'a> = (&'a str, Vec<u8>);

/// The text, and the signatures.
fn split(note: &str) -> Result<(&str, Vec<Signature<'_>>)> {
    if note.len() > MAX_BYTES {
        return Err(malformed(WHAT, "it has more than 1 MiB"));
    }
    check_text(note)?;
    let at = note.rfind("\n\n").ok_or_else(|| malformed(WHAT, "it has no signatures"))?;
    let (text, lines) = (&note[..=at], &note[at + 2..]);
    let mut signatures = Vec::new();
    for line in lines.lines() {
        let bad = || malformed(WHAT, "a line of its signatures is not one");
        let (name, encoded) =
            line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or_else(bad)?;
        check_name(name)?;
        let bytes = from_base64(encoded, WHAT)?;
        if bytes.len() < 5 {
            return Err(bad());
        }
        signatures.push((name, bytes));
    }
    if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
        return Err(malformed(WHAT, "it must have 1 to 100 signatures"));
    }
    Ok((text, signatures))
}

fn check_text(text: &str) -> Result<()> {
    if !text.ends_with('\n') {
        return Err(malformed(WHAT, "it does not end in a line feed"));
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(malformed(WHAT, "it holds a control character"));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(malformed(WHAT, "a key's name is empty, or holds a space or a plus"));
    }
    Ok(())
}

fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    let mut hash = [0; 4];
    hash.copy_from_slice(&digest[..4]);
    hash
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
