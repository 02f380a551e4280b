//! How much of a dataset is of which class, and what nobody has decided about.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::rules::{Judged, Rule, Rules};
use crate::format::manifest::{self, Node};
use crate::model::{Class, DatasetName, FileRef, ManifestId, RepoPath, Time, VersionId};
use crate::ops::Result;
use crate::ops::target::versions_of;
use crate::repo::Repository;

/// How many paths are named of each kind.
const MOST: usize = 20;

/// So much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Entries: paths with a content, each once however many versions list it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A path, and a version that lists it.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// The newest version met that lists it.
    pub version: VersionId,
    /// The path.
    pub path: RepoPath,
}

/// A path that must be kept longer than it may be kept.
#[derive(Debug, Clone, Serialize)]
pub struct Conflict {
    /// The newest version met that lists it.
    pub version: VersionId,
    /// The path.
    pub path: RepoPath,
    /// It must not be destroyed before.
    pub keep_until: Time,
    /// It must be destroyed by then.
    pub destroy_by: Time,
}

/// What is decided about a dataset.
#[derive(Debug, Serialize)]
pub struct DatasetClasses {
    /// The dataset.
    pub dataset: DatasetName,
    /// The decisions in force, the most specific first.
    pub rules: Vec<Rule>,
    /// How much there is of each class, over all versions.
    pub classes: BTreeMap<Class, Amount>,
    /// Some of what nobody has decided about.
    pub unclassified: Vec<Sample>,
    /// Some of what must be kept longer than it may be kept.
    pub conflicts: Vec<Conflict>,
}

/// Looks at every path of every version of the datasets, or of all datasets if none is named.
///
/// # Errors
///
/// [`crate::repo::Error::NoDataset`]; what keeps listings from being read.
pub fn survey(
    repository: &Repository,
    dataset: Option<&DatasetName>,
) -> Result<Vec<DatasetClasses>> {
    let mut names: Vec<_> =
        repository.catalogue.datasets()?.into_iter().map(|row| row.name).collect();
    if let Some(dataset) = dataset {
        names.retain(|name| name == dataset);
        if names.is_empty() {
            return Err(crate::repo::Error::NoDataset(dataset.clone()).into());
        }
    }
    names.iter().map(|name| one(repository, name)).collect()
}

fn one(repository: &Repository, dataset: &DatasetName) -> Result<DatasetClasses> {
    let rules = Rules::of(repository, dataset)?;
    let mut seen = DatasetClasses {
        dataset: dataset.clone(),
        rules: rules.all().to_vec(),
        classes: Class::ALL.iter().map(|class| (*class, Amount::default())).collect(),
        unclassified: Vec::new(),
        conflicts: Vec::new(),
    };
    let versions = versions_of(repository, dataset)?;
    survey_of(repository, &rules, &versions, |version, path, file, judged| {
        let amount = seen.classes.entry(judged.class).or_default();
        amount.files += 1;
        amount.bytes += file.size;
        let Ok(path) = RepoPath::new(path) else { return };
        if judged.class == Class::Unclassified && seen.unclassified.len() < MOST {
            seen.unclassified.push(Sample { version: *version, path: path.clone() });
        }
        if let (Some(keep_until), Some(destroy_by)) = (judged.keep_until, judged.destroy_by)
            && keep_until > destroy_by
            && seen.conflicts.len() < MOST
        {
            seen.conflicts.push(Conflict { version: *version, path, keep_until, destroy_by });
        }
    })?;
    Ok(seen)
}

/// Gives every entry of `versions` with what the rules say of it to `visit`. An entry that several
/// versions list is given once for all versions that no rule speaks of alone, with the first of
/// them, and once for each of the others.
///
/// # Errors
///
/// What keeps listings from being read.
pub fn survey_of(
    repository: &Repository,
    rules: &Rules,
    versions: &[VersionId],
    mut visit: impl FnMut(&VersionId, &[u8], &FileRef, Judged),
) -> Result<()> {
    let nodes = repository.nodes();
    let mut seen_nodes: HashSet<ManifestId> = HashSet::new();
    // Two versions may list an entry in different nodes; a hash of 16 bytes tells entries apart.
    let mut seen_entries: HashSet<u128> = HashSet::new();
    for version in versions {
        let alone = rules.speak_of(version);
        let root = repository.manifest_of(version)?;
        manifest::walk(&nodes, &root, |id: &ManifestId, node: &Node| {
            if !alone && !seen_nodes.insert(*id) {
                return false;
            }
            let mut entries = node.entries();
            while let Some(entry) = entries.next_entry() {
                if alone || seen_entries.insert(key(entry.path, &entry.file)) {
                    let judged = rules.judge(version, entry.path);
                    visit(version, entry.path, &entry.file, judged);
                }
            }
            true
        })?;
    }
    Ok(())
}

/// Tells a path with a content from every other.
fn key(path: &[u8], file: &FileRef) -> u128 {
    let mut bytes = path.to_vec();
    bytes.push(0);
    bytes.extend_from_slice(file.file.as_bytes());
    let id = crate::model::FileId::of(&bytes);
    let mut half = [0; 16];
    half.copy_from_slice(&id.as_bytes()[..16]);
    u128::from_le_bytes(half)
}
