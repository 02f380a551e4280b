//! Where the worktrees of a store lie.
//!
//! The catalogue says where each lay when it last changed something. Since then it may have been
//! moved, and another may lie there; and the catalogue of a copied store names the worktrees of the
//! original.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::place::{DOT, store_dir};
use super::{Config, Repository, Result};
use crate::catalogue::{Catalogue, WorktreeId, WorktreeRow};

/// A worktree of a store.
#[derive(Debug, Clone)]
pub struct Worktree {
    /// What the catalogue says of it.
    pub row: WorktreeRow,
    /// Where it lies, or lay last.
    pub path: PathBuf,
    /// Whether nothing lies there, or something else. What cannot be looked at may be there.
    pub is_lost: bool,
}

impl Repository {
    /// The worktrees of the store; this one lies where it was opened.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn worktrees(&self) -> Result<Vec<Worktree>> {
        let mut all = worktrees(&self.catalogue, &self.place.store)?;
        for one in all.iter_mut().filter(|one| one.row.id == self.worktree) {
            (one.path, one.is_lost) = (self.place.root.clone(), false);
        }
        Ok(all)
    }
}

/// The worktrees of the store at `store`.
///
/// # Errors
///
/// The catalogue's.
pub fn worktrees(catalogue: &Catalogue, store: &Path) -> Result<Vec<Worktree>> {
    // The worktree that the store lies in is where the store is.
    let home = store.parent().and_then(|dot| Some((dot.parent()?, Config::read(dot).ok()?)));
    let place = |row: WorktreeRow| match &home {
        Some((top, config)) if config.worktree == row.id.as_str() => {
            Worktree { row, path: top.to_path_buf(), is_lost: false }
        }
        _ => {
            let path = PathBuf::from(&row.state.path);
            let is_lost = is_lost(&path, &row.id, store);
            Worktree { row, path, is_lost }
        }
    };
    Ok(catalogue.worktrees()?.into_iter().map(place).collect())
}

/// Whether the worktree of this id does not lie at `top`, or is another store's.
fn is_lost(top: &Path, id: &WorktreeId, store: &Path) -> bool {
    let dot = top.join(DOT);
    let same = |other: &Path| match (other.canonicalize(), store.canonicalize()) {
        (Ok(other), Ok(store)) => other == store,
        _ => false,
    };
    match dot.symlink_metadata() {
        Ok(_) => Config::read(&dot)
            .is_ok_and(|config| config.worktree != id.as_str() || !same(&store_dir(&dot, &config))),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}
