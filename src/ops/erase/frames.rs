//! Packs as they lie in files, read frame by frame by the format alone: for verification, which
//! relies on nothing that wrote them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::canary::{Canaries, Window};
use crate::format::frame::codec::Decoder;
use crate::format::frame::{self, Codec, Key, is_sealed_recipe};
use crate::format::kind::Kind;
use crate::format::pack::{self, PackKind, TRAILER_LEN, Trailer};
use crate::format::table::{ENTRY_LEN, entries};
use crate::model::ChunkId;
use crate::repo::{self, FirstBytes};

/// So much is read at once.
const PIECE: usize = 1 << 20;
const SHARDS: usize = 64;
/// So many packs are open at once, each with a buffer.
const MOST_OPEN: usize = 16;

/// The chunks that must be there, and which of them were met. Filled by many threads.
pub(super) struct Needed {
    shards: Vec<Mutex<Met>>,
}

type Met = HashMap<[u8; 32], bool, BuildHasherDefault<FirstBytes>>;

impl Needed {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, id: &[u8; 32]) -> MutexGuard<'_, Met> {
        let shard = &self.shards[usize::from(id[31]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: &[u8; 32]) {
        self.shard(id).entry(*id).or_insert(false);
    }

    pub(super) fn contains(&self, id: &[u8; 32]) -> bool {
        self.shard(id).contains_key(id)
    }

    /// Notes that a chunk is there; whether it is needed.
    pub(super) fn meet(&self, id: &[u8; 32]) -> bool {
        self.shard(id).get_mut(id).map(|met| *met = true).is_some()
    }

    /// The chunks that were not met.
    pub(super) fn lost(&self) -> Vec<[u8; 32]> {
        let mut lost = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            lost.extend(shard.iter().filter(|(_, met)| !**met).map(|(id, _)| *id));
        }
        lost.sort_unstable();
        lost
    }
}

/// Something of what is sought in a pack; no finding if a file that stays needs that object too.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) key: Key,
    pub(super) text: String,
}

/// What was seen in one pack.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether all of it was read: then no byte lies outside of frames and table.
    pub(super) whole: bool,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    /// Whatever keeps it from being read.
    pub(super) problems: Vec<String>,
    pub(super) sightings: Vec<Sighting>,
    /// Windows that stand in chunks that are not known to be needed.
    pub(super) hits: Vec<(Key, Vec<Window>)>,
    /// Windows that stand in records of versions, listings and files.
    pub(super) in_metadata: HashSet<Window>,
    /// The objects of a pack of metadata, and where they begin.
    pub(super) objects: Vec<(Key, u64)>,
}

/// Looks at packs for one thread.
pub(super) struct Eyes<'a> {
    pub(super) keys: &'a HashSet<Key>,
    pub(super) canaries: &'a Canaries,
    pub(super) decoder: Decoder,
}

