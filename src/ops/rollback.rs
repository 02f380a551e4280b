//! An old state as the newest version: history is kept.

use serde::Serialize;

use super::ask::{Coming, Draft, ask_all};
use super::commit::{branch, describe, record, subject, upkeep};
use super::operation::{Operation, derivation, only};
use super::signature::{self, Signing};
use super::travel::Journey;
use super::{Error, Result};
use crate::catalogue::Change;
use crate::model::{DatasetName, RefKind, RefName, Version, VersionId};
use crate::repo::{self, Absent, Repository, Session, Transaction};

/// A branch that was rolled back.
#[derive(Debug, Serialize)]
pub struct Rollback {
    /// The branch.
    pub branch: RefName,
    /// The version it had.
    pub from: VersionId,
    /// The version whose files it has again.
    pub to: VersionId,
    /// The new version; none if nothing was recorded.
    pub version: Option<VersionId>,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Makes a new version of `name` whose files are those of `revision`.
///
/// # Errors
///
/// [`repo::Error::Unsaved`] if the worktree is on that branch and has something that would be lost.
pub fn rollback(
    repository: &Repository,
    name: &RefName,
    revision: &str,
    why: &str,
    force: bool,
    dry_run: bool,
) -> Result<Rollback> {
    repository.catalogue.refuse_frozen(repository.dataset())?;
    refuse(repository, why)?;
    let dataset = repository.dataset().clone();
    let no_branch = || repository.no_revision(&dataset, name.as_str());
    let row = repository.catalogue.get_ref(&dataset, RefKind::Branch, name)?;
    let from = row.ok_or_else(no_branch)?.version;
    let found = repository.resolve(revision)?;
    let to = found.version;
    let target = repository.manifest_of(&to)?;
    let is_current = branch(repository).as_ref() == Some(name);
    let journey = if is_current { Some(Journey::to(repository, &target, force)?) } else { None };
    let mut done =
        Rollback { branch: name.clone(), from, to, version: None, absent: Vec::new(), dry_run };
    let subject = if is_current { subject(repository) } else { format!("{dataset}:{name}") };
    let message = format!("{}\n\nRolled back to version {to}.", why.trim());
    let provenance = only(Some(derivation(&found.dataset, to, "rollback")));
    let draft = Draft::new(repository, vec![from], &message, &provenance)?;
    let asked = [(RefKind::Branch, name.clone(), Some(from), Coming::Made(draft))];
    ask_all(repository, "rollback", &subject, asked, dry_run)?;
    if dry_run {
        if let Some(journey) = journey.filter(|_| !force) {
            journey.check(repository)?;
        }
        return Ok(done);
    }
    signature::must_be_ready(repository)?;
    let updated = match &journey {
        Some(journey) => Some(journey.go(repository, force)?),
        None => None,
    };
    let version = repository.transact("rollback", &subject, Some(&message), |session| {
        let version = describe(session, target, vec![from], &message, &provenance)?;
        if let Some(journey) = &journey {
            let (mut transaction, id) = record(session, &version)?;
            if let Some(state) = &mut transaction.state {
                state.staged = journey.goal(session)?;
            }
            return Ok((transaction, id));
        }
        record_beside(session, &dataset, name, from, version)
    })?;
    if let (Some(journey), Some(updated)) = (&journey, &updated) {
        journey.keep_index(repository, updated);
        done.absent = super::travel::absent_in(repository, &target)?;
    }
    upkeep(repository);
    done.version = Some(version);
    Ok(done)
}

/// Stores `version` and moves a branch to it that the worktree is not on.
fn record_beside(
    session: &Session<'_>,
    dataset: &DatasetName,
    name: &RefName,
    from: VersionId,
    version: Version,
) -> repo::Result<(Transaction, VersionId)> {
    let repository = session.repository();
    let id = session.put_version(&version)?;
    let moved = Change::RefMoved {
        dataset: dataset.clone(),
        kind: RefKind::Branch,
        name: name.clone(),
        old: Some(from),
        new: Some(id),
        annotation: None,
    };
    let added = Change::VersionAdded { version: id, dataset: Some(dataset.clone()) };
    let mut changes = vec![added, moved];
    if let Some(signer) = signature::signer(repository, &Signing::AsSet)? {
        changes.push(signature::of_version(repository, &signer, &id)?);
    }
    Ok((Transaction { changes, versions: vec![(id, version)], state: None }, id))
}

/// Fails without words, and while something is under way.
fn refuse(repository: &Repository, why: &str) -> Result<()> {
    if why.trim().is_empty() {
        return Err(Error::EmptyMessage);
    }
    match Operation::of(repository)? {
        Some(operation) => Err(Error::UnderWay { doing: operation.doing.as_str() }),
        None => Ok(()),
    }
}
