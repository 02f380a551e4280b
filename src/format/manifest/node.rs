//! One node: its bytes, checked, and iteration over them without copying.

use crate::format::Error;
use crate::format::bytes::Input;
use crate::model::{Entry, FileId, FileRef, ManifestId, Mode, PathError, RepoPath};

use super::shape::MAX_ITEMS;

/// The length of the longest node, in bytes.
pub const MAX_NODE_BYTES: usize = 4 << 20;

pub(super) const MAGIC: [u8; 2] = [0xe5, b'N'];
pub(super) const FORMAT: u8 = 1;
/// No manifest is higher: 2^64 entries would need fewer levels.
pub(super) const MAX_LEVEL: u8 = 31;
const WHAT: &str = "manifest node";

/// How many files, and how many bytes they have together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of files.
    pub files: u64,
    /// Sum of their lengths in bytes.
    pub bytes: u64,
}

impl Totals {
    /// The sum, unless it is beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            files: self.files.checked_add(other.files)?,
            bytes: self.bytes.checked_add(other.bytes)?,
        })
    }
}

/// One node of a manifest, checked: a leaf with entries, or above the leaves a list of children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    bytes: Box<[u8]>,
    items_at: usize,
    level: u8,
    count: u32,
    totals: Totals,
    last: Box<[u8]>,
}

/// An entry, borrowed from a node. The path is sorted and of lawful length, but only
/// [`EntryRef::to_entry`] checks that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// The bytes of the path.
    pub path: &'a [u8],
    /// What lies there.
    pub file: FileRef,
}

impl EntryRef<'_> {
    /// The entry as a value of its own.
    ///
    /// # Errors
    ///
    /// If the path is none: such a manifest was not written by this program.
    pub fn to_entry(&self) -> Result<Entry, PathError> {
        Ok(Entry { path: RepoPath::new(self.path)?, file: self.file })
    }
}

/// What a node says of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child<'a> {
    /// The greatest path below the child.
    pub last: &'a [u8],
    /// The child.
    pub id: ManifestId,
    /// The files below it.
    pub totals: Totals,
}

impl Node {
    /// Reads a node. Everything is checked that can be seen in one node, except that its paths are
    /// paths and that it ends where it should ([`super::check`] does both).
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], [`Error::UnknownFormat`], [`Error::TooLarge`].
    pub fn decode(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() > MAX_NODE_BYTES {
            return Err(Error::TooLarge { what: WHAT, limit: "at most 4 MiB" });
        }
        let mut input = Input::new(&bytes, WHAT);
        if input.take(MAGIC.len())? != MAGIC {
            return input.damaged("it does not begin as one");
        }
        let format = input.byte()?;
        if format != FORMAT {
            return Err(Error::UnknownFormat { what: WHAT, found: format.into() });
        }
        let level = input.byte()?;
        let count = input.varint()?;
        if level > MAX_LEVEL || count > MAX_ITEMS.into() || (level > 0 && count == 0) {
            return input.damaged("it has an impossible level or number of items");
        }
        let count = count as u32;
        let items_at = bytes.len() - input.left();
        let (mut path, mut totals) = (Vec::new(), Totals::default());
        for _ in 0..count {
            let item = Item::read(&mut input, level, &mut path)?;
            let Some(sum) = totals.checked_add(item.totals(level)) else {
                return input.damaged("its totals are beyond 64 bits");
            };
            totals = sum;
        }
        input.end()?;
        let last = path.into_boxed_slice();
        Ok(Self { items_at, level, count, totals, last, bytes: bytes.into_boxed_slice() })
    }

    /// The bytes that the node was read from.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The distance from the leaves: 0 for a leaf.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// How many entries or children the node has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The files in and below the node.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The greatest path in or below the node; empty only in the empty manifest.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// The path of the first entry or child; empty in the empty manifest. A path in or below the
    /// node may be smaller if this is not a leaf.
    pub fn first(&self) -> &[u8] {
        let mut input = Input::new(self.bytes.get(self.items_at..).unwrap_or_default(), WHAT);
        match (input.varint(), input.varint()) {
            (Ok(0), Ok(length)) => input.take(length as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The entries of a leaf; none in any other node.
    pub fn entries(&self) -> Entries<'_> {
        let left = if self.level == 0 { self.count } else { 0 };
        Entries { node: self, cursor: Cursor { left, ..Cursor::new(self) } }
    }

    /// The children of a node above the leaves; none in a leaf.
    pub fn children(&self) -> Children<'_> {
        let left = if self.level == 0 { 0 } else { self.count };
        Children { node: self, cursor: Cursor { left, ..Cursor::new(self) } }
    }
}

