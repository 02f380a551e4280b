//! Figures that say how good a version is: measured later, compared, followed over time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value};

use super::label::must_be_label;
use super::{Error, Result};
use crate::catalogue::{self, MetricFilter, MetricRow};
use crate::model::{DatasetName, Metric, Record, RecordKind, Time, VersionId};
use crate::repo::Repository;

/// `name=value[unit]`, as people write it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// What came out; finite.
    pub value: f64,
    /// In what.
    pub unit: Option<String>,
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = || text.chars().take(60).collect::<String>();
        let bad = |why: &str| format!("`{}` {why}", shown().escape_debug());
        let (name, rest) =
            text.rsplit_once('=').ok_or_else(|| bad("is not of the form name=value"))?;
        let rest = rest.trim();
        let length = (1..=rest.len())
            .rev()
            .filter(|end| rest.is_char_boundary(*end))
            .find(|end| is_number(&rest[..*end]))
            .ok_or_else(|| bad("has no number after the `=` (NaN and infinity are none)"))?;
        let value: f64 = rest[..length].parse().map_err(|_| bad("has no number after the `=`"))?;
        if !value.is_finite() {
            return Err(bad("is too large a number"));
        }
        let unit = rest[length..].trim();
        let first = unit.chars().next();
        if first.is_some_and(|first| !first.is_alphabetic() && !"%‰°$€£/".contains(first)) {
            return Err(bad("has a number or unit that is none"));
        }
        let unit = Some(unit.to_owned()).filter(|unit| !unit.is_empty());
        // 0 and -0 are the same figure, and JSON has one word for them.
        Ok(Self { name: name.to_owned(), value: value + 0.0, unit })
    }
}

/// Digits, with a sign, a point or an exponent: not the words that Rust takes for numbers too.
fn is_number(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_digit() || last == '.')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && text.parse::<f64>().is_ok()
}

/// How the figures were measured.
#[derive(Debug, Clone, Default)]
pub struct SetOptions {
    /// Which part of the version; none for the whole.
    pub slice: Option<String>,
    /// How.
    pub method: Option<String>,
    /// Over how many items.
    pub sample_size: Option<u64>,
    /// What the value should reach.
    pub threshold: Option<f64>,
    /// Change nothing.
    pub dry_run: bool,
}

/// Figures that were recorded.
#[derive(Debug, Serialize)]
pub struct MetricsSet {
    /// The dataset that the version was found in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// What was recorded.
    pub metrics: Vec<Metric>,
    /// The entry of the journal; none for a dry run.
    pub number: Option<u64>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Records figures of a version; its id stays as it is.
///
/// # Errors
///
/// [`Error::Refused`] for a name that is none or that is given twice, a threshold that is not
/// finite; [`crate::repo::Error::NoRevision`] and its like.
pub fn set(
    repository: &Repository,
    revision: &str,
    figures: &[Figure],
    options: &SetOptions,
) -> Result<MetricsSet> {
    let found = repository.resolve(revision)?;
    let mut metrics = Vec::new();
    let mut names = HashSet::new();
    for (what, text) in [("slice", &options.slice), ("method", &options.method)] {
        text.as_deref().map_or(Ok(()), |text| must_be_label(what, text))?;
    }
    if options.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        return Err(Error::Refused("the threshold is not a finite number".into()));
    }
    for figure in figures {
        must_be_label("name of the metric", &figure.name)?;
        figure.unit.as_deref().map_or(Ok(()), |unit| must_be_label("unit", unit))?;
        if !names.insert(&figure.name) {
            return Err(Error::Refused(format!("the metric `{}` is given twice", figure.name)));
        }
        metrics.push(Metric {
            name: figure.name.clone(),
            value: figure.value,
            unit: figure.unit.clone(),
            method: options.method.clone(),
            slice: options.slice.clone(),
            sample_size: options.sample_size,
            threshold: options.threshold,
            other: Map::new(),
        });
    }
    let mut number = None;
    if !options.dry_run {
        let records = metrics.iter().map(|metric| record(&found, metric)).collect();
        let subject = format!("{}@{}", found.dataset, found.version);
        number = Some(repository.add_records("metric", &subject, None, records)?);
    }
    let crate::repo::Revision { dataset, version, .. } = found;
    Ok(MetricsSet { dataset, version, metrics, number, dry_run: options.dry_run })
}

