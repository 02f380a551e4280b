//! What each change does to the tables.

mod cycle;
mod packs;
mod presence;
mod provenance;
mod state;
mod words;

use std::collections::{HashMap, HashSet};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteArguments;

pub(super) use self::cycle::{cycle, refuse_cycles};
use self::packs::change_packs;
use self::presence::change_presence;
use self::provenance::{add_provenance, add_record, forget_provenance};
pub(super) use self::state::refuse_frozen;
use self::state::refuse_illegal;
use self::words::{add_version_words, forget_words};
use super::error::failed;
use super::journal::canonical;
use super::read::{has_dataset, one_ref, one_worktree, signed};
use super::versions::generation;
use super::{
    Annotation, Change, Error, Head, JournalEntry, Result, WorktreeId, WorktreeState, sql,
};
use crate::model::{DatasetName, RefKind, RefName, Version, VersionId};

/// What the changes of one entry have in common.
pub(super) struct Context<'a> {
    /// The entry of the journal that is being made, or made again.
    pub(super) entry: &'a JournalEntry,
    /// What the user says.
    pub(super) message: Option<&'a str>,
    /// The records of the versions that are added.
    pub(super) versions: HashMap<&'a VersionId, &'a Version>,
    /// When the journal is replayed: the versions that it does not forget later.
    pub(super) kept: Option<&'a HashSet<VersionId>>,
}

impl Context<'_> {
    /// Whether the version is left out, because its record may be gone.
    fn forgotten_later(&self, version: &VersionId) -> bool {
        self.kept.is_some_and(|kept| !kept.contains(version))
    }

    /// Fails if a version that is named is not there.
    async fn expect(&self, connection: &mut SqliteConnection, version: &VersionId) -> Result<()> {
        if !self.forgotten_later(version) {
            known_generation(connection, version).await?;
        }
        Ok(())
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Makes the changes, in their order.
pub(super) async fn perform(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    changes: &[Change],
) -> Result<()> {
    for (ordinal, change) in changes.iter().enumerate() {
        match change {
            Change::DatasetCreated { .. }
            | Change::DatasetRemoved { .. }
            | Change::RefMoved { .. }
            | Change::WorktreeChanged { .. } => {
                change_names(connection, context, ordinal, change).await?;
            }
            Change::VersionAdded { version, dataset } => {
                add_version(connection, context, version, dataset.as_ref(), &[]).await?;
            }
            Change::VersionRestored { version, dataset, absent } => {
                add_version(connection, context, version, Some(dataset), absent).await?;
            }
            Change::Recorded { record } => {
                add_record(connection, context, ordinal, record).await?;
            }
            Change::VersionsForgotten { versions } => forget(connection, versions).await?,
            Change::Imported { origin, pairs } => {
                for (foreign, version) in pairs {
                    note_import(connection, context, origin, (foreign, version)).await?;
                }
            }
            Change::PresenceChanged { file, old, new } => {
                let (old, new) = (old.as_ref(), new.as_ref());
                change_presence(connection, context, file, old, new).await?;
            }
            Change::Undone { .. } => {}
            Change::PacksAdded { .. }
            | Change::PacksCondemned { .. }
            | Change::Fenced { .. }
            | Change::PacksSpared { .. }
            | Change::PacksTombstoned { .. }
            | Change::PacksMerged { .. }
            | Change::PacksDropped { .. } => change_packs(connection, context, change).await?,
        }
    }
    Ok(())
}

/// How many rows `query` has changed.
async fn changed(
    connection: &mut SqliteConnection,
    doing: &'static str,
    query: Query<'_>,
) -> Result<u64> {
    Ok(query.execute(connection).await.map_err(failed(doing))?.rows_affected())
}

async fn change_names(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    ordinal: usize,
    change: &Change,
) -> Result<()> {
    match change {
        Change::DatasetCreated { dataset } => {
            let query = sqlx::query(sql::names::ADD_DATASET)
                .bind(dataset.as_str())
                .bind(context.entry.time.unix());
            match changed(connection, "add a dataset", query).await? {
                0 => Err(Error::Taken { what: dataset_words(dataset) }),
                _ => Ok(()),
            }
        }
        Change::DatasetRemoved { dataset } => remove_dataset(connection, dataset).await,
        Change::RefMoved { dataset, kind, name, old, new, annotation } => {
            refuse_frozen(connection, dataset).await?;
            let one = OneRef { dataset, kind: *kind, name };
            move_ref(connection, &one, *old, *new, annotation.as_ref()).await?;
            log_ref(connection, context, ordinal, &one, *old, *new).await
        }
        Change::WorktreeChanged { id, old, new } => {
            if let Some(Head::Detached { version }) = new.as_ref().map(|state| &state.head) {
                context.expect(connection, version).await?;
            }
            change_worktree(connection, id, old.as_ref(), new.as_ref()).await
        }
        _ => Ok(()),
    }
}

fn dataset_words(dataset: &DatasetName) -> String {
    format!("dataset `{dataset}`")
}

async fn remove_dataset(connection: &mut SqliteConnection, dataset: &DatasetName) -> Result<()> {
    let user: Option<String> = sqlx::query_scalar(sql::names::DATASET_USERS)
        .bind(dataset.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("look for users of a dataset"))?;
    if let Some(by) = user {
        return Err(Error::InUse { what: dataset_words(dataset), by });
    }
    let query = sqlx::query(sql::names::REMOVE_DATASET).bind(dataset.as_str());
    match changed(connection, "remove a dataset", query).await? {
        0 => Err(Error::Unknown { what: dataset_words(dataset) }),
        _ => Ok(()),
    }
}

struct OneRef<'a> {
    dataset: &'a DatasetName,
    kind: RefKind,
    name: &'a RefName,
}

