//! A version's files in a directory of their own, without a repository.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::add::Problem;
use super::{Error, Result};
use crate::catalogue::{self, Change};
use crate::format::manifest;
use crate::model::{Entry, ManifestId, Record, RecordKind, VersionId};
use crate::repo::{
    self, Absent, Error as RepoError, Nodes, Repository, Result as RepoResult, Revision,
    Transaction, extract_listing,
};
use crate::worktree::write::Writer;

/// Files that are written.
#[derive(Debug, Serialize)]
pub struct Export {
    /// The version.
    pub version: VersionId,
    /// Where to.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub directory: PathBuf,
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not there, because their content is gone by design.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
    /// Whether the journal says so; it does not where the store can only be read.
    pub journaled: bool,
    /// Files that could not be written.
    pub failed: Vec<Problem>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Writes the files of `revision` to `directory`, which must be empty or absent. The journal says so
/// before the first file is written, so that nothing is read out unseen; where the store can only be
/// read, nothing can say so.
///
/// # Errors
///
/// [`Error::Refused`] if the directory has something in it; the store's; nobody said who acts.
pub fn export(
    repository: &Repository,
    revision: &str,
    directory: &Path,
    dry_run: bool,
) -> Result<Export> {
    let found = repository.resolve(revision)?;
    let version = found.version;
    let root = repository.manifest_of(&version)?;
    let nodes = repository.nodes();
    let totals = manifest::summary(&nodes, &root)?;
    let directory = std::path::absolute(directory).map_err(|error| io(directory, error))?;
    let mut done = Export {
        version,
        files: totals.files,
        bytes: totals.bytes,
        directory,
        absent: super::travel::absent_in(repository, &root)?,
        journaled: false,
        failed: Vec::new(),
        dry_run,
    };
    if totals.files > 0 && done.absent.len() as u64 == totals.files {
        return Err(RepoError::AllAbsent { absent: done.absent }.into());
    }
    refuse_occupied(&done.directory)?;
    // A listing that cannot be read to its end would be found out behind the files before that.
    manifest::walk(&nodes, &root, |_, _| true)?;
    if dry_run {
        return Ok(done);
    }
    std::fs::create_dir_all(&done.directory).map_err(|error| io(&done.directory, error))?;
    let writer = Writer::open(&done.directory)?;
    if writer.folds_names()? {
        refuse_clashes(&nodes, &root, &done.directory)?;
    }
    done.journaled = journal(repository, &found, &done.directory)?;
    let entries = manifest::list(&nodes, &root, b"")?;
    let extracted = extract_listing(repository, &writer, &totals, entries)?;
    (done.files, done.bytes) = (extracted.files, extracted.bytes);
    let by_design =
        |error: &RepoError| matches!(error, RepoError::Erased { .. } | RepoError::Archived { .. });
    let failed = extracted.failed.iter().filter(|failed| !by_design(&failed.error));
    done.failed = failed.map(Problem::failed).collect();
    Ok(done)
}

/// Notes in the journal that content is read out, if it can be written.
fn journal(repository: &Repository, found: &Revision, to: &Path) -> Result<bool> {
    if !repository.catalogue.is_writable() {
        return Ok(false);
    }
    let mut record = Record::new(RecordKind::Read);
    record.dataset = Some(found.dataset.clone());
    record.version = Some(found.version);
    record.body.insert("destination".into(), to.display().to_string().into());
    let changes = vec![Change::Recorded { record }];
    let transaction = Transaction { changes, ..Transaction::default() };
    let subject = format!("{}@{}", found.dataset, found.version);
    match repository.change("export", &subject, None, transaction) {
        Err(repo::Error::Catalogue(catalogue::Error::ReadOnly { .. })) => Ok(false),
        changed => {
            changed?;
            Ok(true)
        }
    }
}

/// Refuses a listing with two paths that are one name where it is to be written.
fn refuse_clashes(nodes: &Nodes<'_>, root: &ManifestId, directory: &Path) -> Result<()> {
    let entries = manifest::list(nodes, root, b"")?.collect::<RepoResult<Vec<Entry>>>()?;
    match Writer::clashes(entries.iter().map(|entry| &entry.path)) {
        None => Ok(()),
        Some((first, second)) => {
            let directory = directory.display();
            Err(Error::Refused(format!("`{first}` and `{second}` are one name in {directory}")))
        }
    }
}

fn io(path: &Path, source: std::io::Error) -> crate::repo::Error {
    crate::repo::Error::Io { path: path.to_path_buf(), source }
}

fn refuse_occupied(directory: &Path) -> Result<()> {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::Refused(format!("{} is not empty", directory.display()))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(Error::Refused(format!("{} is no directory", directory.display())))
        }
        Err(error) => Err(io(directory, error).into()),
    }
}
