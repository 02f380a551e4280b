//! The stages of a dataset's life: which may follow which, and what stands still.

use sqlx::SqliteConnection;

use crate::catalogue::error::failed;
use crate::catalogue::read::word;
use crate::catalogue::{Error, Result, sql};
use crate::model::{DatasetName, Record, State};

/// What was said last of a version, or, without one, of a dataset.
async fn state_of(
    connection: &mut SqliteConnection,
    dataset: Option<&DatasetName>,
    version: Option<String>,
) -> Result<State> {
    let query = match version {
        Some(version) => sqlx::query_scalar(sql::records::STATE_OF_VERSION).bind(version),
        None => sqlx::query_scalar(sql::records::STATE_OF_DATASET)
            .bind(dataset.map(|name| name.as_str().to_owned())),
    };
    let found: Option<Option<String>> =
        query.fetch_optional(connection).await.map_err(failed("read a state"))?;
    match found.flatten() {
        None => Ok(State::Active),
        Some(text) => word("a state", &text, text.parse().ok()),
    }
}

/// Fails if the branches and tags of the dataset stand still.
pub(in crate::catalogue) async fn refuse_frozen(
    connection: &mut SqliteConnection,
    dataset: &DatasetName,
) -> Result<()> {
    let state = state_of(connection, Some(dataset), None).await?;
    if state.is_frozen() {
        return Err(Error::Frozen { dataset: dataset.clone(), state });
    }
    Ok(())
}

/// Fails if a record says a state that may not follow on the one before it.
pub(super) async fn refuse_illegal(
    connection: &mut SqliteConnection,
    record: &Record,
) -> Result<()> {
    let bad = || Error::BadRecord { kind: record.kind.as_str() };
    let next: State = record.name.as_deref().and_then(|name| name.parse().ok()).ok_or_else(bad)?;
    if record.dataset.is_none() && record.version.is_none() {
        return Err(bad());
    }
    let version = record.version.map(|id| id.to_hex());
    let state = state_of(connection, record.dataset.as_ref(), version).await?;
    if state.may_become(next) { Ok(()) } else { Err(Error::Illegal { from: state, to: next }) }
}
