//! Writing an index: the rows of the old one and the changes, merged in order.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::layout::{FORMAT, HASH_AT, HEADER_LEN, MAGIC, hash, mode_code};
use super::{Index, Record};
use crate::model::{ManifestId, RepoPath};
use crate::worktree::{Stat, TEMPORARY};

/// The columns of the index that is being made.
#[derive(Default)]
struct Columns {
    directories: Vec<u8>,
    stats: Vec<u8>,
    name_ends: Vec<u8>,
    names: Vec<u8>,
    ids: Vec<u8>,
    files: u64,
    open: Option<OpenDirectory>,
}

struct OpenDirectory {
    path: Vec<u8>,
    first: u64,
    count: u32,
    /// The names of its files, which follow its path in the column of names.
    names: Vec<u8>,
}

type Change = (RepoPath, Option<Record>);

pub(super) fn update(
    old: &Index,
    path: &Path,
    base: ManifestId,
    as_of: i64,
    changes: &[Change],
) -> io::Result<()> {
    let mut order: Vec<&Change> = changes.iter().collect();
    order.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
    let mut columns = Columns::default();
    let mut changes = order.into_iter().peekable();
    for place in 0..old.directories() {
        let Some(rows) = old.rows(place) else { continue };
        for row in 0..rows.len() {
            let here = (rows.path(), rows.name(row));
            while let Some((path, record)) = changes.next_if(|change| key(&change.0) < here) {
                columns.push(key(path), *record)?;
            }
            let replaced = changes.next_if(|change| key(&change.0).cmp(&here) == Ordering::Equal);
            let record = match replaced {
                Some((_, record)) => *record,
                None => rows.record(row).map(|record| doubted(old, record)),
            };
            columns.push(here, record)?;
        }
    }
    for (path, record) in changes {
        columns.push(key(path), *record)?;
    }
    columns.close()?;
    columns.write(path, base, as_of)
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

impl Columns {
    fn push(
        &mut self,
        (directory, name): (&[u8], &[u8]),
        record: Option<Record>,
    ) -> io::Result<()> {
        let Some(Record { file, stat }) = record else { return Ok(()) };
        if self.open.as_ref().is_none_or(|open| open.path != directory) {
            self.close()?;
            let (path, names) = (directory.to_vec(), Vec::new());
            self.open = Some(OpenDirectory { path, first: self.files, count: 0, names });
        }
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        open.count += 1;
        open.names.extend_from_slice(name);
        let end = u32::try_from(open.names.len()).map_err(too_large)?;
        self.name_ends.extend_from_slice(&end.to_le_bytes());
        for number in [stat.size, stat.mtime_ns as u64, stat.ctime_ns as u64, stat.inode] {
            self.stats.extend_from_slice(&number.to_le_bytes());
        }
        self.stats.extend_from_slice(&u64::from(mode_code(stat.mode)).to_le_bytes());
        self.ids.extend_from_slice(file.file.as_bytes());
        let packed = file.size & ((1 << 56) - 1) | u64::from(mode_code(file.mode)) << 56;
        self.ids.extend_from_slice(&packed.to_le_bytes());
        self.files += 1;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let start = self.names.len() as u64;
        self.names.extend_from_slice(&open.path);
        let names = self.names.len() as u64;
        self.names.extend_from_slice(&open.names);
        let length = u32::try_from(open.path.len()).map_err(too_large)?;
        self.directories.extend_from_slice(&start.to_le_bytes());
        self.directories.extend_from_slice(&length.to_le_bytes());
        self.directories.extend_from_slice(&open.count.to_le_bytes());
        self.directories.extend_from_slice(&open.first.to_le_bytes());
        self.directories.extend_from_slice(&names.to_le_bytes());
        self.directories.extend_from_slice(&[0; 8]);
        Ok(())
    }

    /// What follows the header.
    fn parts(&self) -> [&[u8]; 5] {
        [&self.directories, &self.stats, &self.name_ends, &self.names, &self.ids]
    }

    fn header(&self, base: ManifestId, as_of: i64) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        header[16..48].copy_from_slice(base.as_bytes());
        header[48..56].copy_from_slice(&as_of.to_le_bytes());
        let directories = (self.directories.len() / super::layout::DIRECTORY_LEN) as u64;
        header[56..64].copy_from_slice(&directories.to_le_bytes());
        header[64..72].copy_from_slice(&self.files.to_le_bytes());
        header[72..80].copy_from_slice(&(self.names.len() as u64).to_le_bytes());
        let hash = hash(&header, self.parts());
        header[HASH_AT..].copy_from_slice(&hash);
        header
    }

    /// Writes beside `path` and renames. Not synced: what is lost is made again.
    fn write(&self, path: &Path, base: ManifestId, as_of: i64) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let temporary = directory.join(format!("{TEMPORARY}index-{}", std::process::id()));
        let result = self.write_to(&temporary, base, as_of);
        let result = result.and_then(|()| std::fs::rename(&temporary, path));
        if result.is_err() {
            // Whatever is left of it is only a temporary file.
            let _ = std::fs::remove_file(&temporary);
        }
        result
    }

    fn write_to(&self, path: &Path, base: ManifestId, as_of: i64) -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
        file.write_all(&self.header(base, as_of))?;
        for part in self.parts() {
            file.write_all(part)?;
        }
        Ok(())
    }
}