fn record(found: &crate::repo::Revision, metric: &Metric) -> Record {
    let mut record = Record::new(RecordKind::Metric);
    record.dataset = Some(found.dataset.clone());
    record.version = Some(found.version);
    record.name = Some(metric.name.clone());
    record.value = Some(metric.value);
    // A metric is a flat record of text and numbers, so it has a form in JSON.
    if let Ok(Value::Object(body)) = serde_json::to_value(metric) {
        record.body = body;
    }
    record
}

/// A figure, and who said it when.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The figure.
    #[serde(flatten)]
    pub metric: Metric,
    /// When it was said.
    pub time: Time,
    /// Who said it: `Name <mail>`.
    pub actor: String,
    /// The entry of the journal that said it; 0 for the version itself.
    pub number: u64,
    /// Whether nothing newer is known of the same name and slice.
    pub latest: bool,
}

/// The figures of a version.
#[derive(Debug, Serialize)]
pub struct MetricList {
    /// The dataset that the version was found in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// In the order in which they were said.
    pub metrics: Vec<Measured>,
}

type Key = (String, Option<String>);

fn key(metric: &Metric) -> Key {
    (metric.name.clone(), metric.slice.clone())
}

/// Every figure of a version, the oldest first.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like.
pub fn list(repository: &Repository, revision: &str) -> Result<MetricList> {
    let found = repository.resolve(revision)?;
    let rows = of_version(repository, &found.version)?;
    let mut newest = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        newest.insert(key(&row.metric), at);
    }
    let measured = |(at, row): (usize, MetricRow)| {
        let latest = newest.get(&key(&row.metric)) == Some(&at);
        let MetricRow { metric, time, actor, number, .. } = row;
        Measured { metric, time, actor, number, latest }
    };
    let metrics = rows.into_iter().enumerate().map(measured).collect();
    Ok(MetricList { dataset: found.dataset, version: found.version, metrics })
}

fn of_version(repository: &Repository, version: &VersionId) -> Result<Vec<MetricRow>> {
    let filter = MetricFilter { version: Some(*version), ..MetricFilter::default() };
    Ok(repository.catalogue.metrics(&filter)?)
}

/// One metric of two versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delta {
    /// What was measured.
    pub name: String,
    /// Which part of the versions; none for the whole.
    pub slice: Option<String>,
    /// In what; that of the second version if they differ.
    pub unit: Option<String>,
    /// Its newest value in the first version.
    pub a: Option<f64>,
    /// Its newest value in the second.
    pub b: Option<f64>,
    /// `b - a`, to 12 digits; none if one is missing or the units differ.
    pub delta: Option<f64>,
}

/// The metrics of two versions, side by side.
#[derive(Debug, Serialize)]
pub struct MetricDiff {
    /// The first version.
    pub a: VersionId,
    /// The second.
    pub b: VersionId,
    /// By name and slice.
    pub metrics: Vec<Delta>,
}

/// Compares the newest figures of two versions.
///
/// # Errors
///
/// [`crate::repo::Error::NoRevision`] and its like.
pub fn diff(repository: &Repository, a: &str, b: &str) -> Result<MetricDiff> {
    let (a, b) = (repository.resolve(a)?.version, repository.resolve(b)?.version);
    let newest = |version| -> Result<BTreeMap<Key, Metric>> {
        let rows = of_version(repository, version)?;
        Ok(rows.into_iter().map(|row| (key(&row.metric), row.metric)).collect())
    };
    let (mut left, mut right) = (newest(&a)?, newest(&b)?);
    let keys: Vec<Key> = left.keys().chain(right.keys()).cloned().collect();
    let keys: BTreeSet<Key> = keys.into_iter().collect();
    let delta = |key: Key| {
        let (one, other) = (left.remove(&key), right.remove(&key));
        let same_unit = match (&one, &other) {
            (Some(one), Some(other)) => one.unit == other.unit,
            _ => false,
        };
        let (a, b) = (one.as_ref().map(|m| m.value), other.as_ref().map(|m| m.value));
        let delta = a.zip(b).filter(|_| same_unit).map(|(a, b)| rounded(b - a));
        let unit = other.or(one).and_then(|metric| metric.unit);
        Delta { name: key.0, slice: key.1, unit, a, b, delta }
    };
    Ok(MetricDiff { a, b, metrics: keys.into_iter().map(delta).collect() })
}

