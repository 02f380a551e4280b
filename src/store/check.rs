//! Reading packs from front to back.
//!
//! Here: walking all frames of a pack, and comparing them with its table.
//! Not here: what to do about damage (`ops`).
//! Invariant: a scan knows no index and no table: it finds what lies in the file.

use std::sync::Arc;

use super::Store;
use super::error::{Error, damaged, io_at};
use super::medium::MediumRead;
use super::packs::{PackInfo, PackTable, open_pack};
use crate::format::frame::codec::Decoder;
use crate::format::frame::{self, Codec, FrameDamage, Key, is_sealed_recipe};
use crate::format::kind::Kind;
use crate::format::pack::{self, PackDamage, PackKind, TRAILER_LEN, Trailer};
use crate::format::table::Entry;
use crate::model::{ChunkId, PackName};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// A pack, read from front to back through one buffer.
pub(super) struct Stream {
    pack: PackName,
    file: Arc<dyn MediumRead>,
    /// Where the frames end.
    end: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl Stream {
    pub(super) fn new(pack: PackName, file: Arc<dyn MediumRead>, end: u64) -> Self {
        Self { pack, file, end, start: 0, buffer: Vec::new() }
    }

    /// Bytes of the frames.
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Error> {
        let end = offset + len as u64;
        if end > self.end {
            let source = FrameDamage::Cut;
            return Err(damaged(self.pack)(PackDamage::Frame { offset, source }));
        }
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            let wanted = len.max(READ_BYTES).min((self.end - offset) as usize);
            self.start = offset;
            self.buffer.resize(wanted, 0);
            if let Err(source) = self.file.read_at(offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(Error::Io {
                    action: "read",
                    name: super::pack_file(self.pack),
                    source,
                });
            }
        }
        let start = (offset - self.start) as usize;
        Ok(&self.buffer[start..start + len])
    }

    /// The header of the frame at `offset`, and the bytes that follow it.
    pub(super) fn frame(&mut self, offset: u64) -> Result<(frame::Header, &[u8]), Error> {
        let pack = self.pack;
        let bad = |source| damaged(pack)(PackDamage::Frame { offset, source });
        let head = self.bytes(offset, frame::HEADER_LEN)?.first_chunk();
        let header = head.ok_or(FrameDamage::Cut).and_then(frame::Header::decode).map_err(bad)?;
        let frame = self.bytes(offset, header.frame_len())?;
        Ok((header, &frame[frame::HEADER_LEN..]))
    }
}

/// A frame that a [`Scan`] found.
#[derive(Debug)]
pub struct Frame<'s> {
    /// What the object is.
    pub kind: Kind,
    /// How it was packed.
    pub codec: Codec,
    /// Where its frame begins, in bytes from the beginning of the pack.
    pub offset: u64,
    /// The id of its bytes, computed; none for recipes, whose bytes do not tell it.
    pub id: Option<[u8; 32]>,
    /// Its bytes, uncompressed.
    pub bytes: &'s [u8],
}

/// All frames of one pack, from front to back.
pub struct Scan {
    stream: Stream,
    decoder: Decoder,
    object: Vec<u8>,
    kind: PackKind,
    offset: u64,
}

impl Scan {
    /// The next frame; none after the last.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] for a frame that cannot be unpacked or that this kind of pack may not
    /// hold. The next call goes on behind it, or ends if its length is not known either.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let offset = self.offset;
        if offset >= self.stream.end {
            return Ok(None);
        }
        let pack = self.stream.pack;
        let bad = |source| damaged(pack)(PackDamage::Frame { offset, source });
        self.offset = u64::MAX;
        let (header, stored) = self.stream.frame(offset)?;
        self.offset = offset + header.frame_len() as u64;
        if PackKind::of(header.kind) != self.kind {
            return Err(bad(FrameDamage::Kind(header.kind.code())));
        }
        let bytes = match header.codec {
            Codec::Stored => stored,
            Codec::Zstd => {
                self.decoder.object(&header, stored, &mut self.object).map_err(bad)?;
                &self.object[..]
            }
        };
        let id = match header.kind {
            Kind::Recipe if is_sealed_recipe(bytes) => None,
            Kind::Recipe => {
                let key = Key::new(Kind::Recipe, [0; 32]);
                return Err(bad(FrameDamage::Content(key)));
            }
            _ => Some(*ChunkId::of(bytes).as_bytes()),
        };
        Ok(Some(Frame { kind: header.kind, codec: header.codec, offset, id, bytes }))
    }
}

/// One thing that is wrong with a pack.
#[derive(Debug)]
pub struct Finding {
    /// The object that is lost by it, if it is one.
    pub key: Option<Key>,
    /// What is wrong.
    pub damage: PackDamage,
}

