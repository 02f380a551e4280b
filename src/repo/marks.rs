//! Which objects were met: a set that many threads fill together.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::format::frame::Key;

const SHARDS: usize = 64;

/// The objects found so far: 128 bits of each key, so that a million take 32 MB. Two objects that
/// agree in them are both kept.
pub struct Marks {
    shards: Vec<Mutex<Shard>>,
}

type Shard = HashSet<u128, BuildHasherDefault<FirstBytes>>;

/// Hashes ids, which are hashes already: their first bytes are as good as another hash.
#[derive(Debug, Default)]
pub struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let first = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        self.0 = self.0.rotate_left(32) ^ first;
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

fn short(key: &Key) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key.id[..16]);
    u128::from_le_bytes(bytes) ^ (u128::from(key.kind.code()) << 64)
}

/// How many objects are remembered at most, in a megabyte.
const RECENT: usize = 1 << 16;

/// Some of the objects that one thread has met lately, which states of the same file share: asking
/// this first is faster than asking for the marks of all.
pub struct Recent(Vec<u128>);

impl Default for Recent {
    fn default() -> Self {
        Self(vec![0; RECENT])
    }
}

impl Recent {
    /// Whether the object is remembered; from now on it is.
    pub fn meets(&mut self, key: &Key) -> bool {
        let short = short(key);
        let slot = &mut self.0[short as usize % RECENT];
        std::mem::replace(slot, short) == short
    }
}

impl Default for Marks {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Marks {
    /// Whether an object was met.
    pub fn contains(&self, key: &Key) -> bool {
        self.shard(key).contains(&short(key))
    }

    /// How many objects were met.
    pub fn len(&self) -> usize {
        let count =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an object; whether it is new.
    pub fn add(&self, key: &Key) -> bool {
        self.shard(key).insert(short(key))
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // Not the bytes that the sets hash by.
        let shard = &self.shards[usize::from(key.id[15]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
