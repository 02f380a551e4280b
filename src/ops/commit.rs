//! Recording what is staged as a version.

use serde::Serialize;

use super::add::Problem;
use super::ask::{Coming, Draft, ask_here};
use super::diff::{Totals, compare, find_renames};
use super::operation::Operation;
use super::sides::remove_sides;
use super::signature::{self, Signing};
use super::stage::{Staged, stage};
use super::{Error, Result};
use crate::catalogue::{Change, Head};
use crate::format::manifest;
use crate::model::{ManifestId, Provenance, RefKind, RefName, Version, VersionId};
use crate::repo::{self, Looking, Repository, Session, Signer, Transaction, maintain};
use crate::sign::KeyId;
use crate::worktree::OddKind;

/// What to record.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// In the author's words.
    pub message: String,
    /// Stage every change of tracked files first.
    pub all: bool,
    /// Record a version even if nothing has changed.
    pub allow_empty: bool,
    /// Where it came from.
    pub provenance: Provenance,
    /// Whether to sign it.
    pub signing: Signing,
    /// Change nothing.
    pub dry_run: bool,
}

/// Paths changed against the first parent; a renamed path is one added and one deleted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Changed {
    /// Paths added.
    pub added: u64,
    /// Paths modified.
    pub modified: u64,
    /// Paths deleted.
    pub deleted: u64,
}

/// What the store took in since the last version of this worktree.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stored {
    /// Bytes that the store grew by.
    pub new_bytes: u64,
    /// Chunks that it did not have.
    pub new_chunks: u64,
    /// Bytes of chunks that it had already.
    pub reused_bytes: u64,
}

