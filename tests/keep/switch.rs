//! `switch` between versions that have the same files elsewhere.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::io::{ReadWriteFlags, preadv2};

use crate::place::{Place, noise, overwrite};

fn inode(place: &Place, path: &str) -> u64 {
    fs::symlink_metadata(place.work().join(path)).unwrap().ino()
}

fn read(place: &Place, path: &str) -> Vec<u8> {
    fs::read(place.work().join(path)).unwrap()
}

fn rename(place: &Place, from: &str, to: &str) {
    let to = place.work().join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(place.work().join(from), to).unwrap();
}

fn assert_clean(place: &Place) {
    assert_eq!(place.ok(&["status", "--porcelain"]), "");
}

#[test]
fn a_file_that_is_elsewhere_in_the_other_version_is_moved_and_not_written() {
    let place = Place::new();
    for name in 0..40_u8 {
        place.write(&format!("here/{name}"), &noise(name.into(), 3000));
    }
    place.write("here/twin", &noise(1, 3000));
    place.write("here/run", b"#!/bin/sh\n");
    fs::set_permissions(place.work().join("here/run"), fs::Permissions::from_mode(0o755)).unwrap();
    place.write("here/same but not executable", b"#!/bin/sh\n");
    place.commit("here");
    place.ok(&["switch", "-b", "there"]);
    rename(&place, "here", "there/far");
    place.commit("there");
    let moved = inode(&place, "there/far/7");
    place.ok(&["switch", "main"]);
    assert_clean(&place);
    assert_eq!(inode(&place, "here/7"), moved);
    assert!(!place.work().join("there").exists(), "empty directories go");
    for name in 0..40_u8 {
        assert_eq!(read(&place, &format!("here/{name}")), noise(name.into(), 3000));
    }
    let mode = |name: &str| inode_mode(&place, name) & 0o111;
    assert_eq!((mode("here/run"), mode("here/same but not executable")), (0o111, 0));
    place.ok(&["fsck", "--read-data"]);
    place.ok(&["switch", "there"]);
    assert_clean(&place);
    assert_eq!(inode(&place, "there/far/7"), moved);
}

fn inode_mode(place: &Place, path: &str) -> u32 {
    fs::metadata(place.work().join(path)).unwrap().mode()
}

#[test]
fn a_file_that_was_changed_is_not_taken_for_what_it_was() {
    let place = Place::new();
    place.write("a", &noise(1, 3000));
    place.commit("a");
    place.ok(&["switch", "-b", "other"]);
    rename(&place, "a", "b");
    place.commit("b");
    place.write("b", &noise(2, 3000));
    assert_eq!(place.run(&["switch", "main"]).status.code(), Some(15));
    assert_eq!(read(&place, "b"), noise(2, 3000));
    place.ok(&["switch", "--force", "main"]);
    assert_clean(&place);
    assert_eq!(read(&place, "a"), noise(1, 3000));
    assert!(!place.work().join("b").exists());
}

/// A file that was cut short is a change, though its bytes are in the version; what an update has
/// half written that was killed is none, and there is a mark of it.
#[test]
fn only_after_an_update_that_was_killed_a_beginning_is_no_change() {
    let place = Place::new();
    let mark = place.work().join(".stem/writing");
    place.write("a", b"one\n");
    place.write("b", b"the same\n");
    place.commit("one");
    place.ok(&["switch", "-b", "other"]);
    place.write("a", b"the other\n");
    place.commit("other");
    assert!(!mark.exists(), "what has come to its end leaves no mark");
    for beginning in [&b""[..], b"on"] {
        place.write("a", beginning);
        for refused in [&["switch", "main"][..], &["switch", "-n", "main"], &["restore", "a"]] {
            assert_eq!(place.run(refused).status.code(), Some(15), "{refused:?}");
            assert_eq!(read(&place, "a"), beginning);
        }
    }
    place.write(".stem/writing", b"");
    place.ok(&["switch", "main"]);
    assert_eq!(read(&place, "a"), b"one\n");
    assert!(!mark.exists());
    assert_clean(&place);
}

/// Branches of a retired dataset stand still: that is known before the files change.
#[test]
fn a_branch_that_may_not_be_made_changes_no_file() {
    let place = Place::new();
    place.write("a", b"one\n");
    place.commit("one");
    place.ok(&["tag", "one"]);
    place.write("a", b"two\n");
    place.commit("two");
    for state in ["deprecated", "retired"] {
        place.ok(&["state", "set", "work", state, "--reason", "over"]);
    }
    for refused in [&["switch", "-b", "new", "one"][..], &["switch", "-n", "-b", "new", "one"]] {
        assert_eq!(place.run(refused).status.code(), Some(14), "{refused:?}");
        assert_eq!(read(&place, "a"), b"two\n");
        assert_clean(&place);
    }
    place.ok(&["switch", "one"]);
    assert_eq!(read(&place, "a"), b"one\n", "looking is allowed");
}

