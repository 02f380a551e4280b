//! A mark in `.stem` that files are being written: where it is found, one may be half written.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::repo::{Error, Result};

/// Files of the worktree are being written. The mark stays until all are.
pub(super) struct Writing {
    mark: PathBuf,
}

impl Writing {
    fn mark(dot: &Path) -> PathBuf {
        dot.join("writing")
    }

    /// Whether somebody began to write and did not come to the end. Nobody is at it now: updates
    /// hold the worktree's lock.
    pub(super) fn was_killed(dot: &Path) -> bool {
        Self::mark(dot).exists()
    }

    /// Leaves the mark. Journals of file systems keep the order of names, so that after a power
    /// cut no name of a file is there without it.
    pub(super) fn begin(dot: &Path) -> Result<Self> {
        let mark = Self::mark(dot);
        match File::options().write(true).create(true).truncate(false).open(&mark) {
            Ok(_) => Ok(Self { mark }),
            Err(source) => Err(Error::Io { path: mark, source }),
        }
    }

    /// Takes the mark away.
    pub(super) fn end(self) -> Result<()> {
        match fs::remove_file(&self.mark) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Io { path: self.mark, source })
            }
            _ => Ok(()),
        }
    }
}
