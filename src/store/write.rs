//! Writing objects.
//!
//! Here: sessions, and the packs that their threads fill.
//! Not here: registering what was written (`repo`), making it durable (`seal`).
//! Invariant: an object that counts as stored lies in a lasting pack, or in one that the session's
//! [`finish`](WriteSession::finish) makes durable before it says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Inner;
use super::error::{Error, io_at};
use super::known::Known;
use super::medium::{MediumFile, TMP, join};
use super::packs::PackInfo;
use super::seal::{Sealing, Written};
use super::view::View;
use crate::format::frame::codec::{self, Encoder};
use crate::format::frame::{self, Key};
use crate::format::pack::{self, PackKind};
use crate::format::table::{self, Entry};
use crate::model::PackName;

/// A pack is full when frames and table have so many bytes.
pub const PACK_BYTES: u64 = 64 << 20;
/// A pack of new objects is full when it has so many: their table lies in memory until it is written.
pub(super) const PACK_OBJECTS: usize = 1 << 17;
/// A pack that is made of other packs is full when it has so many. One with half of them is not merged
/// again, so that merging comes to an end.
pub(super) const MERGED_OBJECTS: usize = 1 << 19;
/// Frames are handed to the medium in pieces of this size, which stay in the core's cache.
const BUFFER_BYTES: usize = 1 << 20;

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was written.
    New {
        /// The length of its frame in bytes.
        stored: u32,
    },
    /// It was there already, or another thread of the session writes it.
    Known,
}

/// One writer's work: everything it writes becomes durable together.
///
/// Threads share a session; each takes a [`Packer`]. Dropped without
/// [`finish`](Self::finish), it removes what it wrote and has not sealed.
pub struct WriteSession {
    shared: Arc<Shared>,
}

/// What the threads of a session share.
pub(super) struct Shared {
    store: Arc<Inner>,
    view: View,
    epoch: u64,
    level: i32,
    pack_bytes: u64,
    known: Known,
    sealing: Arc<Sealing>,
    open_packers: AtomicUsize,
    poisoned: AtomicBool,
}

impl WriteSession {
    pub(super) fn new(store: Arc<Inner>, view: View, epoch: u64, level: i32) -> Self {
        let sealing = Sealing::new(Arc::clone(&store.medium));
        let pack_bytes = store.pack_bytes;
        let shared = Shared {
            store,
            view,
            epoch,
            level,
            pack_bytes,
            known: Known::new(),
            sealing,
            open_packers: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The epoch that the session was begun in.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// A packer for one thread. It makes no file before it is given an object.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when zstd cannot be set up.
    pub fn packer(&self, kind: PackKind) -> Result<Packer, Error> {
        let encoder = Encoder::new(self.shared.level)
            .map_err(|error| io_at("set up zstd for", TMP)(std::io::Error::other(error)))?;
        self.shared.open_packers.fetch_add(1, Ordering::Relaxed);
        Ok(Packer {
            shared: Arc::clone(&self.shared),
            kind,
            most_objects: PACK_OBJECTS,
            encoder,
            buffer: Vec::new(),
            open: None,
            closed: false,
        })
    }

    /// Makes the packs that are full so far durable and names them, while the session goes on.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn seal_full(&self) -> Result<Vec<PackInfo>, Error> {
        self.shared.check()?;
        self.shared.poisoning(self.shared.sealing.seal())
    }

    /// Makes every pack durable and names it: all are synced, then renamed, then the directory is
    /// synced once. Returns those that [`seal_full`](Self::seal_full) has not returned before.
    ///
    /// # Errors
    ///
    /// Of the first thing that failed in the session; nothing that it wrote may then be relied on.
    /// [`Error::Poisoned`] also if a packer was not finished.
    pub fn finish(self) -> Result<Vec<PackInfo>, Error> {
        if self.shared.open_packers.load(Ordering::Acquire) > 0 {
            self.shared.poisoned.store(true, Ordering::Release);
        }
        self.seal_full()
    }
}

impl Drop for WriteSession {
    fn drop(&mut self) {
        self.shared.sealing.abandon();
    }
}

impl Shared {
    fn check(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    /// Remembers that something failed.
    fn poisoning<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    fn has_lasting(&self, key: &Key) -> bool {
        self.view.has_lasting(key, self.store.medium.as_ref(), &self.store.files)
    }

    /// Whether an object need not be written; from now on it counts as known.
    fn is_known(&self, key: &Key) -> bool {
        self.has_lasting(key) || !self.known.add(key)
    }
}

/// One thread's writer: fills one pack after the other.
///
/// Must be [finished](Self::finish): other threads may rely on what it was given.
pub struct Packer {
    shared: Arc<Shared>,
    kind: PackKind,
    most_objects: usize,
    encoder: Encoder,
    buffer: Vec<u8>,
    open: Option<Open>,
    closed: bool,
}

/// The pack that is being filled.
struct Open {
    header: pack::Header,
    tmp: String,
    file: Box<dyn MediumFile>,
    entries: Vec<Entry>,
    /// Bytes in the file; more are in the buffer.
    written: u64,
}

impl Packer {
    /// Lets a pack have as many objects as one that is made of others may have.
    pub(super) fn of_merged(mut self) -> Self {
        self.most_objects = MERGED_OBJECTS;
        self
    }

