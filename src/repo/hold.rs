//! Holds: reasons why something must not be deleted.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{Error, Repository, Result};
use crate::catalogue::{RecordFilter, RecordRow};
use crate::git::Pattern;
use crate::model::{DatasetName, FileId, Record, RecordKind, Time, VersionId};

/// A reason why something must not be deleted.
#[derive(Debug, Clone, Serialize)]
pub struct Hold {
    /// How people name it: `h` and the number of the journal's entry that placed it.
    pub id: String,
    /// The dataset it is on, or that its version was looked for in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// The version it is on; of a file, one that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// The paths it is on, as a pattern; of a file, where that version has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The content it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileId>,
    /// The case that it belongs to.
    pub case: String,
    /// Why it was placed.
    pub reason: String,
    /// Who placed it: `Name <mail>`.
    pub by: String,
    /// When.
    pub since: Time,
    /// Why and by whom it was released, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
    #[serde(skip)]
    pattern: Option<Pattern>,
}

/// The end of a hold.
#[derive(Debug, Clone, Serialize)]
pub struct Release {
    /// Why.
    pub reason: String,
    /// Who: `Name <mail>`.
    pub by: String,
    /// When.
    pub at: Time,
}

/// What should be deleted. What is `None` may be anything: of a dataset with no version, all of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doomed<'a> {
    /// The dataset.
    pub dataset: Option<&'a DatasetName>,
    /// The version.
    pub version: Option<VersionId>,
    /// The path in it.
    pub path: Option<&'a [u8]>,
    /// The content.
    pub file: Option<FileId>,
}

/// A file that should be deleted from versions.
#[derive(Debug, Clone, Copy)]
pub struct DoomedFile<'a> {
    /// Its content.
    pub file: FileId,
    /// The paths that it has in any of them; none if it may have others, or one that is not as it is
    /// written here.
    pub paths: Option<&'a [String]>,
}

impl DoomedFile<'_> {
    /// Whether no version is known to have it, so that any may.
    fn is_loose(&self) -> bool {
        self.paths.is_some_and(<[String]>::is_empty)
    }
}

impl Hold {
    fn of(row: RecordRow) -> Result<Self> {
        let id = format!("h{}", row.number);
        let Record { dataset, version, path, file, name, text, .. } = row.record;
        let pattern = match (&path, &file) {
            (Some(path), None) => {
                // What cannot be read as a pattern any more must not hold less than it did.
                let lost = || Error::Lost { what: format!("the pattern of hold {id}") };
                Some(Pattern::parse(path).ok_or_else(lost)?)
            }
            _ => None,
        };
        Ok(Self {
            id,
            dataset,
            version,
            path,
            file,
            case: name.unwrap_or_default(),
            reason: text.unwrap_or_default(),
            by: row.actor,
            since: row.time,
            released: None,
            pattern,
        })
    }

    /// The hold that `record` would place.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if its paths are no pattern; [`Error::NoAuthor`].
    pub fn foreseen(record: Record, repository: &Repository) -> Result<Self> {
        let number = repository.catalogue.journal_head()?.number + 1;
        let (time, actor) = (repository.now(), repository.author()?.to_string());
        Self::of(RecordRow { number, ordinal: 0, time, actor, record })
    }

    /// The number in its id: the journal's entry that placed it.
    pub fn number(&self) -> u64 {
        self.id[1..].parse().unwrap_or(u64::MAX)
    }

    /// What it is on, in words.
    pub fn on(&self) -> String {
        let path = self.path.as_deref().unwrap_or_default();
        match (&self.dataset, &self.version, &self.file) {
            (_, _, Some(file)) => format!("file {}", &file.to_hex()[..12]),
            (Some(dataset), Some(version), None) => {
                let short = &version.to_hex()[..12];
                format!("{dataset}@{short}{}", colon(path))
            }
            (Some(dataset), None, None) => format!("{dataset}{}", colon(path)),
            (None, _, None) => "nothing".into(),
        }
    }
}

fn colon(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(":{path}") }
}

impl Repository {
    /// Every hold that was ever placed, oldest first; those that were released say so.
    ///
    /// # Errors
    ///
    /// The catalogue's; [`Error::Lost`] if a hold cannot be read.
    pub fn all_holds(&self) -> Result<Vec<Hold>> {
        let of = |kind| RecordFilter { kind: Some(kind), ..RecordFilter::default() };
        let mut holds: BTreeMap<String, Hold> = BTreeMap::new();
        for row in self.catalogue.records(&of(RecordKind::Hold))? {
            let hold = Hold::of(row)?;
            holds.insert(hold.id.clone(), hold);
        }
        for row in self.catalogue.records(&of(RecordKind::HoldReleased))? {
            let id = row.record.name.unwrap_or_default();
            let reason = row.record.text.unwrap_or_default();
            if let Some(hold) = holds.get_mut(&id).filter(|hold| hold.released.is_none()) {
                hold.released = Some(Release { reason, by: row.actor, at: row.time });
            }
        }
        let mut all: Vec<Hold> = holds.into_values().collect();
        all.sort_by_key(Hold::number);
        Ok(all)
    }

    /// The holds that were placed and not released, oldest first.
    ///
    /// # Errors
    ///
    /// As [`Repository::all_holds`].
    pub fn holds(&self) -> Result<Vec<Hold>> {
        let mut holds = self.all_holds()?;
        holds.retain(|hold| hold.released.is_none());
        Ok(holds)
    }

