//! Which columns tables have: of text judged by the first bytes, of Parquet by the metadata.
//!
//! Here: which files are tables, by the end of the name, and how much of them is read. Not here:
//! whole tables and their figures, and how tables are written (`table`).

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Result;
use crate::format::manifest;
use crate::model::{Entry, FileId, FileRef, ManifestId, Mode, RepoPath};
use crate::repo::{Content, Repository};
use crate::table::{self, ColumnKind, Profile};

/// How much of a file of lines is looked at, and of the end of a Parquet file at first.
const SAMPLE: u64 = 64 * 1024;
/// How much of a Parquet file is looked at most.
const MOST_FOOTER: u64 = 4 << 20;
/// In how many pieces.
const TRIES: usize = 16;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Float,
    /// True or false.
    Boolean,
    /// Days without a time.
    Date,
    /// Days with a time.
    Timestamp,
    /// Bytes that are no text.
    Binary,
    /// Anything else.
    Text,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What all of its cells hold that were looked at.
    pub cell: Cell,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Comma-separated, the names in the first line.
    Csv,
    /// Tab-separated, the names in the first line.
    Tsv,
    /// One JSON object in each line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// By the end of a name.
    pub fn of(path: &[u8]) -> Option<Self> {
        let name = String::from_utf8_lossy(path).to_ascii_lowercase();
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Tsv => "text/tab-separated-values",
            Self::JsonLines => "application/jsonlines",
            Self::Parquet => "application/x-parquet",
        }
    }
}

/// A file that is a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it lies.
    pub path: RepoPath,
    /// Its content.
    pub file: FileRef,
    /// How it is written.
    pub format: Format,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// Looks at tables, each content once.
#[derive(Default)]
pub struct Sniffer {
    known: HashMap<FileId, Vec<Column>>,
}

impl Sniffer {
    /// At most `limit` tables of a listing, in the order of their paths. A table whose content
    /// cannot be read, or has no columns, is passed over.
    ///
    /// # Errors
    ///
    /// What keeps the listing from being read.
    pub fn tables(
        &mut self,
        repository: &Repository,
        root: &ManifestId,
        limit: usize,
    ) -> Result<Vec<Table>> {
        let nodes = repository.nodes();
        let mut content = Content::new(repository)?;
        let mut tables = Vec::new();
        for entry in manifest::list(&nodes, root, b"")? {
            let Entry { path, file } = entry?;
            let Some(format) = Format::of(path.as_bytes()).filter(|_| file.mode != Mode::Symlink)
            else {
                continue;
            };
            // A redacted copy has another length; what is gone has no columns.
            let Ok(file) = repository.delivered(&file) else { continue };
            let columns = match self.known.get(&file.file) {
                Some(columns) => columns.clone(),
                None => sample(&mut content, &file, format),
            };
            self.known.insert(file.file, columns.clone());
            if !columns.is_empty() {
                tables.push(Table { path, file, format, columns });
                if tables.len() == limit {
                    break;
                }
            }
        }
        Ok(tables)
    }
}

/// The columns of a file; none if it cannot be read.
fn sample(content: &mut Content<'_>, file: &FileRef, format: Format) -> Vec<Column> {
    let profile = match format {
        Format::Csv => lines(content, file, table::Format::Csv { delimiter: b',' }),
        Format::Tsv => lines(content, file, table::Format::Csv { delimiter: b'\t' }),
        Format::JsonLines => lines(content, file, table::Format::JsonLines),
        Format::Parquet => footer(content, file),
    };
    let columns = profile.map(|profile| profile.columns).unwrap_or_default();
    let named = columns.into_iter().filter(|column| !column.name.is_empty());
    named.map(|column| Column { cell: cell(column.kind), name: column.name }).collect()
}

