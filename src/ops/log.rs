//! History, the newest version first.

use std::collections::{HashMap, HashSet};

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::signature::{Judge, SignatureStatus};
use super::state::States;
use super::{Error, Result};
use crate::catalogue::{QueryLimits, VersionRow};
use crate::format::manifest;
use crate::git::parse_date;
use crate::model::{DatasetName, ManifestId, RefKind, RefName, Scope, State, Time, VersionId};
use crate::repo::{self, Repository, or_head};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Revisions, or ranges `a..b`; the current version if there are none.
    pub revisions: Vec<String>,
    /// Everything that a branch or tag of the dataset leads to.
    pub all: bool,
    /// At most so many.
    pub limit: Option<u64>,
    /// Only versions that have changed one of these paths or directories.
    pub paths: Vec<Vec<u8>>,
    /// Judge the signatures of every version.
    pub signatures: bool,
    /// Only versions that all of this is true of.
    pub filter: LogFilter,
}

/// Which versions a log shows; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Made at this moment or later, as people write dates to Git.
    pub since: Option<String>,
    /// Made at this moment or earlier.
    pub until: Option<String>,
    /// `Name <mail>` fits one of these regular expressions; any does if there are none.
    pub authors: Vec<String>,
    /// A line of the message fits one of these regular expressions.
    pub greps: Vec<String>,
    /// In patterns a letter stands for itself in whatever case.
    pub ignore_case: bool,
    /// Patterns are text to be found as it stands.
    pub fixed: bool,
    /// True of it: an expression in SQL over the columns of the view `versions`.
    pub condition: Option<String>,
    /// Its message, metadata or later records have all of these words.
    pub search: Option<String>,
}

/// A filter with its dates read and its questions asked.
struct Sieve {
    since: Option<Time>,
    until: Option<Time>,
    authors: Vec<Regex>,
    greps: Vec<Regex>,
    among: Vec<HashSet<VersionId>>,
}

impl Sieve {
    fn new(repository: &Repository, filter: &LogFilter) -> Result<Self> {
        let now = repository.now();
        let date = |text: &Option<String>| -> Result<Option<Time>> {
            Ok(text.as_deref().map(|text| parse_date(text, now)).transpose()?)
        };
        let mut among = Vec::new();
        if let Some(condition) = &filter.condition {
            let limits = QueryLimits::default();
            let ids = repository.catalogue.versions_where(condition, limits)?;
            among.push(ids.into_iter().collect());
        }
        if let Some(words) = &filter.search {
            let found = repository.catalogue.search(words, None, u64::MAX)?;
            let found =
                found.ok_or_else(|| Error::Refused("there is no word to look for".into()))?;
            among.push(found.into_iter().filter_map(|place| place.version).collect());
        }
        Ok(Self {
            since: date(&filter.since)?,
            until: date(&filter.until)?,
            authors: patterns(&filter.authors, filter)?,
            greps: patterns(&filter.greps, filter)?,
            among,
        })
    }

    fn lets_through(&self, row: &VersionRow) -> bool {
        let fits = |patterns: &[Regex], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(text))
        };
        self.since.is_none_or(|since| row.time >= since)
            && self.until.is_none_or(|until| row.time <= until)
            && (self.authors.is_empty() || fits(&self.authors, &row.author.to_string()))
            && fits(&self.greps, &row.message)
    }
}

/// As Git takes them: `^` and `$` stand at the ends of lines.
fn patterns(given: &[String], filter: &LogFilter) -> Result<Vec<Regex>> {
    let pattern = |text: &String| {
        let escaped = if filter.fixed { regex::escape(text) } else { text.clone() };
        let mut builder = RegexBuilder::new(&escaped);
        let read = builder.multi_line(true).case_insensitive(filter.ignore_case).build();
        read.map_err(|error| {
            // Of an explanation in several lines, with a drawing, the last says what is wrong.
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            let problem = last.trim_start_matches("error: ").to_owned();
            Error::Pattern { given: text.clone(), problem }
        })
    };
    given.iter().map(pattern).collect()
}

/// A version as a list shows it.
#[derive(Debug, Clone, Serialize)]
pub struct VersionInfo {
    /// Its id.
    pub version: VersionId,
    /// Its listing.
    pub manifest: ManifestId,
    /// What it continues.
    pub parents: Vec<VersionId>,
    /// `Name <mail>`.
    pub author: String,
    /// When it was recorded.
    pub time: Time,
    /// What it says.
    pub message: String,
    /// Branches that are at it.
    pub branch_names: Vec<RefName>,
    /// Tags that are at it.
    pub tags: Vec<RefName>,
    /// How many files it lists.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Its signatures and those of tags at it, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Vec<SignatureStatus>>,
    /// The stage of its life that it is in.
    pub state: State,
}

/// A part of the history.
#[derive(Debug, Serialize)]
pub struct Log {
    /// The dataset whose branches and tags are named.
    pub dataset: DatasetName,
    /// The versions; none comes before one that continues it.
    pub versions: Vec<VersionInfo>,
}

/// The branches and tags of a dataset by the version they are at, and the states of versions.
#[derive(Debug, Default)]
pub struct Labels {
    branches: HashMap<VersionId, Vec<RefName>>,
    tags: HashMap<VersionId, Vec<RefName>>,
    states: States,
}

