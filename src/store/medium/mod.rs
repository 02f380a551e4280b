//! The only way by which the store reaches files.
//!
//! Here: the few calls the store needs, the real ones ([`Disk`]), and the doubles that tests put in
//! their place ([`doubles`]).
//! Not here: what the files mean.
//! Invariant: nothing is ever written in place: files are made new, filled, and renamed.

mod disk;
#[doc(hidden)]
pub mod doubles;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

pub use disk::Disk;

/// Where files are being made. Whatever lies here belongs to a running session or to none.
pub const TMP: &str = "tmp";
/// Where packs lie.
pub const PACKS: &str = "packs";
/// Where tables over many packs lie; all of them can be made again.
pub const INDEX: &str = "index";

/// A place for the files of a store: three flat directories, [`TMP`], [`PACKS`] and [`INDEX`].
///
/// Names are `directory/name`. Callers may rely on this:
/// - a file has under its new name the content that it had when it was renamed;
/// - content survives a crash only if [`MediumFile::sync`] returned without an error after it was
///   written, a name only if [`Medium::sync_dir`] did so after the rename; without them either may
///   be lost, in part, and in any order;
/// - only regular files are opened, and links are not followed.
pub trait Medium: Send + Sync + Debug {
    /// Makes a new, empty file.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is something of that name.
    fn create_new(&self, name: &str) -> io::Result<Box<dyn MediumFile>>;

    /// Gives a file a name that nothing has yet.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is something of the new name; nothing has then changed.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed in a directory survive a crash.
    ///
    /// # Errors
    ///
    /// After any error nothing is known about what would survive; the call must not be repeated in
    /// the hope of another answer.
    fn sync_dir(&self, directory: &str) -> io::Result<()>;

    /// Opens a file for reading. An open file can be read to its end even after it was removed.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InvalidInput` for anything but a regular file.
    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumRead>>;

    /// The names of everything in a directory, without the directory, in any order.
    ///
    /// # Errors
    ///
    /// When the listing could not be read to its end. A directory that is not there is an error.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file that is being written, from front to back.
pub trait MediumFile: Send + Debug {
    /// Writes all of `bytes` after what was written before.
    ///
    /// # Errors
    ///
    /// When not all was written; the file is then of no use.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was written survive a crash.
    ///
    /// # Errors
    ///
    /// After any error the content counts as lost: the operating system has dropped what it could
    /// not write, and a second call would report success.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is being read.
pub trait MediumRead: Send + Sync + Debug {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn len(&self) -> io::Result<u64>;

    /// Whether there is nothing in it.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The bytes of `range`, mapped into memory where that can be done.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file ends before the range does.
    fn map(&self, range: Range<u64>) -> io::Result<Mapped>;
}

/// Bytes of a file, mapped or read.
#[derive(Debug)]
pub enum Mapped {
    /// Mapped: read when they are looked at.
    Map(memmap2::Mmap),
    /// Read into memory.
    Read(Vec<u8>),
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

/// `directory/name`.
pub(super) fn join(directory: &str, name: impl std::fmt::Display) -> String {
    format!("{directory}/{name}")
}
