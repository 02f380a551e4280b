//! Ignore rules, judged by `git check-ignore`.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::Sandbox;
use crate::git::{Error, IgnoreRules};

/// Every path below `root`, directories with a `/` at the end, without `.git` and rules.
fn walk(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let name = entry.file_name();
        if path.starts_with(".git/")
            || name == ".git"
            || name == ".gitignore"
            || name == ".stemignore"
        {
            continue;
        }
        found.push(if entry.file_type().is_dir() { path + "/" } else { path });
    }
    found
}

/// Writes the same rules for Git and for us, and compares the judgements on every path.
fn check(rules: &[(&str, &str)], files: &[&str]) {
    let (sandbox, root) = Sandbox::with_repository("r");
    for file in files {
        // A file may stand where another path needs a directory; the first wins.
        if std::fs::create_dir_all(root.join(file).parent().unwrap()).is_ok()
            && !root.join(file).is_dir()
        {
            sandbox.write(&root.join(file), b"");
        }
    }
    for (directory, text) in rules {
        if !root.join(directory).is_file() {
            sandbox.write(&root.join(directory).join(".gitignore"), text.as_bytes());
            sandbox.write(&root.join(directory).join(".stemignore"), text.as_bytes());
        }
    }
    let paths = walk(&root);
    let bare: Vec<&str> = paths.iter().map(|path| path.trim_end_matches('/')).collect();
    let mut command = sandbox.command(&root);
    command.args(["check-ignore", "-z", "--stdin", "--no-index", "-v", "-n"]);
    let (said, code) = sandbox.run_any(&mut command, (bare.join("\0") + "\0").as_bytes());
    assert!(matches!(code, Some(0 | 1)), "1 only says that nothing is ignored");
    let fields: Vec<&[u8]> = said.split(|&byte| byte == 0).collect();
    let ignored: BTreeSet<&str> = fields
        .chunks_exact(4)
        .filter(|field| !field[2].is_empty() && !field[2].starts_with(b"!"))
        .map(|field| std::str::from_utf8(field[3]).unwrap())
        .collect();
    let ours = IgnoreRules::new(&root);
    for path in &paths {
        let (bare, is_dir) = (path.trim_end_matches('/'), path.ends_with('/'));
        let answer = ours.is_ignored(bare.as_bytes(), is_dir);
        assert_eq!(answer, ignored.contains(bare), "{path} with {rules:?} in {paths:?}");
    }
    assert!(ours.take_problems().is_empty());
}

const FILES: &[&str] = &[
    "a",
    "a.o",
    "b.o",
    "build/x",
    "build/y.o",
    "src/build/z",
    "src/a.o",
    "src/deep/er/a.o",
    "docs/a.txt",
    "docs/sub/a.txt",
    "docs/sub/keep.txt",
    " lead",
    "trail ",
    "#hash",
    "!bang",
    "back\\slash",
    "star*",
    "[x]",
    "Ü.txt",
    "cache/.hidden",
    ".env",
    "data/1.csv",
    "data/2.csv",
    "data/raw/1.csv",
    "$dollar",
];

