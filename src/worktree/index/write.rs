//! Writing an index: the rows of the old one and the changes, merged in order.
//!
//! They are merged twice, for the lengths of the columns and then to write each where it belongs, so
//! that an index of a million files is never in memory.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::layout::{
    DIRECTORY_LEN, FORMAT, HASH_AT, HEADER_LEN, ID_LEN, MAGIC, STAT_LEN, mode_code,
};
use super::{Changes, Index, Record};
use crate::model::{ManifestId, RepoPath};
use crate::worktree::{Stat, TEMPORARY};

/// A column is written in pieces of this size.
const PIECE: usize = 128 << 10;

type Change = (RepoPath, Option<Record>);

/// Writes beside `path` and renames. Not synced: what is lost is made again.
pub(super) fn update(
    old: &Index,
    path: &Path,
    base: ManifestId,
    as_of: i64,
    changes: Changes<'_>,
) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = directory.join(format!("{TEMPORARY}index-{}", std::process::id()));
    let result = write(old, &temporary, base, as_of, changes);
    let result = result.and_then(|()| std::fs::rename(&temporary, path));
    if result.is_err() {
        // Whatever is left of it is only a temporary file.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn write(
    old: &Index,
    path: &Path,
    base: ManifestId,
    as_of: i64,
    changes: Changes<'_>,
) -> io::Result<()> {
    let mut lengths = Lengths::default();
    merge(old, changes, &mut |key, _| {
        lengths.add(key);
        Ok(())
    })?;
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
    let mut columns = Columns::new(&file, &lengths);
    merge(old, changes, &mut |key, record| columns.push(key, record))?;
    columns.finish()?;
    let mut header = header(base, as_of, &lengths);
    let hash = hash(&header, &file)?;
    header[HASH_AT..].copy_from_slice(&hash);
    file.write_all_at(&header, 0)
}

/// A directory and a name in it.
type Key<'k> = (&'k [u8], &'k [u8]);

/// Gives the rows of the new index to `row`, in order.
fn merge(
    old: &Index,
    changes: Changes<'_>,
    row: &mut dyn FnMut(Key<'_>, Record) -> io::Result<()>,
) -> io::Result<()> {
    let mut give = |key: Key<'_>, record: Option<Record>| match record {
        Some(record) => row(key, record),
        None => Ok(()),
    };
    let mut changes = changes.in_order().peekable();
    for place in 0..old.directories() {
        let Some(rows) = old.rows(place) else { continue };
        for row in 0..rows.len() {
            let here = (rows.path(), rows.name(row));
            while let Some((path, record)) = changes.next_if(|change| key(&change.0) < here) {
                give(key(&path), record)?;
            }
            let replaced = changes.next_if(|change| key(&change.0).cmp(&here) == Ordering::Equal);
            let record = match replaced {
                Some((_, record)) => record,
                None => rows.record(row).map(|record| doubted(old, record)),
            };
            give(here, record)?;
        }
    }
    changes.try_for_each(|(path, record)| give(key(&path), record))
}

impl<'a> Changes<'a> {
    /// In the order of rows.
    fn in_order(self) -> Box<dyn Iterator<Item = Change> + 'a> {
        match self {
            Self::Some(changes) => {
                let mut order: Vec<&Change> = changes.iter().collect();
                order.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
                Box::new(order.into_iter().cloned())
            }
            Self::Many(records, forgotten) => {
                let mut forgotten: Vec<&RepoPath> = forgotten.iter().collect();
                forgotten.sort_by(|a, b| key(a).cmp(&key(b)));
                let mut forgotten = forgotten.into_iter().peekable();
                let mut records = records.by_directory().peekable();
                Box::new(std::iter::from_fn(move || {
                    let first = match (records.peek(), forgotten.peek()) {
                        (Some((path, _)), Some(gone)) => key(gone) < key(path),
                        (_, gone) => gone.is_some(),
                    };
                    if first {
                        return forgotten.next().map(|path| (path.clone(), None));
                    }
                    records.next().map(|(path, record)| (path, Some(record)))
                }))
            }
        }
    }
}

/// The order of rows: by directory, then by name.
fn key(path: &RepoPath) -> (&[u8], &[u8]) {
    (path.directory(), path.name())
}

/// What left doubt is to be looked at again, because the new index has another moment.
fn doubted(old: &Index, record: Record) -> Record {
    if old.is_racy(&record.stat) { Record { stat: Stat::UNKNOWN, ..record } } else { record }
}

fn too_large<E>(_: E) -> io::Error {
    io::Error::other("a directory has too many files for the index")
}