    /// Stores `bytes`, unless they are known.
    ///
    /// The key must be the one of these bytes; debug builds check it.
    ///
    /// # Errors
    ///
    /// [`Error::Misplaced`] for an object of the other kind of pack. Every other error ends the
    /// session.
    pub fn put(&mut self, key: &Key, bytes: &[u8]) -> Result<Put, Error> {
        debug_assert!(key.accepts(bytes), "{key} is not the key of these bytes");
        self.check_kind(key)?;
        self.shared.check()?;
        if self.shared.is_known(key) {
            return Ok(Put::Known);
        }
        let result = self.write(key, |encoder, out| {
            encoder
                .frame(key.kind, bytes, out)
                .map_err(|source| Error::Encode { key: *key, source })
        });
        let header = self.shared.poisoning(result)?;
        Ok(Put::New { stored: header.frame_len() as u32 })
    }

    /// Whether an object is known, so that putting it would write nothing. Asking changes nothing.
    pub fn knows(&self, key: &Key) -> bool {
        self.shared.has_lasting(key) || self.shared.known.contains(key)
    }

    /// Copies a whole frame, whose content the caller has checked, unless it is known.
    pub(super) fn put_frame(
        &mut self,
        key: &Key,
        header: &frame::Header,
        stored: &[u8],
    ) -> Result<Put, Error> {
        self.check_kind(key)?;
        self.shared.check()?;
        if self.shared.is_known(key) {
            return Ok(Put::Known);
        }
        let result = self.write(key, |_, out| {
            out.extend_from_slice(&header.encode());
            out.extend_from_slice(stored);
            Ok(*header)
        });
        let header = self.shared.poisoning(result)?;
        Ok(Put::New { stored: header.frame_len() as u32 })
    }

    /// Writes the pack that is being filled to its end and hands it to the session.
    ///
    /// # Errors
    ///
    /// When that fails, which ends the session.
    pub fn finish(mut self) -> Result<(), Error> {
        let result = self.close();
        self.shared.poisoning(result)?;
        self.closed = true;
        self.shared.open_packers.fetch_sub(1, Ordering::Release);
        Ok(())
    }

    fn check_kind(&self, key: &Key) -> Result<(), Error> {
        if PackKind::of(key.kind) == self.kind {
            Ok(())
        } else {
            Err(Error::Misplaced { key: *key, pack: self.kind })
        }
    }

