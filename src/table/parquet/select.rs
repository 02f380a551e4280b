//! Which rows of a Parquet file are meant.

use std::borrow::Cow;
use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Fields};
use memchr::memmem::Finder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;

use super::super::canonical::{Form, canonical};
use super::super::error::Error;
use super::super::json::{Node, Value};
use super::super::outcome::{Match, Scan, Want};
use super::super::selector::{Key, Records, Selector, below, contains, each_scalar};
use super::super::trouble::{Unreadable, Why};
use super::marks::Marks;
use super::value::{float, row, value};
use super::{Table, batch_damaged};

/// A selector at work on a file.
pub(super) struct Search<'s> {
    table: &'s Table,
    test: Test<'s>,
    matched: u64,
    /// The rows of the groups before the one that is told of next.
    before: u64,
    unreadable: Unreadable,
    absent_keys: Vec<String>,
}

enum Test<'s> {
    /// Keys of which each has a column.
    Keys(Vec<ColumnKey<'s>>),
    /// Canonical forms; and one value that all rows that are meant have.
    Exact {
        wanted: HashSet<Vec<u8>>,
        sieve: Option<Key>,
    },
    Contains {
        finder: Box<Finder<'s>>,
        in_scalars: bool,
    },
    /// No row can be meant.
    Nothing,
}

/// A key, and the column that its path leads into.
struct ColumnKey<'s> {
    key: &'s Key,
    integer: Option<i64>,
    /// Columns of the schema, their places among those that are read, and what is left of the path.
    columns: Vec<(usize, usize, &'s str)>,
}

impl<'s> ColumnKey<'s> {
    fn new(key: &'s Key, fields: &Fields) -> Self {
        let columns = fields.iter().enumerate();
        let columns = columns.filter_map(|(index, field)| {
            let rest = below(key.path(), field.name())?;
            leads_somewhere(field.data_type(), rest).then_some((index, 0, rest))
        });
        let plain = key.number().and_then(|number| number.plain());
        let integer = plain.and_then(|plain| plain.parse().ok());
        Self { key, integer, columns: columns.collect() }
    }

    /// The same keys, of which only the columns are read.
    fn placed(mut keys: Vec<Self>) -> Vec<Self> {
        let all = keys.iter().flat_map(|key| key.columns.iter().map(|column| column.0));
        let read: std::collections::BTreeSet<usize> = all.collect();
        for column in keys.iter_mut().flat_map(|key| &mut key.columns) {
            column.1 = read.range(..column.0).count();
        }
        keys
    }

    /// Whether a row has the key's value.
    fn holds(&self, batch: &RecordBatch, at: usize) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|(_, place, rest)| holds_at(batch.column(*place).as_ref(), at, rest, self))
    }
}

/// Whether a type has a field at the path.
fn leads_somewhere(kind: &DataType, path: &str) -> bool {
    match kind {
        _ if path.is_empty() => true,
        DataType::Struct(fields) => fields.iter().any(|field| {
            below(path, field.name()).is_some_and(|rest| leads_somewhere(field.data_type(), rest))
        }),
        DataType::List(item) | DataType::LargeList(item) => leads_somewhere(item.data_type(), path),
        _ => false,
    }
}

impl<'s> Search<'s> {
    pub(super) fn new(table: &'s Table, selector: &'s Selector) -> Result<Self, Error> {
        let fields = table.metadata.schema().fields();
        let mut unreadable = Unreadable::default();
        let mut absent_keys = Vec::new();
        let test = match selector {
            Selector::Keys(keys) => {
                let keys: Vec<_> = keys.iter().map(|key| ColumnKey::new(key, fields)).collect();
                let absent = keys.iter().filter(|key| key.columns.is_empty());
                absent_keys = absent.map(|key| key.key.path().to_owned()).collect();
                if absent_keys.is_empty() {
                    Test::Keys(ColumnKey::placed(keys))
                } else {
                    Test::Nothing
                }
            }
            Selector::Exact(_) if has_twins(fields) => {
                unreadable.add(0, None, Why::TwinColumns);
                Test::Nothing
            }
            Selector::Exact(records) => exact(records, fields),
            Selector::Contains(text) => {
                let finder = Finder::new(text);
                if in_metadata(table, &finder) {
                    unreadable.add(0, None, Why::InHeader);
                }
                let in_scalars = text.chars().all(|c| "0123456789+-.:eTZ dmsNaInfity".contains(c));
                Test::Contains { finder: Box::new(finder), in_scalars: in_scalars || in_word(text) }
            }
        };
        Ok(Self { table, test, matched: 0, before: 0, unreadable, absent_keys })
    }

