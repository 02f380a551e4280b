//! A file that is being written.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{AtFlags, renameat, unlinkat};
use rustix::io::Errno;

use super::WriteError;
use super::hand::Writer;
use crate::model::RepoPath;
use crate::worktree::Stat;

/// Zeros of at least this length become a hole.
const HOLE_BYTES: usize = 8 << 10;

/// Where a file will be.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) writer: &'a Writer,
    pub(super) directory: Arc<OwnedFd>,
    pub(super) name: CString,
    /// The name it has until it is finished, if that is another.
    pub(super) temporary: Option<CString>,
    pub(super) path: RepoPath,
}

/// A file that is being written. Dropped before it is finished, it goes away.
#[derive(Debug)]
pub struct NewFile<'a> {
    file: File,
    place: Place<'a>,
    size: u64,
    written: u64,
    has_holes: AtomicBool,
    finished: bool,
}

impl<'a> NewFile<'a> {
    /// Up to this length a file may be written in its place.
    pub const IN_PLACE_BYTES: u64 = 1 << 20;

    pub(super) fn new(file: OwnedFd, place: Place<'a>, size: u64) -> Self {
        let file = File::from(file);
        let has_holes = AtomicBool::new(false);
        Self { file, place, size, written: 0, has_holes, finished: false }
    }

    fn failed(&self, error: &std::io::Error) -> WriteError {
        let error = Errno::from_io_error(error).unwrap_or(Errno::IO);
        self.place.writer.failed(&self.place.path, error)
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes bytes at an offset; threads may do so at the same time.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        if self.leaves_out(bytes) {
            self.has_holes.store(true, Relaxed);
            return Ok(());
        }
        self.file.write_all_at(bytes, offset).map_err(|error| self.failed(&error))
    }

    /// Whether these bytes become a hole, so that writing them costs nothing.
    pub fn leaves_out(&self, bytes: &[u8]) -> bool {
        self.size > Self::IN_PLACE_BYTES && is_hole(bytes)
    }

    /// Gives the file its length and its name, and says how it looks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn finish(mut self) -> Result<Stat, WriteError> {
        if self.has_holes.load(Relaxed) {
            self.file.set_len(self.size).map_err(|error| self.failed(&error))?;
        }
        if let Some(temporary) = &self.place.temporary {
            let directory = &*self.place.directory;
            renameat(directory, temporary, directory, &self.place.name)
                .map_err(|error| self.place.writer.failed(&self.place.path, error))?;
        }
        self.finished = true;
        Stat::of_file(&self.file).map_err(|error| self.failed(&error))
    }
}

fn is_hole(bytes: &[u8]) -> bool {
    bytes.len() >= HOLE_BYTES && bytes.chunks(64).all(|chunk| chunk.iter().all(|&byte| byte == 0))
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let name = self.place.temporary.as_ref().unwrap_or(&self.place.name);
            // What cannot be removed stays under a name that is ignored, or is a beginning.
            let _ = unlinkat(&*self.place.directory, name, AtFlags::empty());
        }
    }
}
