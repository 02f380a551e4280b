//! The content of one stored file: its chunks, a range of it, all of it.

use super::{Error, Repository, Result};
use crate::chunk::Profile;
use crate::format::frame::Key;
use crate::format::recipe::{ChunkRef, Items, PartRef, decode_part, decode_recipe};
use crate::model::{FileId, FileRef};
use crate::store::{Location, Reader};

/// The chunks of a file, a part of the recipe at a time.
#[derive(Debug)]
pub struct ChunkList {
    /// The parts, each with how many bytes of the file it covers.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Listed(Vec<ChunkRef>),
    Stored(PartRef),
}

impl ChunkList {
    /// The chunks of `file`, which must be present: what is given out for a replaced one,
    /// [`Repository::delivered`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Erased`] and [`Error::Archived`]; [`Error::DamagedFile`] if the recipe is of another length; the store's.
    pub fn of(repository: &Repository, file: &FileRef) -> Result<Self> {
        let given = repository.delivered(file)?;
        if given.file != file.file {
            return Err(repository.admit(&file.file).err().unwrap_or_else(|| {
                damaged(&file.file, "a copy of it is given out in its place".into())
            }));
        }
        if file.size == 0 {
            return Ok(Self { parts: Vec::new() });
        }
        if !has_one_chunk(file) && has_recipe(repository, file)? {
            return Self::from_recipe(repository, file);
        }
        let len =
            u32::try_from(file.size).map_err(|_| damaged(&file.file, "it has no recipe".into()))?;
        Ok(Self { parts: vec![Part::Listed(vec![ChunkRef { id: file.file.into(), len }])] })
    }

    fn from_recipe(repository: &Repository, file: &FileRef) -> Result<Self> {
        let recipe = decode_recipe(&repository.get(&Key::recipe(&file.file))?)?;
        if recipe.size != file.size {
            let problem = format!("its recipe makes {} bytes of {}", recipe.size, file.size);
            return Err(damaged(&file.file, problem));
        }
        let parts = match recipe.items {
            Items::Chunks(chunks) => vec![Part::Listed(chunks)],
            Items::Parts(parts) => parts.into_iter().map(Part::Stored).collect(),
        };
        Ok(Self { parts })
    }

    /// How many parts the list has; each is at most 32,768 chunks.
    pub fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// How many bytes of the file a part covers.
    pub fn part_bytes(&self, number: usize) -> u64 {
        match &self.parts[number] {
            Part::Listed(chunks) => chunks.iter().map(|chunk| u64::from(chunk.len)).sum(),
            Part::Stored(part) => part.len,
        }
    }

    /// The chunks of one part.
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn part(&self, repository: &Repository, number: usize) -> Result<Vec<ChunkRef>> {
        match &self.parts[number] {
            Part::Listed(chunks) => Ok(chunks.clone()),
            Part::Stored(part) => Ok(decode_part(&repository.get(&Key::recipe_part(part.id))?)?),
        }
    }

    /// The keys of the recipe's parts that are objects of their own.
    pub fn stored_parts(&self) -> impl Iterator<Item = Key> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Stored(part) => Some(Key::recipe_part(part.id)),
            Part::Listed(_) => None,
        })
    }
}

/// Whether the store has a recipe for a file. One without is of one chunk, and to take a file of several
/// for that would give them up: so a table over many packs, which may be damaged, is not believed
/// where it says that neither is there.
fn has_recipe(repository: &Repository, file: &FileRef) -> Result<bool> {
    let (recipe, chunk) = (Key::recipe(&file.file), Key::chunk(&file.file.into()));
    let lies = |key: &Key| repository.with_packs(|| Ok(repository.store.contains(key)?));
    if lies(&recipe)? {
        return Ok(true);
    }
    if lies(&chunk)? {
        return Ok(false);
    }
    let longest = Profile::Lines.sizes().max.max(Profile::Bytes.sizes().max) as u64;
    Ok(file.size > longest || repository.has(&recipe)?)
}

