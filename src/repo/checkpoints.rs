//! Checkpoints of the journal, as files beside the catalogue.
//!
//! They are recorded in the catalogue too; but a journal that lost its end has lost these records,
//! and is found out by the files. Best is a copy in another place.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, Place, Result};
use crate::sign::KeyId;

const EXTENSION: &str = "note";

/// A file that says that it is a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFile {
    /// The file.
    pub path: PathBuf,
    /// What it holds; bytes that are not UTF-8 are replaced, and no signature fits it then.
    pub note: String,
}

impl Place {
    /// Where checkpoints are kept: `checkpoints` beside the catalogue.
    pub fn checkpoints(&self) -> PathBuf {
        self.store.join("checkpoints")
    }

    /// The checkpoints that are kept here, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] for a file that cannot be read.
    pub fn list_checkpoints(&self) -> Result<Vec<CheckpointFile>> {
        let directory = self.checkpoints();
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Io { path, source }
        };
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io(&directory))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(io(&directory))?.path();
            if path.extension().is_some_and(|end| end == EXTENSION) {
                let bytes = std::fs::read(&path).map_err(io(&path))?;
                files.push(CheckpointFile {
                    path,
                    note: String::from_utf8_lossy(&bytes).into_owned(),
                });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Keeps a checkpoint; when this returns it is on the disk. One that is there already is the
    /// same, for the same key signs the same journal alike.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; also if another one has its name.
    pub fn keep_checkpoint(&self, size: u64, key: KeyId, note: &str) -> Result<PathBuf> {
        let directory = self.checkpoints();
        let path = directory.join(format!("{size:012}-{key}.{EXTENSION}"));
        let io = |source| Error::Io { path: path.clone(), source };
        std::fs::create_dir_all(&directory).map_err(io)?;
        let draft = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).open(&draft).map_err(io)?;
        file.write_all(note.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        match std::fs::read(&path) {
            Ok(there) if there != note.as_bytes() => {
                let other = "another checkpoint of this size and key is there";
                return Err(io(io::Error::new(io::ErrorKind::AlreadyExists, other)));
            }
            _ => std::fs::rename(&draft, &path).map_err(io)?,
        }
        let parents = [Some(directory.as_path()), directory.parent()];
        for parent in parents.into_iter().flatten() {
            File::open(parent).and_then(|directory| directory.sync_all()).map_err(io)?;
        }
        Ok(path)
    }
}
