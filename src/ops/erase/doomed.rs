//! Which objects only the doomed files need, where they lie, and who shares the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::{Bytes, Chunks, Packs, Sharer};
use super::select::{Scope, Selected};
use crate::catalogue::PackState;
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::format::manifest;
use crate::format::table::ENTRY_LEN;
use crate::model::{ChunkId, FileId, FileRef, ManifestId, PackName, Presence, RepoPath, VersionId};
use crate::ops::Result;
use crate::repo::{
    self, ChunkList, Fault, Marks, Overlay, Repository, Tracer, pack_info, parallel,
};
use crate::store::{self, PackInfo};

/// So many files that share chunks are named.
const MOST_SHARERS: usize = 100;

/// Objects that go, and where they lie.
pub(super) struct Doomed {
    /// Objects that nothing else needs: chunks, recipes, parts of recipes.
    pub(super) keys: HashSet<Key>,
    /// Chunks of the doomed files that other files need.
    pub(super) shared: HashSet<Key>,
    pub(super) packs: Vec<AffectedPack>,
    pub(super) chunks: Chunks,
    pub(super) bytes: Bytes,
}

/// A pack that holds something that goes.
pub(super) struct AffectedPack {
    pub(super) info: PackInfo,
    pub(super) live: bool,
    /// Bytes of frames and table entries of what goes; all of them in a pack that goes whole.
    pub(super) doomed_bytes: u64,
    /// Whether it holds nothing else.
    pub(super) whole: bool,
}

/// Marks everything that is needed as of `scope` if `overlay` says what is gone.
pub(super) fn needed(repository: &Repository, scope: &Scope, overlay: &Overlay) -> Result<Marks> {
    let marks = Marks::default();
    let strict = |fault: Fault| match fault.error {
        repo::Error::Store(store::Error::NotFound { key }) => {
            Err(repo::Error::Lost { what: key.to_string() })
        }
        error => Err(error),
    };
    let tracer = Tracer::new(repository, &marks, &strict);
    tracer.with_overlay(overlay.with([])).listings(&scope.listings)?;
    let lenient = |_| Ok(());
    let tracer = Tracer::new(repository, &marks, &lenient);
    tracer.with_overlay(overlay.with([])).listings(&scope.hoped_for)?;
    for row in &scope.rows {
        marks.add(&Key::version(&row.id));
    }
    Ok(marks)
}

/// Whether any pack still has any of these objects.
pub(super) fn holds_any(repository: &Repository, keys: &HashSet<Key>) -> Result<bool> {
    let mut rows = repository.catalogue.packs(PackState::Live)?;
    rows.extend(repository.catalogue.packs(PackState::Condemned)?);
    let found = AtomicBool::new(false);
    parallel::each(
        repository.threads(),
        &rows,
        || Ok(()),
        |(), row| {
            if !found.load(Relaxed) {
                let objects = repository.store.objects(row.pack.name)?;
                if objects.iter().any(|object| keys.contains(&object.key)) {
                    found.store(true, Relaxed);
                }
            }
            Ok(())
        },
    )?;
    Ok(found.into_inner())
}

/// What is needed, and what that was found by.
pub(super) struct Needs {
    listings: [Vec<ManifestId>; 2],
    versions: Vec<VersionId>,
    gone: Vec<FileId>,
    overlay: Arc<Overlay>,
    marks: Marks,
}

impl Needs {
    /// What is needed but for the files of `selected`; what was found `before` if nothing that it
    /// follows from is other than then.
    fn of(
        repository: &Repository,
        scope: &Scope,
        selected: &Selected,
        before: Option<Self>,
    ) -> Result<Self> {
        let listings = [scope.listings.clone(), scope.hoped_for.clone()];
        let versions: Vec<VersionId> = scope.rows.iter().map(|row| row.id).collect();
        let gone: Vec<FileId> = selected.files.keys().copied().collect();
        let overlay = repository.overlay();
        let same = |before: &Self| {
            before.listings == listings
                && before.versions == versions
                && before.gone == gone
                && Arc::ptr_eq(&before.overlay, &overlay)
        };
        if let Some(before) = before.filter(same) {
            return Ok(before);
        }
        let marks = needed(repository, scope, &without(&overlay, selected))?;
        Ok(Self { listings, versions, gone, overlay, marks })
    }
}

