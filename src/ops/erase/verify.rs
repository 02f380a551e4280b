//! Verification: looks again for what was erased, by another way than it was erased by.
//!
//! Here: a walk over every file of a store and its worktrees that knows no index, no cache and no
//! catalogue: it reads packs by the format alone, decodes and hashes every frame, and probes every
//! other byte for windows of what was erased. Metadata comes first: it tells which chunks must be
//! there, so that what stands in these is no finding (`hits`).
//! Not here: anything that `store` or `repo` would find for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::canary::{Canaries, Window};
use super::frames::{Bytes, Eyes, Needed, Reader, Seen, Sighting, Spot};
use super::hits::{self, Hit, Place};
use super::probe::{Probed, probe, probe_file};
use super::residue::{files_of, kind_of};
use super::told::{InJournal, Told};
use crate::format::frame::Key;
use crate::format::frame::codec::Decoder;
use crate::format::kind::Kind;
use crate::format::manifest::Node;
use crate::format::pack::PackKind;
use crate::format::recipe::{ChunkRef, Items, decode_part, decode_recipe};
use crate::format::version;
use crate::model::{FileId, FileRef, ManifestId, Presence, VersionId};
use crate::ops::Result;
use crate::repo::{self, Recent, Worktree, parallel};

/// So many places are named.
const MOST_NAMED: usize = 50;
/// So many files are taken at a time.
const BATCH: usize = 64;

/// What is looked for.
pub(super) struct Sought {
    pub(super) keys: HashSet<Key>,
    pub(super) files: HashSet<FileId>,
    pub(super) canaries: Canaries,
}

/// Where it is looked for, and what must still be there.
pub(super) struct Witness {
    pub(super) store: PathBuf,
    /// The worktrees; what they have staged must be readable besides.
    pub(super) worktrees: Vec<Worktree>,
    /// The versions that must be readable.
    pub(super) versions: Vec<VersionId>,
    /// The files that need not be, and what is given out in their place.
    pub(super) gone: HashMap<FileId, Presence>,
    pub(super) device: Option<PathBuf>,
    /// Archives that can be reached.
    pub(super) archives: Vec<PathBuf>,
    /// What the journal says on its own behalf.
    pub(super) told: Told,
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
    /// The entries of the journal that have a part of it which nothing else told of has.
    pub(super) in_journal: InJournal,
    /// Worktrees that are not there.
    pub(super) absent_worktrees: Vec<PathBuf>,
    /// What archives hold of it, of each that was looked into.
    pub(super) archives: BTreeMap<PathBuf, Vec<String>>,
}

/// What one walk has seen.
struct Walk<'a> {
    sought: &'a Sought,
    told: &'a Told,
    sightings: Vec<Sighting>,
    /// Of what is sought: the records that files that stay need.
    needed: HashSet<Key>,
    chunks: Needed,
    /// The files that must be there, in order.
    retained: Vec<FileId>,
    evidence: Evidence,
    packs: Vec<PathBuf>,
    objects: HashMap<Key, Spot>,
    in_metadata: HashSet<Window>,
    /// Windows that stand outside of chunks that stay, and may stand in these as well.
    hits: Vec<Hit>,
}

/// A file of the store, its name there, and what kind it is of.
struct Listed {
    kind: &'static str,
    path: PathBuf,
    name: String,
}

