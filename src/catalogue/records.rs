//! Reading what was recorded later.

use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{moment, optional, parsed, signed, unsigned, word};
use super::words::all_of;
use super::{Catalogue, Error, Result, sql};
use crate::model::{DatasetName, FileId, Metric, Record, RecordKind, Time, VersionId};

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

/// Which metrics are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct MetricFilter {
    /// Of this version.
    pub version: Option<VersionId>,
    /// What was measured.
    pub name: Option<String>,
    /// Of versions that were made in this dataset, or of which nothing says where.
    pub dataset: Option<DatasetName>,
}

/// A figure, with its version and with who said it and when.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// The version.
    pub version: VersionId,
    /// The dataset that it was made in.
    pub dataset: Option<DatasetName>,
    /// When the version was made.
    pub committed: Time,
    /// The entry of the journal that said it; 0 for the version itself.
    pub number: u64,
    /// The figure.
    pub metric: Metric,
    /// When it was said.
    pub time: Time,
    /// Who said it: `Name <mail>`.
    pub actor: String,
}

#[derive(sqlx::FromRow)]
struct MetricTuple {
    version: String,
    dataset: Option<String>,
    committed: i64,
    number: i64,
    name: String,
    slice: Option<String>,
    value: f64,
    unit: Option<String>,
    method: Option<String>,
    sample_size: Option<i64>,
    threshold: Option<f64>,
    time: i64,
    actor: String,
}

fn metric(row: MetricTuple) -> Result<MetricRow> {
    let size = row.sample_size.map(|size| unsigned("metric.sample_size", size)).transpose()?;
    Ok(MetricRow {
        version: parsed("metric.version", &row.version)?,
        dataset: optional("version.dataset", row.dataset.as_deref())?,
        committed: moment("version.time", row.committed)?,
        number: unsigned("metric.number", row.number)?,
        metric: Metric {
            name: row.name,
            value: row.value,
            unit: row.unit,
            method: row.method,
            slice: row.slice,
            sample_size: size,
            threshold: row.threshold,
            other: serde_json::Map::new(),
        },
        time: moment("metric.time", row.time)?,
        actor: row.actor,
    })
}

/// The newest word on a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRow {
    /// What it is called.
    pub name: String,
    /// `model`, `evaluation` or `export`.
    pub kind: String,
    /// Where it is to be found.
    pub uri: Option<String>,
    /// The entry of the journal that said so last.
    pub number: u64,
    /// When.
    pub time: Time,
    /// Who: `Name <mail>`.
    pub actor: String,
}

/// One thing that a consumer has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseRow {
    /// Who has used it.
    pub consumer: String,
    /// The entry of the journal that said so.
    pub number: u64,
    /// The dataset that it was found in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// A file or directory in it; none for the whole.
    pub path: Option<String>,
    /// As what, such as `train`.
    pub role: String,
    /// When that was said.
    pub time: Time,
}

type UseTuple = (String, i64, String, String, Option<String>, String, i64);

fn used((consumer, number, dataset, version, path, role, time): UseTuple) -> Result<UseRow> {
    Ok(UseRow {
        consumer,
        number: unsigned("consumer_use.number", number)?,
        dataset: parsed("consumer_use.dataset", &dataset)?,
        version: parsed("consumer_use.version", &version)?,
        path,
        role,
        time: moment("consumer_use.time", time)?,
    })
}

/// Where words were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `message`, `metadata`, or the kind of a record.
    pub kind: String,
    /// The version that it is about.
    pub version: Option<VersionId>,
    /// The entry of the journal that said it; 0 for the version itself.
    pub number: u64,
    /// Its place among the changes of that entry.
    pub ordinal: u64,
}

