//! `data.stem`: written, followed, watched; hostile ones are errors and change nothing.

use super::place::{Bench, put};

fn with_two() -> (Bench, String, String) {
    let bench = Bench::new();
    let (first, second) = (bench.commit("a", "1\n"), bench.commit("a", "2\n"));
    (bench, first, second)
}

#[test]
fn a_checkout_without_a_revision_follows_the_pin() {
    let (bench, first, second) = with_two();
    assert_eq!(bench.ask(&["checkout"]).0, 2, "no pin");
    bench.must(&["git-pin", "HEAD~1"]);
    let (_, status) = bench.ask(&["status"]);
    assert_eq!(status["pin"]["version"], first.as_str());
    assert_eq!(status["pin"]["moved"], true);
    assert!(bench.must(&["status"]).contains("pin: data.stem names"));
    bench.must(&["checkout"]);
    assert_eq!(std::fs::read_to_string(bench.data().join("a")).unwrap(), "1\n");
    assert_eq!(bench.ask(&["status"]).1["pin"]["moved"], false);
    // Where the branch is at that version, the worktree stays on it.
    bench.must(&["switch", "main"]);
    bench.must(&["git-pin"]);
    let (_, switched) = bench.ask(&["switch"]);
    assert_eq!((&switched["branch"], &switched["version"]), (&"main".into(), &second.into()));
    let (_, again) = bench.ask(&["git-pin"]);
    assert_eq!(again["changed"], false);
}

#[test]
fn the_nearest_pin_up_to_the_top_of_git_counts() {
    let (bench, first, second) = with_two();
    let inner = bench.data().join("sub/dir");
    std::fs::create_dir_all(&inner).unwrap();
    let outer = bench.directory.path().join("data.stem");
    bench.must(&["git-pin", &first, "-o", outer.to_str().unwrap()]);
    assert!(bench.ask(&["status"]).1["pin"].is_null(), "above the worktree without Git");
    std::fs::create_dir(bench.directory.path().join(".git")).unwrap();
    let at = |inner: &std::path::Path| {
        let status = bench.ask(&["-C", inner.to_str().unwrap(), "status"]).1;
        status["pin"]["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(at(&inner), first);
    bench.must(&["git-pin", &second, "-o", bench.data().join("sub/data.stem").to_str().unwrap()]);
    assert_eq!((at(&inner), at(&bench.data())), (second, first));
}

#[test]
fn a_pin_that_cannot_be_used_is_an_error_and_changes_nothing() {
    let (bench, first, _) = with_two();
    bench.must(&["git-pin", "HEAD~1"]);
    let path = bench.data().join("data.stem");
    let good = std::fs::read_to_string(&path).unwrap();
    let nowhere = "0".repeat(64);
    let digest = good.lines().find(|line| line.starts_with("digest")).unwrap();
    let rows = [
        (good.replace("\"data\"", "\"other\""), 10, "pin_elsewhere"),
        (good.replace(&first, &nowhere), 10, "pin_elsewhere"),
        (good.replace(digest, &format!("digest = \"{nowhere}\"")), 13, "pin_damaged"),
        (good.replace("dataset", "datset"), 2, "bad_pin"),
        (good.replace("format = 1", "format = 9"), 2, "bad_pin"),
        (format!("{good}extra = 1\n"), 2, "bad_pin"),
        ("x".repeat(100_000), 2, "bad_pin"),
        (String::new(), 2, "bad_pin"),
    ];
    for (text, code, word) in rows {
        put(&path, &text);
        let before = bench.seen();
        let (found, error) = bench.ask(&["checkout"]);
        assert_eq!((found, error["code"].as_str()), (code, Some(word)), "{text:.200} {error}");
        assert_eq!(bench.seen(), before);
        let (_, status) = bench.ask(&["status"]);
        assert!(status["pin"]["problem"].is_string(), "{status}");
        assert!(bench.must(&["status"]).contains("cannot be used"));
    }
    // What is there and is no pin is not overwritten.
    put(&path, "my notes");
    assert_eq!(bench.ask(&["git-pin"]).0, 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(bench.ask(&["checkout"]).0, 2);
}
