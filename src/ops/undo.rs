//! Taking back the last change of this worktree or of its dataset's branches and tags.

use std::collections::HashSet;

use serde::Serialize;

use super::operation::Operation;
use super::sides::remove_sides;
use super::travel::{Journey, differences};
use super::{Error, Result};
use crate::catalogue::{Change, JournalEntry, WorktreeState};
use crate::repo::{self, Absent, Repository, Transaction};

/// So many entries of the journal are looked through.
pub(super) const FARTHEST: u64 = 10_000;

/// The verbs that change the worktree's files to what they stage; taking them back changes the
/// files back. All others leave the files alone.
const CHANGE_FILES: &[&str] = &[
    "switch",
    "reset-hard",
    "merge",
    "merge-abort",
    "cherry-pick",
    "cherry-pick-abort",
    "revert",
    "revert-abort",
    "rollback",
    "import",
    "import-git",
    "bisect",
    "rm",
    "mv",
];

/// What was taken back.
#[derive(Debug, Serialize)]
pub struct Undo {
    /// The entry of the journal.
    pub number: u64,
    /// Its verb.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// Files written.
    pub written: u64,
    /// Files removed.
    pub removed: u64,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Takes back the newest change that has not been taken back yet. Versions stay in the store, and
/// the reflog still names them.
///
/// # Errors
///
/// [`Error::Refused`] if there is nothing left; [`repo::Error::Unsaved`]; a branch that somebody
/// else has moved since.
pub fn undo(repository: &Repository, force: bool, dry_run: bool) -> Result<Undo> {
    let (entry, changes) = last(repository)?
        .ok_or_else(|| Error::Refused("there is nothing left to take back".into()))?;
    let (moves, state) = inverse(repository, &changes);
    refuse_frozen(repository, &moves)?;
    let mut done = Undo {
        number: entry.number,
        action: entry.action.clone(),
        subject: entry.subject.clone(),
        written: 0,
        removed: 0,
        absent: Vec::new(),
        dry_run,
    };
    if let Some(state) = &state {
        // What was staged long ago may be collected since.
        repository.must_have(&[state.staged])?;
    }
    let journey = state.as_ref().map(|state| way_back(repository, &entry, state)).transpose()?;
    let subject = format!("{} {}", entry.action, entry.subject);
    let asked = Transaction { changes: moves.clone(), ..Transaction::default() };
    repository.ask("undo", &subject, &asked, dry_run)?;
    if dry_run {
        if let Some(journey) = journey.filter(|_| !force) {
            journey.check(repository)?;
        }
        return Ok(done);
    }
    let updated = match &journey {
        Some(journey) => Some(journey.go(repository, force)?),
        None => None,
    };
    let before = repository.index()?;
    let from = repository.state().staged;
    let under_way = Operation::of(repository)?;
    let mut changes = vec![Change::Undone { number: entry.number }];
    changes.extend(moves);
    let transaction = Transaction { changes, state, ..Transaction::default() };
    repository.change("undo", &subject, None, transaction)?;
    if let (Some(under_way), None) = (under_way, repository.state().operation) {
        remove_sides(repository, &under_way)?;
    }
    let staged = repository.state().staged;
    if let (Some(journey), Some(updated)) = (&journey, &updated) {
        if journey.changes().is_empty() {
            repository.forget_stats(&before, &from, &staged)?;
        } else {
            journey.keep_index(repository, updated);
        }
        (done.written, done.removed) = (updated.written, updated.removed);
        done.absent.clone_from(&updated.absent);
    }
    Ok(done)
}

/// The files that change with the worktree's state, if the entry had changed any.
fn way_back(
    repository: &Repository,
    entry: &JournalEntry,
    state: &WorktreeState,
) -> Result<Journey> {
    let mut files = differences(repository, &repository.state().staged, &state.staged)?;
    if !CHANGE_FILES.contains(&entry.action.as_str()) {
        files.clear();
    }
    Journey::by(repository, files)
}

/// What stands still is not moved back either.
fn refuse_frozen(repository: &Repository, moves: &[Change]) -> Result<()> {
    match moves.is_empty() {
        true => Ok(()),
        false => Ok(repository.catalogue.refuse_frozen(repository.dataset())?),
    }
}

/// The newest entry that concerns this worktree or the dataset's refs and is not taken back.
fn last(repository: &Repository) -> Result<Option<(JournalEntry, Vec<Change>)>> {
    let head = repository.catalogue.journal_head()?.number;
    let mut undone: HashSet<u64> = HashSet::new();
    let mut before = head + 1;
    while before > 1 && head - before.min(head) < FARTHEST {
        let entries = repository.catalogue.journal_before(before, 100)?;
        let Some(least) = entries.iter().map(|entry| entry.number).min() else { break };
        for entry in entries {
            let changes = entry.changes()?;
            let takes_back = changes.iter().find_map(|change| match change {
                Change::Undone { number } => Some(*number),
                _ => None,
            });
            if let Some(number) = takes_back {
                undone.insert(number);
            } else if !undone.contains(&entry.number) && concerns(repository, &changes) {
                return Ok(Some((entry, changes)));
            }
        }
        before = least;
    }
    Ok(None)
}

fn concerns(repository: &Repository, changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::RefMoved { dataset, .. } => dataset == repository.dataset(),
        Change::WorktreeChanged { id, old: Some(_), new: Some(_) } => *id == repository.worktree,
        _ => false,
    })
}

/// The refs moved back, and the worktree's state before.
fn inverse(repository: &Repository, changes: &[Change]) -> (Vec<Change>, Option<WorktreeState>) {
    let (mut moves, mut state) = (Vec::new(), None);
    for change in changes.iter().rev() {
        match change {
            Change::RefMoved { dataset, kind, name, old, new, annotation }
                if dataset == repository.dataset() =>
            {
                moves.push(Change::RefMoved {
                    dataset: dataset.clone(),
                    kind: *kind,
                    name: name.clone(),
                    old: *new,
                    new: *old,
                    annotation: annotation.clone(),
                });
            }
            Change::WorktreeChanged { id, old: Some(old), new: Some(_) }
                if *id == repository.worktree =>
            {
                state = Some(old.clone());
            }
            _ => {}
        }
    }
    (moves, state)
}

impl Repository {
    /// Keeps the index in agreement where only what is staged has changed and the files have not.
    ///
    /// # Errors
    ///
    /// What keeps the listings from being read.
    pub(super) fn forget_stats(
        &self,
        index: &crate::worktree::Index,
        from: &crate::model::ManifestId,
        to: &crate::model::ManifestId,
    ) -> Result<(), repo::Error> {
        let nodes = self.nodes();
        let mut records = Vec::new();
        for change in crate::format::manifest::diff(&nodes, from, to)? {
            let change: crate::format::manifest::Change = change?;
            let stat = crate::worktree::Stat::UNKNOWN;
            let record = change.new.map(|file| crate::worktree::Record { file, stat });
            records.push((change.path, record));
        }
        self.keep_index(index, to, index.as_of(), &records);
        Ok(())
    }
}