impl Catalogue {
    /// The metrics that a filter lets through: those of a version in the order in which they were
    /// said, versions after those that they continue.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricRow>> {
        let statement = match filter.version {
            Some(_) => sql::records::METRICS_OF_VERSION,
            None => sql::records::METRICS,
        };
        let rows: Vec<MetricTuple> = self.run(async |connection| {
            sqlx::query_as(statement)
                .bind(filter.version.map(|id| id.to_hex()))
                .bind(filter.name.clone())
                .bind(filter.dataset.as_ref().map(|name| name.as_str().to_owned()))
                .fetch_all(connection)
                .await
                .map_err(failed("read metrics"))
        })?;
        rows.into_iter().map(metric).collect()
    }

    /// Every consumer, by name.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn consumers(&self) -> Result<Vec<ConsumerRow>> {
        type Row = (String, String, Option<String>, i64, i64, String);
        let rows: Vec<Row> = self.run(async |connection| {
            sqlx::query_as(sql::records::CONSUMERS)
                .fetch_all(connection)
                .await
                .map_err(failed("read consumers"))
        })?;
        let consumer = |(name, kind, uri, number, time, actor): Row| {
            let number = unsigned("consumer.number", number)?;
            let time = moment("consumer.time", time)?;
            Ok(ConsumerRow { name, kind, uri, number, time, actor })
        };
        rows.into_iter().map(consumer).collect()
    }

    /// What a consumer has used, or what all of them have.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn uses(&self, consumer: Option<&str>) -> Result<Vec<UseRow>> {
        let rows: Vec<UseTuple> = self.run(async |connection| {
            sqlx::query_as(sql::records::USES)
                .bind(consumer)
                .fetch_all(connection)
                .await
                .map_err(failed("read what consumers used"))
        })?;
        rows.into_iter().map(used).collect()
    }

    /// Who has used any of these versions.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn uses_of(&self, versions: &[VersionId]) -> Result<Vec<UseRow>> {
        let ids: Vec<String> = versions.iter().map(VersionId::to_hex).collect();
        let ids = serde_json::Value::from(ids).to_string();
        let rows: Vec<UseTuple> = self.run(async |connection| {
            sqlx::query_as(sql::records::USES_OF)
                .bind(ids)
                .fetch_all(connection)
                .await
                .map_err(failed("read what consumers used"))
        })?;
        rows.into_iter().map(used).collect()
    }

    /// Where all of the words occur, in messages, metadata and records, the best place first; of
    /// one kind only, if it is given. A word that ends in `*` stands for all that begin so. In scripts
    /// without spaces between words, any characters that follow each other are one. Case and accents
    /// do not matter. None if there is no word among them.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn search(
        &self,
        words: &str,
        kind: Option<RecordKind>,
        limit: u64,
    ) -> Result<Option<Vec<Found>>> {
        let Some(asked) = all_of(words) else { return Ok(None) };
        type Row = (String, Option<String>, i64, i64);
        let limit = signed("a limit", limit.min(1 << 40))?;
        let rows: Vec<Row> = self.run(async |connection| {
            sqlx::query_as(sql::words::SEARCH)
                .bind(asked)
                .bind(kind.map(RecordKind::as_str))
                .bind(limit)
                .fetch_all(connection)
                .await
                .map_err(failed("look for words"))
        })?;
        let found = |(kind, version, number, ordinal): Row| {
            Ok(Found {
                kind,
                version: optional("words.version", version.as_deref())?,
                number: unsigned("words.number", number)?,
                ordinal: unsigned("words.ordinal", ordinal)?,
            })
        };
        rows.into_iter().map(found).collect::<Result<_>>().map(Some)
    }

    /// Makes the index of words again from the words that are there. What was taken out of the
    /// tables before is in no part of it afterwards.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn rebuild_search(&self) -> Result<()> {
        self.write(async |connection| {
            for text in sql::words::REBUILD {
                let done = sqlx::query(text).execute(&mut *connection).await;
                done.map_err(failed("make the index of words again"))?;
            }
            Ok(())
        })
    }

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

    /// The newest record of a kind, of those that have no name.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn newest_record(&self, kind: RecordKind) -> Result<Option<RecordRow>> {
        let row: Option<Tuple> = self.run(async |connection| {
            sqlx::query_as(sql::records::NEWEST)
                .bind(kind.as_str())
                .fetch_optional(connection)
                .await
                .map_err(failed("read records"))
        })?;
        row.map(record).transpose()
    }

    /// What was made from versions: consumers by name, and other versions, each with what it used.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn all_made_from(&self) -> Result<(MadeFrom<String>, MadeFrom<VersionId>)> {
        let pairs = async |connection: &mut SqliteConnection, text: &'static str| {
            let rows: Vec<(String, String)> = sqlx::query_as(text)
                .fetch_all(connection)
                .await
                .map_err(failed("read what was made from versions"))?;
            Ok::<_, Error>(rows)
        };
        let (uses, derived) = self.snapshot(async |connection| {
            let uses = pairs(connection, sql::records::ALL_USES).await?;
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

/// The entry that added the newest record of a kind without a name; 0 if there is none.
pub(super) async fn newest_number(
    connection: &mut sqlx::SqliteConnection,
    kind: RecordKind,
) -> Result<u64> {
    let number: i64 = sqlx::query_scalar(sql::records::NEWEST_NUMBER)
        .bind(kind.as_str())
        .fetch_one(connection)
        .await
        .map_err(failed("read records"))?;
    unsigned("record.number", number)
}
