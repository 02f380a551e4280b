//! Listing, adding up, walking and checking.

use std::sync::Arc;

use crate::format::Error;
use crate::model::{Entry, ManifestId};

use super::find::fetch;
use super::node::{Child, Cursor, EntryRef, Item, Node, Totals};
use super::shape::Shape;
use super::{Builder, NodeSource};

/// The paths at or below a prefix.
#[derive(Debug, Clone)]
struct Scope {
    prefix: Vec<u8>,
    /// The prefix and a slash.
    below: Vec<u8>,
}

impl Scope {
    fn new(prefix: &[u8]) -> Self {
        Self { prefix: prefix.to_vec(), below: [prefix, b"/"].concat() }
    }

    fn is_everything(&self) -> bool {
        self.prefix.is_empty()
    }

    fn contains(&self, path: &[u8]) -> bool {
        self.is_everything() || path == self.prefix || path.starts_with(&self.below)
    }

    /// Whether `path` is greater than all paths in the scope.
    fn is_past(&self, path: &[u8]) -> bool {
        !self.is_everything() && path > self.below.as_slice() && !path.starts_with(&self.below)
    }

    /// Whether a path greater than `floor` and not greater than `last` may be in the scope.
    fn may_meet(&self, floor: &[u8], last: &[u8]) -> bool {
        self.is_everything()
            || (last >= self.prefix.as_slice()
                && (floor < self.prefix.as_slice() || last >= self.below.as_slice())
                && !self.is_past(floor))
    }

    /// Whether all paths greater than `floor` and not greater than `last` are in the scope.
    fn holds_all(&self, floor: &[u8], last: &[u8]) -> bool {
        self.is_everything() || (floor >= self.below.as_slice() && last.starts_with(&self.below))
    }
}

/// The entries at or below `prefix` (a directory or a file, without a slash at its end; nothing
/// means all) in the order of their paths. Nodes that cannot hold one are not read.
///
/// # Errors
///
/// What `nodes` returns for the root.
pub fn list<S: NodeSource>(
    nodes: S,
    root: &ManifestId,
    prefix: &[u8],
) -> Result<List<S>, S::Error> {
    let root = nodes.node(root)?;
    let stack = vec![(Cursor::new(&root), root)];
    Ok(List { nodes, stack, floor: Vec::new(), scope: Scope::new(prefix) })
}

/// The entries of a manifest, or of a directory of one, in order; see [`list`].
///
/// As an iterator it gives checked entries; [`List::next_entry`] gives them without copying. After
/// an error it ends.
#[derive(Debug)]
pub struct List<S> {
    nodes: S,
    /// The way to the current entry.
    stack: Vec<(Cursor, Arc<Node>)>,
    /// The greatest path before the node on top.
    floor: Vec<u8>,
    scope: Scope,
}

impl<S: NodeSource> List<S> {
    /// The next entry.
    ///
    /// # Errors
    ///
    /// What the source returns; [`Error::Misplaced`].
    pub fn next_entry(&mut self) -> Result<Option<EntryRef<'_>>, S::Error> {
        match self.advance() {
            Ok(Some(item)) => {
                let path = self.stack.last().map_or(&[][..], |(cursor, _)| cursor.path());
                Ok(Some(EntryRef { path, file: item.file() }))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.stack.clear();
                Err(error)
            }
        }
    }

    /// Moves to the next entry in the scope.
    fn advance(&mut self) -> Result<Option<Item>, S::Error> {
        while let Some((cursor, node)) = self.stack.last_mut() {
            let level = node.level();
            if level == 0 {
                match cursor.advance(node) {
                    Some(item) if self.scope.contains(cursor.path()) => return Ok(Some(item)),
                    Some(_) if self.scope.is_past(cursor.path()) => self.stack.clear(),
                    Some(_) => {}
                    None => drop(self.stack.pop()),
                }
                continue;
            }
            if !cursor.path().is_empty() {
                self.floor.clear();
                self.floor.extend_from_slice(cursor.path());
            }
            let Some(item) = cursor.advance(node) else {
                self.stack.pop();
                continue;
            };
            if self.scope.may_meet(&self.floor, cursor.path()) {
                let totals = item.totals(level);
                let child = Child { last: cursor.path(), id: item.child(), totals };
                let below = fetch(&self.nodes, level, &child, &self.floor)?;
                self.stack.push((Cursor::new(&below), below));
            } else if self.scope.is_past(&self.floor) {
                self.stack.clear();
            }
        }
        Ok(None)
    }
}

