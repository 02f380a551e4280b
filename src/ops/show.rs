//! One version with everything that is recorded of it.

use serde::Serialize;
use serde_json::Value;

use super::diff::{PathChange, Totals, compare, find_renames};
use super::log::{Labels, VersionInfo};
use super::{Result, signature};
use crate::catalogue::{RecordFilter, RecordRow};
use crate::format::frame::Key;
use crate::format::{manifest, version};
use crate::model::{DatasetName, Provenance, RecordKind, Time};
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
    pub records: Vec<RecordInfo>,
    /// Paths that differ from its first parent.
    pub changes: Vec<PathChange>,
    /// Sums over them.
    pub totals: Totals,
}

/// What was recorded of a version later, and by whom.
#[derive(Debug, Serialize)]
pub struct RecordInfo {
    /// The entry of the journal that added it.
    pub number: u64,
    /// What it says something about.
    pub kind: RecordKind,
    /// When it was added.
    pub time: Time,
    /// Who added it: `Name <mail>`.
    pub actor: String,
    /// The path it is about; none for the whole version.
    pub path: Option<String>,
    /// What it is called: the metric, the key, the step.
    pub name: Option<String>,
    /// A number, of a metric.
    pub value: Option<f64>,
    /// In words.
    pub text: Option<String>,
    /// The rest of it.
    pub body: serde_json::Map<String, Value>,
}

impl From<RecordRow> for RecordInfo {
    fn from(row: RecordRow) -> Self {
        let RecordRow { number, time, actor, record, .. } = row;
        let (kind, path, name, value) = (record.kind, record.path, record.name, record.value);
        let (text, body) = (record.text, record.body);
        Self { number, kind, time, actor, path, name, value, text, body }
    }
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
    let filter = RecordFilter { version: Some(found.version), ..RecordFilter::default() };
    let records = repository.catalogue.records(&filter)?;
    let mut info = Labels::of(repository, &found.dataset)?.describe(row);
    info.signatures = Some(signature::status(repository, &found.version)?);
    Ok(Show {
        dataset: found.dataset,
        info,
        provenance: stored.provenance,
        records: records.into_iter().map(RecordInfo::from).collect(),
        totals: Totals::of(&changes),
        changes,
    })
}
