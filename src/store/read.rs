//! Reading objects.
//!
//! Here: readers, which fetch frames through a few reused buffers and check what they return.
//! Not here: where an object lies (`view`), reading whole packs (`check`).
//! Invariant: nothing is returned whose bytes its key does not accept.

use std::sync::{Arc, PoisonError};

use super::error::{Error, damaged, io_at};
use super::medium::MediumRead;
use super::packs::{Pack, PackInfo};
use super::view::Place;
use super::{Inner, Location, pack_file};
use crate::format::frame::codec::Decoder;
use crate::format::frame::{Codec, FrameDamage, HEADER_LEN, Header, Key};
use crate::format::pack::{PackDamage, TRAILER_LEN};
use crate::model::{ChunkId, PackName};

/// How much is read at once when objects are read in the order in which they lie.
const AHEAD: usize = 1 << 20;
/// How much is read for an object of unknown length.
const GUESS: usize = 16 << 10;
/// How far ahead of the last object the next may lie to count as in order.
const NEAR: u64 = 128 << 10;
/// How many places are read in order side by side: the threads that wrote each filled a pack.
const WINDOWS: usize = 4;
/// How many sets of buffers are kept for the next readers.
const SPARE: usize = 8;

/// Reads objects for one thread. Reading in the order of their locations is fastest.
pub struct Reader {
    store: Arc<Inner>,
    buffers: Option<Buffers>,
}

/// What a reader keeps between reads.
pub(super) struct Buffers {
    decoder: Decoder,
    windows: Vec<Window>,
    object: Vec<u8>,
    clock: u64,
}

/// A piece of a pack.
struct Window {
    pack: PackName,
    file: Arc<dyn MediumRead>,
    start: u64,
    /// Behind the first `filled` bytes stands what was read before.
    bytes: Vec<u8>,
    filled: usize,
    used: u64,
}

impl Reader {
    pub(super) fn new(store: Arc<Inner>) -> Result<Self, Error> {
        let spare = store.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffers = match spare {
            Some(buffers) => buffers,
            None => Buffers {
                decoder: Decoder::new().map_err(io_at("set up zstd to read", super::PACKS))?,
                windows: Vec::new(),
                object: Vec::new(),
                clock: 0,
            },
        };
        Ok(Self { store, buffers: Some(buffers) })
    }

    /// Reads an object into `bytes`, replacing what was there. `len`, where the caller knows it,
    /// is the length of the object in bytes and saves a read.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](super::Store::get).
    pub fn read(&mut self, key: &Key, len: Option<u32>, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let object = self.fetch(key, len)?;
        bytes.clear();
        bytes.extend_from_slice(object);
        Ok(())
    }

    /// Reads a chunk and appends it to `out`.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](super::Store::get); `out` is then as it was.
    pub fn read_chunk(
        &mut self,
        id: &ChunkId,
        len: Option<u32>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        out.extend_from_slice(self.fetch(&Key::chunk(id), len)?);
        Ok(())
    }

    /// An object, in the reader's own buffers; no copy is made of what was stored uncompressed.
    ///
    /// # Errors
    ///
    /// As [`Store::get`](super::Store::get).
    pub fn fetch(&mut self, key: &Key, len: Option<u32>) -> Result<&[u8], Error> {
        let view = self.store.view();
        let store = Arc::clone(&self.store);
        let Some(buffers) = &mut self.buffers else { return Err(Error::NotFound { key: *key }) };
        let first = view.find(key, store.medium.as_ref(), &store.files)?;
        let failed = match first {
            Some(place) => match buffers.load(&store, &place, key, len) {
                Ok(at) => return Ok(buffers.get(at)),
                Err(error) => Some((place.pack.info.name, error)),
            },
            None => None,
        };
        // A table over many packs may be wrong, and a second pack may have what the first lost.
        let elsewhere = view.find_slowly(key, &store.files, |name| {
            failed
                .as_ref()
                .is_none_or(|(bad, error)| *bad != name || matches!(error, Error::Damaged { .. }))
        });
        if let Ok(Some(place)) = elsewhere {
            if let Ok(at) = buffers.load(&store, &place, key, len) {
                return Ok(buffers.get(at));
            }
            let name = place.pack.info.name;
            if let Ok(Some(place)) = view.find_slowly(key, &store.files, |other| other != name)
                && let Ok(at) = buffers.load(&store, &place, key, len)
            {
                return Ok(buffers.get(at));
            }
        }
        Err(failed.map_or(Error::NotFound { key: *key }, |(_, error)| error))
    }
}

