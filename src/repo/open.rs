//! Opening a repository, and what every operation asks of it first.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use super::lock::{self, Lock};
use super::maintain::pack_info;
use super::{Config, Error, Nodes, Overlay, Place, Result};
use crate::catalogue::{Catalogue, Head, SessionView, WorktreeId, WorktreeState};
use crate::format::frame::Key;
use crate::git;
use crate::model::{
    Author, Clock, DatasetName, ManifestId, PackName, Progress, Silent, SystemClock, Time,
    VersionId,
};
use crate::store::medium::Disk;
use crate::store::{self, Store};

/// What the outside gives to every operation.
#[derive(Clone)]
pub struct Environment {
    /// Where the present moment comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told how far long work has come.
    pub progress: Arc<dyn Progress>,
    /// The author, where it is given from outside; Git's settings are asked otherwise.
    pub author: Option<Author>,
    /// Threads for long work; all cores if not given.
    pub threads: Option<usize>,
    /// The directory of the user's private keys.
    pub keys: Option<PathBuf>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            progress: Arc::new(Silent),
            author: None,
            threads: None,
            keys: None,
        }
    }
}

/// What a repository is opened for.
enum Access {
    Read,
    Write,
    Collect,
}

/// How often a list of packs is taken anew because one of them has gone.
const PACK_TRIES: u32 = 4;

/// A store, its catalogue and a worktree, opened together.
pub struct Repository {
    /// Where everything lies.
    pub place: Place,
    /// The worktree's settings.
    pub config: Config,
    /// The objects.
    pub store: Store,
    /// The names.
    pub catalogue: Catalogue,
    /// What the outside gives.
    pub environment: Environment,
    /// The worktree's id.
    pub worktree: WorktreeId,
    state: Mutex<WorktreeState>,
    pub(super) overlay: RwLock<Arc<Overlay>>,
    /// Packs that are not read.
    pub(super) aside: Mutex<HashSet<PackName>>,
    /// The epoch in which it was opened: what was read since may be gone in a later one.
    pub(super) opened: u64,
    _lock: Option<Lock>,
}

impl Repository {
    /// Opens the repository that `start` lies in, to read it.
    ///
    /// # Errors
    ///
    /// [`Error::NoRepository`], or what keeps its parts from being opened.
    pub fn open(start: &Path, environment: Environment) -> Result<Self> {
        Self::open_with(start, environment, Access::Read)
    }

    /// Opens the repository that `start` lies in, to change it: no other command of this worktree
    /// changes it until this value is dropped.
    ///
    /// # Errors
    ///
    /// As [`Repository::open`], and [`Error::Locked`].
    pub fn open_to_write(start: &Path, environment: Environment) -> Result<Self> {
        Self::open_with(start, environment, Access::Write)
    }

    /// Opens the repository that `start` lies in, to collect what nothing needs: nobody else
    /// collects, merges packs or makes the catalogue again until this value is dropped.
    ///
    /// # Errors
    ///
    /// As [`Repository::open_to_write`].
    pub fn open_to_collect(start: &Path, environment: Environment) -> Result<Self> {
        Self::open_with(start, environment, Access::Collect)
    }

    fn open_with(start: &Path, environment: Environment, access: Access) -> Result<Self> {
        let (place, config) = Place::find(start)?;
        let lock = match access {
            Access::Read => None,
            Access::Write => Some(lock::wait(&place.dot.join("lock"))?),
            Access::Collect => Some(lock::wait(&place.store.join("maintenance.lock"))?),
        };
        let catalogue = Catalogue::open(&place.catalogue())?;
        let worktree: WorktreeId = config.worktree.parse().map_err(|_| Error::Config {
            path: place.dot.join(Config::FILE),
            problem: format!("`{}` is not the id of a worktree", config.worktree),
        })?;
        let row = catalogue
            .worktree(&worktree)?
            .ok_or_else(|| Error::UnknownWorktree { store: place.store.clone() })?;
        let view = catalogue.session_view()?;
        let store = Store::open(Arc::new(Disk::open(&place.store)), Vec::new());
        let state = Mutex::new(row.state);
        let (aside, opened) = (Mutex::default(), view.epoch);
        let this = Self {
            place,
            config,
            store,
            catalogue,
            environment,
            worktree,
            state,
            overlay: RwLock::default(),
            aside,
            opened,
            _lock: lock,
        };
        this.show_packs(view);
        this.read_overlay()?;
        Ok(this)
    }