/// What the first bytes of a file of lines are made of.
fn lines(content: &mut Content<'_>, file: &FileRef, format: table::Format) -> Option<Profile> {
    let mut bytes = piece(content, file, 0, SAMPLE)?;
    // A row that is cut off says nothing, unless it is the only one.
    if bytes.len() as u64 != file.size
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    table::profile(table::Source::Stream(&mut &bytes[..]), format).ok()
}

/// What the metadata of a Parquet file say, which stand at its end. They are read piece by piece, as
/// the reader asks for them, and no file has more than so many read of it.
fn footer(content: &mut Content<'_>, file: &FileRef) -> Option<Profile> {
    let parts = Parts::new(file.size);
    let (mut wanted, mut read) = (file.size.saturating_sub(SAMPLE)..file.size, 0);
    for _ in 0..TRIES {
        read += wanted.end - wanted.start;
        if read > MOST_FOOTER {
            return None;
        }
        let bytes = piece(content, file, wanted.start, wanted.end)?;
        parts.add(wanted.start, bytes);
        let found = table::profile(table::Source::seekable(parts.clone()), table::Format::Parquet);
        match (found, parts.missed()) {
            (Ok(profile), _) => return Some(profile),
            (Err(_), Some(missed)) => wanted = missed,
            (Err(_), None) => return None,
        }
    }
    None
}

fn piece(content: &mut Content<'_>, file: &FileRef, start: u64, end: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = content.range(file, start, end.min(file.size), &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    read.ok().map(|()| bytes)
}

fn cell(kind: ColumnKind) -> Cell {
    match kind {
        ColumnKind::Boolean => Cell::Boolean,
        ColumnKind::Integer => Cell::Integer,
        ColumnKind::Number => Cell::Float,
        ColumnKind::Date => Cell::Date,
        ColumnKind::Timestamp => Cell::Timestamp,
        ColumnKind::Binary => Cell::Binary,
        ColumnKind::Null
        | ColumnKind::Text
        | ColumnKind::List
        | ColumnKind::Object
        | ColumnKind::Mixed => Cell::Text,
    }
}

/// Parts of a file, as one that can seek. What is not among them cannot be read, and is noted.
#[derive(Debug, Clone)]
struct Parts {
    size: u64,
    at: u64,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    parts: Vec<(u64, Vec<u8>)>,
    missed: Option<Range<u64>>,
}

impl Parts {
    fn new(size: u64) -> Self {
        Self { size, at: 0, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, start: u64, bytes: Vec<u8>) {
        self.known().parts.push((start, bytes));
    }

    /// What was asked for last and is not here.
    fn missed(&self) -> Option<Range<u64>> {
        self.known().missed.take()
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.at.saturating_add(buffer.len() as u64).min(self.size);
        if self.at >= end {
            return Ok(0);
        }
        let mut known = self.known();
        let rest = known.parts.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(self.at.checked_sub(*start)?).ok()?;
            bytes.get(from..).filter(|rest| !rest.is_empty())
        });
        let Some(rest) = rest else {
            known.missed = Some(self.at..end);
            return Err(io::Error::other("this part of the file is not at hand"));
        };
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        drop(known);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Parts {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file_are_read_and_what_is_missing_is_noted() {
        let mut parts = Parts::new(10);
        parts.add(6, vec![6, 7, 8, 9]);
        let mut buffer = [0; 3];
        assert_eq!(parts.seek(SeekFrom::End(-4)).unwrap(), 6);
        parts.read_exact(&mut buffer).unwrap();
        assert_eq!((buffer, parts.missed()), ([6, 7, 8], None));
        parts.seek(SeekFrom::Start(2)).unwrap();
        assert!(parts.read(&mut buffer).is_err());
        assert_eq!(parts.missed(), Some(2..5));
        parts.add(2, vec![2, 3, 4]);
        parts.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer, [2, 3, 4]);
        parts.seek(SeekFrom::Start(10)).unwrap();
        assert_eq!(parts.read(&mut buffer).unwrap(), 0);
        assert!(parts.seek(SeekFrom::End(-11)).is_err());
    }
}
