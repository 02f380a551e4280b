use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, answer, wait_for};

fn versions(bench: &Bench, worktree: &str) -> Vec<Value> {
    bench.ask(worktree, &["log"]).1["versions"].as_array().unwrap().clone()
}

#[test]
fn a_run_is_recorded_with_all_that_it_depends_on() {
    let bench = Bench::new(&["raw", "clean"]);
    bench.put("code/up.sh", "tr a-z A-Z < \"$1\" > \"$2\"; echo done >&2\n");
    bench.git("code", &["init", "-q", "-b", "work", "."]);
    bench.git("code", &["remote", "add", "origin", "https://ann:word@host.org/code.git"]);
    bench.git("code", &["add", "-A"]);
    bench.git("code", &["commit", "-q", "-m", "one"]);
    bench.put("code/sub/new", "");
    let script = bench.path("code/up.sh");
    let script = script.to_str().unwrap();
    let clean = bench.path("clean");
    let (raw, before) = (bench.head("raw"), bench.head("clean"));
    let arguments = [
        "--json",
        "-C",
        clean.to_str().unwrap(),
        "run",
        "-i",
        "raw@main:a",
        "-i",
        "a",
        "-o",
        "out",
        "-m",
        "upper case",
        "--param",
        "n=1",
        "--env",
        "STEM_AUTHOR",
        "--env",
        "NOT_THERE",
        "--decided",
        "human",
        "--source",
        "uri=a:b",
        "--metric",
        "rows=1",
        "--",
        "sh",
        script,
        "../raw/a",
        "out",
    ];
    // Started in the code's repository, below its top.
    let (code, done) = answer(&bench.command("code/sub", &arguments).output().unwrap());
    assert_eq!((code, &done["exit_code"]), (0, &json!(0)), "{done}");
    assert_eq!(bench.show("clean", "HEAD")["version"], done["version"]);
    check_step(&bench, script, &[&format!("raw@{raw}:a"), &format!("clean@{before}:a")]);
    // It makes the same again, and nothing of it stays.
    let temporary = bench.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut again = bench.command("clean", &["--json", "rerun", "HEAD", "--verify"]);
    let (code, done) = answer(&again.env("TMPDIR", &temporary).output().unwrap());
    assert_eq!((code, &done["identical"], &done["compared"]), (0, &json!(true), &json!(1)));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

fn check_step(bench: &Bench, script: &str, inputs: &[&str]) {
    let shown = bench.show("clean", "HEAD");
    assert_eq!(shown["message"], "upper case");
    assert_eq!(shown["provenance"]["sources"][0]["uri"], "a:b");
    assert_eq!(shown["provenance"]["metrics"][0]["name"], "rows");
    let step = &shown["provenance"]["steps"][0];
    assert_eq!(step["command"], json!(["sh", script, "../raw/a", "out"]));
    assert_eq!(step["inputs"], json!(inputs));
    assert_eq!((&step["outputs"], &step["exit_code"]), (&json!(["out"]), &json!(0)));
    assert_eq!(step["output_tail"], "done\n");
    assert_eq!(step["parameters"], json!({"n": 1}));
    assert_eq!(step["decided"], "human");
    assert_eq!(step["operator"], "Ann Example <ann@example.org>");
    assert_eq!(step["started"], "2027-01-15T08:00:00Z");
    assert_eq!(step["code"]["remote"], "https://host.org/code.git");
    assert_eq!(step["code"]["branch"], "work");
    assert_eq!(step["code"]["commit"].as_str().unwrap().len(), 40);
    assert_eq!((&step["code"]["dirty"], &step["code"]["untracked"]), (&json!(false), &json!(1)));
    let environment = &step["environment"];
    let author = blake3::hash(b"Ann Example <ann@example.org>").to_hex().to_string();
    assert_eq!(environment["variables"], json!({"STEM_AUTHOR": author, "NOT_THERE": null}));
    let program = std::fs::read(environment["program"]["path"].as_str().unwrap()).unwrap();
    let hash = blake3::hash(&program).to_hex().to_string();
    assert_eq!(environment["program"]["blake3"], hash);
    assert_eq!(environment["digest"].as_str().unwrap().len(), 64);
    assert!(!shown.to_string().contains("word@"), "the password is in the version");
}

#[test]
fn only_the_outputs_are_committed() {
    let bench = Bench::new(&["data"]);
    bench.put("data/staged", "mine\n");
    bench.must("data", &["add", "staged"]);
    bench.put("data/a", "unsaved\n");
    let script = "mkdir -p d; echo 1 > d/x; echo 2 > d/y; echo 3 > beside; rm -f gone";
    let (code, done) = bench.ask("data", &["run", "-o", "d", "--", "sh", "-c", script]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(done["changed_outside"], json!(["beside"]));
    let entries = bench.ask("data", &["ls", "-r"]).1["entries"].take();
    let paths: Vec<_> = entries.as_array().unwrap().iter().map(|e| e["path"].clone()).collect();
    assert_eq!(paths, ["a", "d/x", "d/y"]);
    assert_eq!(bench.must("data", &["cat", "HEAD:a"]), "one\n");
    let status = bench.ask("data", &["status"]).1;
    assert_eq!(status["staged"], json!([{"path": "staged", "change": "added"}]));
    assert_eq!(status["changed"], json!([{"path": "a", "change": "modified"}]));
    assert_eq!(status["untracked"], json!([{"path": "beside", "change": "added"}]));
    // An output that goes is an output.
    bench.must("data", &["run", "-o", "d", "--", "rm", "-r", "d"]);
    assert_eq!(bench.must("data", &["ls", "-r"]), "a\n");
    // A step that changes nothing is a step.
    bench
        .must("data", &["run", "-o", "a", "-f", "-m", "nothing", "--", "sh", "-c", "echo one > a"]);
    assert_eq!(bench.show("data", "HEAD")["message"], "nothing");
    bench.must("data", &["fsck", "--read-data"]);
}

#[test]
fn a_command_that_fails_commits_nothing_and_is_recorded() {
    let bench = Bench::new(&["data"]);
    let before = bench.head("data");
    for (script, code, reason) in [
        ("echo half > out; echo why >&2; exit 7", 7, "exit code 7"),
        ("kill -9 $$", 137, "exit code 137"),
        ("true", 0, "has not made `out`"),
        ("mkfifo out", 0, "cannot take `out`"),
    ] {
        let _ = std::fs::remove_file(bench.path("data/out"));
        let (ended, done) = bench.ask("data", &["run", "-o", "out", "--", "sh", "-c", script]);
        assert_eq!((ended, &done["exit_code"]), (1, &json!(code)), "{done}");
        assert!(done["reason"].as_str().unwrap().contains(reason), "{done}");
        assert_eq!(done["version"], Value::Null);
        let shown = bench.show("data", "HEAD");
        assert_eq!(shown["version"], before.as_str());
        let last = shown["records"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["kind"], &last["number"]), (&json!("failed_run"), &done["record"]));
        assert_eq!(last["body"]["step"]["exit_code"], code);
        assert_eq!(last["body"]["step"]["command"][2], script);
    }
    let first = bench.show("data", "HEAD")["records"][0].clone();
    assert_eq!(first["body"]["step"]["output_tail"], "why\n");
    let entries = bench.entries();
    for (arguments, code) in [
        (&["-o", "out", "--", "./no such program"][..], 10),
        (&["-o", "../out", "--", "true"], 2),
        (&["-o", ".stem/x", "--", "true"], 2),
        (&["-o", ".", "--", "true"], 2),
        (&["--", "true"], 2),
        (&["-o", "out"], 2),
        (&["-i", "nothing", "-o", "out", "--", "true"], 10),
        (&["-i", "nothing@main", "-o", "out", "--", "true"], 10),
        (&["-i", "HEAD~9:a", "-o", "out", "--", "true"], 10),
        (&["-o", "out", "--licence", "mine", "--", "touch", "ran"], 2),
        (&["-o", "out", "--metric", "a=nan", "--", "touch", "ran"], 2),
    ] {
        let (ended, error) = bench.ask("data", &[&["run"], arguments].concat());
        assert_eq!(ended, code, "{arguments:?} {error}");
    }
    bench.must("data", &["run", "-n", "-o", "out", "--", "touch", "ran"]);
    assert_eq!(bench.entries(), entries);
    assert!(!bench.path("data/ran").exists(), "it was run");
}

#[test]
fn inputs_must_be_what_a_version_has() {
    let bench = Bench::new(&["data"]);
    bench.put("data/d/x", "1\n");
    bench.must("data", &["add", "-A"]);
    bench.must("data", &["commit", "-m", "d"]);
    let run = |force: &[&str]| {
        let command = ["-i", "d", "-o", "out", "--", "sh", "-c", "cat d/* > out"];
        bench.ask("data", &[&["run"], force, &command].concat())
    };
    let refused = |what: &str| {
        let (code, error) = run(&[]);
        assert_eq!((code, &error["code"]), (15, &json!("unsaved")), "{what}: {error}");
        assert!(!bench.path("data/out").exists());
    };
    bench.put("data/d/x", "2\n");
    refused("modified");
    bench.must("data", &["add", "d"]);
    refused("staged");
    bench.must("data", &["reset", "--hard", "HEAD"]);
    bench.put("data/d/new", "3\n");
    refused("untracked");
    let (code, done) = run(&["--force"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!(done["step"]["inputs_unsaved"], json!(["d/new"]));
    let (code, seen) = bench.ask("data", &["meta", "validate", "HEAD"]);
    assert_eq!(code, 0, "{seen}");
    // It cannot be repeated from what versions have, and that is what rerun says.
    let (code, done) = bench.ask("data", &["rerun", "HEAD", "--verify"]);
    assert_eq!((code, &done["differences"][0]["what"]), (1, &json!("differs")));
    assert_eq!(bench.ask("data", &["rerun", "HEAD"]).0, 0);
    bench.must("data", &["rerun", "HEAD", "--keep", "../kept"]);
    assert_eq!(bench.text("kept/data/out"), "1\n");
    assert_eq!(bench.ask("data", &["rerun", "HEAD", "--keep", "../kept"]).0, 2);
    assert_eq!(bench.ask("data", &["rerun", "HEAD~1"]).0, 2);
    assert_eq!(bench.ask("data", &["rerun", "HEAD", "--step", "2"]).0, 2);
    assert_eq!(bench.text("data/out"), "3\n1\n", "nothing here was changed");
}

#[test]
fn two_runs_at_once_in_one_worktree_lose_nothing() {
    let bench = Bench::new(&["data"]);
    let wait = |name: &str, other: &str| {
        format!(
            "touch ../began-{name}; while [ ! -e ../began-{other} ]; do sleep 0.01; done; \
                 echo {name} > {name}"
        )
    };
    let (one, two) = (wait("x", "y"), wait("y", "x"));
    let start = |name: &str, script: &str| {
        bench.command("data", &["run", "-i", "a", "-o", name, "--", "sh", "-c", script]).spawn()
    };
    let children = [start("x", &one).unwrap(), start("y", &two).unwrap()];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(versions(&bench, "data").len(), 3);
    assert_eq!(bench.must("data", &["ls", "-r"]), "a\nx\ny\n");
    assert_eq!(bench.ask("data", &["status", "--exit-code"]).0, 0);
}

#[test]
fn a_run_that_was_overtaken_is_an_honest_lost_race() {
    let bench = Bench::new(&["data"]);
    bench.attach("second", "data");
    // Meanwhile another command of the same worktree commits what this one has read.
    for (path, worktree) in [("a", "data"), ("out", "data"), ("elsewhere", "second")] {
        bench.must("second", &["switch", "main"]);
        let before = versions(&bench, "data").len();
        let go = bench.path("go");
        let _ = std::fs::remove_file(&go);
        let _ = std::fs::remove_file(bench.path("began"));
        let script = "touch ../began; while [ ! -e ../go ]; do sleep 0.01; done; echo late > out";
        let arguments = ["--json", "run", "-i", "a", "-o", "out", "--", "sh", "-c", script];
        let child = bench.command("data", &arguments).spawn().unwrap();
        wait_for(&bench.path("began"));
        bench.put(&format!("{worktree}/{path}"), &format!("from {worktree} {path}\n"));
        bench.must(worktree, &["add", path]);
        bench.must(worktree, &["commit", "-m", path]);
        bench.put("go", "");
        let (code, error) = answer(&child.wait_with_output().unwrap());
        assert_eq!((code, &error["code"]), (11, &json!("lost_race")), "{path}: {error}");
        assert_eq!(bench.text("data/out"), "late\n", "what it wrote is there");
        assert_eq!(versions(&bench, "data").len(), before + usize::from(worktree == "data"));
        let journal = bench.text("store/journal.jsonl");
        assert!(journal.lines().last().unwrap().contains("failed_run"), "{path}");
        let _ = std::fs::remove_file(bench.path("data/out"));
        bench.must("data", &["reset", "-q", "--hard", "HEAD"]);
    }
    // What it has not read and not written may change.
    let _ = std::fs::remove_file(bench.path("go"));
    let _ = std::fs::remove_file(bench.path("began"));
    bench.must("data", &["switch", "-q", "main"]);
    let script = "touch ../began; while [ ! -e ../go ]; do sleep 0.01; done; echo on top > out2";
    let arguments = ["--json", "run", "-i", "a", "-o", "out2", "--", "sh", "-c", script];
    let child = bench.command("data", &arguments).spawn().unwrap();
    wait_for(&bench.path("began"));
    bench.put("data/unrelated", "x\n");
    bench.must("data", &["add", "unrelated"]);
    bench.must("data", &["commit", "-m", "meanwhile"]);
    let meanwhile = bench.head("data");
    bench.put("go", "");
    let (code, done) = answer(&child.wait_with_output().unwrap());
    assert_eq!((code, &done["commit"]["parents"][0]), (0, &json!(meanwhile)), "{done}");
    assert_eq!(bench.must("data", &["cat", "HEAD:unrelated"]), "x\n");
}

#[test]
fn an_interrupt_ends_the_command_and_commits_nothing() {
    let bench = Bench::new(&["data"]);
    let before = bench.entries();
    for signal in ["INT", "TERM"] {
        let _ = std::fs::remove_file(bench.path("began"));
        let script = "echo half > out; sh -c 'echo $$ > ../child; exec sleep 600' & \
                      touch ../began; wait";
        let arguments = ["--json", "run", "-o", "out", "--", "sh", "-c", script];
        let child = bench.command("data", &arguments).spawn().unwrap();
        wait_for(&bench.path("began"));
        wait_for(&bench.path("child"));
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let (code, error) = answer(&child.wait_with_output().unwrap());
        assert_eq!((code, &error["code"]), (130, &json!("interrupted")), "{error}");
        assert_eq!(bench.entries(), before);
        // What the command has started has ended too.
        let started = bench.text("child").trim().to_owned();
        for _ in 0..500 {
            let there = Command::new("kill").args(["-0", &started]).output().unwrap();
            if !there.status.success() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let there = Command::new("kill").args(["-0", &started]).output().unwrap();
        assert!(!there.status.success(), "it still runs");
        std::fs::remove_file(bench.path("child")).unwrap();
    }
}

/// As every path on the command line, so the paths that the command opens: from where one stands.
#[test]
fn a_command_runs_where_it_was_typed() {
    let bench = Bench::new(&["data"]);
    bench.put("data/d/in", "b\na\n");
    bench.must("data", &["add", "-A"]);
    bench.must("data", &["commit", "-m", "in"]);
    let words = ["run", "-i", "in", "-o", "out", "--", "sort", "-o", "out", "in"];
    bench.must("data/d", &words);
    assert_eq!(bench.must("data", &["cat", "HEAD:d/out"]), "a\nb\n");
    let step = bench.show("data", "HEAD")["provenance"]["steps"][0].take();
    assert_eq!((&step["x_directory"], &step["outputs"]), (&json!("d"), &json!(["d/out"])));
    assert!(step["inputs"][0].as_str().unwrap().ends_with(":d/in"), "{step}");
    let done = bench.ask("data", &["rerun", "HEAD", "--verify"]);
    assert_eq!((done.0, &done.1["identical"]), (0, &json!(true)), "{}", done.1);
}
