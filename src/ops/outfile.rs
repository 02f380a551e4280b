//! Files that are handed out: never over something that is there already.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{Error, Result};
use crate::repo;

/// A new file to write to.
///
/// # Errors
///
/// [`Error::Refused`] if there is something with that name.
pub fn create(path: &Path) -> Result<File> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::Refused(format!("{} is there already", path.display())))
        }
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

fn io_error(path: &Path, source: io::Error) -> repo::Error {
    repo::Error::Io { path: path.to_path_buf(), source }
}
