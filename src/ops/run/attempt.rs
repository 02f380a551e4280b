//! Committing what a command has made, if the world is still the one it began in.

use super::plan::Plan;
use crate::catalogue::Head;
use crate::format::manifest;
use crate::model::{FileRef, RepoPath, Scope, Step, Version, VersionId};
use crate::ops::add::Problem;
use crate::ops::commit::{Commit, describe, record, recorded};
use crate::ops::operation::Operation;
use crate::ops::signature::{self, Signing};
use crate::ops::stage::{Staged, stage};
use crate::ops::travel::differences;
use crate::ops::{Error, Result};
use crate::repo::{self, Looking, Repository, Session, Transaction};
use crate::worktree::Root;

/// What a transaction has made.
type Made = (VersionId, Version, Staged, (u64, u64, u64));

/// Commits the outputs, and only them, with the step; or says why they cannot be taken.
///
/// # Errors
///
/// [`Error::Overtaken`] and the catalogue's lost race: what was written stays in the worktree.
pub(super) fn commit(
    repository: &Repository,
    plan: &Plan,
    step: &Step,
) -> Result<Result<Commit, String>> {
    refuse_overtaken(repository, plan)?;
    if let Some(missing) = missing(repository, plan)? {
        return Ok(Err(format!("the command has not made `{}`", missing.show())));
    }
    let mut provenance = plan.provenance.clone();
    provenance.steps.push(step.clone());
    let looking = Looking { scope: Scope::of(&plan.outputs), ..Looking::default() };
    let made = repository.transact("run", &plan.subject, Some(&plan.message), |session| {
        // The staged listing is read again to find what of it is the command's.
        session.keep_nodes();
        let taken = stage(session, &looking)?;
        let not_taken = taken.failed.iter().map(Problem::failed);
        if let Some(problem) = not_taken.chain(taken.odd.iter().map(Problem::odd)).next() {
            let text = format!("cannot take `{}`: {}", problem.path, problem.problem);
            return Ok((Transaction::default(), Err(text)));
        }
        let head = repository.head_manifest()?;
        let edits = edits(session, &head, &taken, &looking.scope)?;
        let manifest = session.edit_manifest(&head, &edits)?;
        let parents = repository.head()?.into_iter().collect();
        let version = describe(session, manifest, parents, &plan.message, &provenance)?;
        let (mut transaction, id) = record(session, &version)?;
        if let Some(state) = &mut transaction.state {
            state.staged = taken.manifest;
        }
        let counts = session.counts();
        Ok((transaction, Ok((id, version, taken, counts))))
    })?;
    match made {
        Ok(made) => Ok(Ok(describe_commit(repository, made)?)),
        Err(reason) => Ok(Err(reason)),
    }
}

/// What of the staged listing differs from the version at the outputs.
fn edits(
    session: &Session<'_>,
    head: &crate::model::ManifestId,
    taken: &Staged,
    outputs: &Scope,
) -> Result<Vec<(RepoPath, Option<FileRef>)>, repo::Error> {
    let nodes = session.nodes();
    let mut edits = Vec::new();
    for change in manifest::diff(&nodes, head, &taken.manifest)? {
        let change: Result<manifest::Change, repo::Error> = change;
        let change = change?;
        if outputs.covers(change.path.as_bytes()) {
            edits.push((change.path, change.new));
        }
    }
    Ok(edits)
}

fn describe_commit(repository: &Repository, made: Made) -> Result<Commit> {
    let (id, version, taken, counts) = made;
    taken.keep_index(repository);
    let signer = signature::signer(repository, &Signing::AsSet)?;
    recorded(repository, (id, version, counts), signer, Vec::new())
}

/// Another command of this worktree may have made versions meanwhile. Where they have left alone
/// what this one has read and written, its version goes on top of them.
fn refuse_overtaken(repository: &Repository, plan: &Plan) -> Result<()> {
    let overtaken = |what: String| Err(Error::Overtaken { what });
    if let Some(operation) = Operation::of(repository)? {
        return overtaken(format!("a {} has begun", operation.doing.as_str()));
    }
    let same_branch = match (&plan.head, &repository.state().head) {
        (Head::Branch { name, .. }, Head::Branch { name: now, .. }) => name == now,
        (Head::Detached { .. }, Head::Detached { .. }) => true,
        _ => false,
    };
    if !same_branch {
        return overtaken("the worktree has gone to another branch".into());
    }
    let now = repository.head()?;
    if now == plan.before {
        return Ok(());
    }
    let before = match &plan.before {
        Some(before) => repository.manifest_of(before)?,
        None => manifest::empty().0,
    };
    let mut changed = differences(repository, &before, &repository.head_manifest()?)?.into_iter();
    let (reads, outputs) = (Scope::of(&plan.reads), Scope::of(&plan.outputs));
    let touches = |path: &RepoPath| {
        let read = !plan.reads.is_empty() && reads.covers(path.as_bytes());
        read || outputs.covers(path.as_bytes())
    };
    match changed.find(|change| touches(&change.path)) {
        Some(change) => overtaken(format!("`{}` was committed by another", change.path.show())),
        None => Ok(()),
    }
}

/// The first output that is neither there nor was in the version.
fn missing(repository: &Repository, plan: &Plan) -> Result<Option<RepoPath>> {
    let root = Root::open(&repository.place.root)?;
    let head = repository.head_manifest()?;
    let nodes = repository.nodes();
    for bytes in &plan.outputs {
        let path = RepoPath::new(bytes.clone())?;
        let there = match root.stat(&path) {
            Ok(found) => found.is_some(),
            // A directory, or something odd that staging will name.
            Err(crate::worktree::Error::NotAFile { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        if !there && manifest::list(&nodes, &head, bytes)?.next().transpose()?.is_none() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
