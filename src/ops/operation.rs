//! What is under way in a worktree between two commands: a merge, a cherry-pick, a revert.

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::model::{DataRef, DatasetName, Derivation, Provenance, RepoPath, VersionId};
use crate::repo::Repository;

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// `merge`.
    Merge,
    /// `cherry-pick`.
    CherryPick,
    /// `revert`.
    Revert,
}

impl Doing {
    /// The verb.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
        }
    }
}

/// An operation that waits for its conflicts to be resolved. Kept in the catalogue with the
/// worktree's state, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What is under way.
    pub doing: Doing,
    /// The other version: merged, picked or taken back.
    pub other: VersionId,
    /// The dataset that the other version was looked for in; not said by the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// The version that the worktree continued when it began.
    pub before: Option<VersionId>,
    /// What the commit will say.
    pub message: String,
    /// Paths in conflict, in hexadecimal, because they need not be UTF-8.
    conflicts: Vec<String>,
    /// The same when it began.
    all: Vec<String>,
}

impl Operation {
    /// An operation with these paths in conflict.
    pub fn new(
        doing: Doing,
        (dataset, other): (&DatasetName, VersionId),
        before: Option<VersionId>,
        message: String,
        conflicts: &[RepoPath],
    ) -> Self {
        let dataset = Some(dataset.clone());
        let conflicts: Vec<_> = conflicts.iter().map(|path| to_hex(path.as_bytes())).collect();
        Self { doing, other, dataset, before, message, all: conflicts.clone(), conflicts }
    }

    /// The operation that is under way, if any.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if what the catalogue holds was written by a newer program.
    pub fn of(repository: &Repository) -> Result<Option<Self>> {
        let Some(value) = repository.state().operation else { return Ok(None) };
        let unknown = |error: serde_json::Error| {
            Error::Refused(format!("what is under way here is not known to this stem: {error}"))
        };
        serde_json::from_value(value).map(Some).map_err(unknown)
    }

    /// As JSON for the catalogue.
    pub fn to_value(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self).ok()
    }

    /// What a version that ends it in the dataset `here` was made from.
    pub fn derived(&self, here: &DatasetName) -> Option<Derivation> {
        derived(self.doing, self.dataset.as_ref().unwrap_or(here), self.other, here)
    }

    /// The paths in conflict, in order.
    pub fn conflicts(&self) -> Vec<RepoPath> {
        paths(&self.conflicts)
    }

    /// The paths that were in conflict when it began, in order.
    pub fn all(&self) -> Vec<RepoPath> {
        paths(&self.all)
    }

    /// The same operation without the conflicts that `resolved` accepts.
    #[must_use]
    pub fn without(mut self, resolved: impl Fn(&RepoPath) -> bool) -> Self {
        self.conflicts.retain(|hex| {
            let path = from_hex(hex).and_then(|bytes| RepoPath::new(bytes).ok());
            !path.is_some_and(|path| resolved(&path))
        });
        self
    }
}

/// What a version was made from by `doing`; none where the version's parents say it: a merge of the
/// same dataset.
pub fn derived(
    doing: Doing,
    dataset: &DatasetName,
    other: VersionId,
    here: &DatasetName,
) -> Option<Derivation> {
    let by_parents = doing == Doing::Merge && dataset == here;
    (!by_parents).then(|| derivation(dataset, other, doing.as_str()))
}

/// A derivation from the whole of a version.
pub fn derivation(dataset: &DatasetName, version: VersionId, how: &str) -> Derivation {
    let from = DataRef { dataset: dataset.clone(), version, path: None };
    Derivation { from, how: how.to_owned(), other: Default::default() }
}

/// A provenance that says only this.
pub fn only(derived: Option<Derivation>) -> Provenance {
    Provenance { derived_from: derived.into_iter().collect(), ..Provenance::default() }
}

fn paths(hex: &[String]) -> Vec<RepoPath> {
    hex.iter().filter_map(|hex| RepoPath::new(from_hex(hex)?).ok()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
