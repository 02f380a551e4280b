//! What is said of versions after they were made, and the id of any file on the disk.

use std::io::Read;
use std::path::Path;

use super::{Error, Repository, Result};
use crate::catalogue::{Change, Changeset};
use crate::model::{FileId, Record};

impl Repository {
    /// Adds records in one change, and gives the number of the journal's entry. No worktree and no
    /// pack is touched, so no lock is needed: two commands that add records at once both succeed.
    ///
    /// # Errors
    ///
    /// [`Error::NoAuthor`]; the catalogue's.
    pub fn add_records(
        &self,
        action: &str,
        subject: &str,
        message: Option<&str>,
        records: Vec<Record>,
    ) -> Result<u64> {
        let mut changeset = Changeset::new(&self.author()?, self.now(), action, subject);
        changeset.message = message.map(str::to_owned);
        changeset.changes = records.into_iter().map(|record| Change::Recorded { record }).collect();
        Ok(self.catalogue.apply(&changeset)?.number)
    }
}

/// The id of the content of a file anywhere on the disk: what `b3sum` prints. Links are followed.
///
/// # Errors
///
/// [`Error::Io`] if it is no file or cannot be read.
pub fn hash_any(path: &Path) -> Result<FileId> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(io)? {
            0 => return Ok(FileId::from_bytes(*hasher.finalize().as_bytes())),
            read => hasher.update(&buffer[..read]),
        };
    }
}
