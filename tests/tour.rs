//! The tour runs to its end, and what it leaves is whole.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::process::Command;

fn stem(arguments: &[&str], directory: &std::path::Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_stem"))
        .args(arguments)
        .current_dir(directory)
        .env("STEM_AUTHOR", "Ann Example <ann@example.org>")
        .output()
        .expect("the program runs")
}

#[test]
fn the_tour_ends_well_and_leaves_repositories_to_play_with() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = stem(&["tour", "here"], directory.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let shown = String::from_utf8(output.stdout).expect("text");
    let verbs = [
        "init",
        "add",
        "commit",
        "merge",
        "revert",
        "rollback",
        "undo",
        "fsck",
        "gc",
        "run",
        "metric",
        "consumer",
        "lineage",
        "query",
        "policy",
        "audit",
        "erase",
        "certificate",
        "archive",
        "retire",
    ];
    for verb in verbs {
        assert!(shown.contains(&format!("$ stem {verb}")), "the tour shows no `{verb}`");
    }
    let place = directory.path().join("here/chat-data");
    let log = stem(&["log", "--json"], &place);
    let log: serde_json::Value = serde_json::from_slice(&log.stdout).expect("JSON");
    assert!(log["data"]["versions"].as_array().expect("a list").len() >= 8);
    assert!(stem(&["fsck", "--read-data"], &place).status.success());
    assert!(stem(&["status", "--exit-code"], &place).status.success());
    let again = stem(&["tour", "here"], directory.path());
    assert_eq!(again.status.code(), Some(2), "a directory with something in it is refused");
}

/// The dataset in the program is the one that its script makes.
#[test]
fn the_script_makes_the_dataset_that_is_shown() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tour");
    let copy = tempfile::tempdir().expect("a temporary directory");
    std::fs::copy(fixtures.join("make.py"), copy.path().join("make.py")).expect("a copy");
    let made = Command::new("python3").arg(copy.path().join("make.py")).status();
    if made.is_err() {
        eprintln!("skipped: no python3 on this machine");
        return;
    }
    for name in ["instructions.en.jsonl", "instructions.zh.jsonl", "labels.csv"] {
        let read = |place: &std::path::Path| std::fs::read(place.join(name)).expect(name);
        assert!(read(&fixtures) == read(copy.path()), "{name} is not what the script makes");
    }
    let images = std::fs::read_dir(fixtures.join("images")).expect("images").count();
    assert_eq!(images, std::fs::read_dir(copy.path().join("images")).expect("images").count());
}
