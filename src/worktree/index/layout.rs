//! The bytes of an index: a header, a table of directories, and columns.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::Mmap;

use super::Record;
use crate::model::{FileId, FileRef, ManifestId, Mode};
use crate::worktree::Stat;

pub(super) const MAGIC: [u8; 8] = *b"STEMWORK";
pub(super) const FORMAT: u32 = 1;
pub(super) const HEADER_LEN: usize = 120;
pub(super) const DIRECTORY_LEN: usize = 40;
pub(super) const STAT_LEN: usize = 40;
pub(super) const ID_LEN: usize = 40;
/// Where the header's own hash begins.
pub(super) const HASH_AT: usize = HEADER_LEN - 32;

/// A mapped index that is as it was written.
#[derive(Debug)]
pub(super) struct Layout {
    map: Mmap,
    directories: usize,
    files: usize,
    names_len: usize,
}

/// The files of one directory.
#[derive(Debug, Clone, Copy)]
pub(in crate::worktree) struct Rows<'a> {
    layout: &'a Layout,
    first: usize,
    count: usize,
    names: usize,
    path: &'a [u8],
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    if let Some(found) = bytes.get(at..at + 8) {
        eight.copy_from_slice(found);
    }
    u64::from_le_bytes(eight)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    if let Some(found) = bytes.get(at..at + 4) {
        four.copy_from_slice(found);
    }
    u32::from_le_bytes(four)
}

fn id_at(bytes: &[u8], at: usize) -> [u8; 32] {
    let mut id = [0; 32];
    if let Some(found) = bytes.get(at..at + 32) {
        id.copy_from_slice(found);
    }
    id
}

/// The hash of everything but itself: a row that was changed could make a file look deleted.
fn hash(map: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&map[..HASH_AT]);
    hasher.update(&map[HEADER_LEN..]);
    *hasher.finalize().as_bytes()
}

impl Layout {
    /// Maps a file and checks what everything else relies on.
    #[allow(unsafe_code, reason = "an index is never changed in place, only replaced by rename")]
    pub(super) fn map(file: &File) -> io::Result<Result<Self, &'static str>> {
        let length = file.metadata()?.len();
        if length < HEADER_LEN as u64 {
            return Ok(Err("it is too short"));
        }
        // SAFETY: nothing writes to the file once it has its name; a user who does so all the same
        // changes numbers that are all checked before they are used.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self::check(map))
    }

    fn check(map: Mmap) -> Result<Self, &'static str> {
        if map[..8] != MAGIC {
            return Err("it does not begin as an index does");
        }
        if u32_at(&map, 8) != FORMAT {
            return Err("its format is not known");
        }
        let size = |at| usize::try_from(u64_at(&map, at)).map_err(|_| "its numbers are too large");
        let (directories, files, names_len) = (size(56)?, size(64)?, size(72)?);
        let table = directories.checked_mul(DIRECTORY_LEN).ok_or("its numbers are too large")?;
        let columns =
            files.checked_mul(4 + STAT_LEN + ID_LEN).ok_or("its numbers are too large")?;
        let length = HEADER_LEN
            .checked_add(table)
            .and_then(|sum| sum.checked_add(columns))
            .and_then(|sum| sum.checked_add(names_len));
        if length != Some(map.len()) {
            return Err("its length is not what it says");
        }
        if hash(&map) != id_at(&map, HASH_AT) {
            return Err("it has been changed");
        }
        Ok(Self { map, directories, files, names_len })
    }

    pub(super) fn base(&self) -> ManifestId {
        ManifestId::from_bytes(id_at(&self.map, 16))
    }

    pub(super) fn as_of(&self) -> i64 {
        u64_at(&self.map, 48) as i64
    }

    pub(super) fn len(&self) -> u64 {
        self.files as u64
    }

    pub(super) fn directories(&self) -> usize {
        self.directories
    }

    fn stats(&self) -> usize {
        HEADER_LEN + self.directories * DIRECTORY_LEN
    }

    fn name_ends(&self) -> usize {
        self.stats() + self.files * STAT_LEN
    }

    fn names(&self) -> usize {
        self.name_ends() + self.files * 4
    }

    fn ids(&self) -> usize {
        self.names() + self.names_len
    }

    fn text(&self, start: usize, length: usize) -> &[u8] {
        let end = start.saturating_add(length).min(self.names_len);
        &self.map[self.names() + start.min(end)..self.names() + end]
    }

    fn directory_path(&self, place: usize) -> &[u8] {
        let at = HEADER_LEN + place * DIRECTORY_LEN;
        let start = usize::try_from(u64_at(&self.map, at)).unwrap_or(usize::MAX);
        self.text(start, u32_at(&self.map, at + 8) as usize)
    }

    /// The files of the directory at a place of the table.
    pub(super) fn directory(&self, place: usize) -> Option<Rows<'_>> {
        if place >= self.directories {
            return None;
        }
        let at = HEADER_LEN + place * DIRECTORY_LEN;
        let first = usize::try_from(u64_at(&self.map, at + 16)).ok()?;
        let count = u32_at(&self.map, at + 12) as usize;
        let names = usize::try_from(u64_at(&self.map, at + 24)).ok()?;
        if first.checked_add(count)? > self.files || names > self.names_len {
            return None;
        }
        Some(Rows { layout: self, first, count, names, path: self.directory_path(place) })
    }

    fn partition(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.directories);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.directory_path(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub(super) fn find_directory(&self, path: &[u8]) -> Option<usize> {
        let place = self.partition(|other| other < path);
        (place < self.directories && self.directory_path(place) == path).then_some(place)
    }

    pub(super) fn below(&self, path: &[u8]) -> Range<usize> {
        if path.is_empty() {
            let start = self.partition(<[u8]>::is_empty);
            return start..self.directories;
        }
        let (mut from, mut to) = (path.to_vec(), path.to_vec());
        from.push(b'/');
        to.push(b'/' + 1);
        let start = self.partition(|other| other < from.as_slice());
        let end = self.partition(|other| other < to.as_slice());
        start..end.max(start)
    }
}

