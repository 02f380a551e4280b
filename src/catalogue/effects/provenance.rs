//! What a version says of its origin, and what is recorded later, as rows to ask and walk.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::words::add_record_words;
use super::{Context, changed, refuse_illegal};
use crate::catalogue::read::signed;
use crate::catalogue::{Error, Result, sql};
use crate::model::{
    DataRef, Derivation, Metric, Provenance, Record, RecordKind, Source, Step, VersionId,
};

/// Where a row comes from: a version, and the entry that told of it, or 0 for the version itself.
struct Origin<'a> {
    version: &'a VersionId,
    number: i64,
    time: i64,
    actor: &'a str,
}

/// Adds what a version says of itself.
pub(super) async fn add_provenance(
    connection: &mut SqliteConnection,
    id: &VersionId,
    version: &crate::model::Version,
) -> Result<()> {
    let author = version.author.to_string();
    let origin = Origin { version: id, number: 0, time: version.time.unix(), actor: &author };
    let Provenance { sources, steps, metrics, derived_from, .. } = &version.provenance;
    for (ordinal, source) in (0_i64..).zip(sources) {
        add_source(connection, &origin, ordinal, source).await?;
    }
    let mut derivations = 0;
    for (ordinal, step) in (0_i64..).zip(steps) {
        add_step(connection, &origin, ordinal, step).await?;
        derivations = add_inputs(connection, &origin, derivations, (ordinal, step)).await?;
    }
    for (ordinal, metric) in (0_i64..).zip(metrics) {
        add_metric(connection, &origin, ordinal, metric).await?;
    }
    for (ordinal, derived) in (derivations..).zip(derived_from) {
        let row = (derived.how.as_str(), None, &derived.from);
        add_derivation(connection, &origin, ordinal, row).await?;
    }
    Ok(())
}

/// Takes away what versions said of themselves.
pub(super) async fn forget_provenance(
    connection: &mut SqliteConnection,
    id: &VersionId,
) -> Result<()> {
    for text in sql::records::FORGET {
        changed(connection, "forget a version", sqlx::query(text).bind(id.to_hex())).await?;
    }
    Ok(())
}

/// Adds a record, and the rows that it stands for.
pub(super) async fn add_record(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    ordinal: usize,
    record: &Record,
) -> Result<()> {
    let entry = context.entry;
    let number = signed("the number of a journal entry", entry.number)?;
    let ordinal = signed("the number of changes", ordinal as u64)?;
    if let Some(version) = &record.version {
        context.expect(connection, version).await?;
    }
    if record.kind == RecordKind::State {
        refuse_illegal(connection, record).await?;
    }
    let body = serde_json::to_string(&record.body).map_err(|_| bad(record))?;
    let query = sqlx::query(sql::records::ADD)
        .bind(number)
        .bind(ordinal)
        .bind(record.kind.as_str())
        .bind(record.dataset.as_ref().map(|name| name.as_str()))
        .bind(record.version.map(|id| id.to_hex()))
        .bind(record.path.as_deref())
        .bind(record.file.map(|id| id.to_hex()))
        .bind(record.name.as_deref())
        .bind(record.value)
        .bind(record.text.as_deref())
        .bind(body)
        .bind(entry.time.unix())
        .bind(&entry.actor);
    changed(connection, "add a record", query).await?;
    add_record_words(connection, (number, ordinal), record).await?;
    if record.kind == RecordKind::Consumer {
        return add_consumer(connection, context, (number, ordinal), record).await;
    }
    let Some(version) = record.version.as_ref().filter(|id| !context.forgotten_later(id)) else {
        return Ok(());
    };
    let origin = Origin { version, number, time: entry.time.unix(), actor: &entry.actor };
    // A row's ordinal has room for what one record stands for.
    let first = ordinal * 1000;
    match record.kind {
        RecordKind::Metric => {
            add_metric(connection, &origin, first, &parsed::<Metric>(record)?).await
        }
        RecordKind::Source => {
            add_source(connection, &origin, first, &parsed::<Source>(record)?).await
        }
        RecordKind::Step => {
            let step = parsed::<Step>(record)?;
            add_step(connection, &origin, first, &step).await?;
            add_inputs(connection, &origin, first, (first, &step)).await.map(drop)
        }
        RecordKind::Derivation => {
            let derived = parsed::<Derivation>(record)?;
            let row = (derived.how.as_str(), None, &derived.from);
            add_derivation(connection, &origin, first, row).await
        }
        _ => Ok(()),
    }
}

fn bad(record: &Record) -> Error {
    Error::BadRecord { kind: record.kind.as_str() }
}

fn parsed<T: DeserializeOwned>(record: &Record) -> Result<T> {
    serde_json::from_value(Value::Object(record.body.clone())).map_err(|_| bad(record))
}

