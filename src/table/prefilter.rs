//! Which lines cannot hold what is looked for, told from their bytes alone.
//!
//! Invariant: a line that is refused here would not match if it were read. A line that could hide
//! the text behind escapes, or a number behind an exponent, is never refused.

use memchr::memmem::Finder;

use super::json::{Node, Value};
use super::selector::{Key, Selector};

/// How a format can write a text other than as its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Any character as `\uXXXX`; quotes, backslashes, slashes and control characters otherwise.
    Json,
    /// Quotes as two quotes.
    Csv,
    /// None.
    Text,
}

/// The tests that a line must pass to be read.
#[derive(Debug, Default)]
pub(super) struct Prefilter {
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    /// A part of the text that is looked for, which no escape but `\u` can hide.
    needle: Finder<'static>,
    /// Which escapes could hide it, and how they begin.
    hidden_by: Hidden,
    escape: Finder<'static>,
    /// For a number, the end of its member's name: behind it may stand an exponent.
    name: Option<Finder<'static>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Never,
    /// `\u00` and a digit up to 7.
    Ascii,
    /// `\u`.
    Unicode,
}

impl Prefilter {
    /// The filter for `selector` in files with such escapes; it may let every line pass.
    pub(super) fn new(selector: &Selector, escapes: Escapes) -> Self {
        let tests = match selector {
            Selector::Contains(text) => text_test(text, escapes).into_iter().collect(),
            Selector::Keys(keys) => keys.iter().filter_map(|key| key_test(key, escapes)).collect(),
            Selector::Exact(records) => {
                let longest = records.single().and_then(|node| longest_text(&node));
                longest.and_then(|text| text_test(&text, escapes)).into_iter().collect()
            }
        };
        Self { tests }
    }

    /// Whether a record of these bytes has to be read to know whether it matches.
    pub(super) fn may_match(&self, record: &[u8]) -> bool {
        self.tests.iter().all(|test| test.passes(record))
    }
}

impl Test {
    fn passes(&self, record: &[u8]) -> bool {
        if self.needle.find(record).is_some() {
            return true;
        }
        let hidden = match self.hidden_by {
            Hidden::Never => false,
            Hidden::Unicode => self.escape.find(record).is_some(),
            Hidden::Ascii => {
                let mut escapes = self.escape.find_iter(record);
                escapes.any(|at| matches!(record.get(at + 4), Some(b'0'..=b'7')))
            }
        };
        hidden
            || self.name.as_ref().is_some_and(|name| {
                name.find_iter(record).any(|at| has_exponent(&record[at + name.needle().len()..]))
            })
    }
}

/// Whether what follows the name of a member can be a number with an exponent, or a list.
fn has_exponent(after_name: &[u8]) -> bool {
    let skip = |bytes: &mut &[u8]| *bytes = bytes.trim_ascii_start();
    let mut rest = after_name;
    skip(&mut rest);
    let Some(mut value) = rest.strip_prefix(b":") else { return false };
    skip(&mut value);
    let in_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let digits = value.iter().take_while(in_number).count();
    match value.get(digits) {
        Some(b'[') => digits == 0,
        Some(b'e' | b'E') => digits > 0,
        _ => false,
    }
}

fn text_test(text: &str, escapes: Escapes) -> Option<Test> {
    let special = |c: char| match escapes {
        Escapes::Json => matches!(c, '"' | '\\' | '/') || c.is_control(),
        Escapes::Csv => c == '"',
        Escapes::Text => false,
    };
    let pieces = || text.split(special);
    let ascii = pieces().flat_map(|piece| piece.split(|c: char| !c.is_ascii()));
    let longest = |it: &mut dyn Iterator<Item = &str>| {
        it.max_by_key(|piece| piece.len()).unwrap_or_default().to_owned()
    };
    let any = longest(&mut pieces());
    let ascii = longest(&mut ascii.into_iter());
    // Many lines have `\u` where the text is not English, few of them for a plain letter.
    let (needle, hidden_by) = match escapes {
        Escapes::Csv | Escapes::Text => (any, Hidden::Never),
        Escapes::Json if ascii.len() >= 3 || ascii.len() == any.len() => (ascii, Hidden::Ascii),
        Escapes::Json => (any, Hidden::Unicode),
    };
    let needle = (!needle.is_empty()).then(|| Finder::new(&needle).into_owned())?;
    let escape = Finder::new(if hidden_by == Hidden::Ascii { "\\u00" } else { "\\u" });
    Some(Test { needle, hidden_by, escape, name: None })
}

fn key_test(key: &Key, escapes: Escapes) -> Option<Test> {
    let number = match (key.number(), escapes) {
        (Some(number), Escapes::Json) => number,
        _ => return text_test(key.value(), escapes),
    };
    // A number that is not written out is either the text of the key, or has an exponent.
    let plain = number.plain().filter(|plain| key.value().contains(plain.as_str()))?;
    let mut test = text_test(&plain, escapes)?;
    let last = key.path().rsplit('.').next().unwrap_or(key.path());
    let name = text_test(last, escapes)?;
    if name.needle.needle() != last.as_bytes() || !last.is_ascii() {
        return None;
    }
    test.name = Some(Finder::new(&format!("{last}\"")).into_owned());
    Some(test)
}

/// The longest text among the values of a record.
fn longest_text(node: &Node<'_>) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone().into_owned()),
        Value::List(items) => items.iter().filter_map(longest_text).max_by_key(String::len),
        Value::Object(members) => Value::members(members)
            .filter_map(|(_, node)| longest_text(node))
            .max_by_key(String::len),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
