//! `add`: whatever way a listing is made, it is that of the files.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::place::{Place, noise};

fn manifest(place: &Place) -> Value {
    place.ok(&["add", "-A"]);
    let (exit, data) = place.json(&["commit", "-m", "all"]);
    assert_eq!(exit, 0, "{data:#}");
    data["manifest"].clone()
}

/// Files in directories whose names come before and after those of files beside them.
fn fill(place: &Place, count: u32) {
    for number in 0..count {
        let directory = ["d", "d/e", "d/e-e", "d.d", "z"][number as usize % 5];
        place.write(&format!("{directory}/f{number}"), &number.to_le_bytes());
    }
}

/// With many new files the listing is written anew, with few it is edited.
#[test]
fn a_listing_that_is_written_anew_or_edited_is_that_of_the_files() {
    for count in [3, 40, 300] {
        let place = Place::new();
        fill(&place, 20);
        for path in ["a", "b/x", "c", "d/e/gone", "zz"] {
            place.write(path, path.as_bytes());
        }
        place.commit("some");
        // A file becomes a directory, a directory a file; some go, some change.
        for path in ["a", "c", "d/e/gone", "b/x"] {
            fs::remove_file(place.work().join(path)).unwrap();
        }
        fs::remove_dir(place.work().join("b")).unwrap();
        let change = |place: &Place| {
            place.write("a/a", b"a");
            place.write("b", b"b");
            place.write("zz", b"changed");
            fill(place, count);
        };
        change(&place);
        let (_, data) = place.json(&["add", "-A"]);
        let said = |list: &str| data[list].as_array().unwrap().len();
        let new = count.saturating_sub(20) as usize;
        assert_eq!((said("added"), said("modified"), said("deleted")), (new + 2, 1, 4), "{data:#}");
        assert!(data["added"].as_array().unwrap().is_sorted_by_key(|path| path.as_str()));
        let fresh = Place::new();
        fill(&fresh, 20);
        change(&fresh);
        assert_eq!(manifest(&place), manifest(&fresh), "{count} files");
        assert_eq!(place.ok(&["status", "--porcelain"]), "");
        place.assert_sound();
    }
}

#[test]
fn big_files_and_files_that_fail_stand_between_small_ones() {
    let place = Place::new();
    fill(&place, 200);
    place.write("d/big", &noise(1, 9 << 20));
    place.write("d/e/big", &noise(2, 9 << 20));
    symlink("/etc/passwd", place.work().join("d/out")).unwrap();
    symlink("../../far", place.work().join("z/out")).unwrap();
    let (exit, data) = place.json(&["add", "-A"]);
    assert_eq!(exit, 3, "{data:#}");
    let failed: Vec<_> =
        data["failed"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(failed, ["d/out", "z/out"]);
    assert_eq!(data["added"].as_array().unwrap().len(), 202);
    place.ok(&["commit", "-m", "all"]);
    place.ok(&["export", "HEAD", "../out"]);
    for path in ["d/big", "d/e/big", "d/f0", "z/f199"] {
        let file = |top: &str| fs::read(place.directory.path().join(top).join(path)).unwrap();
        assert!(file("out") == file("work"), "{path}");
    }
    place.assert_sound();
}

/// Whichever thread reads, hashes and stores its pieces, its id is the BLAKE3 of all bytes in their order.
#[test]
fn the_id_of_a_big_file_is_its_hash_with_any_number_of_threads() {
    let old = noise(1, 30 << 20);
    let new = [&old[..20 << 20], b"edited", &old[20 << 20..], &old[..5 << 20]].concat();
    for threads in ["1", "2", "7"] {
        let place = Place::new();
        place.ok(&["config", "set", "core.threads", threads]);
        for bytes in [&old, &new] {
            place.write("d/big", bytes);
            place.write("small", b"beside");
            place.commit("one");
            let (_, listed) = place.json(&["ls", "-r", "--long"]);
            let id = blake3::hash(bytes).to_hex();
            assert_eq!(listed["entries"][0]["file"], id.as_str(), "{threads} threads: {listed:#}");
            let whole = place.run(&["cat", "HEAD:d/big"]).stdout;
            assert!(whole == *bytes, "{threads} threads");
        }
        place.ok(&["fsck", "--read-files"]);
    }
}

/// As Git leaves a repository inside of another one alone.
#[test]
fn a_worktree_inside_of_another_is_left_out_unless_it_is_named() {
    let place = Place::new();
    place.write("mine", b"1");
    std::fs::create_dir_all(place.work().join("d/other")).unwrap();
    place.ok(&["init", "d/other"]);
    place.write("d/other/theirs", b"2");
    place.write("d/beside", b"3");
    for paths in [&["-n", "-A"][..], &["-A"], &["."], &["d"]] {
        let told = place.run(&[&["add"], paths].concat());
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(0), "{paths:?}: {said}");
        assert!(said.contains("d/other is left out: it is another stem worktree"), "{said}");
    }
    let (exit, data) = place.json(&["add", "-A"]);
    assert_eq!((exit, &data["failed"]), (0, &serde_json::json!([])));
    assert_eq!(data["left_out"][0]["path"], "d/other");
    for path in ["d/other", "d/other/theirs"] {
        let (exit, data) = place.json(&["add", path]);
        assert_eq!((exit, &data["failed"][0]["path"]), (3, &"d/other".into()), "{path}");
        assert_eq!(data["left_out"], serde_json::json!([]));
    }
    place.ok(&["commit", "-m", "one"]);
    let (_, listed) = place.json(&["ls", "-r"]);
    let paths: Vec<_> =
        listed["entries"].as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(paths, ["d/beside", "mine"]);
    // Named in `.stemignore`, a worktree inside is nobody's concern.
    place.write(".stemignore", b"/d/other/\n");
    let told = place.run(&["add", "-A"]);
    assert!(!String::from_utf8_lossy(&told.stderr).contains("left out"));
    std::fs::remove_file(place.work().join(".stemignore")).unwrap();
    // Files that are tracked in a directory that becomes a worktree are not looked at any more.
    place.ok(&["init", "d"]);
    let (exit, data) = place.json(&["add", "-A"]);
    assert_eq!((exit, &data["failed"][0]["path"]), (3, &"d".into()));
}
