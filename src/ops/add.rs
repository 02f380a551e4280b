//! Staging.

use serde::Serialize;

use super::operation::Operation;
use super::stage::{Staged, stage, without};
use super::{Error, Result, sides};
use crate::format::manifest;
use crate::model::{RepoPath, Scope};
use crate::repo::{Failed, Looking, Repository, Transaction, survey};
use crate::worktree::{self, FileList, Odd, OddKind, Root};

/// What to stage.
#[derive(Debug, Clone, Default)]
pub struct AddOptions {
    /// Paths or directories, relative to the top; the empty path is the top.
    pub paths: Vec<Vec<u8>>,
    /// Leave out what is not tracked.
    pub update: bool,
    /// Take ignored files too.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
}

/// What was staged.
#[derive(Debug, Default, Serialize)]
pub struct Add {
    /// Paths that were not tracked.
    pub added: FileList<RepoPath>,
    /// Paths with other content or mode.
    pub modified: FileList<RepoPath>,
    /// Paths that are gone.
    pub deleted: Vec<RepoPath>,
    /// What could not be staged.
    pub failed: Vec<Problem>,
    /// Worktrees inside of this one, of which nothing is tracked here and that were not named: what
    /// is in them is theirs.
    pub left_out: Vec<Problem>,
    /// Bytes of the files that were read.
    pub bytes: u64,
    /// Bytes that the store grew by.
    pub new_bytes: u64,
    /// Chunks that the store did not have.
    pub new_chunks: u64,
    /// Bytes of chunks that the store had already.
    pub reused_bytes: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A path that something is wrong with.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// Which one, as [`RepoPath::exact`] writes it.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl Problem {
    /// A file that could not be read or written.
    pub fn failed(failed: &Failed) -> Self {
        Self { path: failed.path.exact(), problem: in_one_line(&failed.error) }
    }

    /// What cannot be tracked.
    pub fn odd(odd: &Odd) -> Self {
        Self { path: RepoPath::exact_bytes(&odd.path), problem: odd.why.to_string() }
    }
}

/// An error and its causes, in one line.
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Stages what the worktree has at `options.paths`.
///
/// # Errors
///
/// [`Error::NoMatch`], [`Error::Ignored`], the worktree's and the store's.
pub fn add(repository: &Repository, options: &AddOptions) -> Result<Add> {
    check_paths(repository, options)?;
    let looking = Looking {
        scope: Scope::of(&options.paths),
        tracked_only: options.update,
        ignored_too: options.force,
        distrust: false,
    };
    if options.dry_run {
        return preview(repository, options, &looking);
    }
    let operation = Operation::of(repository)?;
    let (staged, counts) =
        repository.transact("add", repository.dataset().as_str(), None, |session| {
            let staged = stage(session, &looking)?;
            let mut state = repository.state();
            state.staged = staged.manifest;
            if let Some(operation) = operation.clone() {
                let done = |path: &RepoPath| looking.scope.covers(path.as_bytes());
                state.operation = operation.without(done).to_value();
            }
            let counts = session.counts();
            let transaction = Transaction { state: Some(state), ..Transaction::default() };
            Ok((transaction, (staged, counts)))
        })?;
    staged.keep_index(repository);
    repository.add_counts(counts);
    let (left_out, odd) = told_apart(repository, &options.paths, &staged.odd)?;
    Ok(Add { left_out, ..answer(staged, odd, counts) })
}

/// Worktrees inside of this one that are left out, and what else cannot be tracked.
fn told_apart(
    repository: &Repository,
    paths: &[Vec<u8>],
    odd: &[Odd],
) -> Result<(Vec<Problem>, Vec<Problem>)> {
    let (nodes, staged) = (repository.nodes(), repository.state().staged);
    let (mut left_out, mut failed) = (Vec::new(), Vec::new());
    for one in odd {
        let top = Scope::of(std::slice::from_ref(&one.path));
        let is_named = || paths.iter().any(|path| !path.is_empty() && top.covers(path));
        let is_other = matches!(one.why, OddKind::OtherWorktree) && !is_named();
        // What is tracked in there cannot be looked at any more.
        let is_other =
            is_other && manifest::list(&nodes, &staged, &one.path)?.next().transpose()?.is_none();
        if is_other { &mut left_out } else { &mut failed }.push(Problem::odd(one));
    }
    Ok((left_out, failed))
}

fn answer(
    staged: Staged,
    odd: Vec<Problem>,
    (new_bytes, new_chunks, reused_bytes): (u64, u64, u64),
) -> Add {
    let failed = staged.failed.iter().map(Problem::failed);
    Add {
        failed: failed.chain(odd).collect(),
        added: staged.added,
        modified: staged.modified,
        deleted: staged.deleted,
        bytes: staged.bytes,
        new_bytes,
        new_chunks,
        reused_bytes,
        ..Add::default()
    }
}

/// Every path must name a file that is there, or that is tracked.
fn check_paths(repository: &Repository, options: &AddOptions) -> Result<()> {
    let nodes = repository.nodes();
    let staged = repository.state().staged;
    let rules = repository.ignore_rules();
    let root = Root::open(&repository.place.root)?;
    let (mut missing, mut ignored) = (Vec::new(), Vec::new());
    for bytes in options.paths.iter().filter(|bytes| !bytes.is_empty()) {
        let path = RepoPath::new(bytes.clone())?;
        let tracked = || -> Result<bool> {
            Ok(manifest::list(&nodes, &staged, bytes)?.next().transpose()?.is_some())
        };
        // A path behind a link is not there.
        let is_directory = match root.stat(&path) {
            Ok(Some(_)) => Some(false),
            Err(worktree::Error::NotAFile { kind, .. }) => Some(kind == "directory"),
            Ok(None) | Err(_) => None,
        };
        match is_directory {
            Some(is_directory) => {
                if !options.force && rules.is_ignored(bytes, is_directory) && !tracked()? {
                    ignored.push(path);
                }
            }
            None if tracked()? => {}
            None => missing.push(bytes.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(Error::NoMatch(missing));
    }
    if !ignored.is_empty() {
        return Err(Error::Ignored(ignored));
    }
    Ok(())
}

/// Bytes as a name of the operating system.
pub(super) fn os(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// What would be staged; files are read where their stat data leaves doubt.
fn preview(repository: &Repository, options: &AddOptions, looking: &Looking) -> Result<Add> {
    let seen = survey(repository, looking)?;
    let (left_out, failed) = told_apart(repository, &options.paths, &seen.odd)?;
    let untracked = without(seen.untracked, &sides::of(repository));
    Ok(Add {
        added: untracked.into_iter().map(|found| found.path).collect(),
        modified: seen.modified.into_iter().map(|file| file.path).collect(),
        deleted: seen.deleted,
        failed,
        left_out,
        dry_run: true,
        ..Add::default()
    })
}