/// What came of checking a pack.
#[derive(Debug, Default)]
pub struct Check {
    /// What the pack says of itself, if that can be read.
    pub info: Option<PackInfo>,
    /// How many of its objects are whole.
    pub objects: u64,
    /// The length of these objects in bytes, uncompressed.
    pub raw_bytes: u64,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Checks packs for one thread.
pub struct Checker {
    store: Store,
    decoder: Decoder,
    object: Vec<u8>,
    buffer: Vec<u8>,
}

impl Store {
    /// Reads a pack from front to back, whether or not it is live. Where the frames end is taken
    /// from the trailer; if there is none, everything is taken for frames, and damage is reported
    /// where they end.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], or [`Error::Damaged`] for what does not begin as a pack.
    pub fn scan(&self, pack: PackName) -> Result<Scan, Error> {
        let name = super::pack_file(pack);
        let file = open_pack(self.inner.medium.as_ref(), pack)?;
        let len = file.len().map_err(io_at("read", &name))?;
        let mut header = [0; pack::HEADER_LEN];
        if len < header.len() as u64 {
            return Err(damaged(pack)(PackDamage::Length));
        }
        file.read_at(0, &mut header).map_err(io_at("read", &name))?;
        let header = pack::Header::decode(&header).map_err(damaged(pack))?;
        let mut end = len.min(pack::MAX_LEN);
        if len >= (pack::HEADER_LEN + TRAILER_LEN) as u64 {
            let mut trailer = [0; TRAILER_LEN];
            file.read_at(len - TRAILER_LEN as u64, &mut trailer).map_err(io_at("read", &name))?;
            if let Ok(trailer) = Trailer::decode(&trailer, len) {
                end = trailer.table_offset;
            }
        }
        let stream = Stream::new(pack, file, end);
        let decoder = Decoder::new().map_err(io_at("set up zstd to read", &name))?;
        let offset = pack::HEADER_LEN as u64;
        Ok(Scan { stream, decoder, object: Vec::new(), kind: header.kind, offset })
    }

    /// A checker for one thread.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when zstd cannot be set up.
    pub fn checker(&self) -> Result<Checker, Error> {
        let decoder = Decoder::new().map_err(io_at("set up zstd to read", super::PACKS))?;
        let store = self.clone();
        Ok(Checker { store, decoder, object: Vec::new(), buffer: Vec::new() })
    }
}

impl Checker {
    /// Reads every byte of a pack: its frames must follow each other without a gap, its table must
    /// list exactly them, and each must hold what its key names.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Io`]. Damage is no error, but what is returned.
    pub fn check(&mut self, pack: PackName) -> Result<Check, Error> {
        let file = open_pack(self.store.inner.medium.as_ref(), pack)?;
        let mut check = Check::default();
        let (info, table) = match PackTable::load(file.as_ref(), pack) {
            Ok(loaded) => loaded,
            Err(error) => return check.found(None, error).map(|()| check),
        };
        let entries = match table.in_pack_order(info.kind) {
            Ok(entries) => entries,
            Err(damage) => return check.found(None, damaged(pack)(damage)).map(|()| check),
        };
        check.info = Some(info);
        let mut stream = Stream::new(pack, file, table.frames_end);
        stream.buffer = std::mem::take(&mut self.buffer);
        stream.buffer.clear();
        let mut expected = pack::HEADER_LEN as u64;
        for entry in &entries {
            let offset = u64::from(entry.offset);
            if offset != expected {
                let damage = PackDamage::Table("frames overlap or leave a gap");
                check.found(None, damaged(pack)(damage))?;
            }
            expected = match self.check_frame(&mut stream, entry) {
                Ok((next, raw_len)) => {
                    check.objects += 1;
                    check.raw_bytes += raw_len;
                    next
                }
                Err((next, error)) => {
                    check.found(Some(entry.key), error)?;
                    next
                }
            };
        }
        if expected != table.frames_end {
            let damage = PackDamage::Table("frames do not reach to the table");
            check.found(None, damaged(pack)(damage))?;
        }
        self.buffer = stream.buffer;
        Ok(check)
    }

    /// Where the frame ends and how long its object is; or the former, as far as it can be told,
    /// and what is wrong.
    fn check_frame(
        &mut self,
        stream: &mut Stream,
        entry: &Entry,
    ) -> Result<(u64, u64), (u64, Error)> {
        let (pack, offset) = (stream.pack, u64::from(entry.offset));
        let bad = |source| damaged(pack)(PackDamage::Frame { offset, source });
        let (header, stored) = stream.frame(offset).map_err(|error| (offset, error))?;
        let next = offset + header.frame_len() as u64;
        let object = match header.codec {
            Codec::Stored => stored,
            Codec::Zstd => {
                let unpacked = self.decoder.object(&header, stored, &mut self.object);
                unpacked.map_err(|source| (next, bad(source)))?;
                &self.object[..]
            }
        };
        if header.kind != entry.key.kind || !entry.key.accepts(object) {
            return Err((next, bad(FrameDamage::Content(entry.key))));
        }
        Ok((next, u64::from(header.raw_len)))
    }
}

impl Check {
    /// Notes damage; any other error is passed on.
    fn found(&mut self, key: Option<Key>, error: Error) -> Result<(), Error> {
        match error {
            Error::Damaged { source: damage, .. } => {
                self.findings.push(Finding { key, damage });
                Ok(())
            }
            other => Err(other),
        }
    }
}
