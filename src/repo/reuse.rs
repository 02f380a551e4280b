//! Chunks of files that share most of them, each read from the store as seldom as memory allows.
//!
//! Here: a reader that keeps chunks at hand, chunks as a stream, a stored file that can be read
//! from any place.
//! Not here: which chunks a file has (`content`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::{ChunkList, Content, Repository, Result};
use crate::format::frame::Key;
use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, FileRef};
use crate::store::{self, Store};

/// So many times a file is looked for in packs that have just been merged.
const TRIES: usize = 4;

/// Reads chunks, and keeps them for the next files.
pub struct Reuse<'a> {
    content: Content<'a>,
    kept: HashMap<ChunkId, Kept>,
    bytes: usize,
    most: usize,
    /// The number of the file that is read, for throwing away what no file has had for a while.
    file: u64,
    swept: u64,
}

struct Kept {
    bytes: Box<[u8]>,
    file: u64,
}

impl<'a> Reuse<'a> {
    /// A reader for one thread that keeps up to `most` bytes.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn new(repository: &'a Repository, most: usize) -> Result<Self> {
        let content = Content::new(repository)?;
        Ok(Self { content, kept: HashMap::new(), bytes: 0, most, file: 1, swept: 0 })
    }

    /// Another file is read from here on.
    pub fn next_file(&mut self) {
        self.file += 1;
    }

    /// Appends the bytes of a chunk to `out`.
    ///
    /// # Errors
    ///
    /// As [`Content::chunk`].
    pub fn load(&mut self, chunk: &ChunkRef, out: &mut Vec<u8>) -> Result<()> {
        if let Some(kept) = self.kept.get_mut(&chunk.id) {
            kept.file = self.file;
            out.extend_from_slice(&kept.bytes);
            return Ok(());
        }
        let bytes = self.content.chunk(chunk)?;
        out.extend_from_slice(bytes);
        let bytes: Box<[u8]> = bytes.into();
        if self.bytes + bytes.len() > self.most && self.swept < self.file {
            // What neither this file nor the one before has had. If that is not enough nothing is
            // kept: throwing away what comes next would keep nothing of a file longer than this.
            self.swept = self.file;
            self.kept.retain(|_, kept| kept.file + 1 >= self.file);
            self.bytes = self.kept.values().map(|kept| kept.bytes.len()).sum();
        }
        if self.bytes + bytes.len() <= self.most {
            self.bytes += bytes.len();
            self.kept.insert(chunk.id, Kept { bytes, file: self.file });
        }
        Ok(())
    }
}

/// Chunks, one behind the other. What keeps one from being read stands in the error.
pub struct ChunkStream<'r, 'a> {
    reuse: &'r RefCell<Reuse<'a>>,
    chunks: &'r [ChunkRef],
    buffer: Vec<u8>,
    at: usize,
}

impl<'r, 'a> ChunkStream<'r, 'a> {
    /// The stream of `chunks`, from a reader that others use between reads.
    pub fn new(reuse: &'r RefCell<Reuse<'a>>, chunks: &'r [ChunkRef]) -> Self {
        Self { reuse, chunks, buffer: Vec::new(), at: 0 }
    }
}

impl Read for ChunkStream<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            let Some((first, rest)) = self.chunks.split_first() else { return Ok(0) };
            self.buffer.clear();
            self.at = 0;
            self.reuse.borrow_mut().load(first, &mut self.buffer).map_err(io::Error::other)?;
            self.chunks = rest;
        }
        let read = (&self.buffer[self.at..]).read(out)?;
        self.at += read;
        Ok(read)
    }
}

/// A stored file that can be read from any place; one chunk of it is in memory.
pub struct StoredFile {
    store: Store,
    reader: store::Reader,
    chunks: Vec<ChunkRef>,
    /// Where each of them begins, and the file ends.
    starts: Vec<u64>,
    at: u64,
    number: usize,
    buffer: Vec<u8>,
}

impl StoredFile {
    /// Opens `file`.
    ///
    /// # Errors
    ///
    /// As [`ChunkList::of`].
    pub fn open(repository: &Repository, file: &FileRef) -> Result<Self> {
        let list = ChunkList::of(repository, file)?;
        let mut chunks = Vec::new();
        for number in 0..list.part_count() {
            chunks.extend(list.part(repository, number)?);
        }
        let mut starts = vec![0];
        starts.extend(chunks.iter().scan(0, |end, chunk| {
            *end += u64::from(chunk.len);
            Some(*end)
        }));
        let (store, reader) = (repository.store.clone(), repository.store.reader()?);
        Ok(Self { store, reader, chunks, starts, at: 0, number: usize::MAX, buffer: Vec::new() })
    }

    fn len(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    fn fetch(&mut self, number: usize) -> io::Result<()> {
        let chunk = self.chunks[number];
        self.number = usize::MAX;
        for attempt in 1.. {
            let key = Key::chunk(&chunk.id);
            match self.reader.read(&key, Some(chunk.len), &mut self.buffer) {
                Ok(()) => break,
                // Another command merges packs; the repository sees the new ones soon.
                Err(store::Error::Missing { .. }) if attempt < TRIES => {
                    self.reader = self.store.reader().map_err(io::Error::other)?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        if self.buffer.len() != chunk.len as usize {
            return Err(io::Error::other(format!("chunk {} has another length", chunk.id)));
        }
        self.number = number;
        Ok(())
    }
}

impl Read for StoredFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.len() || out.is_empty() {
            return Ok(0);
        }
        let number = self.starts.partition_point(|start| *start <= self.at) - 1;
        if number != self.number {
            self.fetch(number)?;
        }
        let from = (self.at - self.starts[number]) as usize;
        let read = (&self.buffer[from..]).read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for StoredFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.len(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "before the beginning");
        self.at = from.checked_add_signed(by).ok_or_else(before)?;
        Ok(self.at)
    }
}
