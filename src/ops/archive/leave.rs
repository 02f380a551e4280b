//! Dropping content here that lies in an archive.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::verify::{Verified, verify};
use super::{Archived, TRIES, apply, bad, receipt_of};
use crate::catalogue::{Change, Head};
use crate::format::manifest;
use crate::model::{DatasetName, FileId, ManifestId, Presence, State, VersionId};
use crate::ops::state::{States, record_of};
use crate::ops::target::Target;
use crate::ops::{Error, Result, hold};
use crate::repo::{Doomed, Repository, Revision};

/// So many files are marked in one change.
const BATCH: usize = 20_000;

/// A version that leaves for its archive.
struct Leaving<'a> {
    repository: &'a Repository,
    found: &'a Revision,
    listing: ManifestId,
    /// What the archive has: of a file that was erased or redacted since, or came back, it may have
    /// another state.
    there: HashSet<FileId>,
    place: &'a Path,
}

/// Content that lies in an archive only, or would.
#[derive(Debug, Serialize)]
pub struct Dropped {
    /// The archive.
    #[serde(serialize_with = "crate::model::exact_path")]
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
    let leaving = Leaving::of(repository, &found, &read)?;
    let all = files_of(repository, &leaving.listing)?;
    let gone = if dry_run { leaving.exclusive()? } else { leaving.mark()? };
    let done = Dropped {
        place: read.place.clone(),
        dataset: found.dataset.clone(),
        version: found.version,
        files: gone.len() as u64,
        bytes: gone.values().sum(),
        kept_files: (all.len() - gone.len()) as u64,
        kept_bytes: all.values().sum::<u64>() - gone.values().sum::<u64>(),
        dry_run,
    };
    if !dry_run {
        tell(repository, &done, own, &read.digest)?;
    }
    Ok(done)
}

impl<'a> Leaving<'a> {
    fn of(repository: &'a Repository, found: &'a Revision, read: &'a Verified) -> Result<Self> {
        let listing = repository.manifest_of(&found.version)?;
        let listed = read.contents.iter().flat_map(|contents| &contents.listed);
        let there = listed.filter(|one| one.payload.is_some()).map(|one| one.delivered().file);
        Ok(Self { repository, found, listing, there: there.collect(), place: &read.place })
    }

    /// The present contents of the version that the archive has and nothing else needs, with their
    /// lengths.
    fn exclusive(&self) -> Result<HashMap<FileId, u64>> {
        let mut files = files_of(self.repository, &self.listing)?;
        files.retain(|file, _| self.there.contains(file));
        let states = States::load(self.repository)?;
        spare(self.repository, &states, &self.found.version, &mut files)?;
        Ok(files)
    }

    /// Marks as archived what nothing else needs, and gives it. Somebody who changes something
    /// meanwhile may come to need it: then that is looked for again.
    fn mark(&self) -> Result<HashMap<FileId, u64>> {
        let (repository, found) = (self.repository, self.found);
        let place = self.place.to_string_lossy();
        let subject = format!("{}@{}", found.dataset, found.version);
        let mut gone = HashMap::new();
        for attempt in 1.. {
            let mut after = repository.catalogue.journal_head()?.number;
            let mut epoch = repository.refresh()?;
            let files = self.exclusive()?;
            let mut files: Vec<(FileId, u64)> = files.into_iter().collect();
            files.sort_unstable();
            let marked = files.chunks(BATCH).try_for_each(|batch| {
                let change = |(file, size): &(FileId, u64)| Change::PresenceChanged {
                    file: *file,
                    old: None,
                    new: Some(Presence::Archived {
                        size: *size,
                        place: place.clone().into_owned(),
                    }),
                };
                epoch += 1;
                // Fenced: a session that has met the content as present must look again.
                let fence =
                    [Change::PacksCondemned { packs: Vec::new(), epoch }, Change::Fenced { epoch }];
                let changes = batch.iter().map(change).chain(fence).collect();
                after = apply(repository, ("archive-drop", &subject), Some(after), changes)?;
                gone.extend(batch.iter().copied());
                Ok::<(), crate::repo::Error>(())
            });
            match marked {
                Err(crate::repo::Error::Catalogue(error))
                    if error.is_lost_race() && attempt < TRIES => {}
                marked => {
                    marked?;
                    break;
                }
            }
        }
        repository.refresh()?;
        Ok(gone)
    }
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

/// Records that it was dropped, and that the version lies in an archive.
fn tell(repository: &Repository, done: &Dropped, own: State, digest: &str) -> Result<()> {
    let place = done.place.to_string_lossy().into_owned();
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
    let mut changes: Vec<Change> = states
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
    changes.push(Change::Recorded { record: receipt_of("dropped", &archive, repository) });
    let subject = format!("{}@{}", done.dataset, done.version);
    apply(repository, ("archive-dropped", &subject), None, changes)?;
    Ok(())
}
