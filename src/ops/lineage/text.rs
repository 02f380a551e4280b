//! The graph as two trees, for people.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::{Edge, Graph, Node, NodeId, Relation};

/// How wide the part before the words may become.
const INDENT: usize = 60;

/// The graph as a tree of origins and a tree of results below each target. What stands in a tree
/// already is named again and not repeated; an only child stands below its parent without a new
/// column, so that long histories stay readable.
pub fn text(graph: &Graph) -> String {
    let mut out = String::new();
    let (mut up, mut down) = (Links::default(), Links::default());
    for edge in &graph.edges {
        let (late, early) = match edge.relation {
            Relation::Generated => (&edge.to, &edge.from),
            _ => (&edge.from, &edge.to),
        };
        up.entry(late).or_default().push((early, edge));
        down.entry(early).or_default().push((late, edge));
    }
    for links in [&mut up, &mut down] {
        for list in links.values_mut() {
            list.sort_by_key(|(id, edge)| {
                let time = graph.node(id).and_then(|node| node.time);
                (edge.relation, std::cmp::Reverse(time), (*id).clone())
            });
        }
    }
    if graph.nodes.is_empty() {
        return "Nothing was known of it then.\n".into();
    }
    for target in &graph.targets {
        let Some(node) = graph.node(target) else { continue };
        out.push_str(&named(node));
        out.push('\n');
        for (title, links, mark, is_up) in
            [("Origins", &up, "← ", true), ("Results", &down, "→ ", false)]
        {
            if links.get(target).is_some_and(|list| !list.is_empty()) {
                let _ = writeln!(out, "{title}");
                Tree { graph, links, mark, is_up, out: &mut out }.draw(target);
            }
        }
    }
    out
}

type Links<'a> = HashMap<&'a NodeId, Vec<(&'a NodeId, &'a Edge)>>;

struct Tree<'a, 'b> {
    graph: &'a Graph,
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
    node: &'a NodeId,
    below: String,
}

impl<'a> Tree<'a, '_> {
    fn draw(&mut self, root: &'a NodeId) {
        let mut seen: HashSet<&NodeId> = HashSet::from([root]);
        let mut stack = Vec::new();
        self.push(root, "", &mut stack);
        while let Some(line) = stack.pop() {
            let new = seen.insert(line.node);
            let has_more = self.links.get(line.node).is_some_and(|list| !list.is_empty());
            let again = if !new && has_more { " (see above)" } else { "" };
            let name = self.graph.node(line.node).map(named).unwrap_or_default();
            let words = self.words(line.edge);
            let _ = writeln!(self.out, "{}{}{words} {name}{again}", line.before, line.sign);
            if new {
                self.push(line.node, &line.below, &mut stack);
            }
        }
    }

    /// Puts what hangs on a node on the stack, the first on top.
    fn push(&self, node: &NodeId, before: &str, stack: &mut Vec<Line<'a>>) {
        let Some(list) = self.links.get(node) else { return };
        if let [(only, edge)] = list[..] {
            let (before, below) = (before.to_owned(), before.to_owned());
            stack.push(Line { before, sign: self.mark, edge, node: only, below });
            return;
        }
        let wide = before.chars().count() >= INDENT;
        for (place, (id, edge)) in list.iter().enumerate().rev() {
            let last = place + 1 == list.len();
            let (sign, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = if wide { before.to_owned() } else { format!("{before}{rest}") };
            stack.push(Line { before: before.to_owned(), sign, edge, node: id, below });
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
    let gone = node.presence.as_deref().filter(|presence| *presence != "present");
    let gone = gone.map(|presence| format!(" [{presence}]"));
    format!("{}{}{}", node.label, date.unwrap_or_default(), gone.unwrap_or_default())
}
