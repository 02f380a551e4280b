//! The graph as W3C PROV-JSON (member submission of 24 April 2013).
//!
//! Versions and sources are entities, steps activities, people agents. A model or an export is an
//! entity derived from what it used; an evaluation is an activity that used it.

use serde_json::{Map, Value, json};

use super::{Details, Edge, Graph, Node, NodeId, NodeKind, Relation};
use crate::model::{FileId, Time};

/// The document: one object with `prefix`, `entity`, `activity`, `agent` and the relations.
pub fn prov(graph: &Graph, details: &Details) -> Value {
    let mut document = Document { details, parts: Map::new() };
    for node in &graph.nodes {
        document.node(node);
    }
    for (place, edge) in graph.edges.iter().enumerate() {
        document.edge(place, edge);
    }
    let mut all = Map::new();
    all.insert("prefix".into(), json!({"stem": "urn:stemmata:"}));
    all.append(&mut document.parts);
    Value::Object(all)
}

struct Document<'a> {
    details: &'a Details,
    parts: Map<String, Value>,
}

/// A name that is a PROV-JSON local name, whatever the node is called.
fn name(id: &NodeId) -> String {
    match id {
        NodeId::Version(version) => format!("stem:version.{version}"),
        NodeId::Step { version, number: 0, ordinal } => {
            format!("stem:step.{version}.{}", ordinal + 1)
        }
        NodeId::Step { version, number, ordinal } => {
            format!("stem:step.{version}.r{number}.{ordinal}")
        }
        NodeId::Source(uri) => format!("stem:source.{}", digest(uri)),
        NodeId::Consumer(name) => format!("stem:consumer.{}", digest(name)),
    }
}

fn digest(text: &str) -> String {
    FileId::of(text.as_bytes()).to_hex()[..32].to_owned()
}

fn moment(time: Time) -> Value {
    json!({"$": time.to_string(), "type": "xsd:dateTime"})
}

fn put(fields: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(key.into(), value.into());
    }
}

