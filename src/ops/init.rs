//! Making a repository.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Result;
use super::travel::{Journey, differences};
use crate::catalogue::Head;
use crate::format::manifest;
use crate::model::DatasetName;
use crate::repo::{self, Environment, InitOptions, Repository};

/// A repository that is there now.
#[derive(Debug, Serialize)]
pub struct Init {
    /// The top of the worktree.
    pub repository: PathBuf,
    /// The store's directory.
    pub store: PathBuf,
    /// The dataset that the worktree shows.
    pub dataset: DatasetName,
    /// Its branch.
    pub branch: Option<String>,
    /// Whether it was there before.
    pub existed: bool,
    /// Files written, because the dataset has versions already.
    pub files: u64,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// Makes `directory` a worktree; see [`repo::init`]. If the dataset has versions already, it gets the
/// files of branch `main`.
///
/// # Errors
///
/// As [`repo::init`]; [`repo::Error::Unsaved`] if other files are where the dataset's go: the
/// worktree is made then, and shows them as changed.
pub fn init(directory: &Path, options: &InitOptions, environment: Environment) -> Result<Init> {
    let made = repo::init(directory, options, environment)?;
    let repository = made.repository;
    let files = if made.existed { 0 } else { bring_files(&repository)? };
    let branch = match repository.state().head {
        Head::Branch { name, .. } => Some(name.to_string()),
        Head::Detached { .. } => None,
    };
    Ok(Init {
        repository: repository.place.root.clone(),
        store: repository.place.store.clone(),
        dataset: repository.dataset().clone(),
        branch,
        existed: made.existed,
        files,
        dry_run: false,
    })
}

/// What [`init`] would do; nothing is written.
///
/// # Errors
///
/// As [`repo::plan_init`].
pub fn plan(directory: &Path, options: &InitOptions, environment: Environment) -> Result<Init> {
    let planned = repo::plan_init(directory, options, environment)?;
    Ok(Init {
        repository: planned.root,
        store: planned.store,
        dataset: planned.dataset,
        branch: Some("main".into()),
        existed: planned.existed,
        files: planned.files,
        dry_run: true,
    })
}

/// Writes the files of a dataset that has versions already.
fn bring_files(repository: &Repository) -> Result<u64> {
    let staged = repository.state().staged;
    let (empty, _) = manifest::empty();
    if staged == empty {
        return Ok(0);
    }
    let mut changes = differences(repository, &empty, &staged)?;
    for change in &mut changes {
        change.old = change.new;
    }
    let journey = Journey::by(repository, changes)?;
    let updated = journey.go(repository, false)?;
    journey.keep_index(repository, &updated);
    Ok(updated.written)
}
