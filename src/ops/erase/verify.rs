//! Verification: looks again for what was erased, by another way than it was erased by.
//!
//! Here: a walk over every file of a store and its worktrees that knows no index, no cache and no
//! catalogue: it reads packs by the format alone, decodes and hashes every frame, and probes every
//! other byte for windows of what was erased.
//! Not here: anything that `store` or `repo` would find for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::canary::{Canaries, WINDOW, Window};
use super::residue::{files_of, hash, kind_of};
use crate::format::frame::codec::Decoder;
use crate::format::frame::{self, Codec, Key, is_sealed_recipe};
use crate::format::kind::Kind;
use crate::format::manifest::Node;
use crate::format::pack::{self, TRAILER_LEN, Trailer};
use crate::format::recipe::{Items, decode_part, decode_recipe};
use crate::format::table::{ENTRY_LEN, entries};
use crate::format::version;
use crate::model::{ChunkId, FileId, FileRef, ManifestId, Presence, VersionId};
use crate::ops::Result;
use crate::repo;

/// So much of a stream is looked at at once.
const PIECE: usize = 1 << 20;
/// How files of archives are told of.
const ARCHIVES: &str = "archives";
/// So many places are named.
const MOST_NAMED: usize = 50;

/// What is looked for.
pub(super) struct Sought {
    pub(super) keys: HashSet<Key>,
    pub(super) files: HashSet<FileId>,
    pub(super) canaries: Canaries,
}

/// Where it is looked for, and what must still be there.
pub(super) struct Witness {
    pub(super) store: PathBuf,
    pub(super) worktrees: Vec<PathBuf>,
    /// The versions that must be readable.
    pub(super) versions: Vec<VersionId>,
    /// The listings that must be readable besides: what is staged.
    pub(super) listings: Vec<ManifestId>,
    /// The files that need not be, and what is given out in their place.
    pub(super) gone: HashMap<FileId, Presence>,
    pub(super) device: Option<PathBuf>,
    /// Archives that can be reached.
    pub(super) archives: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Every place where something of it was found, or that could not be read.
    pub(super) found: Vec<String>,
    /// Places outside of the store that hold a part of it in something else: not ours to remove.
    pub(super) reported: Vec<String>,
    /// How many findings there were in places of each kind, and how many places there were.
    pub(super) kinds: BTreeMap<&'static str, (u64, u64)>,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) windows: u64,
    pub(super) versions: u64,
    pub(super) retained_files: u64,
    pub(super) readd_refused: u64,
    /// Bytes of a raw device that were read, if one was.
    pub(super) device_bytes: Option<u64>,
    /// Windows that were found there.
    pub(super) device_hits: u64,
    /// Windows that stand in records of versions or listings, whose ids cannot change.
    pub(super) in_metadata: u64,
    /// Worktrees that are not there.
    pub(super) absent_worktrees: Vec<PathBuf>,
    /// What archives hold of it, of each that was looked into.
    pub(super) archives: BTreeMap<PathBuf, Vec<String>>,
}

/// A sound object in a pack: where it lies.
struct Place {
    pack: usize,
    frame: usize,
}

/// Something of it in a pack; no finding if a file that stays needs that object too.
struct Sighting {
    key: Key,
    text: String,
    windows: Vec<Window>,
}

/// What one walk has seen.
struct Walk<'a> {
    sought: &'a Sought,
    sightings: Vec<Sighting>,
    sighted: HashSet<Key>,
    /// Of what is sought: the objects that files that stay need.
    needed: HashSet<Key>,
    /// Windows that are looked for outside of packs.
    canaries: Canaries,
    evidence: Evidence,
    packs: Vec<PathBuf>,
    objects: HashMap<Key, Place>,
    in_metadata: HashSet<Window>,
    /// Windows that were found in the archive that is being read.
    in_archive: usize,
}

