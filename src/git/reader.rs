//! Reading objects, each checked against its id.

use std::path::{Path, PathBuf};

use gix::objs::{Find, Kind, TagRef};

use crate::model::{Author, Time};

use super::commit::{Parts, signature};
use super::{Error, GitId, TagNote, text};

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who. A name that is empty in Git is `unknown` here.
    pub author: Author,
    /// When; 1970 if Git's record cannot be understood, as Git shows it.
    pub time: Time,
    /// Minutes that the clock there was ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: GitId,
    /// The tree of files.
    pub tree: GitId,
    /// What it continues, in Git's order. May name commits outside of the range that was asked for.
    pub parents: Vec<GitId>,
    /// Who wrote it.
    pub author: Signature,
    /// Who committed it.
    pub committer: Signature,
    /// The message with its line ends, decoded from the encoding that the commit names.
    pub message: String,
}

/// Reads a history's objects; one for each thread.
pub struct Reader {
    pub(super) repository: gix::Repository,
    pub(super) path: PathBuf,
    pub(super) directory: Vec<u8>,
    buffer: Vec<u8>,
}

/// How many bytes of trees and commits a reader keeps, for the next commit shares most of them.
const OBJECT_CACHE_BYTES: usize = 16 << 20;

/// How many bytes of objects a reader keeps that others in a pack are written as differences to.
const BASE_CACHE_BYTES: usize = 32 << 20;

impl Reader {
    pub(super) fn new(mut repository: gix::Repository, path: &Path, directory: &[u8]) -> Self {
        // An id means its own bytes here, whatever `git replace` shows instead.
        repository.objects.ignore_replacements = true;
        repository.object_cache_size_if_unset(OBJECT_CACHE_BYTES);
        let bases = || -> Box<gix::odb::cache::PackCache> {
            Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(BASE_CACHE_BYTES))
        };
        repository.objects.set_pack_cache(bases);
        Self { repository, path: path.into(), directory: directory.into(), buffer: Vec::new() }
    }

    /// The commit `id`.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`].
    pub fn commit(&mut self, id: GitId) -> Result<Commit, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read(id, Kind::Commit, &mut buffer).and_then(|()| {
            let parsed = Parts::of(&buffer, id.0.kind());
            let commit = parsed.map_err(|problem| self.damaged(id, "commit", problem))?;
            Ok(Commit {
                id,
                tree: GitId(commit.tree),
                parents: commit.parents.iter().copied().map(GitId).collect(),
                author: commit.author(),
                committer: commit.committer(),
                message: commit.message(),
            })
        });
        self.buffer = buffer;
        result
    }

    /// Puts the content of the blob `id` into `content`, in place of what was there.
    ///
    /// Git's objects can only be read whole, so this needs as much memory as the file is long.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`]; `content` is then empty.
    pub fn read_blob(&self, id: GitId, content: &mut Vec<u8>) -> Result<(), Error> {
        self.read(id, Kind::Blob, content).inspect_err(|_| content.clear())
    }

    /// How many bytes the blob `id` has, without reading it all.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`].
    pub fn blob_size(&self, id: GitId) -> Result<u64, Error> {
        if id.0.is_empty_blob() {
            return Ok(0);
        }
        match self.repository.try_find_header(id.0) {
            Ok(Some(header)) if header.kind() == Kind::Blob => Ok(header.size()),
            Ok(Some(header)) => Err(self.damaged(id, "blob", wrong_kind(header.kind()))),
            Ok(None) => Err(self.missing(id, "blob")),
            Err(source) => Err(self.damaged(id, "blob", source)),
        }
    }

    /// The object that `id` leads to through any number of tags, and what the first tag says.
    pub(super) fn follow_tags(&self, id: GitId) -> Result<(GitId, Kind, Option<TagNote>), Error> {
        let (mut id, mut note) = (id, None);
        let mut buffer = Vec::new();
        loop {
            let found = self.repository.try_find_header(id.0);
            let header = found.map_err(|source| self.damaged(id, "object", source))?;
            let kind = header.ok_or_else(|| self.missing(id, "object"))?.kind();
            if kind != Kind::Tag {
                return Ok((id, kind, note));
            }
            self.read(id, Kind::Tag, &mut buffer)?;
            let parsed = TagRef::from_bytes(&buffer, id.0.kind());
            let tag = parsed.map_err(|source| self.damaged(id, "tag", source))?;
            note.get_or_insert_with(|| TagNote {
                message: text::decode(tag.message, None),
                tagger: tag.tagger.map(|tagger| signature(tagger, None)),
            });
            id = GitId(tag.target());
        }
    }

    /// Puts the bytes of an object into `buffer`, checked against the id.
    pub(super) fn read(&self, id: GitId, kind: Kind, buffer: &mut Vec<u8>) -> Result<(), Error> {
        buffer.clear();
        // Git knows these two without keeping them.
        if id.0.is_empty_blob() || id.0.is_empty_tree() {
            return Ok(());
        }
        let name = kind_name(kind);
        let found = self.repository.objects.try_find(&id.0, buffer);
        let object = found.map_err(|source| self.damaged(id, name, source))?;
        let object = object.ok_or_else(|| self.missing(id, name))?;
        if object.kind != kind {
            return Err(self.damaged(id, name, wrong_kind(object.kind)));
        }
        let length = object.data.len();
        let checked = object.verify_checksum(&id.0);
        checked.map_err(|source| self.damaged(id, name, source))?;
        buffer.truncate(length);
        Ok(())
    }

    pub(super) fn missing(&self, id: GitId, kind: &'static str) -> Error {
        Error::Missing { kind, id, path: self.path.clone() }
    }

    pub(super) fn damaged(
        &self,
        id: GitId,
        kind: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Damaged { kind, id, path: self.path.clone(), source: source.into() }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Commit => "commit",
        Kind::Tree => "tree",
        Kind::Blob => "blob",
        Kind::Tag => "tag",
    }
}

fn wrong_kind(kind: Kind) -> String {
    format!("it is a {}", kind_name(kind))
}
