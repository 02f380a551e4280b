//! Bringing another version's changes here: merge, cherry-pick, revert.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::ask::{Coming, Draft, ask_here};
use super::combine::{Combined, Conflict, combine};
use super::commit::{Commit, CommitOptions, branch, commit, describe, record, subject, upkeep};
use super::operation::{Doing, Operation, derived, only};
use super::sides::{remove_sides, theirs_path};
use super::signature::must_be_ready;
use super::travel::{Journey, differences};
use super::{Error, Result};
use crate::catalogue::{Change as Moved, Head};
use crate::format::manifest::{self, Change, Finder};
use crate::model::{DatasetName, ManifestId, RefKind, RefName, RepoPath, VersionId};
use crate::repo::{self, Absent, Repository, Transaction};

/// Which side wins where both have changed a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Favour {
    /// What is here.
    Ours,
    /// What is there.
    Theirs,
}

/// What to bring here.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// What is done.
    pub doing: Doing,
    /// The other version.
    pub revision: String,
    /// In the user's words.
    pub message: Option<String>,
    /// Which side wins.
    pub favour: Option<Favour>,
    /// Make a version even where the branch could just move.
    pub no_fast_forward: bool,
    /// Overwrite what is not saved.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Everything of the other is here already.
    UpToDate,
    /// The branch has moved to the other.
    FastForward,
    /// There is a new version.
    Committed,
    /// There are conflicts.
    Conflicts,
    /// Everything is as it was before.
    Aborted,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Merge {
    /// How it ended.
    pub ended: Ended,
    /// The branch that has moved; none if the worktree is on none.
    pub branch: Option<RefName>,
    /// The version here now.
    pub version: Option<VersionId>,
    /// The other version.
    pub other: VersionId,
    /// Paths taken from the other.
    pub changed: u64,
    /// Paths in conflict.
    pub conflicts: Vec<RepoPath>,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Brings the changes of another version here: all since the common past (`merge`), its own
/// (`cherry-pick`), or the opposite of its own (`revert`).
///
/// A path that both sides have changed is a conflict: the file stays as it is here, the other side
/// is written beside it with `.theirs` at its name, and nothing is recorded before it is resolved.
///
/// # Errors
///
/// [`repo::Error::Unsaved`] where the worktree has something that would be lost or is staged.
pub fn merge(repository: &Repository, options: &MergeOptions) -> Result<Merge> {
    super::state::refuse_frozen(repository)?;
    if let Some(operation) = Operation::of(repository)? {
        return Err(Error::UnderWay { doing: operation.doing.as_str() });
    }
    let found = repository.resolve(&options.revision)?;
    let other = found.version;
    let head = repository.head()?;
    refuse_staged(repository)?;
    let simple = |ended, version| Merge {
        ended,
        branch: branch(repository),
        version,
        other,
        changed: 0,
        conflicts: Vec::new(),
        absent: Vec::new(),
        dry_run: options.dry_run,
    };
    let is_merge = options.doing == Doing::Merge;
    let Some(ours) = head else {
        return if is_merge {
            fast_forward(repository, None, options, simple(Ended::FastForward, Some(other)))
        } else {
            Err(repo::Error::NoVersionYet { name: "HEAD".into() }.into())
        };
    };
    if is_merge && repository.catalogue.is_ancestor(&other, &ours)? {
        return Ok(simple(Ended::UpToDate, Some(ours)));
    }
    if is_merge && !options.no_fast_forward && repository.catalogue.is_ancestor(&ours, &other)? {
        let done = simple(Ended::FastForward, Some(other));
        return fast_forward(repository, head, options, done);
    }
    let (base, theirs) = sides(repository, options.doing, &ours, &other)?;
    let here = repository.manifest_of(&ours)?;
    let mut combined = combine(repository, &base, &here, &theirs)?;
    match options.favour {
        Some(Favour::Ours) => combined.conflicts.clear(),
        Some(Favour::Theirs) => combined.take_theirs(repository, &here)?,
        None => {}
    }
    let message = match &options.message {
        Some(message) => message.clone(),
        None => default_message(repository, options, &other)?,
    };
    let mut done = simple(Ended::Committed, head);
    done.changed = combined.changes.len() as u64;
    done.conflicts = combined.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
    if combined.changes.is_empty() && combined.conflicts.is_empty() && !is_merge {
        done.ended = Ended::UpToDate;
        return Ok(done);
    }
    if !done.conflicts.is_empty() {
        done.ended = Ended::Conflicts;
    }
    carry_out(repository, options, combined, (message, found.dataset), done)
}

/// The listing both sides are compared with, and the other side's listing.
fn sides(
    repository: &Repository,
    doing: Doing,
    ours: &VersionId,
    other: &VersionId,
) -> Result<(ManifestId, ManifestId)> {
    let theirs = repository.manifest_of(other)?;
    let parent = || -> Result<ManifestId> {
        match repository.version(other)?.parents.first() {
            Some(parent) => Ok(repository.manifest_of(parent)?),
            None => Ok(manifest::empty().0),
        }
    };
    Ok(match doing {
        Doing::Merge => match repository.catalogue.merge_bases(ours, other)?.first() {
            Some(base) => (repository.manifest_of(base)?, theirs),
            None => (manifest::empty().0, theirs),
        },
        Doing::CherryPick => (parent()?, theirs),
        Doing::Revert => (theirs, parent()?),
    })
}

fn default_message(
    repository: &Repository,
    options: &MergeOptions,
    other: &VersionId,
) -> Result<String> {
    let message = repository.version(other)?.message;
    let first = message.lines().next().unwrap_or_default();
    Ok(match options.doing {
        Doing::Merge => match branch(repository) {
            Some(branch) => format!("Merge {} into {branch}", options.revision),
            None => format!("Merge {}", options.revision),
        },
        Doing::CherryPick => message,
        Doing::Revert => format!("Revert \"{first}\"\n\nTakes back version {other}."),
    })
}

fn refuse_staged(repository: &Repository) -> Result<()> {
    let staged = differences(repository, &repository.head_manifest()?, &repository.state().staged)?;
    if staged.is_empty() {
        return Ok(());
    }
    let paths = staged.into_iter().map(|change| change.path).collect();
    Err(repo::Error::Unsaved { paths }.into())
}

/// Moves from `old`, which was seen to be an ancestor, and from nothing else.
fn fast_forward(
    repository: &Repository,
    old: Option<VersionId>,
    options: &MergeOptions,
    mut done: Merge,
) -> Result<Merge> {
    let other = done.other;
    let target = repository.manifest_of(&other)?;
    let journey = Journey::to(repository, &target, false)?;
    done.changed = journey.changes().len() as u64;
    ask_here(repository, "merge", Coming::There(other), options.dry_run)?;
    if options.dry_run {
        journey.check(repository)?;
        return Ok(done);
    }
    let updated = journey.go(repository, options.force)?;
    repository.transact("merge", &subject(repository), None, |session| {
        let mut state = repository.state();
        state.staged = journey.goal(session)?;
        let mut changes = Vec::new();
        match &mut state.head {
            Head::Branch { name, at } => {
                *at = Some(other);
                changes.push(Moved::RefMoved {
                    dataset: repository.dataset().clone(),
                    kind: RefKind::Branch,
                    name: name.clone(),
                    old,
                    new: Some(other),
                    annotation: None,
                });
            }
            Head::Detached { version } => *version = other,
        }
        Ok((Transaction { changes, state: Some(state), ..Transaction::default() }, ()))
    })?;
    journey.keep_index(repository, &updated);
    done.absent = updated.absent;
    Ok(done)
}

/// The other side's files that are written beside the conflicts.
fn beside(conflicts: &[Conflict]) -> Vec<Change> {
    let beside = |conflict: &Conflict| {
        let (path, file) = (theirs_path(&conflict.path)?, conflict.theirs?);
        Some(Change { path, old: None, new: Some(file) })
    };
    conflicts.iter().filter_map(beside).collect()
}

/// A file that the merge itself brings may have the name that a conflict's other side gets.
fn refuse_taken(changes: &[Change], sides: &[Change]) -> Result<()> {
    let comes = |side: &&Change| {
        let found = changes.binary_search_by(|change| change.path.cmp(&side.path));
        found.is_ok_and(|at| changes[at].new.is_some_and(|file| Some(file) != side.new))
    };
    let paths: Vec<_> = sides.iter().filter(comes).map(|side| side.path.clone()).collect();
    if paths.is_empty() { Ok(()) } else { Err(repo::Error::Unsaved { paths }.into()) }
}

fn carry_out(
    repository: &Repository,
    options: &MergeOptions,
    combined: Combined,
    (message, dataset): (String, DatasetName),
    mut done: Merge,
) -> Result<Merge> {
    let Combined { changes, conflicts } = combined;
    let mut sides = beside(&conflicts);
    sides.sort_by(|a, b| a.path.cmp(&b.path));
    refuse_taken(&changes, &sides)?;
    let action = options.doing.as_str();
    let before = done.version;
    let mut parents: Vec<_> = before.into_iter().collect();
    if options.doing == Doing::Merge {
        parents.push(done.other);
    }
    let provenance = only(derived(options.doing, &dataset, done.other, repository.dataset()));
    let draft = Draft::new(repository, parents.clone(), &message, &provenance)?;
    ask_here(repository, action, Coming::Made(draft), options.dry_run)?;
    let journey = Journey::by(repository, changes)?;
    let written = Journey::by(repository, sides)?;
    if !options.force || options.dry_run {
        journey.check(repository)?;
        written.check(repository)?;
        check_conflicts(repository, &conflicts)?;
    }
    if options.dry_run {
        return Ok(done);
    }
    must_be_ready(repository)?;
    let updated = journey.go(repository, options.force)?;
    written.go(repository, options.force)?;
    let version = repository.transact(action, &subject(repository), Some(&message), |session| {
        let goal = journey.goal(session)?;
        if !conflicts.is_empty() {
            let mut state = repository.state();
            state.staged = goal;
            let (doing, other, paths) = (options.doing, done.other, &done.conflicts);
            let other = (&dataset, other);
            let operation = Operation::new(doing, other, before, message.clone(), paths);
            state.operation = operation.to_value();
            return Ok((Transaction { state: Some(state), ..Transaction::default() }, before));
        }
        let version = describe(session, goal, parents.clone(), &message, &provenance)?;
        let (transaction, id) = record(session, &version)?;
        Ok((transaction, Some(id)))
    })?;
    journey.keep_index(repository, &updated);
    done.absent = updated.absent;
    upkeep(repository);
    done.version = version;
    Ok(done)
}

/// A file in conflict must be saved, because the conflict's end may overwrite it: it must be one that
/// could go. As one that stays it might also be half written.
fn check_conflicts(repository: &Repository, conflicts: &[Conflict]) -> Result<()> {
    let going = |conflict: &Conflict| {
        let (path, file) = (conflict.path.clone(), conflict.ours?);
        Some(Change { path, old: Some(file), new: None })
    };
    let changes = conflicts.iter().filter_map(going).collect();
    Journey::by(repository, changes)?.check(repository)
}

/// Takes back what is under way: the version's files again, and nothing staged.
///
/// # Errors
///
/// [`Error::NotUnderWay`]; [`repo::Error::Unsaved`] for files outside of the conflicts that were
/// changed since.
pub fn abort(repository: &Repository, doing: Doing, force: bool, dry_run: bool) -> Result<Merge> {
    let operation = under_way(repository, doing)?;
    let head = repository.head_manifest()?;
    let mut changes = differences(repository, &repository.state().staged, &head)?;
    let all: BTreeSet<RepoPath> = operation.all().into_iter().collect();
    if !force {
        // What was written into a path in conflict is given up with it; nothing else is.
        let others = changes.iter().filter(|change| !all.contains(&change.path));
        Journey::by(repository, others.cloned().collect())?.check(repository)?;
    }
    let changed: HashSet<RepoPath> = changes.iter().map(|change| change.path.clone()).collect();
    let mut finder = Finder::new(repository.nodes(), head)?;
    for path in all.into_iter().filter(|path| !changed.contains(path)) {
        let file = finder.find(path.as_bytes())?;
        changes.push(Change { path, old: file, new: file });
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let mut done = Merge {
        ended: Ended::Aborted,
        branch: branch(repository),
        version: repository.head()?,
        other: operation.other,
        changed: changes.len() as u64,
        conflicts: operation.conflicts(),
        absent: Vec::new(),
        dry_run,
    };
    if dry_run {
        return Ok(done);
    }
    remove_sides(repository, &operation)?;
    let journey = Journey::by(repository, changes)?;
    let updated = journey.go(repository, true)?;
    let mut state = repository.state();
    (state.staged, state.operation) = (head, None);
    let transaction = Transaction { state: Some(state), ..Transaction::default() };
    repository.change(
        &format!("{}-abort", doing.as_str()),
        &subject(repository),
        None,
        transaction,
    )?;
    journey.keep_index(repository, &updated);
    done.absent = updated.absent;
    done.conflicts.clear();
    Ok(done)
}

/// What is under way, if it is `doing`.
///
/// # Errors
///
/// [`Error::NotUnderWay`].
pub fn under_way(repository: &Repository, doing: Doing) -> Result<Operation> {
    Operation::of(repository)?
        .filter(|operation| operation.doing == doing)
        .ok_or(Error::NotUnderWay { doing: doing.as_str() })
}

/// Records what is under way as a version, once every conflict is resolved.
///
/// # Errors
///
/// [`Error::NotUnderWay`], [`Error::Conflicts`].
pub fn conclude(
    repository: &Repository,
    doing: Doing,
    message: Option<String>,
    dry_run: bool,
) -> Result<Commit> {
    under_way(repository, doing)?;
    let message = message.unwrap_or_default();
    commit(repository, &CommitOptions { message, dry_run, ..CommitOptions::default() })
}
