//! Keeping the store tidy.
//!
//! Here: which small packs to merge, tables over many packs, listing and removing files.
//! Not here: when any of this is done (`ops`).
//! Invariant: what is done here can be left undone: lookups only become slower.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::Store;
use super::error::{Error, io_at};
use super::index::{self, IndexTable, Source};
use super::medium::{INDEX, PACKS, TMP, join};
use super::packs::{Pack, PackInfo};
use super::view::View;
use super::write::{MERGED_OBJECTS, PACK_BYTES};
use crate::model::PackName;

/// So many packs of one size become one.
const FAN_IN: usize = 8;
/// So many packs may be searched one by one.
const LOOSE_PACKS: usize = 16;
/// Packs below this length are of one tier; each further tier is eight times as long. Longer, and a
/// pack of many small commits would be copied again with every few new ones.
const SMALLEST_TIER: u64 = 1 << 10;

/// What lies in a directory of packs or of temporary files.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files with the name of a pack.
    pub packs: Vec<PackName>,
    /// Everything else.
    pub strangers: Vec<String>,
}

/// The groups of small packs that should be merged, each into one.
///
/// Packs are sorted into tiers, each eight times the size of the one before, up to half of a full
/// pack (in bytes, or objects); eight of one tier and kind make one of a higher tier. A byte is
/// therefore copied at most once per tier, six times in its life, and of n commits of any size
/// O(log n) small packs are left.
pub fn merge_candidates(live: &[PackInfo]) -> Vec<Vec<PackInfo>> {
    let mut tiers: BTreeMap<_, Vec<PackInfo>> = BTreeMap::new();
    let is_small = |pack: &&PackInfo| {
        pack.bytes < PACK_BYTES / 2 && (pack.objects as usize) < MERGED_OBJECTS / 2
    };
    for pack in live.iter().filter(is_small) {
        let tier = (pack.bytes / SMALLEST_TIER).checked_ilog2().map_or(0, |bits| bits / 3 + 1);
        tiers.entry((pack.kind, tier)).or_default().push(pack.clone());
    }
    let mut groups = Vec::new();
    for mut packs in tiers.into_values().filter(|packs| packs.len() >= FAN_IN) {
        packs.sort_by_key(|pack| (pack.epoch, pack.name));
        while packs.len() >= FAN_IN {
            groups.push(packs.drain(..FAN_IN).collect());
        }
    }
    groups
}

impl Store {
    /// Makes tables over many packs where lookups would have to go through more than 16 tables one
    /// by one, and removes those that serve no live pack. Returns whether anything was done.
    ///
    /// Tables of about the same length are made into one, so each entry is copied once per tier
    /// of eight.
    ///
    /// # Errors
    ///
    /// When the medium refuses; lookups are then as before.
    pub fn maintain_index(&self, epoch: u64) -> Result<bool, Error> {
        let medium = self.inner.medium.as_ref();
        let view = self.inner.view().narrowed(|_| true);
        let loose = view.loose(medium);
        let used = view.wide(medium);
        let mut done = self.remove_unused(&used)?;
        if loose.len() > LOOSE_PACKS {
            self.write_index(&view, &loose, &used, epoch)?;
            done = true;
        }
        if done {
            self.refresh();
        }
        Ok(done)
    }

    /// Removes every table over many packs, and looks whether they are gone. Part of erasing: they
    /// list the ids of what was in packs that are no more.
    ///
    /// # Errors
    ///
    /// [`Error::StillPresent`] if the medium says that it removed a file and still lists it.
    pub fn remove_index(&self) -> Result<(), Error> {
        let medium = self.inner.medium.as_ref();
        for name in medium.list(INDEX).map_err(io_at("list", INDEX))? {
            let name = join(INDEX, name);
            medium.remove(&name).map_err(io_at("remove", &name))?;
        }
        medium.sync_dir(INDEX).map_err(io_at("sync", INDEX))?;
        self.refresh();
        match medium.list(INDEX).map_err(io_at("list", INDEX))?.first() {
            Some(name) => Err(Error::StillPresent { name: join(INDEX, name) }),
            None => Ok(()),
        }
    }

    /// Reads anew, when it is needed, which tables over many packs there are.
    fn refresh(&self) {
        let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        *view = Arc::new(view.narrowed(|_| true));
    }

    fn remove_unused(&self, used: &[Arc<IndexTable>]) -> Result<bool, Error> {
        let medium = self.inner.medium.as_ref();
        let used: HashSet<&str> = used.iter().map(|table| table.name.as_str()).collect();
        let names = medium.list(INDEX).map_err(io_at("list", INDEX))?;
        let mut done = false;
        for name in names.iter().map(|name| join(INDEX, name)) {
            // Another process may have made it a moment ago for packs that this one does not know
            // yet. Then it has to be made again.
            if !used.contains(name.as_str()) {
                done |= medium.remove(&name).is_ok();
            }
        }
        Ok(done)
    }

