//! What versions and records are as rows of tables: the same for who writes them and for who checks
//! that nobody else has.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::journal::canonical;
use super::read::signed;
use super::{Error, JournalEntry, Result};
use crate::model::{
    DataRef, Derivation, Metric, Provenance, Record, RecordKind, Source, Step, Version, VersionId,
};

/// A value in a row. Texts are borrowed from what they come from: millions are looked at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(Cow<'a, str>),
}

impl Cell<'_> {
    /// The same value, for longer.
    pub(super) fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Int(number) => Cell::Int(number),
            Self::Real(number) => Cell::Real(number),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Cell<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The tables that the journal makes, with what versions say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Table {
    Root,
    Pack,
    Dataset,
    Ref,
    RefLog,
    Worktree,
    Imported,
    Presence,
    Version,
    Parent,
    Record,
    Source,
    Step,
    Metric,
    Derivation,
    Consumer,
    Use,
}

/// A row; its cells are in the order of the statements in `sql` that add and read such rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) table: Table,
    pub(super) cells: Vec<Cell<'a>>,
}

impl Row<'_> {
    /// The same row, for longer.
    fn into_owned(self) -> Row<'static> {
        Row { table: self.table, cells: self.cells.into_iter().map(Cell::into_owned).collect() }
    }
}

macro_rules! row {
    ($table:ident; $($cell:expr),+ $(,)?) => {
        $crate::catalogue::rows::Row {
            table: Table::$table,
            cells: vec![$(Cell::from($cell)),+],
        }
    };
}
pub(super) use row;

/// Where rows come from: a version, and the entry that told of it, or 0 for the version itself.
struct Origin<'a> {
    version: &'a VersionId,
    number: i64,
    time: i64,
    actor: &'a str,
}

/// What a version says of its origin.
pub(super) fn of_version<'a>(id: &VersionId, version: &'a Version) -> Result<Vec<Row<'a>>> {
    let author = version.author.to_string();
    let origin = Origin { version: id, number: 0, time: version.time.unix(), actor: &author };
    let Provenance { sources, steps, metrics, derived_from, .. } = &version.provenance;
    let mut rows = Vec::new();
    for (ordinal, source) in (0_i64..).zip(sources) {
        rows.push(origin.source(ordinal, source));
    }
    let mut derivations = 0;
    for (ordinal, step) in (0_i64..).zip(steps) {
        rows.push(origin.step(ordinal, step));
        derivations = origin.inputs(&mut rows, derivations, (ordinal, step));
    }
    for (ordinal, metric) in (0_i64..).zip(metrics) {
        rows.push(origin.metric(ordinal, metric)?);
    }
    for (ordinal, derived) in (derivations..).zip(derived_from) {
        rows.push(origin.derivation(ordinal, (&derived.how, None, &derived.from)));
    }
    Ok(rows)
}

/// The record itself.
pub(super) fn of_record<'a>(
    entry: &'a JournalEntry,
    ordinal: usize,
    record: &'a Record,
) -> Result<Row<'a>> {
    let body = canonical("a record", &record.body)?;
    Ok(row!(Record;
        signed("the number of a journal entry", entry.number)?,
        signed("the number of changes", ordinal as u64)?,
        record.kind.as_str(),
        record.dataset.as_ref().map(|name| name.as_str()),
        record.version.map(|id| id.to_hex()),
        record.path.as_deref(),
        record.file.map(|id| id.to_hex()),
        record.name.as_deref(),
        record.value,
        record.text.as_deref(),
        body,
        entry.time.unix(),
        &entry.actor,
    ))
}

/// What a record stands for besides itself: nothing for most. Of a consumer the first row is the
/// consumer.
pub(super) fn of_record_too<'a>(
    entry: &'a JournalEntry,
    ordinal: usize,
    record: &'a Record,
) -> Result<Vec<Row<'a>>> {
    let number = signed("the number of a journal entry", entry.number)?;
    // A row's ordinal has room for what one record stands for.
    let first = signed("the number of changes", ordinal as u64)? * 1000;
    if record.kind == RecordKind::Consumer {
        return of_consumer(entry, (number, first), record);
    }
    let Some(version) = &record.version else { return Ok(Vec::new()) };
    let origin = Origin { version, number, time: entry.time.unix(), actor: &entry.actor };
    let mut rows = Vec::new();
    match record.kind {
        RecordKind::Metric => {
            rows.push(origin.metric(first, &parsed::<Metric>(record)?)?.into_owned());
        }
        RecordKind::Source => {
            rows.push(origin.source(first, &parsed::<Source>(record)?).into_owned());
        }
        RecordKind::Step => {
            let step = parsed::<Step>(record)?;
            let mut made = vec![origin.step(first, &step)];
            origin.inputs(&mut made, first, (first, &step));
            rows.extend(made.into_iter().map(Row::into_owned));
        }
        RecordKind::Derivation => {
            let derived = parsed::<Derivation>(record)?;
            let row = origin.derivation(first, (&derived.how, None, &derived.from));
            rows.push(row.into_owned());
        }
        _ => {}
    }
    Ok(rows)
}

