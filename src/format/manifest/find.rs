//! Finding paths: from the root down to one leaf.

use std::sync::Arc;

use crate::format::Error;
use crate::model::{FileRef, ManifestId};

use super::NodeSource;
use super::node::{Child, Cursor, EntryRef, Node};

/// Reads a child of a node on `level`, and checks that it is what the node says. All its paths
/// must be greater than `floor`.
pub(super) fn fetch<S: NodeSource>(
    nodes: &S,
    level: u8,
    child: &Child<'_>,
    floor: &[u8],
) -> Result<Arc<Node>, S::Error> {
    let node = nodes.node(&child.id)?;
    let problem = if u32::from(node.level()) + 1 != u32::from(level) {
        "it is on the wrong level"
    } else if node.totals() != child.totals {
        "it has other totals than announced"
    } else if node.last() != child.last {
        "it ends with another path than announced"
    } else if node.first() <= floor {
        "it begins before the node on its left ends"
    } else {
        return Ok(node);
    };
    Err(Error::Misplaced { id: child.id, problem }.into())
}

/// What lies at `path`, if anything does.
///
/// # Errors
///
/// What `nodes` returns; [`Error::Misplaced`].
pub fn get<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    path: &[u8],
) -> Result<Option<FileRef>, S::Error> {
    Finder::new(nodes, *root)?.find(path)
}

/// Finds many paths in one manifest; quickest in the order of the paths, because the nodes that
/// lead to one are kept until another needs others.
#[derive(Debug)]
pub struct Finder<S> {
    nodes: S,
    /// The root, and the nodes below it that lead to the last path looked for.
    stack: Vec<Step>,
    cursor: Cursor,
}

/// A node, and a path that is smaller than all in it and greater than or equal to all before it.
#[derive(Debug)]
struct Step {
    node: Arc<Node>,
    floor: Vec<u8>,
}

impl<S: NodeSource> Finder<S> {
    /// Finds paths in the manifest `root`.
    ///
    /// # Errors
    ///
    /// What `nodes` returns for the root.
    pub fn new(nodes: S, root: ManifestId) -> Result<Self, S::Error> {
        let node = nodes.node(&root)?;
        let stack = vec![Step { node, floor: Vec::new() }];
        Ok(Self { nodes, stack, cursor: Cursor::default() })
    }

    /// Whether the manifest has no entries.
    pub fn is_empty(&self) -> bool {
        self.stack[0].node.count() == 0
    }

    /// What lies at `path`, if anything does.
    ///
    /// # Errors
    ///
    /// What the source returns; [`Error::Misplaced`].
    pub fn find(&mut self, path: &[u8]) -> Result<Option<FileRef>, S::Error> {
        Ok(self.seek(path)?.filter(|found| found.path == path).map(|found| found.file))
    }

    /// The first entry whose path is `path` or greater.
    ///
    /// # Errors
    ///
    /// As [`Finder::find`].
    pub fn seek(&mut self, path: &[u8]) -> Result<Option<EntryRef<'_>>, S::Error> {
        while let Some(step) = self.stack.last()
            && self.stack.len() > 1
            && (path <= step.floor.as_slice() || path > step.node.last())
        {
            self.stack.pop();
            self.cursor = Cursor::default();
        }
        if !self.descend(path)? {
            return Ok(None);
        }
        let leaf = &self.stack[self.stack.len() - 1].node;
        if self.cursor.is_unset() || self.cursor.path() >= path {
            self.cursor = Cursor::new(leaf);
        }
        while let Some(item) = self.cursor.advance(leaf) {
            if self.cursor.path() >= path {
                return Ok(Some(EntryRef { path: self.cursor.path(), file: item.file() }));
            }
        }
        Ok(None)
    }

    /// Goes down to the leaf that holds the first path from `path` on, if there is one.
    fn descend(&mut self, path: &[u8]) -> Result<bool, S::Error> {
        while let Some(step) = self.stack.last()
            && step.node.level() > 0
        {
            let mut floor = step.floor.clone();
            let mut children = step.node.children();
            let next = loop {
                let Some(child) = children.next_child() else { return Ok(false) };
                if child.last >= path {
                    break fetch(&self.nodes, step.node.level(), &child, &floor)?;
                }
                floor.clear();
                floor.extend_from_slice(child.last);
            };
            self.stack.push(Step { node: next, floor });
            self.cursor = Cursor::default();
        }
        Ok(true)
    }
}
