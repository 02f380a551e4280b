//! `stem import git` against the program `git` itself: every version has exactly the files of its
//! commit, however the history came in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "import_git/bench.rs"]
mod bench;
#[path = "import_git/compare.rs"]
mod compare;
#[path = "import_git/history.rs"]
mod history;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use stemmata::model::RefKind;

use bench::{Bench, put};
use compare::{Stored, compare};
use history::history;

#[test]
fn every_version_has_the_files_of_its_commit() {
    let bench = Bench::new();
    history(&bench);
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 0, "{answer}");
    let versions = compare(&bench, &[]);
    assert!(versions.len() > 55);
    assert_eq!(answer["commits"], versions.len());
    assert_eq!((&answer["already"], &answer["cut"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(answer["branches"].as_array().unwrap().len(), 4);
    assert_eq!(answer["tags"].as_array().unwrap().len(), 2);
    assert_eq!(answer["left_out"], Value::Array(Vec::new()));
    // The worktree is on its branch, with its files.
    let head = bench.git(["rev-parse", "main"]);
    assert_eq!(answer["branch"], "main");
    assert_eq!(answer["head"], versions[&head].to_hex());
    let status = bench.stem(["status", "--porcelain", "--exit-code"]);
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    assert!(bench.data().join("changing.txt").is_file());
    assert_eq!(std::fs::read_link(bench.data().join("deep/link")).unwrap(), Path::new("../many"));
}

#[test]
fn a_version_says_where_it_comes_from() {
    let bench = Bench::new();
    bench.git(["remote", "add", "origin", "https://ann:secret@example.org/data.git"]);
    bench.write("a", b"1");
    bench.git(["add", "-A"]);
    let mut command = bench.command();
    command.env("GIT_COMMITTER_NAME", "Bob").env("GIT_COMMITTER_DATE", "1700000060 +0000");
    bench.run(command.args(["commit", "-q", "-m", "one"]), b"");
    bench.git(["tag", "-a", "-m", "said", "v1"]);
    let (_, answer) = bench.import(&[]);
    assert_eq!(answer["source"], "git:https://example.org/data.git");
    let commit = bench.git(["rev-parse", "HEAD"]);
    let repository = bench.open();
    let id = repository.catalogue.imported("git").unwrap()[&commit];
    let key = stemmata::format::frame::Key::version(&id);
    let bytes = repository.get(&key).unwrap();
    let version: Value = serde_json::from_slice(&bytes).unwrap();
    let expected = serde_json::json!([{
        "uri": "git:https://example.org/data.git",
        "revision": commit,
        "committer": "Bob <a@x.org>",
        "committed": "2023-11-14T22:14:20Z",
    }]);
    assert_eq!(version["provenance"]["sources"], expected);
    assert_eq!(version["time"], "2023-11-14T22:13:20Z");
    assert_eq!(version["utc_offset_minutes"], 90);
    let tag = "v1".parse().unwrap();
    let row = repository.catalogue.get_ref(repository.dataset(), RefKind::Tag, &tag).unwrap();
    let note = row.unwrap().annotation.unwrap();
    assert_eq!((note.message.as_str(), note.tagger.name.as_str()), ("said", "Ada"));
}

#[test]
fn the_same_import_again_takes_what_is_new_and_moves_the_files() {
    let bench = Bench::new();
    history(&bench);
    bench.import(&[]);
    let before = bench.open().catalogue.journal_head().unwrap().number;
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)));
    assert_eq!(bench.open().catalogue.journal_head().unwrap().number, before, "nothing to record");
    bench.write("changing.txt", b"new");
    bench.git(["rm", "-q", "-r", "many"]);
    bench.commit(70, "later");
    bench.git(["branch", "-f", "side", "main"]);
    bench.git(["branch", "newer", "main~2"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(1)), "{answer}");
    let change = |name: &str| {
        let mut branches = answer["branches"].as_array().unwrap().iter();
        branches.find(|branch| branch["name"] == name).unwrap()["change"].clone()
    };
    assert_eq!(change("main"), "forwarded");
    assert_eq!(change("newer"), "created");
    assert_eq!(change("third"), "unchanged");
    compare(&bench, &[]);
    assert!(!bench.data().join("many").exists());
    assert_eq!(std::fs::read(bench.data().join("changing.txt")).unwrap(), b"new");
    assert_eq!(bench.stem(["status", "--exit-code"]).status.code(), Some(0));
}

#[test]
fn a_repository_that_has_moved_is_still_the_same_history() {
    let bench = Bench::new();
    history(&bench);
    bench.import(&[]);
    bench.git(["remote", "add", "origin", "https://example.org/elsewhere.git"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)), "{answer}");
}

#[test]
fn the_worktree_goes_to_the_branch_that_git_is_on() {
    let bench = Bench::new();
    bench.write("a", b"1");
    bench.commit(1, "one");
    bench.git(["branch", "-m", "main", "master"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["branch"]), (0, &Value::from("master")));
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"1");
    assert_eq!(bench.stem(["status", "--exit-code"]).status.code(), Some(0));
}

