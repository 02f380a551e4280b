//! Packs as they are read: opened, checked, and their tables mapped.
//!
//! Here: one pack of the live set, and the few files kept open.
//! Not here: which pack holds what (`view`), reading frames (`read`).
//! Invariant: a table is used only after its hash was checked.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::{Error, damaged, io_at};
use super::medium::{Mapped, Medium, MediumRead, PACKS, join};
use crate::format::frame::Key;
use crate::format::pack::{HEADER_LEN, Header, PackDamage, PackKind, TRAILER_LEN, Trailer};
use crate::format::table::{self, Entry};
use crate::model::PackName;

/// How many packs are kept open between reads.
const OPEN_FILES: usize = 64;

/// What is known of a pack without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackInfo {
    /// Its name.
    pub name: PackName,
    /// Chunks, or everything else.
    pub kind: PackKind,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many objects it holds.
    pub objects: u32,
    /// The epoch of the session that wrote it.
    pub epoch: u64,
}

/// The files that were read last, open.
#[derive(Debug)]
pub(super) struct Files {
    medium: Arc<dyn Medium>,
    open: Mutex<VecDeque<(PackName, Arc<dyn MediumRead>)>>,
}

impl Files {
    pub(super) fn new(medium: Arc<dyn Medium>) -> Self {
        Self { medium, open: Mutex::default() }
    }

    /// Opens a pack of `bytes` bytes, or finds it open, with its length and header checked.
    pub(super) fn open(&self, info: &PackInfo) -> Result<Arc<dyn MediumRead>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = open.iter().find(|(name, _)| *name == info.name) {
            return Ok(Arc::clone(file));
        }
        drop(open);
        let file = open_pack(self.medium.as_ref(), info.name)?;
        let (len, header) = read_header(file.as_ref(), info.name)?;
        if len != info.bytes || header.kind != info.kind || header.epoch != info.epoch {
            return Err(damaged(info.name)(PackDamage::Record));
        }
        open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_FILES {
            open.pop_back();
        }
        open.push_front((info.name, Arc::clone(&file)));
        Ok(file)
    }

    /// Closes a pack that will not be read again.
    pub(super) fn close(&self, pack: PackName) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(name, _)| *name != pack);
    }
}

/// Opens the file of a pack; [`Error::Missing`] if there is none.
pub(super) fn open_pack(medium: &dyn Medium, pack: PackName) -> Result<Arc<dyn MediumRead>, Error> {
    let name = join(PACKS, pack);
    medium.open(&name).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { pack },
        _ => Error::Io { action: "open", name, source },
    })
}

/// Length and header of a pack, which must have the name that it lies under.
fn read_header(file: &dyn MediumRead, pack: PackName) -> Result<(u64, Header), Error> {
    let len = file.len().map_err(io_at("read", &join(PACKS, pack)))?;
    if len < (HEADER_LEN + TRAILER_LEN) as u64 {
        return Err(damaged(pack)(PackDamage::Length));
    }
    let mut header = [0; HEADER_LEN];
    file.read_at(0, &mut header).map_err(io_at("read", &join(PACKS, pack)))?;
    let header = Header::decode(&header).map_err(damaged(pack))?;
    if header.name != pack {
        return Err(damaged(pack)(PackDamage::Name(header.name)));
    }
    Ok((len, header))
}

/// The table of a pack, checked against its trailer.
#[derive(Debug)]
pub(super) struct PackTable {
    rows: Mapped,
    /// Where the frames end and the table begins.
    pub(super) frames_end: u64,
}

impl PackTable {
    /// Reads header and trailer of an open pack, maps its table and checks its hash.
    pub(super) fn load(file: &dyn MediumRead, pack: PackName) -> Result<(PackInfo, Self), Error> {
        let read = |source| Error::Io { action: "read", name: join(PACKS, pack), source };
        let (len, header) = read_header(file, pack)?;
        let mut trailer = [0; TRAILER_LEN];
        file.read_at(len - TRAILER_LEN as u64, &mut trailer).map_err(read)?;
        let trailer = Trailer::decode(&trailer, len).map_err(damaged(pack))?;
        let table_end = trailer.table_offset + trailer.table_len() as u64;
        let rows = file.map(trailer.table_offset..table_end).map_err(read)?;
        trailer.check(&header.encode(), &rows).map_err(damaged(pack))?;
        let Header { kind, name, epoch } = header;
        let info = PackInfo { name, kind, bytes: len, objects: trailer.entries, epoch };
        Ok((info, Self { rows, frames_end: trailer.table_offset }))
    }

    /// The bytes of the table, sorted rows.
    pub(super) fn rows(&self) -> &[u8] {
        &self.rows
    }

    /// Where the frame of `key` begins.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        table::find(&self.rows, key).filter(|offset| u64::from(*offset) < self.frames_end)
    }

    /// All entries in the order in which their frames lie in the pack.
    ///
    /// Refuses a table that is not sorted, holds what its kind of pack may not hold, or names
    /// frames outside of the pack.
    pub(super) fn in_pack_order(&self, kind: PackKind) -> Result<Vec<Entry>, PackDamage> {
        let mut entries = Vec::with_capacity(self.rows.len() / table::ENTRY_LEN);
        for entry in table::entries(&self.rows) {
            let entry = entry.ok_or(PackDamage::Table("an entry has an unknown kind"))?;
            if entries.last().is_some_and(|last| *last >= entry) {
                return Err(PackDamage::Table("its entries are not in order"));
            }
            if PackKind::of(entry.key.kind) != kind {
                return Err(PackDamage::Table("an entry has no business in this kind of pack"));
            }
            if !(HEADER_LEN as u64..self.frames_end).contains(&u64::from(entry.offset)) {
                return Err(PackDamage::Table("an entry points outside of the frames"));
            }
            entries.push(entry);
        }
        entries.sort_unstable_by_key(|entry| entry.offset);
        Ok(entries)
    }
}

/// A pack of the live set.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) info: PackInfo,
    table: OnceLock<PackTable>,
    unusable: AtomicBool,
}

impl Pack {
    pub(super) fn new(info: PackInfo) -> Self {
        Self { info, table: OnceLock::new(), unusable: AtomicBool::new(false) }
    }

    /// The table, mapped and checked at the first call.
    pub(super) fn table(&self, files: &Files) -> Result<&PackTable, Error> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let load = || {
            let file = files.open(&self.info)?;
            let (info, table) = PackTable::load(file.as_ref(), self.info.name)?;
            if info.objects != self.info.objects {
                return Err(damaged(self.info.name)(PackDamage::Record));
            }
            Ok(table)
        };
        match load() {
            Ok(table) => Ok(self.table.get_or_init(|| table)),
            Err(error) => {
                self.unusable.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Whether the table could not be read before.
    pub(super) fn is_unusable(&self) -> bool {
        self.unusable.load(Ordering::Relaxed)
    }
}
