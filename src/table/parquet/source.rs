//! A source that can seek, as Parquet's reader wants it.

use std::io::{BufReader, Read, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::super::ReadSeek;
use super::super::error::Error;

/// A source shared by the readers of several columns.
#[derive(Clone)]
pub(super) struct Shared {
    source: Arc<Mutex<Box<dyn ReadSeek>>>,
    length: u64,
}

impl Shared {
    pub(super) fn new(mut source: Box<dyn ReadSeek>) -> Result<Self, Error> {
        let length = source.seek(SeekFrom::End(0)).map_err(Error::Read)?;
        Ok(Self { source: Arc::new(Mutex::new(source)), length })
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn ReadSeek>> {
        // Every use seeks first, so a reader that broke off leaves nothing behind.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Shared {
    type T = BufReader<Place>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(64 * 1024, Place { shared: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.length);
        if end.is_none() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes are expected at {start}, the file has {}",
                self.length
            )));
        }
        let mut bytes = vec![0; length];
        let mut source = self.lock();
        source.seek(SeekFrom::Start(start))?;
        source.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A reader at a place of its own.
pub(super) struct Place {
    shared: Shared,
    at: u64,
}

impl Read for Place {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut source = self.shared.lock();
        source.seek(SeekFrom::Start(self.at))?;
        let read = source.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
