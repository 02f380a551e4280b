//! Every class of failure: its exit code, and one document on stderr with `--json`.

use std::os::unix::fs::PermissionsExt;

use crate::busy;
use crate::place::{Place, STEM, check_document};

/// The code that every exit has in documents is a word of small letters.
fn fails(place: &Place, args: &[&str], exit: i32, code: &str) {
    let ran = place.run(args);
    assert_eq!(ran.code, exit, "{args:?}: {ran:?}");
    assert!(ran.err.starts_with("error: "), "{args:?}: {ran:?}");
    let ran = place.run(&[&["--json"], args].concat());
    assert_eq!(ran.code, exit, "{args:?}: {ran:?}");
    check_document(&ran, "");
    let document: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(document["error"]["code"], code, "{args:?}");
    assert!(document["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(document["error"]["hint"].is_string(), "{args:?}: the hint may be empty, not absent");
    assert_eq!(document.as_object().unwrap().len(), 2, "{document:#}");
}

#[test]
fn the_answer_no_is_1() {
    let place = Place::new();
    fails(&place, &["commit", "-m", "again"], 1, "nothing_to_commit");
    place.write("a", b"changed");
    for args in [&["status", "--exit-code"][..], &["diff", "--exit-code"]] {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{args:?}");
        assert!(!ran.out.is_empty());
    }
    place.good(&["commit", "-am", "changed"]);
    for args in [&["status", "--exit-code"][..], &["diff", "--exit-code"]] {
        place.good(args);
    }
    assert_eq!(place.run(&["diff", "HEAD~1", "HEAD", "--exit-code"]).code, 1);
    assert_eq!(place.run(&["config", "get", "user.name"]).code, 1);
}

#[test]
fn wrong_usage_is_2() {
    let place = Place::new();
    for args in [
        &["nonsense"][..],
        &["commit", "--nonsense"],
        &["add"],
        &["branch", "a b"],
        &["-j", "none", "status"],
        &["reset", "--soft", "--hard"],
        &["cat", "HEAD:a", "--range", "9-1"],
    ] {
        let ran = place.run(&[&["--json"], args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        check_document(&ran, "");
    }
    fails(&place, &["commit", "-m", ""], 2, "empty_message");
}

#[test]
fn some_items_failed_is_3_and_the_answer_lists_them() {
    let place = Place::new();
    assert_eq!(place.shell("mkfifo fifo").code, 0);
    let ran = place.run(&["--json", "add", "-A"]);
    assert_eq!((ran.code, ran.err.as_str()), (3, ""), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["data"]["failed"][0]["path"], "fifo");
}

#[test]
fn conflicts_are_4_and_the_answer_lists_them() {
    let place = Place::new();
    place.good(&["switch", "-b", "side"]);
    place.write("a", b"theirs");
    place.good(&["commit", "-am", "theirs"]);
    place.good(&["switch", "main"]);
    place.write("a", b"ours");
    place.good(&["commit", "-am", "ours"]);
    let ran = place.run(&["--json", "merge", "side"]);
    assert_eq!((ran.code, ran.err.as_str()), (4, ""), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["data"]["conflicts"], serde_json::json!(["a"]));
    assert_eq!(std::fs::read(place.top.join("a.theirs")).unwrap(), b"theirs");
    fails(&place, &["merge", "side"], 4, "under_way");
    fails(&place, &["merge", "--continue"], 4, "conflicts");
    assert_eq!(place.run(&["commit", "-m", "too early"]).code, 4);
    place.good(&["merge", "--abort"]);
    assert_eq!(std::fs::read(place.top.join("a")).unwrap(), b"ours");
    assert!(!place.top.join("a.theirs").exists());
    place.is_whole();
}

#[test]
fn nothing_of_that_name_is_10() {
    let place = Place::new();
    fails(&place, &["show", "nope"], 10, "no_revision");
    fails(&place, &["show", "nope@main"], 10, "no_dataset");
    fails(&place, &["cat", "HEAD:nope"], 10, "no_path");
    fails(&place, &["ls", "HEAD", "nope"], 10, "no_path");
    fails(&place, &["add", "nope"], 10, "no_path");
    fails(&place, &["restore", "nope"], 10, "no_path");
    fails(&place, &["branch", "-d", "nope"], 10, "no_revision");
    fails(&place, &["tag", "-d", "nope"], 10, "no_revision");
    fails(&place, &["reflog", "nope"], 10, "no_revision");
    fails(&Place::empty(), &["status"], 10, "no_repository");
    let place = Place::empty();
    place.good(&["init"]);
    fails(&place, &["show"], 10, "no_version_yet");
    fails(&place, &["export", "HEAD", "../out"], 10, "no_version_yet");
}

#[test]
fn a_lock_that_is_held_is_11() {
    let place = busy();
    let lock = std::fs::File::options().write(true).open(place.top.join(".stem/lock")).unwrap();
    lock.lock().unwrap();
    fails(&place, &["add", "-A"], 11, "locked");
    // A dry run and what only reads wait for nobody.
    place.good(&["commit", "-m", "x", "-n"]);
    place.good(&["status"]);
    drop(lock);
    place.good(&["add", "-A"]);
}

#[test]
fn a_missing_permission_is_12() {
    let place = Place::new();
    place.write("a", b"changed");
    place.give_away();
    let dot = place.top.join(".stem");
    std::fs::set_permissions(&dot, std::fs::Permissions::from_mode(0o000)).unwrap();
    let ran = place.as_nobody(STEM, &["--json", "status"]);
    std::fs::set_permissions(&dot, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(ran) = ran else { return };
    assert_eq!(ran.code, 12, "{ran:?}");
    check_document(&ran, "");
}

#[test]
fn damage_is_13() {
    let place = Place::new();
    let packs = place.top.join(".stem/store/packs");
    for pack in std::fs::read_dir(packs).unwrap() {
        let path = pack.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.iter_mut().skip(40).for_each(|byte| *byte ^= 0x55);
        crate::place::put(&path, &bytes);
    }
    assert_eq!(place.run(&["fsck", "--read-data"]).code, 13);
    let ran = place.run(&["--json", "fsck", "--read-data"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &document["data"]["ok"]), (13, &false.into()));
    let ran = place.run(&["--json", "cat", "HEAD:a"]);
    assert_eq!((ran.code, ran.out.as_str()), (13, ""), "{ran:?}");
    check_document(&ran, "");
}

#[test]
fn unsaved_changes_are_15_with_a_list() {
    let place = busy();
    place.write("s", b"in the way");
    for args in [
        &["switch", "side"][..],
        &["checkout", "side"],
        &["checkout", "--", "d/b"],
        &["restore", "d/b"],
        &["reset", "--hard", "HEAD"],
        &["merge", "side"],
        &["rm", "d/b"],
    ] {
        fails(&place, args, 15, "unsaved");
        let ran = place.run(&[&["--json"], args].concat());
        let document: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert!(!document["error"]["paths"].as_array().unwrap().is_empty(), "{args:?}");
    }
    assert_eq!(std::fs::read(place.top.join("s")).unwrap(), b"in the way");
    assert_eq!(std::fs::read(place.top.join("d/b")).unwrap(), b"changed\n");
    fails(&place, &["branch", "-d", "side"], 15, "not_merged");
}

/// A variable of a script that was not set stands for nothing, not for whatever is checked out.
#[test]
fn an_empty_revision_is_none() {
    let place = Place::new();
    place.good(&["commit", "--allow-empty", "-m", "second"]);
    for args in [
        &["hold", "place", "", "--case", "c", "--reason", "r"][..],
        &["classify", "", "auxiliary", "--reason", "r", "--reviewer", "b"],
        &["state", "set", "", "retired", "--reason", "r"],
        &["consumer", "add", "m", "--kind", "model", "--used", ""],
        &["note", "add", "", "text"],
        &["metric", "set", "", "a=1"],
        &["archive", "create", "", "../archive"],
        &["retire", "plan", "", "--core-to", "../core", "--aux", "keep"],
        &["lineage", ""],
        &["reset", "--hard", ""],
        &["merge", ""],
    ] {
        fails(&place, args, 2, "bad_revision");
    }
    for range in ["HEAD~1..", "..HEAD", "..", "HEAD~1..."] {
        place.good(&["log", range]);
        place.good(&["diff", range]);
    }
    assert_eq!(place.good(&["cat", ":a"]).out, "one\n");
    assert!(place.json(&["hold", "list"])["holds"].as_array().unwrap().is_empty());
}

/// A directory is no damaged object, and neither is a name that is too long for a file.
#[test]
fn a_directory_in_the_place_of_a_file_is_wrong_usage() {
    let place = Place::new();
    let long = "x".repeat(300);
    for name in ["d", &long] {
        for args in [
            &["contains", name][..],
            &["policy", "set", name],
            &["audit", "check-proof", name],
            &["audit", "verify", "--checkpoint", name],
        ] {
            fails(&place, args, 2, "not_a_file");
        }
    }
    for args in [&["erase", "show", "d"][..], &["retire", "run", "d"], &["contains", ""]] {
        fails(&place, args, 2, "not_a_file");
    }
}

/// What is missing is named, and not an option that the verb does not have.
#[test]
fn an_option_that_says_nothing_is_named() {
    let place = Place::new();
    for (args, option) in [
        (&["hold", "place", "data", "--case", " ", "--reason", "r"][..], "--case"),
        (&["hold", "place", "data", "--case", "c", "--reason", ""], "--reason"),
        (&["hold", "release", "h1", "--reason", ""], "--reason"),
        (&["classify", "data", "core", "--reason", "r", "--reviewer", ""], "--reviewer"),
        (&["state", "set", "data", "deprecated", "--reason", ""], "--reason"),
        (&["erase", "plan", "--path", "a", "--reason", ""], "--reason"),
        (&["erase", "lift", "a", "--reason", ""], "--reason"),
        (
            &["retire", "plan", "data", "--core-to", "../c", "--aux", "keep", "--reason="],
            "--reason",
        ),
    ] {
        fails(&place, args, 2, "empty_message");
        let said = place.run(args).err;
        assert!(said.contains(&format!("`{option}` says nothing")), "{args:?}: {said}");
        assert!(!said.contains("-m"), "{args:?}: {said}");
    }
}

/// An address would become a directory of that name, and everybody would believe that the archives
/// lie elsewhere.
#[test]
fn an_address_is_no_place_for_an_archive() {
    let place = Place::new();
    place.good(&["classify", "data", "core", "--reason", "r", "--reviewer", "b"]);
    let address = "s3://bucket/core";
    fails(&place, &["archive", "create", "HEAD", address], 2, "refused");
    let plan = ["retire", "plan", "data", "--core-to", address, "--aux", "keep"];
    fails(&place, &plan, 2, "refused");
    assert!(place.run(&plan).err.contains("there are no remotes yet"));
    assert!(!place.top.join("s3:").exists());
}

#[test]
fn a_step_that_is_not_there_is_called_a_step() {
    let place = Place::new();
    for args in [&["step", "show", "HEAD", "9"][..], &["step", "show", "HEAD"]] {
        fails(&place, args, 10, "not_found");
        let said = place.run(args).err;
        assert!(said.contains("there is no step"), "{said}");
    }
}
