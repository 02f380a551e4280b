//! Where the branches and tags of a Git repository go.

use std::collections::{BTreeMap, HashSet};

use super::plan::Plan;
use super::{LeftOut, Omitted};
use crate::catalogue::{Annotation, Change, RefRow};
use crate::git::{GitId, History, TagNote};
use crate::model::{Author, RefKind, RefName, Time, VersionId};
use crate::ops::{Error, Result};
use crate::repo::Repository;

/// A branch or tag, and what shall become of it.
#[derive(Debug, Clone)]
pub(super) struct Intended {
    /// Branch or tag.
    pub(super) kind: RefKind,
    /// Its name.
    pub(super) name: RefName,
    /// What it names in the Git repository.
    pub(super) commit: GitId,
    /// What it names here before.
    pub(super) old: Option<VersionId>,
    /// Whether it stays where it is here.
    pub(super) kept: Kept,
    note: Option<Annotation>,
}

/// Why a branch or tag stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It does not stay.
    No,
    /// It is there already.
    Equal,
    /// It has later versions here.
    Ahead,
    /// It cannot move.
    InTheWay,
}

impl Intended {
    /// The change of the catalogue, if there is one, once the commit is `version`.
    pub(super) fn change(&self, repository: &Repository, version: VersionId) -> Option<Change> {
        (self.kept == Kept::No).then(|| Change::RefMoved {
            dataset: repository.dataset().clone(),
            kind: self.kind,
            name: self.name.clone(),
            old: self.old,
            new: Some(version),
            annotation: self.note.clone(),
        })
    }
}

/// What every branch and tag shall become, and those that cannot be taken over.
///
/// # Errors
///
/// [`Error::Diverged`] with every branch that has versions which it does not have there.
pub(super) fn intend(
    repository: &Repository,
    history: &History,
    plan: &Plan,
) -> Result<(Vec<Intended>, Vec<LeftOut>)> {
    let mut left_out: Vec<LeftOut> = history
        .left_out()
        .iter()
        .map(|left| leave_out(left.name.clone(), left.reason.clone()))
        .collect();
    let mut intended = Vec::new();
    let mut diverged = Vec::new();
    let here = rows(repository, RefKind::Branch)?;
    for branch in history.branches() {
        let name = match branch.name.parse::<RefName>() {
            Ok(name) => name,
            Err(error) => {
                left_out.push(leave_out(format!("refs/heads/{}", branch.name), error.to_string()));
                continue;
            }
        };
        let (kind, commit) = (RefKind::Branch, branch.commit);
        let old = here.get(&name).map(|row| row.version);
        let kept = match old {
            None => Kept::No,
            Some(old) => match standing(repository, history, plan, commit, old)? {
                Some(kept) => kept,
                None => {
                    diverged.push(name);
                    continue;
                }
            },
        };
        intended.push(Intended { kind, name, commit, old, kept, note: None });
    }
    if !diverged.is_empty() {
        return Err(Error::Diverged { names: diverged });
    }
    intend_tags(repository, history, plan, &mut intended, &mut left_out)?;
    Ok((intended, left_out))
}

fn rows(repository: &Repository, kind: RefKind) -> Result<BTreeMap<RefName, RefRow>> {
    let rows = repository.catalogue.refs(repository.dataset(), kind)?;
    Ok(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
}

fn leave_out(path: String, why: String) -> LeftOut {
    LeftOut { what: Omitted::Reference, path, commit: None, why }
}

fn intend_tags(
    repository: &Repository,
    history: &History,
    plan: &Plan,
    intended: &mut Vec<Intended>,
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let here = rows(repository, RefKind::Tag)?;
    for tag in history.tags() {
        let full = || format!("refs/tags/{}", tag.name);
        let name = match tag.name.parse::<RefName>() {
            Ok(name) => name,
            Err(error) => {
                left_out.push(leave_out(full(), error.to_string()));
                continue;
            }
        };
        let old = here.get(&name).map(|row| row.version);
        let kept = match old {
            None => Kept::No,
            Some(_) if old == plan.version(&tag.commit) => Kept::Equal,
            Some(_) => {
                let why = "a tag of this name is here already, and tags do not move";
                left_out.push(leave_out(full(), why.into()));
                Kept::InTheWay
            }
        };
        let note = tag.note.as_ref().map(annotation);
        let (kind, commit) = (RefKind::Tag, tag.commit);
        intended.push(Intended { kind, name, commit, old, kept, note });
    }
    Ok(())
}

/// What an annotated tag says. Old ones do not say who made them.
fn annotation(note: &TagNote) -> Annotation {
    let unknown = || Author { name: "unknown".into(), email: String::new() };
    let (tagger, time) = match &note.tagger {
        Some(tagger) => (tagger.author.clone(), tagger.time),
        None => (unknown(), Time::EPOCH),
    };
    Annotation { message: note.message.trim_end().to_owned(), tagger, time }
}

/// How a branch that names `old` here can go to `commit`; `None` if it cannot.
fn standing(
    repository: &Repository,
    history: &History,
    plan: &Plan,
    commit: GitId,
    old: VersionId,
) -> Result<Option<Kept>> {
    let catalogue = &repository.catalogue;
    if let Some(tip) = plan.version(&commit) {
        return Ok(if tip == old {
            Some(Kept::Equal)
        } else if catalogue.is_ancestor(&old, &tip)? {
            Some(Kept::No)
        } else if catalogue.is_ancestor(&tip, &old)? {
            Some(Kept::Ahead)
        } else {
            None
        });
    }
    // Whatever a new version continues was imported: where its new ancestors end.
    let mut reader = history.reader();
    let mut seen = HashSet::from([commit]);
    let mut open = vec![commit];
    while let Some(id) = open.pop() {
        for parent in reader.commit(id)?.parents {
            if !seen.insert(parent) {
                continue;
            }
            match plan.version(&parent) {
                Some(version) if catalogue.is_ancestor(&old, &version)? => {
                    return Ok(Some(Kept::No));
                }
                Some(_) => {}
                None if plan.is_new(&parent) => open.push(parent),
                None => {}
            }
        }
    }
    Ok(None)
}
