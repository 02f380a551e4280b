//! A Git repository's history as versions: `stem import git`.
//!
//! Three steps: a plan that only reads (which commits are new, where branches go), batches of
//! commits that each end in one change of the catalogue, and the worktree that follows its branch.
//! A run that is stopped loses the batch it was at; the next run goes on behind the last one.
//!
//! Which version a commit became is kept under the commit's id alone, wherever the repository
//! lies: two clones, or a repository that has moved, are the same history. A version that lacks
//! parents which its commit has (because a range left them out), and all that continue it, are
//! kept apart, so that a whole import later is whole.

mod batch;
mod blobs;
mod follow;
mod plan;
mod references;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::batch::Batches;
use self::plan::Plan;
use self::references::{Intended, Kept};
use super::ask::{Coming, Draft, ask_all};
use super::operation::Operation;
use super::{Error, Result};
use crate::catalogue::Head;
use crate::git::History;
use crate::model::{RefKind, RefName, RepoPath, VersionId};
use crate::repo::{Repository, maintain};

/// What to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The Git repository: the top of its worktree, or a bare one.
    pub source: PathBuf,
    /// Only these commits, in the words of `git rev-list`.
    pub range: Option<String>,
    /// Only the files below this directory of the Git repository.
    pub directory: Option<RepoPath>,
    /// Change nothing.
    pub dry_run: bool,
}

/// What was imported.
#[derive(Debug, Default, Serialize)]
pub struct Import {
    /// Where from, as the versions' provenance says it.
    pub source: String,
    /// Commits that became versions.
    pub commits: u64,
    /// Commits that had become versions before.
    pub already: u64,
    /// New versions without a parent that their commit has, because it is outside of the range.
    pub cut: u64,
    /// The branches of the Git repository.
    pub branches: Vec<Reference>,
    /// Its tags.
    pub tags: Vec<Reference>,
    /// What could not be imported.
    pub left_out: Vec<LeftOut>,
    /// Files that were read.
    pub files: u64,
    /// Bytes of the files that were read.
    pub bytes: u64,
    /// Bytes that the store grew by for them.
    pub new_bytes: u64,
    /// The branch that the worktree is on; none if it is on none.
    pub branch: Option<RefName>,
    /// The version that the worktree continues.
    pub head: Option<VersionId>,
    /// Files written in the worktree.
    pub written: u64,
    /// Files removed from the worktree.
    pub removed: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A branch or tag of the Git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// Its name, there and here.
    pub name: RefName,
    /// The version it names there; none if it has not been imported.
    pub version: Option<VersionId>,
    /// What became of it here.
    pub change: Moved,
}

/// What became of a branch or tag here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moved {
    /// It was not here.
    Created,
    /// It went on.
    Forwarded,
    /// It was there already.
    Unchanged,
    /// It has later versions here.
    Ahead,
    /// It was left where it is; `left_out` says why.
    Kept,
}

/// What is not in the versions, or not in the branches and tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct LeftOut {
    /// What kind of thing it is.
    pub what: Omitted,
    /// Its path, or the full name of a branch or tag; bytes that are not UTF-8 are escaped.
    pub path: String,
    /// The first commit that has it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Why it was left out.
    pub why: String,
}

/// Kinds of things that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Omitted {
    /// Another Git repository inside of this one. Its files are not in this history.
    Submodule,
    /// A file whose name a dataset cannot keep.
    Name,
    /// A symbolic link that a dataset cannot keep.
    Link,
    /// A branch or tag.
    Reference,
}

impl Import {
    /// Whether something that the history has was left out.
    pub fn is_partial(&self) -> bool {
        self.left_out.iter().any(|left| left.what != Omitted::Submodule)
    }
}