    /// The rows of a group that are meant.
    pub(super) fn mark(&mut self, group: usize) -> Result<Marks, Error> {
        let mut marks = Marks::default();
        match &self.test {
            Test::Nothing => {}
            Test::Keys(keys) => self.each(group, self.roots(keys), |batch, first| {
                for at in 0..batch.num_rows() {
                    if keys.iter().all(|key| key.holds(batch, at)) {
                        marks.set(first + at);
                    }
                }
                Ok(())
            })?,
            Test::Exact { wanted, sieve } => {
                if let Some(key) = sieve {
                    let fields = self.table.metadata.schema().fields();
                    let keys = ColumnKey::placed(vec![ColumnKey::new(key, fields)]);
                    let mut candidates = Marks::default();
                    self.each(group, self.roots(&keys), |batch, first| {
                        for at in 0..batch.num_rows() {
                            if keys[0].holds(batch, at) {
                                candidates.set(first + at);
                            }
                        }
                        Ok(())
                    })?;
                    self.rows_of(group, &candidates, |at, node| {
                        if wanted.contains(&canonical(&node, Form::Columns)) {
                            marks.set(at);
                        }
                    })?;
                } else {
                    self.each(group, ProjectionMask::all(), |batch, first| {
                        for at in 0..batch.num_rows() {
                            if wanted.contains(&canonical(&row(batch, at)?, Form::Columns)) {
                                marks.set(first + at);
                            }
                        }
                        Ok(())
                    })?;
                }
            }
            Test::Contains { finder, in_scalars } => {
                self.each(group, ProjectionMask::all(), |batch, first| {
                    for column in batch.columns() {
                        let mut mark = |at| marks.set(first + at);
                        holding(column.as_ref(), finder, *in_scalars, &mut mark)?;
                    }
                    Ok(())
                })?;
            }
        }
        self.matched += marks.count() as u64;
        Ok(marks)
    }

    /// Calls `found` with the rows of a group that are marked. Groups must come in order.
    pub(super) fn tell(
        &mut self,
        group: usize,
        marks: &Marks,
        want: Want,
        found: &mut dyn FnMut(Match),
    ) -> Result<(), Error> {
        let before = self.before;
        let number = |at: usize| before + at as u64 + 1;
        match want {
            Want::Places => marks.rows().for_each(|at| {
                found(Match { row: number(at), bytes: None, canonical: None });
            }),
            Want::Records => self.rows_of(group, marks, |at, node| {
                let canonical = Some(canonical(&node, Form::Fingerprint));
                found(Match { row: number(at), bytes: None, canonical });
            })?,
        }
        self.before += self.table.file().row_group(group).num_rows().unsigned_abs();
        Ok(())
    }

    pub(super) fn finish(self, rows: u64) -> Scan {
        Scan {
            rows,
            matched: self.matched,
            unreadable: self.unreadable,
            absent_keys: self.absent_keys,
        }
    }

