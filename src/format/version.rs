//! A version as canonical JSON (RFC 8785), so that a person can print it and check its id with
//! `b3sum`. See `docs/format.md`, "Versions".

use crate::model::{Version, VersionId};

use super::Error;

/// The longest version, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

const FORMAT: u64 = 1;
/// Numbers beyond this are not exact in JSON (RFC 7493, section 2.2).
const MAX_EXACT: u64 = (1 << 53) - 1;
/// How deep lists and objects are nested at most, the version itself included.
const MAX_DEPTH: usize = 100;
const WHAT: &str = "version";

/// The bytes of a version.
///
/// # Errors
///
/// If it could not be read back exactly: an integer beyond 2^53 − 1, more than [`MAX_BYTES`],
/// nesting beyond 100 levels, another format than 1.
pub fn encode(version: &Version) -> Result<Vec<u8>, Error> {
    for value in version.provenance.free_values() {
        check_depth(value)?;
        check_integers(value)?;
    }
    let bytes = serde_json_canonicalizer::to_vec(version)?;
    decode(&bytes)?;
    Ok(bytes)
}

/// The id of the version that has these bytes.
pub fn id(bytes: &[u8]) -> VersionId {
    VersionId::of(bytes)
}

/// Reads a version.
///
/// # Errors
///
/// If the bytes are not exactly what [`encode`] writes for some version.
pub fn decode(bytes: &[u8]) -> Result<Version, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { what: WHAT, limit: "at most 16 MiB" });
    }
    let value: serde_json::Value = serde_json::from_slice(bytes)?;
    if let Some(found) = value.get("format").and_then(serde_json::Value::as_u64)
        && found != FORMAT
    {
        return Err(Error::UnknownFormat { what: WHAT, found });
    }
    check_depth(&value)?;
    check_integers(&value)?;
    let version: Version = serde_json::from_slice(bytes)?;
    if serde_json_canonicalizer::to_vec(&version)? != bytes {
        return Err(Error::Damaged { what: WHAT, problem: "its JSON is not canonical (RFC 8785)" });
    }
    Ok(version)
}

fn check_depth(value: &serde_json::Value) -> Result<(), Error> {
    if is_deeper_than(value, MAX_DEPTH) {
        Err(Error::TooLarge { what: WHAT, limit: "at most 100 levels of JSON" })
    } else {
        Ok(())
    }
}

fn check_integers(value: &serde_json::Value) -> Result<(), Error> {
    if has_inexact_integer(value) {
        Err(Error::TooLarge { what: WHAT, limit: "integers are at most 2^53 - 1" })
    } else {
        Ok(())
    }
}

fn has_inexact_integer(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(positive), _) => positive > MAX_EXACT,
            (None, Some(negative)) => negative.unsigned_abs() > MAX_EXACT,
            (None, None) => false,
        },
        Value::Array(items) => items.iter().any(has_inexact_integer),
        Value::Object(fields) => fields.values().any(has_inexact_integer),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn is_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    use serde_json::Value;
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper_than(field, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
