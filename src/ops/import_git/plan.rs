//! Which commits are versions already, and which shall become one.

use std::collections::{HashMap, HashSet};

use crate::git::{GitId, History};
use crate::model::{RepoPath, VersionId};
use crate::ops::Result;
use crate::repo::Repository;

/// A commit that shall become a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct New {
    /// Which one.
    pub(super) commit: GitId,
    /// Whether its version will have all of its history.
    pub(super) whole: bool,
}

/// A version that a commit has become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Which one.
    pub(super) version: VersionId,
    /// Whether it has all of its history.
    pub(super) whole: bool,
}

/// What an import has to do.
pub(super) struct Plan {
    /// The commits that are no versions yet, parents first.
    pub(super) new: Vec<New>,
    /// Commits that are versions, also those outside of the range.
    pub(super) known: HashMap<GitId, Known>,
    /// The commits of `new`.
    is_new: HashSet<GitId>,
    /// How many commits of the range are versions already.
    pub(super) already: u64,
    /// How many new ones have a parent that is no version and will be none.
    pub(super) cut: u64,
}

/// The word under which the catalogue keeps what commits have become.
pub(super) fn origin(directory: Option<&RepoPath>, whole: bool) -> String {
    let place = directory.map(|path| format!(":{}", path.show())).unwrap_or_default();
    format!("git{}{place}", if whole { "" } else { "-cut" })
}

impl Plan {
    /// Compares the history with what has been imported; changes nothing.
    pub(super) fn make(
        repository: &Repository,
        history: &History,
        directory: Option<&RepoPath>,
    ) -> Result<Self> {
        let (new, known, is_new) = (Vec::new(), HashMap::new(), HashSet::new());
        let mut plan = Self { new, known, is_new, already: 0, cut: 0 };
        for whole in [false, true] {
            for (id, version) in repository.catalogue.imported(&origin(directory, whole))? {
                plan.known.insert(id.parse()?, Known { version, whole });
            }
        }
        let mut reader = history.reader();
        let mut whole_new: HashSet<GitId> = HashSet::new();
        for &commit in history.commits() {
            let known = plan.known.get(&commit).copied();
            if known.is_some_and(|known| known.whole) {
                plan.already += 1;
                continue;
            }
            let parents = reader.commit(commit)?.parents;
            let is_whole = |id: &GitId| {
                whole_new.contains(id) || plan.known.get(id).is_some_and(|known| known.whole)
            };
            let whole = parents.iter().all(is_whole);
            if known.is_some() && !whole {
                plan.already += 1;
                continue;
            }
            let lost = |id: &GitId| !plan.is_new.contains(id) && !plan.known.contains_key(id);
            plan.cut += u64::from(parents.iter().any(lost));
            plan.known.remove(&commit);
            plan.new.push(New { commit, whole });
            plan.is_new.insert(commit);
            if whole {
                whole_new.insert(commit);
            }
        }
        Ok(plan)
    }

    /// Whether a commit shall become a version.
    pub(super) fn is_new(&self, commit: &GitId) -> bool {
        self.is_new.contains(commit)
    }

    /// The version that a commit has become.
    pub(super) fn version(&self, commit: &GitId) -> Option<VersionId> {
        self.known.get(commit).map(|known| known.version)
    }
}