    /// The columns of the keys, and no others.
    fn roots(&self, keys: &[ColumnKey<'_>]) -> ProjectionMask {
        let columns = keys.iter().flat_map(|key| key.columns.iter().map(|column| column.0));
        ProjectionMask::roots(self.table.metadata.parquet_schema(), columns)
    }

    /// Calls `visit` with the batches of a group, and the number of their first row in it.
    fn each(
        &self,
        group: usize,
        columns: ProjectionMask,
        mut visit: impl FnMut(&RecordBatch, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut first = 0;
        for batch in self.table.batches(group, columns, None)? {
            let batch = batch.map_err(batch_damaged)?;
            visit(&batch, first)?;
            first += batch.num_rows();
        }
        let expected = self.table.file().row_group(group).num_rows();
        if first as i64 != expected {
            let problem = format!("a group has {first} rows instead of {expected}");
            return Err(Error::Parquet(problem.into()));
        }
        Ok(())
    }

    /// Calls `visit` with the rows that are marked, as values.
    fn rows_of(
        &self,
        group: usize,
        marks: &Marks,
        mut visit: impl FnMut(usize, Node<'_>),
    ) -> Result<(), Error> {
        if marks.count() == 0 {
            return Ok(());
        }
        let total = self.table.file().row_group(group).num_rows() as usize;
        let selection = RowSelection::from_consecutive_ranges(marks.ranges(), total);
        let mut rows = marks.rows();
        for batch in self.table.batches(group, ProjectionMask::all(), Some(selection))? {
            let batch = batch.map_err(batch_damaged)?;
            for (at, number) in (0..batch.num_rows()).zip(&mut rows) {
                visit(number, row(&batch, at)?);
            }
        }
        match rows.next() {
            None => Ok(()),
            Some(_) => Err(Error::Parquet("a group ends before its last row".into())),
        }
    }
}

/// Whether the text could stand in a truth value.
fn in_word(text: &str) -> bool {
    "true".contains(text) || "false".contains(text)
}

fn has_twins(fields: &Fields) -> bool {
    let mut seen = HashSet::new();
    !fields.iter().all(|field| seen.insert(field.name()))
}

/// Whether the text stands in a column's name or in the metadata beside the table.
fn in_metadata(table: &Table, finder: &Finder<'_>) -> bool {
    let has = |text: &str| finder.find(text.as_bytes()).is_some();
    let columns = table.metadata.parquet_schema().columns();
    let pairs = table.file().file_metadata().key_value_metadata();
    columns.iter().any(|column| column.path().parts().iter().any(|part| has(part)))
        || pairs
            .into_iter()
            .flatten()
            .any(|pair| has(&pair.key) || pair.value.as_deref().is_some_and(has))
}

fn exact<'s>(records: &'s Records, fields: &Fields) -> Test<'s> {
    let fit_all = |node: Node<'s>| fit(node, &DataType::Struct(fields.clone()));
    let wanted = records.nodes().map(|node| canonical(&fit_all(node), Form::Columns)).collect();
    let sieve = records.single().map(fit_all).and_then(|node| {
        let Value::Object(members) = &node.value else { return None };
        let with_text = Value::members(members).filter_map(|(name, member)| match &member.value {
            Value::Text(text) | Value::Number(text) => Some((name, text)),
            _ => None,
        });
        let known = with_text.filter(|(name, _)| fields.iter().any(|field| field.name() == name));
        let longest = known.max_by_key(|(_, text)| text.len());
        longest.filter(|(_, text)| !text.is_empty()).map(|(name, text)| Key::of(name, text))
    });
    Test::Exact { wanted, sieve }
}

/// The record with numbers rounded as the columns round them: 0.1 in a column of 32 bits is
/// another number than in one of 64.
fn fit<'a>(node: Node<'a>, kind: &DataType) -> Node<'a> {
    let value = match (node.value, kind) {
        (Value::Number(text), DataType::Float32 | DataType::Float16) => {
            let rounded = text.parse::<f32>().map(|number| float(f64::from(number)));
            Value::Number(rounded.map_or(text, Cow::Owned))
        }
        (Value::List(items), DataType::List(item) | DataType::LargeList(item)) => {
            Value::List(items.into_iter().map(|node| fit(node, item.data_type())).collect())
        }
        (Value::Object(members), DataType::Struct(fields)) => {
            let member = |(name, node): (Cow<'a, str>, Node<'a>)| {
                let field = fields.iter().find(|field| *field.name() == name);
                let node = match field {
                    Some(field) => fit(node, field.data_type()),
                    None => node,
                };
                (name, node)
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        (value, _) => value,
    };
    Node { span: node.span, value }
}

/// Whether the value, or one in it at the path `rest`, is the key's.
fn holds_at(array: &dyn Array, at: usize, rest: &str, key: &ColumnKey<'_>) -> bool {
    if array.is_null(at) {
        return false;
    }
    let any_of = |items: &dyn Array| (0..items.len()).any(|item| holds_at(items, item, rest, key));
    match array.data_type() {
        DataType::List(_) => any_of(array.as_list::<i32>().value(at).as_ref()),
        DataType::LargeList(_) => any_of(array.as_list::<i64>().value(at).as_ref()),
        DataType::Struct(fields) => {
            fields.iter().zip(array.as_struct().columns()).any(|(field, column)| {
                let rest = below(rest, field.name()).filter(|_| !rest.is_empty());
                rest.is_some_and(|rest| holds_at(column.as_ref(), at, rest, key))
            })
        }
        _ if !rest.is_empty() => false,
        DataType::Utf8 => array.as_string::<i32>().value(at) == key.key.value(),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(at)) == key.integer,
        DataType::Int32 => {
            Some(i64::from(array.as_primitive::<Int32Type>().value(at))) == key.integer
        }
        _ => value(array, at).is_ok_and(|value| {
            let mut found = false;
            each_scalar(&Node::anywhere(value), &mut |scalar| found |= key.key.fits(scalar));
            found
        }),
    }
}