    /// Takes the list of packs from the catalogue again, and gives the epoch it belongs to.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn refresh(&self) -> Result<u64> {
        let view = self.catalogue.session_view()?;
        let epoch = view.epoch;
        self.show_packs(view);
        // After the epoch: a session that has not heard of an erasure is fenced off by it.
        self.read_overlay()?;
        Ok(epoch)
    }

    fn show_packs(&self, view: SessionView) {
        let aside = self.aside.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let infos = |packs: &[crate::catalogue::PackRecord]| {
            packs.iter().filter(|pack| !aside.contains(&pack.name)).map(pack_info).collect()
        };
        self.store.set_packs(infos(&view.live), infos(&view.condemned));
    }

    /// The dataset that the worktree shows.
    pub fn dataset(&self) -> &DatasetName {
        &self.config.dataset
    }

    /// What the worktree works on.
    pub fn state(&self) -> WorktreeState {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Remembers a state that the catalogue has accepted.
    pub(super) fn set_state(&self, state: WorktreeState) {
        *self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    /// The version that the worktree continues; none before the first. Its branch may be elsewhere
    /// by now, if another worktree has moved it.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn head(&self) -> Result<Option<VersionId>> {
        match self.state().head {
            Head::Detached { version } => Ok(Some(version)),
            Head::Branch { at, .. } => Ok(at),
        }
    }

    /// The listing of the version that the worktree continues; the empty one before the first.
    ///
    /// # Errors
    ///
    /// The catalogue's, and [`Error::Lost`].
    pub fn head_manifest(&self) -> Result<ManifestId> {
        match self.head()? {
            Some(version) => self.manifest_of(&version),
            None => Ok(crate::format::manifest::empty().0),
        }
    }

    /// The listing of a version.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the catalogue does not know the version.
    pub fn manifest_of(&self, version: &VersionId) -> Result<ManifestId> {
        let row = self.catalogue.version(version)?;
        row.map(|row| row.manifest)
            .ok_or_else(|| Error::Lost { what: format!("version {version}") })
    }

    /// Runs `body` again with a fresh list of packs when another command has merged one away, or
    /// has written what is looked for after the list was taken.
    ///
    /// # Errors
    ///
    /// What `body` fails with; the catalogue's.
    pub(super) fn with_packs<T>(&self, mut body: impl FnMut() -> Result<T>) -> Result<T> {
        let mut looked_again = false;
        for _ in 0..PACK_TRIES {
            match body() {
                Err(Error::Store(store::Error::Missing { .. })) => self.refresh()?,
                // Erasing overwrites packs that are dead.
                Err(Error::Store(store::Error::Damaged { pack, source })) => {
                    self.refresh()?;
                    if self.store.packs().iter().any(|known| known.name == pack) {
                        return Err(Error::Store(store::Error::Damaged { pack, source }));
                    }
                    self.opened
                }
                Err(Error::Store(store::Error::NotFound { .. })) if !looked_again => {
                    looked_again = true;
                    self.refresh()?
                }
                result => return result,
            };
        }
        body()
    }

    /// An object of the store.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn get(&self, key: &Key) -> Result<Vec<u8>> {
        self.with_packs(|| Ok(self.store.get(key)?))
    }

    /// Whether the store holds an object, whatever tables over many packs say of it: where none has
    /// it, every pack's own table is asked.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn has(&self, key: &Key) -> Result<bool> {
        if self.with_packs(|| Ok(self.store.contains(key)?))? {
            return Ok(true);
        }
        match self.get(key) {
            Ok(_) => Ok(true),
            Err(Error::Store(store::Error::NotFound { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The nodes of manifests, read from the store.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes::new(self)
    }

    /// Who acts: given from outside, else set here, else from Git's settings.
    ///
    /// # Errors
    ///
    /// [`Error::NoAuthor`] if nobody said.
    pub fn author(&self) -> Result<Author> {
        if let Some(author) = &self.environment.author {
            return Ok(author.clone());
        }
        let setting = |key: &str| self.config.settings.get(key).cloned();
        if let (Some(name), Some(email)) = (setting("user.name"), setting("user.email")) {
            return Ok(Author { name, email });
        }
        git::identity(&self.place.root)?.ok_or(Error::NoAuthor)
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.environment.clock.now()
    }

    /// Threads for long work.
    pub fn threads(&self) -> usize {
        let set = || self.config.settings.get("core.threads").and_then(|text| text.parse().ok());
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.environment.threads.or_else(set).unwrap_or_else(all).clamp(1, 256)
    }
}