/// The entries of a leaf, in order. Not an `Iterator`, because an entry borrows from it.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    node: &'a Node,
    cursor: Cursor,
}

impl Entries<'_> {
    /// The next entry.
    pub fn next_entry(&mut self) -> Option<EntryRef<'_>> {
        let item = self.cursor.advance(self.node)?;
        Some(EntryRef { path: self.cursor.path(), file: item.file() })
    }
}

/// The children of a node, in order. Not an `Iterator`, because a child borrows from it.
#[derive(Debug, Clone)]
pub struct Children<'a> {
    node: &'a Node,
    cursor: Cursor,
}

impl Children<'_> {
    /// The next child.
    pub fn next_child(&mut self) -> Option<Child<'_>> {
        let item = self.cursor.advance(self.node)?;
        Some(Child { last: self.cursor.path(), id: item.child(), totals: item.totals(1) })
    }
}

/// A place in a node, kept apart from it so that both can be owned together.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    at: usize,
    left: u32,
    path: Vec<u8>,
}

impl Cursor {
    /// Before the first item of `node`.
    pub(super) fn new(node: &Node) -> Self {
        Self { at: node.items_at, left: node.count, path: Vec::new() }
    }

    /// Moves to the next item of `node`, which must be the one the cursor was made for.
    #[inline]
    pub(super) fn advance(&mut self, node: &Node) -> Option<Item> {
        self.left = self.left.checked_sub(1)?;
        let mut input = Input::new(node.bytes.get(self.at..)?, WHAT);
        let item = Item::read(&mut input, node.level, &mut self.path).ok()?;
        self.at = node.bytes.len() - input.left();
        Some(item)
    }

    /// Whether the cursor was made for no node.
    pub(super) fn is_unset(&self) -> bool {
        self.at == 0
    }

    /// The path of the item moved to last.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }
}

/// The numbers of an entry (length, 0) or of a child (files, bytes), and the id of either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    mode: Mode,
    first: u64,
    second: u64,
    id: [u8; 32],
}

impl Item {
    /// Reads an item and makes its path out of the one before it.
    #[inline]
    fn read(input: &mut Input<'_>, level: u8, path: &mut Vec<u8>) -> Result<Self, Error> {
        read_path(input, path)?;
        if level == 0 {
            let Some(mode) = mode_from_code(input.byte()?) else {
                return input.damaged("a mode is unknown");
            };
            let first = input.varint()?;
            Ok(Self { mode, first, second: 0, id: *input.id()? })
        } else {
            let id = *input.id()?;
            let (first, second) = (input.varint()?, input.varint()?);
            if first == 0 {
                return input.damaged("a child has no files");
            }
            Ok(Self { mode: Mode::File, first, second, id })
        }
    }

    pub(super) fn file(&self) -> FileRef {
        FileRef { mode: self.mode, size: self.first, file: FileId::from_bytes(self.id) }
    }

    pub(super) fn child(&self) -> ManifestId {
        ManifestId::from_bytes(self.id)
    }

    pub(super) fn totals(&self, level: u8) -> Totals {
        if level == 0 {
            Totals { files: 1, bytes: self.first }
        } else {
            Totals { files: self.first, bytes: self.second }
        }
    }
}

/// Replaces `path` by the next one, which must be greater and say exactly how many bytes it has
/// in common with it.
#[inline]
fn read_path(input: &mut Input<'_>, path: &mut Vec<u8>) -> Result<(), Error> {
    let (shared, more) = (input.varint()?, input.varint()?);
    let most = RepoPath::MAX_BYTES as u64;
    if shared > path.len() as u64 || more == 0 || more > most || shared + more > most {
        return input.damaged("a path has an impossible length");
    }
    let shared = shared as usize;
    let rest = input.take(more as usize)?;
    if path.get(shared).is_some_and(|before| rest[0] <= *before) {
        return input.damaged("its paths are not sorted");
    }
    path.truncate(shared);
    path.extend_from_slice(rest);
    Ok(())
}

pub(super) fn mode_code(mode: Mode) -> u8 {
    match mode {
        Mode::File => 0,
        Mode::Executable => 1,
        Mode::Symlink => 2,
    }
}

fn mode_from_code(code: u8) -> Option<Mode> {
    match code {
        0 => Some(Mode::File),
        1 => Some(Mode::Executable),
        2 => Some(Mode::Symlink),
        _ => None,
    }
}