    /// The versions of a dataset and all that lead to them.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn reach_of(&self, dataset: &DatasetName) -> Result<HashSet<VersionId>> {
        let heads = self.catalogue.versions_of(dataset)?;
        let mut reached = HashSet::new();
        for row in self.catalogue.history(&heads)? {
            reached.insert(row?.id);
        }
        Ok(reached)
    }

    /// What holds keep: versions that collecting must not let go of. A hold on paths keeps the
    /// versions that may have them whole.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub(super) fn held_versions(&self) -> Result<HashSet<VersionId>> {
        let mut held = HashSet::new();
        for hold in self.holds()? {
            match (hold.version, &hold.dataset) {
                (Some(version), _) => {
                    held.insert(version);
                }
                (None, Some(dataset)) => held.extend(self.catalogue.versions_of(dataset)?),
                (None, None) => {}
            }
        }
        Ok(held)
    }
}

/// Holds, ready to be asked about many things.
pub struct Holds<'a> {
    repository: &'a Repository,
    holds: Vec<Hold>,
    /// For each hold on a whole dataset, the versions that are in it.
    reach: BTreeMap<DatasetName, HashSet<VersionId>>,
}

impl<'a> Holds<'a> {
    /// Those that are in force.
    ///
    /// # Errors
    ///
    /// As [`Repository::holds`].
    pub fn load(repository: &'a Repository) -> Result<Self> {
        let holds = repository.holds()?;
        let mut reach = BTreeMap::new();
        for dataset in holds.iter().filter_map(|hold| hold.dataset.as_ref()) {
            if !reach.contains_key(dataset) {
                reach.insert(dataset.clone(), repository.reach_of(dataset)?);
            }
        }
        Ok(Self { repository, holds, reach })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// Those that forbid to delete `doomed`, oldest first.
    ///
    /// # Errors
    ///
    /// What keeps listings from being read, where a file is held and no file is given.
    pub fn blocking(&self, doomed: &Doomed<'_>) -> Result<Vec<&Hold>> {
        let mut found = Vec::new();
        for hold in &self.holds {
            if self.blocks(hold, doomed)? {
                found.push(hold);
            }
        }
        Ok(found)
    }

    /// Those that forbid to delete any of `files` out of any of `versions`, oldest first.
    ///
    /// Asks each hold once about the versions and once about the paths: the two may be many, and
    /// all pairs of them too many to go through.
    pub fn blocking_files(&self, versions: &[VersionId], files: &[DoomedFile<'_>]) -> Vec<&Hold> {
        let blocks = |hold: &&Hold| {
            if let Some(held) = hold.file {
                return files.iter().any(|doomed| doomed.file == held);
            }
            let at_version = match (hold.version, &hold.dataset) {
                (Some(held), _) => versions.contains(&held),
                (None, Some(name)) => versions.iter().any(|version| self.is_in(version, name)),
                (None, None) => true,
            };
            let Some(pattern) = &hold.pattern else {
                return at_version || versions.is_empty() || files.iter().any(DoomedFile::is_loose);
            };
            let mut paths = files.iter().filter_map(|doomed| doomed.paths);
            let is_met =
                |paths: &[String]| paths.iter().any(|path| pattern.matches(path.as_bytes()));
            let at_path = files.iter().any(|doomed| doomed.paths.is_none()) || paths.any(is_met);
            at_version && at_path || versions.is_empty() || files.iter().any(DoomedFile::is_loose)
        };
        self.holds.iter().filter(blocks).collect()
    }

    fn blocks(&self, hold: &Hold, doomed: &Doomed<'_>) -> Result<bool> {
        if let Some(file) = hold.file {
            return match (doomed.file, doomed.path) {
                (Some(doomed), _) => Ok(doomed == file),
                (None, _) => self.has_file(doomed, &file),
            };
        }
        let at_version = match (hold.version, doomed.version) {
            (Some(held), Some(doomed)) => held == doomed,
            (Some(held), None) => doomed.dataset.is_none_or(|name| self.is_in(&held, name)),
            (None, Some(version)) => {
                hold.dataset.as_ref().is_none_or(|name| self.is_in(&version, name))
            }
            (None, None) => match (&hold.dataset, doomed.dataset) {
                (Some(held), Some(doomed)) => held == doomed,
                _ => true,
            },
        };
        let at_path = match (&hold.pattern, doomed.path) {
            (Some(pattern), Some(path)) => pattern.matches(path),
            _ => true,
        };
        Ok(at_version && at_path)
    }

    /// Whether a version is one of a dataset; in doubt it is.
    fn is_in(&self, version: &VersionId, dataset: &DatasetName) -> bool {
        match self.reach.get(dataset) {
            Some(reach) => reach.contains(version),
            None => self.repository.reach_of(dataset).map_or(true, |reach| reach.contains(version)),
        }
    }

    /// Whether the content is anywhere in what is doomed.
    fn has_file(&self, doomed: &Doomed<'_>, file: &FileId) -> Result<bool> {
        let versions = match (doomed.version, doomed.dataset) {
            (Some(version), _) => vec![version],
            (None, Some(dataset)) => self.repository.catalogue.versions_of(dataset)?,
            (None, None) => return Ok(true),
        };
        Ok(self.repository.find_file_in(&versions, file)?.is_some())
    }
}
