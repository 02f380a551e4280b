//! Documents that people write, as JSON values: YAML, TOML and JSON.
//!
//! All three are read more strictly than their standards ask for, so that a document says one thing
//! only: no repeated key, no number that JSON cannot say, no anchors, no tags, one document to a
//! file. Size and depth are limited before anything is built that could grow with them.

mod json;
mod toml;
mod yaml;

use serde_json::{Map, Value};

/// The longest document, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How deep lists and objects are nested at most, the document itself included.
pub const MAX_DEPTH: usize = 100;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// YAML 1.2 with the core schema, without anchors and tags.
    Yaml,
    /// TOML 1.1.
    Toml,
    /// JSON (RFC 8259).
    Json,
}

impl Syntax {
    /// The syntax of a file by the end of its name: `.yaml`, `.yml`, `.toml`, `.json`.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, end) = name.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why a document was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_BYTES`].
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// More than [`MAX_DEPTH`].
    #[error("it is nested deeper than 100 levels")]
    TooDeep,
    /// Bytes that are not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A list or a single value.
    #[error("it is not a list of keys and values")]
    NotAnObject,
    /// A key that is there twice.
    #[error("the key `{}` is there twice", .0.escape_debug())]
    Repeated(String),
    /// NaN or an infinity, or too large for JSON.
    #[error("`{}` is not a number that JSON can say", .0.escape_debug())]
    Number(String),
    /// Something of the syntax that is not taken here.
    #[error("{0}")]
    Refused(&'static str),
    /// Not the syntax at all.
    #[error("{0}")]
    Syntax(String),
}

/// Reads a document. An empty one has no keys.
///
/// # Errors
///
/// [`DocumentError`]; nothing that `bytes` hold makes it panic, recurse deeper than
/// [`MAX_DEPTH`] or use more than a small multiple of their length.
pub fn parse(syntax: Syntax, bytes: &[u8]) -> Result<Map<String, Value>, DocumentError> {
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = match syntax {
        Syntax::Yaml => yaml::parse(text)?,
        Syntax::Toml => toml::parse(text)?,
        Syntax::Json if text.trim().is_empty() => Value::Null,
        Syntax::Json => json::parse(text)?,
    };
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(DocumentError::NotAnObject),
    }
}

/// Reads one value in JSON as strictly as a document.
///
/// # Errors
///
/// As [`parse`].
pub fn json_value(text: &str) -> Result<Value, DocumentError> {
    if text.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge);
    }
    json::parse(text)
}

#[cfg(test)]
mod tests;
