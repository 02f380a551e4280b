//! Comparing two listings, path by path.

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::renames::find_renames;

use super::{Error, Result};
use crate::format::manifest::{self, Finder};
use crate::model::{FileId, FileRef, ManifestId, Mode, RepoPath, Scope, VersionId};
use crate::repo::{Looking, Repository, hash_file, or_head, survey};
use crate::worktree::Root;

mod renames;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was not there before.
    Added,
    /// Its content or mode is another.
    Modified,
    /// It is not there any more.
    Deleted,
    /// The same content was elsewhere before, and is not there any more.
    Renamed,
}

/// One side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The file's id.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// What it is.
    pub mode: Mode,
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathChange {
    /// Where it lies, or lay.
    pub path: RepoPath,
    /// What happened.
    pub change: Kind,
    /// Where the content was before, if renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RepoPath>,
    /// What was there.
    pub old: Option<Side>,
    /// What is there.
    pub new: Option<Side>,
}

/// Sums over changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Paths added.
    pub added: u64,
    /// Paths modified.
    pub modified: u64,
    /// Paths deleted.
    pub deleted: u64,
    /// Paths renamed.
    pub renamed: u64,
    /// Bytes of new content.
    pub bytes_added: u64,
    /// Bytes of content that is gone.
    pub bytes_removed: u64,
}

impl Side {
    fn of(file: FileRef) -> Self {
        Self { file: file.file, size: file.size, mode: file.mode }
    }
}

impl PathChange {
    /// What happened to a path; nothing if both sides are equal.
    pub fn new(path: RepoPath, old: Option<FileRef>, new: Option<FileRef>) -> Option<Self> {
        let change = match (old, new) {
            (None, Some(_)) => Kind::Added,
            (Some(_), None) => Kind::Deleted,
            (Some(old), Some(new)) if old != new => Kind::Modified,
            _ => return None,
        };
        let (old, new) = (old.map(Side::of), new.map(Side::of));
        Some(Self { path, change, from: None, old, new })
    }
}

impl Totals {
    /// The sums over `changes`.
    pub fn of(changes: &[PathChange]) -> Self {
        let mut totals = Self::default();
        for change in changes {
            match change.change {
                Kind::Added => totals.added += 1,
                Kind::Modified => totals.modified += 1,
                Kind::Deleted => totals.deleted += 1,
                Kind::Renamed => totals.renamed += 1,
            }
            if change.change != Kind::Renamed {
                totals.bytes_added += change.new.map_or(0, |side| side.size);
                totals.bytes_removed += change.old.map_or(0, |side| side.size);
            }
        }
        totals
    }
}

/// The paths that differ between two listings, in order, renames not yet found.
///
/// # Errors
///
/// What keeps the listings from being read.
pub fn compare(
    repository: &Repository,
    from: &ManifestId,
    to: &ManifestId,
) -> Result<Vec<PathChange>> {
    let nodes = repository.nodes();
    let mut changes = Vec::new();
    for change in manifest::diff(&nodes, from, to)? {
        let manifest::Change { path, old, new } = change?;
        changes.extend(PathChange::new(path, old, new));
    }
    Ok(changes)
}

/// What to compare.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// One side: a revision, or a range `a..b` which is both; if not given, what is staged, or
    /// with `staged` the current version.
    pub from: Option<String>,
    /// The other side; if not given, the files, or with `staged` what is staged.
    pub to: Option<String>,
    /// Look at what is staged instead of the files.
    pub staged: bool,
    /// Only these paths and directories.
    pub paths: Vec<Vec<u8>>,
}

/// Two sides compared.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The version on one side; none for what is staged.
    pub from: Option<VersionId>,
    /// The version on the other side; none for what is staged, or the files.
    pub to: Option<VersionId>,
    /// The paths that differ, in order.
    pub changes: Vec<PathChange>,
    /// Sums over them.
    pub totals: Totals,
}

/// Compares two versions, or a version with what is staged or with the files.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like; what keeps the listings or files from being read.
pub fn diff(repository: &Repository, options: &DiffOptions) -> Result<Diff> {
    let (from, to) = sides(repository, options)?;
    let staged = repository.state().staged;
    let old = match from {
        Some(version) => repository.manifest_of(&version)?,
        None if options.staged => repository.head_manifest()?,
        None => staged,
    };
    let new = to.map(|version| repository.manifest_of(&version)).transpose()?;
    let mut changes = compare(repository, &old, &new.unwrap_or(staged))?;
    let scope = Scope::of(&options.paths);
    if new.is_none() && !options.staged {
        changes = with_files(repository, &old, changes, &scope)?;
    }
    changes.retain(|change| scope.covers(change.path.as_bytes()));
    let changes = find_renames(changes);
    Ok(Diff { from, to, totals: Totals::of(&changes), changes })
}

/// The versions that are compared. `a...b` is, as in Git, what `b` has changed since both were one.
fn sides(
    repository: &Repository,
    options: &DiffOptions,
) -> Result<(Option<VersionId>, Option<VersionId>)> {
    let resolve = |text: &str| -> Result<VersionId> { Ok(repository.resolve(text)?.version) };
    let (from, to) = (options.from.as_deref(), options.to.as_deref());
    let range = from.filter(|_| to.is_none()).and_then(|text| text.split_once(".."));
    let Some((left, right)) = range else {
        return Ok((from.map(resolve).transpose()?, to.map(resolve).transpose()?));
    };
    if options.staged {
        let text = "a range has both sides, so what is staged is not one of them";
        return Err(Error::Refused(text.into()));
    }
    let left = or_head(left);
    let Some(right) = right.strip_prefix('.') else {
        return Ok((Some(resolve(left)?), Some(resolve(or_head(right))?)));
    };
    let (left, right) = (resolve(left)?, resolve(or_head(right))?);
    match repository.catalogue.merge_bases(&left, &right)?.first() {
        Some(base) => Ok((Some(*base), Some(right))),
        None => Err(Error::Refused("the two versions have no past in common".into())),
    }
}

/// The changes from `old` to the files, given those from `old` to what is staged.
fn with_files(
    repository: &Repository,
    old: &ManifestId,
    changes: Vec<PathChange>,
    scope: &Scope,
) -> Result<Vec<PathChange>> {
    let looking = Looking { scope: scope.clone(), tracked_only: true, ..Looking::default() };
    let seen = survey(repository, &looking)?;
    let root = Root::open(&repository.place.root)?;
    let mut by_path: BTreeMap<RepoPath, PathChange> =
        changes.into_iter().map(|change| (change.path.clone(), change)).collect();
    let mut buffer = Vec::new();
    let mut files: Vec<(RepoPath, Option<FileRef>)> = Vec::new();
    for file in seen.modified {
        let (stat, id) = hash_file(&root, &file.path, file.stat.mode, &mut buffer)?;
        files.push((file.path, Some(FileRef { mode: stat.mode, size: stat.size, file: id })));
    }
    files.extend(seen.deleted.into_iter().map(|path| (path, None)));
    let mut finder = Finder::new(repository.nodes(), *old)?;
    for (path, new) in files {
        let old = finder.find(path.as_bytes())?;
        match PathChange::new(path.clone(), old, new) {
            Some(change) => by_path.insert(path, change),
            None => by_path.remove(&path),
        };
    }
    Ok(by_path.into_values().collect())
}