impl Labels {
    /// Those of `dataset`.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn of(repository: &Repository, dataset: &DatasetName) -> Result<Self> {
        let by_version = |kind| -> Result<HashMap<VersionId, Vec<RefName>>> {
            let mut labels: HashMap<VersionId, Vec<RefName>> = HashMap::new();
            for row in repository.catalogue.refs(dataset, kind)? {
                labels.entry(row.version).or_default().push(row.name);
            }
            Ok(labels)
        };
        let (branches, tags) = (by_version(RefKind::Branch)?, by_version(RefKind::Tag)?);
        Ok(Self { branches, tags, states: States::load(repository)? })
    }

    /// A version with its branches, its tags and its state.
    pub fn describe(&self, row: VersionRow) -> VersionInfo {
        let find = |labels: &HashMap<VersionId, Vec<RefName>>| {
            labels.get(&row.id).cloned().unwrap_or_default()
        };
        VersionInfo {
            branch_names: find(&self.branches),
            tags: find(&self.tags),
            state: self.states.version(&row.id),
            version: row.id,
            manifest: row.manifest,
            parents: row.parents,
            author: row.author.to_string(),
            time: row.time,
            message: row.message,
            files: row.files,
            bytes: row.bytes,
            signatures: None,
        }
    }
}

/// Lists history.
///
/// # Errors
///
/// [`repo::Error::NoRevision`] and its like; what keeps the rows from being read; a date or a
/// condition that is none; [`Error::Pattern`].
pub fn log(repository: &Repository, options: &LogOptions) -> Result<Log> {
    let Range { dataset, heads, without } = range(repository, options)?;
    let labels = Labels::of(repository, &dataset)?;
    let sieve = Sieve::new(repository, &options.filter)?;
    let limit = usize::try_from(options.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let scope = Scope::of(&options.paths);
    let passes = |row: &VersionRow| -> Result<bool> {
        let passes = !without.contains(&row.id) && sieve.lets_through(row);
        Ok(passes && changes_paths(repository, row, &scope)?)
    };
    let judge = if options.signatures { Some(Judge::new(repository)?) } else { None };
    let shown = |row: VersionRow| -> Result<VersionInfo> {
        let mut version = labels.describe(row);
        if let Some(judge) = &judge {
            version.signatures = Some(judge.of(&version.version)?);
        }
        Ok(version)
    };
    let mut versions = Vec::new();
    if sieve.among.is_empty() {
        for row in repository.catalogue.history(&heads)? {
            if versions.len() >= limit {
                break;
            }
            let row = row?;
            if passes(&row)? {
                versions.push(shown(row)?);
            }
        }
        return Ok(Log { dataset, versions });
    }
    // Which versions may be shown is known already: only their rows are read.
    let mut ids = repository.catalogue.history_ids(&heads)?;
    ids.retain(|id| sieve.among.iter().all(|among| among.contains(id)));
    for batch in ids.chunks(ROWS) {
        let rows = repository.catalogue.versions(batch)?;
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        for row in batch.iter().filter_map(|id| rows.remove(id)) {
            if versions.len() < limit && passes(&row)? {
                versions.push(shown(row)?);
            }
        }
        if versions.len() >= limit {
            break;
        }
    }
    Ok(Log { dataset, versions })
}

/// So many rows are read at once.
const ROWS: usize = 256;

/// Where a walk begins and what it leaves out.
struct Range {
    dataset: DatasetName,
    heads: Vec<VersionId>,
    without: HashSet<VersionId>,
}

fn range(repository: &Repository, options: &LogOptions) -> Result<Range> {
    let mut dataset = None;
    let (mut heads, mut excluded) = (Vec::new(), Vec::new());
    let mut resolve = |text: &str| -> Result<VersionId> {
        let found = repository.resolve(text)?;
        dataset.get_or_insert(found.dataset);
        Ok(found.version)
    };
    for text in &options.revisions {
        match text.split_once("..") {
            Some((from, to)) => match to.strip_prefix('.') {
                // As in Git: what one of the two has and the other has not.
                Some(to) => {
                    let (left, right) = (resolve(or_head(from))?, resolve(or_head(to))?);
                    excluded.extend(repository.catalogue.merge_bases(&left, &right)?);
                    heads.extend([left, right]);
                }
                None => {
                    excluded.push(resolve(or_head(from))?);
                    heads.push(resolve(or_head(to))?);
                }
            },
            None => heads.push(resolve(text)?),
        }
    }
    if heads.is_empty() && !options.all {
        heads.push(resolve("HEAD")?);
    }
    let dataset = dataset.unwrap_or_else(|| repository.dataset().clone());
    if options.all {
        for kind in [RefKind::Branch, RefKind::Tag] {
            let rows = repository.catalogue.refs(&dataset, kind)?;
            heads.extend(rows.into_iter().map(|row| row.version));
        }
        heads.extend(repository.head()?);
    }
    heads.sort();
    heads.dedup();
    let mut without = HashSet::new();
    if !excluded.is_empty() {
        for row in repository.catalogue.history(&excluded)? {
            without.insert(row?.id);
        }
    }
    Ok(Range { dataset, heads, without })
}

/// Whether a version differs at `paths` from every one of its parents.
fn changes_paths(repository: &Repository, row: &VersionRow, scope: &Scope) -> Result<bool> {
    if scope.is_everything() {
        return Ok(true);
    }
    let nodes = repository.nodes();
    let mut before = Vec::new();
    for parent in &row.parents {
        before.push(repository.manifest_of(parent)?);
    }
    if before.is_empty() {
        before.push(manifest::empty().0);
    }
    for before in before {
        let mut differs = false;
        for change in manifest::diff(&nodes, &before, &row.manifest)? {
            let change: Result<manifest::Change, repo::Error> = change;
            differs |= scope.covers(change?.path.as_bytes());
            if differs {
                break;
            }
        }
        if !differs {
            return Ok(false);
        }
    }
    Ok(true)
}
