//! Nodes and edges, and what is reached over them.
//!
//! Edges point as in W3C PROV, from what is explained to what explains it: a step *used* a version,
//! a version is *derived from* a version or source, a consumer was *trained on* a version. The one
//! exception is *generated*, which points from the step to the version that it made.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde::Serialize;

use super::presence::Presences;
use crate::catalogue::{KnownVersion, Link, Linked, Toward, Walked};
use crate::model::{DatasetName, Time, VersionId};

/// How many characters of a message stand in a label.
const LABEL: usize = 72;

/// What a node stands for, and its stable name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// A version: its 64 digits.
    Version(VersionId),
    /// Something that was done: `<version>#1` for the first step that the version itself names,
    /// `<version>#r<number>` for one that entry `number` of the journal told of later, with
    /// `.<ordinal>` where it is not the first change of that entry.
    Step {
        /// The version that it made.
        version: VersionId,
        /// The entry of the journal; 0 if the version itself names it.
        number: u64,
        /// Its place among the steps of the version or the changes of the entry, from 0.
        ordinal: u64,
    },
    /// A source: its URI.
    Source(String),
    /// A consumer: `consumer:` and its name.
    Consumer(String),
}

impl NodeId {
    /// What kind of node it names.
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Version(_) => NodeKind::Version,
            Self::Step { .. } => NodeKind::Step,
            Self::Source(_) => NodeKind::Source,
            Self::Consumer(_) => NodeKind::Consumer,
        }
    }

    /// The step that `text` names, if it is written as one.
    pub(super) fn parse_step(text: &str) -> Option<Self> {
        let (version, place) = text.split_once('#')?;
        let version = version.parse().ok()?;
        let (number, ordinal) = match place.strip_prefix('r') {
            None => (0, place.parse::<u64>().ok()?.checked_sub(1)?),
            Some(later) => match later.split_once('.') {
                None => (later.parse().ok()?, 0),
                Some((number, ordinal)) => (number.parse().ok()?, ordinal.parse().ok()?),
            },
        };
        Some(Self::Step { version, number, ordinal })
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(id) => write!(f, "{id}"),
            Self::Step { version, number: 0, ordinal } => write!(f, "{version}#{}", ordinal + 1),
            Self::Step { version, number, ordinal: 0 } => write!(f, "{version}#r{number}"),
            Self::Step { version, number, ordinal } => write!(f, "{version}#r{number}.{ordinal}"),
            Self::Source(uri) => f.write_str(uri),
            Self::Consumer(name) => write!(f, "consumer:{name}"),
        }
    }
}

impl Serialize for NodeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A version.
    Version,
    /// Something from outside.
    Source,
    /// Something that was done.
    Step,
    /// A model, evaluation or export.
    Consumer,
}

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// From a step to a version that it read.
    Used,
    /// From a step to the version that it made.
    Generated,
    /// From a version to a version or source that it came from.
    DerivedFrom,
    /// From a consumer to a version that it used.
    TrainedOn,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its stable name.
    pub id: NodeId,
    /// What it stands for.
    pub kind: NodeKind,
    /// What people call it.
    pub label: String,
    /// The dataset of a version or step.
    pub dataset: Option<DatasetName>,
    /// When the version was made, the step done, the source read.
    pub time: Option<Time>,
    /// Of a version: whether its content can be had.
    pub presence: Option<String>,
    /// Of a version: how many of its files cannot be given out, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_files: Option<u64>,
    /// Since when as many of them are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Time>,
    /// Of a version: the stage of life that it, or else its dataset, was said to be in, unless that is
    /// `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Edge {
    /// Where it begins.
    pub from: NodeId,
    /// Where it ends.
    pub to: NodeId,
    /// What it says.
    pub relation: Relation,
    /// By what: `parent`, `cherry-pick`, `inferred` and others; of a consumer, as what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<Arc<str>>,
}

/// Nodes and the edges between them, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The nodes that were asked for.
    pub targets: Vec<NodeId>,
    /// They and what was reached.
    pub nodes: Vec<Node>,
    /// What was found between them.
    pub edges: Vec<Edge>,
}

impl Graph {
    pub(super) fn of(targets: &[NodeId]) -> Self {
        let targets: BTreeSet<NodeId> = targets.iter().cloned().collect();
        Self { targets: targets.into_iter().collect(), ..Self::default() }
    }

    /// Adds what was reached; both are in the order of names.
    pub(super) fn add(&mut self, reached: Reached, presences: &Presences) {
        let Reached { mut nodes, edges } = reached;
        for node in &mut nodes {
            if let NodeId::Version(id) = &node.id {
                node.presence = Some(presences.of(id, node.dataset.as_ref()).to_owned());
                node.state = presences.stage(id, node.dataset.as_ref()).map(str::to_owned);
            }
        }
        if self.nodes.is_empty() {
            (self.nodes, self.edges) = (nodes, edges);
            return;
        }
        // A stable sort takes two runs that are in order as they are.
        self.nodes.extend(nodes);
        self.nodes.sort_by(|a, b| a.id.cmp(&b.id));
        self.nodes.dedup_by(|a, b| a.id == b.id);
        self.edges.extend(edges);
        self.edges.sort();
        self.edges.dedup();
    }

