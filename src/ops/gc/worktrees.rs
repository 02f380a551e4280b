//! Worktrees that are not there any more: what they had staged is kept until somebody says otherwise.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::catalogue::{Change, WorktreeRow};
use crate::ops::{Error, Result};
use crate::repo::{Config, Repository, Transaction};

/// The worktrees of the store that do not lie where they last said.
///
/// # Errors
///
/// The catalogue's.
pub fn lost_worktrees(repository: &Repository) -> Result<Vec<PathBuf>> {
    let rows = repository.catalogue.worktrees()?;
    let lost = rows.iter().filter(|row| is_lost(repository, row));
    Ok(lost.map(|row| PathBuf::from(&row.state.path)).collect())
}

/// Whether nothing lies there, or another worktree by now. What cannot be looked at may be there.
fn is_lost(repository: &Repository, row: &WorktreeRow) -> bool {
    if row.id == repository.worktree {
        return false;
    }
    let dot = Path::new(&row.state.path).join(".stem");
    match dot.symlink_metadata() {
        Ok(_) => Config::read(&dot).is_ok_and(|config| config.worktree != row.id.as_str()),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
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
    let rows = repository.catalogue.worktrees()?;
    let here: Vec<_> = rows.into_iter().filter(|row| row.state.path == text).collect();
    if here.is_empty() {
        return Err(Error::NoWorktree(path.to_path_buf()));
    }
    let lost: Vec<_> = here.into_iter().filter(|row| is_lost(repository, row)).collect();
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
