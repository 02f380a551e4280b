//! The chunks of a file, in order.
//!
//! A file of up to [`MAX_CHUNKS`] chunks has one recipe; a longer one has a recipe of parts, so
//! that neither writer nor reader ever holds more than one part. A file of one chunk, or of no
//! bytes, has none. See `docs/format.md`, "Recipes".

use crate::model::{ChunkId, Profile};

use super::Error;
use super::bytes::{Input, put_varint};

/// How many chunks a recipe or a part of one lists at most; every part but the last lists as many.
pub const MAX_CHUNKS: usize = 32_768;
/// How many parts a recipe lists at most.
pub const MAX_PARTS: usize = 262_144;
/// The length of the longest chunk, in bytes.
pub const MAX_CHUNK_BYTES: u32 = 16 << 20;

const FORMAT: u8 = 1;
const PART_MAGIC: [u8; 2] = [0xe5, b'P'];
const CHECK_BYTES: usize = 32;

/// One chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkRef {
    /// Which chunk.
    pub id: ChunkId,
    /// Its length in bytes.
    pub len: u32,
}

/// One part of a long recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartRef {
    /// BLAKE3 of the bytes of the part.
    pub id: [u8; 32],
    /// The length in bytes of the piece of the file that the part describes.
    pub len: u64,
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The rule by which the file was cut.
    pub profile: Profile,
    /// The length of the file in bytes: the sum of the lengths of the items.
    pub size: u64,
    /// What to put together.
    pub items: Items,
}

/// The pieces of a file, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// All chunks.
    Chunks(Vec<ChunkRef>),
    /// Lists of chunks, to be read one after the other with [`decode_part`].
    Parts(Vec<PartRef>),
}

/// A part as an object: its id and its bytes.
pub type Part = ([u8; 32], Vec<u8>);

/// What remains to be stored when a file has been read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Parts, to be stored before the recipe.
    pub parts: Vec<Part>,
    /// The recipe, to be kept under the id of the file; none if the file has fewer than 2 chunks.
    pub recipe: Option<Vec<u8>>,
}

/// Builds the recipe of a file from its chunks while they are cut. Memory does not grow with the
/// file, apart from 40 bytes for every [`MAX_CHUNKS`] chunks.
#[derive(Debug)]
pub struct RecipeBuilder {
    profile: Profile,
    items: Vec<u8>,
    count: usize,
    items_len: u64,
    parts: Vec<PartRef>,
    size: u64,
}

impl RecipeBuilder {
    /// A recipe of a file that is cut by `profile`, without chunks as yet.
    pub fn new(profile: Profile) -> Self {
        Self { profile, items: Vec::new(), count: 0, items_len: 0, parts: Vec::new(), size: 0 }
    }

    /// Adds the next chunk. Now and then a part is full: its id and bytes, to be stored now.
    pub fn push(&mut self, chunk: ChunkRef) -> Option<Part> {
        let full = (self.count == MAX_CHUNKS).then(|| self.take_part());
        self.items.extend_from_slice(chunk.id.as_bytes());
        put_varint(&mut self.items, u64::from(chunk.len));
        self.count += 1;
        self.items_len += u64::from(chunk.len);
        self.size += u64::from(chunk.len);
        full
    }

    /// The end of the file is reached.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the file has more than [`MAX_PARTS`] parts.
    pub fn finish(mut self) -> Result<Finished, Error> {
        if self.parts.is_empty() {
            let recipe = (self.count > 1).then(|| self.encode(0, self.count, &self.items));
            return Ok(Finished { parts: Vec::new(), recipe });
        }
        let last = self.take_part();
        if self.parts.len() > MAX_PARTS {
            return Err(Error::TooLarge {
                what: "recipe of a file",
                limit: "at most 262144 parts of 32768 chunks",
            });
        }
        let mut items = Vec::with_capacity(self.parts.len() * 40);
        for part in &self.parts {
            items.extend_from_slice(&part.id);
            put_varint(&mut items, part.len);
        }
        let recipe = self.encode(1, self.parts.len(), &items);
        Ok(Finished { parts: vec![last], recipe: Some(recipe) })
    }

    fn take_part(&mut self) -> Part {
        let mut bytes = Vec::with_capacity(self.items.len() + 8);
        bytes.extend(PART_MAGIC);
        bytes.push(FORMAT);
        put_varint(&mut bytes, self.count as u64);
        bytes.append(&mut self.items);
        let id = *blake3::hash(&bytes).as_bytes();
        self.parts.push(PartRef { id, len: self.items_len });
        (self.count, self.items_len) = (0, 0);
        (id, bytes)
    }

