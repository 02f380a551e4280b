//! The one method that writes.

use std::collections::HashMap;

use sqlx::{Connection, SqliteConnection};

use super::effects::{Context, perform, refuse_cycles};
use super::error::{failed, primary_code};
use super::journal::{Detail, add, canonical, head};
use super::records::newest_number;
use super::roots::root;
use super::{Applied, Catalogue, Changeset, Error, JournalEntry, Result};
use crate::model::RecordKind;

/// What [`Error::Moved`] names when the policy is not the one that was asked.
pub const THE_POLICY: &str = "the policy";

impl Catalogue {
    /// Makes all of the changes, in their order, or none of them.
    ///
    /// They are one transaction with one new entry in the journal. What a change expects to find
    /// is checked inside the transaction, so of two changesets made for the same state exactly one
    /// succeeds. When this returns, the change is on the disk. The copy of the journal beside the
    /// database is extended afterwards, as well as it can be.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if the session is too old, [`Error::Moved`] if something else was found
    /// than expected, [`Error::Cycle`] if records would say that a version was made from itself,
    /// [`Error::Busy`] if another program did not finish within ten seconds; nothing
    /// has changed after any error but [`Error::Uncertain`].
    pub fn apply(&self, changeset: &Changeset) -> Result<Applied> {
        if !self.is_writable() {
            return Err(Error::ReadOnly { path: self.path().into() });
        }
        let entry = self.write(async |connection| write(connection, changeset).await)?;
        let copy_problem = self.copy_journal().err().map(|problem| problem.to_string());
        Ok(Applied { number: entry.number, hash: entry.hash, copy_problem })
    }

    /// Runs `work` in a transaction that no other writer runs beside.
    pub(super) fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        let read_only = |error: Error| match error {
            Error::Database { source, .. } if primary_code(&source) == Some(8) => {
                Error::ReadOnly { path: self.path().into() }
            }
            other => other,
        };
        self.run(async |connection| {
            let mut transaction =
                connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin a change"))?;
            let value = work(&mut transaction).await?;
            transaction.commit().await.map_err(unkept)?;
            Ok(value)
        })
        .map_err(read_only)
    }
}

/// A failed check of the rules leaves nothing; after anything else only the log knows.
fn unkept(source: sqlx::Error) -> Error {
    match primary_code(&source) {
        Some(5 | 6 | 13 | 19) => Error::from_database("keep the change", source),
        _ => Error::Uncertain { source },
    }
}

async fn write(connection: &mut SqliteConnection, changeset: &Changeset) -> Result<JournalEntry> {
    if let Some(session) = changeset.session_epoch {
        let least = root(connection).await?.min_epoch;
        if session < least {
            return Err(Error::Fenced { session, least });
        }
    }
    let head = head(connection).await?;
    if let Some(expected) = changeset.after.filter(|after| *after != head.number) {
        return Err(Error::Moved {
            what: "the journal".into(),
            expected: expected.to_string(),
            found: head.number.to_string(),
        });
    }
    if let Some(expected) = changeset.policy {
        let found = newest_number(connection, RecordKind::Policy).await?;
        if found != expected {
            let (expected, found) = (expected.to_string(), found.to_string());
            return Err(Error::Moved { what: THE_POLICY.into(), expected, found });
        }
    }
    let detail = Detail {
        changes: changeset.changes.clone(),
        message: changeset.message.clone(),
        session_epoch: changeset.session_epoch,
    };
    let mut entry = JournalEntry {
        number: head.number + 1,
        time: changeset.time,
        actor: changeset.actor.to_string(),
        action: changeset.action.clone(),
        subject: changeset.subject.clone(),
        detail: canonical("a change", &detail)?,
        previous: head.hash,
        hash: String::new(),
    };
    entry.hash = entry.computed_hash();
    let context = Context {
        entry: &entry,
        message: changeset.message.as_deref(),
        versions: changeset
            .versions
            .iter()
            .map(|(id, version)| (id, version))
            .collect::<HashMap<_, _>>(),
        kept: None,
    };
    perform(connection, &context, &changeset.changes).await?;
    // Not when the journal is replayed: releases before this one may have let one through.
    refuse_cycles(connection, &changeset.changes).await?;
    add(connection, &entry).await?;
    Ok(entry)
}
