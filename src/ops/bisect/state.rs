//! What a search knows, in the file `bisect.json` of the worktree.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::catalogue::Head;
use crate::model::VersionId;
use crate::ops::{Error, Result};
use crate::repo::{self, Repository};

const FILE: &str = "bisect.json";

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The branch or the version to go back to.
    start: String,
    /// The newest version known to be bad.
    pub(super) bad: Option<VersionId>,
    /// The versions known to be good.
    pub(super) good: Vec<VersionId>,
    /// The versions that cannot be tried.
    pub(super) skipped: Vec<VersionId>,
}

impl State {
    /// Nothing is known yet, and the way back leads to where the worktree is.
    pub(super) fn beginning(repository: &Repository) -> Self {
        let start = match repository.state().head {
            Head::Branch { name, .. } => name.to_string(),
            Head::Detached { version } => version.to_hex(),
        };
        Self { start, ..Self::default() }
    }

    /// The branch or the version to go back to.
    pub(super) fn home(&self) -> String {
        self.start.clone()
    }

    /// Takes an answer. A version has only the last one that was given.
    pub(super) fn take(&mut self, verdict: Verdict, version: VersionId) {
        self.good.retain(|good| *good != version);
        self.skipped.retain(|skipped| *skipped != version);
        match verdict {
            Verdict::Bad => self.bad = Some(version),
            Verdict::Good => self.good.push(version),
            Verdict::Skip => self.skipped.push(version),
        }
    }

    /// Adds a good version.
    pub(super) fn add_good(&mut self, version: VersionId) {
        self.take(Verdict::Good, version);
    }

    /// What is known of the search that is under way, if one is.
    pub(super) fn read(repository: &Repository) -> Result<Option<Self>> {
        let path = repository.place.dot.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(path, error)),
        };
        let parsed = serde_json::from_slice(&text);
        Ok(Some(parsed.map_err(|error| failed(path, io::Error::from(error)))?))
    }

    /// Writes it whole, in place of what was there.
    pub(super) fn write(&self, repository: &Repository) -> Result<()> {
        let path = repository.place.dot.join(FILE);
        replace(&path, self).map_err(|error| failed(path, error))
    }

    /// The search is over.
    pub(super) fn remove(repository: &Repository) -> Result<()> {
        let path = repository.place.dot.join(FILE);
        std::fs::remove_file(&path).map_err(|error| failed(path, error))
    }
}

fn replace(path: &Path, state: &State) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut options = std::fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

fn failed(path: PathBuf, source: io::Error) -> Error {
    repo::Error::Io { path, source }.into()
}
