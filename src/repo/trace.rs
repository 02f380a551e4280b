//! Following listings down to their chunks, with all threads, each node and each file once.
//!
//! Here: what is reachable from listings, and whether it is there.
//! Not here: which listings count (`ops`), whether bytes are right (`store::Checker`).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::content::ChunkList;
use super::parallel::each;
use super::{Error, Marks, Recent, Repository, Result};
use crate::format::frame::Key;
use crate::format::manifest::{self, Child, Node, Totals};
use crate::format::{self, version};
use crate::model::{FileRef, ManifestId, Presence, Version, VersionId};
use crate::store::{self, Location, Reader};

/// An object that is not there, or cannot be used.
#[derive(Debug)]
pub struct Fault {
    /// The object.
    pub key: Key,
    /// A path that needs it, in the listing where it was met first.
    pub path: Option<Vec<u8>>,
    /// Why it cannot be used; [`store::Error::NotFound`] if no pack has it.
    pub error: Error,
}

/// How much was followed, without what was known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traced {
    /// Nodes of listings.
    pub nodes: u64,
    /// Different contents of files.
    pub files: u64,
    /// Chunks.
    pub chunks: u64,
    /// Different contents that are gone by design; nothing of them is needed.
    pub erased: u64,
}

/// Follows listings.
pub struct Tracer<'a> {
    repository: &'a Repository,
    marks: &'a Marks,
    look_up: bool,
    present: Option<&'a Marks>,
    fault: &'a (dyn Fn(Fault) -> Result<()> + Sync),
    nodes: AtomicU64,
    files: AtomicU64,
    chunks: AtomicU64,
    erased: AtomicU64,
    overlay: std::sync::Arc<super::Overlay>,
    /// What was met and is gone by design.
    gone: Marks,
}

/// A node to visit, and what the node above says of it.
struct Step {
    id: ManifestId,
    announced: Option<Announced>,
}

struct Announced {
    level: u8,
    totals: Totals,
    last: Box<[u8]>,
    /// All paths of the node are greater.
    floor: Box<[u8]>,
}

impl<'a> Tracer<'a> {
    /// Adds to `marks` what listings need, and gives everything that is wrong to `fault`, which
    /// ends it all by returning an error. What is in `marks` already is not followed again.
    pub fn new(
        repository: &'a Repository,
        marks: &'a Marks,
        fault: &'a (dyn Fn(Fault) -> Result<()> + Sync),
    ) -> Self {
        let zero = AtomicU64::default;
        let (nodes, files, chunks, erased) = (zero(), zero(), zero(), zero());
        let (look_up, present) = (false, None);
        let overlay = repository.overlay();
        Self {
            repository,
            marks,
            look_up,
            present,
            fault,
            nodes,
            files,
            chunks,
            erased,
            overlay,
            gone: Marks::default(),
        }
    }

    /// Looks up every chunk as well.
    #[must_use]
    pub fn with_chunks(self) -> Self {
        Self { look_up: true, ..self }
    }

    /// Looks up every chunk as well, those in `present` there.
    #[must_use]
    pub fn with_chunks_in(self, present: &'a Marks) -> Self {
        Self { look_up: true, present: Some(present), ..self }
    }

    /// Follows as if `overlay` said what is gone.
    #[must_use]
    pub fn with_overlay(self, overlay: super::Overlay) -> Self {
        Self { overlay: std::sync::Arc::new(overlay), ..self }
    }

    /// Follows listings.
    ///
    /// # Errors
    ///
    /// What `fault` returns; the catalogue's.
    pub fn listings(&self, roots: &[ManifestId]) -> Result<Traced> {
        let empty = manifest::empty().0;
        let step = |id: &ManifestId| Step { id: *id, announced: None };
        let new = |id: &&ManifestId| **id != empty && self.marks.add(&Key::node(id));
        let mut level: Vec<Step> = roots.iter().filter(new).map(step).collect();
        while !level.is_empty() {
            level = self.level(level)?;
        }
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Ok(Traced {
            nodes: read(&self.nodes),
            files: read(&self.files),
            chunks: read(&self.chunks),
            erased: read(&self.erased),
        })
    }

