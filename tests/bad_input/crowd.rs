//! Many commands at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::place::{Place, put};

const CROWD: usize = 32;

/// Worktrees of one store, each with a file of its own.
fn worktrees(place: &Place, dataset: impl Fn(usize) -> String) -> Vec<PathBuf> {
    let store = place.dir.path().join("store");
    let make = |number: usize| {
        let top = place.dir.path().join(format!("w{number}"));
        let (shown, store) = (top.to_str().unwrap(), store.to_str().unwrap());
        place.good(&["init", shown, "--store", store, "--dataset", &dataset(number)]);
        put(&top.join(format!("f{number}")), format!("{number}\n").as_bytes());
        top
    };
    (0..CROWD).map(make).collect()
}

fn start(place: &Place, top: &Path, script: &str) -> std::process::Child {
    let mut command: Command = place.around("sh", &["-c", script]);
    command.current_dir(top).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs a script in all at once; which ended well. All others lost a race.
fn all_at_once(place: &Place, tops: &[PathBuf], script: &str) -> Vec<usize> {
    let running: Vec<_> = tops.iter().map(|top| start(place, top, script)).collect();
    let mut done = Vec::new();
    for (number, child) in running.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => done.push(number),
            Some(11) => {}
            code => panic!("{number} ended with {code:?}: {err}"),
        }
    }
    done
}

fn messages(place: &Place, top: &Path) -> BTreeSet<String> {
    let log = place.json(&["-C", top.to_str().unwrap(), "log", "main"]);
    let versions = log["versions"].as_array().unwrap().iter();
    versions.map(|version| version["message"].as_str().unwrap().to_owned()).collect()
}

const COMMIT: &str = "\"$STEM\" add -A && \"$STEM\" commit -m \"$(ls)\"";

#[test]
fn of_many_who_commit_to_one_branch_none_loses_a_version_that_was_acknowledged() {
    let place = Place::empty();
    let tops = worktrees(&place, |_| "one".into());
    let done = all_at_once(&place, &tops, COMMIT);
    let expected: BTreeSet<_> = done.iter().map(|number| format!("f{number}")).collect();
    assert!(!expected.is_empty());
    assert_eq!(messages(&place, &tops[0]), expected);
    let fsck = place.run(&["-C", tops[0].to_str().unwrap(), "fsck", "--read-data"]);
    assert_eq!(fsck.code, 0, "{fsck:?}");
}

#[test]
fn of_many_who_commit_to_datasets_of_their_own_every_acknowledged_version_is_there() {
    let place = Place::empty();
    let tops = worktrees(&place, |number| format!("set{number}"));
    let done = all_at_once(&place, &tops, COMMIT);
    for number in done {
        assert_eq!(messages(&place, &tops[number]), [format!("f{number}")].into());
    }
    let fsck = place.run(&["-C", tops[0].to_str().unwrap(), "fsck", "--read-data"]);
    assert_eq!(fsck.code, 0, "{fsck:?}");
}

#[test]
fn many_commands_in_one_worktree_take_turns() {
    let place = Place::new();
    place.write("a", b"changed");
    let tops = vec![place.top.clone(); 8];
    let done = all_at_once(&place, &tops, "\"$STEM\" add -A && \"$STEM\" status");
    assert!(!done.is_empty());
    place.good(&["commit", "-m", "second"]);
    assert_eq!(place.saved().0, 2);
    place.is_whole();
}
