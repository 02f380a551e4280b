//! Rows of CSV: which bytes are which field.
//!
//! Read as Python's `csv` and most others do: a field that begins with a quote ends with the next
//! single one, and what follows up to the delimiter belongs to it; a quote elsewhere is a character.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{Node, Value};
use super::lines::decode;
use super::split::quoted_end;
use super::trouble::Why;

/// The names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    names: Vec<String>,
}

impl Header {
    /// The header that these bytes are.
    pub(super) fn read(content: &[u8], delimiter: u8) -> Self {
        let fields = fields(content, delimiter);
        Self { names: fields.map(|field| text(&content[field.span]).into_owned()).collect() }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a name stands twice, so that an object cannot name every column.
    pub(super) fn has_twins(&self) -> bool {
        let mut seen = std::collections::HashSet::new();
        !self.names.iter().all(|name| seen.insert(name))
    }

    /// The row as an object of texts.
    pub(super) fn row<'a>(&'a self, content: &'a [u8], delimiter: u8) -> Result<Node<'a>, Why> {
        let mut members = Vec::with_capacity(self.names.len());
        let mut found = 0;
        for field in fields(content, delimiter) {
            if !field.closed {
                return Err(Why::OpenQuote);
            }
            if let Some(name) = self.names.get(found) {
                let value = Value::Text(text(&content[field.span.clone()]));
                members.push((Cow::Borrowed(name.as_str()), Node { span: field.span, value }));
            }
            found += 1;
        }
        if found != self.names.len() {
            return Err(Why::Fields { expected: self.names.len(), found });
        }
        Ok(Node { span: 0..content.len(), value: Value::Object(members) })
    }
}

struct Field {
    span: Range<usize>,
    /// Whether its quotes are closed.
    closed: bool,
}

/// The fields of a record, quotes included.
fn fields(content: &[u8], delimiter: u8) -> impl Iterator<Item = Field> {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let quotes = (content.get(from) == Some(&b'"')).then(|| quoted_end(content, from));
        let (after_quotes, closed) = match quotes {
            None => (from, true),
            Some(Some(end)) => (end, true),
            Some(None) => (content.len(), false),
        };
        let rest = &content[after_quotes..];
        let end = memchr::memchr(delimiter, rest).map(|at| after_quotes + at);
        start = end.map(|end| end + 1);
        Some(Field { span: from..end.unwrap_or(content.len()), closed })
    })
}

/// The text of a field.
fn text(field: &[u8]) -> Cow<'_, str> {
    let Some(inner) = field.strip_prefix(b"\"") else { return decode(field) };
    let (quoted, after) = match quoted_end(field, 0) {
        Some(end) => (&field[1..end - 1], &field[end..]),
        None => (inner, &b""[..]),
    };
    if memchr::memchr(b'"', quoted).is_none() && after.is_empty() {
        return decode(quoted);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = quoted;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        bytes.extend_from_slice(&rest[..=quote]);
        rest = &rest[(quote + 2).min(rest.len())..];
    }
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(after);
    Cow::Owned(decode(&bytes).into_owned())
}

/// The bytes of a field with this text, in quotes only where they are needed.
pub(super) fn field(text: &str, delimiter: u8) -> Vec<u8> {
    let special = |byte: u8| matches!(byte, b'"' | b'\n' | b'\r') || byte == delimiter;
    if !text.bytes().any(special) {
        return text.as_bytes().to_vec();
    }
    format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(content: &str) -> Vec<String> {
        fields(content.as_bytes(), b',')
            .map(|field| text(&content.as_bytes()[field.span]).into_owned())
            .collect()
    }

    #[test]
    fn fields_are_read_as_python_does() {
        assert_eq!(texts(r#"a,"b,""c""",,"d""#), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(texts(r#"x"y,"q"z"w, "no""#), ["x\"y", "qz\"w", " \"no\""]);
        assert_eq!(texts(""), [""]);
        assert_eq!(texts("\"\""), [""]);
        assert_eq!(texts("\"a\nb\",c"), ["a\nb", "c"]);
    }

    #[test]
    fn a_row_of_another_width_or_with_an_open_quote_is_none() {
        let header = Header::read(b"a,b", b',');
        assert_eq!(header.row(b"1", b',').unwrap_err(), Why::Fields { expected: 2, found: 1 });
        assert_eq!(header.row(b"1,2,3", b',').unwrap_err(), Why::Fields { expected: 2, found: 3 });
        assert_eq!(header.row(b"1,\"2", b',').unwrap_err(), Why::OpenQuote);
        assert_eq!(header.row(b"1,2", b',').unwrap().span, 0..3);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for original in ["", "plain", "a,b", "say \"so\"", "two\nlines", "\r"] {
            let bytes = field(original, b',');
            assert_eq!(texts(std::str::from_utf8(&bytes).unwrap()), [original]);
        }
    }
}
