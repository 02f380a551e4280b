//! Tables over many packs.
//!
//! Here: writing and searching the files in `index/`, which save looking into each pack's table.
//! Not here: when they are made (`maintain`), which are used (`view`).
//! Invariant: they are caches. A lost or damaged one costs time and nothing else.
//!
//! Layout, all integers little-endian: header of 64 bytes: magic `STEMINDX`, format u16 = 1, bits of
//! the fan-out u8, 5 zero bytes, number of packs u32, 4 zero bytes, number of entries u64, BLAKE3-256
//! of the header up to here, the packs and the fan-out; then the packs' names, 16 bytes each; then the
//! fan-out: 2^bits numbers (u64) of the first entry whose id begins with these or higher bits; then the
//! entries, sorted by id: id 32 bytes, ordinal of the pack u32, kind << 28 | offset u32.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::Range;

use super::error::{Error, io_at};
use super::medium::{Mapped, Medium, MediumFile};
use crate::format::frame::Key;
use crate::format::table::{self, Entry};
use crate::model::{ChunkId, PackName};

const MAGIC: &[u8; 8] = b"STEMINDX";
const FORMAT: u16 = 1;
const HEADER_LEN: usize = 64;
const ROW_LEN: usize = 40;
const NAME_LEN: usize = 16;
/// With this many entries behind each step of the fan-out, one more page is touched per search.
const ROWS_PER_STEP_BITS: u32 = 7;
const MAX_FANOUT_BITS: u32 = 16;
const WRITE_BYTES: usize = 1 << 20;

/// A table over many packs, mapped.
#[derive(Debug)]
pub(super) struct IndexTable {
    /// Its file, relative to the store.
    pub(super) name: String,
    packs: Vec<PackName>,
    fanout: Vec<u64>,
    rows: Mapped,
}

impl IndexTable {
    /// Opens a table and checks everything but its entries, which are checked by what is read with
    /// their help.
    pub(super) fn open(medium: &dyn Medium, name: &str) -> io::Result<Self> {
        let file = medium.open(name)?;
        let mut header = [0; HEADER_LEN];
        file.read_at(0, &mut header)?;
        let head = Head::decode(&header)?;
        let len = file.len()?;
        if head.rows_at().checked_add(head.rows * ROW_LEN as u64) != Some(len) {
            return Err(broken());
        }
        let mut middle = vec![0; (head.rows_at() as usize) - HEADER_LEN];
        file.read_at(HEADER_LEN as u64, &mut middle)?;
        if head.seal(&middle) != header[32..] {
            return Err(broken());
        }
        let (names, steps) = middle.split_at(head.packs as usize * NAME_LEN);
        let (names, _) = names.as_chunks::<NAME_LEN>();
        let (steps, _) = steps.as_chunks::<8>();
        Ok(Self {
            name: name.to_owned(),
            packs: names.iter().map(|name| PackName::from_bytes(*name)).collect(),
            fanout: steps.iter().map(|step| u64::from_le_bytes(*step)).collect(),
            rows: file.map(head.rows_at()..len)?,
        })
    }

    /// The packs it covers; entries name them by their place in this list.
    pub(super) fn packs(&self) -> &[PackName] {
        &self.packs
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.rows.len() / ROW_LEN
    }

    /// Every place of `key`: the ordinal of the pack, and the offset in it.
    pub(super) fn find<'t>(&'t self, key: &'t Key) -> impl Iterator<Item = (u32, u32)> + 't {
        let rows = self.rows();
        let first = table::lower_bound(rows, self.step_of(&key.id, rows.len()), &key.id);
        rows[first..]
            .iter()
            .take_while(|row| row[..32] == key.id)
            .filter_map(Row::decode)
            .filter(|row| row.entry.key.kind == key.kind)
            .map(|row| (row.ordinal, row.entry.offset))
    }

    fn rows(&self) -> &[[u8; ROW_LEN]] {
        self.rows.as_chunks().0
    }

    /// The rows among which an id lies.
    fn step_of(&self, id: &[u8; 32], len: usize) -> Range<usize> {
        let bits = self.fanout.len().trailing_zeros();
        let step = fan(id, bits);
        let at = |step: usize| {
            self.fanout
                .get(step)
                .map_or(len, |row| usize::try_from(*row).map_or(len, |row| row.min(len)))
        };
        let (start, end) = (at(step), at(step + 1));
        start.min(end)..end
    }
}

/// The first `bits` bits of an id.
fn fan(id: &[u8; 32], bits: u32) -> usize {
    let first = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    (u64::from(first) >> (32 - bits)) as usize
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a sound index table")
}

/// What the header says.
struct Head {
    fanout_bits: u32,
    packs: u32,
    rows: u64,
}

impl Head {
    fn decode(bytes: &[u8; HEADER_LEN]) -> io::Result<Self> {
        let fanout_bits = u32::from(bytes[10]);
        if &bytes[..8] != MAGIC
            || bytes[8..10] != FORMAT.to_le_bytes()
            || fanout_bits > MAX_FANOUT_BITS
        {
            return Err(broken());
        }
        let (mut packs, mut rows) = ([0; 4], [0; 8]);
        packs.copy_from_slice(&bytes[16..20]);
        rows.copy_from_slice(&bytes[24..32]);
        let (packs, rows) = (u32::from_le_bytes(packs), u64::from_le_bytes(rows));
        // 2^24 packs of 64 MiB are a petabyte.
        if packs >= 1 << 24 || rows >= 1 << 40 {
            return Err(broken());
        }
        Ok(Self { fanout_bits, packs, rows })
    }