impl Eyes<'_> {
    /// Reads a pack, or what was to become one. Without `needed` what is sighted is given back
    /// undecided.
    pub(super) fn pack(
        &mut self,
        path: &Path,
        name: &str,
        sealed: bool,
        needed: Option<&Needed>,
    ) -> io::Result<Seen> {
        let mut seen = Seen::default();
        let mut file = match Bytes::open(path) {
            // Gone since the directory was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Seen { whole: true, ..seen });
            }
            file => file?,
        };
        let (end, listed) = match extent(&mut file)? {
            Some(extent) => extent,
            None => {
                if sealed {
                    let what = "is no whole pack, so it cannot be looked through";
                    seen.problems.push(format!("{name} {what}"));
                }
                (file.len, Vec::new())
            }
        };
        let mut recipes = HashMap::new();
        for (key, offset) in listed {
            if self.keys.contains(&key) {
                let text = format!("the table of {name} lists {key}");
                seen.sightings.push(Sighting { key, text });
            }
            if key.kind == Kind::Recipe {
                recipes.insert(offset, key);
            }
        }
        let (mut offset, mut object) = (pack::HEADER_LEN as u64, Vec::new());
        while offset < end {
            let found = decode(&mut self.decoder, &mut file, end, offset, &mut object)?;
            let Some((header, next)) = found else {
                // What a session was writing ends anywhere.
                if sealed {
                    seen.problems.push(format!("{name} cannot be read at byte {offset}"));
                }
                return Ok(seen);
            };
            let key = match header.kind {
                Kind::Recipe => recipes.get(&offset).copied().filter(|_| is_sealed_recipe(&object)),
                kind => Some(Key::new(kind, *ChunkId::of(&object).as_bytes())),
            };
            self.frame(&mut seen, (name, offset), (key, header.kind), &object, (sealed, needed));
            offset = next;
        }
        seen.bytes = file.len;
        seen.whole = sealed && offset == end;
        Ok(seen)
    }

    fn frame(
        &mut self,
        seen: &mut Seen,
        (name, offset): (&str, u64),
        (key, kind): (Option<Key>, Kind),
        object: &[u8],
        (sealed, needed): (bool, Option<&Needed>),
    ) {
        seen.frames += 1;
        if kind != Kind::Chunk {
            seen.in_metadata.extend(self.canaries.find(object));
        }
        // A recipe that no table names is nobody's.
        let Some(key) = key else { return };
        let is_needed = match (kind, needed) {
            // A chunk counts as there only in a pack that has its name.
            (Kind::Chunk, Some(needed)) if sealed => needed.meet(&key.id),
            (Kind::Chunk, Some(needed)) => needed.contains(&key.id),
            _ => false,
        };
        if sealed && needed.is_none() {
            seen.objects.push((key, offset));
        }
        // What is needed may hold anything: whether it does is asked when that matters.
        if is_needed {
            return;
        }
        if self.keys.contains(&key) {
            let text = format!("{key} stands in {name} at byte {offset}");
            seen.sightings.push(Sighting { key, text });
        } else if kind == Kind::Chunk {
            let windows = self.canaries.find(object);
            if !windows.is_empty() {
                seen.hits.push((key, windows));
            }
        }
    }
}

/// The windows of `canaries` that stand in chunks of a pack that are needed.
pub(super) fn common(
    decoder: &mut Decoder,
    path: &Path,
    canaries: &Canaries,
    needed: &Needed,
) -> io::Result<HashSet<Window>> {
    let mut common = HashSet::new();
    let mut file = match Bytes::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(common),
        file => file?,
    };
    let end = extent(&mut file)?.map_or(file.len, |(end, _)| end);
    let (mut offset, mut object) = (pack::HEADER_LEN as u64, Vec::new());
    while offset < end {
        let found = decode(decoder, &mut file, end, offset, &mut object)?;
        let Some((header, next)) = found else { break };
        if header.kind == Kind::Chunk {
            let windows = canaries.find(&object);
            if !windows.is_empty() && needed.contains(ChunkId::of(&object).as_bytes()) {
                common.extend(windows);
            }
        }
        offset = next;
    }
    Ok(common)
}

/// A file read through one buffer.
pub(super) struct Bytes {
    file: File,
    pub(super) len: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl Bytes {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len, start: 0, buffer: Vec::new() })
    }

    /// The bytes from `offset` on; none if the file ends before.
    fn get(&mut self, offset: u64, len: usize, ahead: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len as u64).filter(|end| *end <= self.len) else {
            return Ok(None);
        };
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            let wanted = (len.max(ahead) as u64).min(self.len - offset);
            self.start = offset;
            self.buffer.resize(wanted as usize, 0);
            self.file.seek(SeekFrom::Start(offset))?;
            if let Err(error) = self.file.read_exact(&mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let start = (offset - self.start) as usize;
        Ok(Some(&self.buffer[start..start + len]))
    }

    /// What kind of pack it says that it is.
    pub(super) fn kind(&mut self) -> io::Result<Option<PackKind>> {
        let head = self.get(0, pack::HEADER_LEN, pack::HEADER_LEN)?;
        let header = head.and_then(|head| head.first_chunk()).map(pack::Header::decode);
        Ok(header.and_then(Result::ok).map(|header| header.kind))
    }

    /// The object whose frame begins at `offset`.
    pub(super) fn object(
        &mut self,
        decoder: &mut Decoder,
        offset: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let (end, mut object) = (self.len, Vec::new());
        Ok(decode(decoder, self, end, offset, &mut object)?.map(|_| object))
    }
}

