//! Reading what has a name: datasets, references and their log, worktrees.

use std::str::FromStr;

use sqlx::SqliteConnection;

use super::error::failed;
use super::{Annotation, Catalogue, Error, Head, Result, WorktreeId, WorktreeState, sql};
use crate::model::{Author, DatasetName, RefKind, RefName, Time, VersionId};

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRow {
    /// Its name.
    pub name: DatasetName,
    /// When it was made.
    pub created_at: Time,
}

/// A branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefRow {
    /// The dataset it belongs to.
    pub dataset: DatasetName,
    /// Branch or tag.
    pub kind: RefKind,
    /// Its name.
    pub name: RefName,
    /// The version it names.
    pub version: VersionId,
    /// What it says, if it is an annotated tag.
    pub annotation: Option<Annotation>,
}

/// One move of a branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefLogRow {
    /// The entry of the journal that moved it.
    pub number: u64,
    /// The dataset it belongs to.
    pub dataset: DatasetName,
    /// Branch or tag.
    pub kind: RefKind,
    /// Its name.
    pub name: RefName,
    /// The version it had.
    pub old: Option<VersionId>,
    /// The version it got.
    pub new: Option<VersionId>,
    /// When.
    pub time: Time,
    /// Who did it: `Name <mail>`.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// In the user's words.
    pub message: Option<String>,
}

/// A worktree.
#[derive(Debug, Clone, PartialEq)]
pub struct WorktreeRow {
    /// Its id.
    pub id: WorktreeId,
    /// Its state.
    pub state: WorktreeState,
    /// Grows by one with every change.
    pub generation: u64,
}

/// The greatest number that JSON, and so the journal, keeps exactly.
const GREATEST: u64 = 1 << 53;

/// A number for the database, which the journal must be able to say as well.
pub(super) fn signed(what: &'static str, value: u64) -> Result<i64> {
    match i64::try_from(value) {
        Ok(number) if value <= GREATEST => Ok(number),
        _ => Err(Error::TooLarge { what, value }),
    }
}

/// A number from the database.
pub(super) fn unsigned(what: &'static str, value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::BadRow { what: format!("{what} is {value}") })
}

/// A value from the text that the database holds for it.
pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
    what: &'static str,
    text: &str,
) -> Result<T> {
    text.parse().map_err(|e: T::Err| Error::BadRow { what: format!("{what}: {e}") })
}

pub(super) fn optional<T: FromStr<Err: std::fmt::Display>>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>> {
    text.map(|text| parsed(what, text)).transpose()
}

pub(super) fn moment(what: &'static str, seconds: i64) -> Result<Time> {
    Time::from_unix(seconds).map_err(|e| Error::BadRow { what: format!("{what}: {e}") })
}

pub(super) fn word<T>(what: &'static str, text: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::BadRow { what: format!("{what} is `{}`", text.escape_debug()) })
}

fn ref_kind(text: &str) -> Result<RefKind> {
    let kind = [RefKind::Branch, RefKind::Tag].into_iter().find(|kind| kind.as_str() == text);
    word("the kind of a reference", text, kind)
}

type RefTuple =
    (String, String, String, String, Option<String>, Option<String>, Option<String>, Option<i64>);

fn reference(row: RefTuple) -> Result<RefRow> {
    let (dataset, kind, name, version, message, tagger, mail, tagged_at) = row;
    let annotation = match (message, tagger, mail, tagged_at) {
        (Some(message), Some(name), Some(email), Some(time)) => Some(Annotation {
            message,
            tagger: Author { name, email },
            time: moment("ref.tagged_at", time)?,
        }),
        _ => None,
    };
    Ok(RefRow {
        dataset: parsed("ref.dataset", &dataset)?,
        kind: ref_kind(&kind)?,
        name: parsed("ref.name", &name)?,
        version: parsed("ref.version", &version)?,
        annotation,
    })
}

type LogTuple = (
    i64,
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    i64,
    String,
    String,
    Option<String>,
);

fn logged(row: LogTuple) -> Result<RefLogRow> {
    let (number, _, dataset, kind, name, old, new, time, actor, action, message) = row;
    Ok(RefLogRow {
        number: unsigned("ref_log.number", number)?,
        dataset: parsed("ref_log.dataset", &dataset)?,
        kind: ref_kind(&kind)?,
        name: parsed("ref_log.name", &name)?,
        old: optional("ref_log.old_version", old.as_deref())?,
        new: optional("ref_log.new_version", new.as_deref())?,
        time: moment("ref_log.time", time)?,
        actor,
        action,
        message,
    })
}

type WorktreeTuple =
    (String, String, String, Option<String>, Option<String>, String, Option<String>, i64);

fn worktree(row: WorktreeTuple) -> Result<WorktreeRow> {
    let (id, path, dataset, branch, version, staged, operation, generation) = row;
    let head = match (branch, version) {
        (Some(name), at) => Head::Branch {
            name: parsed("worktree.head_branch", &name)?,
            at: at.map(|id| parsed("worktree.head_version", &id)).transpose()?,
        },
        (None, Some(id)) => Head::Detached { version: parsed("worktree.head_version", &id)? },
        (None, None) => {
            return Err(Error::BadRow { what: format!("worktree {id} has no head") });
        }
    };
    let operation = operation
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| Error::BadRow { what: format!("worktree.operation: {e}") })?;
    Ok(WorktreeRow {
        id: parsed("worktree.id", &id)?,
        state: WorktreeState {
            path,
            dataset: parsed("worktree.dataset", &dataset)?,
            head,
            staged: parsed("worktree.staged", &staged)?,
            operation,
        },
        generation: unsigned("worktree.generation", generation)?,
    })
}