#[test]
fn unsaved_files_are_never_overwritten() {
    let bench = Bench::new();
    bench.write("a", b"theirs");
    bench.write("b", b"theirs");
    bench.commit(1, "one");
    put(&bench.data().join("a"), b"mine");
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 3, "{answer}");
    assert_eq!(answer["left_out"][0]["path"], "refs/heads/main");
    assert_eq!(answer["branches"][0]["change"], "kept");
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"mine");
    assert!(!bench.data().join("b").exists());
    assert_eq!(bench.open().head().unwrap(), None);
    // Out of the way, and the rest of the import is done.
    std::fs::remove_file(bench.data().join("a")).unwrap();
    put(&bench.data().join("mine"), b"beside");
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)), "{answer}");
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"theirs");
    assert_eq!(std::fs::read(bench.data().join("mine")).unwrap(), b"beside");
    // The same when a branch goes on: a change here and one there.
    put(&bench.data().join("b"), b"my change");
    bench.write("b", b"their change");
    bench.commit(2, "two");
    assert_eq!(bench.import(&[]).0, 3);
    assert_eq!(std::fs::read(bench.data().join("b")).unwrap(), b"my change");
}

#[test]
fn a_branch_with_versions_of_its_own_is_not_moved() {
    let bench = Bench::new();
    bench.write("a", b"1");
    bench.commit(1, "one");
    bench.import(&[]);
    put(&bench.data().join("own"), b"own");
    bench.stem(["add", "own"]);
    assert_eq!(bench.stem(["commit", "-m", "own"]).status.code(), Some(0));
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["branches"][0]["change"]), (0, &Value::from("ahead")));
    bench.write("a", b"2");
    bench.commit(2, "two");
    let versions = bench.open().catalogue.all_version_ids().unwrap().len();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (15, &Value::from("diverged")));
    assert!(error["message"].as_str().unwrap().contains("`main`"), "{error}");
    assert_eq!(bench.open().catalogue.all_version_ids().unwrap().len(), versions);
}

#[test]
fn what_a_dataset_cannot_have_is_left_out_and_listed() {
    let bench = Bench::new();
    bench.write("good", b"1");
    bench.write("replaced", b"a file first");
    bench.write(".stem/config", b"not ours");
    bench.commit(1, "one");
    std::fs::remove_file(bench.git_path().join("replaced")).unwrap();
    for (name, target) in [("replaced", "/etc/passwd"), ("out", "../../x")] {
        std::os::unix::fs::symlink(target, bench.git_path().join(name)).unwrap();
    }
    let other = "160000,1111111111111111111111111111111111111111,module";
    bench.git(["update-index", "--add", "--cacheinfo", other]);
    bench.git(["add", "replaced", "out"]);
    bench.git(["commit", "-q", "-m", "two"]);
    let blob = bench.git(["hash-object", "-w", "good"]);
    bench.git(["tag", "on-a-file", &blob]);
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 3, "{answer}");
    let left: Vec<_> = answer["left_out"].as_array().unwrap().iter().collect();
    let has = |what: &str, path: &str| {
        left.iter().any(|left| left["what"] == what && left["path"] == path)
    };
    assert!(has("name", ".stem/config") && has("submodule", "module"), "{answer}");
    assert!(has("link", "replaced") && has("link", "out"), "{answer}");
    assert!(has("reference", "refs/tags/on-a-file"), "{answer}");
    assert_eq!(left.len(), 5);
    let repository = bench.open();
    let mut stored = Stored::new(&bench, &repository);
    let tree = stored.tree(&repository.head().unwrap().unwrap());
    assert_eq!(tree.keys().collect::<Vec<_>>(), [&b"good".to_vec()]);
    assert_eq!(bench.import(&[]).1["commits"], 0);
}

#[test]
fn commits_that_git_itself_finds_odd_are_versions() {
    let bench = Bench::new();
    bench.write("a", b"1");
    let first = bench.commit(1, "one");
    let tree = bench.git(["rev-parse", "HEAD^{tree}"]);
    let odd = |text: String| {
        let mut command = bench.command();
        command.args(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"]);
        String::from_utf8(bench.run(&mut command, text.as_bytes())).unwrap().trim().to_owned()
    };
    let mut last = first;
    for author in
        ["no brackets at all", "<> 0 +0000", "A <a@x> 99999999999999999999 +9999", "B <b> x y"]
    {
        let person = format!("author {author}\ncommitter C <c@x.org> 1700000000 -0800");
        last = odd(format!("tree {tree}\nparent {last}\n{person}\n\nodd\n"));
    }
    // The same parent twice.
    let person = "author A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000";
    last = odd(format!("tree {tree}\nparent {last}\nparent {last}\n{person}\n\ntwice\n"));
    bench.git(["update-ref", "refs/heads/main", &last]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(6)), "{answer}");
    let repository = bench.open();
    let row = repository.version(&repository.head().unwrap().unwrap()).unwrap();
    assert_eq!((row.parents.len(), row.generation), (1, 6));
    let heads = [repository.head().unwrap().unwrap()];
    let history = repository.catalogue.history(&heads).unwrap();
    let names: BTreeMap<u64, String> =
        history.map(|row| row.unwrap()).map(|row| (row.generation, row.author.name)).collect();
    let names: Vec<_> = names.into_values().collect();
    assert_eq!(names, ["Ada", "no brackets at all", "unknown", "A", "B", "A"]);
}

