//! What may not be read, looked at by somebody who is not root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Uid;

use super::scan::{IgnoreIgn, put};
use super::*;
use crate::model::{ManifestId, Scope};
use crate::worktree::root::path_of;
use crate::worktree::{Index, OddKind, Root, Scan, ScanOptions, scan};

/// A user who owns nothing else.
const NOBODY: u32 = 65534;

/// Gives everything below `top` to somebody else, if that is allowed; whether root does this.
fn give_away(top: &Path) -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    for entry in walkdir::WalkDir::new(top) {
        let entry = entry.unwrap();
        std::os::unix::fs::lchown(entry.path(), Some(NOBODY), None).unwrap();
    }
    true
}

/// Runs `body` as somebody to whom permissions apply.
fn as_nobody<T: Send>(is_root: bool, body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if is_root {
                // Of this thread and those that it starts only.
                let nobody = Uid::from_raw(NOBODY);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            body()
        });
        thread.join().unwrap()
    })
}

fn unknown(bytes: &[u8]) -> (RepoPath, Record) {
    let file = FileRef { mode: Mode::File, size: 0, file: FileId::of(b"") };
    (path(bytes), Record { file, stat: Stat::UNKNOWN })
}

/// A worktree with `d/a`, `d/e/b` and `f`, all tracked, and its index.
fn sample(dir: &Path) -> Index {
    let names: [&[u8]; 3] = [b"d/a", b"d/e/b", b"f"];
    for name in names {
        put(&dir.join("top").join(path_of(name)), b"");
    }
    let entries: BTreeMap<_, _> = names.into_iter().map(unknown).collect();
    let file = dir.join("index");
    Index::build(&file, ManifestId::from_bytes([0; 32]), 0, entries).unwrap();
    Index::load(&file).unwrap().unwrap()
}

fn look(top: &Path, index: &Index) -> Scan {
    let (scope, untracked, distrust, threads) = (Scope::default(), true, false, 2);
    let options = ScanOptions { ignore: &IgnoreIgn, scope, untracked, distrust, threads };
    scan(top, index, &options).unwrap()
}

fn odd(scan: &Scan) -> Vec<&[u8]> {
    assert!(scan.odd.iter().all(|odd| matches!(odd.why, OddKind::Unreadable(_))));
    scan.odd.iter().map(|odd| odd.path.as_slice()).collect()
}

/// A directory with `mode`, scanned by somebody; what cannot be read is never called deleted.
fn denied(directory: &str, mode: u32) -> Scan {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (top, index) = (dir.path().join("top"), sample(dir.path()));
    let is_root = give_away(&top);
    let closed = top.join(directory);
    fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
    let found = as_nobody(is_root, || look(&top, &index));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(found.deleted, []);
    found
}

#[test]
fn an_unreadable_directory_is_odd_and_none_of_its_files_is_deleted() {
    let found = denied("d", 0o000);
    assert_eq!(odd(&found), [b"d"]);
    assert_eq!(found.suspects.len(), 1);
}

#[test]
fn an_unreadable_directory_further_down_hides_only_itself() {
    let found = denied("d/e", 0o000);
    assert_eq!(odd(&found), [b"d/e"]);
    assert_eq!(found.suspects.len(), 2);
}

#[test]
fn a_directory_whose_names_cannot_be_looked_at_hides_each_of_them() {
    let found = denied("d", 0o444);
    assert_eq!(odd(&found), [&b"d/a"[..], b"d/e"]);
}

#[test]
fn an_unreadable_top_is_no_empty_worktree() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (top, index) = (dir.path().join("top"), sample(dir.path()));
    let is_root = give_away(&top);
    fs::set_permissions(&top, fs::Permissions::from_mode(0o000)).unwrap();
    let (scope, untracked, distrust, threads) = (Scope::default(), true, false, 2);
    let options = ScanOptions { ignore: &IgnoreIgn, scope, untracked, distrust, threads };
    let found = as_nobody(is_root, || scan(&top, &index, &options));
    fs::set_permissions(&top, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(found.is_err());
}

#[test]
fn an_unreadable_file_is_an_error_for_who_reads_it_and_seen_by_the_scan() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (top, index) = (dir.path().join("top"), sample(dir.path()));
    let is_root = give_away(&top);
    fs::set_permissions(top.join("f"), fs::Permissions::from_mode(0o000)).unwrap();
    let (found, read) = as_nobody(is_root, || {
        let root = Root::open(&top).unwrap();
        (look(&top, &index), root.read_whole(&path(*b"f"), &mut Vec::new()).is_err())
    });
    assert!(read);
    assert_eq!((found.suspects.len(), found.deleted.len(), found.odd.len()), (3, 0, 0));
}
