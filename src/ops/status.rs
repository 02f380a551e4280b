//! What has changed and is not in a version yet.

use serde::Serialize;

use super::Result;
use super::add::Problem;
use super::bisect;
use super::commit::staged_changes;
use super::diff::Kind;
use super::operation::{Doing, Operation};
use super::pin::{self, PinState};
use crate::catalogue::Head;
use crate::model::{DatasetName, RefKind, RefName, RepoPath, Scope, VersionId};
use crate::repo::{Looking, Repository, Survey, survey};

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Where it lies.
    pub path: RepoPath,
    /// What happened to it.
    pub change: Kind,
    /// Where it was before, if renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RepoPath>,
}

/// The state of a worktree.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The dataset that it shows.
    pub dataset: DatasetName,
    /// The branch that it is on.
    pub branch: Option<RefName>,
    /// The version that it continues.
    pub head: Option<VersionId>,
    /// Where another worktree has moved the branch to since; `switch` goes there.
    pub moved_to: Option<VersionId>,
    /// Whether there is nothing to add and nothing to commit.
    pub clean: bool,
    /// What differs between the version and what is staged.
    pub staged: Vec<Changed>,
    /// What differs between what is staged and the files.
    pub changed: Vec<Changed>,
    /// Files that are not tracked and not ignored.
    pub untracked: Vec<Changed>,
    /// Paths in conflict.
    pub conflicts: Vec<RepoPath>,
    /// What is under way.
    pub operation: Option<Doing>,
    /// The branch or version that a bisect which is under way goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bisect_from: Option<String>,
    /// How the worktree stands to the nearest `data.stem`.
    pub pin: Option<PinState>,
    /// What cannot be tracked.
    pub odd: Vec<Problem>,
}

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct StatusOptions {
    /// Paths or directories, relative to the top; everything if there are none.
    pub paths: Vec<Vec<u8>>,
    /// Leave out the search for files that are not tracked.
    pub tracked_only: bool,
    /// Read every file, whatever its stat says.
    pub verify: bool,
}

/// Compares the current version, what is staged, and the files.
///
/// # Errors
///
/// The worktree's, the store's and the catalogue's.
pub fn status(repository: &Repository, options: &StatusOptions) -> Result<Status> {
    let looking = Looking {
        scope: Scope::of(&options.paths),
        tracked_only: options.tracked_only,
        ignored_too: false,
        distrust: options.verify,
    };
    let state = repository.state();
    let seen = survey(repository, &looking)?;
    repository.remember(&seen);
    let operation = Operation::of(repository)?;
    let staged: Vec<Changed> = staged_changes(repository)?
        .into_iter()
        .filter(|change| looking.scope.covers(change.path.as_bytes()))
        .map(|change| Changed { path: change.path, change: change.change, from: change.from })
        .collect();
    let changed = changed(&seen);
    let plain = |path: RepoPath, change| Changed { path, change, from: None };
    let untracked: Vec<_> =
        seen.untracked.into_iter().map(|found| plain(found.path, Kind::Added)).collect();
    let head = repository.head()?;
    let moved_to = tip(repository, &state.head)?.filter(|tip| head != Some(*tip));
    Ok(Status {
        pin: pin::state(repository, head),
        moved_to,
        dataset: repository.dataset().clone(),
        head,
        branch: match state.head {
            Head::Branch { name, .. } => Some(name),
            Head::Detached { .. } => None,
        },
        clean: staged.is_empty()
            && changed.is_empty()
            && untracked.is_empty()
            && operation.is_none(),
        conflicts: operation.as_ref().map(Operation::conflicts).unwrap_or_default(),
        operation: operation.map(|operation| operation.doing),
        bisect_from: bisect::began_at(repository)?,
        staged,
        changed,
        untracked,
        odd: seen.odd.iter().map(Problem::odd).collect(),
    })
}

/// The newest version of the branch that the worktree is on.
fn tip(repository: &Repository, head: &Head) -> Result<Option<VersionId>> {
    let Head::Branch { name, .. } = head else { return Ok(None) };
    let row = repository.catalogue.get_ref(repository.dataset(), RefKind::Branch, name)?;
    Ok(row.map(|row| row.version))
}

/// Modified and deleted files, in path order.
fn changed(seen: &Survey) -> Vec<Changed> {
    let modified = seen.modified.iter().map(|file| (&file.path, Kind::Modified));
    let deleted = seen.deleted.iter().map(|path| (path, Kind::Deleted));
    let mut changed: Vec<_> = modified
        .chain(deleted)
        .map(|(path, change)| Changed { path: path.clone(), change, from: None })
        .collect();
    changed.sort_by(|a, b| a.path.cmp(&b.path));
    changed
}
