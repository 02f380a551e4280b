//! Worktrees that are not there any more: what they had staged is kept until somebody says otherwise.

use std::path::{Path, PathBuf};

use crate::catalogue::{Change, WorktreeRow};
use crate::ops::{Error, Result};
use crate::repo::{Repository, Transaction};

/// The worktrees of the store that do not lie where they last said.
///
/// # Errors
///
/// The catalogue's.
pub fn lost_worktrees(repository: &Repository) -> Result<Vec<PathBuf>> {
    let lost = repository.worktrees()?.into_iter().filter(|one| one.is_lost);
    Ok(lost.map(|one| one.path).collect())
}

/// Forgets the worktree that lay at `path` and is not there any more: what only it had staged is kept
/// for as long as `gc` keeps what was let go of. A worktree that was moved and not used since lies
/// elsewhere, and could not be used again.
///
/// # Errors
///
/// [`Error::NoWorktree`]; [`Error::Refused`] for one that is there.
pub fn forget_worktree(repository: &Repository, path: &Path, dry_run: bool) -> Result<PathBuf> {
    let path = &resolved(path);
    let text = path.to_string_lossy();
    let all = repository.worktrees()?.into_iter();
    let here: Vec<_> = all.filter(|one| one.path.to_string_lossy() == text).collect();
    if here.is_empty() {
        return Err(Error::NoWorktree(path.to_path_buf()));
    }
    let lost: Vec<_> = here.into_iter().filter(|one| one.is_lost).map(|one| one.row).collect();
    if lost.is_empty() {
        let there = format!("the worktree at {} is there: remove it first", path.display());
        return Err(Error::Refused(there));
    }
    let forgotten =
        |row: WorktreeRow| Change::WorktreeChanged { id: row.id, old: Some(row.state), new: None };
    let changes = lost.into_iter().map(forgotten).collect();
    let transaction = Transaction { changes, ..Transaction::default() };
    repository.ask("forget-worktree", &text, &transaction, dry_run)?;
    if !dry_run {
        repository.change("forget-worktree", &text, None, transaction)?;
    }
    Ok(path.clone())
}

/// The path with no links in it; of a directory that is gone, as far as there is something.
fn resolved(path: &Path) -> PathBuf {
    let of_parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_parent).unwrap_or_else(|| path.to_path_buf())
}
