//! Reading versions: rows, parents, prefixes, what was imported.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{moment, parsed, unsigned};
use super::sql::versions::BATCH;
use super::{Catalogue, Error, Result, sql};
use crate::model::{Author, ManifestId, Time, VersionId};

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

type Tuple = (String, String, String, String, i64, Option<i32>, String, i64, i64, i64);

fn version(row: Tuple) -> Result<VersionRow> {
    let (id, manifest, name, email, time, utc_offset_minutes, message, files, bytes, generation) =
        row;
    Ok(VersionRow {
        id: parsed("version.id", &id)?,
        manifest: parsed("version.manifest", &manifest)?,
        parents: Vec::new(),
        author: Author { name, email },
        time: moment("version.time", time)?,
        utc_offset_minutes,
        message,
        files: unsigned("version.files", files)?,
        bytes: unsigned("version.bytes", bytes)?,
        generation: unsigned("version.generation", generation)?,
    })
}

/// Puts rows and their parents, which stand in order, together.
fn join(rows: Vec<Tuple>, links: &[(String, String)]) -> Result<Vec<VersionRow>> {
    let mut parents: HashMap<VersionId, Vec<VersionId>> = HashMap::new();
    for (child, parent) in links {
        parents
            .entry(parsed("version_parent.version", child)?)
            .or_default()
            .push(parsed("version_parent.parent", parent)?);
    }
    rows.into_iter()
        .map(|row| {
            let mut row = version(row)?;
            row.parents = parents.remove(&row.id).unwrap_or_default();
            Ok(row)
        })
        .collect()
}

/// The ids of one statement, filled up with repetitions of the last.
fn filled(ids: &[VersionId]) -> impl Iterator<Item = String> + '_ {
    let last = ids.last().map(VersionId::to_hex).unwrap_or_default();
    ids.iter().map(VersionId::to_hex).chain(std::iter::repeat(last)).take(BATCH)
}

async fn links(
    connection: &mut SqliteConnection,
    text: &'static str,
    ids: &[VersionId],
    least: Option<i64>,
) -> Result<Vec<(String, String)>> {
    let mut query = sqlx::query_as(text);
    for id in filled(ids) {
        query = query.bind(id);
    }
    if let Some(least) = least {
        query = query.bind(least);
    }
    query.fetch_all(connection).await.map_err(failed("read the parents of versions"))
}

async fn rows(
    connection: &mut SqliteConnection,
    text: &'static str,
    ids: &[VersionId],
    least: Option<i64>,
) -> Result<Vec<Tuple>> {
    let mut query = sqlx::query_as(text);
    for id in filled(ids) {
        query = query.bind(id);
    }
    if let Some(least) = least {
        query = query.bind(least);
    }
    query.fetch_all(connection).await.map_err(failed("read versions"))
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
                let rows = rows(connection, sql::versions::ROWS, batch, None).await?;
                let links = links(connection, sql::versions::PARENTS, batch, None).await?;
                found.extend(join(rows, &links)?);
            }
            Ok(found)
        })
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
                for (child, parent) in
                    links(connection, sql::versions::PARENTS, batch, None).await?
                {
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
                let links =
                    links(connection, sql::versions::ANCESTOR_PARENTS, batch, bound).await?;
                found.extend(join(rows, &links)?.into_iter().map(|row| (row.id, row)));
            }
            Ok(found.into_values().collect())
        })
    }

    /// Every version, parents before children.
    pub fn all_versions(&self) -> Result<Vec<VersionRow>> {
        self.snapshot(async |connection| {
            let rows = sqlx::query_as(sql::versions::ALL_ROWS)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed("read versions"))?;
            let links: Vec<(String, String)> = sqlx::query_as(sql::versions::ALL_PARENTS)
                .fetch_all(connection)
                .await
                .map_err(failed("read the parents of versions"))?;
            join(rows, &links)
        })
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
