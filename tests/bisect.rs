//! `stem bisect`: the version that something began with, in lines and in branches, by hand and by
//! a command; what is not saved stays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A worktree.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        bench.must(&["init", "."]);
        bench
    }

    /// With `count` versions, in which the file `n` has the number of the version.
    fn line(count: u32) -> (Self, Vec<String>) {
        let bench = Self::new();
        let versions = (1..=count).map(|number| bench.commit(number)).collect();
        (bench, versions)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn stem(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.directory.path()).env("HOME", self.directory.path());
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").args(arguments);
        command.output().unwrap()
    }

    fn must(&self, arguments: &[&str]) {
        let output = self.stem(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
    }

    /// The exit code, and the answer or the error.
    fn ask(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.stem(&[&["--json"], arguments].concat());
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let mut answer: Value = serde_json::from_slice(text)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let part = if answer.get("error").is_some() { "error" } else { "data" };
        (output.status.code().unwrap(), answer[part].take())
    }

    /// Writes the number into the file `n`, and what else it takes for a version of its own.
    fn commit(&self, number: u32) -> String {
        put(&self.path("n"), &format!("{number}\n"));
        self.record(&format!("number {number}"))
    }

    fn record(&self, message: &str) -> String {
        self.must(&["add", "-A"]);
        let (code, answer) = self.ask(&["commit", "-m", message]);
        assert_eq!(code, 0, "{answer}");
        answer["version"].as_str().unwrap().to_owned()
    }

    fn number(&self) -> u32 {
        std::fs::read_to_string(self.path("n")).unwrap().trim().parse().unwrap()
    }

    fn is_under_way(&self) -> bool {
        self.path(".stem/bisect.json").exists()
    }
}

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn half_of_the_versions_go_with_every_answer() {
    let (bench, versions) = Bench::line(20);
    let (code, mut answer) = bench.ask(&["bisect", "start", "HEAD", &versions[0]]);
    assert_eq!((code, &answer["remaining"], &answer["steps_left"]), (0, &19.into(), &5.into()));
    let mut answers = 0;
    while answer["state"] == "searching" {
        let current = answer["current"].as_str().unwrap();
        assert_eq!(versions[bench.number() as usize - 1], current);
        let word = if bench.number() < 13 { "good" } else { "bad" };
        (_, answer) = bench.ask(&["bisect", word]);
        answers += 1;
    }
    assert!(answers <= 5, "{answers}");
    assert_eq!(answer["state"], "found");
    assert_eq!(answer["first_bad"], versions[12].as_str());
    assert_eq!(bench.number(), 13);
    let (code, answer) = bench.ask(&["bisect", "reset"]);
    assert_eq!((code, &answer["state"], &answer["branch"]), (0, &"ended".into(), &"main".into()));
    assert_eq!(bench.number(), 20);
    assert!(!bench.is_under_way());
    assert_eq!(bench.stem(&["status", "--exit-code"]).status.code(), Some(0));
}

#[test]
fn a_command_finds_each_version_of_a_line() {
    for first in [2, 3, 7, 8] {
        let (bench, versions) = Bench::line(8);
        bench.must(&["bisect", "start"]);
        bench.must(&["bisect", "bad"]);
        bench.must(&["bisect", "good", &versions[0]]);
        let script = format!("echo talk; test $(cat n) -lt {first}");
        let (code, answer) = bench.ask(&["bisect", "run", "sh", "-c", &script]);
        assert_eq!((code, &answer["state"]), (0, &"found".into()), "{answer}");
        assert_eq!(answer["first_bad"], versions[first - 1].as_str());
    }
}

/// Versions 1 to 4; `side` goes from 2 on, and is merged after 4.
fn branched() -> (Bench, Vec<String>, Vec<String>) {
    let (bench, mut main) = Bench::line(2);
    bench.must(&["switch", "-b", "side"]);
    let mut side = Vec::new();
    for number in 1..=5 {
        put(&bench.path("side"), &format!("{number}\n"));
        side.push(bench.record(&format!("side {number}")));
    }
    bench.must(&["switch", "main"]);
    main.extend([3, 4].map(|number| bench.commit(number)));
    bench.must(&["merge", "side"]);
    main.extend([5, 6].map(|number| bench.commit(number)));
    (bench, main, side)
}

#[test]
fn a_version_of_a_merged_branch_is_found() {
    let (bench, main, side) = branched();
    for (script, expected) in [
        ("test ! -e side || test $(cat side) -lt 4", &side[3]),
        ("test ! -e side", &side[0]),
        ("test $(cat n) -lt 3", &main[2]),
        ("test $(cat n) -lt 6", &main[5]),
    ] {
        bench.must(&["bisect", "start", "main", &main[0]]);
        let (code, answer) = bench.ask(&["bisect", "run", "sh", "-c", script]);
        assert_eq!((code, &answer["first_bad"]), (0, &expected.as_str().into()), "{script}");
        bench.must(&["bisect", "reset"]);
    }
    // What only the merge has: neither side has both.
    bench.must(&["bisect", "start", "main", &main[3], "side"]);
    let (_, answer) =
        bench.ask(&["bisect", "run", "sh", "-c", "! test -e side || test $(cat n) -lt 4"]);
    assert_eq!(answer["state"], "found");
    let found = answer["first_bad"].as_str().unwrap();
    assert!(!main.iter().chain(&side).any(|version| version == found), "the merge itself");
}

