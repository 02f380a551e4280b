//! What is under way in a worktree between two commands: a merge, a cherry-pick, a revert.

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::model::{RepoPath, VersionId};
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
        other: VersionId,
        before: Option<VersionId>,
        message: String,
        conflicts: &[RepoPath],
    ) -> Self {
        let conflicts: Vec<_> = conflicts.iter().map(|path| to_hex(path.as_bytes())).collect();
        Self { doing, other, before, message, all: conflicts.clone(), conflicts }
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
