//! Canaries: 32-byte windows of what is erased, kept as salted hashes, and looked for wherever bytes
//! may have been left.
//!
//! No byte of the content is kept. A rolling hash (polynomial modulo 2^64, its base from the salt)
//! finds candidates in one pass over any stream, a salted BLAKE3 tells whether they are meant.

use std::collections::HashMap;

use crate::model::ChunkId;
use crate::sign::commitment::Salt;

/// The length of a window in bytes.
pub(super) const WINDOW: usize = 32;
/// So many windows of each chunk.
const PER_CHUNK: usize = 8;
/// So many of each record, and so far apart.
const PER_RECORD: usize = 64;
const RECORD_STEP: usize = 8;
/// A window with fewer different bytes says nothing: it may stand anywhere.
const LEAST_DIFFERENT: usize = 8;
const FILTER_BITS: u32 = 20;

/// Windows, as hashes.
#[derive(Clone)]
pub(super) struct Canaries {
    salt: Salt,
    base: u64,
    /// The base to the power of a window's length.
    leaving: u64,
    windows: HashMap<u64, Vec<[u8; 32]>>,
    filter: Vec<u64>,
}

/// A window as it is kept: its rolling hash, and its salted hash.
pub(super) type Window = (u64, [u8; 32]);

impl Canaries {
    pub(super) fn new(salt: &Salt) -> Self {
        let bytes = ChunkId::of(&[&salt.as_bytes()[..], b"rolling"].concat());
        let mut first = [0; 8];
        first.copy_from_slice(&bytes.as_bytes()[..8]);
        let base = u64::from_le_bytes(first) | 1;
        let leaving = (0..WINDOW).fold(1_u64, |power, _| power.wrapping_mul(base));
        let filter = vec![0; 1 << (FILTER_BITS - 6)];
        Self { salt: salt.clone(), base, leaving, windows: HashMap::new(), filter }
    }

    pub(super) fn with(salt: &Salt, windows: &[Window]) -> Self {
        let mut canaries = Self::new(salt);
        windows.iter().for_each(|window| canaries.add(*window));
        canaries
    }

    pub(super) fn len(&self) -> usize {
        self.windows.values().map(Vec::len).sum()
    }

    /// Every window.
    pub(super) fn windows(&self) -> Vec<Window> {
        let each = |(rolling, all): (&u64, &Vec<[u8; 32]>)| {
            let rolling = *rolling;
            all.iter().map(move |hash| (rolling, *hash)).collect::<Vec<_>>()
        };
        let mut windows: Vec<Window> = self.windows.iter().flat_map(each).collect();
        windows.sort_unstable();
        windows
    }

    fn add(&mut self, (rolling, hash): Window) {
        let known = self.windows.entry(rolling).or_default();
        if !known.contains(&hash) {
            known.push(hash);
            let (word, bit) = place(rolling);
            self.filter[word] |= bit;
        }
    }

    /// Takes windows of a chunk; their rolling hashes.
    pub(super) fn sample(&mut self, chunk: &[u8]) -> Vec<u64> {
        let mut found = Vec::new();
        if chunk.len() < WINDOW {
            return found;
        }
        let last = chunk.len() - WINDOW;
        for number in 0..PER_CHUNK {
            let near = last * number / (PER_CHUNK - 1);
            // The next place from here whose bytes say something.
            let fits = |at: &usize| says_something(&chunk[*at..*at + WINDOW]);
            let Some(at) = (near..=last).take(4096).find(fits) else { continue };
            found.push(self.watch(&chunk[at..at + WINDOW]));
        }
        found
    }

    /// Takes windows that overlap by half, so that whatever a chunk has that no other has stands in
    /// one, if it is not shorter than one and a half of them.
    pub(super) fn sample_closely(&mut self, chunk: &[u8]) -> Vec<u64> {
        let windows = chunk.windows(WINDOW).step_by(WINDOW / 2);
        windows.filter(|window| says_something(window)).map(|window| self.watch(window)).collect()
    }

    fn watch(&mut self, window: &[u8]) -> u64 {
        let rolling = window.iter().fold(0, |hash, byte| self.roll(hash, *byte));
        self.add((rolling, self.hash(window)));
        rolling
    }