#[test]
fn a_range_and_a_directory_are_imported_beside_the_whole() {
    let bench = Bench::new();
    history(&bench);
    let (code, answer) = bench.import(&["--rev", "main~4..main"]);
    assert_eq!((code, &answer["commits"], &answer["cut"]), (0, &4.into(), &1.into()), "{answer}");
    // What comes later continues it.
    bench.write("changing.txt", b"later");
    bench.commit(80, "later");
    let (_, answer) = bench.import(&["--rev", "main~5..main"]);
    assert_eq!((&answer["commits"], &answer["already"]), (&1.into(), &4.into()), "{answer}");
    // The whole history is another one; here it would not continue what is there.
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (15, &Value::from("diverged")), "{error}");
    // A directory of the repository in another dataset of the same store.
    let store = bench.data().join(".stem/store");
    let part = Bench { directory: tempfile::tempdir_in(bench.directory.path()).unwrap() };
    std::fs::create_dir(part.data()).unwrap();
    let words = ["init", "--dataset", "part", "--store", store.to_str().unwrap(), "."];
    assert_eq!(part.stem(words).status.code(), Some(0));
    let git = bench.git_path();
    let words = ["--json", "import", "git", git.to_str().unwrap(), "--path", "./many/03/"];
    let output = part.stem(words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let names: Vec<_> =
        std::fs::read_dir(part.data()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.iter().filter(|name| *name != ".stem").count(), 3, "{names:?}");
    assert!(part.data().join("17.txt").is_file());
    let words = ["--json", "import", "git", git.to_str().unwrap(), "--path", "many/nowhere"];
    let output = part.stem(words);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    let error = &error["error"];
    assert_eq!((output.status.code(), &error["code"]), (Some(10), &"no_path".into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("`many/nowhere`"), "{error}");
    // Where it is gone, what was imported goes on.
    bench.git(["rm", "-r", "-q", "many/03"]);
    bench.commit(81, "gone");
    let words = ["--json", "import", "git", git.to_str().unwrap(), "--path", "many/03"];
    assert_eq!(part.stem(words).status.code(), Some(0));
    bench.write("changing.txt", b"much later");
    bench.commit(82, "much later");
    let output = part.stem([&words[..], &["--rev", "main~1..main"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!part.data().join("17.txt").exists());
}

#[test]
fn a_dry_run_changes_nothing() {
    let bench = Bench::new();
    history(&bench);
    let before = bench.open().catalogue.journal_head().unwrap().number;
    let (code, answer) = bench.import(&["--dry-run"]);
    assert_eq!((code, &answer["dry_run"]), (0, &true.into()));
    assert!(answer["commits"].as_u64().unwrap() > 55);
    assert_eq!(bench.open().catalogue.journal_head().unwrap().number, before);
    assert!(!bench.data().join("changing.txt").exists());
}

#[test]
fn what_is_no_whole_git_repository_is_refused() {
    let bench = Bench::empty();
    std::fs::create_dir(bench.git_path()).unwrap();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (10, &Value::from("no_git_repository")));
    bench.git(["init", "-q", "-b", "main", "."]);
    bench.write("a", b"content");
    bench.commit(1, "one");
    let (code, error) = bench.import(&["--rev", "nothing"]);
    assert_eq!((code, &error["code"]), (10, &Value::from("no_revision")));
    let blob = bench.git(["rev-parse", "HEAD:a"]);
    let path = bench.git_path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(path).unwrap();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (13, &Value::from("git_damaged")));
    assert_eq!(bench.open().head().unwrap(), None);
}

/// Imports the repository that `STEM_REAL_GIT` names, and compares every version.
#[test]
#[ignore = "needs STEM_REAL_GIT=path of a Git repository"]
fn a_real_repository_is_imported_byte_for_byte() {
    let path = std::env::var_os("STEM_REAL_GIT").expect("STEM_REAL_GIT");
    let bench = Bench::empty();
    std::os::unix::fs::symlink(Path::new(&path).canonicalize().unwrap(), bench.git_path()).unwrap();
    let (_, answer) = bench.import(&[]);
    let unkept: Vec<Vec<u8>> = answer["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|left| left["what"] != "reference")
        .map(|left| left["path"].as_str().unwrap().as_bytes().to_vec())
        .collect();
    let spared: Vec<&[u8]> = unkept.iter().map(Vec::as_slice).collect();
    let versions = compare(&bench, &spared);
    assert_eq!(answer["commits"], versions.len());
}
