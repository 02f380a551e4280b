//! JSON read with the place of every value, so that one can be replaced and the rest kept.
//!
//! What RFC 8259 allows is read; of what it does not, only `NaN`, `Infinity` and `-Infinity`
//! (Python writes them) and unescaped control characters in strings.

use std::borrow::Cow;
use std::ops::Range;

use super::number::number_length;

/// Nested deeper than this, a document is refused.
const MAX_DEPTH: usize = 128;

/// A value and where it stands in the bytes that were read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'a> {
    /// The bytes of the value, quotes and brackets included.
    pub(super) span: Range<usize>,
    /// The value.
    pub(super) value: Value<'a>,
}

/// A value of any record: of JSON, of a row of CSV (an object of texts), of a row of Parquet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// The text of the number as it stands.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    /// All members in order, repeated ones included; the last of a name is the one that counts.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Why bytes are not one JSON document, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotJson {
    pub(super) at: usize,
    pub(super) problem: &'static str,
}

impl<'a> Node<'a> {
    /// A value that stands nowhere.
    pub(super) fn anywhere(value: Value<'a>) -> Self {
        Self { span: 0..0, value }
    }
}

impl<'a> Value<'a> {
    /// The members that count: of each name the last.
    pub(super) fn members<'s>(
        members: &'s [(Cow<'a, str>, Node<'a>)],
    ) -> impl Iterator<Item = (&'s str, &'s Node<'a>)> {
        let mut names = std::collections::HashSet::new();
        members
            .iter()
            .rev()
            .filter(move |(name, _)| names.insert(name.as_ref()))
            .map(|(name, node)| (name.as_ref(), node))
    }
}

/// Reads one JSON document, with nothing but white space around it.
pub(super) fn parse(bytes: &[u8]) -> Result<Node<'_>, NotJson> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| NotJson { at: error.valid_up_to(), problem: "it is not UTF-8" })?;
    let mut parser = Parser { text, at: 0, depth: 0 };
    let node = parser.value()?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.wrong("something follows the document"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self, problem: &'static str) -> NotJson {
        NotJson { at: self.at, problem }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn space(&mut self) {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.rest().iter().take_while(blank).count();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self) -> Result<Node<'a>, NotJson> {
        self.space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err(self.wrong("a value cannot begin so")),
            None => return Err(self.wrong("it ends too early")),
        };
        Ok(Node { span: start..self.at, value })
    }

    fn nested(
        &mut self,
        inner: fn(&mut Self) -> Result<Value<'a>, NotJson>,
    ) -> Result<Value<'a>, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(self.wrong("it is nested more than 128 levels deep"));
        }
        self.depth += 1;
        self.at += 1;
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value<'a>, NotJson> {
        let mut members = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("the name of a member is expected"));
            }
            let name = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.wrong("a colon is expected"));
            }
            members.push((name, self.value()?));
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.wrong("a comma or the end of an object is expected"));
            }
        }
    }

    fn list(&mut self) -> Result<Value<'a>, NotJson> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err(self.wrong("a comma or the end of a list is expected"));
            }
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, NotJson> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.wrong("a value cannot begin so"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Cow<'a, str>, NotJson> {
        let start = self.at;
        let words = ["NaN", "Infinity", "-Infinity"];
        let word = words.iter().find(|word| self.rest().starts_with(word.as_bytes()));
        let length = match word {
            Some(word) => word.len(),
            None => number_length(self.rest()).ok_or_else(|| self.wrong("not a number"))?,
        };
        self.at += length;
        Ok(Cow::Borrowed(&self.text[start..self.at]))
    }

    /// The string that begins here; borrowed where it has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        self.at += 1;
        let mut start = self.at;
        let mut decoded = String::new();
        loop {
            let Some(stop) = memchr::memchr2(b'"', b'\\', self.rest()) else {
                return Err(self.wrong("a string does not end"));
            };
            self.at += stop;
            let piece = &self.text[start..self.at];
            if self.eat(b'"') {
                if decoded.is_empty() {
                    return Ok(Cow::Borrowed(piece));
                }
                decoded.push_str(piece);
                return Ok(Cow::Owned(decoded));
            }
            decoded.push_str(piece);
            decoded.push(self.escape()?);
            start = self.at;
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.wrong("an escape that JSON does not have")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, NotJson> {
        let first = self.four_digits()?;
        let code = match first {
            0xD800..=0xDBFF if self.rest().starts_with(b"\\u") => {
                self.at += 1;
                let second = self.four_digits()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(self.wrong("half of a surrogate pair stands alone"));
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("half of a surrogate pair stands alone"))
    }

    /// The number of a `uXXXX`, which begins here.
    fn four_digits(&mut self) -> Result<u32, NotJson> {
        let digits = self.rest().get(1..5).filter(|four| four.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|four| std::str::from_utf8(four).ok());
        let code = digits.and_then(|four| u32::from_str_radix(four, 16).ok());
        let code = code.ok_or_else(|| self.wrong("four hexadecimal digits are expected"))?;
        self.at += 5;
        Ok(code)
    }
}

/// Writes `text` as a string of JSON, with the escapes that RFC 8785 wants and no others.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if control < ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
