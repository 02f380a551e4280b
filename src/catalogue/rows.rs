//! What versions and records are as rows of tables: the same for who writes them and for who checks
//! that nobody else has.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::journal::canonical;
use super::read::signed;
use super::{Error, JournalEntry, Result};
use crate::model::{
    DataRef, Derivation, Metric, Provenance, Record, RecordKind, Source, Step, Version, VersionId,
};

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
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
pub(super) struct Row {
    pub(super) table: Table,
    pub(super) cells: Vec<Cell>,
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
pub(super) fn of_version(id: &VersionId, version: &Version) -> Result<Vec<Row>> {
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
pub(super) fn of_record(entry: &JournalEntry, ordinal: usize, record: &Record) -> Result<Row> {
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
pub(super) fn of_record_too(
    entry: &JournalEntry,
    ordinal: usize,
    record: &Record,
) -> Result<Vec<Row>> {
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
        RecordKind::Metric => rows.push(origin.metric(first, &parsed::<Metric>(record)?)?),
        RecordKind::Source => rows.push(origin.source(first, &parsed::<Source>(record)?)),
        RecordKind::Step => {
            let step = parsed::<Step>(record)?;
            rows.push(origin.step(first, &step));
            origin.inputs(&mut rows, first, (first, &step));
        }
        RecordKind::Derivation => {
            let derived = parsed::<Derivation>(record)?;
            rows.push(origin.derivation(first, (&derived.how, None, &derived.from)));
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
    fn source(&self, ordinal: i64, source: &Source) -> Row {
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

    fn step(&self, ordinal: i64, step: &Step) -> Row {
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
    fn inputs(&self, rows: &mut Vec<Row>, first: i64, (place, step): (i64, &Step)) -> i64 {
        let mut ordinal = first;
        for input in &step.inputs {
            rows.push(self.derivation(ordinal, ("used", Some((place, &step.name)), input)));
            ordinal += 1;
        }
        ordinal
    }

    fn metric(&self, ordinal: i64, metric: &Metric) -> Result<Row> {
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
            self.actor,
        ))
    }

    fn derivation(
        &self,
        ordinal: i64,
        (relation, step, from): (&str, Option<(i64, &str)>, &DataRef),
    ) -> Row {
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

fn of_consumer(
    entry: &JournalEntry,
    (number, first): (i64, i64),
    record: &Record,
) -> Result<Vec<Row>> {
    let consumer = parsed::<Consumer>(record)?;
    let name = record.name.as_deref().ok_or_else(|| bad(record))?;
    let time = entry.time.unix();
    let uri = consumer.uri.as_deref();
    let mut rows = vec![row!(Consumer; name, &consumer.kind, uri, number, time, &entry.actor)];
    for (ordinal, used) in (first..).zip(&consumer.used) {
        let data = &used.data;
        let (dataset, version) = (data.dataset.as_str(), data.version.to_hex());
        let path = data.path.as_deref();
        rows.push(row!(Use; name, number, ordinal, dataset, version, path, &used.role, time));
    }
    Ok(rows)
}