/// A name for a directory, a directory for a name, and names that some file systems take for one.
#[test]
fn what_stands_in_its_own_way_is_written_anew() {
    let place = Place::new();
    for (one, other) in [("a", "a/b/c"), ("d/e", "d"), ("f", "F"), ("g/h", "G/h"), ("i", "j")] {
        let content = noise(one.len() as u64 + 7, 2000);
        let branch = format!("to-{}", other.replace('/', "-"));
        place.write(one, &content);
        place.commit(one);
        place.ok(&["switch", "-b", &branch]);
        rename(&place, one, "aside");
        let _ = fs::remove_dir(place.work().join("d"));
        rename(&place, "aside", other);
        place.commit(other);
        for _ in 0..2 {
            place.ok(&["switch", "main"]);
            assert_clean(&place);
            assert_eq!(read(&place, one), content);
            place.ok(&["switch", &branch]);
            assert_clean(&place);
            assert_eq!(read(&place, other), content);
            assert!(fs::read(place.work().join(one)).is_err());
        }
        place.ok(&["switch", "main"]);
    }
}

/// Whether the file system says what of a file lies in memory.
fn tells_what_is_in_memory(path: &std::path::Path) -> bool {
    let mut bytes = [0; 16];
    let file = fs::File::open(path).unwrap();
    let mut places = [std::io::IoSliceMut::new(&mut bytes)];
    preadv2(file, &mut places, 0, ReadWriteFlags::NOWAIT) == Ok(16)
}

/// Changes a byte of `part` where it lies in a file, if it does.
fn damage(path: &std::path::Path, part: &[u8]) -> bool {
    let mut bytes = fs::read(path).unwrap();
    let Some(at) = memchr::memmem::find(&bytes, part) else { return false };
    bytes[at] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    overwrite(path, &bytes);
    true
}

/// What two versions of a file share need not be read from the store, even if it is damaged there.
#[test]
fn what_the_file_that_is_replaced_has_too_is_taken_from_it() {
    let place = Place::new();
    let versions = |name: &str, bytes: usize| {
        let old = noise(name.len() as u64, bytes);
        (old.clone(), [b"in front ", old.as_slice()].concat())
    };
    let (big, small) = (versions("big", 12 << 20), versions("small", 900 << 10));
    place.write("big", &big.0);
    place.write("small", &small.0);
    place.commit("old");
    let packs = place.packs();
    place.ok(&["switch", "-b", "new"]);
    place.write("big", &big.1);
    place.write("small", &small.1);
    place.commit("new");
    // Chunks of noise are stored as they are: one out of each file, far from its beginning.
    for part in [&big.0[9 << 20..][..64], &small.0[700 << 10..][..64]] {
        let damaged = packs.iter().filter(|pack| damage(pack, part)).count();
        assert_eq!(damaged, 1);
    }
    for name in ["big", "small"] {
        let read = place.run(&["cat", &format!("main:{name}")]);
        assert_eq!(read.status.code(), Some(13), "the damage of {name} is met");
    }
    if !tells_what_is_in_memory(&place.work().join("big")) {
        eprintln!("skipped: this file system does not say what of a file lies in memory");
        return;
    }
    for (branch, big, small) in [("main", &big.0, &small.0), ("new", &big.1, &small.1)] {
        place.ok(&["switch", branch]);
        assert!(read(&place, "big") == *big && read(&place, "small") == *small, "{branch}");
        assert_clean(&place);
    }
}

/// A version with such a link could be written nowhere.
#[test]
fn a_link_that_would_lead_outside_from_its_new_name_is_not_renamed() {
    let place = Place::new();
    place.write("x", b"x");
    place.write("d/y", b"y");
    for (name, target) in [("d/out", "../x"), ("d/in", "y")] {
        std::os::unix::fs::symlink(target, place.work().join(name)).unwrap();
    }
    place.commit("links");
    for arguments in [&["mv", "d/out", "out"][..], &["mv", "-n", "d/out", "out"]] {
        let refused = place.run(arguments);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("leads out of the dataset"), "{arguments:?}: {said}");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
    }
    assert_clean(&place);
    place.ok(&["mv", "d/in", "d/inside"]);
    place.ok(&["mv", "d", "e"]);
    place.commit("moved");
    place.ok(&["switch", "HEAD~1"]);
    place.ok(&["switch", "main"]);
    assert_clean(&place);
}

/// Paths of other content in the source, those that were changed and those that are gone, each once.
#[test]
fn what_is_brought_back_is_told_in_order() {
    let place = Place::new();
    for path in ["a", "b", "c", "d", "e"] {
        place.write(path, b"first");
    }
    place.commit("first");
    place.write("b", b"second");
    place.write("e", b"second");
    place.commit("second");
    for path in ["a", "d", "e"] {
        place.write(path, b"unsaved");
    }
    std::fs::remove_file(place.work().join("c")).unwrap();
    let (exit, data) = place.json(&["restore", "--source", "HEAD~1", "--force", "."]);
    assert_eq!((exit, &data["restored"]), (0, &serde_json::json!(["a", "b", "c", "d", "e"])));
    for path in ["a", "b", "c", "d", "e"] {
        assert_eq!(std::fs::read(place.work().join(path)).unwrap(), b"first", "{path}");
    }
}
