//! What is shared by the tests: a catalogue in a directory of its own, people, versions.

mod contract;
mod history;
mod hostile;
mod journal;
mod laws;
mod lineage;
mod race;
mod search;

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::model::{
    Author, DataRef, DatasetName, Derivation, FileId, ManifestId, Metric, PackName, Presence,
    Provenance, Record, RecordKind, RefKind, RefName, Source, State, Step, Time, Version,
    VersionId,
};

/// A catalogue of its own.
pub(super) struct Place {
    pub(super) directory: TempDir,
    pub(super) catalogue: Catalogue,
}

pub(super) fn place() -> Place {
    let directory = TempDir::new().unwrap();
    let catalogue = Catalogue::create(&directory.path().join("catalogue.db")).unwrap();
    Place { directory, catalogue }
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("catalogue.db")
    }

    /// Closes the catalogue and keeps the directory.
    pub(super) fn close(self) -> TempDir {
        drop(self.catalogue);
        self.directory
    }
}

pub(super) fn ada() -> Author {
    "Ada Lovelace <ada@example.org>".parse().unwrap()
}

pub(super) fn time(seconds: i64) -> Time {
    Time::from_unix(1_795_443_000 + seconds).unwrap()
}

pub(super) fn dataset(name: &str) -> DatasetName {
    name.parse().unwrap()
}

pub(super) fn name(name: &str) -> RefName {
    name.parse().unwrap()
}

pub(super) fn manifest(seed: &str) -> ManifestId {
    ManifestId::of(seed.as_bytes())
}

pub(super) fn pack(seed: u8) -> PackRecord {
    PackRecord {
        name: PackName::from_bytes([seed; 16]),
        kind: if seed.is_multiple_of(2) { PackKind::Data } else { PackKind::Meta },
        bytes: 1000 + u64::from(seed),
        objects: 10,
        epoch: 0,
    }
}

/// A version and an id for it that depends on all of it.
pub(super) fn version(message: &str, parents: &[VersionId]) -> (VersionId, Version) {
    let version = Version {
        format: 1,
        manifest: manifest(message),
        files: 3,
        bytes: 4096,
        parents: parents.to_vec(),
        author: ada(),
        time: time(0),
        utc_offset_minutes: Some(60),
        message: message.into(),
        provenance: Provenance::default(),
    };
    (VersionId::of(serde_json::to_string(&version).unwrap().as_bytes()), version)
}

pub(super) fn changes(changes: Vec<Change>) -> Changeset {
    Changeset { changes, ..Changeset::new(&ada(), time(0), "test", "a test") }
}

pub(super) fn created(name: &str) -> Change {
    Change::DatasetCreated { dataset: dataset(name) }
}

pub(super) fn moved(branch: &str, old: Option<VersionId>, new: Option<VersionId>) -> Change {
    Change::RefMoved {
        dataset: dataset("corpus"),
        kind: RefKind::Branch,
        name: name(branch),
        old,
        new,
        annotation: None,
    }
}

/// A changeset that adds a version and moves `main` to it.
pub(super) fn commit(message: &str, parent: Option<VersionId>) -> (VersionId, Changeset) {
    let (id, record) = version(message, parent.as_slice());
    let mut changeset = changes(vec![
        Change::VersionAdded { version: id, dataset: None },
        moved("main", parent, Some(id)),
    ]);
    changeset.message = Some(message.into());
    changeset.versions.push((id, record));
    (id, changeset)
}

/// A catalogue with dataset `corpus` whose branch `main` has so many versions in a row.
pub(super) fn with_versions(count: usize) -> (Place, Vec<VersionId>) {
    let place = place();
    place.catalogue.apply(&changes(vec![created("corpus")])).unwrap();
    let mut ids: Vec<VersionId> = Vec::new();
    for at in 0..count {
        let (id, changeset) = commit(&format!("version {at}"), ids.last().copied());
        place.catalogue.apply(&changeset).unwrap();
        ids.push(id);
    }
    (place, ids)
}

pub(super) fn worktree_state(branch: &str, staged: &str) -> WorktreeState {
    WorktreeState {
        path: "/home/ada/corpus".into(),
        dataset: dataset("corpus"),
        head: Head::Branch { name: name(branch), at: None },
        staged: manifest(staged),
        operation: None,
    }
}
