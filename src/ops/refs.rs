//! Branches, tags, datasets, and where they have been.

use serde::Serialize;

use super::commit::branch;
use super::signature::{self, Signing};
use super::state::States;
use super::{Error, Result};
use crate::catalogue::{Annotation, Change, Head};
use crate::model::{DatasetName, RefKind, RefName, State, Time, VersionId};
use crate::repo::{Repository, Transaction};

/// A branch or tag.
#[derive(Debug, Clone, Serialize)]
pub struct RefInfo {
    /// Its name.
    pub name: RefName,
    /// The version it is at; none for a branch without versions.
    pub version: Option<VersionId>,
    /// Whether the worktree is on it.
    pub current: bool,
    /// What an annotated tag says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who made an annotated tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagger: Option<String>,
    /// When an annotated tag was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}

/// The branches or tags of the worktree's dataset, by name.
///
/// # Errors
///
/// The catalogue's.
pub fn list(repository: &Repository, kind: RefKind) -> Result<Vec<RefInfo>> {
    let on = branch(repository).filter(|_| kind == RefKind::Branch);
    let mut refs = Vec::new();
    for row in repository.catalogue.refs(repository.dataset(), kind)? {
        let annotation = row.annotation;
        refs.push(RefInfo {
            current: on.as_ref() == Some(&row.name),
            name: row.name,
            version: Some(row.version),
            message: annotation.as_ref().map(|annotation| annotation.message.clone()),
            tagger: annotation.as_ref().map(|annotation| annotation.tagger.to_string()),
            time: annotation.map(|annotation| annotation.time),
        });
    }
    if let Some(name) = on.filter(|_| !refs.iter().any(|row| row.current)) {
        let (message, tagger, time) = (None, None, None);
        refs.push(RefInfo { name, version: None, current: true, message, tagger, time });
        refs.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(refs)
}

/// The branch that the worktree is on.
pub fn current_branch(repository: &Repository) -> Option<RefName> {
    branch(repository)
}

/// What became of a branch or tag.
#[derive(Debug, Serialize)]
pub struct RefChanged {
    /// Its name.
    pub name: RefName,
    /// Its name before, if it has another now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RefName>,
    /// The version it is at; none if it is gone.
    pub version: Option<VersionId>,
    /// The version it was at.
    pub old: Option<VersionId>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

fn moved(
    repository: &Repository,
    kind: RefKind,
    name: &RefName,
    old: Option<VersionId>,
    new: Option<VersionId>,
    annotation: Option<Annotation>,
) -> Change {
    let (dataset, name) = (repository.dataset().clone(), name.clone());
    Change::RefMoved { dataset, kind, name, old, new, annotation }
}

fn subject(repository: &Repository, name: &RefName) -> String {
    format!("{}:{name}", repository.dataset())
}

/// Makes a branch at `revision`.
///
/// # Errors
///
/// [`Error::Exists`]; [`crate::repo::Error::NoRevision`] and its like.
pub fn create_branch(
    repository: &Repository,
    name: &RefName,
    revision: &str,
    force: bool,
    dry_run: bool,
) -> Result<RefChanged> {
    let version = repository.resolve(revision)?.version;
    let old = at(repository, RefKind::Branch, name)?;
    if old.is_some() && !force {
        return Err(Error::Exists { kind: RefKind::Branch, name: name.clone() });
    }
    // Also a branch that has no version yet: whoever is on it continues nothing.
    refuse_in_use(repository, name, if old.is_some() { "moved" } else { "made elsewhere" })?;
    let done = RefChanged { name: name.clone(), from: None, version: Some(version), old, dry_run };
    if old != Some(version) {
        let changes = vec![moved(repository, RefKind::Branch, name, old, Some(version), None)];
        change(repository, "branch", &subject(repository, name), None, changes, dry_run)?;
    }
    Ok(done)
}

/// What a new tag shall be.
#[derive(Debug, Clone, Default)]
pub struct TagOptions {
    /// What it says; then it also says who made it and when.
    pub message: Option<String>,
    /// Move it if it is there already.
    pub force: bool,
    /// Whether to sign it.
    pub signing: Signing,
    /// Change nothing.
    pub dry_run: bool,
}

/// Makes a tag at `revision`; with a message it says who made it and when.
///
/// # Errors
///
/// [`Error::Exists`]; [`crate::repo::Error::NoRevision`] and its like; no key to sign with.
pub fn create_tag(
    repository: &Repository,
    name: &RefName,
    revision: &str,
    options: &TagOptions,
) -> Result<RefChanged> {
    let TagOptions { force, dry_run, .. } = *options;
    let message = options.message.as_deref();
    let version = repository.resolve(revision)?.version;
    let old = at(repository, RefKind::Tag, name)?;
    if old.is_some() && !force {
        return Err(Error::Exists { kind: RefKind::Tag, name: name.clone() });
    }
    let annotation = match message {
        Some(message) => Some(Annotation {
            message: message.to_owned(),
            tagger: repository.author()?,
            time: repository.now(),
        }),
        None => None,
    };
    let signer = signature::signer(repository, &options.signing)?;
    let done = RefChanged { name: name.clone(), from: None, version: Some(version), old, dry_run };
    let mut changes = vec![moved(repository, RefKind::Tag, name, old, Some(version), annotation)];
    if let Some(signer) = &signer {
        changes.push(signature::of_tag(repository, signer, &version, name, message)?);
    }
    change(repository, "tag", &subject(repository, name), message, changes, dry_run)?;
    Ok(done)
}

fn change(
    repository: &Repository,
    action: &str,
    subject: &str,
    message: Option<&str>,
    changes: Vec<Change>,
    dry_run: bool,
) -> Result<()> {
    let transaction = Transaction { changes, ..Transaction::default() };
    if dry_run {
        return Ok(repository.ask(action, subject, &transaction, true)?);
    }
    Ok(repository.change(action, subject, message, transaction)?)
}

fn at(repository: &Repository, kind: RefKind, name: &RefName) -> Result<Option<VersionId>> {
    let row = repository.catalogue.get_ref(repository.dataset(), kind, name)?;
    Ok(row.map(|row| row.version))
}

/// Where a branch or tag is that must exist.
fn known(repository: &Repository, kind: RefKind, name: &RefName) -> Result<VersionId> {
    let missing = || repository.no_revision(repository.dataset(), name.as_str());
    Ok(at(repository, kind, name)?.ok_or_else(missing)?)
}

/// A branch that a worktree is on can't be taken from under it.
fn refuse_in_use(repository: &Repository, name: &RefName, what: &str) -> Result<()> {
    for row in repository.catalogue.worktrees()? {
        if row.state.dataset == *repository.dataset()
            && matches!(&row.state.head, Head::Branch { name: head, .. } if head == name)
        {
            let path = &row.state.path;
            return Err(Error::Refused(format!(
                "branch `{name}` cannot be {what}: the worktree {path} is on it"
            )));
        }
    }
    Ok(())
}

/// Removes a branch or tag. A branch whose versions nothing else leads to needs `force`.
///
/// # Errors
///
/// [`Error::NotMerged`]; [`Error::Refused`] if a worktree is on it.
pub fn delete(
    repository: &Repository,
    kind: RefKind,
    name: &RefName,
    force: bool,
    dry_run: bool,
) -> Result<RefChanged> {
    let old = known(repository, kind, name)?;
    let mut annotation = None;
    if kind == RefKind::Branch {
        refuse_in_use(repository, name, "removed")?;
        if !force && !is_held(repository, name, &old)? {
            return Err(Error::NotMerged { name: name.clone() });
        }
    } else if let Some(row) = repository.catalogue.get_ref(repository.dataset(), kind, name)? {
        annotation = row.annotation;
    }
    let changes = vec![moved(repository, kind, name, Some(old), None, annotation)];
    let action = format!("{}-delete", kind.as_str());
    change(repository, &action, &subject(repository, name), None, changes, dry_run)?;
    Ok(RefChanged { name: name.clone(), from: None, version: None, old: Some(old), dry_run })
}

/// Whether the current version, or another branch or tag, leads to `version`.
fn is_held(repository: &Repository, name: &RefName, version: &VersionId) -> Result<bool> {
    if let Some(head) = repository.head()?
        && repository.catalogue.is_ancestor(version, &head)?
    {
        return Ok(true);
    }
    for kind in [RefKind::Branch, RefKind::Tag] {
        for row in repository.catalogue.refs(repository.dataset(), kind)? {
            let itself = kind == RefKind::Branch && row.name == *name;
            if !itself && repository.catalogue.is_ancestor(version, &row.version)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Gives a branch another name; a worktree that is on it follows.
///
/// # Errors
///
/// [`Error::Exists`]; [`Error::Refused`] if another worktree is on it.
pub fn rename_branch(
    repository: &Repository,
    from: &RefName,
    to: &RefName,
    dry_run: bool,
) -> Result<RefChanged> {
    let mut state = repository.state();
    let is_current = branch(repository).as_ref() == Some(from);
    let version = at(repository, RefKind::Branch, from)?;
    if version.is_none() && !is_current {
        known(repository, RefKind::Branch, from)?;
    }
    if at(repository, RefKind::Branch, to)?.is_some() {
        return Err(Error::Exists { kind: RefKind::Branch, name: to.clone() });
    }
    if !is_current {
        refuse_in_use(repository, from, "renamed")?;
    }
    let mut changes = Vec::new();
    if version.is_some() {
        changes.push(moved(repository, RefKind::Branch, to, None, version, None));
        changes.push(moved(repository, RefKind::Branch, from, version, None, None));
    }
    if is_current {
        state.head = Head::Branch { name: to.clone(), at: repository.head()? };
    }
    let transaction = Transaction { changes, state: Some(state), ..Transaction::default() };
    if dry_run {
        repository.ask("branch-rename", &subject(repository, to), &transaction, true)?;
    } else {
        repository.change("branch-rename", &subject(repository, to), None, transaction)?;
    }
    let from = Some(from.clone());
    Ok(RefChanged { name: to.clone(), from, version, old: version, dry_run })
}

/// A dataset of the store.
#[derive(Debug, Serialize)]
pub struct DatasetInfo {
    /// Its name.
    pub name: DatasetName,
    /// When it was made.
    pub created: Time,
    /// How many branches it has.
    pub branches: u64,
    /// How many tags it has.
    pub tags: u64,
    /// The newest version of any of its branches.
    pub newest: Option<VersionId>,
    /// How many files that lists.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The stage of its life that it is in.
    pub state: State,
    /// Whether the worktree shows it.
    pub current: bool,
}

/// The datasets of the store, by name.
///
/// # Errors
///
/// The catalogue's.
pub fn datasets(repository: &Repository) -> Result<Vec<DatasetInfo>> {
    let refs = repository.catalogue.all_refs()?;
    let ids: Vec<_> = refs.iter().map(|row| row.version).collect();
    let states = States::load(repository)?;
    let mut rows = std::collections::HashMap::new();
    for row in repository.catalogue.versions(&ids)? {
        rows.insert(row.id, row);
    }
    let info = |row: crate::catalogue::DatasetRow| {
        let own = || refs.iter().filter(|one| one.dataset == row.name);
        let count = |kind| own().filter(|one| one.kind == kind).count() as u64;
        let newest = own()
            .filter(|one| one.kind == RefKind::Branch)
            .filter_map(|one| rows.get(&one.version))
            .max_by_key(|version| (version.time, version.generation));
        DatasetInfo {
            current: row.name == *repository.dataset(),
            state: states.dataset(&row.name),
            branches: count(RefKind::Branch),
            tags: count(RefKind::Tag),
            newest: newest.map(|version| version.id),
            files: newest.map_or(0, |version| version.files),
            bytes: newest.map_or(0, |version| version.bytes),
            name: row.name,
            created: row.created_at,
        }
    };
    Ok(repository.catalogue.datasets()?.into_iter().map(info).collect())
}

/// A move of a branch or tag.
#[derive(Debug, Serialize)]
pub struct Moved {
    /// How it is written: `main@{2}` is where the branch was two moves ago.
    pub selector: String,
    /// The version it had.
    pub old: Option<VersionId>,
    /// The version it got; none if it was removed.
    pub new: Option<VersionId>,
    /// When.
    pub time: Time,
    /// Who, as `Name <mail>`.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// What was said.
    pub message: Option<String>,
    /// The entry of the journal.
    pub number: u64,
}

/// Where a branch or tag has been, the newest move first; the current branch if none is named.
///
/// # Errors
///
/// [`Error::Refused`] if the worktree is on no branch and none is named; [`crate::repo::Error::NoRevision`]
/// for a name that no branch or tag ever had.
pub fn reflog(repository: &Repository, name: Option<&RefName>, limit: u64) -> Result<Vec<Moved>> {
    let nowhere = || Error::Refused("the worktree is on no branch: name one".into());
    let name = match name {
        Some(name) => name.clone(),
        None => branch(repository).ok_or_else(nowhere)?,
    };
    let mut rows = Vec::new();
    for kind in [RefKind::Branch, RefKind::Tag] {
        rows = repository.catalogue.ref_log(repository.dataset(), kind, &name, limit)?;
        if !rows.is_empty() {
            break;
        }
    }
    // A branch that was just begun has been nowhere yet.
    if rows.is_empty() && branch(repository).as_ref() != Some(&name) {
        repository.resolve(name.as_str())?;
    }
    let moved = |(place, row): (usize, crate::catalogue::RefLogRow)| Moved {
        selector: format!("{name}@{{{place}}}"),
        old: row.old,
        new: row.new,
        time: row.time,
        actor: row.actor,
        action: row.action,
        message: row.message,
        number: row.number,
    };
    Ok(rows.into_iter().enumerate().map(moved).collect())
}