/// What is gone once the files of `selected` are.
fn without(overlay: &Overlay, selected: &Selected) -> Overlay {
    let gone = |(id, file): (&FileId, &FileRef)| {
        (*id, Presence::Erased { size: file.size, certificate: String::new() })
    };
    overlay.with(selected.files.iter().map(gone))
}

/// Everything that makes a file: its chunks, its recipe and the parts of it.
fn objects_of(repository: &Repository, file: &FileRef) -> Result<Vec<Key>> {
    let mut keys = vec![Key::recipe(&file.file)];
    let list = ChunkList::of(repository, file)?;
    keys.extend(list.stored_parts());
    for number in 0..list.part_count() {
        let chunks = list.part(repository, number)?;
        keys.extend(chunks.iter().map(|chunk| Key::chunk(&chunk.id)));
    }
    Ok(keys)
}

impl Doomed {
    /// What goes with the files of `selected`, as things stand; `needs` keeps what is needed for
    /// the next time.
    pub(super) fn of(
        repository: &Repository,
        scope: &Scope,
        selected: &Selected,
        needs: &mut Option<Needs>,
    ) -> Result<Self> {
        let now = Needs::of(repository, scope, selected, needs.take())?;
        let needed = &needs.insert(now).marks;
        let (mut keys, mut shared) = (HashSet::new(), HashSet::new());
        for file in selected.files.values() {
            for key in objects_of(repository, file)? {
                match needed.contains(&key) || selected.kept.contains(&key) {
                    true => shared.insert(key),
                    false => keys.insert(key),
                };
            }
        }
        let mut doomed = Self {
            keys,
            shared,
            packs: Vec::new(),
            chunks: Chunks::default(),
            bytes: Bytes::default(),
        };
        doomed.locate(repository)?;
        let overlay = without(&repository.overlay(), selected);
        doomed.chunks.sharers = doomed.sharers(repository, scope, &overlay)?;
        doomed.bytes.content = selected.files.values().map(|file| file.size).sum();
        Ok(doomed)
    }

    /// Objects that were found doomed before, without what is needed by now.
    pub(super) fn again(
        repository: &Repository,
        keys: &HashSet<Key>,
        needed: &Marks,
    ) -> Result<Self> {
        let (shared, keys) = keys.iter().copied().partition(|key| needed.contains(key));
        let (chunks, bytes) = (Chunks::default(), Bytes::default());
        let mut doomed = Self { keys, shared, packs: Vec::new(), chunks, bytes };
        doomed.locate(repository)?;
        Ok(doomed)
    }

    /// Finds the packs that hold something that goes, and adds up what that is.
    fn locate(&mut self, repository: &Repository) -> Result<()> {
        let live = repository.catalogue.packs(PackState::Live)?.into_iter().map(|row| (row, true));
        let condemned = repository.catalogue.packs(PackState::Condemned)?;
        let rows: Vec<_> = live.chain(condemned.into_iter().map(|row| (row, false))).collect();
        let found = Mutex::new((Vec::new(), Bytes::default(), HashSet::new()));
        parallel::each(
            repository.threads(),
            &rows,
            || Ok(()),
            |(), (row, live)| {
                let info = pack_info(&row.pack);
                let (mut doomed_bytes, mut kept_shared, mut whole) = (0, 0, true);
                let mut met = Vec::new();
                for object in repository.store.objects(info.name)? {
                    let bytes = u64::from(object.frame_len) + ENTRY_LEN as u64;
                    if self.keys.contains(&object.key) {
                        doomed_bytes += bytes;
                        met.push(object.key);
                    } else {
                        whole = false;
                        if self.shared.contains(&object.key) {
                            kept_shared += bytes;
                        }
                    }
                }
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.1.kept_shared += kept_shared;
                if doomed_bytes > 0 {
                    if whole {
                        doomed_bytes = info.bytes;
                    }
                    found.1.freed += doomed_bytes;
                    found.2.extend(met);
                    found.0.push(AffectedPack { info, live: *live, doomed_bytes, whole });
                }
                Ok(())
            },
        )?;
        let (packs, bytes, met) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.packs = packs;
        self.packs.sort_by_key(|pack| pack.info.name);
        self.bytes = bytes;
        // What no pack has is not there to go: a file of one chunk has no recipe.
        self.keys = met;
        let count = |keys: &HashSet<Key>| keys.iter().filter(|key| key.kind == Kind::Chunk).count();
        self.chunks.exclusive = count(&self.keys) as u64;
        self.chunks.shared = count(&self.shared) as u64;
        Ok(())
    }

