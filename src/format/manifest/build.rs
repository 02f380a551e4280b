//! Building manifests from the left to the right, in memory that grows only with their height.

use crate::format::Error;
use crate::format::bytes::put_varint;
use crate::model::{Entry, FileRef, ManifestId, RepoPath};

use super::clash::Sequence;
use super::node::{Child, FORMAT, MAGIC, Totals, mode_code};
use super::shape::Shape;

/// Builds the manifest of `entries`, which must be sorted by path, and gives each node to `sink`
/// before the nodes above it; the root comes last.
///
/// # Errors
///
/// What `sink` returns; [`Error::Unsorted`], and [`Error::Clash`] if a path is to be both a file
/// and a directory. Nodes that `sink` has received by then belong to no manifest.
pub fn build<E: From<Error>>(
    entries: impl IntoIterator<Item = Entry>,
    sink: impl FnMut(ManifestId, Vec<u8>) -> Result<(), E>,
) -> Result<ManifestId, E> {
    let mut builder = Builder::new(sink);
    for entry in entries {
        builder.push(&entry.path, &entry.file)?;
    }
    builder.finish()
}

/// The manifest without entries, and its only node.
pub fn empty() -> (ManifestId, Vec<u8>) {
    let bytes = encode(0, 0, &[]);
    (ManifestId::of(&bytes), bytes)
}

/// Builds a manifest from entries given one by one; see [`build`].
#[derive(Debug)]
pub struct Builder<S> {
    tree: Tree<S>,
    sequence: Sequence,
}

impl<E: From<Error>, S: FnMut(ManifestId, Vec<u8>) -> Result<(), E>> Builder<S> {
    /// A manifest without entries as yet, whose nodes go to `sink`.
    pub fn new(sink: S) -> Self {
        Self::with_shape(Shape::STANDARD, sink)
    }

    pub(super) fn with_shape(shape: Shape, sink: S) -> Self {
        Self { tree: Tree::new(shape, sink), sequence: Sequence::default() }
    }

    /// Adds an entry, whose path must be greater than the one before it.
    ///
    /// # Errors
    ///
    /// As [`build`].
    pub fn push(&mut self, path: &RepoPath, file: &FileRef) -> Result<(), E> {
        self.sequence.enter(path)?;
        self.tree.add_entry(path.as_bytes(), file)
    }

    /// Writes what is left; the root of the manifest.
    ///
    /// # Errors
    ///
    /// What the sink returns.
    pub fn finish(self) -> Result<ManifestId, E> {
        Ok(self.tree.finish()?.id)
    }
}

/// The right edge of a tree under construction: on each level the node that is being filled.
#[derive(Debug)]
pub(super) struct Tree<S> {
    shape: Shape,
    levels: Vec<Level>,
    sink: S,
}

/// The node that is being filled on one level.
#[derive(Debug, Default)]
struct Level {
    items: Vec<u8>,
    count: u32,
    /// The path of the last item.
    last: Vec<u8>,
    /// On how many levels that path ends its node.
    last_height: u32,
    /// The last child, above the leaves.
    last_child: Option<ManifestId>,
    totals: Totals,
    /// The node has its last item. It is written when the next item comes, because a node that
    /// stays alone on its level is the root, and has no node above it.
    is_complete: bool,
}

impl Level {
    /// Whether a node that ends with this item ends there on `level`.
    fn completes(shape: Shape, level: usize, height: u32, count: u32) -> bool {
        height as usize > level || count == shape.max_items
    }

    fn add_path(&mut self, path: &[u8]) {
        let shared = match self.count {
            0 => 0,
            _ => path.iter().zip(&self.last).take_while(|(new, old)| new == old).count(),
        };
        put_varint(&mut self.items, shared as u64);
        put_varint(&mut self.items, (path.len() - shared) as u64);
        self.items.extend_from_slice(&path[shared..]);
        self.last.truncate(shared);
        self.last.extend_from_slice(&path[shared..]);
    }
}

/// The top of a finished tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root {
    pub(super) id: ManifestId,
    /// The root stands for the only child of what would be the top node. It was taken over from
    /// another tree, and may itself have a single child.
    pub(super) is_taken_over: bool,
}

impl<E: From<Error>, S: FnMut(ManifestId, Vec<u8>) -> Result<(), E>> Tree<S> {
    pub(super) fn new(shape: Shape, sink: S) -> Self {
        Self { shape, levels: vec![Level::default()], sink }
    }

