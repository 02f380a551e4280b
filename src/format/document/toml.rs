//! TOML; dates become text.

use serde_json::{Map, Number, Value};

use super::{DocumentError, MAX_DEPTH};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    check_dots(text)?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| understand(text, &error))?;
    convert(toml::Value::Table(table), 1)
}

/// A key with very many dots would be a table as deep. Outside of strings and comments, dots that
/// only names stand between belong to one key.
fn check_dots(text: &str) -> Result<(), DocumentError> {
    let mut rest = text;
    let mut dots = 0;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '"' | '\'' => string_length(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        match first {
            '.' => dots += 1,
            '=' | ',' | '\n' | '{' | '}' | '[' | ']' => dots = 0,
            _ => {}
        }
        if dots >= MAX_DEPTH {
            return Err(DocumentError::TooDeep);
        }
        rest = &rest[skipped..];
    }
    Ok(())
}

/// How long the string is that `text` begins with; all of it if it does not end.
fn string_length(text: &str) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let is_long = text.starts_with(&triple);
    let end = if is_long { triple.as_str() } else { quote };
    let mut at = end.len();
    while let Some(next) = text[at..].chars().next() {
        if text[at..].starts_with(end) {
            return at + end.len();
        }
        if !is_long && next == '\n' {
            return at;
        }
        at += next.len_utf8();
        if quote == "\"" && next == '\\' {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

fn understand(text: &str, error: &toml::de::Error) -> DocumentError {
    let message = error.message();
    if message.contains("recursion") {
        return DocumentError::TooDeep;
    }
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    if message.contains("duplicate key") {
        let rest = text.get(error.span().unwrap_or_default()).unwrap_or_default();
        let key = rest.lines().next().unwrap_or_default().trim();
        return DocumentError::Repeated(key.trim_matches('"').to_owned());
    }
    DocumentError::Syntax(format!("{message} at line {line}"))
}

fn convert(value: toml::Value, depth: usize) -> Result<Value, DocumentError> {
    let is_nested = matches!(value, toml::Value::Array(_) | toml::Value::Table(_));
    if is_nested && depth > MAX_DEPTH {
        return Err(DocumentError::TooDeep);
    }
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            let finite = Number::from_f64(number).map(Value::Number);
            finite.ok_or_else(|| DocumentError::Number(number.to_string()))?
        }
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => {
            let items = items.into_iter().map(|item| convert(item, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => {
            let mut map = Map::new();
            for (key, value) in table {
                map.insert(key, convert(value, depth + 1)?);
            }
            Value::Object(map)
        }
    })
}
