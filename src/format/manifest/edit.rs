//! Changing some entries: only the nodes on the way to them are read and written.

use crate::model::ManifestId;

use super::NodeSource;
use super::build::Tree;
use super::clash::{Edits, check_edits};
use super::find::fetch;
use super::node::Node;
use super::shape::Shape;

/// The manifest that `root` becomes when each path of `edits` (sorted, different) gets the file
/// given with it, or is taken out; taking out what is not there changes nothing. New nodes go to
/// `sink`, children first.
///
/// # Errors
///
/// What `nodes` and `sink` return; [`crate::format::Error::Unsorted`]; [`crate::format::Error::Clash`] if afterwards a path
/// would be both a file and a directory, in which case nothing has been given to `sink`.
pub fn edit<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    edits: Edits<'_>,
    sink: impl FnMut(ManifestId, Vec<u8>) -> Result<(), S::Error>,
) -> Result<ManifestId, S::Error> {
    edit_shape(nodes, root, edits, sink, Shape::STANDARD)
}

pub(super) fn edit_shape<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    edits: Edits<'_>,
    sink: impl FnMut(ManifestId, Vec<u8>) -> Result<(), S::Error>,
    shape: Shape,
) -> Result<ManifestId, S::Error> {
    if edits.is_empty() {
        return Ok(*root);
    }
    check_edits(nodes, root, edits)?;
    let node = nodes.node(root)?;
    let mut editor = Editor { nodes, edits, tree: Tree::new(shape, sink) };
    editor.node(&node, &[], None)?;
    let root = editor.tree.finish()?;
    if root.is_taken_over { lowest_single(nodes, root.id) } else { Ok(root.id) }
}

/// The node nearest to the leaves that holds all that `id` holds.
fn lowest_single<S: NodeSource>(nodes: &S, mut id: ManifestId) -> Result<ManifestId, S::Error> {
    loop {
        let node = nodes.node(&id)?;
        match node.children().next_child() {
            Some(child) if node.count() == 1 => id = child.id,
            _ => return Ok(id),
        }
    }
}

struct Editor<'a, N, S> {
    nodes: &'a N,
    /// Those still to come.
    edits: Edits<'a>,
    tree: Tree<S>,
}

impl<N, S> Editor<'_, N, S>
where
    N: NodeSource,
    S: FnMut(ManifestId, Vec<u8>) -> Result<(), N::Error>,
{
    /// Adds what is below `node` to the new tree, with the edits up to `end` (all, if that is
    /// `None`, as for the last node of its level). As deep as the manifest is high.
    fn node(&mut self, node: &Node, floor: &[u8], end: Option<&[u8]>) -> Result<(), N::Error> {
        if node.level() == 0 {
            return self.leaf(node, end);
        }
        let mut floor = floor.to_vec();
        let mut children = node.children();
        let mut left = node.count();
        while let Some(child) = children.next_child() {
            left -= 1;
            let child_end = if left == 0 { end } else { Some(child.last) };
            let level = usize::from(node.level()) - 1;
            if !self.has_edit_up_to(child_end) && self.tree.takes(level) {
                self.tree.add_node(level, &child)?;
            } else {
                let below = fetch(self.nodes, node.level(), &child, &floor)?;
                self.node(&below, &floor, child_end)?;
            }
            floor.clear();
            floor.extend_from_slice(child.last);
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: &Node, end: Option<&[u8]>) -> Result<(), N::Error> {
        let mut entries = leaf.entries();
        while let Some(entry) = entries.next_entry() {
            self.edits_before(entry.path)?;
            match self.edits.split_first() {
                Some(((path, file), rest)) if path.as_bytes() == entry.path => {
                    self.edits = rest;
                    if let Some(file) = file {
                        self.tree.add_entry(entry.path, file)?;
                    }
                }
                _ => self.tree.add_entry(entry.path, &entry.file)?,
            }
        }
        match end {
            // A leaf ends with its greatest path, so all edits up to there are done.
            Some(_) => Ok(()),
            None => self.edits_while(|_| true),
        }
    }

    fn edits_before(&mut self, path: &[u8]) -> Result<(), N::Error> {
        self.edits_while(|edited| edited < path)
    }

    fn edits_while(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Result<(), N::Error> {
        while let Some(((path, file), rest)) = self.edits.split_first()
            && wanted(path.as_bytes())
        {
            self.edits = rest;
            if let Some(file) = file {
                self.tree.add_entry(path.as_bytes(), file)?;
            }
        }
        Ok(())
    }

    fn has_edit_up_to(&self, end: Option<&[u8]>) -> bool {
        match (self.edits.first(), end) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((path, _)), Some(end)) => path.as_bytes() <= end,
        }
    }
}
