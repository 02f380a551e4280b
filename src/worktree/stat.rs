//! What the file system says of a file without opening it.

use std::fs::File;
use std::io;

use rustix::fs::{FileType, Statx};

use super::platform;
use crate::model::Mode;

/// The stat data by which a file is known again. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Length in bytes.
    pub size: u64,
    /// When the content was changed, as far as the file says.
    pub mtime_ns: i64,
    /// When the file was changed in any way; nobody can set it.
    pub ctime_ns: i64,
    /// The file's number.
    pub inode: u64,
    /// What it is.
    pub mode: Mode,
}

impl Stat {
    /// Says nothing: no file has it.
    pub const UNKNOWN: Self =
        Self { size: 0, mtime_ns: i64::MIN, ctime_ns: i64::MIN, inode: 0, mode: Mode::File };

    /// How an opened file looks.
    ///
    /// # Errors
    ///
    /// What the operating system says; a file that is no regular one.
    pub fn of_file(file: &File) -> io::Result<Self> {
        let statx = platform::statx_of(file)?;
        Self::from_statx(&statx).map_err(|kind| io::Error::other(format!("it is a {kind}")))
    }

    /// Of a regular file or a symbolic link; of all else, what it is.
    pub(super) fn from_statx(statx: &Statx) -> Result<Self, &'static str> {
        let mode = match FileType::from_raw_mode(u32::from(statx.stx_mode)) {
            FileType::RegularFile if statx.stx_mode & 0o100 != 0 => Mode::Executable,
            FileType::RegularFile => Mode::File,
            FileType::Symlink => Mode::Symlink,
            FileType::Directory => return Err("directory"),
            FileType::Fifo => return Err("fifo"),
            FileType::Socket => return Err("socket"),
            FileType::CharacterDevice | FileType::BlockDevice => return Err("device"),
            FileType::Unknown => return Err("thing of unknown kind"),
        };
        Ok(Self {
            size: statx.stx_size,
            mtime_ns: nanoseconds(statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec),
            ctime_ns: nanoseconds(statx.stx_ctime.tv_sec, statx.stx_ctime.tv_nsec),
            inode: statx.stx_ino,
            mode,
        })
    }
}

fn nanoseconds(seconds: i64, rest: u32) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(rest))
}