pub(super) async fn one_ref(
    connection: &mut SqliteConnection,
    dataset: &DatasetName,
    kind: RefKind,
    name: &RefName,
) -> Result<Option<RefRow>> {
    let row: Option<RefTuple> = sqlx::query_as(sql::names::ONE_REF)
        .bind(dataset.as_str())
        .bind(kind.as_str())
        .bind(name.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("read a reference"))?;
    row.map(reference).transpose()
}

pub(super) async fn one_worktree(
    connection: &mut SqliteConnection,
    id: &WorktreeId,
) -> Result<Option<WorktreeRow>> {
    let row: Option<WorktreeTuple> = sqlx::query_as(sql::worktrees::ONE)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("read a worktree"))?;
    row.map(worktree).transpose()
}

impl Catalogue {
    /// Every dataset, by name.
    pub fn datasets(&self) -> Result<Vec<DatasetRow>> {
        let rows: Vec<(String, i64)> = self.run(async |connection| {
            sqlx::query_as(sql::names::DATASETS)
                .fetch_all(connection)
                .await
                .map_err(failed("list datasets"))
        })?;
        let row = |(name, created_at): (String, i64)| {
            Ok(DatasetRow {
                name: parsed("dataset.name", &name)?,
                created_at: moment("dataset.created_at", created_at)?,
            })
        };
        rows.into_iter().map(row).collect()
    }

    /// Whether there is such a dataset.
    pub fn has_dataset(&self, dataset: &DatasetName) -> Result<bool> {
        self.run(async |connection| has_dataset(connection, dataset).await)
    }

    /// Every branch and tag of every dataset.
    pub fn all_refs(&self) -> Result<Vec<RefRow>> {
        let rows: Vec<RefTuple> = self.run(async |connection| {
            sqlx::query_as(sql::names::ALL_REFS)
                .fetch_all(connection)
                .await
                .map_err(failed("list references"))
        })?;
        rows.into_iter().map(reference).collect()
    }

    /// The branches or the tags of a dataset, by name.
    pub fn refs(&self, dataset: &DatasetName, kind: RefKind) -> Result<Vec<RefRow>> {
        let rows: Vec<RefTuple> = self.run(async |connection| {
            sqlx::query_as(sql::names::REFS)
                .bind(dataset.as_str())
                .bind(kind.as_str())
                .fetch_all(connection)
                .await
                .map_err(failed("list references"))
        })?;
        rows.into_iter().map(reference).collect()
    }

    /// One branch or tag.
    pub fn get_ref(
        &self,
        dataset: &DatasetName,
        kind: RefKind,
        name: &RefName,
    ) -> Result<Option<RefRow>> {
        self.run(async |connection| one_ref(connection, dataset, kind, name).await)
    }

    /// The last `limit` moves of a branch or tag, newest first; also of one that is gone.
    pub fn ref_log(
        &self,
        dataset: &DatasetName,
        kind: RefKind,
        name: &RefName,
        limit: u64,
    ) -> Result<Vec<RefLogRow>> {
        let rows: Vec<LogTuple> = self.run(async |connection| {
            sqlx::query_as(sql::names::REF_LOG)
                .bind(dataset.as_str())
                .bind(kind.as_str())
                .bind(name.as_str())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await
                .map_err(failed("read the log of a reference"))
        })?;
        rows.into_iter().map(logged).collect()
    }

    /// The branches or tags that there were at a moment, and the versions that they named then.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn refs_as_of(
        &self,
        kind: RefKind,
        moment: Time,
    ) -> Result<Vec<(DatasetName, RefName, VersionId)>> {
        let rows: Vec<(String, String, String)> = self.run(async |connection| {
            sqlx::query_as(sql::names::REFS_AS_OF)
                .bind(kind.as_str())
                .bind(moment.unix())
                .fetch_all(connection)
                .await
                .map_err(failed("read the log of references"))
        })?;
        let each = |(dataset, name, version): (String, String, String)| {
            let dataset = parsed("ref_log.dataset", &dataset)?;
            let version = parsed("ref_log.new_version", &version)?;
            Ok((dataset, parsed("ref_log.name", &name)?, version))
        };
        rows.into_iter().map(each).collect()
    }

    /// Every version that any branch or tag has left or reached since `moment`: the grace of gc.
    pub fn logged_since(&self, moment: Time) -> Result<Vec<VersionId>> {
        let ids: Vec<String> = self.run(async |connection| {
            sqlx::query_scalar(sql::names::LOGGED_SINCE)
                .bind(moment.unix())
                .fetch_all(connection)
                .await
                .map_err(failed("read the log of references"))
        })?;
        ids.iter().map(|id| parsed("ref_log", id)).collect()
    }

    /// One worktree.
    pub fn worktree(&self, id: &WorktreeId) -> Result<Option<WorktreeRow>> {
        self.run(async |connection| one_worktree(connection, id).await)
    }

    /// Every worktree.
    pub fn worktrees(&self) -> Result<Vec<WorktreeRow>> {
        let rows: Vec<WorktreeTuple> = self.run(async |connection| {
            sqlx::query_as(sql::worktrees::ALL)
                .fetch_all(connection)
                .await
                .map_err(failed("list worktrees"))
        })?;
        rows.into_iter().map(worktree).collect()
    }
}

pub(super) async fn has_dataset(
    connection: &mut SqliteConnection,
    dataset: &DatasetName,
) -> Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(sql::names::HAS_DATASET)
        .bind(dataset.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("look for a dataset"))?;
    Ok(found.is_some())
}