/// Without the digits that subtraction makes up.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// A metric of one version.
#[derive(Debug, Serialize)]
pub struct Point {
    /// The version.
    pub version: VersionId,
    /// When it was made.
    pub committed: Time,
    /// The newest value.
    pub value: f64,
    /// In what.
    pub unit: Option<String>,
    /// What it should reach.
    pub threshold: Option<f64>,
    /// When it was said.
    pub time: Time,
    /// Who said it: `Name <mail>`.
    pub actor: String,
}

/// So many slices are named to who asked for another one.
const MOST_NAMED: usize = 10;

/// A metric over the versions of a dataset.
#[derive(Debug, Serialize)]
pub struct MetricLog {
    /// The dataset.
    pub dataset: DatasetName,
    /// What was measured.
    pub name: String,
    /// Which part of the versions; none for the whole.
    pub slice: Option<String>,
    /// One for each version of which it is known, in the order in which they continue each other.
    pub points: Vec<Point>,
}

/// Follows a metric over the versions of a dataset (the worktree's, if none is named).
///
/// # Errors
///
/// [`catalogue::Error::Unknown`] if it was measured of none of them.
pub fn log(
    repository: &Repository,
    name: &str,
    slice: Option<&str>,
    dataset: Option<&DatasetName>,
) -> Result<MetricLog> {
    let dataset = dataset.unwrap_or(repository.dataset()).clone();
    if !repository.catalogue.has_dataset(&dataset)? {
        return Err(crate::repo::Error::NoDataset(dataset).into());
    }
    let filter =
        MetricFilter { name: Some(name.to_owned()), dataset: Some(dataset.clone()), version: None };
    let mut points: Vec<Point> = Vec::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    for row in repository.catalogue.metrics(&filter)? {
        if row.metric.slice.as_deref() != slice {
            others.extend(row.metric.slice.map(|slice| format!("`{slice}`")));
            continue;
        }
        // The rows of a version are together, the newest last.
        if points.last().is_some_and(|last| last.version == row.version) {
            points.pop();
        }
        let MetricRow { version, committed, time, actor, .. } = row;
        let Metric { value, unit, threshold, .. } = row.metric;
        points.push(Point { version, committed, value, unit, threshold, time, actor });
    }
    if points.is_empty() {
        let others: Vec<String> = others.into_iter().take(MOST_NAMED).collect();
        let (of, others) = match (slice, others.is_empty()) {
            (None, true) => (String::new(), String::new()),
            (None, false) => (
                " of whole versions".to_owned(),
                format!("; `--slice` shows {}", others.join(", ")),
            ),
            (Some(slice), true) => (format!(" of slice `{slice}`"), String::new()),
            (Some(slice), false) => {
                (format!(" of slice `{slice}`"), format!("; there is {}", others.join(", ")))
            }
        };
        let what = format!("metric `{name}`{of} in dataset `{dataset}`{others}");
        return Err(catalogue::Error::Unknown { what }.into());
    }
    let slice = slice.map(str::to_owned);
    Ok(MetricLog { dataset, name: name.to_owned(), slice, points })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_name_a_number_and_perhaps_a_unit() {
        for (text, name, value, unit) in [
            ("accuracy=0.93", "accuracy", 0.93, None),
            ("p=5%", "p", 5.0, Some("%")),
            ("size=1.5e3 MiB", "size", 1500.0, Some("MiB")),
            ("delta=-3ms", "delta", -3.0, Some("ms")),
            ("x=1e", "x", 1.0, Some("e")),
            ("a=b=2", "a=b", 2.0, None),
            ("energy=2eV", "energy", 2.0, Some("eV")),
            ("z=-0", "z", 0.0, None),
        ] {
            let figure: Figure = text.parse().unwrap();
            assert_eq!((figure.name.as_str(), figure.value), (name, value), "{text}");
            assert_eq!(figure.unit.as_deref(), unit, "{text}");
        }
        for text in [
            "accuracy",
            "a=",
            "a=NaN",
            "a=inf",
            "a=-Infinity",
            "a=1e999",
            "a=1,5",
            "a=1.2.3",
            "a=+",
        ] {
            assert!(text.parse::<Figure>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_difference_has_no_digits_made_up() {
        assert_eq!(rounded(0.93 - 0.91), 0.02);
        assert_eq!(rounded(-1.0 / 3.0), -0.333333333333);
    }
}