impl Witness {
    /// Looks everywhere.
    pub(super) fn look(&self, sought: &Sought) -> Result<Evidence> {
        let mut walk = Walk {
            sought,
            told: &self.told,
            sightings: Vec::new(),
            needed: HashSet::new(),
            chunks: Needed::new(),
            retained: Vec::new(),
            evidence: Evidence { windows: sought.canaries.len() as u64, ..Evidence::default() },
            packs: Vec::new(),
            objects: HashMap::new(),
            in_metadata: HashSet::new(),
            hits: Vec::new(),
        };
        let (packs, mut others) = self.listed()?;
        for file in packs.iter().chain(&others) {
            walk.evidence.kinds.entry(file.kind).or_default().1 += 1;
        }
        let (metadata, data): (Vec<_>, Vec<_>) = packs.into_iter().partition(is_metadata);
        others.extend(walk.read_packs(metadata, false)?);
        self.retained(&mut walk)?;
        others.extend(walk.read_packs(data, true)?);
        for id in walk.chunks.lost() {
            walk.lost(&Key::new(Kind::Chunk, id));
        }
        walk.judge();
        for Listed { kind, path, .. } in others {
            walk.stream(kind, &path)?;
            if matches!(kind, "catalogue" | "old catalogues") {
                walk.facts(&path)?;
            }
        }
        for Worktree { path, is_lost, .. } in &self.worktrees {
            if !is_lost && path.is_dir() {
                walk.worktree(path, &self.store)?;
            } else {
                walk.evidence.absent_worktrees.push(path.clone());
            }
        }
        for top in &self.archives {
            walk.archive(top);
        }
        if let Some(device) = &self.device {
            let bytes = walk.stream("device", device)?;
            walk.evidence.device_bytes = Some(bytes);
        }
        walk.evidence.in_metadata = walk.in_metadata.len() as u64;
        let common = self.common(&walk)?;
        walk.settle(&common);
        // But for what stands in content that stays.
        let counts = |one: &Window| !common.contains(one) && !walk.in_metadata.contains(one);
        walk.evidence.in_journal = self.told.only(counts);
        walk.evidence.found.truncate(MOST_NAMED);
        Ok(walk.evidence)
    }

    /// Packs, or what may become some, and the other files of the store.
    fn listed(&self) -> Result<(Vec<Listed>, Vec<Listed>)> {
        let all = everything_below(&self.store)?.into_iter().map(|path| {
            let name =
                path.strip_prefix(&self.store).unwrap_or(&path).to_string_lossy().into_owned();
            Listed { kind: kind_of(&name), path, name }
        });
        Ok(all.partition(|file| matches!(file.kind, "packs" | "temporary files")))
    }

    /// Of all windows that were met outside of chunks that stay, those that stand in these too.
    fn common(&self, walk: &Walk<'_>) -> Result<HashSet<Window>> {
        let told = self.told.windows().filter(|one| !walk.in_metadata.contains(*one));
        let met = walk.hits.iter().flat_map(|hit| &hit.windows);
        let wanted: HashSet<Window> = met.chain(told).copied().collect();
        if wanted.is_empty() {
            return Ok(wanted);
        }
        let wanted = walk.sought.canaries.only(&wanted.into_iter().collect::<Vec<_>>());
        // Listed once more: packs may have been merged meanwhile.
        let (packs, _) = self.listed()?;
        let packs = packs.into_iter().filter(|file| !is_metadata(file));
        let packs: Vec<PathBuf> = packs.map(|file| file.path).collect();
        hits::common(&packs, &wanted, &walk.chunks, threads())
    }

    /// Everything that the versions list must be there, but for what is gone by design.
    fn retained(&self, walk: &mut Walk<'_>) -> Result<()> {
        let mut reader = Reader::new(&walk.packs)?;
        let (mut seen, mut files) = (HashSet::new(), HashMap::new());
        let (mut needed, mut versions) = (Vec::new(), 0);
        for id in &self.versions {
            let bytes = reader.object(walk.objects.get(&Key::version(id)))?;
            let Some(found) = bytes.and_then(|bytes| version::decode(&bytes).ok()) else {
                needed.push((Key::version(id), false));
                continue;
            };
            versions += 1;
            self.listing(walk, &mut reader, found.manifest, &mut seen, &mut files, &mut needed)?;
        }
        for listing in self.worktrees.iter().map(|one| &one.row.state.staged) {
            self.listing(walk, &mut reader, *listing, &mut seen, &mut files, &mut needed)?;
        }
        let files: Vec<FileRef> = files.into_values().collect();
        let all = Mutex::new(needed);
        let reader = || Ok((Reader::new(&walk.packs)?, Recent::default()));
        let batches: Vec<_> = files.chunks(BATCH).collect();
        parallel::each(threads(), &batches, reader, |(reader, recent), batch| {
            let mut mine = Vec::new();
            batch.iter().try_for_each(|file| content(walk, reader, recent, file, &mut mine))?;
            all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
            Ok(())
        })?;
        let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_unstable();
        walk.evidence.versions += versions;
        walk.evidence.retained_files += files.len() as u64;
        walk.retained = files.iter().map(|file| file.file).collect();
        walk.retained.sort_unstable();
        for (key, is_there) in all {
            match is_there {
                true => drop(walk.needed.insert(key)),
                false => walk.lost(&key),
            }
        }
        for key in walk.objects.keys().filter(|key| key.kind == Kind::Chunk) {
            walk.chunks.meet(&key.id);
        }
        walk.objects = HashMap::new();
        Ok(())
    }

