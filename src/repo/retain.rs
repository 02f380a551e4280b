//! What collecting must keep: the versions and listings that anything still names.

use std::collections::{HashMap, HashSet};

use super::{Repository, Result};
use crate::catalogue::{Change, Head, VersionRow, WorktreeState};
use crate::model::{ManifestId, Time, VersionId};

/// How many entries of the journal are read at once.
const PAGE: u64 = 4096;

/// What is kept, as of one entry of the journal.
#[derive(Debug, Default)]
pub struct Retained {
    /// The entry of the journal that was the last when this was read.
    pub journal: u64,
    /// Versions, with all of their ancestors.
    pub versions: HashSet<VersionId>,
    /// The listings of these versions, and those that are staged.
    pub listings: HashSet<ManifestId>,
    /// Listings that were staged or are spoken of: to be kept as far as they are still there.
    pub hoped_for: HashSet<ManifestId>,
    /// Versions that nothing names.
    pub unnamed: Vec<VersionId>,
}

/// What something names.
#[derive(Default)]
struct Named {
    versions: HashSet<VersionId>,
    listings: HashSet<ManifestId>,
    hoped_for: HashSet<ManifestId>,
}

impl Named {
    fn state(&mut self, state: &WorktreeState) {
        self.hoped_for.insert(state.staged);
        match state.head {
            Head::Detached { version } | Head::Branch { at: Some(version), .. } => {
                self.versions.insert(version);
            }
            Head::Branch { at: None, .. } => {}
        }
        if let Some(operation) = &state.operation {
            self.operation(operation);
        }
    }

    /// Every id in what is under way, whatever it is there for.
    fn operation(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                self.versions.extend(text.parse::<VersionId>());
                self.hoped_for.extend(text.parse::<ManifestId>());
            }
            serde_json::Value::Array(values) => values.iter().for_each(|it| self.operation(it)),
            serde_json::Value::Object(map) => map.values().for_each(|it| self.operation(it)),
            _ => {}
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::VersionAdded { version, .. } | Change::VersionRestored { version, .. } => {
                self.versions.insert(*version);
            }
            Change::RefMoved { old, new, .. } => {
                self.versions.extend([old, new].into_iter().flatten())
            }
            Change::WorktreeChanged { old, new, .. } => {
                [old, new].into_iter().flatten().for_each(|state| self.state(state));
            }
            _ => {}
        }
    }
}

impl Repository {
    /// What must be kept: what branches, tags, worktrees, consumers and holds name, and, with `since`, what was made,
    /// named, staged or let go of since then.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn retained(&self, since: Option<Time>) -> Result<Retained> {
        // First: whatever changes from here on has a greater number.
        let journal = self.catalogue.journal_head()?.number;
        let mut named = Named::default();
        named.versions.extend(self.catalogue.all_refs()?.into_iter().map(|row| row.version));
        named.versions.extend(self.catalogue.used_versions()?);
        named.versions.extend(self.held_versions()?);
        for row in self.catalogue.worktrees()? {
            named.listings.insert(row.state.staged);
            named.state(&row.state);
        }
        if let Some(since) = since {
            named.versions.extend(self.catalogue.logged_since(since)?);
            self.journalled(since, &mut named)?;
        }
        let rows = self.catalogue.all_versions()?;
        Ok(close(journal, &named, rows))
    }

    /// What the journal speaks of since a moment. Every entry is looked at: clocks go backwards.
    fn journalled(&self, since: Time, named: &mut Named) -> Result<()> {
        let mut first = 1;
        loop {
            let page = self.catalogue.journal(first, u64::MAX, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            first = last.number + 1;
            for entry in page.iter().filter(|entry| entry.time >= since) {
                entry.changes()?.iter().for_each(|change| named.change(change));
            }
        }
    }
}

/// Adds the ancestors, and tells what is left.
fn close(journal: u64, named: &Named, rows: Vec<VersionRow>) -> Retained {
    let by_id: HashMap<VersionId, &VersionRow> = rows.iter().map(|row| (row.id, row)).collect();
    let (listings, hoped_for) = (named.listings.clone(), named.hoped_for.clone());
    let mut kept = Retained { journal, listings, hoped_for, ..Retained::default() };
    let mut open: Vec<VersionId> = named.versions.iter().copied().collect();
    while let Some(id) = open.pop() {
        let Some(row) = by_id.get(&id) else { continue };
        if kept.versions.insert(id) {
            kept.listings.insert(row.manifest);
            open.extend(&row.parents);
        }
    }
    let unnamed = rows.iter().filter(|row| !kept.versions.contains(&row.id));
    kept.unnamed = unnamed.map(|row| row.id).collect();
    kept
}
