//! A look at the footer before the Parquet library reads it.
//!
//! The library follows the nesting of the schema by recursion, without a limit: some hundred
//! kilobytes of nested groups would exhaust the stack, which ends the program and cannot be caught.
//! So the depth is counted first, in Thrift's compact protocol, without recursion on the schema.

use parquet::file::reader::{ChunkReader, Length};

use super::super::error::Error;
use super::source::Shared;

/// As deep as JSON may be.
const MAX_DEPTH: usize = 128;

/// Refuses a file whose footer is not in it, or whose schema is nested too deep.
pub(super) fn check(input: &Shared) -> Result<(), Error> {
    let wrong = |problem: &'static str| Error::Parquet(problem.into());
    let length = input.len();
    if length < 12 {
        return Err(wrong("it is too short"));
    }
    let tail = input.get_bytes(length - 8, 8).map_err(super::damaged)?;
    if tail[4..] != *b"PAR1" {
        return Err(wrong("it does not end as a Parquet file does"));
    }
    let size = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    let start = (length - 8).checked_sub(u64::from(size));
    let start = start.ok_or_else(|| wrong("its footer is longer than the file"))?;
    let footer = input.get_bytes(start, size as usize).map_err(super::damaged)?;
    match schema_depth(&mut Compact(&footer)) {
        Some(depth) if depth <= MAX_DEPTH => Ok(()),
        Some(_) => Err(wrong("its schema is nested more than 128 levels deep")),
        None => Err(wrong("its footer cannot be read")),
    }
}

/// How deep the schema is nested; it is the list in field 2 of `FileMetaData`.
fn schema_depth(footer: &mut Compact<'_>) -> Option<usize> {
    let mut id = 0;
    while let Some((next, kind)) = footer.field(id)? {
        id = next;
        if (id, kind) == (2, LIST) {
            return list_depth(footer);
        }
        footer.skip(kind, 0)?;
    }
    None
}

/// The elements stand in the order of a walk from the root, each with the count of its children.
fn list_depth(footer: &mut Compact<'_>) -> Option<usize> {
    let (count, kind) = footer.list()?;
    if kind != STRUCT {
        return None;
    }
    let mut open: Vec<u64> = Vec::new();
    let mut deepest = 0;
    for _ in 0..count {
        let children = footer.children()?;
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        deepest = deepest.max(open.len());
    }
    Some(deepest)
}

const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// Bytes in Thrift's compact protocol.
struct Compact<'a>(&'a [u8]);

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The number and kind of the next field after `last`; `Some(None)` at the end of the struct.
    fn field(&mut self, last: i64) -> Option<Option<(i64, u8)>> {
        let head = self.byte()?;
        if head & 15 == 0 {
            return Some(None);
        }
        let id = match head >> 4 {
            0 => self.signed()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Some((id, head & 15)))
    }

    /// The length of a list and the kind of its items.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.number()?,
            count => u64::from(count),
        };
        Some((count, head & 15))
    }

    /// The count of children of the element of a schema that stands here: its field 5.
    fn children(&mut self) -> Option<u64> {
        let (mut id, mut children) = (0, 0);
        while let Some((next, kind)) = self.field(id)? {
            id = next;
            if (id, kind) == (5, 5) {
                children = self.signed()?.try_into().ok()?;
            } else {
                self.skip(kind, 0)?;
            }
        }
        Some(children)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > 32 {
            return None;
        }
        match kind {
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.number()?),
            7 => self.0 = self.0.get(8..)?,
            BINARY => {
                let length = usize::try_from(self.number()?).ok()?;
                self.0 = self.0.get(length..)?;
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // In a list a truth value takes a byte, in a struct it is the kind.
                    self.skip(if matches!(kind, 1 | 2) { 3 } else { kind }, depth + 1)?;
                }
            }
            MAP => return self.skip_map(depth),
            STRUCT => {
                let mut id = 0;
                while let Some((next, kind)) = self.field(id)? {
                    id = next;
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let count = self.number()?;
        if count > 0 {
            let kinds = self.byte()?;
            for kind in (0..count).flat_map(|_| [kinds >> 4, kinds & 15]) {
                self.skip(if matches!(kind, 1 | 2) { 3 } else { kind }, depth + 1)?;
            }
        }
        Some(())
    }
}
