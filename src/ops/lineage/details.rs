//! Everything that is recorded of a graph's nodes, for the formats that pass it on.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Graph, NodeId, NodeKind};
use crate::catalogue::{RecordFilter, RecordRow};
use crate::model::{
    Metric, Provenance, RecordKind, RefKind, RefName, Source, Step, Time, Version, VersionId,
};
use crate::ops::Result;
use crate::ops::sniff::{Column, Sniffer};
use crate::repo::Repository;

/// What is recorded of the nodes of a graph.
#[derive(Debug, Default)]
pub struct Details {
    /// A URI for this store, which stays the same.
    pub namespace: String,
    /// Versions whose record is in the store.
    pub versions: BTreeMap<NodeId, VersionDetails>,
    /// Steps.
    pub steps: BTreeMap<NodeId, Step>,
    /// Sources, as they were described last.
    pub sources: BTreeMap<NodeId, Source>,
    /// Consumers, as they were described last.
    pub consumers: BTreeMap<NodeId, ConsumerDetails>,
}

/// What is recorded of a version.
#[derive(Debug)]
pub struct VersionDetails {
    /// The version itself.
    pub version: Version,
    /// Its figures: its own, then those that were recorded later.
    pub metrics: Vec<Metric>,
    /// The tags that name it.
    pub tags: Vec<String>,
    /// The columns of its first table.
    pub columns: Vec<Column>,
}

/// What is recorded of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerDetails {
    /// Its name.
    pub name: String,
    /// Model, evaluation or export.
    pub kind: String,
    /// Where it can be found.
    pub uri: Option<String>,
}

/// Reads what is recorded of a graph's nodes up to `as_of`.
///
/// # Errors
///
/// The catalogue's; what keeps the record of a version from being read.
pub fn details(repository: &Repository, graph: &Graph, as_of: Option<Time>) -> Result<Details> {
    let mut details = Details { namespace: namespace(repository)?, ..Details::default() };
    let mut tags = tags(repository, as_of)?;
    let mut sniffer = Sniffer::default();
    for node in graph.nodes.iter().filter(|node| node.kind == NodeKind::Version) {
        let NodeId::Version(id) = node.id else { continue };
        if !repository.catalogue.has_version(&id)? {
            continue;
        }
        let version = repository.read_version(&id)?;
        let rows = recorded(repository, &id, as_of)?;
        details.origins(&id, &version.provenance, &rows);
        let later = rows.iter().filter_map(|row| said::<Metric>(row, RecordKind::Metric));
        let metrics = version.provenance.metrics.iter().cloned().chain(later).collect();
        let tables = sniffer.tables(repository, &version.manifest, 1)?;
        let columns = tables.into_iter().next().map(|table| table.columns).unwrap_or_default();
        let tags = tags.remove(&id).unwrap_or_default();
        let known = VersionDetails { version, metrics, tags, columns };
        details.versions.insert(node.id.clone(), known);
    }
    details.only_of(graph);
    details.consumers(repository, graph, as_of)?;
    Ok(details)
}

/// The tags that there are, or were then, by the version that they name.
fn tags(repository: &Repository, as_of: Option<Time>) -> Result<BTreeMap<VersionId, Vec<String>>> {
    let catalogue = &repository.catalogue;
    let named: Vec<(RefName, VersionId)> = match as_of {
        Some(then) => {
            let rows = catalogue.refs_as_of(RefKind::Tag, then)?.into_iter();
            rows.map(|(_, name, version)| (name, version)).collect()
        }
        None => {
            let rows = catalogue.all_refs()?.into_iter().filter(|row| row.kind == RefKind::Tag);
            rows.map(|row| (row.name, row.version)).collect()
        }
    };
    let mut tags: BTreeMap<VersionId, Vec<String>> = BTreeMap::new();
    for (name, version) in named {
        tags.entry(version).or_default().push(name.to_string());
    }
    Ok(tags)
}

/// What was recorded of a version up to `as_of`, oldest first.
pub(in crate::ops) fn recorded(
    repository: &Repository,
    id: &VersionId,
    as_of: Option<Time>,
) -> Result<Vec<RecordRow>> {
    let filter = RecordFilter { version: Some(*id), ..RecordFilter::default() };
    let mut rows = repository.catalogue.records(&filter)?;
    rows.retain(|row| as_of.is_none_or(|then| row.time <= then));
    Ok(rows)
}

/// The body of a record, if it is of that kind.
pub(in crate::ops) fn said<T: DeserializeOwned>(row: &RecordRow, kind: RecordKind) -> Option<T> {
    let body = (row.record.kind == kind).then(|| Value::Object(row.record.body.clone()))?;
    serde_json::from_value(body).ok()
}

/// A URI that is made of the journal's first entry, so that it stays as long as the store.
fn namespace(repository: &Repository) -> Result<String> {
    let first = repository.catalogue.journal(1, 1, 1)?;
    let hash = first.first().map(|entry| entry.hash.as_str()).unwrap_or_default();
    Ok(format!("stem://{}", hash.get(..16).unwrap_or("new")))
}

impl Details {
    fn origins(&mut self, id: &VersionId, provenance: &Provenance, rows: &[RecordRow]) {
        for (ordinal, step) in (0..).zip(&provenance.steps) {
            let node = NodeId::Step { version: *id, number: 0, ordinal };
            self.steps.insert(node, step.clone());
        }
        for source in &provenance.sources {
            self.sources.insert(NodeId::Source(source.uri.clone()), source.clone());
        }
        for row in rows {
            if let Some(step) = said::<Step>(row, RecordKind::Step) {
                let (number, ordinal) = (row.number, row.ordinal);
                self.steps.insert(NodeId::Step { version: *id, number, ordinal }, step);
            }
            if let Some(source) = said::<Source>(row, RecordKind::Source) {
                self.sources.insert(NodeId::Source(source.uri.clone()), source);
            }
        }
    }

    /// Leaves out what is not in the graph.
    fn only_of(&mut self, graph: &Graph) {
        self.steps.retain(|id, _| graph.node(id).is_some());
        self.sources.retain(|id, _| graph.node(id).is_some());
        // A source that was reached by another way than one of its versions.
        for node in graph.nodes.iter().filter(|node| node.kind == NodeKind::Source) {
            let NodeId::Source(uri) = &node.id else { continue };
            let bare = || Source { uri: uri.clone(), ..Source::default() };
            self.sources.entry(node.id.clone()).or_insert_with(bare);
        }
    }

    fn consumers(
        &mut self,
        repository: &Repository,
        graph: &Graph,
        as_of: Option<Time>,
    ) -> Result<()> {
        for node in graph.nodes.iter().filter(|node| node.kind == NodeKind::Consumer) {
            let NodeId::Consumer(name) = &node.id else { continue };
            let filter = RecordFilter {
                kind: Some(RecordKind::Consumer),
                name: Some(name.clone()),
                ..RecordFilter::default()
            };
            let mut known = ConsumerDetails { name: name.clone(), kind: "model".into(), uri: None };
            for row in repository.catalogue.records(&filter)? {
                if as_of.is_some_and(|then| row.time > then) {
                    continue;
                }
                let text = |key: &str| row.record.body.get(key).and_then(Value::as_str);
                known.kind = text("kind").unwrap_or("model").to_owned();
                known.uri = text("uri").map(str::to_owned).or(known.uri);
            }
            self.consumers.insert(node.id.clone(), known);
        }
        Ok(())
    }
}
