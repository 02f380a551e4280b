//! Signed envelopes around any bytes: DSSE 1.0 (`github.com/secure-systems-lab/dsse`).

use serde::{Deserialize, Serialize};

use super::error::malformed;
use super::wire::{from_either_base64, to_base64};
use super::{Error, PublicKey, Result, SIGNATURE_BYTES, SecretKey};

const WHAT: &str = "the envelope";
/// The longest envelope, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The most signatures that an envelope may have.
const MAX_SIGNATURES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// What an envelope holds, and who has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// The different keys, of those that were given, that have signed it.
    pub signers: Vec<PublicKey>,
    /// How many of its signatures none of the given keys has made.
    pub ignored: usize,
    /// Whether the envelope is byte for byte what [`seal`] writes for these signers. The format lets
    /// one envelope be written in several ways, and names of keys in it are signed by nobody: who
    /// wants a changed envelope refused although it says the same asks for this.
    pub is_exact: bool,
}

/// What is signed: the type and the payload, each with its length in bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Puts `payload` into an envelope that `keys` have signed: canonical JSON (RFC 8785).
pub fn seal(payload_type: &str, payload: &[u8], keys: &[&SecretKey]) -> Vec<u8> {
    let message = pae(payload_type, payload);
    let signatures = keys.iter().map(|key| (key.public(), key.sign(&message)));
    write(payload_type, payload, signatures)
}

/// Adds a signature to an envelope, without looking at those that it has.
///
/// # Errors
///
/// [`Error::Malformed`].
pub fn cosign(envelope: &[u8], key: &SecretKey) -> Result<Vec<u8>> {
    let mut parsed = parse(envelope)?;
    let payload = from_either_base64(&parsed.payload, WHAT)?;
    let signature = key.sign(&pae(&parsed.payload_type, &payload));
    parsed.signatures.push(signature_of(&key.public(), &signature));
    Ok(to_bytes(&parsed))
}

/// The type and the payload of an envelope that nobody has checked. For finding out which keys to
/// open it with, and for nothing else.
///
/// # Errors
///
/// [`Error::Malformed`].
pub fn peek(envelope: &[u8]) -> Result<(String, Vec<u8>)> {
    let parsed = parse(envelope)?;
    let payload = from_either_base64(&parsed.payload, WHAT)?;
    Ok((parsed.payload_type, payload))
}

/// Opens an envelope of `payload_type` that at least `threshold` (at least one) different keys of
/// `keys` have signed.
///
/// # Errors
///
/// [`Error::TooFew`]; [`Error::Malformed`] also for unknown and repeated fields and another type.
pub fn open(
    envelope: &[u8],
    payload_type: &str,
    keys: &[PublicKey],
    threshold: usize,
) -> Result<Opened> {
    let parsed = parse(envelope)?;
    if parsed.payload_type != payload_type {
        let found = parsed.payload_type.escape_debug();
        return Err(malformed(WHAT, format!("its type is `{found}`, not `{payload_type}`")));
    }
    let payload = from_either_base64(&parsed.payload, WHAT)?;
    let message = pae(payload_type, &payload);
    let mut signers: Vec<PublicKey> = Vec::new();
    let mut made = Vec::new();
    let mut ignored = 0;
    for signature in &parsed.signatures {
        let bytes = from_either_base64(&signature.sig, WHAT)?;
        let bytes: Option<[u8; SIGNATURE_BYTES]> = bytes.try_into().ok();
        let by = |bytes: &[u8; SIGNATURE_BYTES]| {
            keys.iter().find(|key| key.has_signed(&message, bytes)).copied()
        };
        let Some((key, bytes)) = bytes.and_then(|bytes| Some((by(&bytes)?, bytes))) else {
            ignored += 1;
            continue;
        };
        made.push((key, bytes));
        if !signers.contains(&key) {
            signers.push(key);
        }
    }
    let needed = threshold.max(1);
    if signers.len() < needed {
        return Err(Error::TooFew { what: WHAT, needed, found: signers.len() });
    }
    let is_exact = ignored == 0
        && made.len() == signers.len()
        && write(payload_type, &payload, made.into_iter()) == envelope;
    Ok(Opened { payload, signers, ignored, is_exact })
}

fn parse(envelope: &[u8]) -> Result<Envelope> {
    if envelope.len() > MAX_BYTES {
        return Err(malformed(WHAT, "it has more than 64 MiB"));
    }
    let parsed: Envelope =
        serde_json::from_slice(envelope).map_err(|error| malformed(WHAT, error.to_string()))?;
    if parsed.signatures.is_empty() || parsed.signatures.len() > MAX_SIGNATURES {
        return Err(malformed(WHAT, "it must have 1 to 64 signatures"));
    }
    Ok(parsed)
}

fn write(
    payload_type: &str,
    payload: &[u8],
    signatures: impl Iterator<Item = (PublicKey, [u8; SIGNATURE_BYTES])>,
) -> Vec<u8> {
    to_bytes(&Envelope {
        payload: to_base64(payload),
        payload_type: payload_type.to_owned(),
        signatures: signatures.map(|(key, bytes)| signature_of(&key, &bytes)).collect(),
    })
}

fn signature_of(key: &PublicKey, bytes: &[u8; SIGNATURE_BYTES]) -> Signature {
    Signature { keyid: Some(key.id().to_string()), sig: to_base64(bytes) }
}

fn to_bytes(envelope: &Envelope) -> Vec<u8> {
    // Strings and lists of them: nothing of it can fail to be written, and the order of the fields
    // above is that of RFC 8785.
    serde_json::to_vec(envelope).unwrap_or_default()
}

#[cfg(test)]
#[path = "dsse_tests.rs"]
mod tests;
