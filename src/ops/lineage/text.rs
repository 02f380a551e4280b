//! The graph as two trees, for people.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::dot::state_words;
use super::{Edge, Graph, Node, NodeId, Relation};

/// How wide the part before the words may become.
const INDENT: usize = 60;

/// The graph as a tree of origins and a tree of results below each target. What stands in a tree
/// already is named again and not repeated; an only child stands below its parent without a new
/// column, so that long histories stay readable.
pub fn text(graph: &Graph) -> String {
    if graph.nodes.is_empty() {
        return "Nothing was known of it then.\n".into();
    }
    let places: HashMap<&NodeId, usize> =
        graph.nodes.iter().enumerate().map(|(place, node)| (&node.id, place)).collect();
    let names: Vec<String> = graph.nodes.iter().map(named).collect();
    let mut up: Links<'_> = vec![Vec::new(); graph.nodes.len()];
    let mut down = up.clone();
    for edge in &graph.edges {
        let (late, early) = match edge.relation {
            Relation::Generated => (&edge.to, &edge.from),
            _ => (&edge.from, &edge.to),
        };
        let (Some(late), Some(early)) = (places.get(late), places.get(early)) else { continue };
        up[*late].push((*early, edge));
        down[*early].push((*late, edge));
    }
    for list in up.iter_mut().chain(&mut down) {
        list.sort_by_key(|(place, edge)| {
            (edge.relation, std::cmp::Reverse(graph.nodes[*place].time), *place)
        });
    }
    let mut out = String::new();
    for target in &graph.targets {
        let Some(target) = places.get(target) else { continue };
        out.push_str(&names[*target]);
        out.push('\n');
        for (title, links, mark, is_up) in
            [("Origins", &up, "← ", true), ("Results", &down, "→ ", false)]
        {
            if !links[*target].is_empty() {
                let _ = writeln!(out, "{title}");
                Tree { names: &names, links, mark, is_up, out: &mut out }.draw(*target);
            }
        }
    }
    out
}

/// For each node those that hang on it, by their places.
type Links<'a> = Vec<Vec<(usize, &'a Edge)>>;

struct Tree<'a, 'b> {
    names: &'b [String],
    links: &'b Links<'a>,
    mark: &'static str,
    is_up: bool,
    out: &'b mut String,
}

/// A line to be written: what stands before it, its sign, the edge that leads there, and what
/// stands before the lines below it.
struct Line<'a> {
    before: String,
    sign: &'static str,
    edge: &'a Edge,
    node: usize,
    below: String,
}

impl<'a> Tree<'a, '_> {
    fn draw(&mut self, root: usize) {
        let mut seen = vec![false; self.links.len()];
        seen[root] = true;
        let mut stack = Vec::new();
        self.push(root, "", &mut stack);
        while let Some(line) = stack.pop() {
            let new = !std::mem::replace(&mut seen[line.node], true);
            let again = if !new && !self.links[line.node].is_empty() { " (see above)" } else { "" };
            let words = self.words(line.edge);
            let parts = [&line.before, line.sign, &words, " ", &self.names[line.node], again, "\n"];
            parts.iter().for_each(|part| self.out.push_str(part));
            if new {
                self.push(line.node, &line.below, &mut stack);
            }
        }
    }

    /// Puts what hangs on a node on the stack, the first on top.
    fn push(&self, node: usize, before: &str, stack: &mut Vec<Line<'a>>) {
        if let [(only, edge)] = self.links[node][..] {
            let (before, below) = (before.to_owned(), before.to_owned());
            stack.push(Line { before, sign: self.mark, edge, node: only, below });
            return;
        }
        let list = &self.links[node];
        let wide = before.chars().count() >= INDENT;
        for (place, (id, edge)) in list.iter().enumerate().rev() {
            let last = place + 1 == list.len();
            let (sign, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = if wide { before.to_owned() } else { format!("{before}{rest}") };
            stack.push(Line { before: before.to_owned(), sign, edge, node: *id, below });
        }
    }

    fn words(&self, edge: &Edge) -> String {
        let how = edge.how.as_deref().unwrap_or_default();
        match (edge.relation, self.is_up) {
            (Relation::Used, true) => "used".into(),
            (Relation::Used, false) => "used by step".into(),
            (Relation::Generated, true) => "made by step".into(),
            (Relation::Generated, false) => "made".into(),
            (Relation::DerivedFrom, true) if how == "parent" => "continues".into(),
            (Relation::DerivedFrom, false) if how == "parent" => "continued by".into(),
            (Relation::DerivedFrom, true) if how == "source" => "from source".into(),
            (Relation::DerivedFrom, false) if how == "source" => "taken into".into(),
            (Relation::DerivedFrom, true) => format!("derived ({how}) from"),
            (Relation::DerivedFrom, false) => format!("became ({how})"),
            (Relation::TrainedOn, true) => format!("used for {how}"),
            (Relation::TrainedOn, false) => format!("used for {how} by"),
        }
    }
}

fn named(node: &Node) -> String {
    let date = node.time.map(|time| format!(", {}", &time.to_string()[..10]));
    let state = state_words(node).map(|words| format!(" [{words}]"));
    format!("{}{}{}", node.label, date.unwrap_or_default(), state.unwrap_or_default())
}