    /// Visits nodes, and gives those below them that are new.
    fn level(&self, steps: Vec<Step>) -> Result<Vec<Step>> {
        // Reading in the order in which the nodes lie is fastest.
        let place = |step: &Step| self.locate(&Key::node(&step.id)).ok().flatten();
        let mut steps: Vec<_> = steps.into_iter().map(|step| (place(&step), step)).collect();
        steps.sort_by_key(|(place, _)| *place);
        let below = Mutex::new(Vec::new());
        let batches: Vec<_> = steps.chunks(64).collect();
        each(
            self.repository.threads(),
            &batches,
            || Ok((self.repository.store.reader()?, Recent::default())),
            |(reader, recent), batch| {
                let mut found = Vec::new();
                for (_, step) in *batch {
                    self.node(reader, recent, step, &mut found)?;
                }
                below.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                Ok(())
            },
        )?;
        Ok(below.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn node(
        &self,
        reader: &mut Reader,
        recent: &mut Recent,
        step: &Step,
        below: &mut Vec<Step>,
    ) -> Result<()> {
        let key = Key::node(&step.id);
        let node = match self.read_node(reader, step) {
            Ok(node) => node,
            Err(error) => {
                let path = step.announced.as_ref().map(|announced| announced.last.to_vec());
                return (self.fault)(Fault { key, path, error });
            }
        };
        self.nodes.fetch_add(1, Relaxed);
        let mut files = 0;
        let mut entries = node.entries();
        while let Some(entry) = entries.next_entry() {
            self.file(entry.path, &entry.file, recent)?;
            files += 1;
        }
        self.repository.environment.progress.advance(files, 0);
        let mut floor: Box<[u8]> = match &step.announced {
            Some(announced) => announced.floor.clone(),
            None => Box::default(),
        };
        let mut children = node.children();
        while let Some(Child { last, id, totals }) = children.next_child() {
            if self.marks.add(&Key::node(&id)) {
                let level = node.level();
                let announced = Some(Announced { level, totals, last: last.into(), floor });
                below.push(Step { id, announced });
            }
            floor = last.into();
        }
        Ok(())
    }

    fn read_node(&self, reader: &mut Reader, step: &Step) -> Result<Node> {
        let key = Key::node(&step.id);
        let bytes = self.repository.with_packs(|| Ok(reader.fetch(&key, None)?.to_vec()))?;
        let node = Node::decode(bytes)?;
        let Some(announced) = &step.announced else { return Ok(node) };
        let problem = if u32::from(node.level()) + 1 != u32::from(announced.level) {
            "it is on the wrong level"
        } else if node.totals() != announced.totals {
            "it has other totals than announced"
        } else if *node.last() != *announced.last {
            "it ends with another path than announced"
        } else if *node.first() <= *announced.floor {
            "it begins before the node on its left ends"
        } else {
            return Ok(node);
        };
        Err(format::Error::Misplaced { id: step.id, problem }.into())
    }

    fn file(&self, path: &[u8], file: &FileRef, recent: &mut Recent) -> Result<()> {
        // A key of its own marks the file as done; its chunk is marked by itself.
        let recipe = Key::recipe(&file.file);
        if file.size == 0 {
            return Ok(());
        }
        if let Some(presence) = self.overlay.get(&file.file) {
            // Not among the marks: nothing of it is needed, its recipe neither.
            if !self.gone.add(&recipe) {
                return Ok(());
            }
            self.erased.fetch_add(1, Relaxed);
            return match presence {
                Presence::Replaced { by, by_size, .. } => {
                    let by = FileRef { mode: file.mode, size: *by_size, file: *by };
                    self.file(path, &by, recent)
                }
                Presence::Erased { .. } | Presence::Archived { .. } => Ok(()),
            };
        }
        if !self.marks.add(&recipe) {
            return Ok(());
        }
        self.files.fetch_add(1, Relaxed);
        let wrong = |key, error| (self.fault)(Fault { key, path: Some(path.to_vec()), error });
        let list = match ChunkList::of(self.repository, file) {
            Ok(list) => list,
            Err(error) => return wrong(recipe, error),
        };
        for part in list.stored_parts() {
            self.marks.add(&part);
        }
        for number in 0..list.part_count() {
            match list.part(self.repository, number) {
                Ok(chunks) => {
                    let keys = chunks.iter().map(|chunk| Key::chunk(&chunk.id));
                    for key in keys.filter(|key| !recent.meets(key)) {
                        self.chunk(path, &key)?;
                    }
                }
                Err(error) => wrong(recipe, error)?,
            }
        }
        Ok(())
    }

    fn chunk(&self, path: &[u8], key: &Key) -> Result<()> {
        if !self.marks.add(key) {
            return Ok(());
        }
        self.chunks.fetch_add(1, Relaxed);
        if !self.look_up || self.present.is_some_and(|present| present.contains(key)) {
            return Ok(());
        }
        let error = match self.locate(key) {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => store::Error::NotFound { key: *key }.into(),
            Err(error) => error,
        };
        // A damaged table over many packs hides what is there, and costs time only.
        match self.repository.store.get(key) {
            Ok(_) => Ok(()),
            Err(_) => (self.fault)(Fault { key: *key, path: Some(path.to_vec()), error }),
        }
    }

    fn locate(&self, key: &Key) -> Result<Option<Location>> {
        self.repository.with_packs(|| Ok(self.repository.store.locate(key)?))
    }
}

impl Repository {
    /// The record of a version, read from the store.
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn read_version(&self, id: &VersionId) -> Result<Version> {
        Ok(version::decode(&self.get(&Key::version(id))?)?)
    }

    /// From now on these packs are not read: they are missing, or their tables are damaged.
    pub fn set_aside(&self, packs: impl IntoIterator<Item = crate::model::PackName>) -> Result<()> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).extend(packs);
        self.refresh().map(drop)
    }
}