    fn start(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10] = self.fanout_bits as u8;
        bytes[16..20].copy_from_slice(&self.packs.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.rows.to_le_bytes());
        bytes
    }

    /// Where the entries begin.
    fn rows_at(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.packs) * NAME_LEN as u64 + (8 << self.fanout_bits)
    }

    /// The hash of header, packs and fan-out.
    fn seal(&self, middle: &[u8]) -> [u8; 32] {
        *ChunkId::of(&[&self.start()[..], middle].concat()).as_bytes()
    }
}

/// An entry: where, and in which of the packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    entry: Entry,
    ordinal: u32,
}

impl Row {
    fn decode(bytes: &[u8; ROW_LEN]) -> Option<Self> {
        let (mut id, mut ordinal, mut place) = ([0; 32], [0; 4], [0; 4]);
        id.copy_from_slice(&bytes[..32]);
        ordinal.copy_from_slice(&bytes[32..36]);
        place.copy_from_slice(&bytes[36..]);
        let entry = Entry::from_place(id, u32::from_le_bytes(place))?;
        Some(Self { entry, ordinal: u32::from_le_bytes(ordinal) })
    }

    fn encode(&self) -> [u8; ROW_LEN] {
        let mut bytes = [0; ROW_LEN];
        bytes[..32].copy_from_slice(&self.entry.key.id);
        bytes[32..36].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes[36..].copy_from_slice(&self.entry.place().to_le_bytes());
        bytes
    }
}

/// What a new table is made from.
pub(super) enum Source<'s> {
    /// The sorted table of one pack.
    Pack(PackName, &'s [u8]),
    /// An older table, of which the packs are taken that `keep` accepts.
    Table(&'s IndexTable),
}

/// Writes a table over everything in `sources` to the new file `name`; it is not synced. Entries
/// of packs that `keep` does not accept are left out.
pub(super) fn write(
    medium: &dyn Medium,
    name: &str,
    sources: &[Source<'_>],
    keep: &dyn Fn(PackName) -> bool,
) -> Result<(), Error> {
    let mut packs = Vec::new();
    let ordinals: Vec<Vec<Option<u32>>> = sources
        .iter()
        .map(|source| {
            let names = match source {
                Source::Pack(name, _) => std::slice::from_ref(name),
                Source::Table(table) => table.packs(),
            };
            let mut number = |name: &PackName| {
                keep(*name).then(|| {
                    packs.push(*name);
                    packs.len() as u32 - 1
                })
            };
            names.iter().map(&mut number).collect()
        })
        .collect();
    let count = merged(sources, &ordinals).count() as u64;
    let fanout_bits = (count >> ROWS_PER_STEP_BITS).checked_ilog2().unwrap_or(0);
    let fanout_bits = fanout_bits.min(MAX_FANOUT_BITS);
    let head = Head { fanout_bits, packs: packs.len() as u32, rows: count };
    let mut middle: Vec<u8> = packs.iter().flat_map(|name| *name.as_bytes()).collect();
    let mut steps = Vec::with_capacity(1 << fanout_bits);
    for (before, row) in (0u64..).zip(merged(sources, &ordinals)) {
        let step = fan(&row.entry.key.id, fanout_bits);
        steps.resize(steps.len().max(step + 1), before);
    }
    steps.resize(1 << fanout_bits, count);
    middle.extend(steps.iter().flat_map(|step| step.to_le_bytes()));
    let mut file = medium.create_new(name).map_err(io_at("create", name))?;
    let written = fill(file.as_mut(), &head, &middle, merged(sources, &ordinals));
    written.map_err(io_at("write", name))
}

fn fill(
    file: &mut dyn MediumFile,
    head: &Head,
    middle: &[u8],
    rows: impl Iterator<Item = Row>,
) -> io::Result<()> {
    file.append(&head.start())?;
    file.append(&head.seal(middle))?;
    file.append(middle)?;
    let mut buffer = Vec::with_capacity(WRITE_BYTES + ROW_LEN);
    for row in rows {
        buffer.extend_from_slice(&row.encode());
        if buffer.len() >= WRITE_BYTES {
            file.append(&buffer)?;
            buffer.clear();
        }
    }
    file.append(&buffer)
}

/// All rows of `sources` in order, with new ordinals.
fn merged<'s>(
    sources: &'s [Source<'_>],
    ordinals: &'s [Vec<Option<u32>>],
) -> impl Iterator<Item = Row> + 's {
    let mut cursors = vec![0usize; sources.len()];
    let next = move |number: usize, cursors: &mut Vec<usize>| loop {
        let at = cursors[number];
        cursors[number] += 1;
        let row = match &sources[number] {
            Source::Pack(_, rows) => {
                let entry = Entry::decode(rows.as_chunks().0.get(at)?);
                entry.map(|entry| Row { entry, ordinal: 0 })
            }
            Source::Table(table) => Row::decode(table.rows().get(at)?),
        };
        let kept = row.and_then(|row| {
            let ordinal = ordinals[number].get(row.ordinal as usize).copied().flatten()?;
            Some(Row { ordinal, ..row })
        });
        if let Some(row) = kept {
            return Some(row);
        }
    };
    let mut heap = BinaryHeap::new();
    for number in 0..sources.len() {
        heap.extend(next(number, &mut cursors).map(|row| Reverse((row, number))));
    }
    std::iter::from_fn(move || {
        let Reverse((row, number)) = heap.pop()?;
        heap.extend(next(number, &mut cursors).map(|row| Reverse((row, number))));
        Some(row)
    })
}
