//! Canaries: 32-byte windows of what is erased, kept as salted hashes, and looked for wherever bytes
//! may have been left.
//!
//! No byte of the content is kept. A rolling hash of the last 32 bytes (each byte's number from a table
//! made of the salt, the sum shifted by two bits with every byte) finds candidates in one pass over
//! any stream, a salted BLAKE3 tells whether they are meant. Of the rolling hash, which is easily
//! turned round, only 32 bits are kept.

use std::collections::{HashMap, HashSet};

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
/// The rolling hash moves on by so many bits with every byte: after a window's length nothing of a
/// byte is left in it.
const SHIFT: u32 = u64::BITS / WINDOW as u32;
/// The filter has so many bits at least, which stay in the nearest cache, and at most.
const LEAST_BITS: u32 = 15;
const MOST_BITS: u32 = 26;

/// Windows, as hashes.
#[derive(Clone)]
pub(super) struct Canaries {
    salt: Salt,
    /// A number for each byte.
    table: Box<[u64; 256]>,
    windows: HashMap<u32, Vec<[u8; 32]>>,
    count: usize,
    /// Which first bits of rolling hashes there are.
    filter: Vec<u64>,
    bits: u32,
}

/// A window as it is kept: the first bits of its rolling hash, and its salted hash.
pub(super) type Window = (u32, [u8; 32]);

impl Canaries {
    pub(super) fn new(salt: &Salt) -> Self {
        let number = |byte: usize| {
            let name = [&salt.as_bytes()[..], b"rolling", &[byte as u8]].concat();
            let mut first = [0; 8];
            first.copy_from_slice(&ChunkId::of(&name).as_bytes()[..8]);
            u64::from_le_bytes(first)
        };
        Self {
            salt: salt.clone(),
            table: Box::new(std::array::from_fn(number)),
            windows: HashMap::new(),
            count: 0,
            filter: vec![0; 1 << (LEAST_BITS - 6)],
            bits: LEAST_BITS,
        }
    }

    pub(super) fn with(salt: &Salt, windows: &[Window]) -> Self {
        let mut canaries = Self::new(salt);
        windows.iter().for_each(|window| canaries.add(*window));
        canaries
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Looks for these alone.
    pub(super) fn only(&self, windows: &[Window]) -> Self {
        Self::with(&self.salt, windows)
    }

    /// Every window.
    pub(super) fn windows(&self) -> Vec<Window> {
        let each = |(rolling, all): (&u32, &Vec<[u8; 32]>)| {
            let rolling = *rolling;
            all.iter().map(move |hash| (rolling, *hash)).collect::<Vec<_>>()
        };
        let mut windows: Vec<Window> = self.windows.iter().flat_map(each).collect();
        windows.sort_unstable();
        windows
    }

    fn add(&mut self, (rolling, hash): Window) {
        let known = self.windows.entry(rolling).or_default();
        if known.contains(&hash) {
            return;
        }
        known.push(hash);
        self.count += 1;
        // So that few places of other content pass the filter.
        if self.count > 1 << (self.bits - 9) && self.bits < MOST_BITS {
            self.bits = (self.bits + 2).min(MOST_BITS);
            self.filter = vec![0; 1 << (self.bits - 6)];
            let all: Vec<u32> = self.windows.keys().copied().collect();
            all.into_iter().for_each(|rolling| self.pass(rolling));
        }
        self.pass(rolling);
    }

    fn pass(&mut self, rolling: u32) {
        let place = rolling >> (u32::BITS - self.bits);
        self.filter[(place >> 6) as usize] |= 1 << (place & 63);
    }

    /// Takes windows of a chunk; their rolling hashes.
    pub(super) fn sample(&mut self, chunk: &[u8]) -> Vec<u32> {
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
    pub(super) fn sample_closely(&mut self, chunk: &[u8]) -> Vec<u32> {
        let windows = chunk.windows(WINDOW).step_by(WINDOW / 2);
        windows.filter(|window| says_something(window)).map(|window| self.watch(window)).collect()
    }

    fn watch(&mut self, window: &[u8]) -> u32 {
        let rolling = self.rolling(window);
        self.add((rolling, self.hash(window)));
        rolling
    }

    /// Whether any of these windows is looked for.
    pub(super) fn knows_any(&self, rolling: &[u32]) -> bool {
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
        (hash << SHIFT).wrapping_add(self.table[usize::from(byte)])
    }

    fn rolling(&self, window: &[u8]) -> u32 {
        first_bits(window.iter().fold(0, |hash, byte| self.roll(hash, *byte)))
    }

    fn hash(&self, window: &[u8]) -> [u8; 32] {
        *ChunkId::of(&[&self.salt.as_bytes()[..], window].concat()).as_bytes()
    }

    /// The windows that stand in `bytes`, each once.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<Window> {
        let mut found = HashSet::new();
        if self.count == 0 || bytes.len() < WINDOW {
            return Vec::new();
        }
        let mut hash = bytes[..WINDOW - 1].iter().fold(0, |hash, byte| self.roll(hash, *byte));
        let down = u64::BITS - self.bits;
        for (start, byte) in bytes[WINDOW - 1..].iter().enumerate() {
            hash = self.roll(hash, *byte);
            let place = hash >> down;
            if self.filter[(place >> 6) as usize] >> (place & 63) & 1 != 0 {
                found.extend(self.meant(first_bits(hash), &bytes[start..start + WINDOW]));
            }
        }
        let mut found: Vec<Window> = found.into_iter().collect();
        found.sort_unstable();
        found
    }

    /// A window that has passed the filter, if it is one of those that are looked for.
    #[cold]
    fn meant(&self, rolling: u32, window: &[u8]) -> Option<Window> {
        let known = self.windows.get(&rolling)?;
        let full = self.hash(window);
        known.contains(&full).then_some((rolling, full))
    }

    /// Forgets windows.
    pub(super) fn remove(&mut self, windows: &[Window]) {
        for (rolling, hash) in windows {
            let Some(known) = self.windows.get_mut(rolling) else { continue };
            let before = known.len();
            known.retain(|other| other != hash);
            self.count -= before - known.len();
            if known.is_empty() {
                self.windows.remove(rolling);
            }
        }
    }
}

fn first_bits(rolling: u64) -> u32 {
    (rolling >> 32) as u32
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