/// Makes every commit of a Git repository a version, and its branches and tags branches and tags
/// of this dataset.
///
/// Nothing is recorded if a branch here has versions that the one there has not. Files of the
/// worktree that are in no version are never overwritten; the branch that is checked out stays
/// where it is if it could only move over them.
///
/// # Errors
///
/// [`Error::Diverged`]; what keeps the Git repository from being read; the store's.
pub fn import(repository: &Repository, options: &ImportOptions) -> Result<Import> {
    repository.catalogue.refuse_frozen(repository.dataset())?;
    if let Some(operation) = Operation::of(repository)? {
        return Err(Error::UnderWay { doing: operation.doing.as_str() });
    }
    let directory = options.directory.as_ref().map(RepoPath::as_bytes);
    let history = History::open(&options.source, options.range.as_deref(), directory)?;
    let source = uri(&history, &options.source);
    let mut plan = Plan::make(repository, &history, options.directory.as_ref())?;
    // What continues an import may begin where the directory is gone.
    if directory.is_some() && plan.known.is_empty() && !plan.new.is_empty() {
        history.reader().must_have_directory(history.commits())?;
    }
    let (mut intended, kept) = references::intend(repository, &history, &plan)?;
    ask(repository, &history, &plan, &intended, (&source, options))?;
    let mut done = Import {
        source,
        already: plan.already,
        cut: plan.cut,
        left_out: kept,
        dry_run: options.dry_run,
        ..Import::default()
    };
    if options.dry_run {
        done.commits = plan.new.len() as u64;
        report(repository, &mut done, &plan, &intended)?;
        return Ok(done);
    }
    Batches::new(repository, &history, options.directory.as_ref())
        .run(&mut plan, &intended, &mut done)?;
    follow::follow(repository, &history, &plan, &mut intended, &mut done)?;
    if done.commits > 0 {
        maintain(repository)?;
    }
    report(repository, &mut done, &plan, &intended)?;
    Ok(done)
}

/// Asks the policy about every branch and tag that is to move, before anything is read in.
fn ask(
    repository: &Repository,
    history: &History,
    plan: &Plan,
    intended: &[Intended],
    (source, options): (&str, &ImportOptions),
) -> Result<()> {
    let mut moves = Vec::new();
    let mut reader = history.reader();
    for one in intended {
        if one.kept != Kept::No {
            continue;
        }
        let coming = match plan.version(&one.commit) {
            Some(version) => Coming::There(version),
            None if !plan.is_new(&one.commit) => continue,
            None => {
                let commit = reader.commit(one.commit)?;
                let provenance = batch::provenance(source, options.directory.as_ref(), &commit);
                let message = commit.message.trim_end().to_owned();
                let author = commit.author.author.clone();
                let parents = Vec::new();
                Coming::Made(Box::new(Draft { parents, author, message, provenance }))
            }
        };
        moves.push((one.kind, one.name.clone(), one.old, coming));
    }
    let subject = format!("{} from {source}", repository.dataset());
    Ok(ask_all(repository, "import-git", &subject, moves, options.dry_run)?)
}

/// Where the history comes from: the address it was cloned from, or else where it lies.
fn uri(history: &History, path: &Path) -> String {
    let place = || path.canonicalize().unwrap_or_else(|_| path.into()).display().to_string();
    format!("git:{}", history.origin().unwrap_or_else(place))
}

fn report(
    repository: &Repository,
    done: &mut Import,
    plan: &Plan,
    intended: &[Intended],
) -> Result<()> {
    for one in intended {
        let change = match (one.kept, one.old) {
            (Kept::No, None) => Moved::Created,
            (Kept::No, Some(_)) => Moved::Forwarded,
            (Kept::Equal, _) => Moved::Unchanged,
            (Kept::Ahead, _) => Moved::Ahead,
            (Kept::InTheWay, _) => Moved::Kept,
        };
        let reference =
            Reference { name: one.name.clone(), version: plan.version(&one.commit), change };
        match one.kind {
            RefKind::Branch => done.branches.push(reference),
            RefKind::Tag => done.tags.push(reference),
        }
    }
    done.head = repository.head()?;
    done.branch = match repository.state().head {
        Head::Branch { name, .. } => Some(name),
        Head::Detached { .. } => None,
    };
    Ok(())
}
