//! Bringing back paths from a version or from what is staged.

use serde::Serialize;

use super::travel::{Journey, differences, edits_of, file_changes, must_fit};
use super::{Error, Result};
use crate::format::manifest::{self, Change, Finder};
use crate::model::{Entry, FileRef, ManifestId, RepoPath, Scope};
use crate::repo::{self, Absent, Repository, Transaction, Updated};
use crate::worktree::{Record, Stat};

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Paths or directories, relative to the top; the empty path is the top.
    pub paths: Vec<Vec<u8>>,
    /// From this revision; if not given, files come from what is staged, and what is staged from
    /// the current version.
    pub source: Option<String>,
    /// Bring back what is staged.
    pub staged: bool,
    /// Bring back the files. If neither is set, files are.
    pub worktree: bool,
    /// Overwrite what is not saved.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
}

/// What was brought back.
#[derive(Debug, Default, Serialize)]
pub struct Restore {
    /// Paths that are staged otherwise now.
    pub staged: Vec<RepoPath>,
    /// Files that are otherwise now.
    pub restored: Vec<RepoPath>,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Brings back files, what is staged, or both.
///
/// # Errors
///
/// [`crate::repo::Error::Unsaved`]; [`Error::NoMatch`] for a path that neither side has.
pub fn restore(repository: &Repository, options: &RestoreOptions) -> Result<Restore> {
    let scope = Scope::of(&options.paths);
    let staged = repository.state().staged;
    let source = source(repository, options)?;
    check_paths(repository, options, &[source, staged])?;
    let mut done = Restore { dry_run: options.dry_run, ..Restore::default() };
    let inside = |change: &Change| scope.covers(change.path.as_bytes());
    let mut to_stage = differences(repository, &staged, &source)?;
    to_stage.retain(inside);
    if !options.staged {
        to_stage.clear();
    }
    must_fit(repository, &staged, &to_stage)?;
    done.staged = to_stage.iter().map(|change| change.path.clone()).collect();
    let mut files = Vec::new();
    if options.worktree || !options.staged {
        done.absent = absent_of(repository, &source, &scope)?;
        files = file_changes(repository, &staged, &source, &scope)?;
    }
    done.restored = files.iter().map(|change| change.path.clone()).collect();
    let journey = Journey::by(repository, files)?;
    if options.dry_run {
        if !options.force {
            journey.check(repository)?;
        }
        return Ok(done);
    }
    let mut updated = journey.go(repository, options.force)?;
    done.restored.retain(|path| !done.absent.iter().any(|absent| absent.path == *path));
    repository.transact("restore", repository.dataset().as_str(), None, |session| {
        let mut state = repository.state();
        state.staged = session.edit_manifest(&state.staged, &edits_of(&to_stage))?;
        Ok((Transaction { state: Some(state), ..Transaction::default() }, ()))
    })?;
    agree(repository, &to_stage, &mut updated)?;
    journey.keep_index(repository, &updated);
    Ok(done)
}

/// What of the scope cannot be given out. Fails if nothing else was asked for.
fn absent_of(repository: &Repository, source: &ManifestId, scope: &Scope) -> Result<Vec<Absent>> {
    let mut absent = super::travel::absent_in(repository, source)?;
    absent.retain(|one| scope.covers(one.path.as_bytes()));
    if absent.is_empty() {
        return Ok(absent);
    }
    let nodes = repository.nodes();
    let mut files = 0;
    for entry in manifest::list(&nodes, source, b"")? {
        let entry: Entry = entry?;
        files += usize::from(scope.covers(entry.path.as_bytes()));
    }
    if files == absent.len() {
        return Err(repo::Error::AllAbsent { absent }.into());
    }
    Ok(absent)
}

fn source(repository: &Repository, options: &RestoreOptions) -> Result<ManifestId> {
    match &options.source {
        Some(text) => Ok(repository.manifest_of(&repository.resolve(text)?.version)?),
        None if options.staged => Ok(repository.head_manifest()?),
        None => Ok(repository.state().staged),
    }
}

fn check_paths(
    repository: &Repository,
    options: &RestoreOptions,
    listings: &[ManifestId],
) -> Result<()> {
    let nodes = repository.nodes();
    let mut missing = Vec::new();
    for path in options.paths.iter().filter(|path| !path.is_empty()) {
        RepoPath::new(path.clone())?;
        let mut found = false;
        for listing in listings {
            found |= manifest::list(&nodes, listing, path)?.next().transpose()?.is_some();
        }
        if !found {
            missing.push(path.clone());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::NoMatch(missing)) }
}

/// Makes the index's news agree with what is staged now: a file of another version is not what is
/// staged, and a path staged otherwise has a file that is to be looked at again.
fn agree(repository: &Repository, to_stage: &[Change], updated: &mut Updated) -> Result<()> {
    let mut finder = Finder::new(repository.nodes(), repository.state().staged)?;
    let mut records = std::mem::take(&mut updated.records);
    let mut failed = None;
    records.retain(|(path, record)| match finder.find(path.as_bytes()) {
        Ok(file) => record.map(|record| record.file) == file,
        Err(error) => {
            failed.get_or_insert(error);
            false
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    let known = records.len();
    for change in to_stage {
        if records[..known].binary_search_by(|(path, _)| path.cmp(&change.path)).is_err() {
            let unknown = |file: FileRef| Record { file, stat: Stat::UNKNOWN };
            records.push((change.path.clone(), change.new.map(unknown)));
        }
    }
    records.sort_by(|a, b| a.0.cmp(&b.0));
    updated.records = records;
    Ok(())
}
