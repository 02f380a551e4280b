//! Steps that are told of later, and the steps of a version.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::STEP;
use super::gather::finish;
use super::meta::provenance;
use super::pairs::{object, pairs};
use crate::catalogue::{self, Change, RecordFilter};
use crate::model::{DatasetName, Record, RecordKind, Step, Time, VersionId};
use crate::ops::{Error, Result};
use crate::repo::{self, Repository, Transaction};

/// A step, and who told of it.
#[derive(Debug, Serialize)]
pub struct StepInfo {
    /// Its place among the version's steps, from 1.
    pub n: u64,
    /// The entry of the journal that told of it later; none if the version itself does.
    pub record: Option<u64>,
    /// When it was told.
    pub time: Time,
    /// Who told.
    pub actor: String,
    /// The step.
    pub step: Step,
}

/// The steps of a version.
#[derive(Debug, Serialize)]
pub struct Steps {
    /// The dataset that it was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Its steps: what it says itself, then what was told later.
    pub steps: Vec<StepInfo>,
}

/// A step that was added.
#[derive(Debug, Serialize)]
pub struct Added {
    /// The dataset that the version was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// The step.
    pub step: Step,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// What to tell of a step: `--step`'s words, and fields that have a flag of their own.
#[derive(Debug, Clone, Default)]
pub struct StepWords {
    /// `key=value,…`, as for `--step`.
    pub pairs: Vec<String>,
    /// Names of fields and their values as they are.
    pub fields: Vec<(&'static str, Value)>,
}

/// The steps of the version that `revision` names.
///
/// # Errors
///
/// [`repo::Error::NoRevision`] and its like; what keeps the version from being read.
pub fn list(repository: &Repository, revision: &str) -> Result<Steps> {
    let found = repository.resolve(revision)?;
    let row = repository.version(&found.version)?;
    let mut steps = Vec::new();
    let mut add = |record, time, actor: String, step| {
        let n = steps.len() as u64 + 1;
        steps.push(StepInfo { n, record, time, actor, step });
    };
    for step in provenance(repository, &found.version)?.steps {
        add(None, row.time, row.author.to_string(), step);
    }
    let filter = RecordFilter {
        kind: Some(RecordKind::Step),
        version: Some(found.version),
        ..RecordFilter::default()
    };
    for row in repository.catalogue.records(&filter)? {
        if let Ok(step) = serde_json::from_value(Value::Object(row.record.body)) {
            add(Some(row.number), row.time, row.actor, step);
        }
    }
    Ok(Steps { dataset: found.dataset, version: found.version, steps })
}

/// Tells of a step of a version that is there. The version's id stays.
///
/// # Errors
///
/// [`Error::Metadata`], [`Error::Cycle`]; what an input does not resolve to. Nothing is recorded.
pub fn add(
    repository: &Repository,
    revision: &str,
    words: &StepWords,
    dry_run: bool,
) -> Result<Added> {
    let found = repository.resolve(revision)?;
    let step = step_of(repository, words)?;
    let mut record = Record::new(RecordKind::Step);
    (record.dataset, record.version) = (Some(found.dataset.clone()), Some(found.version));
    record.name = Some(step.name.clone());
    if let Ok(Value::Object(body)) = serde_json::to_value(&step) {
        record.body = body;
    }
    let closes = |cycle| Error::Cycle { step: step.name.clone(), cycle };
    if dry_run {
        let inputs: Vec<VersionId> = step.inputs.iter().map(|input| input.version).collect();
        if let Some(cycle) = repository.catalogue.cycle(&found.version, &inputs)? {
            return Err(closes(cycle));
        }
    } else {
        let subject = format!("{}@{}", found.dataset, found.version);
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        let done = repository.change("step", &subject, step.note.as_deref(), transaction);
        done.map_err(|error| match error {
            repo::Error::Catalogue(catalogue::Error::Cycle { cycle }) => closes(cycle),
            other => other.into(),
        })?;
    }
    Ok(Added { dataset: found.dataset, version: found.version, step, dry_run })
}

fn step_of(repository: &Repository, words: &StepWords) -> Result<Step> {
    let mut map = Map::new();
    for text in &words.pairs {
        map.extend(object(STEP, pairs(text, "--step")?, "--step")?);
    }
    for (name, value) in &words.fields {
        map.insert((*name).to_owned(), value.clone());
    }
    let document = Map::from_iter([("steps".to_owned(), Value::Array(vec![Value::Object(map)]))]);
    let provenance = finish(repository, document, "of the step")?;
    provenance.steps.into_iter().next().ok_or_else(|| Error::Refused("no step was given".into()))
}

fn unknown(what: String) -> Error {
    catalogue::Error::Unknown { what }.into()
}

/// One step of a version by its number, or its only one.
///
/// # Errors
///
/// [`Error::Refused`] if there are several and none is named; [`repo::Error::Lost`] never.
pub fn one(repository: &Repository, revision: &str, number: Option<u64>) -> Result<StepInfo> {
    let mut all = list(repository, revision)?.steps;
    let count = all.len() as u64;
    let at = match number {
        Some(number) if (1..=count).contains(&number) => number,
        Some(number) => return Err(unknown(format!("step {number} of `{revision}`"))),
        None if count == 0 => return Err(unknown(format!("step of `{revision}`"))),
        None if count == 1 => 1,
        None => {
            let text = format!("`{revision}` has {count} steps: say which one by its number");
            return Err(Error::Refused(text));
        }
    };
    Ok(all.swap_remove(at as usize - 1))
}