    /// A node by its name.
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        let place = self.nodes.binary_search_by(|node| node.id.cmp(id)).ok()?;
        self.nodes.get(place)
    }
}

/// What a walk in one direction has reached.
pub(super) struct Reached {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// Takes the first bytes of an id for its hash: an id is one already.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.0 ^= u64::from_le_bytes(first);
    }

    fn write_usize(&mut self, _len: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// An edge between places in a list of nodes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    from: usize,
    to: usize,
    relation: Relation,
    how: Option<Arc<str>>,
}

/// A graph of everything that was found and known then.
pub(super) struct Builder {
    versions: HashMap<VersionId, usize, BuildHasherDefault<IdHasher>>,
    /// Of the other nodes.
    places: HashMap<NodeId, usize>,
    nodes: Vec<Node>,
    lines: Vec<Line>,
    /// Versions that were not known then.
    unknown: HashSet<VersionId>,
    as_of: Option<Time>,
}

impl Builder {
    pub(super) fn new(found: Walked, as_of: Option<Time>) -> Self {
        let late = |time: Option<Time>| as_of.is_some_and(|then| time.is_some_and(|t| t > then));
        let unknown = found.versions.iter().filter(|v| late(v.known)).map(|v| v.id).collect();
        let mut this = Self {
            versions: HashMap::default(),
            places: HashMap::new(),
            nodes: Vec::with_capacity(found.versions.len() * 2),
            lines: Vec::with_capacity(found.links.len()),
            unknown,
            as_of,
        };
        for version in found.versions {
            this.version(version);
        }
        // Steps first, so that a use finds the step that it belongs to.
        for link in found.steps.into_iter().chain(found.links) {
            let late = as_of.is_some_and(|then| link.said.is_some_and(|said| said > then));
            if !late && !this.unknown.contains(&link.version) {
                this.link(link);
            }
        }
        this
    }

    fn version(&mut self, version: KnownVersion) {
        if self.unknown.contains(&version.id) {
            return;
        }
        let short = &version.id.to_hex()[..12];
        let first = clean(version.message.lines().next().unwrap_or_default());
        let label = match &version.dataset {
            Some(dataset) => format!("{dataset}@{short} {first}"),
            None => format!("{short} {first}"),
        };
        let place = self.place(NodeId::Version(version.id), version.dataset.as_ref());
        let node = &mut self.nodes[place];
        label.trim_end().clone_into(&mut node.label);
        node.dataset = version.dataset;
        node.time = Some(version.time);
    }

    fn known(&self, id: &NodeId) -> Option<usize> {
        match id {
            NodeId::Version(version) => self.versions.get(version).copied(),
            _ => self.places.get(id).copied(),
        }
    }

    /// The place of a node, which is made if it is new.
    fn place(&mut self, id: NodeId, dataset: Option<&DatasetName>) -> usize {
        if let Some(place) = self.known(&id) {
            return place;
        }
        let label = match &id {
            NodeId::Version(version) => {
                let short = version.to_hex()[..12].to_owned();
                dataset.map_or(short.clone(), |dataset| format!("{dataset}@{short}"))
            }
            NodeId::Source(uri) => clean(uri),
            NodeId::Step { .. } | NodeId::Consumer(_) => String::new(),
        };
        let (kind, dataset) = (id.kind(), dataset.cloned());
        match &id {
            NodeId::Version(version) => self.versions.insert(*version, self.nodes.len()),
            _ => self.places.insert(id.clone(), self.nodes.len()),
        };
        self.nodes.push(Node {
            id,
            kind,
            label,
            dataset,
            time: None,
            presence: None,
            absent_files: None,
            absent_since: None,
            state: None,
        });
        self.nodes.len() - 1
    }

    fn line(&mut self, from: usize, to: usize, relation: Relation, how: Option<Arc<str>>) {
        self.lines.push(Line { from, to, relation, how });
    }

    fn link(&mut self, link: Link) {
        let (number, version) = (link.number, link.version);
        let here = self.place(NodeId::Version(version), None);
        match link.what {
            Linked::Parent(parent) => {
                if !self.unknown.contains(&parent) {
                    let there = self.place(NodeId::Version(parent), None);
                    self.line(here, there, Relation::DerivedFrom, Some("parent".into()));
                }
            }
            Linked::Derived { from, dataset, how, step } => {
                if self.unknown.contains(&from) {
                    return;
                }
                let there = match self.versions.get(&from) {
                    Some(place) => *place,
                    None => self.place(NodeId::Version(from), dataset.parse().ok().as_ref()),
                };
                match step {
                    Some(ordinal) => {
                        let step = self.step(version, number, ordinal);
                        self.line(step, there, Relation::Used, None);
                    }
                    None => self.line(here, there, Relation::DerivedFrom, Some(how)),
                }
            }
            Linked::Step { ordinal, name, time } => {
                let step = self.step(version, number, ordinal);
                let dataset = self.nodes[here].dataset.clone();
                let when = time.or(self.nodes[here].time);
                let node = &mut self.nodes[step];
                (node.label, node.time, node.dataset) = (clean(&name), when, dataset);
            }
            Linked::Source { uri, provider: _, time } => {
                let there = self.place(NodeId::Source(uri), None);
                let node = &mut self.nodes[there];
                node.time = node.time.max(time);
                self.line(here, there, Relation::DerivedFrom, Some("source".into()));
            }
            Linked::Used { consumer, kind, role } => {
                let name = clean(&consumer);
                let there = self.place(NodeId::Consumer(consumer), None);
                let node = &mut self.nodes[there];
                node.label = if kind.is_empty() { name } else { format!("{name} ({kind})") };
                node.time = node.time.max(link.said);
                self.line(there, here, Relation::TrainedOn, Some(role.into()));
            }
        }
    }

