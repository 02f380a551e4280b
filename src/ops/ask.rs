//! Asking the policy before files are touched: a refusal then leaves the worktree as it was. The gate
//! itself is in `repo`, and asks again.

use super::commit::branch;
use crate::catalogue::Change;
use crate::format::{manifest, version};
use crate::model::{Author, Provenance, RefKind, RefName, Time, Version, VersionId};
use crate::repo::{self, Repository, Transaction};

/// A version as far as a policy looks at it, before its listing is known.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// What it will continue.
    pub(super) parents: Vec<VersionId>,
    /// Who makes it.
    pub(super) author: Author,
    /// What it will say.
    pub(super) message: String,
    /// Where it comes from.
    pub(super) provenance: Provenance,
}

impl Draft {
    /// A version that the acting person is about to make.
    pub(super) fn new(
        repository: &Repository,
        parents: Vec<VersionId>,
        message: &str,
        provenance: &Provenance,
    ) -> Result<Box<Self>, repo::Error> {
        let (author, provenance) = (repository.author()?, provenance.clone());
        Ok(Box::new(Self { parents, author, message: message.to_owned(), provenance }))
    }

    /// The version, with an empty listing, and an id that no other has.
    fn version(self) -> Result<(VersionId, Version), repo::Error> {
        let Self { parents, author, message, provenance } = self;
        let version = Version {
            format: 1,
            manifest: manifest::empty().0,
            files: 0,
            bytes: 0,
            parents,
            author,
            time: Time::EPOCH,
            utc_offset_minutes: None,
            message,
            provenance,
        };
        Ok((version::id(&version::encode(&version)?), version))
    }
}

/// A branch or tag, where it is, and what it is to become.
pub(super) type Move = (RefKind, RefName, Option<VersionId>, Coming);

/// What a branch is to become.
pub(super) enum Coming {
    /// A version that is about to be made.
    Made(Box<Draft>),
    /// A version that exists.
    There(VersionId),
}

/// Asks whether these branches and tags may become this.
///
/// # Errors
///
/// [`repo::Error::Refused`]; it is journaled unless it is only a dry run.
pub(super) fn ask_all(
    repository: &Repository,
    action: &str,
    subject: &str,
    moves: impl IntoIterator<Item = Move>,
    dry_run: bool,
) -> Result<(), repo::Error> {
    let mut asked = Transaction::default();
    for (kind, name, old, coming) in moves {
        let new = match coming {
            Coming::There(version) => version,
            Coming::Made(draft) => {
                let (id, version) = draft.version()?;
                asked.versions.push((id, version));
                id
            }
        };
        asked.changes.push(Change::RefMoved {
            dataset: repository.dataset().clone(),
            kind,
            name,
            old,
            new: Some(new),
            annotation: None,
        });
    }
    repository.ask(action, subject, &asked, dry_run)
}

/// Asks whether the worktree's branch may become this; on no branch nobody is asked.
///
/// # Errors
///
/// As [`ask_all`].
pub(super) fn ask_here(
    repository: &Repository,
    action: &str,
    coming: Coming,
    dry_run: bool,
) -> Result<(), repo::Error> {
    let Some(name) = branch(repository) else { return Ok(()) };
    let subject = super::commit::subject(repository);
    let old = repository.head()?;
    ask_all(repository, action, &subject, [(RefKind::Branch, name, old, coming)], dry_run)
}