    fn encode(&self, level: u8, count: usize, items: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; CHECK_BYTES];
        bytes.extend([FORMAT, self.profile.code(), level]);
        put_varint(&mut bytes, self.size);
        put_varint(&mut bytes, count as u64);
        bytes.extend_from_slice(items);
        let check = blake3::hash(&bytes[CHECK_BYTES..]);
        bytes[..CHECK_BYTES].copy_from_slice(check.as_bytes());
        bytes
    }
}

/// Whether `bytes` begin with the BLAKE3 hash of the rest, as a recipe does. It is kept under the
/// id of the file it describes, so this is how damage is found without reading the file.
pub fn is_intact(bytes: &[u8]) -> bool {
    bytes
        .split_at_checked(CHECK_BYTES)
        .is_some_and(|(check, rest)| blake3::hash(rest).as_bytes() == check)
}

/// Reads a recipe.
///
/// # Errors
///
/// [`Error::Damaged`] and [`Error::UnknownFormat`].
pub fn decode_recipe(bytes: &[u8]) -> Result<Recipe, Error> {
    let mut input = Input::new(bytes, "recipe");
    if !is_intact(bytes) {
        return input.damaged("its bytes do not have the hash that they begin with");
    }
    input.take(CHECK_BYTES)?;
    read_format(&mut input, "recipe")?;
    let Some(profile) = Profile::from_code(input.byte()?) else {
        return input.damaged("its profile is unknown");
    };
    let level = input.byte()?;
    let size = input.varint()?;
    let (items, sum) = match level {
        0 => {
            let (chunks, sum) = read_chunks(&mut input, 2)?;
            (Items::Chunks(chunks), Some(sum))
        }
        1 => {
            let parts = read_parts(&mut input)?;
            let sum = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.len));
            (Items::Parts(parts), sum)
        }
        _ => return input.damaged("its level is neither 0 nor 1"),
    };
    input.end()?;
    if sum != Some(size) {
        return input.damaged("its size is not the sum of its items");
    }
    Ok(Recipe { profile, size, items })
}

/// Reads a part of a recipe: its chunks.
///
/// # Errors
///
/// [`Error::Damaged`] and [`Error::UnknownFormat`].
pub fn decode_part(bytes: &[u8]) -> Result<Vec<ChunkRef>, Error> {
    let mut input = Input::new(bytes, "recipe part");
    if input.take(PART_MAGIC.len())? != PART_MAGIC {
        return input.damaged("it does not begin as one");
    }
    read_format(&mut input, "recipe part")?;
    let (chunks, _) = read_chunks(&mut input, 1)?;
    input.end()?;
    Ok(chunks)
}

fn read_format(input: &mut Input<'_>, what: &'static str) -> Result<(), Error> {
    match input.byte()? {
        FORMAT => Ok(()),
        found => Err(Error::UnknownFormat { what, found: found.into() }),
    }
}

/// Reads a count, which must lie in the limits and be possible in what is left of `input`.
fn read_count(input: &mut Input<'_>, least: usize, most: usize) -> Result<usize, Error> {
    let count = usize::try_from(input.varint()?).unwrap_or(usize::MAX);
    if (least..=most).contains(&count) && count <= input.left() / 33 {
        Ok(count)
    } else {
        input.damaged("it lists an impossible number of items")
    }
}

fn read_chunks(input: &mut Input<'_>, least: usize) -> Result<(Vec<ChunkRef>, u64), Error> {
    let count = read_count(input, least, MAX_CHUNKS)?;
    let mut chunks = Vec::with_capacity(count);
    let mut sum = 0;
    for _ in 0..count {
        let id = ChunkId::from_bytes(*input.id()?);
        match u32::try_from(input.varint()?) {
            Ok(len @ 1..=MAX_CHUNK_BYTES) => {
                chunks.push(ChunkRef { id, len });
                sum += u64::from(len);
            }
            _ => return input.damaged("a chunk has an impossible length"),
        }
    }
    Ok((chunks, sum))
}

fn read_parts(input: &mut Input<'_>) -> Result<Vec<PartRef>, Error> {
    let count = read_count(input, 2, MAX_PARTS)?;
    let longest = u64::from(MAX_CHUNK_BYTES) * MAX_CHUNKS as u64;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let id = *input.id()?;
        let len = input.varint()?;
        if len == 0 || len > longest {
            return input.damaged("a part has an impossible length");
        }
        parts.push(PartRef { id, len });
    }
    Ok(parts)
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
