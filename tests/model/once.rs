//! Sequences that once went wrong.

use crate::op::Op;

const ALL: Op = Op::Add { scope: 0, update: false };
/// Places in `PATHS`.
const A: u8 = 0;
const B: u8 = 1;
const D: u8 = 2;
const BELOW: u8 = 3;
const BESIDE: u8 = 7;

fn save(path: u8, content: u8) -> Op {
    Op::Save(path, content, 3)
}

fn merge(version: u8) -> Op {
    Op::Bring { doing: 0, version, favour: None, no_fast_forward: false }
}

fn pick(version: u8, favour: Option<bool>) -> Op {
    Op::Bring { doing: 2, version, favour, no_fast_forward: false }
}

fn new(branch: u8, version: Option<u8>, force: bool) -> Op {
    Op::SwitchNew { branch, version, force }
}

fn to(branch: u8) -> Op {
    Op::SwitchTo { branch, force: false }
}

fn restore(source: Option<u8>, force: bool) -> Op {
    Op::Restore { scope: 3, source, staged: false, worktree: true, force }
}

/// Files and directories in each other's place, and branches that are there.
pub(crate) fn with_files() -> Vec<Vec<Op>> {
    let staged_too =
        Op::Restore { scope: 4, source: Some(0), staged: true, worktree: true, force: true };
    vec![
        // A file in the place of a directory whose files go, and the reverse.
        vec![save(D, 0), save(BELOW, 1), Op::Detach { version: 0, force: false }, to(0)],
        // A file that no version has where a directory must be: only force overwrites it.
        vec![
            save(D, 0),
            save(BELOW, 1),
            restore(Some(0), false),
            restore(None, false),
            restore(None, true),
        ],
        // A directory gets another name, and a file that is gone from it stays missed.
        vec![save(BELOW, 0), save(4, 1), Op::Delete(BELOW), Op::Rename(D, 5)],
        // A branch that is there already is found before the files change.
        vec![save(A, 0), save(A, 1), new(1, Some(0), false), to(0), new(1, None, true)],
        vec![save(A, 0), new(1, None, false), Op::Write(B, 0, 3), ALL, new(1, None, true)],
        // What is staged in the place of a directory is seen before the files change: by force,
        vec![save(BELOW, 1), save(D, 0), staged_too],
        // and where its file is gone.
        vec![
            save(B, 0),
            new(1, None, false),
            save(BELOW, 1),
            to(0),
            Op::Write(D, 0, 3),
            ALL,
            Op::Delete(D),
            to(1),
        ],
    ]
}

/// Both sides of a merge in each other's way, and conflicts.
pub(crate) fn with_merges() -> Vec<Vec<Op>> {
    vec![
        // The other side wins over a file in the place of its directory.
        vec![save(BELOW, 0), save(D, 1), pick(0, Some(true))],
        // Taking back a merge with conflicts removes the other side's files.
        vec![
            save(A, 0),
            new(1, None, false),
            save(A, 1),
            to(0),
            save(A, 2),
            merge(1),
            Op::Undo { force: false },
        ],
        // The merge brings a file with the name that the other side of a conflict would get.
        vec![
            save(A, 0),
            new(1, None, false),
            save(A, 1),
            save(BESIDE, 4),
            to(0),
            save(A, 2),
            merge(2),
        ],
        // A file in conflict was cut short: that is a change, and no file that is half written.
        vec![save(BELOW, 2), save(BELOW, 4), Op::Write(BELOW, 3, 3), pick(0, None)],
    ]
}
