//! Arguments that make no sense.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::place::{Place, check_document};

#[test]
fn a_directory_that_is_no_repository_is_named() {
    let place = Place::empty();
    for verb in ["status", "log", "undo", "add -A", "commit -m x", "switch main", "fsck", "gc"] {
        let args: Vec<_> = verb.split(' ').collect();
        let ran = place.run(&args);
        assert_eq!(ran.code, 10, "{verb}: {ran:?}");
        assert!(ran.err.contains("no repository in"), "{ran:?}");
        assert!(ran.err.contains("stem init"), "{ran:?}");
        let ran = place.run(&[&["--json"], &args[..]].concat());
        check_document(&ran, "no repository in");
    }
    let ran = place.run(&["-C", "nowhere", "status"]);
    assert_eq!(ran.code, 10, "{ran:?}");
}

#[test]
fn what_cannot_be_is_refused_with_its_exit_code_and_changes_nothing() {
    let place = Place::new();
    let long = "x".repeat(256);
    let deep = "d/".repeat(10_000) + "x";
    let longer = "x".repeat(4096);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["log", "nope"], 10, "no version `nope`"),
        (&["switch", "nope"], 10, "no version `nope`"),
        (&["reset", "--hard", "nope"], 10, "no version `nope`"),
        (&["merge", "nope"], 10, "no version `nope`"),
        (&["revert", "deadbeef"], 10, "no version `deadbeef`"),
        (&["cherry-pick", "a..b"], 10, "no version"),
        (&["show", "HEAD~9"], 10, "no version"),
        (&["show", "HEAD~99999999999"], 2, "too large"),
        (&["show", "other@HEAD"], 10, "no dataset `other`"),
        (&["cat", "HEAD:none"], 10, "none"),
        (&["cat", "HEAD:../a"], 10, ""),
        (&["add", "../x"], 2, "outside"),
        (&["add", "/etc/passwd"], 2, "outside"),
        (&["add", "a/../../x"], 2, "outside"),
        (&["add", ".STEM/x"], 2, "`.stem` belongs to stem itself"),
        (&["add", ".stem/config.toml"], 2, "`.stem` belongs to stem itself"),
        (&["add", "none"], 10, "no file here matches `none`"),
        (&["add", "a/b"], 10, "no file here matches"),
        (&["add", "a\r"], 2, "carriage return"),
        (&["add", &long], 2, "longer than 255 bytes"),
        (&["add", &deep], 2, "longer than 4096 bytes"),
        (&["add", "-rf"], 2, "-r"),
        (&["add", "--", "-rf"], 10, "no file here matches `-rf`"),
        (&["add", ""], 2, ""),
        (&["rm", "none"], 10, "no file here matches"),
        (&["rm", "../data/none"], 10, "no file here matches"),
        (&["rm", "../date/none"], 2, "outside"),
        (&["mv", "none", "x"], 10, "no file here matches"),
        (&["mv", "a", "d/b"], 2, "is there already"),
        (&["mv", "d", "d/e"], 2, "into itself"),
        (&["mv", "a", "../x"], 2, "outside"),
        (&["mv", "a", ".stem/x"], 2, "`.stem` belongs to stem itself"),
        (&["restore", "none"], 10, "no file here matches"),
        (&["restore", "-s", "nope", "a"], 10, "no version `nope`"),
        (&["commit"], 2, "message"),
        (&["commit", "-m", " "], 2, "message"),
        (&["commit", "-m", "again"], 1, "nothing to commit"),
        (&["merge", "--abort"], 2, "no merge is under way"),
        (&["merge", "--continue"], 2, "no merge is under way"),
        (&["switch", "-b", "main"], 2, "already"),
        (&["switch", "-b", "../x"], 2, "../x"),
        (&["switch", "-b", "a..b"], 2, "a..b"),
        (&["switch", "-b", "HEAD"], 2, "HEAD"),
        (&["switch", "-b", "@"], 2, "@"),
        (&["switch", "-b", &longer], 2, "xxx"),
        (&["rollback", "nope", "HEAD", "-m", "why"], 10, "nope"),
        (&["status", "../.."], 2, "outside"),
        (&["nonsense"], 2, "nonsense"),
        (&["status", "--nonsense"], 2, "--nonsense"),
        (&["-j", "0", "status"], 2, "0"),
    ];
    for (args, code, words) in cases {
        place.refused(args, *code, words);
    }
    place.is_whole();
}

#[test]
fn options_that_would_be_passed_over_are_refused() {
    let place = Place::new();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["tag", "-m", "said"], 2, "<NAME>"),
        (&["tag", "-f"], 2, "<NAME>"),
        (&["branch", "-f"], 2, "<NAME>"),
        (&["reset", "--force"], 2, "--hard"),
        (&["merge", "--abort", "--ours"], 2, "cannot be used with"),
        (&["merge", "--continue", "--theirs"], 2, "cannot be used with"),
        (&["merge", "--abort", "--no-ff"], 2, "cannot be used with"),
        (&["diff", "--staged", "HEAD~1..HEAD"], 2, "a range has both sides"),
        (&["log", "HEAD....HEAD"], 10, "no version"),
        (&["export", "HEAD", "a"], 2, "is no directory"),
    ];
    for (args, code, words) in cases {
        place.refused(args, *code, words);
    }
}

#[test]
fn arguments_that_are_not_utf_8_are_refused_or_taken_as_they_are() {
    let place = Place::new();
    let odd = OsStr::from_bytes(b"\xff\xfe");
    place.refused(&[OsStr::new("add"), odd], 10, "\\xff\\xfe");
    for (verb, code) in [("log", 2), ("switch", 2), ("show", 10), ("ls", 10), ("contains", 10)] {
        let ran = place.run(&[OsStr::new(verb), odd]);
        assert_eq!(ran.code, code, "{ran:?}");
    }
    assert_eq!(place.run(&[odd]).code, 2);
}

#[test]
fn nothing_is_followed_through_a_link() {
    let place = Place::new();
    let outside = place.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    crate::place::put(&outside.join("b"), b"secret");
    std::os::unix::fs::symlink(&outside, place.top.join("link")).unwrap();
    place.refused(&["add", "link/b"], 10, "no file here matches `link/b`");
    place.refused(&["mv", "a", "link"], 15, "");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    let ran = place.run(&["add", "-A"]);
    assert_eq!(ran.code, 3, "a link that leads out is not kept: {ran:?}");
    assert!(ran.err.contains("link"), "{ran:?}");
}
