//! Taking files out of the dataset, and giving them other names.

use std::collections::HashMap;

use serde::Serialize;

use super::operation::Operation;
use super::travel::Journey;
use super::{Error, Result};
use crate::format::manifest::{self, Change};
use crate::model::{Entry, FileRef, Mode, RepoPath, Scope};
use crate::repo::{self, Content, Repository, Transaction};
use crate::worktree::write::{Writer, check_link, rename};
use crate::worktree::{Record, Root, Stat, file_time};

/// What was taken out.
#[derive(Debug, Serialize)]
pub struct Remove {
    /// The paths.
    pub removed: Vec<RepoPath>,
    /// Whether the files stay.
    pub cached: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// The staged entries at or below a path.
fn entries(repository: &Repository, path: &[u8]) -> Result<Vec<Entry>> {
    let staged = repository.state().staged;
    let nodes = repository.nodes();
    Ok(manifest::list(&nodes, &staged, path)?.collect::<Result<_, repo::Error>>()?)
}

/// Stages the removal of `paths`, and removes the files unless `cached` is set.
///
/// # Errors
///
/// [`Error::NoMatch`]; [`repo::Error::Unsaved`] for files that differ from what is staged.
pub fn remove(
    repository: &Repository,
    paths: &[Vec<u8>],
    cached: bool,
    force: bool,
    dry_run: bool,
) -> Result<Remove> {
    let mut all: Vec<Entry> = Vec::new();
    let mut missing = Vec::new();
    for path in paths {
        let found = entries(repository, path)?;
        if found.is_empty() {
            missing.push(path.clone());
        }
        all.extend(found);
    }
    if !missing.is_empty() {
        return Err(Error::NoMatch(missing));
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all.dedup_by(|a, b| a.path == b.path);
    let removed: Vec<_> = all.iter().map(|entry| entry.path.clone()).collect();
    let changes: Vec<_> = all
        .into_iter()
        .map(|entry| Change { path: entry.path, old: Some(entry.file), new: None })
        .collect();
    let journey = Journey::by(repository, changes)?;
    if !cached && !force {
        journey.check(repository)?;
    }
    if dry_run {
        return Ok(Remove { removed, cached, dry_run });
    }
    let from = repository.state().staged;
    let updated = if cached { None } else { Some(journey.go(repository, force)?) };
    let (operation, scope) = (Operation::of(repository)?, Scope::of(paths));
    let action = if cached { "rm-cached" } else { "rm" };
    repository.transact(action, repository.dataset().as_str(), None, |session| {
        let mut state = repository.state();
        state.staged = journey.goal(session)?;
        if let Some(operation) = operation.clone() {
            state.operation = operation.without(|path| scope.covers(path.as_bytes())).to_value();
        }
        Ok((Transaction { state: Some(state), ..Transaction::default() }, ()))
    })?;
    match &updated {
        Some(updated) => journey.keep_index(repository, updated),
        None => repository.forget_stats(journey.index(), &from, &repository.state().staged)?,
    }
    Ok(Remove { removed, cached, dry_run })
}

/// What was given another name.
#[derive(Debug, Serialize)]
pub struct Rename {
    /// Old and new paths.
    pub renamed: Vec<Renamed>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A path with another name.
#[derive(Debug, Clone, Serialize)]
pub struct Renamed {
    /// Where it was.
    pub from: RepoPath,
    /// Where it is.
    pub to: RepoPath,
}

/// Renames a tracked file or directory, in the worktree and in what is staged. A destination that
/// is a directory takes it in.
///
/// # Errors
///
/// [`Error::NoMatch`]; [`Error::Refused`] if the destination is there already.
pub fn move_path(repository: &Repository, from: &[u8], to: &[u8], dry_run: bool) -> Result<Rename> {
    let from = RepoPath::new(from.to_vec())?;
    let to = destination(repository, &from, to)?;
    let moved = entries(repository, from.as_bytes())?;
    if moved.is_empty() {
        return Err(Error::NoMatch(vec![from.as_bytes().to_vec()]));
    }
    if to.is_at_or_below(from.as_bytes()) {
        return Err(Error::Refused(format!("cannot move `{from}` into itself")));
    }
    if !entries(repository, to.as_bytes())?.is_empty() {
        return Err(Error::Refused(format!("`{to}` is there already")));
    }
    refuse_below_a_file(repository, &to)?;
    let mut renamed = Vec::with_capacity(moved.len());
    let mut edits = Vec::with_capacity(moved.len() * 2);
    for entry in moved {
        let rest = &entry.path.as_bytes()[from.as_bytes().len()..];
        let new = RepoPath::new([to.as_bytes(), rest].concat())?;
        edits.push((entry.path.clone(), None));
        edits.push((new.clone(), Some(entry.file)));
        renamed.push(Renamed { from: entry.path, to: new });
    }
    edits.sort_by(|a, b| a.0.cmp(&b.0));
    refuse_links_outside(repository, &edits)?;
    if dry_run {
        return Ok(Rename { renamed, dry_run });
    }
    let index = repository.index()?;
    let writer = Writer::open(&repository.place.root)?;
    rename(&writer, &from, &to)?;
    repository.transact("mv", repository.dataset().as_str(), None, |session| {
        let mut state = repository.state();
        state.staged = session.edit_manifest(&state.staged, &edits)?;
        Ok((Transaction { state: Some(state), ..Transaction::default() }, ()))
    })?;
    let root = Root::open(&repository.place.root)?;
    let origins: HashMap<&RepoPath, &RepoPath> =
        renamed.iter().map(|one| (&one.to, &one.from)).collect();
    let mut records: Vec<(RepoPath, Option<Record>)> = Vec::with_capacity(edits.len());
    for (path, file) in edits {
        // One that is gone from the disk is known as a file that is not there.
        let look = || root.stat(&path).ok().flatten().unwrap_or(Stat::UNKNOWN);
        let record = file.map(|file| Record { file, stat: look() });
        // A file that was changed before it was moved must be looked at again.
        let unsure = origins.get(&path).and_then(|from| index.get(from));
        let record = record.map(|record| match unsure {
            Some(old) if same_content(&old, &record) => record,
            _ => Record { stat: Stat::UNKNOWN, ..record },
        });
        records.push((path, record));
    }
    let staged = repository.state().staged;
    let as_of = file_time(&repository.place.dot)?;
    repository.keep_index(&index, &staged, as_of, &records);
    Ok(Rename { renamed, dry_run })
}

/// Fails if a link would lead out of the tree from where it shall be: it could be written nowhere.
fn refuse_links_outside(
    repository: &Repository,
    edits: &[(RepoPath, Option<FileRef>)],
) -> Result<()> {
    let mut content = Content::new(repository)?;
    for (path, file) in edits.iter().filter_map(|(path, file)| Some((path, (*file)?))) {
        // Of what is gone by design nothing is written.
        let Ok(file) = repository.delivered(&file) else { continue };
        if file.mode == Mode::Symlink {
            let target = content.whole(&file)?;
            check_link(path, &target).map_err(|error| Error::Refused(error.to_string()))?;
        }
    }
    Ok(())
}

/// Fails if a directory on the way to `path` is staged as a file. The file itself may be gone, so
/// that the file system would let the path be made.
fn refuse_below_a_file(repository: &Repository, path: &RepoPath) -> Result<()> {
    let (nodes, staged) = (repository.nodes(), repository.state().staged);
    let slashes = path.as_bytes().iter().enumerate().filter(|(_, byte)| **byte == b'/');
    for directory in slashes.map(|(at, _)| &path.as_bytes()[..at]) {
        if manifest::get(&nodes, &staged, directory)?.is_some() {
            let file = RepoPath::show_bytes(directory);
            return Err(Error::Refused(format!(
                "`{file}` is staged as a file, so nothing can lie below"
            )));
        }
    }
    Ok(())
}

/// A rename changes a file's ctime only.
fn same_content(old: &Record, new: &Record) -> bool {
    let (a, b) = (old.stat, new.stat);
    (a.size, a.mtime_ns, a.inode, a.mode) == (b.size, b.mtime_ns, b.inode, b.mode)
}

fn destination(repository: &Repository, from: &RepoPath, to: &[u8]) -> Result<RepoPath> {
    let is_directory = to.is_empty() || repository.place.root.join(super::add::os(to)).is_dir();
    if !is_directory {
        return Ok(RepoPath::new(to.to_vec())?);
    }
    let mut path = to.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(from.name());
    Ok(RepoPath::new(path)?)
}