impl Reader {
    /// As [`Reader::fetch`], of an object that lay at `place` when it was located; none if it cannot
    /// be read there, whatever the reason.
    pub fn fetch_at(&mut self, place: &Location, key: &Key, len: Option<u32>) -> Option<&[u8]> {
        let pack = Arc::clone(self.store.view().pack(place.pack)?);
        let place = Place { pack, offset: place.offset };
        let buffers = self.buffers.as_mut()?;
        let at = buffers.load(&self.store, &place, key, len).ok()?;
        Some(buffers.get(at))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut spare = self.store.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.extend(self.buffers.take());
        }
    }
}

/// Where in the buffers an object is.
enum At {
    Window { number: usize, start: usize, len: usize },
    Object,
}

impl Buffers {
    fn get(&self, at: At) -> &[u8] {
        match at {
            At::Window { number, start, len } => &self.windows[number].bytes[start..start + len],
            At::Object => &self.object,
        }
    }

    /// Reads, unpacks and checks the object at `place`.
    fn load(
        &mut self,
        store: &Inner,
        place: &Place,
        key: &Key,
        len: Option<u32>,
    ) -> Result<At, Error> {
        let info = &place.pack.info;
        let offset = u64::from(place.offset);
        let bad = |source| damaged(info.name)(PackDamage::Frame { offset, source });
        let wanted = HEADER_LEN + len.map_or(GUESS, |len| len as usize);
        let (number, mut start) = self.window(store, &place.pack, offset, HEADER_LEN, wanted)?;
        let header = self.windows[number].bytes[start..].first_chunk::<HEADER_LEN>();
        let header = header.ok_or(FrameDamage::Cut).and_then(Header::decode).map_err(bad)?;
        if header.kind != key.kind {
            return Err(bad(FrameDamage::Content(*key)));
        }
        let (number, again) =
            self.window(store, &place.pack, offset, header.frame_len(), header.frame_len())?;
        start = again + HEADER_LEN;
        let len = header.stored_len as usize;
        let stored = &self.windows[number].bytes[start..start + len];
        let (at, accepted) = match header.codec {
            Codec::Stored => (At::Window { number, start, len }, key.accepts(stored)),
            Codec::Zstd => {
                self.decoder.object(&header, stored, &mut self.object).map_err(bad)?;
                (At::Object, key.accepts(&self.object))
            }
        };
        if accepted { Ok(at) } else { Err(bad(FrameDamage::Content(*key))) }
    }

    /// A window in which at least `least` bytes from `offset` on lie, and where in it they begin.
    /// If they must be read, `wanted` bytes are read, or more if they continue the last read.
    fn window(
        &mut self,
        store: &Inner,
        pack: &Pack,
        offset: u64,
        least: usize,
        wanted: usize,
    ) -> Result<(usize, usize), Error> {
        self.clock += 1;
        let info = &pack.info;
        let end = offset + least as u64;
        if end > info.bytes.saturating_sub(TRAILER_LEN as u64) {
            return Err(damaged(info.name)(PackDamage::Frame { offset, source: FrameDamage::Cut }));
        }
        let clock = self.clock;
        let found = self.windows.iter_mut().enumerate().find(|(_, window)| {
            window.pack == info.name && window.start <= offset && end <= window.end()
        });
        if let Some((number, window)) = found {
            window.used = clock;
            return Ok((number, (offset - window.start) as usize));
        }
        let before = self.windows.iter().position(|window| {
            window.pack == info.name && window.start < offset && offset <= window.end() + NEAR
        });
        let wanted = if before.is_some() { wanted.max(AHEAD) } else { wanted.max(least) };
        let wanted = wanted.min((info.bytes - offset) as usize);
        let number = match before {
            Some(number) => number,
            None => self.replace(store, info)?,
        };
        let window = &mut self.windows[number];
        window.used = clock;
        window.start = offset;
        window.filled = 0;
        if window.bytes.len() < wanted {
            window.bytes.resize(wanted, 0);
        }
        if let Err(source) = window.file.read_at(offset, &mut window.bytes[..wanted]) {
            return Err(Error::Io { action: "read", name: pack_file(info.name), source });
        }
        window.filled = wanted;
        Ok((number, 0))
    }

    /// The window that was used longest ago, turned to another pack.
    fn replace(&mut self, store: &Inner, info: &PackInfo) -> Result<usize, Error> {
        let file = store.files.open(info)?;
        let (bytes, filled) = (Vec::new(), 0);
        let window = Window { pack: info.name, file, start: 0, bytes, filled, used: self.clock };
        if self.windows.len() < WINDOWS {
            self.windows.push(window);
            return Ok(self.windows.len() - 1);
        }
        let oldest = (0..WINDOWS).min_by_key(|number| self.windows[*number].used).unwrap_or(0);
        let bytes = std::mem::take(&mut self.windows[oldest].bytes);
        self.windows[oldest] = Window { bytes, ..window };
        Ok(oldest)
    }
}

impl Window {
    fn end(&self) -> u64 {
        self.start + self.filled as u64
    }
}