    /// The files that need chunks of the doomed ones.
    fn sharers(
        &self,
        repository: &Repository,
        scope: &Scope,
        overlay: &Overlay,
    ) -> Result<Vec<Sharer>> {
        if self.chunks.shared == 0 {
            return Ok(Vec::new());
        }
        let mut files: BTreeMap<FileId, (FileRef, Vec<u8>)> = BTreeMap::new();
        let nodes = repository.nodes();
        let mut seen = HashSet::new();
        for root in &scope.listings {
            manifest::walk(&nodes, root, |id, node: &manifest::Node| {
                let is_new = seen.insert(*id);
                let mut entries = node.entries();
                while let Some(entry) = entries.next_entry().filter(|_| is_new) {
                    let file = entry.file;
                    if overlay.get(&file.file).is_none() {
                        // The first path of all, whichever listing comes first.
                        let known = files.entry(file.file);
                        let known = known.or_insert_with(|| (file, entry.path.to_vec()));
                        if entry.path < &known.1[..] {
                            known.1 = entry.path.to_vec();
                        }
                    }
                }
                is_new
            })?;
        }
        let files: Vec<_> = files.into_values().collect();
        let sharers = Mutex::new(Vec::new());
        parallel::each(
            repository.threads(),
            &files,
            || Ok(()),
            |(), (file, path)| {
                let list = ChunkList::of(repository, file)?;
                let mut chunks = HashSet::new();
                for number in 0..list.part_count() {
                    let part = list.part(repository, number)?;
                    let shared = part.iter().map(|chunk| Key::chunk(&chunk.id));
                    chunks.extend(shared.filter(|key| self.shared.contains(key)));
                }
                if !chunks.is_empty() {
                    let (path, chunks) = (RepoPath::exact_bytes(path), chunks.len() as u64);
                    let sharer = Sharer { file: file.file, path, chunks };
                    sharers.lock().unwrap_or_else(PoisonError::into_inner).push(sharer);
                }
                Ok(())
            },
        )?;
        let mut sharers = sharers.into_inner().unwrap_or_else(PoisonError::into_inner);
        sharers.sort_by_key(|sharer: &Sharer| sharer.file);
        sharers.truncate(MOST_SHARERS);
        Ok(sharers)
    }

    /// How many packs go and how many are written again.
    pub(super) fn pack_counts(&self) -> Packs {
        let whole = self.packs.iter().filter(|pack| pack.whole).count() as u64;
        let mixed = self.packs.iter().filter(|pack| !pack.whole);
        Packs {
            drop: whole,
            rewrite: self.packs.len() as u64 - whole,
            scratch_bytes: mixed.map(|pack| pack.info.bytes - pack.doomed_bytes).sum(),
        }
    }

    /// One hash over everything that goes and everything that is shared.
    pub(super) fn fingerprint(&self) -> String {
        let mut lines: Vec<String> = self.keys.iter().map(|key| format!("- {key}\n")).collect();
        lines.extend(self.shared.iter().map(|key| format!("= {key}\n")));
        lines.sort_unstable();
        ChunkId::of(lines.concat().as_bytes()).to_hex()
    }

    /// The packs by name.
    pub(super) fn by_name(&self) -> HashMap<PackName, &AffectedPack> {
        self.packs.iter().map(|pack| (pack.info.name, pack)).collect()
    }
}
