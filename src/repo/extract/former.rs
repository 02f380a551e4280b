//! What a file has in common with the one that lies in its place.
//!
//! Chunks that both have are read from the old file and hashed, which takes half the time of
//! decompressing them. Only where the old file lies in memory: from a disk the store, which is
//! compressed, is read faster.

use std::collections::HashMap;
use std::fs::File;
use std::io::IoSliceMut;

use rustix::io::{ReadWriteFlags, preadv2};

use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, Entry, FileRef, RepoPath};
use crate::repo::Repository;
use crate::repo::content::{ChunkList, has_one_chunk};
use crate::worktree::Root;

/// Of an old file so many chunks are known at most, which takes some 64 MB of memory.
const MOST_CHUNKS: usize = 1 << 20;

/// Files that lie, as they were recorded, where new ones will be written.
#[derive(Default)]
pub(crate) struct FormerFiles<'a> {
    root: Option<&'a Root>,
    files: HashMap<&'a RepoPath, FileRef>,
}

impl<'a> FormerFiles<'a> {
    /// Of `files` those that can have a part in common with another file.
    pub(crate) fn new(
        root: &'a Root,
        files: impl Iterator<Item = (&'a RepoPath, FileRef)>,
    ) -> Self {
        let files = files.filter(|(_, file)| !has_one_chunk(file)).collect();
        Self { root: Some(root), files }
    }

    /// The file that lies where `entry` will.
    pub(super) fn open(&self, repository: &Repository, entry: &Entry) -> Option<Former> {
        let old = self.files.get(&entry.path).filter(|_| !has_one_chunk(&entry.file))?;
        let list = ChunkList::of(repository, old).ok()?;
        let (file, stat) = self.root?.open_file(&entry.path).ok()?;
        let (mut places, mut offset) = (HashMap::new(), 0);
        for number in 0..list.part_count() {
            for chunk in list.part(repository, number).ok()? {
                places.insert(chunk.id, offset);
                offset += u64::from(chunk.len);
            }
            if places.len() >= MOST_CHUNKS {
                break;
            }
        }
        (stat.size == old.size).then_some(Former { file, places })
    }
}

/// An old file, and where its chunks lie.
pub(super) struct Former {
    file: File,
    places: HashMap<ChunkId, u64>,
}

impl Former {
    /// The bytes of a chunk, if they are there and in memory, and still those that they were.
    pub(super) fn chunk<'b>(&self, chunk: &ChunkRef, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        let offset = *self.places.get(&chunk.id)?;
        let len = chunk.len as usize;
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let bytes = &mut buffer[..len];
        let read =
            preadv2(&self.file, &mut [IoSliceMut::new(bytes)], offset, ReadWriteFlags::NOWAIT);
        (read == Ok(len) && ChunkId::of(bytes) == chunk.id).then_some(&*bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    /// Stat data may lie; a hash does not.
    #[test]
    fn only_the_bytes_of_the_chunk_are_taken() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one chunk, another").unwrap();
        let chunk = |bytes: &[u8]| ChunkRef { id: ChunkId::of(bytes), len: bytes.len() as u32 };
        let (one, another) = (chunk(b"one chunk,"), chunk(b" another"));
        let beyond = chunk(b"beyond the end");
        let places = HashMap::from([(one.id, 0), (another.id, 10), (beyond.id, 15)]);
        let former = Former { file: file.try_clone().unwrap(), places };
        let mut buffer = Vec::new();
        if preadv2(&file, &mut [IoSliceMut::new(&mut [0])], 0, ReadWriteFlags::NOWAIT).is_ok() {
            assert_eq!(former.chunk(&one, &mut buffer), Some(&b"one chunk,"[..]));
            assert_eq!(former.chunk(&another, &mut buffer), Some(&b" another"[..]));
        }
        assert_eq!(former.chunk(&beyond, &mut buffer), None);
        assert_eq!(former.chunk(&chunk(b"nowhere"), &mut buffer), None);
        file.rewind().unwrap();
        file.write_all(b"0ne").unwrap();
        assert_eq!(former.chunk(&one, &mut buffer), None, "the file has been changed");
    }
}
