//! The scan and the index against a naive walk, and the writer against what lies in its way.

mod denied;
mod index;
mod scan;
mod writer;

use proptest::prelude::*;

use super::{Record, Stat};
use crate::model::{FileId, FileRef, Mode, RepoPath};

/// Names that are easily mistaken for one another, or for something else.
const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"A",
    b"a.theirs",
    b"a-",
    b"a0",
    b"d",
    b"ign",
    "\u{e9}".as_bytes(),
    "e\u{301}".as_bytes(),
    b"\xff\xfe",
    b"new\nline",
    b"-rf",
    b" ",
];

fn path(bytes: impl Into<Vec<u8>>) -> RepoPath {
    RepoPath::new(bytes).unwrap()
}

/// Paths of one to three names.
fn any_path() -> impl Strategy<Value = RepoPath> {
    let name = proptest::sample::select(NAMES);
    proptest::collection::vec(name, 1..4).prop_map(|names| path(names.join(&b'/')))
}

fn any_mode() -> impl Strategy<Value = Mode> {
    proptest::sample::select(&[Mode::File, Mode::Executable, Mode::Symlink][..])
}

/// Numbers whose every byte counts, with both ends.
fn any_record() -> impl Strategy<Value = Record> {
    let time = || prop_oneof![any::<i64>(), Just(i64::MIN), Just(0), Just(i64::MAX)];
    let stat = (any::<u64>(), time(), time(), any::<u64>(), any_mode());
    (stat, any::<[u8; 32]>(), 0..1_u64 << 56, any_mode()).prop_map(
        |((size, mtime_ns, ctime_ns, inode, seen), id, file_size, mode)| Record {
            file: FileRef { mode, size: file_size, file: FileId::from_bytes(id) },
            stat: Stat { size, mtime_ns, ctime_ns, inode, mode: seen },
        },
    )
}