async fn move_ref(
    connection: &mut SqliteConnection,
    one: &OneRef<'_>,
    old: Option<VersionId>,
    new: Option<VersionId>,
    annotation: Option<&Annotation>,
) -> Result<()> {
    let key = |text| {
        sqlx::query(text)
            .bind(one.dataset.as_str().to_owned())
            .bind(one.kind.as_str())
            .bind(one.name.as_str().to_owned())
    };
    let valued = |text, version: VersionId| {
        key(text)
            .bind(version.to_hex())
            .bind(annotation.map(|a| a.message.clone()))
            .bind(annotation.map(|a| a.tagger.name.clone()))
            .bind(annotation.map(|a| a.tagger.email.clone()))
            .bind(annotation.map(|a| a.time.unix()))
    };
    let query = match (old, new) {
        (None, Some(new)) => valued(sql::names::ADD_REF, new),
        (Some(old), Some(new)) => valued(sql::names::MOVE_REF, new).bind(old.to_hex()),
        (Some(old), None) => key(sql::names::REMOVE_REF).bind(old.to_hex()),
        (None, None) => return expect_no_ref(connection, one).await,
    };
    if changed(connection, "move a reference", query).await? == 1 {
        return Ok(());
    }
    if !has_dataset(connection, one.dataset).await? {
        return Err(Error::Unknown { what: dataset_words(one.dataset) });
    }
    let found = one_ref(connection, one.dataset, one.kind, one.name).await?;
    Err(ref_moved(one, old, found.map(|row| row.version)))
}

async fn expect_no_ref(connection: &mut SqliteConnection, one: &OneRef<'_>) -> Result<()> {
    match one_ref(connection, one.dataset, one.kind, one.name).await? {
        None => Ok(()),
        Some(row) => Err(ref_moved(one, None, Some(row.version))),
    }
}

fn ref_moved(one: &OneRef<'_>, expected: Option<VersionId>, found: Option<VersionId>) -> Error {
    let words = |id: Option<VersionId>| id.map_or("none".into(), |id| id.to_hex());
    Error::Moved {
        what: format!("{} `{}` of dataset `{}`", one.kind.as_str(), one.name, one.dataset),
        expected: words(expected),
        found: words(found),
    }
}

async fn log_ref(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    ordinal: usize,
    one: &OneRef<'_>,
    old: Option<VersionId>,
    new: Option<VersionId>,
) -> Result<()> {
    let entry = context.entry;
    if let Some(version) = new {
        context.expect(connection, &version).await?;
    }
    if !has_dataset(connection, one.dataset).await? {
        return Err(Error::Unknown { what: dataset_words(one.dataset) });
    }
    let query = sqlx::query(sql::names::LOG_REF)
        .bind(signed("the number of a journal entry", entry.number)?)
        .bind(signed("the number of changes", ordinal as u64)?)
        .bind(one.dataset.as_str())
        .bind(one.kind.as_str())
        .bind(one.name.as_str())
        .bind(old.map(|id| id.to_hex()))
        .bind(new.map(|id| id.to_hex()))
        .bind(entry.time.unix())
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(context.message);
    changed(connection, "log the move of a reference", query).await?;
    Ok(())
}

async fn change_worktree(
    connection: &mut SqliteConnection,
    id: &WorktreeId,
    old: Option<&WorktreeState>,
    new: Option<&WorktreeState>,
) -> Result<()> {
    let found = one_worktree(connection, id).await?;
    let moved = |found: Option<&WorktreeState>| Error::Moved {
        what: format!("worktree {id}"),
        expected: worktree_words(old),
        found: worktree_words(found),
    };
    if !same_state(found.as_ref().map(|row| &row.state), old)? {
        return Err(moved(found.as_ref().map(|row| &row.state)));
    }
    if let Some(state) = new
        && !has_dataset(connection, &state.dataset).await?
    {
        return Err(Error::Unknown { what: dataset_words(&state.dataset) });
    }
    let generation = match &found {
        Some(row) => signed("the generation of a worktree", row.generation)?,
        None => 0,
    };
    let query = match (&found, new) {
        (None, None) => return Ok(()),
        (Some(_), None) => sqlx::query(sql::worktrees::REMOVE).bind(id.as_str()).bind(generation),
        (None, Some(state)) => bind_state(sqlx::query(sql::worktrees::ADD), id, state)?,
        (Some(_), Some(state)) => {
            bind_state(sqlx::query(sql::worktrees::CHANGE), id, state)?.bind(generation)
        }
    };
    match changed(connection, "change a worktree", query).await? {
        0 => Err(moved(None)),
        _ => Ok(()),
    }
}

