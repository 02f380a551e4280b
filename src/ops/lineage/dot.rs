//! The graph in the language of Graphviz.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{Graph, Node, NodeId, NodeKind, Relation};

/// The graph in DOT; arrows point as edges do.
pub fn dot(graph: &Graph) -> String {
    let mut out =
        String::from("digraph lineage {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n");
    let mut names: HashMap<&NodeId, usize> = HashMap::with_capacity(graph.nodes.len());
    for (place, node) in graph.nodes.iter().enumerate() {
        names.insert(&node.id, place);
        let shape = match node.kind {
            NodeKind::Version => "ellipse",
            NodeKind::Step => "box",
            NodeKind::Source => "cylinder",
            NodeKind::Consumer => "component",
        };
        let thick = if graph.targets.contains(&node.id) { ", penwidth=2" } else { "" };
        let gone = if is_gone(node) { ", style=dashed" } else { "" };
        let label = match state_words(node) {
            Some(words) => quoted(&format!("{}\n[{words}]", node.label)),
            None => quoted(&node.label),
        };
        let id = quoted(&node.id.to_string());
        let _ =
            writeln!(out, "  n{place} [label={label}, tooltip={id}, shape={shape}{thick}{gone}];");
    }
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (names.get(&edge.from), names.get(&edge.to)) else { continue };
        let words = words(edge.relation, edge.how.as_deref());
        let _ = writeln!(out, "  n{from} -> n{to} [label={}];", quoted(&words));
    }
    out.push_str("}\n");
    out
}

/// Whether something of a version cannot be had.
pub(super) fn is_gone(node: &Node) -> bool {
    node.presence.as_deref().is_some_and(|presence| presence != "present")
}

/// The stage of a version's life and what of it is gone, such as `retired, partly erased: 1 file`; what
/// says the same is said once.
pub(in crate::ops) fn state_words(node: &Node) -> Option<String> {
    let gone = gone_words(node);
    match node.state.as_deref().filter(|state| node.presence.as_deref() != Some(*state)) {
        None => gone,
        Some(state) => Some(gone.map_or(state.to_owned(), |gone| format!("{state}, {gone}"))),
    }
}

/// `partly erased: 1 file`, of a version that is not there as a whole.
pub(in crate::ops) fn gone_words(node: &Node) -> Option<String> {
    let presence = node.presence.as_deref().filter(|presence| *presence != "present")?;
    Some(match node.absent_files {
        None => presence.to_owned(),
        Some(1) => format!("{presence}: 1 file"),
        Some(files) => format!("{presence}: {files} files"),
    })
}

/// What stands beside an arrow.
pub(super) fn words(relation: Relation, how: Option<&str>) -> String {
    match (relation, how) {
        (Relation::Used, _) => "used".into(),
        (Relation::Generated, _) => "generated".into(),
        (Relation::DerivedFrom, Some("parent")) => "continues".into(),
        (Relation::DerivedFrom, None | Some("source")) => "derived from".into(),
        (Relation::DerivedFrom, Some(how)) => format!("derived from ({how})"),
        (Relation::TrainedOn, Some(role)) => format!("used for {role}"),
        (Relation::TrainedOn, None) => "trained on".into(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
