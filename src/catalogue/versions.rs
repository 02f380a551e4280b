//! Reading versions: rows, parents, prefixes, what was imported.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::effects::refuse_frozen;
use super::error::failed;
use super::read::{moment, parsed, unsigned};
use super::sql::versions::BATCH;
use super::{Catalogue, Error, Result, sql};
use crate::model::{Author, DatasetName, ManifestId, Time, VersionId};

/// A version, as far as lists and walks need it; the whole of it is an object of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Its id.
    pub id: VersionId,
    /// The root of its listing.
    pub manifest: ManifestId,
    /// The versions it continues.
    pub parents: Vec<VersionId>,
    /// Who made it.
    pub author: Author,
    /// When.
    pub time: Time,
    /// Minutes that the author's clock was ahead of UTC.
    pub utc_offset_minutes: Option<i32>,
    /// What its author says of it.
    pub message: String,
    /// How many files it lists.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// One more than the greatest generation of its parents; 1 without parents.
    pub generation: u64,
}

/// The columns of a version, and one of its parents.
#[derive(sqlx::FromRow)]
struct Joined {
    id: String,
    manifest: String,
    author_name: String,
    author_email: String,
    time: i64,
    utc_offset_minutes: Option<i32>,
    message: String,
    files: i64,
    bytes: i64,
    generation: i64,
    ordinal: Option<i64>,
    parent: Option<String>,
}

fn version(row: Joined) -> Result<VersionRow> {
    Ok(VersionRow {
        id: parsed("version.id", &row.id)?,
        manifest: parsed("version.manifest", &row.manifest)?,
        parents: Vec::new(),
        author: Author { name: row.author_name, email: row.author_email },
        time: moment("version.time", row.time)?,
        utc_offset_minutes: row.utc_offset_minutes,
        message: row.message,
        files: unsigned("version.files", row.files)?,
        bytes: unsigned("version.bytes", row.bytes)?,
        generation: unsigned("version.generation", row.generation)?,
    })
}

/// One row for each version, in the order of their first appearance, with its parents in order.
fn join(rows: Vec<Joined>) -> Result<Vec<VersionRow>> {
    let mut places: HashMap<VersionId, usize> = HashMap::with_capacity(rows.len());
    let mut joined: Vec<(VersionRow, Vec<(i64, VersionId)>)> = Vec::with_capacity(rows.len());
    for mut row in rows {
        let link = match (row.ordinal, row.parent.take()) {
            (Some(ordinal), Some(id)) => Some((ordinal, parsed("version_parent.parent", &id)?)),
            _ => None,
        };
        let row = version(row)?;
        let place = *places.entry(row.id).or_insert(joined.len());
        if place == joined.len() {
            joined.push((row, Vec::new()));
        }
        joined[place].1.extend(link);
    }
    let finish = |(mut row, mut links): (VersionRow, Vec<(i64, VersionId)>)| {
        links.sort_unstable_by_key(|(ordinal, _)| *ordinal);
        row.parents = links.into_iter().map(|(_, id)| id).collect();
        row
    };
    Ok(joined.into_iter().map(finish).collect())
}

/// The ids of one statement, filled up with repetitions of the last.
fn filled(ids: &[VersionId]) -> impl Iterator<Item = String> + '_ {
    let last = ids.last().map(VersionId::to_hex).unwrap_or_default();
    ids.iter().map(VersionId::to_hex).chain(std::iter::repeat(last)).take(BATCH)
}

async fn rows(
    connection: &mut SqliteConnection,
    text: &'static str,
    ids: &[VersionId],
    least: Option<i64>,
) -> Result<Vec<VersionRow>> {
    let mut query = sqlx::query_as(text);
    for id in filled(ids) {
        query = query.bind(id);
    }
    if let Some(least) = least {
        query = query.bind(least);
    }
    join(query.fetch_all(connection).await.map_err(failed("read versions"))?)
}

async fn links(
    connection: &mut SqliteConnection,
    ids: &[VersionId],
) -> Result<Vec<(String, String)>> {
    let mut query = sqlx::query_as(sql::versions::PARENTS);
    for id in filled(ids) {
        query = query.bind(id);
    }
    query.fetch_all(connection).await.map_err(failed("read the parents of versions"))
}

/// The generation of a version, if it is known.
pub(super) async fn generation(
    connection: &mut SqliteConnection,
    id: &VersionId,
) -> Result<Option<u64>> {
    let found: Option<i64> = sqlx::query_scalar(sql::versions::GENERATION)
        .bind(id.to_hex())
        .fetch_optional(connection)
        .await
        .map_err(failed("look for a version"))?;
    found.map(|value| unsigned("version.generation", value)).transpose()
}

impl Catalogue {
    /// Whether the version is known.
    pub fn has_version(&self, id: &VersionId) -> Result<bool> {
        Ok(self.run(async |connection| generation(connection, id).await)?.is_some())
    }

    /// One version.
    pub fn version(&self, id: &VersionId) -> Result<Option<VersionRow>> {
        Ok(self.versions(&[*id])?.pop())
    }

    /// Those of the versions that are known, in no order and each once per 32.
    pub fn versions(&self, ids: &[VersionId]) -> Result<Vec<VersionRow>> {
        self.snapshot(async |connection| {
            let mut found = Vec::with_capacity(ids.len());
            for batch in ids.chunks(BATCH) {
                found.extend(rows(connection, sql::versions::ROWS, batch, None).await?);
            }
            Ok(found)
        })
    }

