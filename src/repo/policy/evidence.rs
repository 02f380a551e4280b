//! What is known of a version when a rule asks: what it says of itself, and what was said later.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Case;
use crate::catalogue::{RecordFilter, RecordRow};
use crate::format::frame::Key;
use crate::format::version;
use crate::model::{Author, Provenance, Record, RecordKind, Version, VersionId};
use crate::repo::{Repository, Result, signature};

/// How a version says that it takes over what another one holds; what is known of that one counts.
const TAKEN_OVER: &[&str] = &["cherry-pick", "rollback"];

/// What may be said of a version later; all else is a field of the user's own.
const PLAIN: &[&str] =
    &["purpose", "dataset_kind", "languages", "modalities", "sensitivity", "licence"];

/// A metric that was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeenMetric {
    /// What was measured.
    pub name: String,
    /// In which part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// What came out.
    pub value: f64,
    /// The version that it is of; none for the one being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// The entry of the journal that told of it; none if the version itself did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// All that rules look at.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What is said, in the form of a version's provenance.
    pub said: Map<String, Value>,
    /// Every metric, the newest word on each name and slice last.
    pub metrics: Vec<SeenMetric>,
    /// The message.
    pub message: String,
    /// Who has looked at it and found it good.
    pub approved: Vec<String>,
    /// Who has looked at it and found it wanting.
    pub rejected: Vec<String>,
    /// Whether it carries good signatures.
    pub signed: bool,
    /// Versions that existed before and were looked at.
    pub versions: Vec<VersionId>,
}

impl Evidence {
    /// What is known of a version that exists; `pending` as for [`is_signed`].
    ///
    /// # Errors
    ///
    /// What keeps the version or its records from being read.
    pub fn of(repository: &Repository, id: &VersionId, pending: &[&Record]) -> Result<Self> {
        let mut evidence = Self::default();
        let version = evidence.look_at(repository, id)?;
        evidence.message = version.message;
        evidence.signed = is_signed(repository, id, pending)?;
        Ok(evidence)
    }

    /// What is known of a version that is being made: what it says, before it what is known of the
    /// versions that it merges or takes over.
    ///
    /// # Errors
    ///
    /// As [`Evidence::of`].
    pub fn of_new(repository: &Repository, version: &Version) -> Result<Self> {
        let mut evidence = Self::default();
        let merged = version.parents.get(1..).unwrap_or_default();
        let taken = version.provenance.derived_from.iter();
        let taken = taken.filter(|derived| TAKEN_OVER.contains(&derived.how.as_str()));
        let others: Vec<_> =
            merged.iter().copied().chain(taken.map(|one| one.from.version)).collect();
        for id in &others {
            // What a version only claims to come from may not be there.
            if repository.catalogue.has_version(id)? {
                evidence.look_at(repository, id)?;
            }
        }
        evidence.signed = !merged.is_empty();
        for id in merged {
            evidence.signed &= is_signed(repository, id, &[])?;
        }
        evidence.hear(&version.provenance, None);
        evidence.message = version.message.clone();
        Ok(evidence)
    }

    /// What a `[[test]]` makes up.
    pub(super) fn made_up(case: &Case) -> Self {
        let mut evidence = Self { message: case.message.clone(), ..Self::default() };
        evidence.hear(&case.provenance, None);
        evidence.signed = case.signed;
        evidence.approved = (1..=case.reviews.min(1000)).map(|n| format!("reviewer {n}")).collect();
        evidence
    }

