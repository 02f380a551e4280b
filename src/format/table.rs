//! Tables: where in a pack each object lies. See `docs/format.md`, "Packs".
//!
//! Here: the entries, and finding one in the sorted bytes of a table.
//! Not here: tables over many packs (`store`), the frames.
//! Invariant: finding never panics and takes O(log n) steps, whatever the bytes are; in a sorted
//! table it finds exactly what is there.

use std::ops::Range;

use super::frame::Key;
use super::kind::Kind;

/// Length of an entry in bytes.
pub const ENTRY_LEN: usize = 36;

/// Where in a pack the frame of an object begins. Entries are ordered by id, then kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The object.
    pub key: Key,
    /// Where its frame begins, in bytes from the beginning of the pack; below 2^28.
    pub offset: u32,
}

impl Entry {
    /// The bytes on disk.
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        bytes[..32].copy_from_slice(&self.key.id);
        bytes[32..].copy_from_slice(&self.place().to_le_bytes());
        bytes
    }

    /// Kind and offset in one number.
    pub fn place(&self) -> u32 {
        u32::from(self.key.kind.code()) << 28 | self.offset
    }

    /// Reads an entry; none if its kind is unknown.
    pub fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let (mut id, mut place) = ([0; 32], [0; 4]);
        id.copy_from_slice(&bytes[..32]);
        place.copy_from_slice(&bytes[32..]);
        Self::from_place(id, u32::from_le_bytes(place))
    }

    /// The entry of an id, a kind and an offset in one number; none if the kind is unknown.
    pub fn from_place(id: [u8; 32], place: u32) -> Option<Self> {
        let kind = Kind::from_code((place >> 28) as u8)?;
        Some(Self { key: Key::new(kind, id), offset: place & ((1 << 28) - 1) })
    }
}

/// The entries of a table of `ENTRY_LEN` bytes each, in the order in which they stand there;
/// none in the place of one whose kind is unknown.
pub fn entries(table: &[u8]) -> impl ExactSizeIterator<Item = Option<Entry>> + '_ {
    let (rows, _) = table.as_chunks::<ENTRY_LEN>();
    rows.iter().map(Entry::decode)
}

/// The offset of `key` in the sorted table of a pack.
pub fn find(table: &[u8], key: &Key) -> Option<u32> {
    let (rows, _) = table.as_chunks::<ENTRY_LEN>();
    let first = lower_bound(rows, 0..rows.len(), &key.id);
    rows[first..]
        .iter()
        .take_while(|row| row[..32] == key.id)
        .filter_map(Entry::decode)
        .find(|entry| entry.key.kind == key.kind)
        .map(|entry| entry.offset)
}

/// The first row within `range` whose leading 32 bytes are not below `id`, in sorted rows.
///
/// Ids are hashes, so their place can be computed: two guesses by interpolation leave a handful
/// of rows, which halving then searches. For ids that are not spread evenly the guesses are
/// useless and the halving does all of the work.
pub fn lower_bound<const N: usize>(rows: &[[u8; N]], range: Range<usize>, id: &[u8; 32]) -> usize {
    let (mut low, mut high) = (range.start, range.end.min(rows.len()));
    let target = leading(id);
    let (mut below, mut above) = (0u64, u64::MAX);
    for margin in [8, 2] {
        if high.saturating_sub(low) < 16 {
            break;
        }
        let share = u128::from(target.saturating_sub(below)) * (high - low) as u128;
        let guess = low + (share / (u128::from(above - below) + 1)) as usize;
        // The rows stray from the guess by about the root of their number.
        let stray = ((high - low) as f64).sqrt() as usize * margin / 4 + 4;
        let (left, right) = (guess.saturating_sub(stray).max(low), (guess + stray).min(high - 1));
        if row_id(&rows[left]) < &id[..] {
            (low, below) = (left + 1, leading(row_id(&rows[left])));
        } else {
            (high, above) = (left, leading(row_id(&rows[left])));
            continue;
        }
        if row_id(&rows[right]) < &id[..] {
            (low, below) = (right + 1, leading(row_id(&rows[right])));
        } else {
            (high, above) = (right, leading(row_id(&rows[right])));
        }
        if above < below {
            break;
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if row_id(&rows[middle]) < &id[..] { low = middle + 1 } else { high = middle }
    }
    low
}

fn row_id<const N: usize>(row: &[u8; N]) -> &[u8] {
    &row[..32]
}

fn leading(id: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&id[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;
    use proptest::prelude::*;

    fn table(mut entries: Vec<Entry>) -> Vec<u8> {
        entries.sort_unstable();
        entries.iter().flat_map(Entry::encode).collect()
    }

    #[test]
    fn every_entry_of_a_big_table_is_found_and_nothing_else() {
        for count in [0, 1, 2, 15, 16, 17, 100, 20_000u32] {
            let key = |n: u32| Key::chunk(&ChunkId::of(&n.to_le_bytes()));
            let all = (0..count).map(|n| Entry { key: key(n), offset: n }).collect();
            let table = table(all);
            for n in 0..count {
                assert_eq!(find(&table, &key(n)), Some(n));
                assert_eq!(find(&table, &Key { kind: Kind::Node, ..key(n) }), None);
            }
            for n in count..count + 100 {
                assert_eq!(find(&table, &key(n)), None);
            }
        }
    }

    proptest! {
        #[test]
        fn ids_that_are_no_hashes_are_found_too(
            ids in proptest::collection::vec((0u8..4, 0u8..4, 0u8..3, 0u8..5), 0..300),
            probe in (0u8..4, 0u8..4, 0u8..3, 0u8..5),
        ) {
            let key = |(first, eighth, last, kind): (u8, u8, u8, u8)| {
                let mut id = [0; 32];
                (id[0], id[8], id[31]) = (first * 85, eighth, last);
                Key::new(Kind::from_code(kind + 1).unwrap(), id)
            };
            let table = table(ids.iter().map(|id| Entry { key: key(*id), offset: 64 }).collect());
            for id in ids.iter().chain([&probe]) {
                prop_assert_eq!(find(&table, &key(*id)).is_some(), ids.contains(id));
            }
        }

        #[test]
        fn bytes_in_any_order_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4000), id: [u8; 32]) {
            find(&bytes, &Key::new(Kind::Chunk, id));
        }
    }
}
