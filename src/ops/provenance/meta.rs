//! What a version's metadata is, with all that was said of it later.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::check::{Check, Flaw, show};
use super::fields::PROVENANCE;
use super::gather::{bad, read};
use super::pairs::guess;
use super::shape::Shape;
use crate::catalogue::{Change, RecordFilter};
use crate::format::frame::Key;
use crate::format::version;
use crate::model::{DatasetName, Provenance, Record, RecordKind, Time, VersionId};
use crate::ops::{Error, Result};
use crate::repo::{Repository, Transaction};

/// The fields that are one value, or a list of words, and may be changed later.
pub(super) const PLAIN: &[&str] =
    &["purpose", "dataset_kind", "languages", "modalities", "sensitivity", "licence"];

/// A field that was changed after the version was made.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// Which field.
    pub key: String,
    /// What it is now; null if it was taken away.
    pub value: Value,
    /// The entry of the journal that says so.
    pub number: u64,
    /// When.
    pub time: Time,
    /// Who.
    pub actor: String,
}

/// A version's metadata.
#[derive(Debug, Serialize)]
pub struct Metadata {
    /// The dataset that it was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// The field that was asked for; none for all.
    pub key: Option<String>,
    /// Its value, or all that is said of the version, as it is now.
    pub value: Value,
    /// What was changed after the version was made, oldest first.
    pub changed: Vec<Changed>,
    /// Whether nothing was changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What a version says of itself.
///
/// # Errors
///
/// What keeps the version from being read.
pub fn provenance(repository: &Repository, id: &VersionId) -> Result<Provenance> {
    Ok(version::decode(&repository.get(&Key::version(id))?)?.provenance)
}

/// What is said of a version, as it is now: its own words, with the fields that were changed later.
///
/// # Errors
///
/// As [`provenance`]; the catalogue's.
pub fn effective(repository: &Repository, id: &VersionId) -> Result<Map<String, Value>> {
    let own = serde_json::to_value(provenance(repository, id)?);
    let Ok(Value::Object(mut map)) = own else { return Ok(Map::new()) };
    for Changed { key, value, .. } in changes(repository, id)? {
        let place = if PLAIN.contains(&key.as_str()) {
            &mut map
        } else {
            let fields = map.entry("fields").or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(fields) = fields else { continue };
            fields
        };
        if value.is_null() {
            place.remove(&key)
        } else {
            place.insert(key, value)
        };
    }
    if map.get("fields").and_then(Value::as_object).is_some_and(Map::is_empty) {
        map.remove("fields");
    }
    Ok(map)
}

/// What the next version takes over: everything but sources, steps, metrics and derivations.
pub(super) fn kept(repository: &Repository, id: &VersionId) -> Result<Map<String, Value>> {
    let mut map = effective(repository, id)?;
    map.retain(|key, _| key == "fields" || PLAIN.contains(&key.as_str()));
    Ok(map)
}

fn changes(repository: &Repository, id: &VersionId) -> Result<Vec<Changed>> {
    let filter = RecordFilter {
        kind: Some(RecordKind::Meta),
        version: Some(*id),
        ..RecordFilter::default()
    };
    let rows = repository.catalogue.records(&filter)?;
    let changed = rows.into_iter().filter_map(|row| {
        let key = row.record.name?;
        let value = row.record.body.get("value").cloned().unwrap_or_default();
        Some(Changed { key, value, number: row.number, time: row.time, actor: row.actor })
    });
    Ok(changed.collect())
}

/// The metadata of the version that `revision` names, or one field of it.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like; what keeps the version from being read.
pub fn get(repository: &Repository, revision: &str, key: Option<&str>) -> Result<Metadata> {
    let found = repository.resolve(revision)?;
    let all = effective(repository, &found.version)?;
    let value = match key {
        None => Value::Object(all),
        Some(key) => {
            let own = all
                .get("fields")
                .and_then(|fields| fields.get(key.strip_prefix("fields.").unwrap_or(key)).cloned());
            all.get(key).cloned().or(own).unwrap_or_default()
        }
    };
    let mut changed = changes(repository, &found.version)?;
    changed.retain(|change| key.is_none_or(|key| key == change.key));
    let key = key.map(str::to_owned);
    let (dataset, version) = (found.dataset, found.version);
    Ok(Metadata { dataset, version, key, value, changed, dry_run: false })
}

/// Says more of a version that is there: a record for each field, in one change. The version's id
/// stays.
///
/// # Errors
///
/// [`Error::Metadata`] with every flaw, and nothing is recorded.
pub fn set(
    repository: &Repository,
    revision: &str,
    pairs: &[String],
    dry_run: bool,
) -> Result<Metadata> {
    let found = repository.resolve(revision)?;
    let mut map = Map::new();
    let mut flaws = Vec::new();
    for text in pairs {
        flaws.extend(assign(&mut map, text, "the field").err());
    }
    let own = match map.remove("fields") {
        Some(Value::Object(own)) => own,
        _ => Map::new(),
    };
    // What is taken away has no shape; the rest is looked at as in a document.
    let mut document: Map<String, Value> = map.clone();
    document.insert("fields".into(), Value::Object(own.clone()));
    document.retain(|_, value| !value.is_null());
    let mut check = Check::new(repository.now());
    check.document(&mut document);
    flaws.extend(check.flaws());
    if !flaws.is_empty() {
        return Err(bad("what was given", flaws));
    }
    let record = |(key, value): (String, Value)| {
        let mut record = Record::new(RecordKind::Meta);
        (record.dataset, record.version) = (Some(found.dataset.clone()), Some(found.version));
        record.name = Some(key);
        record.body.insert("value".into(), value);
        Change::Recorded { record }
    };
    let changes: Vec<Change> = map.into_iter().chain(own).map(record).collect();
    if !dry_run {
        let subject = format!("{}@{}", found.dataset, found.version);
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("meta", &subject, None, transaction)?;
    }
    let mut done = get(repository, &format!("{}@{}", found.dataset, found.version), None)?;
    done.dry_run = dry_run;
    Ok(done)
}

/// Takes `key=value` into a document: a field that is known, or one of the user's own.
pub(super) fn assign(map: &mut Map<String, Value>, text: &str, flag: &str) -> Result<(), Flaw> {
    let Some((key, value)) = text.split_once('=') else {
        return Err(Flaw::new(flag, format!("`{}` is not key=value", show(text))));
    };
    let key = key.trim();
    let key = key.strip_prefix("fields.").unwrap_or(key);
    let (value, quoted) = unquoted(value.trim());
    if key.is_empty() {
        return Err(Flaw::new(flag, format!("`{}` has no key", show(text))));
    }
    if key.chars().any(char::is_control) {
        return Err(Flaw::new(flag, format!("`{}` has control characters", show(key))));
    }
    let (place, value) = if PLAIN.contains(&key) {
        let taken_away = value == "null" && !quoted;
        let plain = || plain(key, &[value.to_owned()]);
        (&mut *map, if taken_away { Value::Null } else { plain() })
    } else if PROVENANCE.get(key).is_some() {
        let flaw = Flaw::new(flag, format!("`{key}` is not one value"));
        return Err(flaw.hint("use `--source`, `--step`, `--metric`, or a file"));
    } else {
        let fields = map.entry("fields").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(fields) = fields else {
            return Err(Flaw::new(flag, "`fields` is not an object"));
        };
        (fields, guess(value, quoted))
    };
    if place.contains_key(key) {
        return Err(Flaw::new(flag, format!("`{}` is given twice", show(key))));
    }
    place.insert(key.to_owned(), value);
    Ok(())
}

/// Text without the quotes around it, and whether there were any.
fn unquoted(text: &str) -> (&str, bool) {
    for quote in ['"', '\''] {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inside) = inside.filter(|inside| !inside.contains([quote, '\\'])) {
            return (inside, true);
        }
    }
    (text, false)
}