    fn look_at(&mut self, repository: &Repository, id: &VersionId) -> Result<Version> {
        let version = version::decode(&repository.get(&Key::version(id))?)?;
        self.hear(&version.provenance, Some(*id));
        let filter = RecordFilter { version: Some(*id), ..RecordFilter::default() };
        let mut reviews = BTreeMap::new();
        for row in repository.catalogue.records(&filter)? {
            match row.record.kind {
                RecordKind::Metric => self.hear_metric(&row, *id),
                RecordKind::Source => self.add("sources", row.record.body),
                RecordKind::Step => self.add("steps", row.record.body),
                RecordKind::Derivation => self.add("derived_from", row.record.body),
                RecordKind::Meta => self.hear_meta(row),
                RecordKind::Review if !is_same(&row.actor, &version.author) => {
                    let is_good = row.record.name.as_deref() != Some("rejected");
                    reviews.insert(person(&row.actor), (row.actor, is_good));
                }
                _ => {}
            }
        }
        for (actor, is_good) in reviews.into_values() {
            if is_good { &mut self.approved } else { &mut self.rejected }.push(actor);
        }
        self.versions.push(*id);
        Ok(version)
    }

    /// Takes over what a version says; later words win, lists grow.
    fn hear(&mut self, provenance: &Provenance, version: Option<VersionId>) {
        for metric in &provenance.metrics {
            let (name, slice, value) = (metric.name.clone(), metric.slice.clone(), metric.value);
            self.metrics.push(SeenMetric { name, slice, value, version, number: None });
        }
        let Ok(Value::Object(said)) = serde_json::to_value(provenance) else { return };
        for (key, value) in said {
            match (self.said.get_mut(&key), value) {
                (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                (_, value) => {
                    self.said.insert(key, value);
                }
            }
        }
    }

    fn hear_metric(&mut self, row: &RecordRow, version: VersionId) {
        let text = |key: &str| row.record.body.get(key).and_then(Value::as_str).map(str::to_owned);
        let value = row.record.body.get("value").and_then(Value::as_f64).or(row.record.value);
        let (Some(name), Some(value)) = (text("name").or(row.record.name.clone()), value) else {
            return;
        };
        let (slice, version, number) = (text("slice"), Some(version), Some(row.number));
        self.metrics.push(SeenMetric { name, slice, value, version, number });
        self.add("metrics", row.record.body.clone());
    }

    fn hear_meta(&mut self, mut row: RecordRow) {
        let value = row.record.body.remove("value").unwrap_or(Value::Null);
        let Some(name) = row.record.name else { return };
        let place = if PLAIN.contains(&name.as_str()) {
            &mut self.said
        } else {
            let fields = self.said.entry("fields").or_insert_with(|| Map::new().into());
            let Value::Object(fields) = fields else { return };
            fields
        };
        // `null` takes away what was said.
        if value.is_null() {
            place.remove(&name)
        } else {
            place.insert(name, value)
        };
    }

    fn add(&mut self, list: &str, item: Map<String, Value>) {
        let items = self.said.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = items {
            items.push(item.into());
        }
    }

    /// The newest word on a metric.
    pub fn metric(&self, name: &str, slice: Option<&str>) -> Option<&SeenMetric> {
        self.metrics
            .iter()
            .rev()
            .find(|metric| metric.name == name && metric.slice.as_deref() == slice)
    }
}

/// People are told apart by their mail address where they have one.
fn person(actor: &str) -> String {
    match actor.parse::<Author>() {
        Ok(author) if !author.email.is_empty() => author.email.to_lowercase(),
        Ok(author) => author.name,
        Err(_) => actor.to_owned(),
    }
}

fn is_same(actor: &str, author: &Author) -> bool {
    person(actor) == person(&author.to_string())
}

/// Whether a version carries a good signature by a trusted key, and none that is false. `pending` are
/// records that are about to be added, such as the signature of a tag that is being put at it.
///
/// The one place where a policy asks for signatures.
///
/// # Errors
///
/// The catalogue's.
pub fn is_signed(
    repository: &Repository,
    version: &VersionId,
    pending: &[&Record],
) -> Result<bool> {
    let judge = signature::Judge::new(repository)?;
    let mut found = judge.of(version)?;
    let number = repository.catalogue.journal_head()?.number + 1;
    let is_its = |record: &&&Record| {
        record.kind == RecordKind::Signature && record.version == Some(*version)
    };
    let new = pending.iter().filter(is_its);
    found.extend(new.map(|record| judge.of_record(number, (*record).clone())));
    Ok(signature::is_signed(&found))
}
