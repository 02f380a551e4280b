//! Where data came from and what became of it, across all datasets of a store.
//!
//! Here: what a target is, the graph around it, what was inferred, and the graph as text, DOT,
//! Mermaid, W3C PROV-JSON and OpenLineage, each a pure function of the graph in its own file.
//! Not here: the walk through the tables (`catalogue::lineage`).
//! Invariant: a node is among the origins of another if and only if that one is among its results,
//! at the same distance; less depth or an earlier moment never shows more.

mod details;
mod dot;
mod graph;
mod infer;
mod mermaid;
mod openlineage;
mod presence;
mod prov;
mod target;
mod text;

pub use details::{ConsumerDetails, Details, VersionDetails, details};
pub(super) use details::{recorded, said};
pub use dot::dot;
pub(super) use dot::{gone_words, state_words};
pub use graph::{Edge, Graph, Node, NodeId, NodeKind, Relation};
pub use infer::{Inferred, Origin, infer};
pub use mermaid::mermaid;
pub use openlineage::openlineage;
pub use presence::Presences;
pub use prov::prov;
pub use text::text;

use super::Result;
use crate::catalogue::{Seeds, Toward, Walked};
use crate::model::Time;
use crate::repo::Repository;

use graph::Builder;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// A revision, `rev:path`, file id, source, consumer or step.
    pub target: String,
    /// Only origins.
    pub up: bool,
    /// Only results.
    pub down: bool,
    /// How many versions, sources or consumers far; a step belongs to the version that it made.
    pub depth: Option<u32>,
    /// Only what the catalogue knew at that moment.
    pub as_of: Option<Time>,
}

/// The graph around a target: its origins and its results, or one of the two.
///
/// # Errors
///
/// [`super::Error::NoNode`] and the errors of revisions if nothing is called so.
pub fn lineage(repository: &Repository, question: &Question) -> Result<Graph> {
    let targets = target::find(repository, &question.target)?;
    around(repository, &targets, question)
}

/// The graph around nodes; those that are not known then are left out.
///
/// # Errors
///
/// What keeps the catalogue from being read.
pub fn around(repository: &Repository, targets: &[NodeId], question: &Question) -> Result<Graph> {
    let presences = Presences::load(repository, question.as_of)?;
    let both = question.up == question.down;
    let mut graph = Graph::of(targets);
    for toward in [Toward::Origins, Toward::Results] {
        let wanted = if toward == Toward::Origins { question.up } else { question.down };
        if both || wanted {
            let found = walk(repository, targets, toward, question.depth)?;
            let builder = Builder::new(found, question.as_of);
            graph.add(builder.reach(targets, toward, question.depth), &presences);
        }
    }
    presence::count_absent(repository, &mut graph, question.as_of)?;
    Ok(graph)
}

fn walk(
    repository: &Repository,
    targets: &[NodeId],
    toward: Toward,
    depth: Option<u32>,
) -> Result<Walked> {
    let mut seeds = Seeds::default();
    let mut others = Vec::new();
    for target in targets {
        match target {
            NodeId::Version(id) | NodeId::Step { version: id, .. } => seeds.versions.push(*id),
            NodeId::Source(uri) => {
                others.push(Seeds { source: Some(uri.clone()), ..Seeds::default() })
            }
            NodeId::Consumer(name) => {
                others.push(Seeds { consumer: Some(name.clone()), ..Seeds::default() })
            }
        }
    }
    if !seeds.versions.is_empty() {
        others.push(seeds);
    }
    let mut all = Walked::default();
    for seeds in others {
        let found = repository.catalogue.walk(&seeds, toward, depth)?;
        all.versions.extend(found.versions);
        all.steps.extend(found.steps);
        all.links.extend(found.links);
    }
    Ok(all)
}
