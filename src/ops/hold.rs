//! Holds: placing them, listing them, releasing them, and asking what they forbid.

use super::error::must_say;
use super::target::{Target, versions_of};
use super::{Error, Result};
use crate::catalogue::Change;
use crate::model::{FileId, Record, RecordKind, VersionId};
use crate::repo::{self, Doomed, Hold, Holds, Repository, Transaction};

/// Forbids to delete `target`: a dataset, a version, paths in either, or the 64 digits of a file.
///
/// From now on `gc` keeps it, and erasure and retirement refuse it. A hold on paths of a dataset
/// keeps all of its versions.
///
/// # Errors
///
/// What keeps the target from being found; [`Error::Unsaid`] without a case or a reason.
pub fn place(
    repository: &Repository,
    target: &str,
    case: &str,
    reason: &str,
    dry_run: bool,
) -> Result<Hold> {
    must_say("--case", case)?;
    must_say("--reason", reason)?;
    let mut record = match file_named(repository, target)? {
        Some(file) => record_of_file(repository, &file)?,
        None => Target::find(repository, target)?.record(RecordKind::Hold),
    };
    record.name = Some(case.to_owned());
    record.text = Some(reason.to_owned());
    if dry_run {
        return Ok(Hold::foreseen(record, repository)?);
    }
    let before = repository.catalogue.journal_head()?.number;
    add(repository, "hold", target, reason, record)?;
    let placed = repository.holds()?.into_iter().rev();
    let mut placed = placed.filter(|hold| hold.number() > before && hold.case == case);
    placed.next().ok_or_else(|| repo::Error::Lost { what: "the hold just placed".into() }.into())
}

/// The file that `text` names, if it is the 64 digits of an id that is no version's.
fn file_named(repository: &Repository, text: &str) -> Result<Option<FileId>> {
    if let Ok(version) = text.parse::<VersionId>()
        && repository.catalogue.has_version(&version)?
    {
        return Ok(None);
    }
    Ok(text.parse().ok())
}

/// Names a version that has the file as well: so its content stays readable.
fn record_of_file(repository: &Repository, file: &FileId) -> Result<Record> {
    for dataset in repository.catalogue.datasets()? {
        let versions = versions_of(repository, &dataset.name)?;
        if let Some((version, path)) = repository.find_file_in(&versions, file)? {
            let mut record = Record::new(RecordKind::Hold);
            record.dataset = Some(dataset.name);
            record.version = Some(version);
            record.path = Some(path.show());
            record.file = Some(*file);
            return Ok(record);
        }
    }
    Err(Error::NoTarget(format!("no version lists file {file}")))
}

/// Every hold that is in force, or, with `all`, that ever was.
///
/// # Errors
///
/// The catalogue's.
pub fn list(repository: &Repository, all: bool) -> Result<Vec<Hold>> {
    Ok(if all { repository.all_holds()? } else { repository.holds()? })
}

/// Ends a hold.
///
/// # Errors
///
/// [`Error::NoHold`] if it is not in force; [`Error::Unsaid`] without a reason.
pub fn release(repository: &Repository, id: &str, reason: &str, dry_run: bool) -> Result<Hold> {
    must_say("--reason", reason)?;
    let hold = repository.holds()?.into_iter().find(|hold| hold.id == id);
    let hold = hold.ok_or_else(|| Error::NoHold(id.to_owned()))?;
    if dry_run {
        return Ok(hold);
    }
    let mut record = Record::new(RecordKind::HoldReleased);
    record.dataset = hold.dataset.clone();
    record.version = hold.version;
    record.file = hold.file;
    record.name = Some(hold.id.clone());
    record.text = Some(reason.to_owned());
    add(repository, "hold-release", id, reason, record)?;
    let released = repository.all_holds()?.into_iter().find(|hold| hold.id == id);
    released.ok_or_else(|| Error::NoHold(id.to_owned()))
}

fn add(
    repository: &Repository,
    action: &str,
    subject: &str,
    reason: &str,
    record: Record,
) -> Result<()> {
    let changes = vec![Change::Recorded { record }];
    let transaction = Transaction { changes, ..Transaction::default() };
    Ok(repository.change(action, subject, Some(reason), transaction)?)
}

/// The holds that forbid to delete any of `doomed`, each once, oldest first.
///
/// # Errors
///
/// The catalogue's; what keeps listings from being read, where a file is held.
pub fn blocking(repository: &Repository, doomed: &[Doomed<'_>]) -> Result<Vec<Hold>> {
    let holds = Holds::load(repository)?;
    let mut found: Vec<Hold> = Vec::new();
    for doomed in doomed {
        for hold in holds.blocking(doomed)? {
            if !found.iter().any(|known| known.id == hold.id) {
                found.push(hold.clone());
            }
        }
    }
    found.sort_by_key(Hold::number);
    Ok(found)
}

/// Fails if a hold forbids to delete any of `doomed`, which people call `what`.
///
/// # Errors
///
/// [`Error::Held`] with the holds; as [`blocking`].
pub fn refuse(repository: &Repository, what: &str, doomed: &[Doomed<'_>]) -> Result<()> {
    let holds = blocking(repository, doomed)?;
    if holds.is_empty() { Ok(()) } else { Err(Error::Held { what: what.to_owned(), holds }) }
}
