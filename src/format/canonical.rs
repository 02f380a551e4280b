//! Documents as canonical JSON (RFC 8785), read strictly.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;

/// The bytes of a document: equal documents have equal bytes.
///
/// # Errors
///
/// If it cannot be said in JSON.
pub fn encode(document: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json_canonicalizer::to_vec(document)?)
}

/// Reads a document that [`encode`] has written: unknown and repeated fields, and any other way to
/// write it, are refused.
///
/// # Errors
///
/// If the bytes are not exactly what [`encode`] writes for some value of the type.
pub fn decode<T: Serialize + DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, Error> {
    let document: T = serde_json::from_slice(bytes)?;
    if encode(&document)? != bytes {
        return Err(Error::Damaged { what, problem: "its JSON is not canonical (RFC 8785)" });
    }
    Ok(document)
}
