//! What a version says of its origin, and what is recorded later, as rows to ask and walk.

use sqlx::SqliteConnection;

use super::words::add_record_words;
use super::{Context, changed, refuse_illegal};
use crate::catalogue::read::{parsed, signed};
use crate::catalogue::rows::{self, Cell, Row, Table};
use crate::catalogue::{Result, sql};
use crate::model::{Record, RecordKind, Version, VersionId};

/// Adds what a version says of itself.
pub(super) async fn add_provenance(
    connection: &mut SqliteConnection,
    id: &VersionId,
    version: &Version,
) -> Result<()> {
    for row in rows::of_version(id, version)? {
        add(connection, row).await?;
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
    if let Some(version) = &record.version {
        context.expect(connection, version).await?;
    }
    if record.kind == RecordKind::State {
        refuse_illegal(connection, record).await?;
    }
    add(connection, rows::of_record(entry, ordinal, record)?).await?;
    let number = signed("the number of a journal entry", entry.number)?;
    let place = (number, signed("the number of changes", ordinal as u64)?);
    add_record_words(connection, place, record).await?;
    let left_out = record.version.is_some_and(|id| context.forgotten_later(&id));
    for row in rows::of_record_too(entry, ordinal, record)? {
        if let (Table::Use, Some(Cell::Text(version))) = (row.table, row.cells.get(4)) {
            context.expect(connection, &parsed("consumer_use.version", version)?).await?;
        }
        if !left_out || record.kind == RecordKind::Consumer {
            add(connection, row).await?;
        }
    }
    Ok(())
}

async fn add(connection: &mut SqliteConnection, row: Row<'_>) -> Result<()> {
    let (text, doing) = match row.table {
        Table::Record => (sql::records::ADD, "add a record"),
        Table::Source => (sql::records::ADD_SOURCE, "add a source"),
        Table::Step => (sql::records::ADD_STEP, "add a step"),
        Table::Metric => (sql::records::ADD_METRIC, "add a metric"),
        Table::Derivation => (sql::records::ADD_DERIVATION, "add a derivation"),
        Table::Consumer => (sql::records::SET_CONSUMER, "add a consumer"),
        Table::Use => (sql::records::ADD_USE, "add what a consumer used"),
        // Records stand for nothing else.
        _ => return Ok(()),
    };
    let mut query = sqlx::query(text);
    for cell in row.cells {
        query = match cell {
            Cell::Null => query.bind(None::<i64>),
            Cell::Int(number) => query.bind(number),
            Cell::Real(number) => query.bind(number),
            Cell::Text(text) => query.bind(text.into_owned()),
        };
    }
    changed(connection, doing, query).await?;
    Ok(())
}
