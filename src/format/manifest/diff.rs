//! What differs between two manifests, without reading what they share.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::format::Error;
use crate::model::{FileRef, ManifestId, RepoPath};

use super::NodeSource;
use super::find::fetch;
use super::node::{Child, Cursor, Node, Totals};

/// One path at which two manifests differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: RepoPath,
    /// What lay there in the first manifest.
    pub old: Option<FileRef>,
    /// What lies there in the second.
    pub new: Option<FileRef>,
}

/// The paths at which the manifests `old` and `new` differ, in order. Nodes that both have are not
/// read, wherever they stand.
///
/// # Errors
///
/// What `nodes` returns for the two roots.
pub fn diff<S: NodeSource>(
    nodes: S,
    old: &ManifestId,
    new: &ManifestId,
) -> Result<Diff<S>, S::Error> {
    let (old, new) = if old == new {
        (Side::default(), Side::default())
    } else {
        (Side::new(&nodes, old)?, Side::new(&nodes, new)?)
    };
    Ok(Diff { nodes, old, new })
}

/// The differences between two manifests, in order; see [`diff`]. After an error it ends.
#[derive(Debug)]
pub struct Diff<S> {
    nodes: S,
    old: Side,
    new: Side,
}

/// How far one manifest has been read.
#[derive(Debug, Default)]
struct Side {
    stack: Vec<(Cursor, Arc<Node>)>,
    head: Head,
    /// The greatest path that is done with; all in `head` are greater.
    floor: Vec<u8>,
    /// The path of the entry, or the greatest path of the node, in `head`.
    path: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Default)]
enum Head {
    #[default]
    End,
    Entry(FileRef),
    /// A node that is not opened; roots have been read already.
    Node {
        level: u8,
        id: ManifestId,
        totals: Totals,
        read: Option<Arc<Node>>,
    },
}

impl Side {
    fn new<S: NodeSource>(nodes: &S, id: &ManifestId) -> Result<Self, S::Error> {
        let node = nodes.node(id)?;
        let (level, totals, path) = (node.level(), node.totals(), node.last().to_vec());
        let head = Head::Node { level, id: *id, totals, read: Some(node) };
        Ok(Self { head, path, ..Self::default() })
    }

    /// Is done with the head; takes the next.
    fn skip(&mut self) {
        std::mem::swap(&mut self.floor, &mut self.path);
        self.next_head();
    }

    /// Replaces the node in the head by the first thing in it.
    fn open<S: NodeSource>(&mut self, nodes: &S) -> Result<(), S::Error> {
        if let Head::Node { level, id, totals, read } = &mut self.head {
            let node = match read.take() {
                Some(node) => node,
                None => {
                    let child = Child { last: &self.path, id: *id, totals: *totals };
                    fetch(nodes, *level + 1, &child, &self.floor)?
                }
            };
            self.stack.push((Cursor::new(&node), node));
            self.next_head();
        }
        Ok(())
    }

    fn next_head(&mut self) {
        self.head = Head::End;
        while let Some((cursor, node)) = self.stack.last_mut() {
            let Some(item) = cursor.advance(node) else {
                self.stack.pop();
                continue;
            };
            self.path.clear();
            self.path.extend_from_slice(cursor.path());
            self.head = match node.level() {
                0 => Head::Entry(item.file()),
                above => Head::Node {
                    level: above - 1,
                    id: item.child(),
                    totals: item.totals(above),
                    read: None,
                },
            };
            return;
        }
    }

    /// Whether the entry of `other` is smaller than all that is left here.
    fn is_beyond(&self, other: &Self) -> bool {
        other.path <= self.floor
    }
}

/// What to do next.
enum Move {
    SkipBoth,
    OpenOld,
    OpenNew,
    OpenBoth,
    Removed(FileRef),
    Added(FileRef),
    Differ(FileRef, FileRef),
    Stop,
}

impl<S: NodeSource> Diff<S> {
    fn decide(&self) -> Move {
        let (old, new) = (&self.old, &self.new);
        match (&old.head, &new.head) {
            (Head::End, Head::End) => Move::Stop,
            (Head::Node { level: a, id: old, .. }, Head::Node { level: b, id: new, .. }) => {
                match a.cmp(b) {
                    _ if old == new => Move::SkipBoth,
                    Ordering::Greater => Move::OpenOld,
                    Ordering::Less => Move::OpenNew,
                    Ordering::Equal => Move::OpenBoth,
                }
            }
            (Head::Entry(old), Head::End) => Move::Removed(*old),
            (Head::End, Head::Entry(new)) => Move::Added(*new),
            (Head::Entry(file), Head::Node { .. }) if new.is_beyond(old) => Move::Removed(*file),
            (Head::Node { .. }, Head::Entry(file)) if old.is_beyond(new) => Move::Added(*file),
            (Head::Node { .. }, _) => Move::OpenOld,
            (_, Head::Node { .. }) => Move::OpenNew,
            (Head::Entry(a), Head::Entry(b)) => match old.path.cmp(&new.path) {
                Ordering::Less => Move::Removed(*a),
                Ordering::Greater => Move::Added(*b),
                Ordering::Equal if a == b => Move::SkipBoth,
                Ordering::Equal => Move::Differ(*a, *b),
            },
        }
    }

    fn advance(&mut self) -> Result<Option<Change>, S::Error> {
        loop {
            let (old, new) = match self.decide() {
                Move::Stop => return Ok(None),
                Move::SkipBoth => {
                    self.old.skip();
                    self.new.skip();
                    continue;
                }
                Move::OpenOld => {
                    self.old.open(&self.nodes)?;
                    continue;
                }
                Move::OpenNew => {
                    self.new.open(&self.nodes)?;
                    continue;
                }
                Move::OpenBoth => {
                    self.old.open(&self.nodes)?;
                    self.new.open(&self.nodes)?;
                    continue;
                }
                Move::Removed(file) => (Some(file), None),
                Move::Added(file) => (None, Some(file)),
                Move::Differ(a, b) => (Some(a), Some(b)),
            };
            let side = if old.is_some() { &self.old } else { &self.new };
            let path = RepoPath::new(side.path.as_slice()).map_err(Error::from)?;
            if old.is_some() {
                self.old.skip();
            }
            if new.is_some() {
                self.new.skip();
            }
            return Ok(Some(Change { path, old, new }));
        }
    }
}

impl<S: NodeSource> Iterator for Diff<S> {
    type Item = Result<Change, S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if result.is_err() {
            (self.old, self.new) = (Side::default(), Side::default());
        }
        result.transpose()
    }
}
