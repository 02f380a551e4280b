//! What the packs of a running session hold.
//!
//! Here: the set of keys that keeps two threads from writing the same object twice.
//! Not here: what lay in the store before (`view`).
//! Invariant: a key that counts as known lies in a pack of the session, or will before it ends;
//! memory does not grow with what the session writes.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::error::{Error, io_at};
use super::index::{self, IndexTable, Source};
use super::medium::{Mapped, Medium, TMP, join};
use crate::format::frame::Key;
use crate::format::table::{self, Entry};
use crate::model::PackName;

/// With so many keys in memory, about 36 MB, those of packs that are written leave it.
const KEYS_IN_MEMORY: usize = 1 << 19;
/// So many tables of packs are searched one by one before they are made into one.
const TABLES: usize = 16;
const SHARDS: usize = 64;

/// An id is a hash already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[derive(PartialEq, Eq)]
struct Hashed(Key);

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [.., a, b, c, d, e, f, g, h] = self.0.id;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

type Shard = HashSet<Hashed, BuildHasherDefault<IdHasher>>;

/// The keys of a session.
pub(super) struct Known {
    limit: usize,
    shards: Vec<Mutex<Shard>>,
    count: AtomicUsize,
    sealed: RwLock<Sealed>,
}

/// Keys that have left memory: their packs are written, and their tables can be looked into.
#[derive(Default)]
struct Sealed {
    packs: Vec<(PackName, Mapped)>,
    wide: Vec<IndexTable>,
}

impl Known {
    pub(super) fn new() -> Self {
        Self::with_limit(KEYS_IN_MEMORY)
    }

    pub(super) fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            count: AtomicUsize::new(0),
            sealed: RwLock::default(),
        }
    }

    /// Adds a key; false if it was known. Of threads that add the same key one is told true; while
    /// keys leave memory it can be more than one, which costs space and nothing else.
    pub(super) fn add(&self, key: &Key) -> bool {
        if self.is_sealed(key) || !self.shard(key).insert(Hashed(*key)) {
            return false;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Whether a key is known.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.is_sealed(key) || self.shard(key).contains(&Hashed(*key))
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[usize::from(key.id[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_sealed(&self, key: &Key) -> bool {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        sealed.packs.iter().any(|(_, rows)| table::find(rows, key).is_some())
            || sealed.wide.iter().any(|table| table.find(key).next().is_some())
    }

    /// Told of each pack that is written to its end, as the file `tmp` with its table at
    /// `table_at`: once memory is full its keys leave it, and its table is searched instead.
    pub(super) fn pack_written(
        &self,
        medium: &dyn Medium,
        pack: PackName,
        tmp: &str,
        table_at: u64,
        entries: &[Entry],
    ) -> Result<(), Error> {
        if self.count.load(Ordering::Relaxed) < self.limit {
            return Ok(());
        }
        let table_len = (entries.len() * table::ENTRY_LEN) as u64;
        let file = medium.open(tmp).map_err(io_at("open", tmp))?;
        let rows = file.map(table_at..table_at + table_len).map_err(io_at("read", tmp))?;
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        sealed.packs.push((pack, rows));
        if sealed.packs.len() >= TABLES {
            sealed.widen(medium, tmp)?;
        }
        drop(sealed);
        for entry in entries {
            if self.shard(&entry.key).remove(&Hashed(entry.key)) {
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Sealed {
    /// Makes all tables of packs, and the wide tables that are not much longer, into one, so that
    /// each entry is written again at most once for every doubling.
    fn widen(&mut self, medium: &dyn Medium, beside: &str) -> Result<(), Error> {
        let mut rows: usize =
            self.packs.iter().map(|(_, table)| table.len() / table::ENTRY_LEN).sum();
        let mut taken = Vec::new();
        while let Some(table) = self.wide.pop_if(|table| table.len() <= 2 * rows) {
            rows += table.len();
            taken.push(table);
        }
        let packs = self.packs.iter().map(|(name, rows)| Source::Pack(*name, rows));
        let sources: Vec<_> = packs.chain(taken.iter().map(Source::Table)).collect();
        // Beside the pack's own temporary file, so with the session's epoch in its name.
        let epoch = beside.rsplit('/').next().and_then(|name| name.split('-').next());
        let random = PackName::random().map_err(io_at("name", TMP))?;
        let name = join(TMP, format_args!("{}-{random}", epoch.unwrap_or("0")));
        index::write(medium, &name, &sources, &|_| true)?;
        let table = IndexTable::open(medium, &name).map_err(io_at("open", &name))?;
        // It stays mapped; nobody needs its name.
        medium.remove(&name).map_err(io_at("remove", &name))?;
        self.wide.push(table);
        self.packs.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::frame::Key;
    use crate::format::kind::Kind;
    use crate::model::ChunkId;
    use crate::store::medium::doubles::Forgetful;

    #[test]
    fn keys_stay_known_when_they_have_left_memory() {
        let medium = Forgetful::new();
        let known = Known::with_limit(50);
        let key = |n: u32| Key::chunk(&ChunkId::of(&n.to_le_bytes()));
        for pack in 0..200u32 {
            let mut entries: Vec<_> =
                (0..10).map(|n| Entry { key: key(pack * 10 + n), offset: 64 }).collect();
            assert!(entries.iter().all(|entry| known.add(&entry.key)));
            entries.sort_unstable();
            let tmp = format!("tmp/7-{pack}");
            let mut file = medium.create_new(&tmp).unwrap();
            for entry in &entries {
                file.append(&entry.encode()).unwrap();
            }
            let name = PackName::random().unwrap();
            known.pack_written(&medium, name, &tmp, 0, &entries).unwrap();
        }
        assert!(known.count.load(Ordering::Relaxed) <= 50);
        assert!((0..2000).all(|n| !known.add(&key(n))));
        assert!(known.add(&key(2000)));
        assert!(known.add(&Key { kind: Kind::Node, ..key(0) }));
        assert!(medium.list(TMP).unwrap().iter().all(|name| name.starts_with("7-")));
        assert_eq!(medium.list(TMP).unwrap().len(), 200);
    }
}
