//! Which objects are reachable from versions and listings.

use super::content::ChunkList;
use super::{Marks, Repository, Result};
use crate::format::frame::Key;
use crate::format::manifest::{self, Node};
use crate::format::recipe::ChunkRef;
use crate::model::{FileRef, ManifestId, VersionId};

/// The objects found so far.
#[derive(Default)]
pub struct Reach {
    seen: Marks,
}

/// Where the objects go that several versions need.
struct Twice<'a> {
    again: &'a mut Reach,
    /// The objects of the version that is looked at.
    round: Reach,
}

impl Reach {
    /// Whether an object is reachable.
    pub fn contains(&self, key: &Key) -> bool {
        self.seen.contains(key)
    }

    /// How many objects are.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Adds an object; whether it is new.
    pub fn add(&mut self, key: &Key) -> bool {
        self.seen.add(key)
    }

    /// Adds a version and everything its listing needs, not its parents.
    ///
    /// # Errors
    ///
    /// What keeps a node or a recipe from being read.
    pub fn add_version(
        &mut self,
        repository: &Repository,
        version: &VersionId,
        manifest: &ManifestId,
    ) -> Result<()> {
        self.add(&Key::version(version));
        self.add_manifest(repository, manifest)
    }

    /// Adds a version and everything its listing needs; what was in already goes to `again` too.
    ///
    /// # Errors
    ///
    /// What keeps a node or a recipe from being read.
    pub fn add_version_twice(
        &mut self,
        again: &mut Self,
        repository: &Repository,
        version: &VersionId,
        manifest: &ManifestId,
    ) -> Result<()> {
        self.add(&Key::version(version));
        let twice = Twice { again, round: Self::default() };
        self.add_listing(Some(twice), repository, manifest)
    }

    /// Adds a listing and everything it needs.
    ///
    /// # Errors
    ///
    /// What keeps a node or a recipe from being read.
    pub fn add_manifest(&mut self, repository: &Repository, root: &ManifestId) -> Result<()> {
        self.add_listing(None, repository, root)
    }

    /// Adds an object: here, or, if another version has it here already, to `twice`; whether that
    /// was new.
    fn note(&mut self, twice: &mut Option<Twice<'_>>, key: &Key) -> bool {
        match twice {
            None => self.add(key),
            Some(twice) => twice.round.add(key) && (self.add(key) || twice.again.add(key)),
        }
    }

    fn add_listing(
        &mut self,
        mut twice: Option<Twice<'_>>,
        repository: &Repository,
        root: &ManifestId,
    ) -> Result<()> {
        let nodes = repository.nodes();
        let mut files = Vec::new();
        manifest::walk(&nodes, root, |id: &ManifestId, node: &Node| {
            if !self.note(&mut twice, &Key::node(id)) {
                return false;
            }
            if node.level() == 0 {
                let mut entries = node.entries();
                while let Some(entry) = entries.next_entry() {
                    files.push(entry.file);
                }
            }
            true
        })?;
        files.sort_unstable_by_key(|file| *file.file.as_bytes());
        files.dedup_by_key(|file| file.file);
        for file in files {
            self.add_file(&mut twice, repository, &file)?;
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        twice: &mut Option<Twice<'_>>,
        repository: &Repository,
        file: &FileRef,
    ) -> Result<()> {
        let Ok(given) = repository.delivered(file) else { return Ok(()) };
        if given.file != file.file {
            return self.add_file(twice, repository, &given);
        }
        // A key of its own marks the file as done; one chunk is marked by itself.
        if file.size == 0 || !self.note(twice, &Key::recipe(&file.file)) {
            return Ok(());
        }
        let list = ChunkList::of(repository, file)?;
        for part in list.stored_parts() {
            self.note(twice, &part);
        }
        for number in 0..list.part_count() {
            for ChunkRef { id, .. } in list.part(repository, number)? {
                self.note(twice, &Key::chunk(&id));
            }
        }
        Ok(())
    }
}
