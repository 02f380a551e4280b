//! Immutable objects, kept under the hash of their content.
//!
//! Here: writing objects whole and once, reading them back checked, copying the good ones into new
//! packs, and removing packs.
//! Not here: what an object means (`format`), who needs it (`repo`), which packs count (`catalogue`).
//! Invariant: an object that can be read has exactly the bytes its id names; a pack that has its
//! name is complete, durable, and never changes.

mod check;
mod error;
mod index;
mod known;
mod maintain;
pub mod medium;
mod merge;
mod packs;
mod read;
mod seal;
#[cfg(test)]
mod tests;
mod view;
mod write;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use check::{Check, Checker, Finding, Frame, Scan};
pub use error::Error;
pub use maintain::{Listing, merge_candidates};
pub use medium::{Disk, Medium};
pub use merge::Merged;
pub use packs::PackInfo;
pub use read::Reader;
pub use write::{PACK_BYTES, Packer, Put, WriteSession};

pub use crate::format::frame::Key;
pub use crate::format::pack::{PackDamage, PackKind};

use crate::model::PackName;
use medium::PACKS;
use packs::{Files, PackTable};
use read::Buffers;
use view::View;

/// The packs of a repository. Cheap to clone and shared by threads.
///
/// Only the packs it was told of count: what else lies among them is never read, and never relied
/// on by what is written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What the clones of a store share.
pub(crate) struct Inner {
    medium: Arc<dyn Medium>,
    files: Files,
    view: RwLock<Arc<View>>,
    buffers: Mutex<Vec<Buffers>>,
    pack_bytes: u64,
}

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// In which pack.
    pub pack: PackName,
    /// Where its frame begins, in bytes from the beginning of the pack.
    pub offset: u32,
}

/// An object as the table of its pack lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Kind and id.
    pub key: Key,
    /// Where its frame begins, in bytes from the beginning of the pack.
    pub offset: u32,
    /// The length of its frame in bytes.
    pub frame_len: u32,
}

impl Store {
    /// Opens the packs `live` of a medium. Nothing is read before it is needed.
    pub fn open(medium: Arc<dyn Medium>, live: Vec<PackInfo>) -> Self {
        Self::with_pack_bytes(medium, live, PACK_BYTES)
    }

    /// As [`open`](Self::open), with packs that are full at `pack_bytes`, at most 64 MiB.
    pub fn with_pack_bytes(medium: Arc<dyn Medium>, live: Vec<PackInfo>, pack_bytes: u64) -> Self {
        let inner = Inner {
            files: Files::new(Arc::clone(&medium)),
            medium,
            view: RwLock::new(Arc::new(View::new(live, Vec::new(), &View::default()))),
            buffers: Mutex::default(),
            pack_bytes: pack_bytes.min(PACK_BYTES),
        };
        Self { inner: Arc::new(inner) }
    }

    /// From now on the packs are these. Sessions that run go on with those they began with.
    pub fn set_live(&self, live: Vec<PackInfo>) {
        self.set_packs(live, Vec::new());
    }

    /// From now on the packs are these: `condemned` ones can still be read, but nothing new is
    /// built on them.
    pub fn set_packs(&self, live: Vec<PackInfo>, condemned: Vec<PackInfo>) {
        let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        *view = Arc::new(View::new(live, condemned, &view));
    }

    /// The packs that can be read.
    pub fn packs(&self) -> Vec<PackInfo> {
        self.inner.view().packs().map(|pack| pack.info.clone()).collect()
    }

    /// Where the files are.
    pub fn medium(&self) -> &Arc<dyn Medium> {
        &self.inner.medium
    }

    /// Whether a pack lists the object.
    ///
    /// # Errors
    ///
    /// When no pack does and the table of one cannot be read.
    pub fn contains(&self, key: &Key) -> Result<bool, Error> {
        Ok(self.locate(key)?.is_some())
    }

    /// Where the object lies. Reading in the order of locations is fastest.
    ///
    /// # Errors
    ///
    /// As [`contains`](Self::contains).
    pub fn locate(&self, key: &Key) -> Result<Option<Location>, Error> {
        let inner = &self.inner;
        let place = inner.view().find(key, inner.medium.as_ref(), &inner.files)?;
        Ok(place.map(|place| Location { pack: place.pack.info.name, offset: place.offset }))
    }

    /// The bytes of an object, checked against its key.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Missing`] when its pack has gone, which a new list of packs
    /// ([`set_live`](Self::set_live)) may answer; [`Error::Damaged`] when no pack has it whole.
    pub fn get(&self, key: &Key) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.get_into(key, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`get`](Self::get), into a buffer, replacing what was there.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_into(&self, key: &Key, bytes: &mut Vec<u8>) -> Result<(), Error> {
        self.reader()?.read(key, None, bytes)
    }

    /// A reader for one thread, for reading much.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when zstd cannot be set up.
    pub fn reader(&self) -> Result<Reader, Error> {
        Reader::new(Arc::clone(&self.inner))
    }

    /// Begins to write, in the epoch that the caller read together with the list of live packs.
    ///
    /// Nothing is built on packs that have vanished from the medium.
    ///
    /// # Errors
    ///
    /// When the medium cannot say which packs are there.
    pub fn session(&self, epoch: u64) -> Result<WriteSession, Error> {
        let present: HashSet<PackName> = self.list_packs()?.packs.into_iter().collect();
        let view = self.inner.view().narrowed(|name| present.contains(&name));
        Ok(WriteSession::new(Arc::clone(&self.inner), view, epoch, write::LEVEL))
    }

    /// What a pack says of itself, read from its file alone.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`].
    pub fn pack_info(&self, pack: PackName) -> Result<PackInfo, Error> {
        let file = packs::open_pack(self.inner.medium.as_ref(), pack)?;
        Ok(PackTable::load(file.as_ref(), pack)?.0)
    }

    /// What a pack holds, in the order in which it lies there, by its table.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`].
    pub fn objects(&self, pack: PackName) -> Result<Vec<Listed>, Error> {
        let file = packs::open_pack(self.inner.medium.as_ref(), pack)?;
        let (info, table) = PackTable::load(file.as_ref(), pack)?;
        let entries = table.in_pack_order(info.kind).map_err(error::damaged(pack))?;
        let ends = entries.iter().skip(1).map(|entry| u64::from(entry.offset));
        let ends = ends.chain([table.frames_end]);
        let listed = entries.iter().zip(ends).map(|(entry, end)| Listed {
            key: entry.key,
            offset: entry.offset,
            frame_len: end.saturating_sub(u64::from(entry.offset)) as u32,
        });
        Ok(listed.collect())
    }
}

impl Inner {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The file of a pack, relative to the store.
fn pack_file(pack: PackName) -> String {
    medium::join(PACKS, pack)
}