impl Document<'_> {
    fn add(&mut self, part: &str, key: String, fields: Map<String, Value>) {
        let part = self.parts.entry(part).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(part) = part {
            part.insert(key, Value::Object(fields));
        }
    }

    fn agent(&mut self, person: &str) -> String {
        let key = format!("stem:agent.{}", digest(person));
        let mut fields = Map::new();
        put(
            &mut fields,
            "prov:type",
            Some(json!({"$": "prov:Person", "type": "prov:QUALIFIED_NAME"})),
        );
        put(&mut fields, "prov:label", Some(person));
        self.add("agent", key.clone(), fields);
        key
    }

    fn node(&mut self, node: &Node) {
        let mut fields = Map::new();
        put(&mut fields, "prov:label", Some(node.label.as_str()));
        put(&mut fields, "stem:id", Some(node.id.to_string()));
        put(&mut fields, "stem:dataset", node.dataset.as_ref().map(|name| name.as_str()));
        put(&mut fields, "stem:presence", node.presence.as_deref());
        put(&mut fields, "stem:absentFiles", node.absent_files);
        put(&mut fields, "stem:state", node.state.as_deref());
        match node.kind {
            NodeKind::Version => self.version(node, fields),
            NodeKind::Step => self.step(node, fields),
            NodeKind::Source => self.source(node, fields),
            NodeKind::Consumer => self.consumer(node, fields),
        }
    }

    fn version(&mut self, node: &Node, mut fields: Map<String, Value>) {
        put(&mut fields, "prov:type", Some("stem:Version"));
        put(&mut fields, "prov:generatedAtTime", node.time.map(moment));
        let erased = node.absent_since.filter(|_| node.presence.as_deref() == Some("erased"));
        put(&mut fields, "prov:invalidatedAtTime", erased.map(moment));
        let mut author = None;
        if let Some(known) = self.details.versions.get(&node.id) {
            let version = &known.version;
            put(&mut fields, "stem:message", Some(version.message.as_str()));
            put(&mut fields, "stem:manifest", Some(version.manifest.to_hex()));
            put(&mut fields, "stem:files", Some(version.files));
            put(&mut fields, "stem:bytes", Some(version.bytes));
            put(&mut fields, "stem:licence", version.provenance.licence.as_deref());
            put(&mut fields, "stem:purpose", version.provenance.purpose.as_deref());
            for metric in &known.metrics {
                let key: String = metric.name.chars().map(plain).collect();
                let slice = metric.slice.as_deref().unwrap_or_default();
                let slice: String = slice.chars().map(plain).collect();
                let dot = if slice.is_empty() { "" } else { "." };
                fields.insert(format!("stem:metric.{key}{dot}{slice}"), json!(metric.value));
            }
            author = Some(version.author.to_string());
        }
        let key = name(&node.id);
        self.add("entity", key.clone(), fields);
        if let Some(author) = author {
            let agent = self.agent(&author);
            let mut fields = Map::new();
            put(&mut fields, "prov:entity", Some(key.as_str()));
            put(&mut fields, "prov:agent", Some(agent));
            self.add("wasAttributedTo", format!("_:by.{}", digest(&key)), fields);
        }
    }

    fn step(&mut self, node: &Node, mut fields: Map<String, Value>) {
        let key = name(&node.id);
        let mut operator = None;
        if let Some(step) = self.details.steps.get(&node.id) {
            put(&mut fields, "prov:startTime", step.started.map(|time| time.to_string()));
            put(&mut fields, "prov:endTime", step.ended.map(|time| time.to_string()));
            let command = (!step.command.is_empty()).then(|| json!(step.command).to_string());
            put(&mut fields, "stem:command", command);
            let parameters =
                (!step.parameters.is_empty()).then(|| json!(step.parameters).to_string());
            put(&mut fields, "stem:parameters", parameters);
            if let Some(code) = &step.code {
                put(&mut fields, "stem:codeRemote", code.remote.as_deref());
                put(&mut fields, "stem:codeCommit", code.commit.as_deref());
                put(&mut fields, "stem:codeDirty", Some(code.dirty));
            }
            put(&mut fields, "stem:exitCode", step.exit_code);
            put(&mut fields, "stem:decided", step.decided.map(|decided| decided.as_str()));
            put(&mut fields, "stem:note", step.note.as_deref());
            operator = step.operator.clone();
        }
        self.add("activity", key.clone(), fields);
        if let Some(operator) = operator {
            let agent = self.agent(&operator);
            let mut fields = Map::new();
            put(&mut fields, "prov:activity", Some(key.as_str()));
            put(&mut fields, "prov:agent", Some(agent));
            self.add("wasAssociatedWith", format!("_:with.{}", digest(&key)), fields);
        }
    }

    fn source(&mut self, node: &Node, mut fields: Map<String, Value>) {
        put(&mut fields, "prov:type", Some("stem:Source"));
        if let Some(source) = self.details.sources.get(&node.id) {
            put(&mut fields, "stem:revision", source.revision.as_deref());
            put(&mut fields, "stem:provider", source.provider.as_deref());
            put(&mut fields, "stem:licence", source.licence.as_deref());
            put(&mut fields, "stem:legalBasis", source.legal_basis.as_deref());
            put(&mut fields, "stem:method", source.method.as_deref());
            put(&mut fields, "stem:collected", source.collected.map(moment));
            put(&mut fields, "stem:retrieved", source.retrieved.map(moment));
            put(&mut fields, "stem:sha256", source.sha256.as_deref());
        }
        self.add("entity", name(&node.id), fields);
    }

    fn consumer(&mut self, node: &Node, mut fields: Map<String, Value>) {
        let known = self.details.consumers.get(&node.id);
        put(&mut fields, "stem:kind", known.map(|known| known.kind.as_str()));
        put(&mut fields, "stem:uri", known.and_then(|known| known.uri.as_deref()));
        let part = if self.is_activity(&node.id) { "activity" } else { "entity" };
        self.add(part, name(&node.id), fields);
    }

    fn is_activity(&self, id: &NodeId) -> bool {
        self.details.consumers.get(id).is_some_and(|known| known.kind == "evaluation")
    }

    fn edge(&mut self, place: usize, edge: &Edge) {
        let (from, to) = (name(&edge.from), name(&edge.to));
        let (part, first, second) = match edge.relation {
            Relation::Used => ("used", ("prov:activity", from), ("prov:entity", to)),
            Relation::Generated => ("wasGeneratedBy", ("prov:entity", to), ("prov:activity", from)),
            Relation::TrainedOn if self.is_activity(&edge.from) => {
                ("used", ("prov:activity", from), ("prov:entity", to))
            }
            Relation::DerivedFrom | Relation::TrainedOn => {
                ("wasDerivedFrom", ("prov:generatedEntity", from), ("prov:usedEntity", to))
            }
        };
        let mut fields = Map::new();
        put(&mut fields, first.0, Some(first.1));
        put(&mut fields, second.0, Some(second.1));
        put(&mut fields, "stem:how", edge.how.as_deref());
        self.add(part, format!("_:e{place}"), fields);
    }
}

/// A letter that may stand in a local name.
fn plain(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || "_-.".contains(letter) { letter } else { '_' }
}
