//! What is checked after each step.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stemmata::format::frame::Key;
use stemmata::format::{manifest, version};
use stemmata::model::{Entry, FileId, FileRef, ManifestId, VersionId};
use stemmata::ops::fsck::{Depth, fsck};
use stemmata::repo::{self, Content as Reader, Repository};

use super::place::frames;
use super::world::{Listing, World};

impl World {
    /// Takes down what versions there are now.
    pub(super) fn learn(&mut self) {
        let repository = self.open(0, None);
        let known: BTreeSet<VersionId> = self.listings.keys().copied().collect();
        let now = repository.catalogue.all_versions().unwrap();
        for row in now.iter().filter(|row| !known.contains(&row.id)) {
            let files = listing(&repository, &row.manifest);
            let files = files.into_iter().map(|(path, file)| (path, file.file)).collect();
            self.listings.insert(row.id, files);
        }
        self.versions = now.iter().map(|row| row.id).collect();
        self.versions.sort();
    }

    /// What a user would throw away after a refusal.
    pub(super) fn tidy(&self) {
        for at in 0..2 {
            for (path, bytes) in self.files_below(at) {
                if self.oracle.is_gone(&FileId::of(&bytes)) || self.oracle.holds_erased(&bytes) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }

    pub(super) fn files_below(&self, at: u8) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.root(at)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with(".stem") {
                    open.push(path);
                } else if path.is_file() {
                    let bytes = fs::read(&path).unwrap();
                    found.push((path, bytes));
                }
            }
        }
        found
    }

    /// Nothing erased stands in any byte of store, worktrees or database, nor in any frame.
    pub(super) fn scan(&self) {
        let mut open = vec![self.home.path().to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                self.clean_of(&path, &bytes);
                for (offset, object) in frames(&bytes) {
                    self.clean_of(&path.join(format!("at {offset}")), &object);
                }
            }
        }
    }

    fn clean_of(&self, place: &Path, bytes: &[u8]) {
        for needle in &self.oracle.needles {
            let found = memchr::memmem::find(bytes, needle.as_bytes());
            assert!(found.is_none(), "{needle} stands in {}", place.display());
        }
    }

    /// Everything: what was erased is nowhere, all else is what it was, and ids are the same.
    pub(crate) fn check(&self) {
        self.tidy();
        self.scan();
        self.sound();
        let repository = self.open(0, None);
        let mut reader = Reader::new(&repository).unwrap();
        let mut read: BTreeSet<FileId> = BTreeSet::new();
        for row in repository.catalogue.all_versions().unwrap() {
            let bytes = repository.get(&Key::version(&row.id)).unwrap();
            assert_eq!(version::id(&bytes), row.id, "a version's record has another hash");
            let files = listing(&repository, &row.manifest);
            let now: Listing = files.iter().map(|(path, file)| (path.clone(), file.file)).collect();
            assert_eq!(self.listings.get(&row.id).unwrap_or(&now), &now, "a version lists others");
            for (path, file) in files {
                if read.insert(file.file) {
                    self.same(&repository, &mut reader, &path, &file);
                }
            }
        }
    }

    /// A file reads as the oracle says.
    fn same(&self, repository: &Repository, reader: &mut Reader<'_>, path: &str, file: &FileRef) {
        let given = repository.delivered(file);
        match (self.oracle.given(&file.file), given) {
            (None, Err(repo::Error::Erased { .. })) => {}
            (Some((id, bytes)), Ok(given)) => {
                assert_eq!(given.file, id, "{path} is given out as another file");
                let whole = reader.whole(&given).unwrap();
                assert!(whole == bytes, "{path} ({}) is not what it was", file.file);
            }
            (expected, given) => panic!(
                "{path} ({}): {given:?}, but it should be {:?}",
                file.file,
                expected.map(|(id, _)| id)
            ),
        }
    }

    /// Every byte of the store is sound, and nothing that is needed is missing.
    pub(super) fn sound(&self) {
        let seen = fsck(&self.open(0, None), Depth::ReadData).unwrap();
        assert!(seen.ok, "damaged {:?}, missing {:?}", seen.damaged, seen.missing);
    }
}

pub(super) fn listing(repository: &Repository, root: &ManifestId) -> Vec<(String, FileRef)> {
    let nodes = repository.nodes();
    let entries = manifest::list(&nodes, root, b"").unwrap();
    let each = entries.map(|entry: Result<Entry, repo::Error>| {
        let entry = entry.unwrap();
        (entry.path.show(), entry.file)
    });
    each.collect()
}