    /// Adds an entry to the leaves. Its path must be the greatest so far.
    pub(super) fn add_entry(&mut self, path: &[u8], file: &FileRef) -> Result<(), E> {
        let height = self.shape.height(path);
        let totals = Totals { files: 1, bytes: file.size };
        let node = self.begin_item(0, path, totals)?;
        node.items.push(mode_code(file.mode));
        put_varint(&mut node.items, file.size);
        node.items.extend_from_slice(file.file.as_bytes());
        self.end_item(0, height);
        Ok(())
    }

    /// Adds a whole node of another tree, on `level`. Allowed only if [`Tree::takes`] it.
    pub(super) fn add_node(&mut self, level: usize, node: &Child<'_>) -> Result<(), E> {
        for below in 0..=level {
            if self.levels.get(below).is_some_and(|node| node.is_complete) {
                self.write(below)?;
            }
        }
        let height = self.shape.height(node.last);
        self.add_child(level + 1, node, height)
    }

    /// Whether a new node would begin on `level`, and on all levels below it, with the next entry,
    /// so that a node of another tree can be taken over as it is.
    pub(super) fn takes(&self, level: usize) -> bool {
        // The heights of what moves up to the level in question, as if all nodes were written: at
        // most one node that is complete, and one that what comes from below completes.
        let mut arriving: Vec<u32> = Vec::new();
        for index in 0..=level {
            let node = self.levels.get(index);
            let (mut count, mut height, mut is_complete) =
                node.map_or((0, 0, false), |node| (node.count, node.last_height, node.is_complete));
            let mut leaving = Vec::new();
            for arrived in arriving {
                if is_complete {
                    leaving.push(height);
                    count = 0;
                }
                count += 1;
                height = arrived;
                is_complete = Level::completes(self.shape, index, height, count);
            }
            if count > 0 && !is_complete {
                return false;
            }
            if is_complete {
                leaving.push(height);
            }
            arriving = leaving;
        }
        true
    }

    fn add_child(&mut self, level: usize, child: &Child<'_>, height: u32) -> Result<(), E> {
        while self.levels.len() <= level {
            self.levels.push(Level::default());
        }
        let node = self.begin_item(level, child.last, child.totals)?;
        node.items.extend_from_slice(child.id.as_bytes());
        put_varint(&mut node.items, child.totals.files);
        put_varint(&mut node.items, child.totals.bytes);
        node.last_child = Some(child.id);
        self.end_item(level, height);
        Ok(())
    }

    fn begin_item(&mut self, level: usize, path: &[u8], more: Totals) -> Result<&mut Level, E> {
        if self.levels[level].is_complete {
            self.write(level)?;
        }
        let node = &mut self.levels[level];
        node.totals = node.totals.checked_add(more).ok_or(Error::TooLarge {
            what: "manifest",
            limit: "the sum of all lengths fits in 64 bits",
        })?;
        node.add_path(path);
        Ok(node)
    }

    fn end_item(&mut self, level: usize, height: u32) {
        let node = &mut self.levels[level];
        node.count += 1;
        node.last_height = height;
        node.is_complete = Level::completes(self.shape, level, height, node.count);
    }

    /// Writes the node of `level` and begins a new one; tells the level above.
    fn write(&mut self, level: usize) -> Result<(), E> {
        let id = self.emit(level)?;
        let node = &mut self.levels[level];
        let (totals, height) = (node.totals, node.last_height);
        (node.count, node.is_complete, node.totals) = (0, false, Totals::default());
        node.items.clear();
        let last = std::mem::take(&mut node.last);
        self.add_child(level + 1, &Child { last: &last, id, totals }, height)?;
        self.levels[level].last = last;
        Ok(())
    }

    fn emit(&mut self, level: usize) -> Result<ManifestId, E> {
        let node = &self.levels[level];
        let bytes = encode(level as u8, node.count, &node.items);
        let id = ManifestId::of(&bytes);
        (self.sink)(id, bytes)?;
        Ok(id)
    }

    /// Writes all nodes that are left. The root is on the lowest level that has a single node.
    pub(super) fn finish(mut self) -> Result<Root, E> {
        let mut level = 0;
        while level + 1 < self.levels.len() {
            if self.levels[level].count > 0 {
                self.write(level)?;
            }
            level += 1;
        }
        match self.levels[level] {
            Level { count: 1, last_child: Some(id), .. } => Ok(Root { id, is_taken_over: true }),
            _ => Ok(Root { id: self.emit(level)?, is_taken_over: false }),
        }
    }
}

fn encode(level: u8, count: u32, items: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() + 8);
    bytes.extend(MAGIC);
    bytes.extend([FORMAT, level]);
    put_varint(&mut bytes, count.into());
    bytes.extend_from_slice(items);
    bytes
}