/// How long the columns are.
#[derive(Default)]
struct Lengths {
    directories: u64,
    files: u64,
    /// Bytes of the directories' paths and of all names.
    names: u64,
    /// The last directory.
    last: Option<Vec<u8>>,
}

impl Lengths {
    fn add(&mut self, (directory, name): Key<'_>) {
        if self.last.as_deref() != Some(directory) {
            self.last = Some(directory.to_vec());
            self.directories += 1;
            self.names += directory.len() as u64;
        }
        self.files += 1;
        self.names += name.len() as u64;
    }
}

/// A part of the file that is written from its beginning to its end.
struct Column<'f> {
    file: &'f File,
    at: u64,
    buffer: Vec<u8>,
}

impl Column<'_> {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The columns of the index that is being made.
struct Columns<'f> {
    directories: Column<'f>,
    stats: Column<'f>,
    name_ends: Column<'f>,
    names: Column<'f>,
    ids: Column<'f>,
    files: u64,
    /// Bytes of names.
    names_len: u64,
    open: Option<OpenDirectory>,
}

struct OpenDirectory {
    path: Vec<u8>,
    /// Where its path begins among the names; the names of its files follow it.
    start: u64,
    first: u64,
    count: u32,
    names_len: u64,
}

impl<'f> Columns<'f> {
    fn new(file: &'f File, lengths: &Lengths) -> Self {
        let mut end = HEADER_LEN as u64;
        let mut column = |length: u64| {
            let at = end;
            end += length;
            Column { file, at, buffer: Vec::new() }
        };
        Self {
            directories: column(lengths.directories * DIRECTORY_LEN as u64),
            stats: column(lengths.files * STAT_LEN as u64),
            name_ends: column(lengths.files * 4),
            names: column(lengths.names),
            ids: column(lengths.files * ID_LEN as u64),
            files: 0,
            names_len: 0,
            open: None,
        }
    }

    fn push(
        &mut self,
        (directory, name): Key<'_>,
        Record { file, stat }: Record,
    ) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|open| open.path != directory) {
            self.close()?;
            let (path, start) = (directory.to_vec(), self.names_len);
            self.open =
                Some(OpenDirectory { path, start, first: self.files, count: 0, names_len: 0 });
            self.push_name(directory)?;
        }
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        open.count += 1;
        open.names_len += name.len() as u64;
        let end = u32::try_from(open.names_len).map_err(too_large)?;
        self.name_ends.push(&end.to_le_bytes())?;
        self.push_name(name)?;
        for number in [stat.size, stat.mtime_ns as u64, stat.ctime_ns as u64, stat.inode] {
            self.stats.push(&number.to_le_bytes())?;
        }
        self.stats.push(&u64::from(mode_code(stat.mode)).to_le_bytes())?;
        self.ids.push(file.file.as_bytes())?;
        let packed = file.size & ((1 << 56) - 1) | u64::from(mode_code(file.mode)) << 56;
        self.ids.push(&packed.to_le_bytes())?;
        self.files += 1;
        Ok(())
    }

    fn push_name(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.names_len += bytes.len() as u64;
        self.names.push(bytes)
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let length = u32::try_from(open.path.len()).map_err(too_large)?;
        let names = open.start + u64::from(length);
        self.directories.push(&open.start.to_le_bytes())?;
        self.directories.push(&length.to_le_bytes())?;
        self.directories.push(&open.count.to_le_bytes())?;
        self.directories.push(&open.first.to_le_bytes())?;
        self.directories.push(&names.to_le_bytes())?;
        self.directories.push(&[0; 8])
    }

    fn finish(mut self) -> io::Result<()> {
        self.close()?;
        let Self { directories, stats, name_ends, names, ids, .. } = self;
        [directories, stats, name_ends, names, ids].iter_mut().try_for_each(Column::flush)
    }
}

/// The header without its hash.
fn header(base: ManifestId, as_of: i64, lengths: &Lengths) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..48].copy_from_slice(base.as_bytes());
    header[48..56].copy_from_slice(&as_of.to_le_bytes());
    header[56..64].copy_from_slice(&lengths.directories.to_le_bytes());
    header[64..72].copy_from_slice(&lengths.files.to_le_bytes());
    header[72..80].copy_from_slice(&lengths.names.to_le_bytes());
    header
}

/// The hash of a header and of what has been written to follow it.
fn hash(header: &[u8; HEADER_LEN], mut file: &File) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..HASH_AT]);
    io::Seek::seek(&mut file, io::SeekFrom::Start(HEADER_LEN as u64))?;
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(*hasher.finalize().as_bytes()),
            count => hasher.update(&buffer[..count]),
        };
    }
}
