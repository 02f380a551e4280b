//! Whether the content of versions can be had, for the nodes of a graph.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Graph, NodeId};
use crate::catalogue::RecordFilter;
use crate::format::manifest::NodeSource;
use crate::model::{DatasetName, FileRef, ManifestId, Presence, RecordKind, Time, VersionId};
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
}

impl Absence {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.erased += other.erased;
        self.archived += other.archived;
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
    let overlay = match as_of {
        None => repository.overlay(),
        Some(_) if repository.overlay().is_empty() => return Ok(()),
        Some(then) => Arc::new(overlay_then(repository, then)?),
    };
    if overlay.is_empty() {
        return Ok(());
    }
    let mut count = Count { nodes: repository.nodes(), overlay: &overlay, known: HashMap::new() };
    for node in &mut graph.nodes {
        let NodeId::Version(id) = &node.id else { continue };
        // A version that was only named has no listing here.
        if !repository.catalogue.has_version(id)? {
            continue;
        }
        let absence = count.below(repository.read_version(id)?.manifest)?;
        let Some(word) = absence.word() else { continue };
        node.absent_files = Some(absence.erased + absence.archived);
        if node.presence.as_deref().is_none_or(|said| said == "present") {
            node.presence = Some(word.to_owned());
        }
    }
    Ok(())
}

/// What was said of files up to a moment. What a file was before it became what it is now is not
/// kept, so a file that has changed since counts as present then.
fn overlay_then(repository: &Repository, then: Time) -> Result<Overlay> {
    let mut times: HashMap<u64, bool> = HashMap::new();
    let mut files = Vec::new();
    for row in repository.catalogue.presence()? {
        let is_known = match times.get(&row.number) {
            Some(is_known) => *is_known,
            None => {
                let entries = repository.catalogue.journal(row.number, row.number, 1)?;
                let is_known = entries.iter().all(|entry| entry.time <= then);
                times.insert(row.number, is_known);
                is_known
            }
        };
        if is_known {
            files.push((row.file, row.presence));
        }
    }
    Ok(Overlay::default().with(files))
}

struct Count<'a> {
    nodes: Nodes<'a>,
    overlay: &'a Overlay,
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
        Ok(one)
    }
}
