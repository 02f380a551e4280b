//! What is handed over with a dataset: a data card in Markdown, and Croissant.
//!
//! Here: gathering everything that is recorded of a version, and the two documents, each a pure
//! function of it. Not here: what was never recorded; a card says nothing that the store does not.

mod croissant;
mod markdown;

pub use croissant::croissant;
pub use markdown::markdown;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::lineage::{Graph, Question, around, details, recorded, said};
use super::provenance::meta::effective;
use super::sniff::{Sniffer, Table};
use super::{Result, lineage};
use crate::catalogue::{RecordFilter, RecordRow, UseRow};
use crate::format::manifest;
use crate::model::{
    DatasetName, Entry, FileId, Metric, Mode, Provenance, RecordKind, RefKind, Source, Step, Time,
    Version, VersionId,
};
use crate::repo::{self, Repository, sha256};

/// How many tables are looked into.
const TABLES: usize = 500;
/// How far origins are told of.
const DEPTH: u32 = 20;

/// A file of the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// Its path, and what it is.
    pub entry: Entry,
    /// Where it lies, seen from the document.
    pub place: String,
    /// SHA-256 of its content; none if the content cannot be read or was not asked for.
    pub sha256: Option<String>,
}

/// A note that a card passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardNote {
    /// Problem, incident or another.
    pub kind: String,
    /// When.
    pub time: Time,
    /// In words.
    pub text: String,
}

/// Everything that is recorded of a version.
#[derive(Debug)]
pub struct Card {
    /// The dataset that it was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Its record.
    pub record: Version,
    /// What is said of it, as it is now.
    pub provenance: Provenance,
    /// Tags that name it.
    pub tags: Vec<String>,
    /// What was noted of it or of the whole dataset.
    pub notes: Vec<CardNote>,
    /// Who has used it.
    pub uses: Vec<UseRow>,
    /// Where it comes from.
    pub origins: Graph,
    /// The sources among them, its own first.
    pub sources: Vec<Source>,
    /// The files that are given out: redacted copies, without those that are gone.
    pub files: Vec<CardFile>,
    /// Those of them that are tables.
    pub tables: Vec<Table>,
}

/// Whether files have their SHA-256, which is read from the content once and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// They have none.
    Without,
    /// They have; nothing is kept that was not known before.
    Read,
    /// They have, and the catalogue keeps what was not known before.
    Kept,
}

/// Gathers what is recorded of `revision`.
///
/// # Errors
///
/// The errors of revisions; what keeps the version from being read.
pub fn card(repository: &Repository, revision: &str, digests: Digests) -> Result<Card> {
    let found = repository.resolve(revision)?;
    let version = found.version;
    let record = repository.read_version(&version)?;
    let rows = recorded(repository, &version, None)?;
    let provenance = as_it_is_now(effective(repository, &version)?, &record.provenance, &rows);
    let question = Question { up: true, depth: Some(DEPTH), ..Question::default() };
    let origins = around(repository, &[lineage::NodeId::Version(version)], &question)?;
    let upstream = details(repository, &origins, None)?.sources.into_values();
    let mut sources = provenance.sources.clone();
    let own: BTreeSet<String> = sources.iter().map(|source| source.uri.clone()).collect();
    sources.extend(upstream.filter(|source| !own.contains(&source.uri)));
    let tags = repository.catalogue.refs(&found.dataset, RefKind::Tag)?;
    let tags = tags.into_iter().filter(|row| row.version == version);
    Ok(Card {
        notes: notes(repository, &found.dataset, rows)?,
        uses: repository.catalogue.uses_of(&[version])?,
        files: files(repository, &record, digests)?,
        tables: Sniffer::default().tables(repository, &record.manifest, TABLES)?,
        tags: tags.map(|row| row.name.to_string()).collect(),
        dataset: found.dataset,
        version,
        record,
        provenance,
        origins,
        sources,
    })
}

