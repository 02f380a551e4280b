//! Presence: what is given out in the place of content that was erased, replaced or archived.
//!
//! Here: the overlay that readers and writers ask. Not here: how content goes (`ops::erase`).
//! Invariant: a file whose content is gone is never read and never taken in again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::banned::Ban;
use super::{Error, Repository, Result};
use crate::model::{FileId, FileRef, Presence, RepoPath};

/// So many redacted copies of copies are followed.
const LONGEST_CHAIN: usize = 64;

/// Every file whose content is not present.
#[derive(Debug, Default)]
pub struct Overlay {
    files: HashMap<FileId, Presence>,
    /// The lengths of what may not come back.
    banned_sizes: HashSet<u64>,
    /// The records that may not come back.
    bans: Vec<Arc<Ban>>,
}

/// A path whose content cannot be given out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Absent {
    /// Where it would lie.
    pub path: RepoPath,
    /// The file.
    pub file: FileId,
    /// What became of it.
    #[serde(flatten)]
    pub presence: Presence,
}

impl Overlay {
    /// What became of a file; nothing if it is present.
    pub fn get(&self, file: &FileId) -> Option<&Presence> {
        self.files.get(file)
    }

    /// Whether everything is present.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Every file whose content is not present.
    pub fn files(&self) -> impl Iterator<Item = (&FileId, &Presence)> {
        self.files.iter()
    }

    /// The same, and these files as well.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = (FileId, Presence)>) -> Self {
        let mut files = self.files.clone();
        files.extend(more);
        Self { files, banned_sizes: self.banned_sizes.clone(), bans: self.bans.clone() }
    }

    /// What is given out for `file`: itself, or a redacted copy of it.
    ///
    /// # Errors
    ///
    /// [`Error::Erased`] or [`Error::Archived`] if nothing is.
    pub fn delivered(&self, file: &FileRef) -> Result<FileRef> {
        if self.files.is_empty() {
            return Ok(*file);
        }
        let mut now = *file;
        for _ in 0..LONGEST_CHAIN {
            now = match self.files.get(&now.file) {
                None => return Ok(now),
                Some(Presence::Replaced { by, by_size, .. }) => {
                    FileRef { mode: now.mode, size: *by_size, file: *by }
                }
                Some(gone) => return Err(absent(&now.file, gone)),
            };
        }
        Err(Error::Lost {
            what: format!("the copy of {}, which goes round in a circle", file.file),
        })
    }

    /// Whether nothing is given out for `file`.
    pub fn is_gone(&self, file: &FileRef) -> bool {
        !self.files.is_empty() && self.delivered(file).is_err()
    }

    /// Refuses content that was erased or replaced. What was archived may be added again.
    ///
    /// # Errors
    ///
    /// [`Error::Erased`].
    pub fn admit(&self, file: &FileId) -> Result<()> {
        match self.files.get(file) {
            Some(gone) if gone.certificate().is_some() => Err(absent(file, gone)),
            _ => Ok(()),
        }
    }

    /// Whether there are records that may not come back.
    pub fn bans_records(&self) -> bool {
        !self.bans.is_empty()
    }

    pub(super) fn bans(&self) -> &[Arc<Ban>] {
        &self.bans
    }

    /// Whether a file of this length may be one that must not come back.
    pub fn may_refuse(&self, size: u64) -> bool {
        self.banned_sizes.contains(&size)
    }
}

fn absent(file: &FileId, gone: &Presence) -> Error {
    match gone {
        Presence::Erased { certificate, .. } | Presence::Replaced { certificate, .. } => {
            Error::Erased { file: *file, certificate: certificate.clone() }
        }
        Presence::Archived { place, .. } => Error::Archived { file: *file, place: place.clone() },
    }
}

impl Repository {
    /// What is known of content that is not present, as of the last [`Repository::refresh`].
    pub fn overlay(&self) -> Arc<Overlay> {
        Arc::clone(&self.overlay.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is given out for `file`: itself, or a redacted copy of it.
    ///
    /// # Errors
    ///
    /// [`Error::Erased`] or [`Error::Archived`] if nothing is.
    pub fn delivered(&self, file: &FileRef) -> Result<FileRef> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner).delivered(file)
    }

    /// Refuses content that was erased or replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Erased`].
    pub fn admit(&self, file: &FileId) -> Result<()> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner).admit(file)
    }

    /// Reads from the catalogue what became of content.
    pub(super) fn read_overlay(&self) -> Result<()> {
        let rows = self.catalogue.presence()?;
        let mut now = self.overlay.write().unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() && now.is_empty() {
            return Ok(());
        }
        let replaced = rows.iter().filter(|row| matches!(row.presence, Presence::Replaced { .. }));
        let certificates = replaced.filter_map(|row| row.presence.certificate()).collect();
        let bans = self.bans(&certificates, &now.bans)?;
        let banned = rows.iter().filter(|row| row.presence.certificate().is_some());
        *now = Arc::new(Overlay {
            bans,
            banned_sizes: banned.map(|row| row.presence.size()).collect(),
            files: rows.into_iter().map(|row| (row.file, row.presence)).collect(),
        });
        Ok(())
    }

    /// What of `file` cannot be given out at `path`; nothing if it can.
    pub fn absence(&self, path: &RepoPath, file: &FileRef) -> Option<Absent> {
        let overlay = self.overlay();
        let mut now = *file;
        for _ in 0..LONGEST_CHAIN {
            match overlay.get(&now.file)? {
                Presence::Replaced { by, by_size, .. } => {
                    now = FileRef { mode: now.mode, size: *by_size, file: *by };
                }
                gone => {
                    let (path, presence) = (path.clone(), gone.clone());
                    return Some(Absent { path, file: file.file, presence });
                }
            }
        }
        None
    }
}
