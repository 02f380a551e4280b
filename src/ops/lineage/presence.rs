//! Whether the content of versions can be had, for the nodes of a graph.

use std::collections::HashMap;

use crate::catalogue::RecordFilter;
use crate::model::{DatasetName, RecordKind, Time, VersionId};
use crate::ops::Result;
use crate::repo::Repository;

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

    /// `present`, `archived` or `erased`, or another state that was recorded.
    pub fn of(&self, version: &VersionId, dataset: Option<&DatasetName>) -> &str {
        let own = self.versions.get(version);
        let state = own.or_else(|| dataset.and_then(|dataset| self.datasets.get(dataset)));
        match state.map(String::as_str) {
            None | Some("" | "active" | "deprecated") => "present",
            Some(state) => state,
        }
    }
}