    fn write_index(
        &self,
        view: &View,
        loose: &[Arc<Pack>],
        used: &[Arc<IndexTable>],
        epoch: u64,
    ) -> Result<(), Error> {
        let medium = self.inner.medium.as_ref();
        let mut sources = Vec::new();
        let mut rows = 0;
        for pack in loose {
            // One that cannot be read stays out, and is reported by whoever needs it.
            if let Ok(table) = pack.table(&self.inner.files) {
                rows += pack.info.objects as usize;
                sources.push(Source::Pack(pack.info.name, table.rows()));
            }
        }
        let mut old: Vec<_> = used.iter().collect();
        old.sort_by_key(|table| table.len());
        let mut replaced = Vec::new();
        for table in old {
            if table.len() > rows.saturating_mul(FAN_IN) {
                break;
            }
            rows += table.len();
            sources.push(Source::Table(table));
            replaced.push(table.name.clone());
        }
        let random = PackName::random().map_err(io_at("name a table in", INDEX))?;
        let tmp = join(TMP, format_args!("{epoch}-{random}"));
        let written = index::write(medium, &tmp, &sources, &|name| view.pack(name).is_some());
        let named = written.and_then(|()| {
            let name = join(INDEX, random);
            medium.rename_new(&tmp, &name).map_err(io_at("rename", &tmp))
        });
        if named.is_err() {
            let _ = medium.remove(&tmp);
        }
        named?;
        for name in replaced {
            let _ = medium.remove(&name);
        }
        Ok(())
    }

    /// Everything that lies among the packs, live or not.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read to its end.
    pub fn list_packs(&self) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        for name in self.inner.medium.list(PACKS).map_err(io_at("list", PACKS))? {
            match name.parse() {
                Ok(pack) => listing.packs.push(pack),
                Err(_) => listing.strangers.push(name),
            }
        }
        Ok(listing)
    }

    /// Removes a pack, and looks whether it is gone. One that is not there is removed already.
    ///
    /// The catalogue must have withdrawn it before.
    ///
    /// # Errors
    ///
    /// [`Error::StillPresent`] if the medium says that it removed the pack and still lists it.
    pub fn remove_pack(&self, pack: PackName) -> Result<(), Error> {
        let medium = self.inner.medium.as_ref();
        let name = super::pack_file(pack);
        self.inner.files.close(pack);
        self.inner.buffers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match medium.remove(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_at("remove", &name)(error));
            }
            _ => medium.sync_dir(PACKS).map_err(io_at("sync", PACKS))?,
        }
        if self.list_packs()?.packs.contains(&pack) {
            return Err(Error::StillPresent { name });
        }
        Ok(())
    }

    /// The temporary files, each with the epoch of the session that made it; 0 for those that no
    /// session made.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read to its end.
    pub fn list_tmp(&self) -> Result<Vec<(u64, String)>, Error> {
        let names = self.inner.medium.list(TMP).map_err(io_at("list", TMP))?;
        let epoch = |name: &str| name.split_once('-').and_then(|(epoch, _)| epoch.parse().ok());
        Ok(names.into_iter().map(|name| (epoch(&name).unwrap_or(0), name)).collect())
    }

    /// The length in bytes of a temporary file that [`list_tmp`](Self::list_tmp) named; 0 if it has
    /// gone since.
    ///
    /// # Errors
    ///
    /// When the medium refuses.
    pub fn tmp_bytes(&self, name: &str) -> Result<u64, Error> {
        let path = join(TMP, name);
        let opened = self.inner.medium.open(&path);
        match opened.and_then(|file| file.len()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            len => len.map_err(io_at("read", &path)),
        }
    }

    /// Removes a temporary file that [`list_tmp`](Self::list_tmp) named. The caller knows that no
    /// session of its epoch can still commit.
    ///
    /// # Errors
    ///
    /// [`Error::StillPresent`] if the medium says that it removed the file and still lists it.
    pub fn remove_tmp(&self, name: &str) -> Result<(), Error> {
        let medium = self.inner.medium.as_ref();
        let path = join(TMP, name);
        match medium.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_at("remove", &path)(error));
            }
            _ => medium.sync_dir(TMP).map_err(io_at("sync", TMP))?,
        }
        if medium.list(TMP).map_err(io_at("list", TMP))?.iter().any(|other| other == name) {
            return Err(Error::StillPresent { name: path });
        }
        Ok(())
    }
}
