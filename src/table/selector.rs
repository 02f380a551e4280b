//! Which records are meant.

use super::canonical::{Form, canonical};
use super::error::Error;
use super::json::{Node, Value, parse};
use super::number::Decimal;

/// Which records are meant: those that equal one, that have given values, or that hold a text.
#[derive(Debug, Clone)]
pub enum Selector {
    /// Records that equal one of these.
    Exact(Records),
    /// Records in which every key has its value.
    Keys(Vec<Key>),
    /// Records in which any name or value, read as text, contains this text.
    Contains(String),
}

/// Records given as JSON; there is at least one.
#[derive(Debug, Clone)]
pub struct Records {
    documents: Vec<String>,
}

/// A field and the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    path: String,
    value: String,
    number: Option<Decimal>,
}

impl Selector {
    /// The records that equal the JSON document `text`, or one of several, one on each line.
    ///
    /// In JSON a record is equal as a value: numbers exactly, whatever the order of members; of a
    /// name that stands twice the last counts. In CSV all columns must be named and equal as text.
    /// In Parquet all columns must be equal, and one not named must be null.
    ///
    /// # Errors
    ///
    /// If a line is not JSON, or there is none.
    pub fn records(text: &str) -> Result<Self, Error> {
        if parse(text.as_bytes()).is_ok() {
            return Ok(Self::Exact(Records { documents: vec![text.to_owned()] }));
        }
        let mut documents = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            parse(line.as_bytes()).map_err(|wrong| Error::Record {
                number: index + 1,
                at: wrong.at,
                problem: wrong.problem,
            })?;
            documents.push(line.to_owned());
        }
        match documents.is_empty() {
            true => Err(Error::Nothing),
            false => Ok(Self::Exact(Records { documents })),
        }
    }

    /// The records in which each of `keys`, written `NAME=VALUE`, holds.
    ///
    /// A dot in a name leads into a nested object, unless a member has that whole name. In a list
    /// one item that has the value is enough. Texts are compared as text, numbers as number or as
    /// the text they are written with; values of CSV are texts.
    ///
    /// # Errors
    ///
    /// If one has no `=` or no name, or there is none.
    pub fn keys<T: AsRef<str>>(keys: &[T]) -> Result<Self, Error> {
        let keys: Result<Vec<Key>, Error> = keys.iter().map(|key| Key::new(key.as_ref())).collect();
        match keys? {
            none if none.is_empty() => Err(Error::Nothing),
            keys => Ok(Self::Keys(keys)),
        }
    }

    /// The records that hold `text` anywhere: in a text, in a number as written, in a name.
    ///
    /// # Errors
    ///
    /// If `text` is empty.
    pub fn containing(text: &str) -> Result<Self, Error> {
        match text.is_empty() {
            true => Err(Error::Nothing),
            false => Ok(Self::Contains(text.to_owned())),
        }
    }

    /// The keys, if the selector has any.
    pub(super) fn key_list(&self) -> &[Key] {
        match self {
            Self::Keys(keys) => keys,
            Self::Exact(_) | Self::Contains(_) => &[],
        }
    }
}

impl Records {
    /// The records as values. They have been read before, so none is left out.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.documents.iter().filter_map(|text| parse(text.as_bytes()).ok())
    }

    /// The only record, if there is but one.
    pub(super) fn single(&self) -> Option<Node<'_>> {
        match &self.documents[..] {
            [text] => parse(text.as_bytes()).ok(),
            _ => None,
        }
    }
}

