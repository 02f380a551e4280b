//! `data.stem` beside code in Git: written by `git-pin`, followed by `switch`, watched by `status`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Result;
use crate::model::{DatasetName, ManifestId, VersionId};
use crate::repo::{self, Pin, PinError, Repository};

/// A version that was pinned.
#[derive(Debug, Serialize)]
pub struct Pinned {
    /// The file.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub path: PathBuf,
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Its listing.
    pub digest: ManifestId,
    /// What the file named before.
    pub old: Option<VersionId>,
    /// Whether the file has changed.
    pub changed: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Writes into `path` that its files belong to `revision`. A file that says so already stays as it
/// is.
///
/// # Errors
///
/// [`PinError::OtherDataset`] if the revision is of another dataset, [`repo::Error::Io`].
pub fn pin(
    repository: &Repository,
    revision: &str,
    path: &Path,
    store: Option<&str>,
    dry_run: bool,
) -> Result<Pinned> {
    let found = repository.resolve(revision)?;
    if found.dataset != *repository.dataset() {
        let (theirs, ours) = (found.dataset, repository.dataset().clone());
        let problem = Box::new(PinError::OtherDataset { theirs, ours });
        return Err(repo::Error::Pin { path: path.to_path_buf(), problem }.into());
    }
    let digest = repository.manifest_of(&found.version)?;
    let mut pin = Pin::new(found.dataset, found.version, digest, repository.now());
    pin.store = store.map(str::to_owned);
    // What is there and is no pin is not overwritten.
    let before = match path.symlink_metadata() {
        Ok(_) => Some(Pin::read(path)?),
        Err(_) => None,
    };
    let same =
        before.as_ref().is_some_and(|before| Pin { created: pin.created, ..before.clone() } == pin);
    if !same && !dry_run {
        pin.write(path)?;
    }
    Ok(Pinned {
        path: path.to_path_buf(),
        dataset: pin.dataset,
        version: pin.version,
        digest,
        old: before.map(|before| before.version),
        changed: !same,
        dry_run,
    })
}

/// The version that the nearest `data.stem` names, and the file; none if there is no such file.
///
/// # Errors
///
/// [`repo::Error::Pin`] if the file cannot be used with this worktree.
pub fn pinned(repository: &Repository) -> Result<Option<(PathBuf, Pin)>> {
    let Some(path) = Pin::find(&repository.place) else { return Ok(None) };
    let pin = Pin::read(&path)?;
    let wrong = |problem| repo::Error::Pin { path: path.clone(), problem: Box::new(problem) };
    if pin.dataset != *repository.dataset() {
        let (theirs, ours) = (pin.dataset.clone(), repository.dataset().clone());
        return Err(wrong(PinError::OtherDataset { theirs, ours }).into());
    }
    let Some(row) = repository.catalogue.version(&pin.version)? else {
        return Err(wrong(PinError::NoVersion(pin.version)).into());
    };
    if row.manifest != pin.digest {
        let (version, expected, found) = (pin.version, row.manifest, pin.digest);
        return Err(wrong(PinError::OtherDigest { version, expected, found }).into());
    }
    Ok(Some((path, pin)))
}

/// How the worktree stands to its `data.stem`.
#[derive(Debug, Serialize)]
pub struct PinState {
    /// The file.
    pub path: PathBuf,
    /// The version that it names; none if it cannot be used.
    pub version: Option<VersionId>,
    /// Whether the worktree is at another one.
    pub moved: bool,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How the worktree stands to the nearest `data.stem`. One that cannot be used is no error here.
pub fn state(repository: &Repository, head: Option<VersionId>) -> Option<PinState> {
    match pinned(repository) {
        Ok(None) => None,
        Ok(Some((path, pin))) => {
            let moved = head != Some(pin.version);
            Some(PinState { path, version: Some(pin.version), moved, problem: None })
        }
        Err(error) => {
            let path = Pin::find(&repository.place)?;
            let problem = match error {
                super::Error::Repo(repo::Error::Pin { problem, .. }) => problem.to_string(),
                other => other.to_string(),
            };
            Some(PinState { path, version: None, moved: false, problem: Some(problem) })
        }
    }
}
