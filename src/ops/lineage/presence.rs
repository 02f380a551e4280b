//! Whether the content of versions can be had, for the nodes of a graph.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Graph, NodeId};
use crate::catalogue::{PresenceRow, RecordFilter};
use crate::format::manifest::NodeSource;
use crate::model::{
    DatasetName, FileId, FileRef, ManifestId, Presence, RecordKind, Time, VersionId,
};
use crate::ops::Result;
use crate::repo::{self, Nodes, Overlay, Repository};

/// What was recorded of the state of versions and of whole datasets.
#[derive(Debug, Default)]
pub struct Presences {
    versions: HashMap<VersionId, String>,
    datasets: HashMap<DatasetName, String>,
}

impl Presences {
    /// Reads what was recorded up to `as_of`, the newest word on each.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn load(repository: &Repository, as_of: Option<Time>) -> Result<Self> {
        let mut this = Self::default();
        let filter = RecordFilter { kind: Some(RecordKind::State), ..RecordFilter::default() };
        for row in repository.catalogue.records(&filter)? {
            if as_of.is_some_and(|then| row.time > then) {
                continue;
            }
            let state = row.record.name.or(row.record.text).unwrap_or_default();
            match (row.record.version, row.record.dataset) {
                (Some(version), _) => {
                    this.versions.insert(version, state);
                }
                (None, Some(dataset)) => {
                    this.datasets.insert(dataset, state);
                }
                (None, None) => {}
            }
        }
        Ok(this)
    }

    /// The stage that a version, or its dataset, was said to be in; none if that is `active`, or
    /// nothing was ever said.
    pub fn stage(&self, version: &VersionId, dataset: Option<&DatasetName>) -> Option<&str> {
        let own = self.versions.get(version);
        let state = own.or_else(|| dataset.and_then(|dataset| self.datasets.get(dataset)))?;
        Some(state.as_str()).filter(|state| !matches!(*state, "" | "active"))
    }

    /// `present`, `archived` or `erased`: what was recorded last. A retired version is there still.
    pub fn of(&self, version: &VersionId, dataset: Option<&DatasetName>) -> &str {
        let own = self.versions.get(version);
        let state = own.or_else(|| dataset.and_then(|dataset| self.datasets.get(dataset)));
        match state.map(String::as_str) {
            None | Some("" | "active" | "deprecated" | "retired") => "present",
            Some(state) => state,
        }
    }
}

/// How many files a part of a listing has, and how many of them cannot be given out.
#[derive(Debug, Clone, Copy, Default)]
struct Absence {
    files: u64,
    erased: u64,
    archived: u64,
    /// The latest entry of the journal that says so of one.
    entry: u64,
}

impl Absence {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.erased += other.erased;
        self.archived += other.archived;
        self.entry = self.entry.max(other.entry);
    }

    /// What the files say of their version; nothing if all can be given out.
    fn word(self) -> Option<&'static str> {
        match (self.erased, self.archived) {
            (0, 0) => None,
            (erased, 0) if erased == self.files => Some("erased"),
            (0, archived) if archived == self.files => Some("archived"),
            (0, _) => Some("partly archived"),
            (_, _) => Some("partly erased"),
        }
    }
}

/// Says of every version in `graph` how many of its files cannot be given out, and where nothing
/// else was recorded of it, that they are archived or erased. Reads listings only if there are such
/// files at all, and each part that versions share once.
///
/// # Errors
///
/// What keeps the catalogue or a listing from being read.
pub(super) fn count_absent(
    repository: &Repository,
    graph: &mut Graph,
    as_of: Option<Time>,
) -> Result<()> {
    if repository.overlay().is_empty() {
        return Ok(());
    }
    let rows = repository.catalogue.presence()?;
    let mut times = Times::default();
    let overlay = match as_of {
        None => repository.overlay(),
        Some(then) => Arc::new(overlay_then(repository, &rows, &mut times, then)?),
    };
    let entries = rows.iter().map(|row| (row.file, row.number)).collect();
    let (nodes, known) = (repository.nodes(), HashMap::new());
    let mut count = Count { nodes, overlay: &overlay, entries: &entries, known };
    for node in &mut graph.nodes {
        let NodeId::Version(id) = &node.id else { continue };
        // A version that was only named has no listing here.
        if !repository.catalogue.has_version(id)? {
            continue;
        }
        let absence = count.below(repository.read_version(id)?.manifest)?;
        let Some(word) = absence.word() else { continue };
        node.absent_files = Some(absence.erased + absence.archived);
        node.absent_since = times.of(repository, absence.entry)?;
        if node.presence.as_deref().is_none_or(|said| said == "present") {
            node.presence = Some(word.to_owned());
        }
    }
    Ok(())
}

/// What was said of files up to a moment. What a file was before it became what it is now is not
/// kept, so a file that has changed since counts as present then.
fn overlay_then(
    repository: &Repository,
    rows: &[PresenceRow],
    times: &mut Times,
    then: Time,
) -> Result<Overlay> {
    let mut files = Vec::new();
    for row in rows {
        if times.of(repository, row.number)?.is_none_or(|time| time <= then) {
            files.push((row.file, row.presence.clone()));
        }
    }
    Ok(Overlay::default().with(files))
}

/// The times of entries of the journal, each read once.
#[derive(Debug, Default)]
struct Times(HashMap<u64, Option<Time>>);

impl Times {
    fn of(&mut self, repository: &Repository, number: u64) -> Result<Option<Time>> {
        if let Some(time) = self.0.get(&number) {
            return Ok(*time);
        }
        let entries = repository.catalogue.journal(number, number, 1)?;
        let time = entries.first().map(|entry| entry.time);
        self.0.insert(number, time);
        Ok(time)
    }
}

struct Count<'a> {
    nodes: Nodes<'a>,
    overlay: &'a Overlay,
    /// Which entry of the journal says of a file what became of it.
    entries: &'a HashMap<FileId, u64>,
    known: HashMap<ManifestId, Absence>,
}

impl Count<'_> {
    /// The files below a node of a listing. A tree of nodes is a few levels high.
    fn below(&mut self, id: ManifestId) -> Result<Absence> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let node = self.nodes.node(&id)?;
        let mut sum = Absence::default();
        let mut entries = node.entries();
        while let Some(entry) = entries.next_entry() {
            sum.add(self.file(&entry.file)?);
        }
        let mut children = node.children();
        while let Some(child) = children.next_child() {
            sum.add(self.below(child.id)?);
        }
        self.known.insert(id, sum);
        Ok(sum)
    }

    fn file(&self, file: &FileRef) -> Result<Absence> {
        let mut one = Absence { files: 1, ..Absence::default() };
        match self.overlay.get(&file.file) {
            None => {}
            Some(Presence::Erased { .. }) => one.erased = 1,
            Some(Presence::Archived { .. }) => one.archived = 1,
            Some(Presence::Replaced { .. }) => match self.overlay.delivered(file) {
                Ok(_) => {}
                Err(repo::Error::Archived { .. }) => one.archived = 1,
                Err(repo::Error::Erased { .. }) => one.erased = 1,
                Err(error) => return Err(error.into()),
            },
        }
        if one.erased + one.archived > 0 {
            one.entry = self.entries.get(&file.file).copied().unwrap_or_default();
        }
        Ok(one)
    }
}