async fn add_source(
    connection: &mut SqliteConnection,
    origin: &Origin<'_>,
    ordinal: i64,
    source: &Source,
) -> Result<()> {
    let query = sqlx::query(sql::records::ADD_SOURCE)
        .bind(origin.version.to_hex())
        .bind(origin.number)
        .bind(ordinal)
        .bind(&source.uri)
        .bind(source.revision.as_deref())
        .bind(source.provider.as_deref())
        .bind(source.licence.as_deref())
        .bind(source.legal_basis.as_deref())
        .bind(source.method.as_deref())
        .bind(source.collected.map(|time| time.unix()))
        .bind(source.retrieved.map(|time| time.unix()))
        .bind(source.sha256.as_deref())
        .bind(source.blake3.as_deref())
        .bind(source.path.as_deref());
    changed(connection, "add a source", query).await?;
    Ok(())
}

async fn add_step(
    connection: &mut SqliteConnection,
    origin: &Origin<'_>,
    ordinal: i64,
    step: &Step,
) -> Result<()> {
    let command = Some(&step.command).filter(|words| !words.is_empty());
    let command = command.and_then(|words| serde_json::to_string(words).ok());
    let query = sqlx::query(sql::records::ADD_STEP)
        .bind(origin.version.to_hex())
        .bind(origin.number)
        .bind(ordinal)
        .bind(&step.name)
        .bind(command)
        .bind(step.code.as_ref().and_then(|code| code.remote.as_deref()))
        .bind(step.code.as_ref().and_then(|code| code.commit.as_deref()))
        .bind(step.exit_code)
        .bind(step.started.map(|time| time.unix()))
        .bind(step.ended.map(|time| time.unix()))
        .bind(step.operator.as_deref())
        .bind(step.decided.map(|decided| decided.as_str()));
    changed(connection, "add a step", query).await?;
    Ok(())
}

/// Adds what a step has read; the ordinal of the next row.
async fn add_inputs(
    connection: &mut SqliteConnection,
    origin: &Origin<'_>,
    first: i64,
    (place, step): (i64, &Step),
) -> Result<i64> {
    let mut ordinal = first;
    for input in &step.inputs {
        let row = ("used", Some((place, step.name.as_str())), input);
        add_derivation(connection, origin, ordinal, row).await?;
        ordinal += 1;
    }
    Ok(ordinal)
}

async fn add_metric(
    connection: &mut SqliteConnection,
    origin: &Origin<'_>,
    ordinal: i64,
    metric: &Metric,
) -> Result<()> {
    let sample = metric.sample_size.map(|size| signed("a sample size", size)).transpose()?;
    let query = sqlx::query(sql::records::ADD_METRIC)
        .bind(origin.version.to_hex())
        .bind(origin.number)
        .bind(ordinal)
        .bind(&metric.name)
        .bind(metric.slice.as_deref())
        .bind(metric.value)
        .bind(metric.unit.as_deref())
        .bind(metric.method.as_deref())
        .bind(sample)
        .bind(metric.threshold)
        .bind(origin.time)
        .bind(origin.actor);
    changed(connection, "add a metric", query).await?;
    Ok(())
}

async fn add_derivation(
    connection: &mut SqliteConnection,
    origin: &Origin<'_>,
    ordinal: i64,
    (relation, step, from): (&str, Option<(i64, &str)>, &DataRef),
) -> Result<()> {
    let query = sqlx::query(sql::records::ADD_DERIVATION)
        .bind(origin.version.to_hex())
        .bind(origin.number)
        .bind(ordinal)
        .bind(relation)
        .bind(step.map(|(_, name)| name))
        .bind(from.dataset.as_str())
        .bind(from.version.to_hex())
        .bind(from.path.as_deref())
        .bind(origin.time)
        .bind(step.map(|(place, _)| place));
    changed(connection, "add a derivation", query).await?;
    Ok(())
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

async fn add_consumer(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    (number, ordinal): (i64, i64),
    record: &Record,
) -> Result<()> {
    let consumer = parsed::<Consumer>(record)?;
    let name = record.name.as_deref().ok_or_else(|| bad(record))?;
    let (time, actor) = (context.entry.time.unix(), &context.entry.actor);
    let query = sqlx::query(sql::records::SET_CONSUMER)
        .bind(name)
        .bind(&consumer.kind)
        .bind(consumer.uri.as_deref())
        .bind(number)
        .bind(time)
        .bind(actor);
    changed(connection, "add a consumer", query).await?;
    for (place, used) in (ordinal * 1000..).zip(&consumer.used) {
        context.expect(connection, &used.data.version).await?;
        let query = sqlx::query(sql::records::ADD_USE)
            .bind(name)
            .bind(number)
            .bind(place)
            .bind(used.data.dataset.as_str())
            .bind(used.data.version.to_hex())
            .bind(used.data.path.as_deref())
            .bind(&used.role)
            .bind(time);
        changed(connection, "add what a consumer used", query).await?;
    }
    Ok(())
}