/// The value of a plain field: of a list, what stands between commas.
pub(super) fn plain(name: &str, values: &[String]) -> Value {
    if matches!(PROVENANCE.get(name).map(|field| field.shape), Some(Shape::List(_))) {
        let words = values.iter().flat_map(|text| text.split(',')).map(str::trim);
        return words.filter(|word| !word.is_empty()).map(Value::from).collect();
    }
    values.last().map(|text| Value::String(text.clone())).unwrap_or_default()
}

/// Whether metadata is as it must be.
#[derive(Debug, Serialize)]
pub struct Validity {
    /// The file or version.
    pub what: String,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What is wrong.
    pub problems: Vec<Flaw>,
}

/// Looks at a document.
///
/// # Errors
///
/// When the file cannot be read, or its name does not say what it is.
pub fn validate_file(path: &Path, now: Time) -> Result<Validity> {
    let problems = match read(path)? {
        Ok(mut map) => flaws(&mut map, now),
        Err(flaw) => vec![flaw],
    };
    Ok(Validity { what: path.display().to_string(), ok: problems.is_empty(), problems })
}

/// Looks at what is said of a version.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like; what keeps the version from being read.
pub fn validate_version(repository: &Repository, revision: &str) -> Result<Validity> {
    let found = repository.resolve(revision)?;
    let mut map = effective(repository, &found.version)?;
    let problems = flaws(&mut map, repository.now());
    let what = format!("{}@{}", found.dataset, found.version);
    Ok(Validity { what, ok: problems.is_empty(), problems })
}

fn flaws(map: &mut Map<String, Value>, now: Time) -> Vec<Flaw> {
    let mut check = Check::new(now);
    check.document(map);
    check.flaws()
}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Self {
        bad("what was given", vec![flaw])
    }
}
