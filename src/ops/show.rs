//! One version with everything that is recorded of it.

use serde::Serialize;

use super::diff::{PathChange, Totals, compare, find_renames};
use super::log::{Labels, VersionInfo};
use super::{Result, signature};
use crate::format::frame::Key;
use crate::format::{manifest, version};
use crate::model::{DatasetName, Provenance};
use crate::repo::Repository;

/// A version.
#[derive(Debug, Serialize)]
pub struct Show {
    /// The dataset that it was looked for in.
    pub dataset: DatasetName,
    /// Its row.
    #[serde(flatten)]
    pub info: VersionInfo,
    /// Where it came from, in the version itself.
    pub provenance: Provenance,
    /// What was recorded of it later.
    pub records: Vec<serde_json::Value>,
    /// Paths that differ from its first parent.
    pub changes: Vec<PathChange>,
    /// Sums over them.
    pub totals: Totals,
}

/// Shows the version that `revision` names.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like; what keeps the version from being read.
pub fn show(repository: &Repository, revision: &str) -> Result<Show> {
    let found = repository.resolve(revision)?;
    let row = repository.version(&found.version)?;
    let stored = version::decode(&repository.get(&Key::version(&found.version))?)?;
    let before = match row.parents.first() {
        Some(parent) => repository.manifest_of(parent)?,
        None => manifest::empty().0,
    };
    let changes = find_renames(compare(repository, &before, &row.manifest)?);
    let mut info = Labels::of(repository, &found.dataset)?.describe(row);
    info.signatures = Some(signature::status(repository, &found.version)?);
    Ok(Show {
        dataset: found.dataset,
        info,
        provenance: stored.provenance,
        records: Vec::new(),
        totals: Totals::of(&changes),
        changes,
    })
}