    /// The dataset that each of the versions was made in, where that is known.
    pub fn datasets_of(&self, ids: &[VersionId]) -> Result<HashMap<VersionId, DatasetName>> {
        let ids: Vec<String> = ids.iter().map(VersionId::to_hex).collect();
        let ids = serde_json::Value::from(ids).to_string();
        let rows: Vec<(String, String)> = self.run(async |connection| {
            sqlx::query_as(sql::versions::DATASETS_OF)
                .bind(ids)
                .fetch_all(connection)
                .await
                .map_err(failed("read versions"))
        })?;
        rows.into_iter()
            .map(|(id, name)| Ok((parsed("version.id", &id)?, parsed("version.dataset", &name)?)))
            .collect()
    }

    /// The parents of each version, in order. Versions without parents, and unknown ones, are not
    /// in the answer.
    pub fn parents(&self, ids: &[VersionId]) -> Result<HashMap<VersionId, Vec<VersionId>>> {
        self.snapshot(async |connection| {
            let mut found: HashMap<VersionId, Vec<VersionId>> = HashMap::new();
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids.dedup();
            for batch in ids.chunks(BATCH) {
                for (child, parent) in links(connection, batch).await? {
                    found
                        .entry(parsed("version_parent.version", &child)?)
                        .or_default()
                        .push(parsed("version_parent.parent", &parent)?);
                }
            }
            Ok(found)
        })
    }

    /// These versions, as far as they are known, and those of their ancestors that have at least
    /// the generation `least`; in no order.
    pub fn ancestors_down_to(&self, ids: &[VersionId], least: u64) -> Result<Vec<VersionRow>> {
        let bound = Some(i64::try_from(least).unwrap_or(i64::MAX));
        self.snapshot(async |connection| {
            let mut found: HashMap<VersionId, VersionRow> = HashMap::new();
            for batch in ids.chunks(BATCH) {
                let rows = rows(connection, sql::versions::ANCESTOR_ROWS, batch, bound).await?;
                found.extend(rows.into_iter().map(|row| (row.id, row)));
            }
            Ok(found.into_values().collect())
        })
    }

    /// Every version, parents before children.
    pub fn all_versions(&self) -> Result<Vec<VersionRow>> {
        let rows = self.run(async |connection| {
            sqlx::query_as(sql::versions::ALL_ROWS)
                .fetch_all(connection)
                .await
                .map_err(failed("read versions"))
        })?;
        join(rows)
    }

    /// The id of every version, in order.
    pub fn all_version_ids(&self) -> Result<Vec<VersionId>> {
        let ids: Vec<String> = self.run(async |connection| {
            sqlx::query_scalar(sql::versions::ALL_IDS)
                .fetch_all(connection)
                .await
                .map_err(failed("list versions"))
        })?;
        ids.iter().map(|id| parsed("version.id", id)).collect()
    }

    /// Fails if the branches and tags of a dataset stand still. Every move of one asks again, in its
    /// own transaction; asking first saves the work before it.
    ///
    /// # Errors
    ///
    /// [`Error::Frozen`].
    pub fn refuse_frozen(&self, dataset: &DatasetName) -> Result<()> {
        self.run(async |connection| refuse_frozen(connection, dataset).await)
    }

    /// The versions that were made in a dataset, and those that its branches and tags have ever
    /// been at, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn versions_of(&self, dataset: &DatasetName) -> Result<Vec<VersionId>> {
        let ids: Vec<String> = self.run(async |connection| {
            sqlx::query_scalar(sql::versions::OF_DATASET)
                .bind(dataset.as_str())
                .fetch_all(connection)
                .await
                .map_err(failed("list the versions of a dataset"))
        })?;
        ids.iter().map(|id| parsed("version.id", id)).collect()
    }

    /// At most `limit` versions whose ids begin with `prefix`, in order; none if it is not made of
    /// lower-case hexadecimal digits.
    pub fn versions_by_prefix(&self, prefix: &str, limit: u32) -> Result<Vec<VersionId>> {
        if !prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = self.run(async |connection| {
            sqlx::query_scalar(sql::versions::IN_RANGE)
                .bind(prefix)
                .bind(format!("{prefix}g")) // the first letter after the digits
                .bind(i64::from(limit))
                .fetch_all(connection)
                .await
                .map_err(failed("look for versions"))
        })?;
        ids.iter().map(|id| parsed("version.id", id)).collect()
    }

    /// What each record of `origin` became.
    pub fn imported(&self, origin: &str) -> Result<HashMap<String, VersionId>> {
        let rows: Vec<(String, String)> = self.run(async |connection| {
            sqlx::query_as(sql::versions::IMPORTED)
                .bind(origin)
                .fetch_all(connection)
                .await
                .map_err(failed("read what was imported"))
        })?;
        rows.into_iter()
            .map(|(foreign, id)| Ok((foreign, parsed("imported.version", &id)?)))
            .collect()
    }

    /// One version that must be known.
    pub(super) fn known_version(&self, id: &VersionId) -> Result<VersionRow> {
        self.version(id)?.ok_or_else(|| Error::Unknown { what: format!("version {id}") })
    }
}
