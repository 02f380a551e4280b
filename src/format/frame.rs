//! Frames: how one object lies in a pack. See `docs/format.md`, "Packs".
//!
//! Here: the nine bytes before each object, the key an object is kept under, and how its bytes are
//! packed ([`codec`]).
//! Not here: where in a pack a frame lies (`table`), what the bytes mean.
//! Invariant: a header that decodes names a known kind and codec and lengths within the limits.

pub mod codec;
mod probe;

use crate::model::{ChunkId, FileId, ManifestId, VersionId};

use super::kind::Kind;

/// Length of a frame's header in bytes.
pub const HEADER_LEN: usize = 9;

/// The most bytes that one object may have, uncompressed: 16 MiB.
pub const MAX_RAW_LEN: usize = 16 << 20;

/// What an object is found by: its kind and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The id; most often the BLAKE3-256 of the object's bytes.
    pub id: [u8; 32],
    /// What the object is.
    pub kind: Kind,
}

impl Key {
    /// The key of a kind and the 32 bytes of an id.
    pub const fn new(kind: Kind, id: [u8; 32]) -> Self {
        Self { id, kind }
    }

    /// The key of a chunk.
    pub const fn chunk(id: &ChunkId) -> Self {
        Self::new(Kind::Chunk, *id.as_bytes())
    }

    /// The key of a manifest node.
    pub const fn node(id: &ManifestId) -> Self {
        Self::new(Kind::Node, *id.as_bytes())
    }

    /// The key of the recipe of a file.
    pub const fn recipe(id: &FileId) -> Self {
        Self::new(Kind::Recipe, *id.as_bytes())
    }

    /// The key of a part of a recipe, by the BLAKE3-256 of its bytes.
    pub const fn recipe_part(id: [u8; 32]) -> Self {
        Self::new(Kind::RecipePart, id)
    }

    /// The key of a version.
    pub const fn version(id: &VersionId) -> Self {
        Self::new(Kind::Version, *id.as_bytes())
    }

    /// Whether `bytes` can be the object of this key.
    ///
    /// For all kinds but recipes exactly the right bytes are accepted. A recipe is kept under the
    /// id of the file it describes and begins with the BLAKE3-256 of the rest of it: what is
    /// accepted is *some* whole recipe, and only the file that it yields shows that it is this one's.
    pub fn accepts(&self, bytes: &[u8]) -> bool {
        match self.kind {
            Kind::Recipe => is_sealed_recipe(bytes),
            _ => ChunkId::of(bytes).as_bytes() == &self.id,
        }
    }
}

/// Whether the first 32 bytes are the BLAKE3-256 of the others.
pub fn is_sealed_recipe(bytes: &[u8]) -> bool {
    bytes.split_first_chunk::<32>().is_some_and(|(seal, rest)| ChunkId::of(rest).as_bytes() == seal)
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            Kind::Chunk => "chunk",
            Kind::Node => "manifest node",
            Kind::Recipe => "recipe of file",
            Kind::RecipePart => "recipe part",
            Kind::Version => "version",
        };
        write!(f, "{what} {}", ChunkId::from_bytes(self.id))
    }
}

/// How the bytes of a frame are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// As they are.
    Stored = 0,
    /// One zstd frame without magic, checksum, dictionary id and content size.
    Zstd = 1,
}

/// What stands before the bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the object is.
    pub kind: Kind,
    /// How its bytes are packed.
    pub codec: Codec,
    /// Its length in bytes.
    pub raw_len: u32,
    /// The length in bytes of what follows the header.
    pub stored_len: u32,
}

impl Header {
    /// The nine bytes on disk.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.kind.code() << 4 | self.codec as u8;
        bytes[1..5].copy_from_slice(&self.raw_len.to_le_bytes());
        bytes[5..9].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`FrameDamage`] for an unknown kind or codec, an object longer than [`MAX_RAW_LEN`], a
    /// stored frame of another length than its object, and a compressed one that is not shorter.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, FrameDamage> {
        let kind = Kind::from_code(bytes[0] >> 4).ok_or(FrameDamage::Kind(bytes[0] >> 4))?;
        let codec = match bytes[0] & 15 {
            0 => Codec::Stored,
            1 => Codec::Zstd,
            other => return Err(FrameDamage::Codec(other)),
        };
        let [_, a, b, c, d, e, f, g, h] = *bytes;
        let raw_len = u32::from_le_bytes([a, b, c, d]);
        let stored_len = u32::from_le_bytes([e, f, g, h]);
        let fits = match codec {
            Codec::Stored => stored_len == raw_len,
            Codec::Zstd => 0 < stored_len && stored_len < raw_len,
        };
        if !fits || raw_len as usize > MAX_RAW_LEN {
            return Err(FrameDamage::Lengths { raw_len, stored_len });
        }
        Ok(Self { kind, codec, raw_len, stored_len })
    }

    /// Length of the whole frame in bytes, header included.
    pub fn frame_len(&self) -> usize {
        HEADER_LEN + self.stored_len as usize
    }
}

/// What is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameDamage {
    /// A kind of object that this format does not have.
    #[error("unknown kind of object {0}")]
    Kind(u8),
    /// A codec that this format does not have.
    #[error("unknown codec {0}")]
    Codec(u8),
    /// Lengths that no writer writes.
    #[error("impossible lengths: {raw_len} bytes stored as {stored_len}")]
    Lengths {
        /// Length of the object as declared.
        raw_len: u32,
        /// Length of the stored bytes as declared.
        stored_len: u32,
    },
    /// The frame is cut off, or reaches into the table.
    #[error("the frame reaches past the end of the frames")]
    Cut,
    /// zstd cannot decompress it.
    #[error("the compressed bytes cannot be decompressed: {0}")]
    Zstd(String),
    /// It decompresses to another length than declared.
    #[error("{expected} bytes were declared, {found} came out")]
    Length {
        /// As declared.
        expected: usize,
        /// As found.
        found: usize,
    },
    /// The bytes are not those that the key names.
    #[error("the bytes are not those of {0}")]
    Content(Key),
}