    /// Whether any of these windows is looked for.
    pub(super) fn knows_any(&self, rolling: &[u64]) -> bool {
        rolling.iter().any(|one| self.windows.contains_key(one))
    }

    /// Looks for these as well.
    pub(super) fn take(&mut self, others: &Self) {
        others.windows().into_iter().for_each(|window| self.add(window));
    }

    /// Takes windows of a record, close enough that every field stands in one, if it is not long;
    /// whether there were any.
    pub(super) fn sample_record(&mut self, record: &[u8]) -> bool {
        let mut found = false;
        let last = record.len().saturating_sub(WINDOW);
        for window in record.windows(WINDOW).step_by((last / PER_RECORD).max(RECORD_STEP)) {
            if says_something(window) {
                self.watch(window);
                found = true;
            }
        }
        found
    }

    fn roll(&self, hash: u64, byte: u8) -> u64 {
        hash.wrapping_mul(self.base).wrapping_add(u64::from(byte) + 1)
    }

    fn hash(&self, window: &[u8]) -> [u8; 32] {
        *ChunkId::of(&[&self.salt.as_bytes()[..], window].concat()).as_bytes()
    }

    /// The windows that stand in `bytes`, each once.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<Window> {
        let mut found = Vec::new();
        if self.windows.is_empty() || bytes.len() < WINDOW {
            return found;
        }
        let mut hash = bytes[..WINDOW - 1].iter().fold(0, |hash, byte| self.roll(hash, *byte));
        for end in WINDOW..=bytes.len() {
            hash = self.roll(hash, bytes[end - 1]);
            if end > WINDOW {
                let left = u64::from(bytes[end - WINDOW - 1]) + 1;
                hash = hash.wrapping_sub(left.wrapping_mul(self.leaving));
            }
            let (word, bit) = place(hash);
            if self.filter[word] & bit == 0 {
                continue;
            }
            let Some(known) = self.windows.get(&hash) else { continue };
            let full = self.hash(&bytes[end - WINDOW..end]);
            if known.contains(&full) && !found.contains(&(hash, full)) {
                found.push((hash, full));
            }
        }
        found
    }

    /// Forgets windows.
    pub(super) fn remove(&mut self, windows: &[Window]) {
        for (rolling, hash) in windows {
            if let Some(known) = self.windows.get_mut(rolling) {
                known.retain(|other| other != hash);
            }
        }
        self.windows.retain(|_, known| !known.is_empty());
    }
}

fn place(hash: u64) -> (usize, u64) {
    let bits = (hash >> (64 - FILTER_BITS)) as usize;
    (bits >> 6, 1 << (bits & 63))
}

fn says_something(window: &[u8]) -> bool {
    let mut seen = [false; 256];
    window.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count() >= LEAST_DIFFERENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_is_found_wherever_it_stands(
            chunk in proptest::collection::vec(any::<u8>(), WINDOW..400),
            before in proptest::collection::vec(any::<u8>(), 0..300),
            after in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut canaries = Canaries::new(&Salt::from_bytes([9; 32]));
            if canaries.sample(&chunk).is_empty() {
                return Ok(());
            }
            let stream = [&before[..], &chunk, &after].concat();
            let found = canaries.find(&stream);
            prop_assert_eq!(found.len(), canaries.len());
            canaries.remove(&found);
            prop_assert!(canaries.find(&stream).is_empty());
        }

        #[test]
        fn nothing_is_found_in_other_bytes(
            chunk in proptest::collection::vec(any::<u8>(), 64..200),
            other in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let mut canaries = Canaries::new(&Salt::from_bytes([9; 32]));
            canaries.sample(&chunk);
            let found = canaries.find(&other);
            let stands = |window: &[u8]| {
                chunk.windows(WINDOW).any(|part| part == window)
            };
            prop_assert!(found.is_empty() || other.windows(WINDOW).any(stands));
        }
    }

    #[test]
    fn windows_that_say_nothing_are_not_taken() {
        let mut canaries = Canaries::new(&Salt::from_bytes([1; 32]));
        assert!(canaries.sample(&[0; 5000]).is_empty());
        assert!(canaries.sample(b"short").is_empty());
        assert_eq!(canaries.len(), 0);
    }
}
