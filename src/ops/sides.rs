//! The other side of a conflict, as a file beside the path in conflict.

use std::collections::HashSet;

use super::operation::{Doing, Operation};
use super::travel::Journey;
use super::{Error, Result};
use crate::format::manifest::{self, Change};
use crate::model::RepoPath;
use crate::repo::{self, Repository};

/// The name that the other side's file gets beside a path in conflict.
pub(super) fn theirs_path(path: &RepoPath) -> Option<RepoPath> {
    let mut bytes = path.as_bytes().to_vec();
    bytes.extend_from_slice(b".theirs");
    RepoPath::new(bytes).ok()
}

/// Removes the other side's files beside the conflicts, as far as they are as they were written. What
/// is tracked was there before, and stays.
///
/// # Errors
///
/// What keeps the listings or the files from being read.
pub fn remove_sides(repository: &Repository, operation: &Operation) -> Result<()> {
    let theirs = match operation.doing {
        Doing::Merge | Doing::CherryPick => repository.manifest_of(&operation.other)?,
        Doing::Revert => match repository.version(&operation.other)?.parents.first() {
            Some(parent) => repository.manifest_of(parent)?,
            None => manifest::empty().0,
        },
    };
    let (nodes, staged) = (repository.nodes(), repository.state().staged);
    let mut sides = Vec::new();
    for path in operation.all() {
        let file = manifest::get(&nodes, &theirs, path.as_bytes())?;
        let (Some(path), Some(file)) = (theirs_path(&path), file) else { continue };
        if manifest::get(&nodes, &staged, path.as_bytes())?.is_some() {
            continue;
        }
        sides.push(Change { path, old: Some(file), new: None });
    }
    sides.sort_by(|a, b| a.path.cmp(&b.path));
    let journey = Journey::by(repository, sides.clone())?;
    match journey.check(repository) {
        Err(Error::Repo(repo::Error::Unsaved { paths })) => {
            let changed: HashSet<RepoPath> = paths.into_iter().collect();
            sides.retain(|side| !changed.contains(&side.path));
            Journey::by(repository, sides)?.go(repository, false)?;
        }
        checked => {
            checked?;
            journey.go(repository, false)?;
        }
    }
    Ok(())
}

/// Where the files beside the conflicts of what is under way lie.
pub(super) fn of(repository: &Repository) -> Vec<RepoPath> {
    let operation = Operation::of(repository).ok().flatten();
    let paths = operation.map(|operation| operation.all()).unwrap_or_default();
    paths.iter().filter_map(theirs_path).collect()
}
