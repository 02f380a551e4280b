//! Dropping content here that lies in an archive.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::verify::verify;
use super::{Archived, bad, receipt};
use crate::catalogue::{Change, Head};
use crate::format::manifest;
use crate::model::{DatasetName, FileId, ManifestId, Presence, State, VersionId};
use crate::ops::state::{States, record_of};
use crate::ops::target::Target;
use crate::ops::{Error, Result, hold};
use crate::repo::{Doomed, Repository, Transaction};

/// So many files are marked in one change.
const BATCH: usize = 20_000;

/// Content that lies in an archive only, or would.
#[derive(Debug, Serialize)]
pub struct Dropped {
    /// The archive.
    pub place: PathBuf,
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Files whose content is in the archive only from now on; `gc` removes them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that other versions need here, or that are not in the archive as they are here.
    pub kept_files: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Reads the archive at `place` whole, and marks the content of the version that nothing else needs
/// as archived there. Reading it then says where it lies; `gc` removes it.
///
/// Versions that are archived themselves need nothing, nor does a worktree that has nothing else
/// staged than the version.
///
/// # Errors
///
/// [`Error::BadArchive`]; [`Error::Held`]; [`Error::Refused`] unless the version or its dataset is
/// retired.
pub fn leave(
    repository: &Repository,
    revision: &str,
    place: &Path,
    dry_run: bool,
) -> Result<Dropped> {
    let found = repository.resolve(revision)?;
    let states = States::load(repository)?;
    let own = states.version(&found.version);
    let state = own.max(states.dataset(&found.dataset));
    if state < State::Retired {
        let text =
            format!("version {} is {state}; only what is retired can be dropped", found.version);
        return Err(Error::Refused(text));
    }
    let doomed = [Doomed {
        dataset: Some(&found.dataset),
        version: Some(found.version),
        ..Doomed::default()
    }];
    hold::refuse(repository, revision, &doomed)?;
    let read = verify(place, repository.threads(), &*repository.environment.progress)?;
    read.refuse_problems()?;
    if read.version != Some(found.version) {
        return Err(bad(&read.place, format!("it does not hold version {}", found.version)));
    }
    let all = files_of(repository, &repository.manifest_of(&found.version)?)?;
    let mut exclusive = all.clone();
    // Of a file that was erased or redacted since, or came back, it may have another state.
    let listed = read.contents.iter().flat_map(|contents| &contents.listed);
    let there: HashSet<FileId> =
        listed.filter(|one| one.payload.is_some()).map(|one| one.delivered().file).collect();
    exclusive.retain(|file, _| there.contains(file));
    spare(repository, &states, &found.version, &mut exclusive)?;
    let done = Dropped {
        place: read.place.clone(),
        dataset: found.dataset.clone(),
        version: found.version,
        files: exclusive.len() as u64,
        bytes: exclusive.values().sum(),
        kept_files: (all.len() - exclusive.len()) as u64,
        kept_bytes: all.values().sum::<u64>() - exclusive.values().sum::<u64>(),
        dry_run,
    };
    if !dry_run {
        mark(repository, &done, &exclusive, own, &read.digest)?;
    }
    Ok(done)
}

/// The contents that a version lists and that are present, with their lengths: in the place of a file
/// of which records were erased, the copy without them.
fn files_of(repository: &Repository, root: &ManifestId) -> Result<HashMap<FileId, u64>> {
    let (nodes, overlay) = (repository.nodes(), repository.overlay());
    let mut files = HashMap::new();
    for entry in manifest::list(&nodes, root, b"")? {
        let entry: crate::model::Entry = entry.map_err(|error: crate::repo::Error| error)?;
        if let Ok(given) = overlay.delivered(&entry.file)
            && given.size > 0
        {
            files.insert(given.file, given.size);
        }
    }
    Ok(files)
}

/// Takes out what anything else needs.
fn spare(
    repository: &Repository,
    states: &States,
    version: &VersionId,
    files: &mut HashMap<FileId, u64>,
) -> Result<()> {
    let mut roots: Vec<ManifestId> = Vec::new();
    for row in repository.catalogue.all_versions()? {
        if row.id != *version && states.version(&row.id) != State::Archived {
            roots.push(row.manifest);
        }
    }
    let own = repository.manifest_of(version)?;
    for row in repository.catalogue.worktrees()? {
        let at = match row.state.head {
            Head::Detached { version } => Some(version),
            Head::Branch { at, .. } => at,
        };
        let nothing_else = at == Some(*version) && row.state.staged == own;
        if !nothing_else || row.state.operation.is_some() {
            roots.push(row.state.staged);
        }
    }
    let overlay = repository.overlay();
    repository.each_file_in(roots, |file| {
        if let Ok(given) = overlay.delivered(file) {
            files.remove(&given.file);
        }
    })?;
    Ok(())
}

fn mark(
    repository: &Repository,
    done: &Dropped,
    files: &HashMap<FileId, u64>,
    own: State,
    digest: &str,
) -> Result<()> {
    let place = done.place.to_string_lossy().into_owned();
    let mut files: Vec<(FileId, u64)> = files.iter().map(|(file, size)| (*file, *size)).collect();
    files.sort_unstable();
    let subject = format!("{}@{}", done.dataset, done.version);
    for batch in files.chunks(BATCH) {
        let change = |(file, size): &(FileId, u64)| Change::PresenceChanged {
            file: *file,
            old: None,
            new: Some(Presence::Archived { size: *size, place: place.clone() }),
        };
        let changes = batch.iter().map(change).collect();
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("archive-drop", &subject, None, transaction)?;
    }
    let target =
        Target { dataset: done.dataset.clone(), version: Some(done.version), pattern: None };
    let reason = format!("Archived in {place}");
    let mut states = Vec::new();
    if own < State::Retired {
        states.push(State::Retired);
    }
    if own < State::Archived {
        states.push(State::Archived);
    }
    let changes = states
        .into_iter()
        .map(|state| Change::Recorded { record: record_of(&target, state, &reason) })
        .collect();
    let archive = Archived {
        place: done.place.clone(),
        dataset: done.dataset.clone(),
        version: done.version,
        files: done.files,
        bytes: done.bytes,
        erased: 0,
        digest: Some(digest.to_owned()),
        dry_run: false,
    };
    receipt(repository, "dropped", &archive, changes)
}
