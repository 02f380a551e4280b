//! Packs: the bytes before the frames and after the table. See `docs/format.md`, "Packs".
//!
//! Here: header and trailer, and what can be wrong with a pack.
//! Not here: frames (`frame`), the table's entries (`table`), files (`store`).
//! Invariant: a header or trailer that decodes is of this format and within its limits.

use crate::model::PackName;

use super::frame::FrameDamage;
use super::kind::Kind;
use super::table::{self, Entry};

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 64;

/// Length of the trailer in bytes.
pub const TRAILER_LEN: usize = 52;

/// The most bytes that a pack may have: 256 MiB.
pub const MAX_LEN: u64 = 1 << 28;

const MAGIC: &[u8; 8] = b"STEMPACK";
const END_MAGIC: &[u8; 8] = b"STEMTAIL";
const FORMAT: u16 = 1;

/// What a pack may hold.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum PackKind {
    /// Chunks and nothing else.
    Data = 1,
    /// Everything but chunks.
    Meta = 2,
}

impl PackKind {
    /// The kind of pack in which objects of `kind` lie.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Chunk => Self::Data,
            Kind::Node | Kind::Recipe | Kind::RecipePart | Kind::Version => Self::Meta,
        }
    }
}

/// What stands before the frames of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// What the pack may hold.
    pub kind: PackKind,
    /// Its name.
    pub name: PackName,
    /// The epoch of the session that wrote it.
    pub epoch: u64,
}

impl Header {
    /// The bytes on disk.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10] = self.kind as u8;
        // 11: hash, 0 = plain BLAKE3. 12: encryption, 0 = none. 13..16 and 40..64: reserved.
        bytes[16..32].copy_from_slice(self.name.as_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`PackDamage`] for what is no pack, or one of another format, kind, hash or encryption, or
    /// with anything in the reserved bytes.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, PackDamage> {
        if &bytes[..8] != MAGIC {
            return Err(PackDamage::Magic);
        }
        let format = u16::from_le_bytes([bytes[8], bytes[9]]);
        if format != FORMAT {
            return Err(PackDamage::Format(format));
        }
        let kind = match bytes[10] {
            1 => PackKind::Data,
            2 => PackKind::Meta,
            other => return Err(PackDamage::Kind(other)),
        };
        if bytes[11] != 0 || bytes[12] != 0 {
            return Err(PackDamage::Scheme { hash: bytes[11], encryption: bytes[12] });
        }
        if bytes[13..16].iter().chain(&bytes[40..]).any(|byte| *byte != 0) {
            return Err(PackDamage::Reserved);
        }
        let (mut name, mut epoch) = ([0; 16], [0; 8]);
        name.copy_from_slice(&bytes[16..32]);
        epoch.copy_from_slice(&bytes[32..40]);
        let name = PackName::from_bytes(name);
        Ok(Self { kind, name, epoch: u64::from_le_bytes(epoch) })
    }
}

/// What stands after the table of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Where the table begins, in bytes from the beginning of the pack.
    pub table_offset: u64,
    /// How many entries the table has.
    pub entries: u32,
    /// BLAKE3-256 of header, table, `table_offset` and `entries`.
    pub hash: [u8; 32],
}

impl Trailer {
    /// Reads the trailer of a pack of `pack_len` bytes. The hash is not compared with anything.
    ///
    /// # Errors
    ///
    /// [`PackDamage`] if there is none, or the table that it speaks of does not end where the
    /// trailer begins.
    pub fn decode(bytes: &[u8; TRAILER_LEN], pack_len: u64) -> Result<Self, PackDamage> {
        if &bytes[44..] != END_MAGIC {
            return Err(PackDamage::EndMagic);
        }
        let (mut offset, mut entries, mut hash) = ([0; 8], [0; 4], [0; 32]);
        offset.copy_from_slice(&bytes[..8]);
        entries.copy_from_slice(&bytes[8..12]);
        hash.copy_from_slice(&bytes[12..44]);
        let table_offset = u64::from_le_bytes(offset);
        let entries = u32::from_le_bytes(entries);
        let table_len = u64::from(entries) * table::ENTRY_LEN as u64;
        let end = table_offset.checked_add(table_len + TRAILER_LEN as u64);
        if table_offset < HEADER_LEN as u64 || end != Some(pack_len) || pack_len > MAX_LEN {
            return Err(PackDamage::Length);
        }
        Ok(Self { table_offset, entries, hash })
    }

    /// Length of the table in bytes.
    pub fn table_len(&self) -> usize {
        self.entries as usize * table::ENTRY_LEN
    }

    /// Whether `header` and `table` are those that the trailer was made for.
    ///
    /// # Errors
    ///
    /// [`PackDamage::Hash`] if not.
    pub fn check(&self, header: &[u8; HEADER_LEN], table: &[u8]) -> Result<(), PackDamage> {
        if seal(header, table, self.table_offset, self.entries) == self.hash {
            Ok(())
        } else {
            Err(PackDamage::Hash)
        }
    }
}

/// The bytes that follow the frames of a pack: the table of `entries`, sorted, and the trailer.
///
/// `frames_end` is where the last frame ends, in bytes from the beginning of the pack.
pub fn encode_end(header: &[u8; HEADER_LEN], entries: &mut [Entry], frames_end: u64) -> Vec<u8> {
    entries.sort_unstable();
    let mut bytes = Vec::with_capacity(entries.len() * table::ENTRY_LEN + TRAILER_LEN);
    for entry in entries.iter() {
        bytes.extend_from_slice(&entry.encode());
    }
    let count = entries.len() as u32;
    let hash = seal(header, &bytes, frames_end, count);
    bytes.extend_from_slice(&frames_end.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&hash);
    bytes.extend_from_slice(END_MAGIC);
    bytes
}

fn seal(header: &[u8; HEADER_LEN], table: &[u8], table_offset: u64, entries: u32) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header).update(table);
    hasher.update(&table_offset.to_le_bytes()).update(&entries.to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// What is wrong with a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackDamage {
    /// It does not begin as a pack.
    #[error("it is not a pack")]
    Magic,
    /// It does not end as a pack: it is cut off, or something was appended.
    #[error("it does not end as a pack does")]
    EndMagic,
    /// A format that this build does not know.
    #[error("its format {0} is not known to this build")]
    Format(u16),
    /// A kind of pack that this format does not have.
    #[error("its kind {0} is not known to this build")]
    Kind(u8),
    /// Keyed hashes or encryption, which this build does not know.
    #[error("its hash {hash} or encryption {encryption} is not known to this build")]
    Scheme {
        /// The code of the hash.
        hash: u8,
        /// The code of the encryption.
        encryption: u8,
    },
    /// Something stands where nothing may.
    #[error("reserved bytes of its header are in use")]
    Reserved,
    /// Table and trailer do not fit its length.
    #[error("its length does not fit its table")]
    Length,
    /// Header or table were altered.
    #[error("its header or table does not have the hash that the trailer names")]
    Hash,
    /// It is another pack than its name says.
    #[error("it is the pack {0} under another name")]
    Name(PackName),
    /// Its length, kind or number of objects is not what the catalogue says.
    #[error("it is not as long, or does not hold as much, as when it was written")]
    Record,
    /// The table is not in order, or names frames that do not lie there.
    #[error("its table does not agree with its frames: {0}")]
    Table(&'static str),
    /// A frame is damaged.
    #[error("damage at byte {offset}")]
    Frame {
        /// Where the frame begins, in bytes from the beginning of the pack.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: FrameDamage,
    },
}
