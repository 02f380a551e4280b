//! The cache of stat data: which files were last seen how, grouped by directory.
//!
//! Here: loading, looking up, writing. `docs/format.md`, "The worktree's index", has the bytes.
//! Not here: comparing it with the files (`scan`).
//! Invariant: an index is written whole or not at all, and never changed in place.

mod layout;
mod write;

use std::path::Path;

use layout::Layout;
pub(super) use layout::{Rows, mode_code, mode_of};

use super::{Error, FileList, Result, Stat};
use crate::model::{FileRef, ManifestId, RepoPath};

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What is staged.
    pub file: FileRef,
    /// How the file looked when it had this content.
    pub stat: Stat,
}

/// What is to be another way in an index: what is known of files now, and those it forgets.
#[derive(Debug, Clone, Copy)]
pub enum Changes<'a> {
    /// In any order.
    Some(&'a [(RepoPath, Option<Record>)]),
    /// A long list, which was put together in path order, and paths that are forgotten.
    Many(&'a FileList<(RepoPath, Record)>, &'a [RepoPath]),
}

/// An index, as it was when it was loaded.
#[derive(Debug, Default)]
pub struct Index {
    layout: Option<Layout>,
}

impl Index {
    /// An index without files, of no listing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The index at `path`; none if there is no such file.
    ///
    /// # Errors
    ///
    /// [`Error::IndexDamaged`], [`Error::Io`].
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let failed = |source| Error::Io { path: path.to_path_buf(), source };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let damaged = |problem| Error::IndexDamaged { path: path.to_path_buf(), problem };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(damaged("it is no regular file"));
        }
        let layout = Layout::map(&file).map_err(failed)?.map_err(damaged)?;
        Ok(Some(Self { layout: Some(layout) }))
    }

    /// The listing that it agrees with.
    pub fn base(&self) -> Option<ManifestId> {
        self.layout.as_ref().map(Layout::base)
    }

    /// The file system's moment from which on a ctime leaves doubt.
    pub fn as_of(&self) -> i64 {
        self.layout.as_ref().map_or(i64::MIN, Layout::as_of)
    }

    /// How many files it knows.
    pub fn len(&self) -> u64 {
        self.layout.as_ref().map_or(0, Layout::len)
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of a path.
    pub fn get(&self, path: &RepoPath) -> Option<Record> {
        let layout = self.layout.as_ref()?;
        let rows = layout.directory(layout.find_directory(path.directory())?)?;
        rows.record(rows.find(path.name())?)
    }

    /// Whether a file that looks like this may have been changed since without looking otherwise:
    /// its ctime, which nobody can set, is not before the moment the index was begun.
    pub fn is_racy(&self, stat: &Stat) -> bool {
        stat.ctime_ns >= self.as_of() || *stat == Stat::UNKNOWN
    }

    /// How many directories have files of their own.
    pub(super) fn directories(&self) -> usize {
        self.layout.as_ref().map_or(0, Layout::directories)
    }

    /// The files of one directory.
    pub(super) fn rows(&self, directory: usize) -> Option<Rows<'_>> {
        self.layout.as_ref()?.directory(directory)
    }

    /// The place of a directory with files of its own.
    pub(super) fn find_directory(&self, path: &[u8]) -> Option<usize> {
        self.layout.as_ref()?.find_directory(path)
    }

    /// The places of the directories below `path` (not itself).
    pub(super) fn below(&self, path: &[u8]) -> std::ops::Range<usize> {
        self.layout.as_ref().map_or(0..0, |layout| layout.below(path))
    }

    /// Writes an index of `entries`, in any order, to `path`.
    ///
    /// # Errors
    ///
    /// [`Error::IndexWrite`].
    pub fn build(
        path: &Path,
        base: ManifestId,
        as_of: i64,
        entries: impl IntoIterator<Item = (RepoPath, Record)>,
    ) -> Result<()> {
        let changes: Vec<_> =
            entries.into_iter().map(|(path, record)| (path, Some(record))).collect();
        Self::empty().update(path, base, as_of, Changes::Some(&changes))
    }

    /// Writes this index with `changes` to `path`. Files that left doubt in this index and are
    /// not among the changes are looked at again whatever they look like.
    ///
    /// # Errors
    ///
    /// [`Error::IndexWrite`].
    pub fn update(
        &self,
        path: &Path,
        base: ManifestId,
        as_of: i64,
        changes: Changes<'_>,
    ) -> Result<()> {
        write::update(self, path, base, as_of, changes)
            .map_err(|source| Error::IndexWrite { path: path.to_path_buf(), source })
    }
}
