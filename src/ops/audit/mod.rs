//! What the journal says, whether it is whole, and proofs of it for people who have nothing else.

mod checkpoint;
mod proof;
mod verify;

use std::io::{self, Write};

use serde::Serialize;

use super::{Error, Result};
use crate::catalogue::{JournalEntry, JournalFilter};
use crate::git;
use crate::model::Time;
use crate::repo::Repository;

pub use checkpoint::{Made, checkpoint};
pub(in crate::ops) use proof::leaves;
pub use proof::{Checked, PROOF_TYPE, Proof, check_proof, prove};
pub use verify::{AuditReport, CheckpointStatus, OddTimes, VerifyOptions, verify, verify_at};

/// How many entries are in memory at once when the journal is handed on.
const PAGE: u64 = 4096;

/// An entry of the journal.
#[derive(Debug, Clone, Serialize)]
pub struct EntryInfo {
    /// From 1, without gaps.
    pub number: u64,
    /// When the change was made, by the clock of who made it.
    pub time: Time,
    /// Who made it: `Name <mail>`.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// The changes, and what was said of them.
    pub detail: serde_json::Value,
    /// The hash of the entry.
    pub hash: String,
    /// The hash of the entry before.
    pub previous: String,
}

impl EntryInfo {
    /// An entry as data.
    ///
    /// # Errors
    ///
    /// [`crate::catalogue::Error::BadJournal`] if its detail is not JSON.
    pub fn of(entry: JournalEntry) -> Result<Self> {
        let detail = serde_json::from_str(&entry.detail).map_err(|error| {
            let (number, problem) = (entry.number, error.to_string());
            crate::catalogue::Error::BadJournal { number, problem }
        })?;
        Ok(Self {
            number: entry.number,
            time: entry.time,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            detail,
            hash: entry.hash,
            previous: entry.previous,
        })
    }

    /// What the user said of the change.
    pub fn message(&self) -> Option<&str> {
        self.detail.get("message")?.as_str()
    }
}

/// A part of the journal.
#[derive(Debug, Serialize)]
pub struct AuditLog {
    /// The entries, newest first.
    pub entries: Vec<EntryInfo>,
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct AuditLogOptions {
    /// Not older than this: a date, RFC 3339, or words such as `2 weeks ago`.
    pub since: Option<String>,
    /// Text in the name or mail address of who made them.
    pub actor: Option<String>,
    /// The verb.
    pub action: Option<String>,
    /// Text in what it was done to.
    pub subject: Option<String>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Lists entries of the journal, newest first, as they stand: whether they are sound is not looked
/// at.
///
/// # Errors
///
/// [`git::Error::Date`] for a date that is none; the catalogue's.
pub fn log(repository: &Repository, options: &AuditLogOptions) -> Result<AuditLog> {
    let since = match &options.since {
        Some(text) => Some(git::parse_date(text, repository.now())?),
        None => None,
    };
    let filter = JournalFilter {
        since,
        actor: options.actor.clone(),
        action: options.action.clone(),
        subject: options.subject.clone(),
        limit: options.limit,
    };
    let entries = repository.catalogue.journal_where(&filter)?;
    Ok(AuditLog { entries: entries.into_iter().map(EntryInfo::of).collect::<Result<_>>()? })
}

/// The journal, handed on.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// How many entries were written.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
}

/// Writes the journal to `out`, an entry on each line: canonical JSON with its hash, as in the copy
/// of the journal beside the catalogue.
///
/// # Errors
///
/// [`Error::Output`]; the catalogue's. An entry that is not sound is written as it stands.
pub fn export(repository: &Repository, out: &mut dyn Write) -> Result<Exported> {
    let mut done = Exported { entries: 0, head: String::new() };
    let mut next = 1;
    loop {
        let page = repository.catalogue.journal(next, u64::MAX, PAGE)?;
        let Some(last) = page.last() else { break };
        next = last.number.saturating_add(1);
        done.head.clone_from(&last.hash);
        done.entries += page.len() as u64;
        for entry in &page {
            let written =
                out.write_all(entry.to_line().as_bytes()).and_then(|()| out.write_all(b"\n"));
            match written {
                // The reader has heard enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(done),
                written => written.map_err(Error::Output)?,
            }
        }
    }
    out.flush().map_err(Error::Output)?;
    Ok(done)
}