/// Whether a file is so short that it is one chunk in every profile.
pub(super) fn has_one_chunk(file: &FileRef) -> bool {
    file.size <= Profile::Lines.sizes().target.min(Profile::Bytes.sizes().target) as u64
}

fn damaged(file: &FileId, problem: String) -> Error {
    Error::DamagedFile { file: *file, problem }
}

/// Reads the content of files, checked chunk by chunk.
pub struct Content<'a> {
    repository: &'a Repository,
    reader: Reader,
    buffer: Vec<u8>,
}

impl<'a> Content<'a> {
    /// A reader of `repository`, for one thread.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn new(repository: &'a Repository) -> Result<Self> {
        Ok(Self { repository, reader: repository.store.reader()?, buffer: Vec::new() })
    }

    /// Gives the bytes from `start` up to `end` to `sink`, piece by piece.
    ///
    /// # Errors
    ///
    /// What `sink` fails with, and whatever keeps a chunk from being read whole and right.
    pub fn range(
        &mut self,
        file: &FileRef,
        start: u64,
        end: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let list = ChunkList::of(self.repository, file)?;
        let mut at = 0;
        for number in 0..list.part_count() {
            let bytes = list.part_bytes(number);
            if at + bytes > start && at < end {
                self.range_of_part(&list, number, at, start, end, sink)?;
            }
            at += bytes;
        }
        Ok(())
    }

    fn range_of_part(
        &mut self,
        list: &ChunkList,
        number: usize,
        mut at: u64,
        start: u64,
        end: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for chunk in list.part(self.repository, number)? {
            let len = u64::from(chunk.len);
            if at + len > start && at < end {
                let bytes = self.chunk(&chunk)?;
                let from = start.saturating_sub(at) as usize;
                let to = (end - at).min(len) as usize;
                sink(&bytes[from..to])?;
            }
            at += len;
        }
        Ok(())
    }

    /// The bytes of a chunk.
    ///
    /// # Errors
    ///
    /// The store's; [`Error::DamagedFile`] if the chunk has another length than its recipe says.
    pub fn chunk(&mut self, chunk: &ChunkRef) -> Result<&[u8]> {
        let Self { repository, reader, buffer } = self;
        let key = Key::chunk(&chunk.id);
        repository.with_packs(|| Ok(reader.read(&key, Some(chunk.len), buffer)?))?;
        if buffer.len() != chunk.len as usize {
            let problem = format!("chunk {} is not {} bytes long", chunk.id, chunk.len);
            return Err(damaged(&FileId::from_bytes(*chunk.id.as_bytes()), problem));
        }
        Ok(buffer)
    }

    /// Shows the bytes of a chunk to `look`, from where it lay when that was asked for, if it still
    /// does.
    ///
    /// # Errors
    ///
    /// As [`Content::chunk`].
    pub fn chunk_at<T>(
        &mut self,
        chunk: &ChunkRef,
        place: Option<Location>,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let key = Key::chunk(&chunk.id);
        let found = place.and_then(|place| self.reader.fetch_at(&place, &key, Some(chunk.len)));
        if let Some(bytes) = found.filter(|bytes| bytes.len() == chunk.len as usize) {
            return Ok(look(bytes));
        }
        Ok(look(self.chunk(chunk)?))
    }

    /// Reads a file of any length whole, and holds it against its id.
    ///
    /// # Errors
    ///
    /// As [`Content::whole`].
    pub fn check(&mut self, file: &FileRef) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        self.range(file, 0, file.size, &mut |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        match FileId::from_bytes(*hasher.finalize().as_bytes()) == file.file {
            true => Ok(()),
            false => Err(damaged(&file.file, "its chunks make another file".into())),
        }
    }

    /// The whole of a file that fits in memory, checked against its id.
    ///
    /// # Errors
    ///
    /// As [`Content::range`]; [`Error::DamagedFile`] if the chunks make another file.
    pub fn whole(&mut self, file: &FileRef) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(file.size.min(1 << 30) as usize);
        self.range(file, 0, file.size, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        if FileId::of(&bytes) != file.file {
            return Err(damaged(&file.file, "its chunks make another file".into()));
        }
        Ok(bytes)
    }
}
