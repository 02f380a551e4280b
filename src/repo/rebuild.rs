//! Making the catalogue again from the packs and the copy of the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::lock::{self, Lock};
use super::maintain::pack_info;
use super::{Environment, Error, Place, Result, worktrees};
use crate::catalogue::{
    self, Catalogue, JournalEntry, PackState, copied_after, copy_of, read_copy, replace_copy,
};
use crate::format::frame::Key;
use crate::format::version;
use crate::model::{Version, VersionId};
use crate::store::{Disk, Store};

/// A catalogue that was made again.
#[derive(Debug, Serialize)]
pub struct Rebuilt {
    /// Entries of the journal that were replayed.
    pub entries: u64,
    /// Versions whose records were read from packs.
    pub versions: u64,
    /// Where the database lies that was there before, if one was.
    pub kept: Option<PathBuf>,
    /// What was wrong with it, if it could not be used.
    pub problem: Option<String>,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Makes the catalogue of the repository that `start` lies in again, and the tables over its
/// packs. The old database is kept beside the new one. No other command may be at work; where a
/// worktree is locked, nothing is done.
///
/// Stopped at any moment, it leaves the old catalogue or the new one, or none, and can be done
/// again.
///
/// # Errors
///
/// [`Error::Locked`]; [`catalogue::Error::BadJournal`] if the copy of the journal is damaged;
/// [`catalogue::Error::Loading`] if a version's record cannot be read. Nothing has changed then.
pub fn rebuild(start: &Path, environment: &Environment) -> Result<Rebuilt> {
    let (place, _) = Place::find(start)?;
    let busy = |path: &Path| Error::Locked { path: path.to_path_buf() };
    let guard = place.store.join("maintenance.lock");
    let _lock = lock::attempt(&guard)?.ok_or_else(|| busy(&guard))?;
    let Journal { entries, problem, copy } = journal(&place)?;
    copy.mend(&place, &entries)?;
    let store = whole_store(&place)?;
    let draft = place.store.join("catalogue.db.rebuilding");
    remove_database(&draft)?;
    let catalogue = Catalogue::create(&draft)?;
    environment.progress.begin("Replaying", None, None);
    catalogue.replay(&entries, |id| load(&store, id))?;
    environment.progress.end();
    let versions = catalogue.all_version_ids()?.len() as u64;
    let live = catalogue.packs(PackState::Live)?;
    let epoch = catalogue.root()?.epoch;
    let _worktrees = match lock_worktrees(&catalogue, &place.store)? {
        Ok(locks) => locks,
        Err(path) => return Err(Error::Locked { path }),
    };
    // Closing moves the log into the file.
    drop(catalogue);
    let kept = swap(&place.catalogue(), &draft)?;
    store.remove_index()?;
    store.set_live(live.iter().map(|row| pack_info(&row.pack)).collect());
    store.maintain_index(epoch)?;
    Ok(Rebuilt { entries: entries.len() as u64, versions, kept, problem, dry_run: false })
}

/// What [`rebuild`] would make: the catalogue is made in a temporary directory that is removed
/// again. Nothing is written to the repository.
///
/// # Errors
///
/// As [`rebuild`], except for locks.
pub fn rehearse_rebuild(start: &Path, environment: &Environment) -> Result<Rebuilt> {
    let (place, _) = Place::find(start)?;
    let Journal { entries, problem, .. } = journal(&place)?;
    let store = whole_store(&place)?;
    let room = Room::new()?;
    let catalogue = Catalogue::create(&room.0.join("catalogue.db"))?;
    environment.progress.begin("Replaying", None, None);
    catalogue.replay(&entries, |id| load(&store, id))?;
    environment.progress.end();
    let versions = catalogue.all_version_ids()?.len() as u64;
    drop(catalogue);
    Ok(Rebuilt { entries: entries.len() as u64, versions, kept: None, problem, dry_run: true })
}

/// A directory among the temporary files, removed with all that is in it.
struct Room(PathBuf);

impl Room {
    fn new() -> Result<Self> {
        let among = std::env::temp_dir();
        let io = |source| Error::Io { path: among.clone(), source };
        let name =
            format!("stem-rebuild-{}", catalogue::WorktreeId::random().map_err(io)?.as_str());
        let room = among.join(name);
        std::fs::create_dir(&room).map_err(io)?;
        Ok(Self(room))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Whatever cannot be removed is among temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a sound database has; or what is wrong with it.
fn own_journal(path: &Path) -> catalogue::Result<(Vec<JournalEntry>, Option<String>)> {
    // Not read-only: only who may write can take away what SQLite keeps beside it.
    let catalogue = Catalogue::open(path)?;
    let mut entries = Vec::new();
    let report = catalogue.check_journal(&mut |entry| entries.push(entry.clone()))?;
    if let Some((number, problem)) = report.first_bad {
        return Ok((Vec::new(), Some(wrong(number, problem))));
    }
    Ok((entries, None))
}

fn wrong(number: u64, problem: impl std::fmt::Display) -> String {
    format!("entry {number} of its journal is wrong: {problem}")
}

/// The journal that the catalogue is made from.
struct Journal {
    entries: Vec<JournalEntry>,
    /// What is wrong with the old database, if anything is.
    problem: Option<String>,
    copy: Copy,
}

/// How the copy of the journal stands.
enum Copy {
    /// It has every entry.
    Whole,
    /// It lacks entries.
    Short,
    /// It is damaged.
    Damaged,
}

impl Copy {
    /// Makes the copy one of `entries`.
    fn mend(&self, place: &Place, entries: &[JournalEntry]) -> Result<()> {
        match self {
            Self::Whole => Ok(()),
            Self::Short => Ok(Catalogue::open(&place.catalogue())?.copy_journal()?),
            Self::Damaged => Ok(replace_copy(&copy_of(&place.catalogue()), entries)?),
        }
    }
}

/// The journal: of the old database where that is sound, else its copy. A database that lost its end
/// does not push the longer copy aside, and where both have lost something they complete each other.
fn journal(place: &Place) -> Result<Journal> {
    let path = copy_of(&place.catalogue());
    let (own, problem) = match own_journal(&place.catalogue()) {
        Ok(found) => found,
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let of_copy = read_copy(&path);
    let Some(last) = own.last() else {
        let entries = of_copy?;
        if entries.is_empty() {
            return Err(Error::Lost { what: "the copy of the journal".into() });
        }
        return Ok(Journal { entries, problem, copy: Copy::Whole });
    };
    match of_copy {
        Ok(entries) if entries.len() > own.len() => {
            Ok(Journal { entries, problem, copy: Copy::Whole })
        }
        Ok(entries) if entries.last().is_some_and(|copied| copied.hash == last.hash) => {
            Ok(Journal { entries: own, problem, copy: Copy::Whole })
        }
        Err(catalogue::Error::BadJournal { .. }) => {
            let more = copied_after(&path, last)?;
            let entries = own.into_iter().chain(more).collect();
            Ok(Journal { entries, problem, copy: Copy::Damaged })
        }
        Err(catalogue::Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Journal { entries: own, problem, copy: Copy::Short })
        }
        Ok(_) => Ok(Journal { entries: own, problem, copy: Copy::Short }),
        Err(error) => Err(error.into()),
    }
}

/// A store that reads every readable pack there is.
pub(super) fn whole_store(place: &Place) -> Result<Store> {
    let store = Store::open(Arc::new(Disk::open(&place.store)), Vec::new());
    let packs = store.list_packs()?.packs;
    let readable = packs.into_iter().filter_map(|pack| store.pack_info(pack).ok()).collect();
    store.set_live(readable);
    Ok(store)
}

pub(super) fn load(store: &Store, id: &VersionId) -> Result<Version> {
    Ok(version::decode(&store.get(&Key::version(id))?)?)
}

/// Locks the worktrees that are there; or names the lock that a command holds.
pub(super) fn lock_worktrees(
    catalogue: &Catalogue,
    store: &Path,
) -> Result<Result<Vec<Lock>, PathBuf>> {
    let mut locks = Vec::new();
    for worktree in worktrees(catalogue, store)?.into_iter().filter(|one| !one.is_lost) {
        let path = worktree.path.join(super::place::DOT).join("lock");
        if path.parent().is_some_and(Path::is_dir) {
            match lock::attempt(&path)? {
                Some(lock) => locks.push(lock),
                None => return Ok(Err(path)),
            }
        }
    }
    Ok(Ok(locks))
}

/// Puts `draft` in the place of `database`, which is kept under another name with its log. In
/// between there is no catalogue rather than one without its log.
fn swap(database: &Path, draft: &Path) -> Result<Option<PathBuf>> {
    let io = |source| Error::Io { path: database.to_path_buf(), source };
    let kept = (1..)
        .map(|number| beside(database, &format!(".before-rebuild-{number}")))
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| beside(database, ".before-rebuild"));
    let had = rename(database, &kept).map_err(io)?;
    for suffix in BESIDE {
        rename(&beside(database, suffix), &beside(&kept, suffix)).map_err(io)?;
    }
    std::fs::rename(draft, database).map_err(io)?;
    if let Some(directory) = database.parent() {
        std::fs::File::open(directory).and_then(|dir| dir.sync_all()).map_err(io)?;
    }
    Ok(had.then_some(kept))
}

/// Whether there was anything to rename.
fn rename(from: &Path, to: &Path) -> io::Result<bool> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes what an earlier attempt has left.
fn remove_database(path: &Path) -> Result<()> {
    for file in std::iter::once(path.to_path_buf()).chain(BESIDE.map(|end| beside(path, end))) {
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { path: file, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
