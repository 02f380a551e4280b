//! A TOML document walked with the place of everything in it, so that an error can name it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::PolicyError;

/// A table, and where it stands.
pub(super) struct Table<'a> {
    text: &'a str,
    path: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
}

/// A value, and where it stands.
pub(super) struct Node<'a> {
    text: &'a str,
    path: String,
    value: &'a Spanned<DeValue<'a>>,
}

/// The line that a byte is on, counted from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

type Result<T> = std::result::Result<T, PolicyError>;

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn top(text: &'a str, table: &'a DeTable<'a>) -> Self {
        Self { text, path: String::new(), table, span: 0..0 }
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// An error about the table as a whole.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> PolicyError {
        let key = Some(self.path.clone()).filter(|path| !path.is_empty());
        PolicyError { line: line(self.text, self.span.start), key, problem: problem.into() }
    }

    /// Refuses keys that are not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        let mut unknown: Vec<_> =
            self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        let Some(key) = unknown.first() else { return Ok(()) };
        Err(PolicyError {
            line: line(self.text, key.span().start),
            key: Some(self.at(key.get_ref())),
            problem: format!("there is no such key; it may be one of {}", known.join(", ")),
        })
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.table.get(key)?;
        Some(Node { text: self.text, path: self.at(key), value })
    }

    /// Text that is not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        self.get(key).map(|node| node.text()).transpose()
    }

    /// `true` or `false`; `false` if it is not said.
    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        self.get(key).map_or(Ok(false), |node| node.flag())
    }

    /// A whole number that is not negative; 0 if it is not said.
    pub(super) fn count(&self, key: &str) -> Result<u64> {
        self.get(key).map_or(Ok(0), |node| node.count())
    }

    /// A finite number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).map(|node| node.number()).transpose()
    }

    /// The items of a list, or none.
    pub(super) fn items(&self, key: &str) -> Result<Vec<Node<'a>>> {
        self.get(key).map_or(Ok(Vec::new()), |node| node.items())
    }

    /// A list of text with at least one item.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let texts: Vec<String> =
            node.items()?.iter().map(|item| item.text()).collect::<Result<_>>()?;
        if texts.is_empty() {
            return Err(node.wrong("the list is empty; leave the key out instead"));
        }
        Ok(Some(texts))
    }

    /// The tables of a list of tables, or none.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Table<'a>>> {
        self.items(key)?.into_iter().map(|item| item.table()).collect()
    }
}

impl<'a> Node<'a> {
    /// An error about this value.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> PolicyError {
        let line = line(self.text, self.value.span().start);
        PolicyError { line, key: Some(self.path.clone()), problem: problem.into() }
    }

    fn is_not(&self, expected: &str) -> PolicyError {
        let found = self.value.get_ref().type_str();
        self.wrong(format!("it must be {expected}, and is of type {found}"))
    }

    pub(super) fn text(&self) -> Result<String> {
        match self.value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => Err(self.wrong("it is empty")),
            DeValue::String(text) => {
                // It will be shown on terminals; what a made-up version says is not.
                let is_shown = !self.path.ends_with(".message");
                match is_shown && text.chars().any(char::is_control) {
                    true => Err(self.wrong("it has control characters")),
                    false => Ok(text.to_string()),
                }
            }
            _ => Err(self.is_not("text in quotes")),
        }
    }

    fn flag(&self) -> Result<bool> {
        self.value.get_ref().as_bool().ok_or_else(|| self.is_not("true or false"))
    }

    fn count(&self) -> Result<u64> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(self.is_not("a whole number"));
        };
        u64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| self.wrong("it must be a whole number that is not negative"))
    }

    pub(super) fn number(&self) -> Result<f64> {
        let number = match self.value.get_ref() {
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Integer(number) => {
                let whole = i64::from_str_radix(number.as_str(), number.radix()).ok();
                #[expect(clippy::cast_precision_loss, reason = "a bound, not an exact count")]
                whole.map(|whole| whole as f64)
            }
            _ => return Err(self.is_not("a number")),
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| self.wrong("it must be finite"))
    }

    fn items(&self) -> Result<Vec<Node<'a>>> {
        let list = self.value.get_ref().as_array().ok_or_else(|| self.is_not("a list"))?;
        let item = |(place, value)| Node {
            text: self.text,
            path: format!("{}[{place}]", self.path),
            value,
        };
        Ok((1..).zip(list.iter()).map(item).collect())
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn table(&self) -> Result<Table<'a>> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.is_not("a table"))?;
        Ok(Table { text: self.text, path: self.path.clone(), table, span: self.value.span() })
    }

    /// Text, a number, true or false as JSON.
    pub(super) fn scalar(&self) -> Result<serde_json::Value> {
        Ok(match self.value.get_ref() {
            DeValue::String(text) => text.to_string().into(),
            DeValue::Boolean(flag) => (*flag).into(),
            DeValue::Integer(_) | DeValue::Float(_) => self.number()?.into(),
            _ => return Err(self.is_not("text, a number, true or false")),
        })
    }
}
