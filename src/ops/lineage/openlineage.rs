//! The graph as OpenLineage events, specification 2-0-2.
//!
//! Each step is a run with a START and an end; a version without steps is a dataset event, with a
//! job event beside it if it names origins; a consumer is a job event. What became of a version's
//! content later is a dataset event of that time. Run ids are UUIDs of version
//! 8 (RFC 9562) made of the first 16 bytes of the BLAKE3 of the step's name in the graph, so the
//! same step always has the same.

mod facets;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Details, Graph, Node, NodeId, NodeKind, Relation};
use crate::model::{FileId, Time};

/// The specification that events follow.
const SPECIFICATION: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json";

/// The events, the oldest first.
pub fn openlineage(graph: &Graph, details: &Details) -> Vec<Value> {
    let mut teller = Teller { graph, details, origins: BTreeMap::new(), events: Vec::new() };
    for edge in &graph.edges {
        let (late, early) = match edge.relation {
            Relation::Generated => (&edge.to, &edge.from),
            _ => (&edge.from, &edge.to),
        };
        teller.origins.entry(late).or_default().push((edge.relation, early));
    }
    for node in &graph.nodes {
        match node.kind {
            NodeKind::Version => teller.version(node),
            NodeKind::Step => teller.step(node),
            NodeKind::Consumer => teller.consumer(node),
            NodeKind::Source => {}
        }
    }
    teller.events.sort_by_key(|(time, order, _)| (*time, *order));
    teller.events.into_iter().map(|(_, _, event)| event).collect()
}

struct Teller<'a> {
    graph: &'a Graph,
    details: &'a Details,
    origins: BTreeMap<&'a NodeId, Vec<(Relation, &'a NodeId)>>,
    /// With the time, and what comes first at the same time.
    events: Vec<(Time, u8, Value)>,
}

fn run_id(step: &NodeId) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&FileId::of(step.to_string().as_bytes()).as_bytes()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

/// What every event has.
fn event(time: Time, what: &str, fields: Value) -> Value {
    let mut event = json!({
        "eventTime": time.to_string(),
        "producer": facets::producer(),
        "schemaURL": format!("{SPECIFICATION}#/$defs/{what}"),
    });
    if let (Value::Object(event), Value::Object(mut fields)) = (&mut event, fields) {
        event.append(&mut fields);
    }
    event
}

impl<'a> Teller<'a> {
    fn origins_of(&self, id: &NodeId) -> impl Iterator<Item = (Relation, &'a NodeId)> + '_ {
        self.origins.get(id).into_iter().flatten().copied()
    }

    /// A version or source as OpenLineage's dataset.
    fn dataset(&self, id: &NodeId, part: facets::Part) -> Value {
        match id {
            NodeId::Source(uri) => facets::source(uri, self.details.sources.get(id)),
            _ => facets::version(self.details, id, self.graph.node(id), part),
        }
    }

    fn job(&self, name: &str) -> Value {
        json!({"namespace": self.details.namespace, "name": name})
    }

    fn version(&mut self, node: &Node) {
        if let Some(time) = node.absent_since {
            let mut dataset = self.dataset(&node.id, facets::Part::Static);
            let whole = node.presence.as_deref().is_some_and(|said| !said.starts_with("partly "));
            facets::change(&mut dataset, if whole { "DROP" } else { "ALTER" });
            let told = event(time, "DatasetEvent", json!({"dataset": dataset}));
            self.events.push((time, 5, told));
        }
        let Some(time) = node.time else { return };
        let steps = self.origins_of(&node.id).any(|(relation, _)| relation == Relation::Generated);
        if steps {
            return;
        }
        let dataset = self.dataset(&node.id, facets::Part::Static);
        let told = event(time, "DatasetEvent", json!({"dataset": dataset}));
        self.events.push((time, 0, told));
        let inputs: Vec<Value> = self
            .origins_of(&node.id)
            .map(|(_, origin)| self.dataset(origin, facets::Part::Input))
            .collect();
        if !inputs.is_empty() {
            let name =
                node.dataset.as_ref().map_or("commit".into(), |name| format!("{name}.commit"));
            let outputs = [self.dataset(&node.id, facets::Part::Output)];
            let fields = json!({"job": self.job(&name), "inputs": inputs, "outputs": outputs});
            self.events.push((time, 1, event(time, "JobEvent", fields)));
        }
    }

    fn step(&mut self, node: &Node) {
        let NodeId::Step { version, number, ordinal } = &node.id else { return };
        let version = NodeId::Version(*version);
        let step = self.details.steps.get(&node.id);
        let made = self.graph.node(&version);
        let Some(fallback) = node.time.or(made.and_then(|made| made.time)) else { return };
        let start = step.and_then(|step| step.started).unwrap_or(fallback);
        let end = step.and_then(|step| step.ended).unwrap_or(fallback).max(start);
        let mut inputs: Vec<&NodeId> = self.origins_of(&node.id).map(|(_, id)| id).collect();
        if (*number, *ordinal) == (0, 0) {
            // Sources belong to the version; its first step is taken to have read them.
            let sources = self.origins_of(&version).map(|(_, id)| id);
            inputs.extend(sources.filter(|id| id.kind() == NodeKind::Source));
        }
        let inputs: Vec<Value> =
            inputs.into_iter().map(|id| self.dataset(id, facets::Part::Input)).collect();
        let outputs: Vec<Value> =
            made.iter().map(|_| self.dataset(&version, facets::Part::Output)).collect();
        let name = match &node.dataset {
            Some(dataset) => format!("{dataset}.{}", node.label),
            None => node.label.clone(),
        };
        let mut job = self.job(&name);
        if let Some(location) = step.and_then(|step| step.code.as_ref()).and_then(facets::code) {
            job["facets"] = json!({"sourceCodeLocation": location});
        }
        let failed = step.and_then(|step| step.exit_code).is_some_and(|code| code != 0);
        let ended = if failed { "FAIL" } else { "COMPLETE" };
        for (time, order, kind) in [(start, 2, "START"), (end, 3, ended)] {
            let fields = json!({
                "eventType": kind,
                "run": {"runId": run_id(&node.id)},
                "job": job,
                "inputs": inputs,
                "outputs": if kind == "START" { &[] } else { outputs.as_slice() },
            });
            self.events.push((time, order, event(time, "RunEvent", fields)));
        }
    }

    fn consumer(&mut self, node: &Node) {
        let Some(time) = node.time else { return };
        let inputs: Vec<Value> = self
            .origins_of(&node.id)
            .map(|(_, id)| self.dataset(id, facets::Part::Input))
            .collect();
        let fields = json!({"job": self.job(&node.id.to_string()), "inputs": inputs});
        self.events.push((time, 4, event(time, "JobEvent", fields)));
    }
}