    /// Adds the files of a listing, as they are given out.
    fn listing(
        &self,
        walk: &Walk<'_>,
        reader: &mut Reader<'_>,
        root: ManifestId,
        seen: &mut HashSet<ManifestId>,
        files: &mut HashMap<FileId, FileRef>,
        needed: &mut Vec<(Key, bool)>,
    ) -> Result<()> {
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if id == crate::format::manifest::empty().0 || !seen.insert(id) {
                continue;
            }
            let bytes = reader.object(walk.objects.get(&Key::node(&id)))?;
            let Some(node) = bytes.and_then(|bytes| Node::decode(bytes).ok()) else {
                needed.push((Key::node(&id), false));
                continue;
            };
            let mut entries = node.entries();
            while let Some(entry) = entries.next_entry() {
                if let Some(file) = self.given(entry.file).filter(|file| file.size > 0) {
                    files.insert(file.file, file);
                }
            }
            let mut children = node.children();
            while let Some(child) = children.next_child() {
                open.push(child.id);
            }
        }
        Ok(())
    }

    /// What is given out for a file; nothing if that is by design.
    fn given(&self, file: FileRef) -> Option<FileRef> {
        let mut file = file;
        for _ in 0..64 {
            match self.gone.get(&file.file) {
                Some(Presence::Replaced { by, by_size, .. }) => {
                    file = FileRef { file: *by, size: *by_size, ..file };
                }
                Some(_) => return None,
                None => break,
            }
        }
        Some(file)
    }
}

/// A record that is needed, and whether it can be read.
fn content(
    walk: &Walk<'_>,
    reader: &mut Reader<'_>,
    recent: &mut Recent,
    file: &FileRef,
    needed: &mut Vec<(Key, bool)>,
) -> repo::Result<()> {
    let key = Key::recipe(&file.file);
    let mut note = |key: Key, is_there: bool| {
        if !is_there || walk.sought.keys.contains(&key) {
            needed.push((key, is_there));
        }
    };
    let Some(bytes) = reader.object(walk.objects.get(&key))? else {
        walk.chunks.add(file.file.as_bytes());
        return Ok(());
    };
    let mut add = |chunks: Vec<ChunkRef>| {
        let ids = chunks.iter().map(|chunk| &chunk.id);
        ids.filter(|id| !recent.meets(&Key::chunk(id)))
            .for_each(|id| walk.chunks.add(id.as_bytes()));
    };
    let recipe = decode_recipe(&bytes);
    note(key, recipe.is_ok());
    match recipe.map(|recipe| recipe.items) {
        Ok(Items::Chunks(chunks)) => add(chunks),
        Ok(Items::Parts(parts)) => {
            for part in parts {
                let key = Key::recipe_part(part.id);
                let bytes = reader.object(walk.objects.get(&key))?;
                let chunks = bytes.and_then(|bytes| decode_part(&bytes).ok());
                note(key, chunks.is_some());
                add(chunks.unwrap_or_default());
            }
        }
        Err(_) => {}
    }
    Ok(())
}

