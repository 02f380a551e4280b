//! Derivations that nobody declared: a file that another dataset had before.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::target::first_parent;
use super::{NodeId, Question, around};
use crate::catalogue::{Change, VersionRow};
use crate::format::manifest::diff;
use crate::model::{
    DataRef, DatasetName, Derivation, FileId, Mode, Record, RecordKind, RepoPath, VersionId,
};
use crate::ops::{Error, Result};
use crate::repo::{Repository, Transaction};

/// Smaller files say nothing: many are equal by chance.
const LEAST_BYTES: u64 = 64;
/// How many contents are looked for at once; each is about 80 bytes of memory.
const BATCH: usize = 1 << 20;
/// How many paths are named as examples.
const EXAMPLES: usize = 3;

/// What was inferred of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inferred {
    /// The version.
    pub version: VersionId,
    /// How many files it brought that are large enough to say something.
    pub looked_at: u64,
    /// Where they were before, as far as nothing said so already.
    pub origins: Vec<Origin>,
    /// Whether nothing was recorded.
    pub dry_run: bool,
}

/// A version of another dataset that had files before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// Which one.
    pub from: VersionId,
    /// Its dataset.
    pub dataset: DatasetName,
    /// How many files it brought first.
    pub files: u64,
    /// Some of their paths in the later version.
    pub paths: Vec<RepoPath>,
}

/// Finds which files that `revision` brought (against its first parent) a version of another
/// dataset had before, and records each such version as an origin, `inferred`. What the lineage
/// says already is not said again, so twice is as once.
///
/// # Errors
///
/// The errors of revisions; what keeps listings from being read or the records from being kept.
pub fn infer(repository: &Repository, revision: &str, dry_run: bool) -> Result<Inferred> {
    let found = repository.resolve(revision)?;
    let all = repository.catalogue.all_versions()?;
    let datasets = Datasets::load(repository)?;
    let own = datasets.of(&found.version).unwrap_or(found.dataset);
    let known = related(repository, &found.version)?;
    let row = all.iter().find(|row| row.id == found.version);
    let row = row.ok_or_else(|| Error::NoNode(revision.to_owned()))?;
    let earlier: Vec<(&VersionRow, DatasetName)> = datasets.before(&all, row, &own);
    let mut origins: BTreeMap<VersionId, Origin> = BTreeMap::new();
    let mut looked_at = 0;
    let mut batch: HashMap<FileId, RepoPath> = HashMap::new();
    let nodes = repository.nodes();
    let before = first_parent(repository, row.parents.first())?;
    for change in diff(&nodes, &before, &row.manifest)? {
        let change = change?;
        let Some(file) = change.new else { continue };
        if file.mode == Mode::Symlink
            || file.size < LEAST_BYTES
            || change.old.is_some_and(|old| old.file == file.file)
        {
            continue;
        }
        looked_at += 1;
        batch.entry(file.file).or_insert(change.path);
        if batch.len() >= BATCH {
            look(repository, &earlier, std::mem::take(&mut batch), &mut origins)?;
        }
    }
    look(repository, &earlier, batch, &mut origins)?;
    let mut origins: Vec<Origin> = origins.into_values().collect();
    origins.retain(|origin| !known.contains(&origin.from));
    if !dry_run && !origins.is_empty() {
        record(repository, &row.id, &own, &origins)?;
    }
    Ok(Inferred { version: row.id, looked_at, origins, dry_run })
}

/// The versions that are origins or results already: neither says anything new, and a result
/// would close a circle.
fn related(repository: &Repository, version: &VersionId) -> Result<HashSet<VersionId>> {
    let graph = around(repository, &[NodeId::Version(*version)], &Question::default())?;
    let version = |node: super::Node| match node.id {
        NodeId::Version(id) => Some(id),
        _ => None,
    };
    Ok(graph.nodes.into_iter().filter_map(version).collect())
}

/// Since when versions are known, and in which dataset they were made.
struct Datasets {
    rows: HashMap<VersionId, (Option<DatasetName>, u64)>,
}

impl Datasets {
    fn load(repository: &Repository) -> Result<Self> {
        let rows = repository.catalogue.version_origins()?;
        let rows = rows.into_iter().map(|(id, dataset, number)| (id, (dataset, number))).collect();
        Ok(Self { rows })
    }

    fn of(&self, id: &VersionId) -> Option<DatasetName> {
        self.rows.get(id).and_then(|(dataset, _)| dataset.clone())
    }

    /// The versions of other datasets that were known before `row`, in that order.
    fn before<'a>(
        &self,
        all: &'a [VersionRow],
        row: &VersionRow,
        own: &DatasetName,
    ) -> Vec<(&'a VersionRow, DatasetName)> {
        let number = |id: &VersionId| self.rows.get(id).map_or(0, |(_, number)| *number);
        let mut earlier: Vec<(&VersionRow, DatasetName)> = all
            .iter()
            .filter(|other| number(&other.id) < number(&row.id))
            .filter_map(|other| Some((other, self.of(&other.id)?)))
            .filter(|(_, dataset)| dataset != own)
            .collect();
        earlier.sort_by_key(|(other, _)| (number(&other.id), other.generation, other.id));
        earlier
    }
}

/// Looks for contents among what each version brought, in the order in which they were known:
/// whatever a version holds, it or one before it brought.
fn look(
    repository: &Repository,
    earlier: &[(&VersionRow, DatasetName)],
    mut wanted: HashMap<FileId, RepoPath>,
    origins: &mut BTreeMap<VersionId, Origin>,
) -> Result<()> {
    let nodes = repository.nodes();
    for (row, dataset) in earlier {
        if wanted.is_empty() {
            return Ok(());
        }
        let before = first_parent(repository, row.parents.first())?;
        for change in diff(&nodes, &before, &row.manifest)? {
            let Some(file) = change?.new else { continue };
            let Some(path) = wanted.remove(&file.file) else { continue };
            let origin = origins.entry(row.id).or_insert_with(|| Origin {
                from: row.id,
                dataset: dataset.clone(),
                files: 0,
                paths: Vec::new(),
            });
            origin.files += 1;
            if origin.paths.len() < EXAMPLES {
                origin.paths.push(path);
            }
        }
    }
    Ok(())
}

fn record(
    repository: &Repository,
    version: &VersionId,
    dataset: &DatasetName,
    origins: &[Origin],
) -> Result<()> {
    let mut changes = Vec::new();
    for origin in origins {
        let from = DataRef { dataset: origin.dataset.clone(), version: origin.from, path: None };
        let other = Map::from_iter([
            ("files".to_owned(), json!(origin.files)),
            ("examples".to_owned(), json!(origin.paths)),
        ]);
        let derivation = Derivation { from, how: "inferred".into(), other };
        let mut record = Record::new(RecordKind::Derivation);
        record.version = Some(*version);
        record.dataset = Some(dataset.clone());
        if let Value::Object(body) = json!(derivation) {
            record.body = body;
        }
        changes.push(Change::Recorded { record });
    }
    let transaction = Transaction { changes, ..Transaction::default() };
    let subject = format!("{dataset}@{version}");
    Ok(repository.change("lineage", &subject, None, transaction)?)
}
