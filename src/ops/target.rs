//! What a decision is about: `dataset`, `dataset@rev`, `dataset:PATTERN`, `dataset@rev:PATTERN`.

use serde::Serialize;

use super::{Error, Result};
use crate::git::Pattern;
use crate::model::{DatasetName, Record, RecordKind, RepoPath, VersionId};
use crate::repo::{self, Repository, split_path};

/// A dataset, a version of it, or paths in either.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Target {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version; all of them if none.
    pub version: Option<VersionId>,
    /// The paths, as a line of a `.stemignore` names them, or `#path:` and one path, exactly; all of
    /// them if none.
    pub pattern: Option<String>,
}

impl Target {
    /// What `text` names. A dataset's name comes before a revision of the worktree's dataset.
    ///
    /// # Errors
    ///
    /// [`repo::Error::NoDataset`], [`repo::Error::NoRevision`] and its like; [`Error::NoMatch`] if
    /// no path fits the pattern.
    pub fn find(repository: &Repository, text: &str) -> Result<Self> {
        let (place, pattern) = split_path(text);
        let (dataset, version) = place_of(repository, place)?;
        let pattern = pattern.filter(|pattern| !pattern.is_empty()).map(str::to_owned);
        let mut target = Self { dataset, version, pattern };
        if let Some(pattern) = target.of_path(repository)? {
            target.pattern = Some(pattern);
        }
        target.must_match(repository)?;
        Ok(target)
    }

    /// The pattern of the path that is called so, where it would mean something else as a pattern.
    fn of_path(&self, repository: &Repository) -> Result<Option<String>> {
        let Some(text) = self.pattern.as_deref().filter(|text| !Pattern::is_plain(text)) else {
            return Ok(None);
        };
        let text = text.trim_start_matches('/').trim_end_matches('/');
        let versions = self.versions(repository)?;
        let ways = [Some(text.as_bytes().to_vec()), RepoPath::from_exact(text)];
        for wanted in ways.into_iter().flatten() {
            let is_it = |path: &[u8], _: &_| {
                let rest = path.strip_prefix(&wanted[..]);
                rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            };
            if repository.find_entry(&versions, is_it)?.is_some() {
                return Ok(Some(Pattern::of_path(&wanted)));
            }
        }
        Ok(None)
    }

    /// The pattern, read; none if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it is none.
    pub fn compiled(&self) -> Result<Option<Pattern>> {
        let bad =
            |text: &str| Error::Refused(format!("`{}` is not a pattern", text.escape_debug()));
        self.pattern
            .as_deref()
            .map(|text| Pattern::parse(text).ok_or_else(|| bad(text)))
            .transpose()
    }

    /// The versions it is about, newest first.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn versions(&self, repository: &Repository) -> Result<Vec<VersionId>> {
        if let Some(version) = self.version {
            return Ok(vec![version]);
        }
        versions_of(repository, &self.dataset)
    }

    fn must_match(&self, repository: &Repository) -> Result<()> {
        let Some(pattern) = self.compiled()? else { return Ok(()) };
        let versions = self.versions(repository)?;
        if repository.find_entry(&versions, |path, _| pattern.matches(path))?.is_some() {
            return Ok(());
        }
        Err(Error::NoMatch(vec![self.pattern.clone().unwrap_or_default().into_bytes()]))
    }

    /// A record of `kind` about it.
    pub fn record(&self, kind: RecordKind) -> Record {
        let mut record = Record::new(kind);
        record.dataset = Some(self.dataset.clone());
        record.version = self.version;
        record.path = self.pattern.clone();
        record
    }

    /// What a record is about, if it is about a dataset or something in one.
    pub fn of(record: &Record) -> Option<Self> {
        let (version, pattern) = (record.version, record.path.clone());
        record.dataset.clone().map(|dataset| Self { dataset, version, pattern })
    }

    /// As [`Target::find`] reads it, with the beginning of the version's id.
    pub fn show(&self) -> String {
        let version = self.version.map(|id| format!("@{}", &id.to_hex()[..12]));
        let pattern = self.pattern.as_ref().map(|text| format!(":{text}"));
        format!("{}{}{}", self.dataset, version.unwrap_or_default(), pattern.unwrap_or_default())
    }
}

/// The dataset, and the version if one is named.
fn place_of(repository: &Repository, text: &str) -> Result<(DatasetName, Option<VersionId>)> {
    if let Ok(dataset) = text.parse::<DatasetName>()
        && repository.catalogue.has_dataset(&dataset)?
    {
        return Ok((dataset, None));
    }
    let found = match repository.resolve(text) {
        Err(repo::Error::NoRevision { .. }) if text.parse::<DatasetName>().is_ok() => {
            let text = format!("there is no dataset and no version `{text}`");
            return Err(Error::NoTarget(text));
        }
        found => found?,
    };
    Ok((found.dataset, Some(found.version)))
}

/// The versions of a dataset, newest first.
///
/// # Errors
///
/// The catalogue's.
pub fn versions_of(repository: &Repository, dataset: &DatasetName) -> Result<Vec<VersionId>> {
    let ids = repository.catalogue.versions_of(dataset)?;
    let mut rows = repository.catalogue.versions(&ids)?;
    rows.sort_by_key(|row| std::cmp::Reverse((row.generation, row.time, row.id)));
    rows.dedup_by_key(|row| row.id);
    Ok(rows.into_iter().map(|row| row.id).collect())
}