#[test]
fn rules_mean_what_they_mean_to_git() {
    let cases: &[&[(&str, &str)]] = &[
        &[("", "*.o\n!b.o\n")],
        &[("", "build\n")],
        &[("", "build/\n")],
        &[("", "/build\n")],
        &[("", "src/build\n")],
        &[("", "**/er/a.o\ndocs/**\n")],
        &[("", "docs/**/a.txt\n")],
        &[("", "docs/*\n!docs/sub/\ndocs/sub/*\n!docs/sub/keep.txt\n")],
        &[("", "docs/\n!docs/sub/keep.txt\n")],
        &[("", "*\n!*/\n!*.csv\n")],
        &[("", "# comment\n\n\\#hash\n\\!bang\ntrail\\ \n lead   \n")],
        &[("", "back\\\\slash\nstar\\*\n\\[x\\]\n$dollar\n!$dollar\n")],
        &[("", "[ab].o\n?\n[!a-c]*\n")],
        &[("", "Ü.txt\r\n.env\r\n")],
        &[("", "\u{feff}a\n")],
        &[("", "data\n"), ("data", "!1.csv\n")],
        &[("", "*.csv\n"), ("data", "!1.csv\n"), ("data/raw", "1.csv\n")],
        &[("data", "/1.csv\n"), ("docs", "sub/\n")],
        &[("", "/*\n!/data\n/data/*\n!/data/raw\n")],
        &[("", "/\n//\n**\n")],
        &[("", "a.o/\n/src/**/\n")],
    ];
    for rules in cases {
        check(rules, FILES);
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b"),
        Just("ab"),
        Just("*"),
        Just("**"),
        Just("?"),
        Just("[ab]"),
        Just("[!a]"),
        Just("a*"),
        Just("*b"),
        Just("a.o"),
        Just("*.o"),
        Just("\\a"),
    ];
    let pieces = prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.join("/"));
    let prefix = prop_oneof![4 => Just(""), 1 => Just("!"), 2 => Just("/"), 1 => Just("!/")];
    let suffix = prop_oneof![3 => Just(""), 1 => Just("/"), 1 => Just("  ")];
    (prefix, pieces, suffix)
        .prop_map(|(prefix, pieces, suffix)| format!("{prefix}{pieces}{suffix}"))
}

fn rule_file() -> impl Strategy<Value = String> {
    prop::collection::vec(pattern(), 0..5).prop_map(|lines| lines.join("\n") + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever the rules and wherever they stand, Git and we leave out the same.
    #[test]
    fn any_rules_mean_what_they_mean_to_git(
        rules in prop::collection::vec(
            (prop::sample::select(vec!["", "a", "b", "a/b", "ab"]), rule_file()),
            0..4,
        ),
    ) {
        let files = ["b", "a/a", "a/b/a", "a/b/b.o", "a/b/ab/a", "a/a.o", "ab/a/b", "ab/b", "ab/a.o",
            "ba/ab", "a.o", "bb"];
        let mut rules: Vec<_> = rules.iter().map(|(at, text)| (*at, text.as_str())).collect();
        rules.reverse();
        rules.sort_by_key(|(at, _)| *at);
        rules.dedup_by_key(|(at, _)| *at);
        check(&rules, &files);
    }
}

#[test]
fn rules_are_asked_by_directory_too() {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.path().join(".stemignore"), b"out/\n*.tmp\n");
    sandbox.write(&sandbox.path().join("out/.stemignore"), b"!x\n");
    let rules = IgnoreRules::new(sandbox.path());
    assert!(rules.directory(b"out").all_ignored());
    assert!(rules.directory(b"out/deeper").is_ignored(b"out/deeper/x", false));
    assert!(!rules.directory(b"").all_ignored());
    assert!(rules.directory(b"").is_ignored(b"a.tmp", false));
    assert!(!rules.is_ignored(b"", true));
    assert!(rules.is_ignored(b"bytes\xff.tmp", false));
}

#[test]
fn a_rule_file_that_is_no_file_says_nothing_and_one_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    let root = sandbox.path();
    sandbox.write(&root.join("rules"), b"*\n");
    std::os::unix::fs::symlink("rules", root.join(".stemignore")).unwrap();
    std::fs::create_dir_all(root.join("d/.stemignore")).unwrap();
    let rules = IgnoreRules::new(root);
    assert!(!rules.is_ignored(b"x", false) && !rules.is_ignored(b"d/x", false));
    assert!(rules.take_problems().is_empty());
    // A file of holes: too long, and takes no space.
    std::fs::create_dir(root.join("long")).unwrap();
    sandbox.write(&root.join("long/.stemignore"), b"");
    let file = std::fs::File::options().write(true).open(root.join("long/.stemignore")).unwrap();
    file.set_len(200 << 20).unwrap();
    assert!(!rules.is_ignored(b"long/x", false));
    let problems = rules.take_problems();
    assert!(
        matches!(&problems[..], [Error::IgnoreFile { path, .. }] if path.ends_with("long/.stemignore"))
    );
}

#[test]
fn many_threads_may_ask() {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.path().join("a/b/.stemignore"), b"x\n");
    let rules = IgnoreRules::new(sandbox.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(rules.is_ignored(b"a/b/x", false)));
        }
    });
}
