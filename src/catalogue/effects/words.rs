//! The words by which versions and records are found.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::changed;
use crate::catalogue::error::failed;
use crate::catalogue::words::apart;
use crate::catalogue::{Result, sql};
use crate::model::{Record, Version, VersionId};

/// Where words stand: a version, the entry of the journal or 0, and a place in it.
pub(super) struct Place<'a> {
    pub(super) version: Option<&'a VersionId>,
    pub(super) number: i64,
    pub(super) ordinal: i64,
    pub(super) kind: &'a str,
}

/// Adds the message and the metadata of a version.
pub(super) async fn add_version_words(
    connection: &mut SqliteConnection,
    id: &VersionId,
    version: &Version,
) -> Result<()> {
    let place = |ordinal, kind| Place { version: Some(id), number: 0, ordinal, kind };
    add(connection, &place(0, "message"), &version.message).await?;
    if version.provenance.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    if let Ok(value) = serde_json::to_value(&version.provenance) {
        gather(&value, &mut text);
    }
    add(connection, &place(1, "metadata"), &text).await
}

/// Adds what a record says in words.
pub(super) async fn add_record_words(
    connection: &mut SqliteConnection,
    (number, ordinal): (i64, i64),
    record: &Record,
) -> Result<()> {
    let mut text = String::new();
    for part in [&record.text, &record.name, &record.path].into_iter().flatten() {
        append(part, &mut text);
    }
    for value in record.body.values() {
        gather(value, &mut text);
    }
    let version = record.version.as_ref();
    let place = Place { version, number, ordinal, kind: record.kind.as_str() };
    add(connection, &place, &text).await
}

/// Takes away what a version says of itself; what was recorded of it later stays.
pub(super) async fn forget_words(connection: &mut SqliteConnection, id: &VersionId) -> Result<()> {
    for text in [sql::words::UNINDEX, sql::words::FORGET] {
        changed(connection, "forget a version", sqlx::query(text).bind(id.to_hex())).await?;
    }
    Ok(())
}

async fn add(connection: &mut SqliteConnection, place: &Place<'_>, text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let text = apart(text);
    let id: i64 = sqlx::query_scalar(sql::words::ADD)
        .bind(place.version.map(VersionId::to_hex))
        .bind(place.number)
        .bind(place.ordinal)
        .bind(place.kind)
        .bind(text.as_ref())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("add words"))?;
    let query = sqlx::query(sql::words::INDEX).bind(id).bind(text.as_ref());
    changed(connection, "add words to the index", query).await?;
    Ok(())
}

fn append(part: &str, text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(part);
}

/// Every string in a value, one in a line. What nests too deep was refused before.
fn gather(value: &Value, text: &mut String) {
    match value {
        Value::String(part) => append(part, text),
        Value::Array(parts) => parts.iter().for_each(|part| gather(part, text)),
        Value::Object(parts) => parts.values().for_each(|part| gather(part, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