fn bad(record: &Record) -> Error {
    Error::BadRecord { kind: record.kind.as_str() }
}

fn parsed<T: DeserializeOwned>(record: &Record) -> Result<T> {
    serde_json::from_value(Value::Object(record.body.clone())).map_err(|_| bad(record))
}

impl Origin<'_> {
    fn source<'a>(&self, ordinal: i64, source: &'a Source) -> Row<'a> {
        row!(Source;
            self.version.to_hex(), self.number, ordinal,
            &source.uri,
            source.revision.as_deref(),
            source.provider.as_deref(),
            source.licence.as_deref(),
            source.legal_basis.as_deref(),
            source.method.as_deref(),
            source.collected.map(|time| time.unix()),
            source.retrieved.map(|time| time.unix()),
            source.sha256.as_deref(),
            source.blake3.as_deref(),
            source.path.as_deref(),
        )
    }

    fn step<'a>(&self, ordinal: i64, step: &'a Step) -> Row<'a> {
        let command = Some(&step.command).filter(|words| !words.is_empty());
        let command = command.and_then(|words| serde_json::to_string(words).ok());
        row!(Step;
            self.version.to_hex(), self.number, ordinal,
            &step.name,
            command,
            step.code.as_ref().and_then(|code| code.remote.as_deref()),
            step.code.as_ref().and_then(|code| code.commit.as_deref()),
            step.exit_code.map(i64::from),
            step.started.map(|time| time.unix()),
            step.ended.map(|time| time.unix()),
            step.operator.as_deref(),
            step.decided.map(|decided| decided.as_str()),
        )
    }

    /// What a step has read; gives the ordinal of the next row.
    fn inputs<'a>(
        &self,
        rows: &mut Vec<Row<'a>>,
        first: i64,
        (place, step): (i64, &'a Step),
    ) -> i64 {
        let mut ordinal = first;
        for input in &step.inputs {
            rows.push(self.derivation(ordinal, ("used", Some((place, &step.name)), input)));
            ordinal += 1;
        }
        ordinal
    }

    fn metric<'a>(&self, ordinal: i64, metric: &'a Metric) -> Result<Row<'a>> {
        let sample = metric.sample_size.map(|size| signed("a sample size", size)).transpose()?;
        Ok(row!(Metric;
            self.version.to_hex(), self.number, ordinal,
            &metric.name,
            metric.slice.as_deref(),
            metric.value,
            metric.unit.as_deref(),
            metric.method.as_deref(),
            sample,
            metric.threshold,
            self.time,
            self.actor.to_owned(),
        ))
    }

    fn derivation<'a>(
        &self,
        ordinal: i64,
        (relation, step, from): (&'a str, Option<(i64, &'a str)>, &'a DataRef),
    ) -> Row<'a> {
        row!(Derivation;
            self.version.to_hex(), self.number, ordinal,
            relation,
            step.map(|(_, name)| name),
            from.dataset.as_str(),
            from.version.to_hex(),
            from.path.as_deref(),
            self.time,
            step.map(|(place, _)| place),
        )
    }
}

/// What a record of a consumer says besides its name.
#[derive(serde::Deserialize)]
struct Consumer {
    kind: String,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    used: Vec<Use>,
}

#[derive(serde::Deserialize)]
struct Use {
    data: DataRef,
    role: String,
}

fn of_consumer<'a>(
    entry: &'a JournalEntry,
    (number, first): (i64, i64),
    record: &'a Record,
) -> Result<Vec<Row<'a>>> {
    let consumer = parsed::<Consumer>(record)?;
    let name = record.name.as_deref().ok_or_else(|| bad(record))?;
    let time = entry.time.unix();
    let Consumer { kind, uri, used } = consumer;
    let mut rows = vec![row!(Consumer; name, kind, uri, number, time, &entry.actor)];
    for (ordinal, used) in (first..).zip(used) {
        let Use { data, role } = used;
        let (dataset, version) = (data.dataset.to_string(), data.version.to_hex());
        rows.push(row!(Use; name, number, ordinal, dataset, version, data.path, role, time));
    }
    Ok(rows)
}
