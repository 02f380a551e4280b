//! The graph in the language of Mermaid, as Markdown renderers draw it.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::dot::{is_gone, state_words, words};
use super::{Graph, NodeId, NodeKind};

/// The graph as a Mermaid flowchart; arrows point as edges do.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart BT\n");
    let mut names: HashMap<&NodeId, usize> = HashMap::with_capacity(graph.nodes.len());
    for (place, node) in graph.nodes.iter().enumerate() {
        names.insert(&node.id, place);
        let (open, close) = match node.kind {
            NodeKind::Version => ("([", "])"),
            NodeKind::Step => ("[", "]"),
            NodeKind::Source => ("[(", ")]"),
            NodeKind::Consumer => ("{{", "}}"),
        };
        let state = state_words(node).map(|words| format!("<br>[{}]", escaped(&words)));
        let (label, state) = (escaped(&node.label), state.unwrap_or_default());
        let _ = writeln!(out, "  n{place}{open}\"{label}{state}\"{close}");
        if is_gone(node) {
            let _ = writeln!(out, "  style n{place} stroke-dasharray:4 4");
        }
    }
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (names.get(&edge.from), names.get(&edge.to)) else { continue };
        let words = words(edge.relation, edge.how.as_deref());
        let _ = writeln!(out, "  n{from} -->|\"{}\"| n{to}", escaped(&words));
    }
    for target in &graph.targets {
        if let Some(place) = names.get(target) {
            let _ = writeln!(out, "  style n{place} stroke-width:3px");
        }
    }
    out
}

/// Mermaid's own entities for whatever could end a label or be read as markup.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | '|' | '\\' | ';' => {
                let _ = write!(shown, "#{};", letter as u32);
            }
            letter if letter.is_control() => shown.push(' '),
            letter => shown.push(letter),
        }
    }
    shown
}
