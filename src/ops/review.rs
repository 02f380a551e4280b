//! Saying of a version that somebody has looked at it.

use serde::Serialize;

use super::{Error, Result};
use crate::catalogue::Change;
use crate::model::{DatasetName, Record, RecordKind, Time, VersionId};
use crate::repo::{Repository, Transaction};

/// A review, as it was recorded.
#[derive(Debug, Serialize)]
pub struct Reviewed {
    /// The dataset that the version was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Whether it was found good.
    pub approved: bool,
    /// In words.
    pub text: Option<String>,
    /// Who looked at it: `Name <mail>`.
    pub reviewer: String,
    /// When.
    pub time: Time,
    /// Whether the reviewer has made the version too; rules that ask for reviews do not count that.
    pub own: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Records that the acting person has looked at `revision`. The newest word of each person counts.
///
/// # Errors
///
/// [`Error::Refused`] for a rejection without a reason; [`crate::repo::Error::NoRevision`] and its
/// like.
pub fn review(
    repository: &Repository,
    revision: &str,
    approved: bool,
    text: Option<&str>,
    dry_run: bool,
) -> Result<Reviewed> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if !approved && text.is_none() {
        return Err(Error::Refused("say what is wrong with it with `-m`".into()));
    }
    let found = repository.resolve(revision)?;
    let reviewer = repository.author()?;
    let own = repository.version(&found.version)?.author == reviewer;
    if !dry_run {
        let mut record = Record::new(RecordKind::Review);
        record.dataset = Some(found.dataset.clone());
        record.version = Some(found.version);
        record.name = Some(if approved { "approved" } else { "rejected" }.to_owned());
        record.text = text.map(str::to_owned);
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        let subject = format!("{}@{}", found.dataset, found.version);
        repository.change("review", &subject, text, transaction)?;
    }
    Ok(Reviewed {
        dataset: found.dataset,
        version: found.version,
        approved,
        text: text.map(str::to_owned),
        reviewer: reviewer.to_string(),
        time: repository.now(),
        own,
        dry_run,
    })
}
