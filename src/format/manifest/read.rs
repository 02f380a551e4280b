//! Finding, listing, adding up and checking.

use std::sync::Arc;

use crate::format::Error;
use crate::model::{Entry, FileRef, ManifestId};

use super::node::{Child, Cursor, Entries, EntryRef, Item, Node, Totals};
use super::shape::Shape;
use super::{Builder, NodeSource};

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
    let mut entries: Entries<'_> = node.entries();
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