/// A version that is there now.
#[derive(Debug, Serialize)]
pub struct Commit {
    /// Its id; none if nothing was recorded yet.
    pub version: Option<VersionId>,
    /// Its listing.
    pub manifest: ManifestId,
    /// What it continues.
    pub parents: Vec<VersionId>,
    /// The branch that has moved; none if the worktree is on none.
    pub branch: Option<RefName>,
    /// How many files it lists.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What it says.
    pub message: String,
    /// Paths changed against the first parent.
    pub changed: Changed,
    /// What the store took in.
    pub stored: Stored,
    /// What could not be staged with `all`.
    pub failed: Vec<Problem>,
    /// The key that has signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<KeyId>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Records what is staged as the next version.
///
/// # Errors
///
/// [`Error::NothingToCommit`], [`Error::Conflicts`], [`Error::EmptyMessage`]; a lost race.
pub fn commit(repository: &Repository, options: &CommitOptions) -> Result<Commit> {
    super::state::refuse_frozen(repository)?;
    let operation = Operation::of(repository)?;
    let message = message(options, operation.as_ref())?;
    refuse_conflicts(options, operation.as_ref())?;
    if options.dry_run {
        return preview(repository, options, operation.as_ref(), message);
    }
    let signer = signature::signer(repository, &options.signing)?;
    let subject = subject(repository);
    let provenance = provenance(repository, options, operation.as_ref());
    let mut done = repository.transact("commit", &subject, Some(&message), |session| {
        let looking = Looking { tracked_only: true, ..Looking::default() };
        let taken = if options.all { Some(stage(session, &looking)?) } else { None };
        let manifest = taken.as_ref().map_or(repository.state().staged, |taken| taken.manifest);
        let head = repository.head()?;
        let parents: Vec<_> = head.into_iter().chain(second_parent(operation.as_ref())).collect();
        let unchanged = manifest == listing_of(repository, head.as_ref())?;
        if unchanged && !options.allow_empty && operation.is_none() {
            return Ok((Transaction::default(), None));
        }
        let version = describe(session, manifest, parents, &message, &provenance)?;
        let (transaction, id) = record_signed(session, &version, signer.as_ref())?;
        let counts = session.counts();
        Ok((transaction, Some((id, version, counts, taken))))
    })?;
    let Some((id, version, counts, taken)) = done.take() else {
        return Err(Error::NothingToCommit);
    };
    let failed = taken.map_or_else(Vec::new, |taken| left_out(repository, &taken));
    if let Some(operation) = &operation {
        remove_sides(repository, operation)?;
    }
    recorded(repository, (id, version, counts), signer, failed)
}

/// Upkeep after a version that was just recorded, and what is told of it.
pub(super) fn recorded(
    repository: &Repository,
    (id, version, counts): (VersionId, Version, (u64, u64, u64)),
    signer: Option<Signer>,
    failed: Vec<Problem>,
) -> Result<Commit> {
    let stored = stored(repository.take_counts(counts));
    upkeep(repository);
    let changed = changed_against_parent(repository, &version)?;
    let Version { manifest, parents, files, bytes, message, .. } = version;
    Ok(Commit {
        version: Some(id),
        manifest,
        parents,
        branch: branch(repository),
        files,
        bytes,
        message,
        changed,
        stored,
        failed,
        signed_by: signer.map(|signer| signer.key.public().id()),
        dry_run: false,
    })
}

/// What was given, and where that comes from which an operation ends with this commit.
fn provenance(
    repository: &Repository,
    options: &CommitOptions,
    operation: Option<&Operation>,
) -> Provenance {
    let mut provenance = options.provenance.clone();
    let ended = operation.and_then(|operation| operation.derived(repository.dataset()));
    provenance.derived_from.extend(ended);
    provenance
}

/// Brings the index up, and tells what could not be staged.
fn left_out(repository: &Repository, taken: &Staged) -> Vec<Problem> {
    taken.keep_index(repository);
    let hidden = taken.odd.iter().filter(|odd| matches!(odd.why, OddKind::Unreadable(_)));
    taken.failed.iter().map(Problem::failed).chain(hidden.map(Problem::odd)).collect()
}

fn refuse_conflicts(options: &CommitOptions, operation: Option<&Operation>) -> Result<()> {
    match operation.map(Operation::conflicts) {
        Some(paths) if !options.all && !paths.is_empty() => Err(Error::Conflicts { paths }),
        _ => Ok(()),
    }
}

fn message(options: &CommitOptions, operation: Option<&Operation>) -> Result<String> {
    let given = options.message.trim();
    match (given.is_empty(), operation) {
        (false, _) => Ok(given.to_owned()),
        (true, Some(operation)) => Ok(operation.message.clone()),
        (true, None) => Err(Error::EmptyMessage),
    }
}

/// What the journal says a change of the worktree's branch is about.
pub(super) fn subject(repository: &Repository) -> String {
    match repository.state().head {
        Head::Branch { name, .. } => format!("{}:{name}", repository.dataset()),
        Head::Detached { version } => format!("{}@{version}", repository.dataset()),
    }
}

/// Upkeep after a version was recorded. That it failed must not be told as if the version had not
/// been: whatever is wrong with the store, the next command that needs it says.
pub(super) fn upkeep(repository: &Repository) {
    let _ = maintain(repository);
}

fn listing_of(
    repository: &Repository,
    version: Option<&VersionId>,
) -> Result<ManifestId, repo::Error> {
    version.map_or(Ok(manifest::empty().0), |version| repository.manifest_of(version))
}

/// The branch that the worktree is on.
pub(super) fn branch(repository: &Repository) -> Option<RefName> {
    match repository.state().head {
        Head::Branch { name, .. } => Some(name),
        Head::Detached { .. } => None,
    }
}

fn second_parent(operation: Option<&Operation>) -> Option<VersionId> {
    operation
        .filter(|operation| operation.doing == super::operation::Doing::Merge)
        .map(|operation| operation.other)
}

fn stored((new_bytes, new_chunks, reused_bytes): (u64, u64, u64)) -> Stored {
    Stored { new_bytes, new_chunks, reused_bytes }
}

/// The version of a listing, made now by the acting person.
///
/// # Errors
///
/// What keeps the listing from being read; nobody said who acts.
pub fn describe(
    session: &Session<'_>,
    manifest: ManifestId,
    parents: Vec<VersionId>,
    message: &str,
    provenance: &Provenance,
) -> Result<Version, repo::Error> {
    let repository = session.repository();
    let totals = manifest::summary(&session.nodes(), &manifest)?;
    Ok(Version {
        format: 1,
        manifest,
        files: totals.files,
        bytes: totals.bytes,
        parents,
        author: repository.author()?,
        time: repository.now(),
        utc_offset_minutes: None,
        message: message.to_owned(),
        provenance: provenance.clone(),
    })
}

/// Stores `version` and makes it the worktree's: what is staged is its listing, and nothing is
/// under way any more. It is signed if the settings say so.
///
/// # Errors
///
/// The store's and the catalogue's; no key to sign with.
pub fn record(
    session: &Session<'_>,
    version: &Version,
) -> Result<(Transaction, VersionId), repo::Error> {
    let signer = signature::signer(session.repository(), &Signing::AsSet)?;
    record_signed(session, version, signer.as_ref())
}

/// As [`record`], signed by `signer` or not at all.
fn record_signed(
    session: &Session<'_>,
    version: &Version,
    signer: Option<&Signer>,
) -> Result<(Transaction, VersionId), repo::Error> {
    let repository = session.repository();
    let id = session.put_version(version)?;
    let mut state = repository.state();
    let mut changes =
        vec![Change::VersionAdded { version: id, dataset: Some(repository.dataset().clone()) }];
    match &mut state.head {
        Head::Branch { name, at } => {
            *at = Some(id);
            changes.push(Change::RefMoved {
                dataset: repository.dataset().clone(),
                kind: RefKind::Branch,
                name: name.clone(),
                // What the version continues, not what the branch is at by now: another worktree may
                // have moved it since, and its version must not be lost.
                old: version.parents.first().copied(),
                new: Some(id),
                annotation: None,
            });
        }
        Head::Detached { version } => *version = id,
    }
    state.staged = version.manifest;
    state.operation = None;
    if let Some(signer) = signer {
        changes.push(signature::of_version(repository, signer, &id)?);
    }
    let versions = vec![(id, version.clone())];
    Ok((Transaction { changes, versions, state: Some(state) }, id))
}

/// How many paths differ from the first parent.
pub(super) fn changed_against_parent(
    repository: &Repository,
    version: &Version,
) -> Result<Changed> {
    let before = match version.parents.first() {
        Some(parent) => repository.manifest_of(parent)?,
        None => manifest::empty().0,
    };
    changed(repository, &before, &version.manifest)
}

fn changed(repository: &Repository, from: &ManifestId, to: &ManifestId) -> Result<Changed> {
    if *from == manifest::empty().0 {
        let added = manifest::summary(&repository.nodes(), to)?.files;
        return Ok(Changed { added, ..Changed::default() });
    }
    let Totals { added, modified, deleted, .. } = Totals::of(&compare(repository, from, to)?);
    Ok(Changed { added, modified, deleted })
}

fn preview(
    repository: &Repository,
    options: &CommitOptions,
    operation: Option<&Operation>,
    message: String,
) -> Result<Commit> {
    let staged = repository.state().staged;
    let head = repository.head_manifest()?;
    if staged == head && !options.allow_empty && !options.all && operation.is_none() {
        return Err(Error::NothingToCommit);
    }
    let totals = manifest::summary(&repository.nodes(), &staged)?;
    let parents: Vec<_> = repository.head()?.into_iter().chain(second_parent(operation)).collect();
    let said = provenance(repository, options, operation);
    let draft = Draft::new(repository, parents.clone(), &message, &said)?;
    ask_here(repository, "commit", Coming::Made(draft), true)?;
    Ok(Commit {
        version: None,
        manifest: staged,
        parents,
        branch: branch(repository),
        files: totals.files,
        bytes: totals.bytes,
        message,
        changed: changed(repository, &head, &staged)?,
        stored: Stored::default(),
        failed: Vec::new(),
        signed_by: None,
        dry_run: true,
    })
}

/// The paths that differ between the current version and what is staged, with renames.
///
/// # Errors
///
/// What keeps the listings from being read.
pub fn staged_changes(repository: &Repository) -> Result<Vec<super::diff::PathChange>> {
    let head = repository.head_manifest()?;
    Ok(find_renames(compare(repository, &head, &repository.state().staged)?))
}