/// The version's own words with the fields that were changed and what was told of later.
fn as_it_is_now(fields: Map<String, Value>, own: &Provenance, rows: &[RecordRow]) -> Provenance {
    let now = serde_json::from_value(Value::Object(fields));
    let mut now: Provenance = now.unwrap_or_else(|_| own.clone());
    for row in rows {
        now.sources.extend(said::<Source>(row, RecordKind::Source));
        now.steps.extend(said::<Step>(row, RecordKind::Step));
        now.metrics.extend(said::<Metric>(row, RecordKind::Metric));
    }
    now
}

fn notes(
    repository: &Repository,
    dataset: &DatasetName,
    rows: Vec<RecordRow>,
) -> Result<Vec<CardNote>> {
    let filter = RecordFilter {
        kind: Some(RecordKind::Note),
        dataset: Some(dataset.clone()),
        ..RecordFilter::default()
    };
    let mut all = repository.catalogue.records(&filter)?;
    all.retain(|row| row.record.version.is_none());
    all.extend(rows.into_iter().filter(|row| row.record.kind == RecordKind::Note));
    all.sort_by_key(|row| (row.number, row.ordinal));
    let note = |row: RecordRow| CardNote {
        kind: row.record.name.unwrap_or_default(),
        time: row.time,
        text: row.record.text.unwrap_or_default(),
    };
    Ok(all.into_iter().map(note).collect())
}

fn files(repository: &Repository, record: &Version, digests: Digests) -> Result<Vec<CardFile>> {
    let nodes = repository.nodes();
    let mut entries = Vec::new();
    for entry in manifest::list(&nodes, &record.manifest, b"")? {
        let Entry { path, file } = entry?;
        // What `export` gives out: a redacted copy, and nothing of what is gone.
        match repository.delivered(&file) {
            Ok(file) if file.mode != Mode::Symlink => entries.push(Entry { path, file }),
            Ok(_) | Err(repo::Error::Erased { .. } | repo::Error::Archived { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut known = Default::default();
    if digests != Digests::Without {
        let files: Vec<_> = entries.iter().map(|entry| entry.file).collect();
        known = sha256(repository, &files, digests == Digests::Kept)?;
    }
    let digest = |file: &FileId| known.get(file).cloned();
    let file = |entry: Entry| CardFile {
        sha256: digest(&entry.file.file),
        place: entry.path.exact(),
        entry,
    };
    Ok(entries.into_iter().map(file).collect())
}

impl Card {
    /// A field that users have made up, as text, whichever of its names was used.
    fn field(&self, names: &[&str]) -> Option<String> {
        let value = names.iter().find_map(|name| self.provenance.fields.get(*name))?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => {
                let words = items.iter().filter_map(Value::as_str);
                Some(words.collect::<Vec<_>>().join("; "))
            }
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// How many records it has, if that was measured.
    fn records(&self) -> Option<f64> {
        let names = ["records", "rows", "examples", "samples"];
        let counts = |metric: &&Metric| {
            metric.slice.is_none() && names.contains(&metric.name.to_lowercase().as_str())
        };
        self.provenance.metrics.iter().rev().find(counts).map(|metric| metric.value)
    }

    /// The files of each split that the paths tell of, as patterns: `train/…`, `test.csv`.
    fn splits(&self) -> Vec<(&'static str, Vec<String>)> {
        const SPLITS: [(&str, &[&str]); 3] = [
            ("train", &["train", "training"]),
            ("validation", &["validation", "valid", "val", "dev"]),
            ("test", &["test", "testing", "eval", "evaluation"]),
        ];
        let mut found = Vec::new();
        for (split, words) in SPLITS {
            let mut patterns: Vec<String> = Vec::new();
            for file in &self.files {
                let path = file.entry.path.show();
                let pattern = match path.split_once('/') {
                    Some((top, _)) if words.contains(&top.to_lowercase().as_str()) => {
                        format!("{top}/**")
                    }
                    None if path
                        .split_once('.')
                        .is_some_and(|(stem, _)| words.contains(&stem.to_lowercase().as_str())) =>
                    {
                        path
                    }
                    _ => continue,
                };
                if !patterns.contains(&pattern) {
                    patterns.push(pattern);
                }
            }
            if !patterns.is_empty() {
                found.push((split, patterns));
            }
        }
        found
    }
}
