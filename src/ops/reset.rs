//! Making the branch, what is staged, and the files those of another version.

use serde::Serialize;

use super::Result;
use super::ask::{Coming, ask_here};
use super::commit::{branch, subject};
use super::travel::Journey;
use crate::catalogue::{Change, Head};
use crate::model::{RefKind, RefName, VersionId};
use crate::repo::{Absent, Repository, Transaction};

/// How much is made that of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// The branch.
    Soft,
    /// The branch and what is staged.
    #[default]
    Mixed,
    /// The branch, what is staged, and the files.
    Hard,
}

/// What was reset.
#[derive(Debug, Serialize)]
pub struct Reset {
    /// The branch that moved; none if the worktree is on none.
    pub branch: Option<RefName>,
    /// The version it had.
    pub from: Option<VersionId>,
    /// The version it has.
    pub version: VersionId,
    /// How much was reset.
    pub depth: Depth,
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

/// Resets the worktree to `revision`.
///
/// # Errors
///
/// [`crate::repo::Error::Unsaved`] where files that are not saved would be lost without `force`.
pub fn reset(
    repository: &Repository,
    revision: &str,
    depth: Depth,
    force: bool,
    dry_run: bool,
) -> Result<Reset> {
    let version = repository.resolve(revision)?.version;
    let target = repository.manifest_of(&version)?;
    let from = repository.head()?;
    if from != Some(version) {
        super::state::refuse_frozen(repository)?;
        ask_here(repository, action(depth), Coming::There(version), dry_run)?;
    }
    let (written, removed, absent) = (0, 0, Vec::new());
    let branch = branch(repository);
    let mut done = Reset { branch, from, version, depth, written, removed, absent, dry_run };
    let journey = match depth {
        Depth::Hard => Some(hard(repository, &target, force)?),
        Depth::Soft | Depth::Mixed => None,
    };
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
    let old_staged = repository.state().staged;
    let mut state = repository.state();
    let changes = move_head(repository, &mut state.head, from, version);
    if depth != Depth::Soft {
        state.staged = target;
        state.operation = None;
    }
    let transaction = Transaction { changes, state: Some(state), ..Transaction::default() };
    repository.change(action(depth), &subject(repository), None, transaction)?;
    match (&journey, &updated) {
        (Some(journey), Some(updated)) => {
            journey.keep_index(repository, updated);
            (done.written, done.removed) = (updated.written, updated.removed);
            done.absent = super::travel::absent_in(repository, &target)?;
        }
        // The files stay, so what was known of them is of other content now.
        _ if old_staged != repository.state().staged => {
            repository.forget_stats(&before, &old_staged, &target)?;
        }
        _ => {}
    }
    Ok(done)
}

/// The journal's word for it: `undo` brings back the files after one of them only.
fn action(depth: Depth) -> &'static str {
    if depth == Depth::Hard { "reset-hard" } else { "reset" }
}

/// Puts the head at a version; what that changes of the branch it is on.
fn move_head(
    repository: &Repository,
    head: &mut Head,
    from: Option<VersionId>,
    version: VersionId,
) -> Vec<Change> {
    match head {
        Head::Branch { name, at } => {
            *at = Some(version);
            let moved = Change::RefMoved {
                dataset: repository.dataset().clone(),
                kind: RefKind::Branch,
                name: name.clone(),
                old: from,
                new: Some(version),
                annotation: None,
            };
            if from == Some(version) { Vec::new() } else { vec![moved] }
        }
        Head::Detached { version: head } => {
            *head = version;
            Vec::new()
        }
    }
}

/// Every tracked file becomes that of the version; what is staged is dropped, as it is kept in the
/// store and `undo` brings it back. Files that are nowhere else stop it.
fn hard(
    repository: &Repository,
    target: &crate::model::ManifestId,
    force: bool,
) -> Result<Journey> {
    let journey = Journey::to(repository, target, true)?;
    if !force {
        journey.check(repository)?;
    }
    Ok(journey)
}