/// A sound object in a pack: where it lies.
pub(super) struct Spot {
    pub(super) pack: usize,
    pub(super) frame: u64,
}

/// Reads single frames.
pub(super) struct Reader<'a> {
    decoder: Decoder,
    packs: &'a [PathBuf],
    open: HashMap<usize, Bytes>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(packs: &'a [PathBuf]) -> repo::Result<Self> {
        let at = |source| repo::Error::Io { path: "zstd".into(), source };
        Ok(Self { decoder: Decoder::new().map_err(at)?, packs, open: HashMap::new() })
    }

    /// An object that was met on the walk, read once more; none if it was not met.
    pub(super) fn object(&mut self, spot: Option<&Spot>) -> repo::Result<Option<Vec<u8>>> {
        let Some(Spot { pack, frame }) = spot else { return Ok(None) };
        let path = &self.packs[*pack];
        let at = |source| repo::Error::Io { path: path.clone(), source };
        if self.open.len() >= MOST_OPEN {
            self.open.clear();
        }
        let bytes = match self.open.entry(*pack) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(slot) => slot.insert(Bytes::open(path).map_err(at)?),
        };
        bytes.object(&mut self.decoder, *frame).map_err(at)
    }
}

/// Where the frames of a pack end, and what its table lists.
#[expect(clippy::type_complexity, reason = "an end and a list")]
fn extent(file: &mut Bytes) -> io::Result<Option<(u64, Vec<(Key, u64)>)>> {
    if file.kind()?.is_none() || file.len < TRAILER_LEN as u64 {
        return Ok(None);
    }
    let (len, at) = (file.len, file.len - TRAILER_LEN as u64);
    let trailer = file.get(at, TRAILER_LEN, TRAILER_LEN)?.and_then(|bytes| bytes.first_chunk());
    let trailer = trailer.map(|bytes| Trailer::decode(bytes, len)).and_then(Result::ok);
    let Some(Trailer { table_offset: start, .. }) = trailer.filter(|it| it.table_offset <= at)
    else {
        return Ok(None);
    };
    let table = file.get(start, (at - start) as usize, 0)?.unwrap_or_default();
    if table.len() % ENTRY_LEN != 0 {
        return Ok(None);
    }
    let listed = entries(table).map(|entry| Some((entry?.key, u64::from(entry?.offset))));
    Ok(listed.collect::<Option<Vec<_>>>().map(|listed| (start, listed)))
}

/// Unpacks the frame at `offset` into `object`; its header, and where the next one begins.
fn decode(
    decoder: &mut Decoder,
    file: &mut Bytes,
    end: u64,
    offset: u64,
    object: &mut Vec<u8>,
) -> io::Result<Option<(frame::Header, u64)>> {
    let head = file.get(offset, frame::HEADER_LEN, PIECE)?;
    let head = head.and_then(|head| head.first_chunk()).map(frame::Header::decode);
    let Some(header) = head.and_then(Result::ok) else { return Ok(None) };
    let Some(next) = offset.checked_add(header.frame_len() as u64).filter(|next| *next <= end)
    else {
        return Ok(None);
    };
    let Some(frame) = file.get(offset, header.frame_len(), PIECE)? else { return Ok(None) };
    let stored = &frame[frame::HEADER_LEN..];
    match header.codec {
        Codec::Stored => {
            object.clear();
            object.extend_from_slice(stored);
        }
        Codec::Zstd => {
            if decoder.object(&header, stored, object).is_err() {
                return Ok(None);
            }
        }
    }
    Ok(Some((header, next)))
}