    /// The step's node, with the edge to what it made. What a record tells has room for 1,000 rows.
    fn step(&mut self, version: VersionId, number: u64, ordinal: u64) -> usize {
        let ordinal = if number == 0 { ordinal } else { ordinal / 1000 };
        let id = NodeId::Step { version, number, ordinal };
        if let Some(place) = self.known(&id) {
            return place;
        }
        let here = self.place(NodeId::Version(version), None);
        let step = self.place(id, None);
        self.line(step, here, Relation::Generated, None);
        step
    }

    /// What is reached from the targets, and every edge between what is reached.
    pub(super) fn reach(
        mut self,
        targets: &[NodeId],
        toward: Toward,
        depth: Option<u32>,
    ) -> Reached {
        let mut starts = Vec::new();
        for target in targets {
            match target {
                NodeId::Version(id) if self.unknown.contains(id) => {}
                // A version that nothing is known of was forgotten; it stays a node.
                NodeId::Version(_) if self.as_of.is_none() => {
                    starts.push(self.place(target.clone(), None));
                }
                _ => starts.extend(self.known(target)),
            }
        }
        let near = self.distances(&starts, toward, depth);
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| near[line.from] && near[line.to]);
        let mut nodes: Vec<(usize, Node)> =
            self.nodes.into_iter().enumerate().filter(|(place, _)| near[*place]).collect();
        nodes.sort_unstable_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        // Comparing ranks is far quicker than comparing names.
        let mut ranks = vec![0; near.len()];
        for (rank, (place, _)) in nodes.iter().enumerate() {
            ranks[*place] = rank;
        }
        for line in &mut lines {
            (line.from, line.to) = (ranks[line.from], ranks[line.to]);
        }
        lines.sort_unstable();
        lines.dedup();
        let nodes: Vec<Node> = nodes.into_iter().map(|(_, node)| node).collect();
        let edge = |line: Line| Edge {
            from: nodes[line.from].id.clone(),
            to: nodes[line.to].id.clone(),
            relation: line.relation,
            how: line.how,
        };
        let edges = lines.into_iter().map(edge).collect();
        Reached { nodes, edges }
    }

    /// Whether each node is within `depth`. Between a step and what it made is no distance.
    fn distances(&self, starts: &[usize], toward: Toward, depth: Option<u32>) -> Vec<bool> {
        let mut next: Vec<Vec<(usize, u32)>> = vec![Vec::new(); self.nodes.len()];
        for line in &self.lines {
            // From what is explained to what explains it.
            let (late, early, cost) = match line.relation {
                Relation::Generated => (line.to, line.from, 0),
                Relation::Used | Relation::DerivedFrom | Relation::TrainedOn => {
                    (line.from, line.to, 1)
                }
            };
            match toward {
                Toward::Origins => next[late].push((early, cost)),
                Toward::Results => next[early].push((late, cost)),
            }
        }
        let most = depth.unwrap_or(u32::MAX);
        let mut least = vec![u32::MAX; self.nodes.len()];
        let mut near = vec![false; self.nodes.len()];
        let mut queue: VecDeque<(usize, u32)> = starts.iter().map(|start| (*start, 0)).collect();
        while let Some((place, distance)) = queue.pop_front() {
            if near[place] {
                continue;
            }
            near[place] = true;
            for (other, cost) in &next[place] {
                let far = distance.saturating_add(*cost);
                if far > most || far >= least[*other] {
                    continue;
                }
                least[*other] = far;
                match cost {
                    0 => queue.push_front((*other, far)),
                    _ => queue.push_back((*other, far)),
                }
            }
        }
        near
    }
}

/// One line that a terminal shows as it is, not too long.
fn clean(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LABEL + 1)
        .collect();
    if shown.chars().count() > LABEL {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_step_reads_back() {
        let version = VersionId::of(b"x");
        for (number, ordinal) in [(0, 0), (0, 7), (12, 0), (12, 3)] {
            let id = NodeId::Step { version, number, ordinal };
            assert_eq!(NodeId::parse_step(&id.to_string()), Some(id));
        }
        for wrong in ["#0", "#", "#r", "#r1.", "#x"] {
            assert_eq!(NodeId::parse_step(&format!("{version}{wrong}")), None, "{wrong}");
        }
    }
}