impl<'a> Rows<'a> {
    pub(in crate::worktree) fn len(&self) -> usize {
        self.count
    }

    /// The directory.
    pub(in crate::worktree) fn path(&self) -> &'a [u8] {
        self.path
    }

    /// The name of a file; empty where the index is damaged.
    pub(in crate::worktree) fn name(&self, row: usize) -> &'a [u8] {
        let ends = self.layout.name_ends();
        let end = |row: usize| u32_at(&self.layout.map, ends + (self.first + row) * 4) as usize;
        let start = if row == 0 { 0 } else { end(row - 1) };
        self.layout.text(self.names.saturating_add(start), end(row).saturating_sub(start))
    }

    /// How a file looked.
    pub(in crate::worktree) fn stat(&self, row: usize) -> Stat {
        let at = self.layout.stats() + (self.first + row) * STAT_LEN;
        let map = &self.layout.map;
        Stat {
            size: u64_at(map, at),
            mtime_ns: u64_at(map, at + 8) as i64,
            ctime_ns: u64_at(map, at + 16) as i64,
            inode: u64_at(map, at + 24),
            mode: mode_of(map.get(at + 32).copied().unwrap_or_default()).unwrap_or(Mode::File),
        }
    }

    /// What is staged.
    pub(in crate::worktree) fn file(&self, row: usize) -> Option<FileRef> {
        let at = self.layout.ids() + (self.first + row) * ID_LEN;
        let map = &self.layout.map;
        // The length shares its last byte with the mode: no file has 2^56 bytes.
        let packed = u64_at(map, at + 32);
        let mode = mode_of((packed >> 56) as u8)?;
        let file = FileId::from_bytes(id_at(map, at));
        Some(FileRef { mode, size: packed & ((1 << 56) - 1), file })
    }

    pub(in crate::worktree) fn record(&self, row: usize) -> Option<Record> {
        Some(Record { file: self.file(row)?, stat: self.stat(row) })
    }

    /// The row of a name.
    pub(in crate::worktree) fn find(&self, name: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.name(middle) < name { low = middle + 1 } else { high = middle }
        }
        (low < self.count && self.name(low) == name).then_some(low)
    }
}

pub(in crate::worktree) fn mode_code(mode: Mode) -> u8 {
    match mode {
        Mode::File => 1,
        Mode::Executable => 2,
        Mode::Symlink => 3,
    }
}

pub(in crate::worktree) fn mode_of(code: u8) -> Option<Mode> {
    match code {
        1 => Some(Mode::File),
        2 => Some(Mode::Executable),
        3 => Some(Mode::Symlink),
        _ => None,
    }
}