    fn write(
        &mut self,
        key: &Key,
        frame: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<frame::Header, Error>,
    ) -> Result<frame::Header, Error> {
        let limits = (self.most_objects, self.shared.pack_bytes);
        if let Some(open) = &self.open
            && is_full(open.written + self.buffer.len() as u64, open.entries.len(), limits)
        {
            self.close()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(begin(&self.shared, self.kind, &mut self.buffer)?),
        };
        let offset = open.written + self.buffer.len() as u64;
        let header = frame(&mut self.encoder, &mut self.buffer)?;
        open.entries.push(Entry { key: *key, offset: offset as u32 });
        if self.buffer.len() >= BUFFER_BYTES {
            open.flush(&mut self.buffer)?;
        }
        Ok(header)
    }

    /// Ends the open pack, if there is one, and passes it on.
    fn close(&mut self) -> Result<(), Error> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.flush(&mut self.buffer)?;
        let frames_end = open.written;
        self.buffer = pack::encode_end(&open.header.encode(), &mut open.entries, frames_end);
        open.flush(&mut self.buffer)?;
        let medium = self.shared.store.medium.as_ref();
        let (name, tmp) = (open.header.name, &open.tmp);
        self.shared.known.pack_written(medium, name, tmp, frames_end, &open.entries)?;
        let Some(open) = self.open.take() else { return Ok(()) };
        let pack::Header { kind, name, epoch } = open.header;
        let objects = open.entries.len() as u32;
        let info = PackInfo { name, kind, bytes: open.written, objects, epoch };
        self.shared.sealing.push(Written { info, tmp: open.tmp, file: open.file })
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.shared.poisoned.store(true, Ordering::Release);
            let _ = self.shared.store.medium.remove(&open.tmp);
        }
        if !self.closed {
            self.shared.open_packers.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Whether a pack with so many bytes of header and frames, and so many objects, gets no more: it has
/// the most objects, or with its table the most bytes.
fn is_full(frames_end: u64, objects: usize, (most, pack_bytes): (usize, u64)) -> bool {
    objects >= most || frames_end + (objects * table::ENTRY_LEN) as u64 >= pack_bytes
}

/// Adds up the packs that a [`Packer`] [of other packs](Packer::of_merged) would write, and writes none.
pub(super) struct Gauge {
    /// Packs so far.
    pub(super) packs: u64,
    /// Their bytes, as if the last one were finished.
    pub(super) bytes: u64,
    pack_bytes: u64,
    /// Of the pack that is being filled.
    frames_end: u64,
    objects: usize,
}

impl Gauge {
    pub(super) fn new(pack_bytes: u64) -> Self {
        Self { packs: 0, bytes: 0, pack_bytes, frames_end: 0, objects: 0 }
    }

    /// Counts an object with a frame of so many bytes.
    pub(super) fn put(&mut self, frame_len: u64) {
        let limits = (MERGED_OBJECTS, self.pack_bytes);
        if self.packs == 0 || is_full(self.frames_end, self.objects, limits) {
            self.packs += 1;
            self.bytes += (pack::HEADER_LEN + pack::TRAILER_LEN) as u64;
            (self.frames_end, self.objects) = (pack::HEADER_LEN as u64, 0);
        }
        self.frames_end += frame_len;
        self.objects += 1;
        self.bytes += frame_len + table::ENTRY_LEN as u64;
    }
}

/// Makes the file of a new pack; its header waits in the buffer.
fn begin(shared: &Shared, kind: PackKind, buffer: &mut Vec<u8>) -> Result<Open, Error> {
    let name = PackName::random().map_err(io_at("name a pack in", TMP))?;
    let tmp = join(TMP, format_args!("{}-{name}", shared.epoch));
    let file = shared.store.medium.create_new(&tmp).map_err(io_at("create", &tmp))?;
    let header = pack::Header { kind, name, epoch: shared.epoch };
    buffer.clear();
    buffer.extend_from_slice(&header.encode());
    Ok(Open { header, tmp, file, entries: Vec::new(), written: 0 })
}

impl Open {
    fn flush(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        self.file.append(buffer).map_err(io_at("write", &self.tmp))?;
        self.written += buffer.len() as u64;
        buffer.clear();
        Ok(())
    }
}

/// The level at which sessions compress.
pub(super) const LEVEL: i32 = codec::LEVEL;
