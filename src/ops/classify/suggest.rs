//! What the facts speak for. A person decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::rules::Rules;
use crate::catalogue::RecordFilter;
use crate::model::{Class, DataRef, DatasetName, RecordKind, RefKind, Time, VersionId};
use crate::ops::Result;
use crate::ops::du::unique_bytes;
use crate::ops::target::Target;
use crate::repo::Repository;

/// What is known of a version that speaks for or against keeping it.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Models, evaluations and exports that have used it.
    pub consumers: Vec<String>,
    /// How many quality figures it has.
    pub metrics: u64,
    /// Whether it says which command made it from which inputs.
    pub recomputable: bool,
    /// Stored bytes that nothing else needs.
    pub unique_bytes: u64,
    /// When its content was last read out on record.
    pub last_read: Option<Time>,
}

/// A version, and what the facts speak for.
#[derive(Debug, Serialize)]
pub struct Suggested {
    /// The version.
    #[serde(flatten)]
    pub target: Target,
    /// Its branches and tags.
    pub names: Vec<String>,
    /// What was decided about it or its dataset, if anything was.
    pub decided: Option<Class>,
    /// What the facts speak for; unclassified where they say nothing.
    pub suggested: Class,
    /// Why, in words.
    pub because: String,
    /// The facts.
    pub facts: Facts,
}

/// Looks at the versions that branches and tags name, and those that were used.
///
/// # Errors
///
/// [`crate::repo::Error::NoDataset`]; what keeps versions and listings from being read.
pub fn suggest(repository: &Repository, dataset: &DatasetName) -> Result<Vec<Suggested>> {
    if !repository.catalogue.has_dataset(dataset)? {
        return Err(crate::repo::Error::NoDataset(dataset.clone()).into());
    }
    let mut names: BTreeMap<VersionId, Vec<String>> = BTreeMap::new();
    for kind in [RefKind::Branch, RefKind::Tag] {
        for row in repository.catalogue.refs(dataset, kind)? {
            names.entry(row.version).or_default().push(row.name.to_string());
        }
    }
    let used = used(repository)?;
    for version in repository.catalogue.versions_of(dataset)? {
        if used.contains_key(&version) {
            names.entry(version).or_default();
        }
    }
    let versions: Vec<VersionId> = names.keys().copied().collect();
    let unique = unique_bytes(repository, &versions)?;
    let rules = Rules::of(repository, dataset)?;
    let mut suggestions = Vec::new();
    for (version, names) in names {
        let facts = Facts {
            consumers: used
                .get(&version)
                .map(|set| set.iter().cloned().collect())
                .unwrap_or_default(),
            unique_bytes: unique.get(&version).copied().unwrap_or_default(),
            ..told(repository, &version)?
        };
        let (suggested, because) = weigh(&facts);
        let target = |version| Target { dataset: dataset.clone(), version, pattern: None };
        let rule = rules.exactly(&target(Some(version))).or_else(|| rules.exactly(&target(None)));
        let decided = rule.map(|rule| rule.class);
        let target = target(Some(version));
        suggestions.push(Suggested { target, names, decided, suggested, because, facts });
    }
    Ok(suggestions)
}

fn weigh(facts: &Facts) -> (Class, String) {
    if !facts.consumers.is_empty() {
        return (Class::Core, format!("used by {}", facts.consumers.join(", ")));
    }
    if facts.metrics > 0 {
        return (Class::Core, format!("{} measured on it", facts.metrics));
    }
    if facts.recomputable {
        let text = "nobody has used it, and it says how it is made again";
        return (Class::Auxiliary, text.into());
    }
    (Class::Unclassified, "nobody has used it, and nothing says how it is made again".into())
}

/// What a version itself and records about it tell.
fn told(repository: &Repository, version: &VersionId) -> Result<Facts> {
    let provenance = repository.read_version(version)?.provenance;
    let of = |kind| RecordFilter {
        kind: Some(kind),
        version: Some(*version),
        ..RecordFilter::default()
    };
    let later = repository.catalogue.records(&of(RecordKind::Metric))?.len();
    let reads = repository.catalogue.records(&of(RecordKind::Read))?;
    let made = |step: &crate::model::Step| !step.command.is_empty() && !step.inputs.is_empty();
    Ok(Facts {
        consumers: Vec::new(),
        metrics: (provenance.metrics.len() + later) as u64,
        recomputable: provenance.steps.iter().any(made),
        unique_bytes: 0,
        last_read: reads.iter().map(|row| row.time).max(),
    })
}

/// Who has used which version.
fn used(repository: &Repository) -> Result<BTreeMap<VersionId, BTreeSet<String>>> {
    let filter = RecordFilter { kind: Some(RecordKind::Consumer), ..RecordFilter::default() };
    let mut used: BTreeMap<VersionId, BTreeSet<String>> = BTreeMap::new();
    for row in repository.catalogue.records(&filter)? {
        let name = row.record.name.clone().unwrap_or_default();
        let list = row.record.body.get("used").and_then(Value::as_array);
        for one in list.into_iter().flatten() {
            let data = one.get("data").and_then(Value::as_str).unwrap_or_default();
            if let Ok(data) = data.parse::<DataRef>() {
                used.entry(data.version).or_default().insert(name.clone());
            }
        }
    }
    Ok(used)
}