impl Witness {
    /// Looks everywhere.
    pub(super) fn look(&self, sought: &Sought) -> Result<Evidence> {
        let mut walk = Walk {
            sought,
            sightings: Vec::new(),
            sighted: HashSet::new(),
            needed: HashSet::new(),
            canaries: sought.canaries.clone(),
            evidence: Evidence { windows: sought.canaries.len() as u64, ..Evidence::default() },
            packs: Vec::new(),
            objects: HashMap::new(),
            in_metadata: HashSet::new(),
            in_archive: 0,
        };
        let files = everything_below(&self.store)?;
        let mut others = Vec::new();
        for path in &files {
            let name = path.strip_prefix(&self.store).unwrap_or(path).to_string_lossy();
            let kind = kind_of(&name);
            walk.evidence.kinds.entry(kind).or_default().1 += 1;
            let is_pack = matches!(kind, "packs" | "temporary files");
            // A pack that can be read whole has no byte outside of frames and its table.
            if !is_pack || !walk.pack(kind, path, &name)? {
                others.push((kind, path));
            }
        }
        self.retained(&mut walk)?;
        walk.judge();
        for (kind, path) in others {
            walk.stream(kind, path)?;
            if matches!(kind, "catalogue" | "old catalogues") {
                walk.facts(path)?;
            }
        }
        for top in &self.worktrees {
            if top.is_dir() {
                walk.worktree(top, &self.store)?;
            } else {
                walk.evidence.absent_worktrees.push(top.clone());
            }
        }
        for top in &self.archives {
            let held = walk.archive(top);
            walk.evidence.archives.insert(top.clone(), held);
        }
        if let Some(device) = &self.device {
            let bytes = walk.stream("device", device)?;
            walk.evidence.device_bytes = Some(bytes);
        }
        walk.evidence.in_metadata = walk.in_metadata.len() as u64;
        walk.evidence.found.truncate(MOST_NAMED);
        Ok(walk.evidence)
    }

    /// Everything that the versions list must be there, but for what is gone by design.
    fn retained(&self, walk: &mut Walk<'_>) -> Result<()> {
        let mut reader = Reader::new()?;
        let (mut seen, mut files) = (HashSet::new(), HashSet::new());
        for id in &self.versions {
            let Some(bytes) = walk.read(&mut reader, &Key::version(id))? else {
                walk.lost(&Key::version(id));
                continue;
            };
            let Ok(found) = version::decode(&bytes) else {
                walk.lost(&Key::version(id));
                continue;
            };
            walk.evidence.versions += 1;
            self.listing(walk, &mut reader, found.manifest, &mut seen, &mut files)?;
        }
        for listing in &self.listings {
            self.listing(walk, &mut reader, *listing, &mut seen, &mut files)?;
        }
        walk.evidence.retained_files = files.len() as u64;
        Ok(())
    }