/// Calls `mark` with every place of `array` in which the text stands.
fn holding(
    array: &dyn Array,
    finder: &Finder<'_>,
    in_scalars: bool,
    mark: &mut dyn FnMut(usize),
) -> Result<(), Error> {
    match array.data_type() {
        DataType::Struct(_) => {
            let mut columns = array.as_struct().columns().iter();
            columns.try_for_each(|column| holding(column.as_ref(), finder, in_scalars, mark))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            in_items(list.values().as_ref(), offsets, finder, in_scalars, mark)
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            in_items(map.entries(), map.value_offsets(), finder, in_scalars, mark)
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let bytes = texts.value_data();
            let offsets = texts.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            // Most batches do not hold the text at all.
            if finder.find(&bytes[first..last]).is_some() {
                let has = |at: &usize| finder.find(texts.value(*at).as_bytes()).is_some();
                (0..array.len()).filter(has).filter(|at| array.is_valid(*at)).for_each(mark);
            }
            Ok(())
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            let has = |at: &usize| finder.find(bytes.value(*at)).is_some();
            (0..array.len()).filter(has).filter(|at| array.is_valid(*at)).for_each(mark);
            Ok(())
        }
        DataType::FixedSizeBinary(_) => {
            let bytes = array.as_fixed_size_binary();
            let has = |at: &usize| finder.find(bytes.value(*at)).is_some();
            (0..array.len()).filter(has).filter(|at| array.is_valid(*at)).for_each(mark);
            Ok(())
        }
        _ if in_scalars => {
            for at in 0..array.len() {
                if contains(&Node::anywhere(value(array, at)?), finder) {
                    mark(at);
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// As [`holding`], for lists: the places of the lists in whose items the text stands.
fn in_items(
    items: &dyn Array,
    offsets: &[i32],
    finder: &Finder<'_>,
    in_scalars: bool,
    mark: &mut dyn FnMut(usize),
) -> Result<(), Error> {
    holding(items, finder, in_scalars, &mut |item| {
        // The list that begins at or before the item; of several, the last, since others are empty.
        let list = offsets.partition_point(|offset| *offset as usize <= item);
        if list > 0 && list < offsets.len() {
            mark(list - 1);
        }
    })
}
