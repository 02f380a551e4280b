//! Reading what was recorded later.

use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{moment, optional, parsed, unsigned, word};
use super::{Catalogue, Error, Result, sql};
use crate::model::{DatasetName, FileId, Record, RecordKind, Time, VersionId};

/// Which records are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// What they are about.
    pub kind: Option<RecordKind>,
    /// Their dataset.
    pub dataset: Option<DatasetName>,
    /// Their version.
    pub version: Option<VersionId>,
    /// Their name.
    pub name: Option<String>,
    /// Their content.
    pub file: Option<FileId>,
    /// The least number of the journal's entry that added them.
    pub first: Option<u64>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// A record, with who made it and when.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRow {
    /// The entry of the journal that added it.
    pub number: u64,
    /// Its place among the changes of that entry.
    pub ordinal: u64,
    /// When.
    pub time: Time,
    /// Who: `Name <mail>`.
    pub actor: String,
    /// What it says.
    pub record: Record,
}

/// Who was made from which version.
pub type MadeFrom<T> = Vec<(T, VersionId)>;

#[derive(sqlx::FromRow)]
struct Tuple {
    number: i64,
    ordinal: i64,
    kind: String,
    dataset: Option<String>,
    version: Option<String>,
    path: Option<String>,
    file: Option<String>,
    name: Option<String>,
    value: Option<f64>,
    text: Option<String>,
    body: String,
    time: i64,
    actor: String,
}

fn record(row: Tuple) -> Result<RecordRow> {
    let kind = RecordKind::ALL.iter().copied().find(|kind| kind.as_str() == row.kind);
    let body = serde_json::from_str(&row.body)
        .map_err(|e| Error::BadRow { what: format!("record.body: {e}") })?;
    Ok(RecordRow {
        number: unsigned("record.number", row.number)?,
        ordinal: unsigned("record.ordinal", row.ordinal)?,
        time: moment("record.time", row.time)?,
        actor: row.actor,
        record: Record {
            kind: word("the kind of a record", &row.kind, kind)?,
            dataset: optional("record.dataset", row.dataset.as_deref())?,
            version: optional("record.version", row.version.as_deref())?,
            path: row.path,
            file: optional("record.file", row.file.as_deref())?,
            name: row.name,
            value: row.value,
            text: row.text,
            body,
        },
    })
}

impl Catalogue {
    /// The records that a filter lets through, oldest first.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn records(&self, filter: &RecordFilter) -> Result<Vec<RecordRow>> {
        let statement = match (&filter.version, &filter.kind) {
            (Some(_), _) => sql::records::LIST_OF_VERSION,
            (None, Some(_)) => sql::records::LIST_OF_KIND,
            (None, None) => sql::records::LIST,
        };
        let rows: Vec<Tuple> = self.run(async |connection| {
            sqlx::query_as(statement)
                .bind(filter.kind.map(RecordKind::as_str))
                .bind(filter.dataset.as_ref().map(|name| name.as_str().to_owned()))
                .bind(filter.version.map(|id| id.to_hex()))
                .bind(filter.name.clone())
                .bind(filter.file.map(|id| id.to_hex()))
                .bind(filter.first.map_or(0, |first| i64::try_from(first).unwrap_or(i64::MAX)))
                .bind(
                    filter.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
                )
                .fetch_all(connection)
                .await
                .map_err(failed("read records"))
        })?;
        rows.into_iter().map(record).collect()
    }

    /// What was made from versions: consumers by name, and other versions, each with what it used.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn made_from(&self) -> Result<(MadeFrom<String>, MadeFrom<VersionId>)> {
        let pairs = async |connection: &mut SqliteConnection, text: &'static str| {
            let rows: Vec<(String, String)> = sqlx::query_as(text)
                .fetch_all(connection)
                .await
                .map_err(failed("read what was made from versions"))?;
            Ok::<_, Error>(rows)
        };
        let (uses, derived) = self.snapshot(async |connection| {
            let uses = pairs(connection, sql::records::USES).await?;
            Ok((uses, pairs(connection, sql::records::DERIVED).await?))
        })?;
        let id = |text: &str| parsed("derivation.from_version", text);
        let uses = uses.into_iter().map(|(name, used)| Ok((name, id(&used)?)));
        let derived = derived.into_iter().map(|(version, used)| Ok((id(&version)?, id(&used)?)));
        Ok((uses.collect::<Result<_>>()?, derived.collect::<Result<_>>()?))
    }

    /// Every version that a consumer has used.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn used_versions(&self) -> Result<Vec<VersionId>> {
        let ids: Vec<String> = self.run(async |connection| {
            sqlx::query_scalar(sql::records::USED)
                .fetch_all(connection)
                .await
                .map_err(failed("read what consumers used"))
        })?;
        ids.iter().map(|id| parsed("consumer_use.version", id)).collect()
    }
}