    fn listing(
        &self,
        walk: &mut Walk<'_>,
        reader: &mut Reader,
        root: ManifestId,
        seen: &mut HashSet<ManifestId>,
        files: &mut HashSet<FileId>,
    ) -> Result<()> {
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if id == crate::format::manifest::empty().0 || !seen.insert(id) {
                continue;
            }
            let bytes = walk.read(reader, &Key::node(&id))?;
            let Some(node) = bytes.and_then(|bytes| Node::decode(bytes).ok()) else {
                walk.lost(&Key::node(&id));
                continue;
            };
            let mut entries = node.entries();
            while let Some(entry) = entries.next_entry() {
                self.content(walk, reader, entry.file, files)?;
            }
            let mut children = node.children();
            while let Some(child) = children.next_child() {
                open.push(child.id);
            }
        }
        Ok(())
    }

    /// Every chunk of a file was decoded and hashed on the walk; here it must be among them.
    fn content(
        &self,
        walk: &mut Walk<'_>,
        reader: &mut Reader,
        file: FileRef,
        files: &mut HashSet<FileId>,
    ) -> Result<()> {
        let mut file = file;
        for _ in 0..64 {
            match self.gone.get(&file.file) {
                Some(Presence::Replaced { by, by_size, .. }) => {
                    file = FileRef { file: *by, size: *by_size, ..file };
                }
                Some(_) => return Ok(()),
                None => break,
            }
        }
        if file.size == 0 || !files.insert(file.file) {
            return Ok(());
        }
        let Some(bytes) = walk.read(reader, &Key::recipe(&file.file))? else {
            let chunk = Key::new(Kind::Chunk, *file.file.as_bytes());
            walk.must_have(&chunk);
            return Ok(());
        };
        let Ok(recipe) = decode_recipe(&bytes) else {
            walk.lost(&Key::recipe(&file.file));
            return Ok(());
        };
        match recipe.items {
            Items::Chunks(chunks) => {
                chunks.iter().for_each(|chunk| walk.must_have(&Key::chunk(&chunk.id)));
            }
            Items::Parts(parts) => {
                for part in parts {
                    let key = Key::recipe_part(part.id);
                    walk.must_have(&key);
                    let bytes = walk.read(reader, &key)?;
                    match bytes.and_then(|bytes| decode_part(&bytes).ok()) {
                        Some(chunks) => {
                            chunks.iter().for_each(|one| walk.must_have(&Key::chunk(&one.id)));
                        }
                        None => walk.lost(&key),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Walk<'_> {
    fn found(&mut self, kind: &'static str, what: String) {
        self.evidence.kinds.entry(kind).or_default().0 += 1;
        self.evidence.found.push(what);
    }

    /// Notes a file of a worktree that has a part of it, each once.
    fn report(&mut self, text: String) {
        if self.evidence.reported.last() != Some(&text) {
            self.evidence.kinds.entry("worktrees").or_default().0 += 1;
            self.evidence.reported.push(text);
        }
    }

    fn lost(&mut self, key: &Key) {
        self.found("retained versions", format!("{key} is needed and cannot be read"));
    }

    fn sight(&mut self, key: Key, text: String, windows: Vec<Window>) {
        self.sighted.insert(key);
        self.sightings.push(Sighting { key, text, windows });
    }

    /// Decides on what was seen in packs, now that it is known what stays.
    fn judge(&mut self) {
        for Sighting { key, text, windows } in std::mem::take(&mut self.sightings) {
            if self.needed.contains(&key) {
                self.canaries.remove(&windows);
            } else {
                self.found("packs", text);
            }
        }
    }

    fn must_have(&mut self, key: &Key) {
        if self.sighted.contains(key) {
            self.needed.insert(*key);
        }
        if !self.objects.contains_key(key) {
            self.lost(key);
        }
    }

    /// Looks for windows in all bytes of a file or device; how many bytes there were.
    fn stream(&mut self, kind: &'static str, path: &Path) -> Result<u64> {
        match self.windows(kind, path) {
            // Gone since the directory was listed: a session has ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(repo::Error::Io { path: path.to_path_buf(), source }.into()),
            Ok(bytes) => Ok(bytes),
        }
    }

    /// Looks for digests of the files in the bytes of a database: what is kept of them in rows of
    /// facts says nothing by windows.
    fn facts(&mut self, path: &Path) -> Result<()> {
        match super::facts::facts_in(path, &self.sought.files) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(repo::Error::Io { path: path.into(), source }.into()),
            Ok(found) => {
                for file in found {
                    self.found("facts", format!("{} keeps a digest of {file}", path.display()));
                }
            }
        }
        self.evidence.kinds.entry("facts").or_default().1 += 1;
        Ok(())
    }

    fn windows(&mut self, kind: &'static str, path: &Path) -> io::Result<u64> {
        let mut file = File::open(path)?;
        let (mut buffer, mut kept, mut total) = (vec![0; PIECE + WINDOW], 0, 0);
        loop {
            let read = file.read(&mut buffer[kept..])?;
            if read == 0 {
                break;
            }
            total += read as u64;
            let end = kept + read;
            let windows = self.canaries.find(&buffer[..end]);
            if !windows.is_empty() {
                let text = format!("{} windows of it stand in {}", windows.len(), path.display());
                match kind {
                    "worktrees" => self.report(text),
                    ARCHIVES => self.in_archive += windows.len(),
                    // Free blocks: nothing that the store could still remove.
                    "device" => self.evidence.device_hits += windows.len() as u64,
                    _ => self.found(kind, text),
                }
            }
            // A window may lie across two reads.
            kept = end.min(WINDOW - 1);
            buffer.copy_within(end - kept..end, 0);
        }
        self.evidence.bytes += total;
        Ok(total)
    }

    /// Reads a pack, or what was to become one, by the format alone; whether all of it was read.
    fn pack(&mut self, kind: &'static str, path: &Path, name: &str) -> Result<bool> {
        let at = |source| repo::Error::Io { path: path.to_path_buf(), source };
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            bytes => bytes.map_err(at)?,
        };
        let whole = kind == "packs";
        let (end, listed) = match extent(&bytes) {
            Some(extent) => extent,
            None if whole => {
                self.found(
                    kind,
                    format!("{name} is no whole pack, so it cannot be looked through"),
                );
                (bytes.len(), Vec::new())
            }
            None => (bytes.len(), Vec::new()),
        };
        let number = self.packs.len();
        self.packs.push(path.to_path_buf());
        for key in listed.iter().map(|(key, _)| key) {
            if self.sought.keys.contains(key) {
                let (key, text) = (*key, format!("the table of {name} lists {key}"));
                self.sight(key, text, Vec::new());
            }
        }
        let recipes: HashMap<usize, Key> = listed
            .iter()
            .filter(|(key, _)| key.kind == Kind::Recipe)
            .map(|(key, offset)| (*offset, *key))
            .collect();
        let mut decoder = Decoder::new().map_err(at)?;
        let (mut offset, mut object) = (pack::HEADER_LEN, Vec::new());
        while offset < end {
            let Some((header, raw, next)) =
                decode(&mut decoder, &bytes[..end], offset, &mut object)
            else {
                // What a session was writing ends anywhere.
                if whole {
                    self.found(kind, format!("{name} cannot be read at byte {offset}"));
                }
                return Ok(false);
            };
            self.frame(name, header.kind, raw, (number, offset), &recipes);
            offset = next;
        }
        self.evidence.bytes += bytes.len() as u64;
        Ok(whole && offset == end)
    }

    fn frame(
        &mut self,
        name: &str,
        object: Kind,
        raw: &[u8],
        (pack, offset): (usize, usize),
        recipes: &HashMap<usize, Key>,
    ) {
        self.evidence.frames += 1;
        let key = match object {
            Kind::Recipe => match recipes.get(&offset) {
                Some(key) if is_sealed_recipe(raw) => *key,
                _ => return,
            },
            kind => Key::new(kind, *ChunkId::of(raw).as_bytes()),
        };
        let windows = self.sought.canaries.find(raw);
        let is_sought = self.sought.keys.contains(&key);
        if object != Kind::Chunk {
            self.in_metadata.extend(&windows);
        }
        if is_sought || (object == Kind::Chunk && !windows.is_empty()) {
            let text = match is_sought {
                true => format!("{key} stands in {name} at byte {offset}"),
                false => format!("{} windows of it stand in {key} in {name}", windows.len()),
            };
            self.sight(key, text, windows);
        }
        self.objects.entry(key).or_insert(Place { pack, frame: offset });
    }

    /// Files of a worktree, and what lies in its `.stem` but for the store.
    fn worktree(&mut self, top: &Path, store: &Path) -> Result<()> {
        self.evidence.kinds.entry("worktrees").or_default().1 += 1;
        for path in files_of(top)? {
            match self.user_file(&path) {
                Ok(()) => {}
                // A user's files come and go.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.report(format!("{} cannot be read: {error}", path.display())),
            }
        }
        let dot = top.join(".stem");
        for path in everything_below(&dot)? {
            if !path.starts_with(store) {
                self.stream("worktrees", &path)?;
            }
        }
        Ok(())
    }

    /// What of it an archive holds, in words; it is not ours to change.
    fn archive(&mut self, top: &Path) -> Vec<String> {
        let files = match everything_below(top) {
            Ok(files) => files,
            Err(error) => return vec![format!("cannot be read: {}", super::chain(&error))],
        };
        let mut held = Vec::new();
        for path in files {
            let name = path.strip_prefix(top).unwrap_or(&path).display().to_string();
            self.in_archive = 0;
            match hash(&path).and_then(|id| self.windows(ARCHIVES, &path).map(|_| id)) {
                Ok(id) if self.sought.files.contains(&id) => held.push(name),
                Ok(_) if self.in_archive > 0 => held.push(format!("a part in {name}")),
                Ok(_) => {}
                Err(error) => held.push(format!("{name} cannot be read: {error}")),
            }
        }
        held
    }

    fn user_file(&mut self, path: &Path) -> io::Result<()> {
        if !path.symlink_metadata()?.is_file() {
            return Ok(());
        }
        if self.sought.files.contains(&hash(path)?) {
            self.found("worktrees", format!("{} is one of the files", path.display()));
            return Ok(());
        }
        self.windows("worktrees", path).map(drop)
    }

    /// An object that was met on the walk, read once more.
    fn read(&self, reader: &mut Reader, key: &Key) -> Result<Option<Vec<u8>>> {
        let Some(place) = self.objects.get(key) else { return Ok(None) };
        reader.object(&self.packs, place)
    }
}

/// Reads single frames, with the last pack at hand.
struct Reader {
    decoder: Decoder,
    pack: Option<(usize, Vec<u8>)>,
}

impl Reader {
    fn new() -> Result<Self> {
        let at = |source| repo::Error::Io { path: "zstd".into(), source };
        Ok(Self { decoder: Decoder::new().map_err(at)?, pack: None })
    }

    fn object(&mut self, packs: &[PathBuf], place: &Place) -> Result<Option<Vec<u8>>> {
        if self.pack.as_ref().is_none_or(|(number, _)| *number != place.pack) {
            let path = &packs[place.pack];
            let at = |source| repo::Error::Io { path: path.clone(), source };
            self.pack = Some((place.pack, std::fs::read(path).map_err(at)?));
        }
        let Some((_, bytes)) = &self.pack else { return Ok(None) };
        let mut object = Vec::new();
        let found = decode(&mut self.decoder, bytes, place.frame, &mut object);
        Ok(found.map(|(_, raw, _)| raw.to_vec()))
    }
}

/// Where the frames of a pack end, and what its table lists.
fn extent(bytes: &[u8]) -> Option<(usize, Vec<(Key, usize)>)> {
    let header = bytes.first_chunk::<{ pack::HEADER_LEN }>()?;
    pack::Header::decode(header).ok()?;
    let trailer = bytes.last_chunk::<TRAILER_LEN>()?;
    let trailer = Trailer::decode(trailer, bytes.len() as u64).ok()?;
    let start = usize::try_from(trailer.table_offset).ok()?;
    let table = bytes.get(start..bytes.len() - TRAILER_LEN)?;
    if table.len() % ENTRY_LEN != 0 {
        return None;
    }
    let listed = entries(table).map(|entry| Some((entry?.key, entry?.offset as usize)));
    Some((start, listed.collect::<Option<Vec<_>>>()?))
}

/// The frame at `offset`, its object, and where the next one begins.
fn decode<'o>(
    decoder: &mut Decoder,
    bytes: &'o [u8],
    offset: usize,
    object: &'o mut Vec<u8>,
) -> Option<(frame::Header, &'o [u8], usize)> {
    let head = bytes.get(offset..)?.first_chunk::<{ frame::HEADER_LEN }>()?;
    let header = frame::Header::decode(head).ok()?;
    let next = offset.checked_add(header.frame_len())?;
    let stored = bytes.get(offset + frame::HEADER_LEN..next)?;
    let raw = match header.codec {
        Codec::Stored => stored,
        Codec::Zstd => {
            decoder.object(&header, stored, object).ok()?;
            &object[..]
        }
    };
    Some((header, raw, next))
}

/// Every regular file below a directory, in order.
fn everything_below(top: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![top.to_path_buf()]);
    while let Some(directory) = open.pop() {
        let at = |source| repo::Error::Io { path: directory.clone(), source };
        for entry in std::fs::read_dir(&directory).map_err(at)? {
            let entry = entry.map_err(at)?;
            let kind = entry.file_type().map_err(at)?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
