//! Bringing the worktree from one version's listing to another's, keeping what is staged besides.

use super::Result;
use crate::format;
use crate::format::manifest::{self, Change, Finder};
use crate::model::{Entry, FileRef, ManifestId, RepoPath, Scope};
use crate::repo::{self, Absent, Looking, Repository, Session, Updated, survey, update};
use crate::worktree::Index;

/// A way from what is staged to what shall be staged.
pub struct Journey {
    /// What shall be staged, where it is a listing that exists.
    goal: Option<ManifestId>,
    /// The paths whose file changes, in order.
    changes: Vec<Change>,
    index: Index,
}

impl Journey {
    /// The way to `target`: paths that it changes against the current version change, and what is
    /// staged on other paths stays. With `force`, what is staged and what is not saved is dropped.
    ///
    /// # Errors
    ///
    /// [`repo::Error::Unsaved`] if a path that changes has something else staged.
    pub fn to(repository: &Repository, target: &ManifestId, force: bool) -> Result<Self> {
        let staged = repository.state().staged;
        let index = repository.index()?;
        if force {
            let changes = file_changes(repository, &staged, target, &Scope::default())?;
            return Ok(Self { goal: Some(*target), changes, index });
        }
        let head = repository.head_manifest()?;
        let mut changes = differences(repository, &head, target)?;
        if head == staged {
            return Ok(Self { goal: Some(*target), changes, index });
        }
        keep_staged(repository, &staged, &mut changes)?;
        must_fit(repository, &staged, &changes).map_err(|error| in_the_way(error, &changes))?;
        Ok(Self { goal: None, changes, index })
    }

    /// The way to what is staged now, changed by `changes` (in path order, `old` as staged).
    ///
    /// # Errors
    ///
    /// The worktree's.
    pub fn by(repository: &Repository, changes: Vec<Change>) -> Result<Self> {
        Ok(Self { goal: None, changes, index: repository.index()? })
    }

    /// The stat data of the files before they change.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The paths that change.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether going would lose something; changes nothing.
    ///
    /// # Errors
    ///
    /// [`repo::Error::Unsaved`].
    pub fn check(&self, repository: &Repository) -> Result<()> {
        Ok(repo::check(repository, &self.index, &self.changes)?)
    }

    /// Changes the files.
    ///
    /// # Errors
    ///
    /// As [`repo::update`].
    pub fn go(&self, repository: &Repository, force: bool) -> Result<Updated> {
        Ok(update(repository, &self.index, &self.changes, force)?)
    }

    /// The listing that is staged at the end.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn goal(&self, session: &Session<'_>) -> Result<ManifestId, repo::Error> {
        match self.goal {
            Some(goal) => Ok(goal),
            None => {
                let staged = session.repository().state().staged;
                session.edit_manifest(&staged, &edits_of(&self.changes))
            }
        }
    }

    /// Writes the index, once the catalogue has the listing.
    pub fn keep_index(&self, repository: &Repository, updated: &Updated) {
        let staged = repository.state().staged;
        repository.keep_index(&self.index, &staged, updated.as_of, &updated.records);
    }
}

/// The paths that differ between two listings, in order.
///
/// # Errors
///
/// What keeps the listings from being read.
pub fn differences(
    repository: &Repository,
    from: &ManifestId,
    to: &ManifestId,
) -> Result<Vec<Change>> {
    let nodes = repository.nodes();
    Ok(manifest::diff(&nodes, from, to)?.collect::<Result<_, repo::Error>>()?)
}

/// What of a listing cannot be given out.
///
/// # Errors
///
/// What keeps the listing from being read.
pub fn absent_in(repository: &Repository, listing: &ManifestId) -> Result<Vec<Absent>> {
    let mut absent = Vec::new();
    if repository.overlay().is_empty() {
        return Ok(absent);
    }
    let nodes = repository.nodes();
    for entry in manifest::list(&nodes, listing, b"")? {
        let Entry { path, file } = entry?;
        absent.extend(repository.absence(&path, &file));
    }
    Ok(absent)
}

/// Every path of the scope where the files or what is staged are not as in `target`, in order; `old`
/// is what is staged.
///
/// # Errors
///
/// What keeps the listings or the worktree from being read.
pub(super) fn file_changes(
    repository: &Repository,
    staged: &ManifestId,
    target: &ManifestId,
    scope: &Scope,
) -> Result<Vec<Change>> {
    let mut changes = differences(repository, staged, target)?;
    changes.retain(|change| scope.covers(change.path.as_bytes()));
    let staged_otherwise = changes.len();
    let looking = Looking { scope: scope.clone(), tracked_only: true, ..Looking::default() };
    let seen = survey(repository, &looking)?;
    let mut finder = Finder::new(repository.nodes(), *target)?;
    for path in seen.modified.into_iter().map(|file| file.path).chain(seen.deleted) {
        let known = &changes[..staged_otherwise];
        if known.binary_search_by(|change| change.path.cmp(&path)).is_err() {
            let file = finder.find(path.as_bytes())?;
            changes.push(Change { path, old: file, new: file });
        }
    }
    // Three lists in order, one behind the other, which a stable sort merges.
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// What a listing is changed to by `changes`.
pub(super) fn edits_of(changes: &[Change]) -> Vec<(RepoPath, Option<FileRef>)> {
    changes.iter().map(|change| (change.path.clone(), change.new)).collect()
}

/// Fails if a listing with `changes` would have a file in the place of a directory. Asked before the
/// files change, because the listing is made after them.
///
/// # Errors
///
/// [`format::Error::Clash`]; what keeps the listing from being read.
pub(super) fn must_fit(
    repository: &Repository,
    listing: &ManifestId,
    changes: &[Change],
) -> Result<(), repo::Error> {
    manifest::check_edits(&repository.nodes(), listing, &edits_of(changes))
}

/// What is staged stands in the way of what comes: that is work which is not saved.
fn in_the_way(error: repo::Error, changes: &[Change]) -> repo::Error {
    let repo::Error::Format(format::Error::Clash { file, below }) = error else { return error };
    let comes = |path: &RepoPath| changes.iter().any(|change| change.path == *path);
    let paths = [file, below].into_iter().filter(|path| !comes(path)).collect();
    repo::Error::Unsaved { paths }
}

/// Makes `old` what is staged. A path with something staged that is neither end is in the way.
fn keep_staged(
    repository: &Repository,
    staged: &ManifestId,
    changes: &mut Vec<Change>,
) -> Result<()> {
    let mut finder = Finder::new(repository.nodes(), *staged)?;
    let mut unsaved = Vec::new();
    for change in changes.iter_mut() {
        let now = finder.find(change.path.as_bytes())?;
        if now != change.old && now != change.new {
            unsaved.push(change.path.clone());
        }
        change.old = now;
    }
    changes.retain(|change| change.old != change.new);
    if unsaved.is_empty() {
        return Ok(());
    }
    Err(repo::Error::Unsaved { paths: unsaved }.into())
}
