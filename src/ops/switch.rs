//! Working on another branch or version.

use serde::Serialize;

use super::operation::Operation;
use super::pin::pinned;
use super::travel::{Journey, absent_in};
use super::undo::FARTHEST;
use super::{Error, Result};
use crate::catalogue::{Change, Head};
use crate::model::{RefKind, RefName, VersionId};
use crate::repo::{self, Absent, Repository, Transaction};

/// Where the worktree was before.
pub const PREVIOUS: &str = "-";

/// Where to.
#[derive(Debug, Clone, Default)]
pub struct SwitchOptions {
    /// A branch, a revision, or [`PREVIOUS`]; without both this and `create`, what the nearest `data.stem` names.
    pub target: Option<String>,
    /// Make this branch there.
    pub create: Option<RefName>,
    /// Drop what is staged and what is not saved.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
}

/// Where the worktree is now.
#[derive(Debug, Serialize)]
pub struct Switch {
    /// The branch; none if the worktree is on none.
    pub branch: Option<RefName>,
    /// The version.
    pub version: Option<VersionId>,
    /// Whether the branch is new.
    pub created: bool,
    /// Files written.
    pub written: u64,
    /// Files removed.
    pub removed: u64,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Moves the worktree to another branch or version; what is staged or changed on paths that are
/// equal in both stays.
///
/// # Errors
///
/// [`crate::repo::Error::Unsaved`] with every path that would be lost.
pub fn switch(repository: &Repository, options: &SwitchOptions) -> Result<Switch> {
    if let Some(operation) = Operation::of(repository)?
        && !options.force
    {
        return Err(Error::UnderWay { doing: operation.doing.as_str() });
    }
    let asked_for = options.target.as_deref();
    let place = asked_for.map(|text| place(repository, text)).transpose()?;
    let (head, version) = destination(repository, place.as_deref(), options.create.as_ref())?;
    let target = match &version {
        Some(version) => repository.manifest_of(version)?,
        None => repository.head_manifest()?,
    };
    let journey = Journey::to(repository, &target, options.force)?;
    let branch = match &head {
        Head::Branch { name, .. } => Some(name.clone()),
        Head::Detached { .. } => None,
    };
    let mut done = Switch {
        branch,
        version,
        created: options.create.is_some(),
        written: 0,
        removed: 0,
        absent: Vec::new(),
        dry_run: options.dry_run,
    };
    let subject = subject(repository, &head);
    let created_branch: Vec<_> = created(repository, options, version).into_iter().collect();
    if !created_branch.is_empty() {
        repository.catalogue.refuse_frozen(repository.dataset())?;
    }
    let asked = Transaction { changes: created_branch.clone(), ..Transaction::default() };
    repository.ask("switch", &subject, &asked, options.dry_run)?;
    if options.dry_run {
        if !options.force {
            journey.check(repository)?;
        }
        let removed = journey.changes().iter().filter(|change| change.new.is_none()).count();
        done.removed = removed as u64;
        done.written = (journey.changes().len() - removed) as u64;
        return Ok(done);
    }
    let updated = journey.go(repository, options.force)?;
    repository.transact("switch", &subject, None, |session| {
        let mut state = repository.state();
        state.staged = journey.goal(session)?;
        state.head = head.clone();
        state.operation = None;
        let changes = created_branch.clone();
        Ok((Transaction { changes, state: Some(state), ..Transaction::default() }, ()))
    })?;
    journey.keep_index(repository, &updated);
    (done.written, done.removed) = (updated.written, updated.removed);
    done.absent = absent_in(repository, &target)?;
    Ok(done)
}

/// What `text` stands for: with [`PREVIOUS`] the branch that the worktree was on before this one, or
/// the version where it was on none; everything else as it is.
///
/// # Errors
///
/// [`repo::Error::BadRevision`] if it has always been here.
pub fn place(repository: &Repository, text: &str) -> Result<String> {
    if text != PREVIOUS {
        return Ok(text.to_owned());
    }
    let head = repository.catalogue.journal_head()?.number;
    let mut before = head + 1;
    while before > 1 && head - before.min(head) < FARTHEST {
        let entries = repository.catalogue.journal_before(before, 100)?;
        let Some(least) = entries.iter().map(|entry| entry.number).min() else { break };
        for entry in entries {
            let left = entry.changes()?.into_iter().find_map(|change| match change {
                Change::WorktreeChanged { id, old: Some(old), new: Some(new) }
                    if id == repository.worktree && went(&entry.action, &old.head, &new.head) =>
                {
                    Some(old.head)
                }
                _ => None,
            });
            match left {
                Some(Head::Branch { name, .. }) => return Ok(name.to_string()),
                Some(Head::Detached { version }) => return Ok(version.to_hex()),
                None => {}
            }
        }
        before = least;
    }
    let problem = "this worktree has been on no other branch or version before";
    Err(repo::Error::BadRevision { text: text.into(), problem }.into())
}

/// Whether the worktree went elsewhere: on no branch, a commit changes the version too, and a branch
/// that gets another name is the same one.
fn went(action: &str, old: &Head, new: &Head) -> bool {
    match (old, new) {
        (Head::Branch { name: old, .. }, Head::Branch { name: new, .. }) => {
            old != new && action != "branch-rename"
        }
        (Head::Detached { version: old }, Head::Detached { version: new }) => {
            old != new && matches!(action, "switch" | "bisect")
        }
        _ => true,
    }
}

fn subject(repository: &Repository, head: &Head) -> String {
    match head {
        Head::Branch { name, .. } => format!("{}:{name}", repository.dataset()),
        Head::Detached { version } => format!("{}@{version}", repository.dataset()),
    }
}

fn created(
    repository: &Repository,
    options: &SwitchOptions,
    version: Option<VersionId>,
) -> Option<Change> {
    let (name, version) = (options.create.as_ref()?, version?);
    Some(Change::RefMoved {
        dataset: repository.dataset().clone(),
        kind: RefKind::Branch,
        name: name.clone(),
        old: None,
        new: Some(version),
        annotation: None,
    })
}

/// The head and its version; a new branch where there is no version yet has none.
fn destination(
    repository: &Repository,
    target: Option<&str>,
    create: Option<&RefName>,
) -> Result<(Head, Option<VersionId>)> {
    if let Some(name) = create {
        let kind = RefKind::Branch;
        if repository.catalogue.get_ref(repository.dataset(), kind, name)?.is_some() {
            return Err(Error::Exists { kind, name: name.clone() });
        }
        let version = match target {
            Some(target) => Some(repository.resolve(target)?.version),
            None => repository.head()?,
        };
        return Ok((Head::Branch { name: name.clone(), at: version }, version));
    }
    let Some(target) = target else {
        return follow_pin(repository);
    };
    if let Ok(name) = target.parse::<RefName>()
        && let Head::Branch { name: head, .. } = repository.state().head
        && head == name
    {
        let row = repository.catalogue.get_ref(repository.dataset(), RefKind::Branch, &name)?;
        let at = row.map(|row| row.version);
        return Ok((Head::Branch { name, at }, at));
    }
    let found = repository.resolve(target)?;
    if found.dataset != *repository.dataset() {
        let (theirs, ours) = (&found.dataset, repository.dataset());
        let other = Error::Refused(format!(
            "`{target}` is a version of dataset `{theirs}`, and this worktree shows `{ours}`"
        ));
        return Err(other);
    }
    let head = match found.name {
        Some((RefKind::Branch, name)) => Head::Branch { name, at: Some(found.version) },
        _ => Head::Detached { version: found.version },
    };
    Ok((head, Some(found.version)))
}

/// The version that `data.stem` names. A worktree that is there already stays on its branch.
fn follow_pin(repository: &Repository) -> Result<(Head, Option<VersionId>)> {
    let Some((_, pin)) = pinned(repository)? else {
        let problem = "say where to: no revision was given, and no data.stem lies here or above";
        return Err(Error::Refused(problem.into()));
    };
    let version = pin.version;
    let head = match repository.state().head {
        head @ Head::Branch { .. } if repository.head()? == Some(version) => head,
        _ => Head::Detached { version },
    };
    Ok((head, Some(version)))
}