#[test]
fn versions_that_cannot_be_tried_are_passed_over() {
    let (bench, versions) = Bench::line(12);
    bench.must(&["bisect", "start", "HEAD", &versions[0]]);
    let script = "case $(cat n) in 6|7) exit 125;; esac; test $(cat n) -lt 10";
    let (_, answer) = bench.ask(&["bisect", "run", "sh", "-c", script]);
    assert_eq!(answer["first_bad"], versions[9].as_str());
    bench.must(&["bisect", "reset"]);
    // The first bad one is among those: nobody can say which.
    bench.must(&["bisect", "start", "HEAD", &versions[0]]);
    let script = "case $(cat n) in 5|6|7) exit 125;; esac; test $(cat n) -lt 6";
    let (code, answer) = bench.ask(&["bisect", "run", "sh", "-c", script]);
    assert_eq!((code, &answer["state"]), (1, &"undecided".into()), "{answer}");
    assert_eq!(answer["first_bad"], Value::Null);
    let mut expected: Vec<_> = versions[4..8].to_vec();
    let mut found: Vec<String> = serde_json::from_value(answer["candidates"].clone()).unwrap();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    // Somebody can after all.
    let (_, answer) = bench.ask(&["bisect", "bad", &versions[5]]);
    assert_eq!(answer["state"], "undecided");
    let (_, answer) = bench.ask(&["bisect", "good", &versions[4]]);
    assert_eq!(answer["first_bad"], versions[5].as_str());
}

#[test]
fn work_that_is_not_saved_is_never_lost() {
    let (bench, versions) = Bench::line(9);
    put(&bench.path("n"), "mine");
    let (code, error) = bench.ask(&["bisect", "start", "HEAD", &versions[0]]);
    assert_eq!((code, &error["code"]), (15, &"unsaved".into()));
    assert!(!bench.is_under_way());
    assert_eq!(std::fs::read_to_string(bench.path("n")).unwrap(), "mine");
    bench.must(&["restore", "--force", "n"]);
    bench.must(&["bisect", "start", "HEAD", &versions[0]]);
    let before = std::fs::read(bench.path(".stem/bisect.json")).unwrap();
    put(&bench.path("n"), "mine");
    for step in ["good", "bad", "skip", "reset"] {
        let (code, error) = bench.ask(&["bisect", step]);
        assert_eq!((code, &error["code"]), (15, &"unsaved".into()), "{step}");
        assert_eq!(std::fs::read_to_string(bench.path("n")).unwrap(), "mine");
        assert_eq!(std::fs::read(bench.path(".stem/bisect.json")).unwrap(), before, "{step}");
    }
    bench.must(&["restore", "--force", "n"]);
    put(&bench.path("beside"), "not tracked");
    bench.must(&["bisect", "run", "sh", "-c", "test $(cat n) -lt 5"]);
    bench.must(&["bisect", "reset"]);
    assert_eq!(bench.number(), 9);
    assert!(bench.path("beside").is_file());
}

#[test]
fn a_command_that_does_not_judge_stops_the_search_where_it_is() {
    let (bench, versions) = Bench::line(9);
    bench.must(&["bisect", "start", "HEAD", &versions[0]]);
    let before = std::fs::read(bench.path(".stem/bisect.json")).unwrap();
    for command in [vec!["sh", "-c", "exit 128"], vec!["sh", "-c", "kill -9 $$"], vec!["./no such"]]
    {
        let (code, error) = bench.ask(&[vec!["bisect", "run"], command].concat());
        assert_eq!((code, &error["code"]), (2, &"refused".into()), "{error}");
        assert_eq!(std::fs::read(bench.path(".stem/bisect.json")).unwrap(), before);
    }
    let (_, answer) = bench.ask(&["bisect", "run", "sh", "-c", "test $(cat n) -lt 5 || exit 127"]);
    assert_eq!(answer["first_bad"], versions[4].as_str());
}

#[test]
fn steps_out_of_order_are_refused() {
    let (bench, versions) = Bench::line(4);
    for words in [&["good"][..], &["bad"], &["skip"], &["reset"], &["run", "true"]] {
        let (code, error) = bench.ask(&[&["bisect"], words].concat());
        assert_eq!((code, &error["code"]), (2, &"not_under_way".into()), "{words:?}");
    }
    let (code, answer) = bench.ask(&["bisect", "start", "HEAD", &versions[0], "--dry-run"]);
    assert_eq!((code, &answer["dry_run"]), (0, &true.into()));
    assert!(!bench.is_under_way());
    assert_eq!(bench.number(), 4);
    let (code, error) = bench.ask(&["bisect", "start", &versions[0], "HEAD"]);
    assert_eq!((code, &error["code"]), (2, &"refused".into()));
    bench.must(&["bisect", "start"]);
    assert_eq!(bench.ask(&["bisect", "start"]).0, 4);
    let (code, error) = bench.ask(&["bisect", "run", "true"]);
    assert_eq!((code, &error["code"]), (2, &"refused".into()));
    bench.must(&["bisect", "reset"]);
}

#[test]
fn status_says_that_a_search_is_under_way() {
    let (bench, versions) = Bench::line(4);
    bench.must(&["bisect", "start", "HEAD", &versions[0]]);
    let said = String::from_utf8(bench.stem(&["status"]).stdout).unwrap();
    assert!(
        said.contains("A bisect is under way: `stem bisect reset` goes back to main"),
        "{said}"
    );
    let (_, status) = bench.ask(&["status"]);
    assert_eq!((&status["bisect_from"], &status["clean"]), (&"main".into(), &true.into()));
    bench.must(&["bisect", "reset"]);
    assert_eq!(bench.ask(&["status"]).1.get("bisect_from"), None);
}
