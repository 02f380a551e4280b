//! Files that are handed out: never over something that is there already.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, Result};
use crate::repo;

/// A new file to write to.
///
/// # Errors
///
/// [`Error::Refused`] if there is something with that name.
pub fn create(path: &Path) -> Result<File> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(path)),
        opened => Ok(opened.map_err(|source| io_error(path, source))?),
    }
}

/// Writes a new file; when this returns it is on the disk.
///
/// # Errors
///
/// As [`create`]; what keeps it from being written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    Ok(written.map_err(|source| io_error(path, source))?)
}

/// A directory of files that are handed out.
#[derive(Debug)]
pub struct Folder {
    place: PathBuf,
    dry_run: bool,
    /// The files that were written, or would be.
    pub written: Vec<PathBuf>,
}

impl Folder {
    /// Makes the directory if it is not there; a dry run makes nothing.
    ///
    /// # Errors
    ///
    /// What keeps it from being made.
    pub fn new(place: &Path, dry_run: bool) -> Result<Self> {
        if !dry_run {
            std::fs::create_dir_all(place).map_err(|source| io_error(place, source))?;
        }
        Ok(Self { place: place.to_path_buf(), dry_run, written: Vec::new() })
    }

    /// Writes a new file in it.
    ///
    /// # Errors
    ///
    /// As [`write()`]; also a dry run refuses a name that is taken.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.place.join(name);
        match self.dry_run {
            true if path.symlink_metadata().is_ok() => return Err(taken(&path)),
            true => {}
            false => write(&path, bytes)?,
        }
        self.written.push(path);
        Ok(())
    }
}

fn taken(path: &Path) -> Error {
    Error::Refused(format!("{} is there already", path.display()))
}

fn io_error(path: &Path, source: io::Error) -> repo::Error {
    repo::Error::Io { path: path.to_path_buf(), source }
}