impl Key {
    fn new(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((path, value)) if !path.is_empty() => Ok(Self::of(path, value)),
            _ => Err(Error::Key { text: text.to_owned() }),
        }
    }

    /// The key that asks for `value` at `path`.
    pub(super) fn of(path: &str, value: &str) -> Self {
        let number = Decimal::parse(value);
        Self { path: path.to_owned(), value: value.to_owned(), number }
    }

    /// The name, with dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value, as text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value as a number, if it is one.
    pub(super) fn number(&self) -> Option<&Decimal> {
        self.number.as_ref()
    }

    /// Whether the record has the value at the key's path.
    pub(super) fn holds(&self, record: &Node<'_>) -> bool {
        let mut found = false;
        at_path(record, &self.path, Twins::Last, &mut |node| {
            each_scalar(node, &mut |scalar| found |= self.fits(scalar));
        });
        found
    }

    /// Whether a value that is neither list nor object is the key's.
    pub(super) fn fits(&self, scalar: &Value<'_>) -> bool {
        match scalar {
            Value::Text(text) => *text == self.value,
            Value::Bool(truth) => self.value == if *truth { "true" } else { "false" },
            Value::Number(text) => {
                *text == self.value
                    || (self.number.is_some() && Decimal::parse(text) == self.number)
            }
            Value::Null | Value::List(_) | Value::Object(_) => false,
        }
    }
}

/// Which members of a repeated name are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twins {
    /// The last one, which is the one that JSON readers keep.
    Last,
    /// All of them.
    All,
}

/// What is left of `path` below a member of this name: nothing if it is the member itself.
pub(super) fn below<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    match path.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('.').filter(|rest| !rest.is_empty()),
    }
}

/// Calls `found` with every value at `path` in `node`, through lists as well.
pub(super) fn at_path<'n, 'a>(
    node: &'n Node<'a>,
    path: &str,
    twins: Twins,
    found: &mut dyn FnMut(&'n Node<'a>),
) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| at_path(item, path, twins, found)),
        Value::Object(members) => {
            for (position, (name, member)) in members.iter().enumerate() {
                let Some(rest) = below(path, name) else { continue };
                let later = &members[position + 1..];
                if twins == Twins::Last && later.iter().any(|(other, _)| other == name) {
                    continue;
                }
                if rest.is_empty() {
                    found(member);
                } else {
                    at_path(member, rest, twins, found);
                }
            }
        }
        _ => {}
    }
}

/// Calls `found` with the value, or with all that are in it if it is a list.
pub(super) fn each_scalar<'a>(node: &Node<'a>, found: &mut dyn FnMut(&Value<'a>)) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| each_scalar(item, found)),
        Value::Object(_) => {}
        scalar => found(scalar),
    }
}

/// Whether `finder`'s text stands in any name or value of `node`.
pub(super) fn contains(node: &Node<'_>, finder: &memchr::memmem::Finder<'_>) -> bool {
    let has = |text: &str| finder.find(text.as_bytes()).is_some();
    match &node.value {
        Value::Null => false,
        Value::Bool(truth) => has(if *truth { "true" } else { "false" }),
        Value::Number(text) | Value::Text(text) => has(text),
        Value::List(items) => items.iter().any(|item| contains(item, finder)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| has(name) || contains(member, finder))
        }
    }
}

/// A selector made ready for records of one form.
pub(super) enum Matcher<'s> {
    Exact { wanted: std::collections::HashSet<Vec<u8>>, form: Form },
    Keys(&'s [Key]),
    Contains(Box<memchr::memmem::Finder<'s>>),
}

impl<'s> Matcher<'s> {
    pub(super) fn new(selector: &'s Selector, form: Form) -> Self {
        match selector {
            Selector::Exact(records) => {
                let wanted = records.nodes().map(|node| canonical(&node, form)).collect();
                Self::Exact { wanted, form }
            }
            Selector::Keys(keys) => Self::Keys(keys),
            Selector::Contains(text) => Self::Contains(Box::new(memchr::memmem::Finder::new(text))),
        }
    }

    /// Whether the record is one of those that are meant.
    pub(super) fn matches(&self, record: &Node<'_>) -> bool {
        match self {
            Self::Exact { wanted, form } => wanted.contains(&canonical(record, *form)),
            Self::Keys(keys) => keys.iter().all(|key| key.holds(record)),
            Self::Contains(finder) => contains(record, finder),
        }
    }
}
