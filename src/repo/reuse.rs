//! Chunks of files that share most of them, each read from the store as seldom as memory allows.
//!
//! Here: a reader that keeps chunks at hand, chunks as a stream, a stored file that can be read
//! from any place.
//! Not here: which chunks a file has (`content`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ChunkList, Content, FirstBytes, Repository, Result};
use crate::format::frame::Key;
use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, FileRef};
use crate::store::{self, Store};

/// So many times a file is looked for in packs that have just been merged.
const TRIES: usize = 4;

/// Chunks at hand for several readers that go through states of the same files side by side.
pub struct Shelf {
    kept: Mutex<Shelved>,
    most: usize,
    readers: u64,
}

#[derive(Default)]
struct Shelved {
    chunks: HashMap<ChunkId, Kept, BuildHasherDefault<FirstBytes>>,
    bytes: usize,
    /// How many files were begun, for throwing away what no file has had for a while.
    files: u64,
    swept: u64,
}

struct Kept {
    bytes: Arc<[u8]>,
    files: u64,
}

impl Shelf {
    /// A shelf of up to `most` bytes for so many readers.
    pub fn new(most: usize, readers: usize) -> Self {
        Self { kept: Mutex::default(), most, readers: readers as u64 }
    }

    fn lock(&self) -> MutexGuard<'_, Shelved> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, chunk: &ChunkRef) -> Option<Arc<[u8]>> {
        let mut shelved = self.lock();
        let files = shelved.files;
        let kept = shelved.chunks.get_mut(&chunk.id)?;
        kept.files = files;
        Some(Arc::clone(&kept.bytes))
    }

    fn put(&self, chunk: &ChunkRef, bytes: &[u8]) {
        let mut shelved = self.lock();
        let files = shelved.files;
        if shelved.bytes + bytes.len() > self.most && shelved.swept < files {
            // What neither the files being read nor those before have had. If that is not enough
            // nothing is kept: throwing away what comes next would keep nothing of longer files.
            shelved.swept = files;
            shelved.chunks.retain(|_, kept| kept.files + self.readers >= files);
            shelved.bytes = shelved.chunks.values().map(|kept| kept.bytes.len()).sum();
        }
        if shelved.bytes + bytes.len() <= self.most {
            let kept = Kept { bytes: bytes.into(), files };
            if shelved.chunks.insert(chunk.id, kept).is_none() {
                shelved.bytes += bytes.len();
            }
        }
    }
}

/// Reads chunks, and keeps them for the next files.
pub struct Reuse<'a> {
    content: Content<'a>,
    shelf: Arc<Shelf>,
}

impl<'a> Reuse<'a> {
    /// A reader for one thread.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn new(repository: &'a Repository, shelf: Arc<Shelf>) -> Result<Self> {
        Ok(Self { content: Content::new(repository)?, shelf })
    }

    /// Another file is read from here on.
    pub fn next_file(&mut self) {
        self.shelf.lock().files += 1;
    }

    /// Appends the bytes of a chunk to `out`.
    ///
    /// # Errors
    ///
    /// As [`Content::chunk`].
    pub fn load(&mut self, chunk: &ChunkRef, out: &mut Vec<u8>) -> Result<()> {
        if let Some(kept) = self.shelf.get(chunk) {
            out.extend_from_slice(&kept);
            return Ok(());
        }
        let bytes = self.content.chunk(chunk)?;
        out.extend_from_slice(bytes);
        self.shelf.put(chunk, bytes);
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