/// Compares what is kept: 1 and 1.0 are the same number in canonical JSON.
fn same_state(one: Option<&WorktreeState>, other: Option<&WorktreeState>) -> Result<bool> {
    let what = "the state of a worktree";
    Ok(one == other || canonical(what, &one)? == canonical(what, &other)?)
}

fn bind_state<'q>(
    query: Query<'q>,
    id: &'q WorktreeId,
    state: &'q WorktreeState,
) -> Result<Query<'q>> {
    let (branch, version) = match &state.head {
        Head::Branch { name, at } => (Some(name.as_str()), at.map(|version| version.to_hex())),
        Head::Detached { version } => (None, Some(version.to_hex())),
    };
    let operation =
        state.operation.as_ref().map(|value| canonical("an operation", value)).transpose()?;
    Ok(query
        .bind(id.as_str())
        .bind(&state.path)
        .bind(state.dataset.as_str())
        .bind(branch)
        .bind(version)
        .bind(state.staged.to_hex())
        .bind(operation))
}

fn worktree_words(state: Option<&WorktreeState>) -> String {
    match state {
        None => "none".into(),
        Some(state) => {
            let head = match &state.head {
                Head::Branch { name, .. } => format!("branch `{name}`"),
                Head::Detached { version } => format!("version {version}"),
            };
            format!("{head} with {} staged", state.staged)
        }
    }
}

/// The generation of a version, which must be known.
async fn known_generation(connection: &mut SqliteConnection, id: &VersionId) -> Result<u64> {
    generation(connection, id)
        .await?
        .ok_or_else(|| Error::Unknown { what: format!("version {id}") })
}

async fn add_version(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    id: &VersionId,
    dataset: Option<&DatasetName>,
    absent: &[VersionId],
) -> Result<()> {
    let Some(version) = context.versions.get(id) else {
        let left_out = context.forgotten_later(id);
        return if left_out { Ok(()) } else { Err(Error::NoRecord { version: *id }) };
    };
    let mut parents = 0;
    let mut known = Vec::new();
    for (ordinal, parent) in (0_i64..).zip(&version.parents) {
        match generation(connection, parent).await? {
            Some(generation) => parents = parents.max(generation),
            None if absent.contains(parent) => continue,
            None => return Err(Error::Unknown { what: format!("version {parent}") }),
        }
        known.push((ordinal, parent));
    }
    let query = sqlx::query(sql::versions::ADD)
        .bind(id.to_hex())
        .bind(version.manifest.to_hex())
        .bind(&version.author.name)
        .bind(&version.author.email)
        .bind(version.time.unix())
        .bind(version.utc_offset_minutes)
        .bind(&version.message)
        .bind(signed("the number of files", version.files)?)
        .bind(signed("the size of a version", version.bytes)?)
        .bind(signed("the generation of a version", parents + 1)?)
        .bind(dataset.map(|name| name.as_str()))
        .bind(signed("the number of a journal entry", context.entry.number)?);
    if changed(connection, "add a version", query).await? == 0 {
        return Ok(());
    }
    for (ordinal, parent) in known {
        let query = sqlx::query(sql::versions::ADD_PARENT)
            .bind(id.to_hex())
            .bind(ordinal)
            .bind(parent.to_hex());
        changed(connection, "add a parent", query).await?;
    }
    add_provenance(connection, id, version).await?;
    add_version_words(connection, id, version).await
}

/// Notes the version that a foreign id has become; of one that is forgotten later nothing stays.
async fn note_import(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    origin: &str,
    (foreign, version): (&str, &VersionId),
) -> Result<()> {
    if context.forgotten_later(version) {
        let query = sqlx::query(sql::versions::UNNOTE_IMPORTED).bind(origin).bind(foreign);
        query.execute(connection).await.map_err(failed("note what was imported"))?;
        return Ok(());
    }
    known_generation(connection, version).await?;
    let query =
        sqlx::query(sql::versions::ADD_IMPORTED).bind(origin).bind(foreign).bind(version.to_hex());
    changed(connection, "note what was imported", query).await?;
    Ok(())
}

async fn forget(connection: &mut SqliteConnection, versions: &[VersionId]) -> Result<()> {
    for id in versions {
        for text in [sql::versions::REMOVE_PARENTS, sql::versions::REMOVE_IMPORTED] {
            changed(connection, "forget a version", sqlx::query(text).bind(id.to_hex())).await?;
        }
        forget_provenance(connection, id).await?;
        forget_words(connection, id).await?;
    }
    for id in versions {
        let user: Option<String> = sqlx::query_scalar(sql::versions::USERS)
            .bind(id.to_hex())
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed("look for users of a version"))?;
        if let Some(by) = user {
            return Err(Error::InUse { what: format!("version {id}"), by });
        }
        let query = sqlx::query(sql::versions::REMOVE).bind(id.to_hex());
        changed(connection, "forget a version", query).await?;
    }
    Ok(())
}