impl<S: NodeSource> Iterator for List<S> {
    type Item = Result<Entry, S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_entry() {
            Ok(entry) => match entry?.to_entry() {
                Ok(entry) => Some(Ok(entry)),
                Err(error) => {
                    self.stack.clear();
                    Some(Err(Error::from(error).into()))
                }
            },
            Err(error) => Some(Err(error)),
        }
    }
}

/// How many files a manifest lists, and their bytes. Reads the root only.
///
/// # Errors
///
/// What `nodes` returns.
pub fn summary<S: NodeSource>(nodes: &S, root: &ManifestId) -> Result<Totals, S::Error> {
    Ok(nodes.node(root)?.totals())
}

/// How many files lie at or below `prefix`, and their bytes. Reads only nodes that hold an end of
/// the range.
///
/// # Errors
///
/// What `nodes` returns; [`Error::Misplaced`].
pub fn summary_below<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    prefix: &[u8],
) -> Result<Totals, S::Error> {
    let scope = Scope::new(prefix);
    let node = nodes.node(root)?;
    if scope.is_everything() { Ok(node.totals()) } else { sum(nodes, &node, &[], &scope) }
}

/// The totals of what is in and below `node` and in `scope`. As deep as the manifest is high.
fn sum<S: NodeSource>(
    nodes: &S,
    node: &Node,
    floor: &[u8],
    scope: &Scope,
) -> Result<Totals, S::Error> {
    let mut totals = Totals::default();
    let mut add = |more| {
        // No sum of a part is beyond the sum of the whole, which was checked.
        totals = totals.checked_add(more).unwrap_or(totals);
    };
    let mut entries = node.entries();
    while let Some(entry) = entries.next_entry() {
        if scope.contains(entry.path) {
            add(Totals { files: 1, bytes: entry.file.size });
        }
    }
    let mut floor = floor.to_vec();
    let mut children = node.children();
    while let Some(child) = children.next_child() {
        if scope.holds_all(&floor, child.last) {
            add(child.totals);
        } else if scope.may_meet(&floor, child.last) {
            let below = fetch(nodes, node.level(), &child, &floor)?;
            add(sum(nodes, &below, &floor, scope)?);
        }
        floor.clear();
        floor.extend_from_slice(child.last);
    }
    Ok(totals)
}

/// Shows every node of a manifest to `visit`, a node before those below it, which are left out if
/// `visit` says `false`.
///
/// # Errors
///
/// What `nodes` returns; [`Error::Misplaced`].
pub fn walk<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    mut visit: impl FnMut(&ManifestId, &Node) -> bool,
) -> Result<(), S::Error> {
    let node = nodes.node(root)?;
    if !visit(root, &node) {
        return Ok(());
    }
    let mut stack = vec![(Cursor::new(&node), node)];
    let mut floor = Vec::new();
    while let Some((cursor, node)) = stack.last_mut() {
        if !cursor.path().is_empty() {
            floor.clear();
            floor.extend_from_slice(cursor.path());
        }
        let level = node.level();
        let Some(item) = cursor.advance(node).filter(|_| level > 0) else {
            stack.pop();
            continue;
        };
        // A subtree may be shared and known already: `visit` decides before its children are read.
        let child = Child { last: cursor.path(), id: item.child(), totals: item.totals(level) };
        let below = fetch(nodes, level, &child, &floor)?;
        if visit(&child.id, &below) {
            stack.push((Cursor::new(&below), below));
        }
    }
    Ok(())
}

/// Reads a whole manifest and checks that it is the one that its entries have: valid paths,
/// sorted, none both file and directory, and every node ending where it should.
///
/// # Errors
///
/// What `nodes` returns; [`Error::Path`], [`Error::Unsorted`], [`Error::Clash`],
/// [`Error::Misplaced`].
pub fn check<S: NodeSource>(nodes: &S, root: &ManifestId) -> Result<Totals, S::Error> {
    check_shape(nodes, root, Shape::STANDARD)
}

pub(super) fn check_shape<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    shape: Shape,
) -> Result<Totals, S::Error> {
    let totals = summary(nodes, root)?;
    let mut builder = Builder::with_shape(shape, |_, _| Ok::<(), S::Error>(()));
    for entry in list(nodes, root, b"")? {
        let entry = entry?;
        builder.push(&entry.path, &entry.file)?;
    }
    if builder.finish()? == *root {
        Ok(totals)
    } else {
        let problem = "its nodes do not end where they should";
        Err(Error::Misplaced { id: *root, problem }.into())
    }
}