/// Whether it is a pack of metadata by what it says itself.
fn is_metadata(file: &Listed) -> bool {
    let kind = Bytes::open(&file.path).and_then(|mut bytes| bytes.kind());
    file.kind == "packs" && matches!(kind, Ok(Some(PackKind::Meta)))
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

    fn stays(&self, key: &Key) -> bool {
        match key.kind {
            Kind::Chunk => self.chunks.contains(&key.id),
            _ => self.needed.contains(key),
        }
    }

    /// Decides on the objects that were seen in packs, now that it is known what stays.
    fn judge(&mut self) {
        for Sighting { key, text } in std::mem::take(&mut self.sightings) {
            if !self.stays(&key) {
                self.found("packs", text);
            }
        }
    }

    /// Decides on the windows that were met, now that it is known which stand in what stays.
    fn settle(&mut self, common: &HashSet<Window>) {
        for Hit { place, windows } in std::mem::take(&mut self.hits) {
            let count = windows.iter().filter(|window| !common.contains(*window)).count();
            if count == 0 && !windows.is_empty() {
                continue;
            }
            let of_it = format!("{count} windows of it stand in");
            match place {
                Place::Chunk(key, _) if self.stays(&key) => {}
                Place::Chunk(key, name) => self.found("packs", format!("{of_it} {key} in {name}")),
                Place::File("worktrees", path) => {
                    self.report(format!("{of_it} {}", path.display()));
                }
                // Free blocks: nothing that the store could still remove.
                Place::File("device", _) => self.evidence.device_hits += count as u64,
                Place::File(kind, path) => self.found(kind, format!("{of_it} {}", path.display())),
                Place::Archive(top, text) => {
                    self.evidence.archives.entry(top).or_default().push(text);
                }
            }
        }
    }

    /// Reads packs on all threads; those of which not all was read, which have to be looked through
    /// otherwise.
    fn read_packs(&mut self, files: Vec<Listed>, decide: bool) -> Result<Vec<Listed>> {
        let files: Vec<(usize, Listed)> = files.into_iter().enumerate().collect();
        let all = Mutex::new(Vec::new());
        let needed = decide.then_some(&self.chunks);
        let eyes = || {
            let at = |source| repo::Error::Io { path: "zstd".into(), source };
            let decoder = Decoder::new().map_err(at)?;
            Ok(Eyes { keys: &self.sought.keys, canaries: &self.sought.canaries, decoder })
        };
        parallel::each(threads(), &files, eyes, |eyes, (number, file)| {
            let seen = eyes.pack(&file.path, &file.name, file.kind == "packs", needed);
            let at = |source| repo::Error::Io { path: file.path.clone(), source };
            let seen = (*number, seen.map_err(at)?);
            all.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            Ok(())
        })?;
        let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_unstable_by_key(|(number, _)| *number);
        let mut others = Vec::new();
        for ((_, file), (_, seen)) in files.into_iter().zip(all) {
            let whole = seen.whole;
            self.take(&file, seen);
            if !whole {
                others.push(file);
            }
        }
        Ok(others)
    }

    fn take(&mut self, file: &Listed, seen: Seen) {
        self.evidence.frames += seen.frames;
        self.evidence.bytes += if seen.whole { seen.bytes } else { 0 };
        self.in_metadata.extend(seen.in_metadata);
        self.sightings.extend(seen.sightings);
        let hit = |(key, windows)| Hit { place: Place::Chunk(key, file.name.clone()), windows };
        self.hits.extend(seen.hits.into_iter().map(hit));
        seen.problems.into_iter().for_each(|problem| self.found(file.kind, problem));
        let pack = self.packs.len();
        for (key, frame) in seen.objects {
            self.objects.entry(key).or_insert(Spot { pack, frame });
        }
        self.packs.push(file.path.clone());
    }

    /// Looks for windows in all bytes of a file or device; how many bytes there were.
    fn stream(&mut self, kind: &'static str, path: &Path) -> Result<u64> {
        match probe(path, &self.sought.canaries) {
            // Gone since the directory was listed: a session has ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(repo::Error::Io { path: path.to_path_buf(), source }.into()),
            Ok(probed) => {
                let bytes = probed.bytes;
                self.probed(kind, path, probed);
                Ok(bytes)
            }
        }
    }

    /// Whether a file is one that stays, whose chunks are looked at in packs, or one that went: more
    /// than that has not to be said of it.
    fn is_known(&self, file: &FileId) -> bool {
        self.retained.binary_search(file).is_ok() || self.sought.files.contains(file)
    }

    fn probed(&mut self, kind: &'static str, path: &Path, probed: Probed) {
        self.evidence.bytes += probed.bytes;
        // The catalogue repeats who made a version, its message and its paths, and who did what: what
        // stands in the version or the entry itself, which cannot change, is told by itself.
        let repeats = matches!(
            kind,
            "catalogue" | "old catalogues" | "journal copy" | "plans and certificates"
        );
        let is_told = |window: &Window| {
            repeats && (self.in_metadata.contains(window) || self.told.has(window))
        };
        let windows: Vec<Window> =
            probed.windows.into_iter().filter(|window| !is_told(window)).collect();
        if !windows.is_empty() {
            self.hits.push(Hit { place: Place::File(kind, path.to_path_buf()), windows });
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

    /// Files of a worktree, and what lies in its `.stem` but for the store.
    fn worktree(&mut self, top: &Path, store: &Path) -> Result<()> {
        self.evidence.kinds.entry("worktrees").or_default().1 += 1;
        let files: Vec<(usize, PathBuf)> = files_of(top)?.into_iter().enumerate().collect();
        let all = Mutex::new(Vec::new());
        parallel::each(
            threads(),
            &files,
            || Ok(()),
            |(), (number, path)| {
                let probed = match path.symlink_metadata() {
                    Ok(meta) if !meta.is_file() => return Ok(()),
                    Ok(_) => probe_file(path, &self.sought.canaries, |file| self.is_known(file)),
                    Err(error) => Err(error),
                };
                all.lock().unwrap_or_else(PoisonError::into_inner).push((*number, probed));
                Ok(())
            },
        )?;
        let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_unstable_by_key(|(number, _)| *number);
        for (number, probed) in all {
            let path = &files[number].1;
            match probed {
                Ok(probed) if probed.file.is_some_and(|id| self.sought.files.contains(&id)) => {
                    self.found("worktrees", format!("{} is one of the files", path.display()));
                }
                Ok(probed) => self.probed("worktrees", path, probed),
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

    /// Looks for what an archive holds of it; that is not ours to change.
    fn archive(&mut self, top: &Path) {
        self.evidence.archives.entry(top.to_path_buf()).or_default();
        let files = everything_below(top).unwrap_or_else(|error| {
            let text = format!("cannot be read: {}", super::chain(&error));
            self.held(top, Vec::new(), text);
            Vec::new()
        });
        for path in files {
            let name = path.strip_prefix(top).unwrap_or(&path).display().to_string();
            let probed = probe_file(&path, &self.sought.canaries, |file| self.is_known(file));
            let probed = match probed {
                Ok(probed) => probed,
                Err(error) => {
                    self.held(top, Vec::new(), format!("{name} cannot be read: {error}"));
                    continue;
                }
            };
            self.evidence.bytes += probed.bytes;
            if probed.file.is_some_and(|id| self.sought.files.contains(&id)) {
                self.held(top, Vec::new(), name);
            } else if !probed.windows.is_empty() {
                let windows = probed.windows.into_iter().collect();
                self.held(top, windows, format!("a part in {name}"));
            }
        }
    }

    fn held(&mut self, top: &Path, windows: Vec<Window>, text: String) {
        self.hits.push(Hit { place: Place::Archive(top.to_path_buf(), text), windows });
    }
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
