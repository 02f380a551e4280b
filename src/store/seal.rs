//! From a written file to a pack that survives.
//!
//! Here: syncing packs while others are still being written, and naming them.
//! Not here: what is in them (`write`).
//! Invariant: a file gets the name of a pack only after a sync of all of it succeeded, and counts
//! as sealed only after the directory was synced; no sync is ever tried twice.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::{Error, io_at};
use super::medium::{Medium, MediumFile, PACKS, join};
use super::packs::PackInfo;

/// So many packs may wait for their sync before writers wait too.
const WAITING: usize = 8;

/// A pack that is written to its end.
pub(super) struct Written {
    pub(super) info: PackInfo,
    pub(super) tmp: String,
    pub(super) file: Box<dyn MediumFile>,
}

/// The packs of a session on their way.
pub(super) struct Sealing {
    medium: Arc<dyn Medium>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Written>,
    /// A thread is at work; it ends when nothing is waiting.
    running: bool,
    synced: Vec<(PackInfo, String)>,
    /// Temporary files of packs whose sync failed.
    lost: Vec<String>,
    error: Option<Error>,
    stopped: bool,
}

impl Sealing {
    pub(super) fn new(medium: Arc<dyn Medium>) -> Arc<Self> {
        Arc::new(Self { medium, state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a pack over, to sync it on a thread of its own. Waits while too many are waiting.
    ///
    /// # Errors
    ///
    /// When an earlier pack could not be synced; the session has then failed.
    pub(super) fn push(self: &Arc<Self>, written: Written) -> Result<(), Error> {
        let mut state = self.state();
        while state.waiting.len() >= WAITING && state.error.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.push_back(written);
        if let Some(error) = state.error.take() {
            state.stopped = true;
            return Err(error);
        }
        if !state.running {
            state.running = true;
            let this = Arc::clone(self);
            let spawned =
                std::thread::Builder::new().name("stem-sync".into()).spawn(move || this.work());
            if spawned.is_err() {
                drop(state);
                self.work();
            }
        }
        Ok(())
    }

    fn work(&self) {
        let mut state = self.state();
        while let Some(mut written) = state.waiting.pop_front() {
            if state.stopped || state.error.is_some() {
                state.lost.push(written.tmp);
                continue;
            }
            drop(state);
            let result = written.file.sync();
            state = self.state();
            match result {
                Ok(()) => state.synced.push((written.info, written.tmp)),
                Err(source) => {
                    let name = written.tmp.clone();
                    state.error = Some(Error::Io { action: "sync", name, source });
                    state.lost.push(written.tmp);
                }
            }
            self.changed.notify_all();
        }
        state.running = false;
        self.changed.notify_all();
    }

    /// Gives every pack that was pushed its name, and makes the names survive.
    ///
    /// # Errors
    ///
    /// When anything failed; the session has then failed, and of its packs those that have a name
    /// already are removed with the rest.
    pub(super) fn seal(&self) -> Result<Vec<PackInfo>, Error> {
        let mut state = self.wait();
        if let Some(error) = state.error.take() {
            state.stopped = true;
            return Err(error);
        }
        let synced = std::mem::take(&mut state.synced);
        drop(state);
        let mut named = Vec::new();
        if let Err(error) = self.name(&synced, &mut named) {
            let mut state = self.state();
            state.stopped = true;
            state.lost.extend(named);
            state.lost.extend(synced.into_iter().map(|(_, tmp)| tmp));
            return Err(error);
        }
        Ok(synced.into_iter().map(|(info, _)| info).collect())
    }

    /// Renames every pack, noting which have been, and syncs the directory.
    fn name(&self, synced: &[(PackInfo, String)], named: &mut Vec<String>) -> Result<(), Error> {
        for (info, tmp) in synced {
            let name = join(PACKS, info.name);
            self.medium.rename_new(tmp, &name).map_err(io_at("rename", tmp))?;
            named.push(name);
        }
        if synced.is_empty() {
            return Ok(());
        }
        self.medium.sync_dir(PACKS).map_err(io_at("sync", PACKS))
    }

    /// Removes what has no name yet, and what failed on its way to one. Errors don't matter:
    /// nothing refers to these files.
    pub(super) fn abandon(&self) {
        self.state().stopped = true;
        let mut state = self.wait();
        let unnamed = std::mem::take(&mut state.synced).into_iter().map(|(_, tmp)| tmp);
        let waiting = std::mem::take(&mut state.waiting).into_iter().map(|written| written.tmp);
        let files: Vec<_> = unnamed.chain(waiting).collect();
        let lost = std::mem::take(&mut state.lost);
        drop(state);
        for name in files.iter().chain(&lost) {
            let _ = self.medium.remove(name);
        }
    }

    fn wait(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.running {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
