//! What a table is made of: rows, columns, types.

use std::collections::HashMap;

use super::json::{Node, Value};
use super::number::Decimal;
use super::trouble::Unreadable;

/// What a table is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// How many records it has.
    pub rows: u64,
    /// Its columns in the order in which they first occur; in JSON the members of the records that
    /// are objects, in text one without a name.
    pub columns: Vec<Column>,
    /// Whether there are more columns than [`Profile::MOST_COLUMNS`], which are not listed.
    pub more_columns: bool,
    /// Records that could not be read. They are counted in `rows`, and nowhere else.
    pub unreadable: Unreadable,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are; in CSV what all texts can be read as.
    pub kind: ColumnKind,
    /// In how many records it is null, absent, or in CSV empty; `None` if the file does not tell.
    pub nulls: Option<u64>,
    /// The type as Parquet's schema has it, where there is one.
    pub declared: Option<String>,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Nothing but null.
    Null,
    /// True and false.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Numbers, not all of them whole.
    Number,
    /// Texts.
    Text,
    /// Days without a time.
    Date,
    /// Days with a time.
    Timestamp,
    /// Bytes that are no text.
    Binary,
    /// Lists.
    List,
    /// Objects.
    Object,
    /// Values of several kinds.
    Mixed,
}

impl Profile {
    /// So many columns are listed. Files in which names are data have no end of them.
    pub const MOST_COLUMNS: usize = 10_000;
}

impl ColumnKind {
    /// The kind of values that are of one kind or the other.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Null, one) | (one, Self::Null) => one,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            _ => Self::Mixed,
        }
    }

    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(text) => Self::of_number(text),
            Value::Text(_) => Self::Text,
            Value::List(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    /// What a field of CSV can be read as.
    fn of_text(text: &str) -> Self {
        match text {
            "" => Self::Null,
            "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => Self::Boolean,
            text if Decimal::parse(text).is_some() => Self::of_number(text),
            _ => Self::Text,
        }
    }

    fn of_number(text: &str) -> Self {
        let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if whole { Self::Integer } else { Self::Number }
    }
}

/// The columns of records that are seen one after the other.
#[derive(Debug, Default)]
pub(super) struct Columns {
    order: Vec<Seen>,
    by_name: HashMap<String, usize>,
    more: bool,
    read: u64,
}

#[derive(Debug)]
struct Seen {
    name: String,
    kind: ColumnKind,
    values: u64,
}

impl Columns {
    /// Takes a record into account; `texts` says that its values are written as texts.
    pub(super) fn add(&mut self, record: &Node<'_>, texts: bool) {
        self.read += 1;
        let Value::Object(members) = &record.value else {
            if !matches!(record.value, Value::Object(_)) {
                self.value("", ColumnKind::of(&record.value));
            }
            return;
        };
        let mut named: Vec<(&str, &Node<'_>)> = Value::members(members).collect();
        named.reverse();
        for (name, node) in named {
            let kind = match &node.value {
                // A text that looks like a number makes no column of texts one of numbers.
                Value::Text(text) if texts => ColumnKind::of_text(text),
                value => ColumnKind::of(value),
            };
            self.value(name, kind);
        }
    }

    fn value(&mut self, name: &str, kind: ColumnKind) {
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None if self.order.len() == Profile::MOST_COLUMNS => {
                self.more = true;
                return;
            }
            None => self.insert(name),
        };
        let seen = &mut self.order[index];
        seen.kind = seen.kind.or(kind);
        seen.values += u64::from(kind != ColumnKind::Null);
    }

    fn insert(&mut self, name: &str) -> usize {
        let index = self.order.len();
        self.order.push(Seen { name: name.to_owned(), kind: ColumnKind::Null, values: 0 });
        self.by_name.insert(name.to_owned(), index);
        index
    }

    /// The profile of all records; `texts` are the columns of which texts were read as numbers.
    pub(super) fn finish(
        mut self,
        rows: u64,
        unreadable: Unreadable,
        header: &[String],
    ) -> Profile {
        for name in header {
            if !self.by_name.contains_key(name) && self.order.len() < Profile::MOST_COLUMNS {
                self.insert(name);
            }
        }
        let from_texts = !header.is_empty();
        let column = |seen: Seen| Column {
            name: seen.name,
            kind: match seen.kind {
                ColumnKind::Mixed if from_texts => ColumnKind::Text,
                kind => kind,
            },
            nulls: Some(self.read - seen.values),
            declared: None,
        };
        let columns = self.order.into_iter().map(column).collect();
        Profile { rows, columns, more_columns: self.more, unreadable }
    }
}
