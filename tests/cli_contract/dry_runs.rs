//! `-n` and `--dry-run`, and every verb that only reads: nothing is written, anywhere.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::place::{Place, ran};
use crate::{busy, typed, words};

/// What a file is: mode, time of its last change, content.
type Seen = BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)>;

/// Everything below a directory; of directories their mode only, since a lock beside may come and go.
fn look(top: &Path, seen: &mut Seen) {
    for entry in std::fs::read_dir(top).unwrap() {
        let path = entry.unwrap().path();
        let of = path.symlink_metadata().unwrap();
        let bytes = if of.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        if of.is_dir() {
            look(&path, seen);
            seen.insert(path, (of.mode(), 0, 0, bytes));
        } else {
            seen.insert(path, (of.mode(), of.mtime(), of.mtime_nsec(), bytes));
        }
    }
}

fn unchanged(before: &Seen, top: &Path, line: &str) {
    let mut after = Seen::new();
    look(top, &mut after);
    let changed: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.is_empty(), "`{line}` has changed {changed:?}");
}

/// Verbs that write, as they would be typed, without `-n`.
const WRITE: &[&str] = &[
    "init",
    "init ../fresh",
    "init ../fresh --store ../store --dataset other",
    "add -A",
    "add d new",
    "add -u",
    "rm a",
    "rm --cached a",
    "rm --force d/b",
    "mv a z",
    "commit -m x",
    "commit -a -m x --metric accuracy=0.9",
    "switch side",
    "switch side --force",
    "switch -b fresh",
    "checkout v1",
    "checkout --force -- d/b",
    "restore --force d/b",
    "restore --staged staged",
    "reset HEAD~1",
    "reset --soft HEAD~1",
    "reset --hard --force HEAD~1",
    "rollback main v1 -m why",
    "branch fresh",
    "branch -D side",
    "branch -m side other",
    "tag fresh",
    "tag v1 side --force -m moved",
    "tag -d v1",
    "undo",
    "undo --force",
    "gc --yes --grace 0s",
    "fsck --rebuild",
    "export HEAD ../out",
    "bisect start HEAD v1~1",
    "config set user.name Bo",
    "config unset user.name",
    "run -o made -- sh -c \"echo hi > made\"",
    "meta set HEAD purpose=x",
    "step add HEAD --name dedupe",
    "metric set HEAD accuracy=1",
    "note add HEAD text",
    "consumer add m --kind model --used data@main",
    "classify data core --reason x --reviewer y",
    "hold place data --case c --reason r",
    "archive create HEAD ../archive",
    "erase plan --path a --reason x",
    "erase approve ../erase.json --key APPROVER",
    "erase run ../erase.json --key KEY",
    "retire plan data --core-to ../core --aux keep",
    "retire approve ../retire.json --key APPROVER",
    "retire run ../retire.json --key KEY",
    "git-pin",
    "tour ../tour",
    "card -o ../card.md",
    "card --format croissant -o ../card.json",
    "lineage HEAD -o ../lineage.txt",
    "lineage HEAD --format prov -o ../lineage.json",
    "note export -o ../notes.md",
    "audit export -o ../journal.jsonl",
    "key verify v1 -o ../signed",
];

/// Documents that another format would be written in; with `--json` they are the graph itself.
fn has_no_json(line: &str) -> bool {
    line.contains("--format prov")
}

/// Plans that can be approved and carried out, and the keys for that, by the names in the lines.
fn planned(place: &Place) -> Vec<(&'static str, String)> {
    let (ann, bob) = ("Ann Example <ann@example.org>", "Bob Example <bob@example.org>");
    let run_as = |who: &str, args: &[&str]| {
        let ran = ran(place.command(args).env("STEM_AUTHOR", who));
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.out
    };
    let key = |who| {
        let made = run_as(who, &["key", "generate", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        made["data"]["key"]["id"].as_str().unwrap().to_owned()
    };
    let (own, other) = (key(ann), key(bob));
    let public = place.dir.path().join(format!(".config/stem/keys/{other}.pub"));
    run_as(bob, &["key", "trust", public.to_str().unwrap(), "--role", "approver"]);
    place.good(&["classify", "data", "auxiliary", "--reason", "old", "--reviewer", "ann"]);
    place.good(&["erase", "plan", "--path", "a", "--reason", "x", "-o", "../erase.json"]);
    place.good(&[
        "retire",
        "plan",
        "data",
        "--core-to",
        "../core",
        "--aux",
        "destroy",
        "-o",
        "../retire.json",
    ]);
    vec![("APPROVER", other), ("KEY", own)]
}

#[test]
fn a_dry_run_of_any_verb_writes_nothing() {
    let place = busy();
    let names = planned(&place);
    let lines: Vec<String> = WRITE
        .iter()
        .map(|line| {
            names.iter().fold((*line).to_owned(), |line, (name, id)| line.replace(name, id))
        })
        .collect();
    let mut before = Seen::new();
    look(place.dir.path(), &mut before);
    for line in &lines {
        for flag in ["-n", "--dry-run"] {
            let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            // Words after `--` belong to a command.
            let args = match rest.split_once("-- ") {
                Some((own, other)) => words(&format!("{verb} {own} {flag} -- {other}")),
                None => words(&format!("{line} {flag}")),
            };
            let ran = place.run(&args);
            // Nothing is signed here, which is what `key verify` answers.
            let expected = i32::from(line.starts_with("key verify"));
            assert_eq!(ran.code, expected, "{args:?}: {ran:?}");
            unchanged(&before, place.dir.path(), line);
        }
        if !has_no_json(line) {
            let own: Vec<String> = words(line);
            let at = own.iter().position(|word| word == "--").unwrap_or(own.len());
            let args = [&own[..at], &["-n".into(), "--json".into()], &own[at..]].concat();
            let ran = place.run(&args);
            let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
            let data = document["data"].to_string();
            assert!(
                data.contains("\"dry_run\":true") || line.starts_with("config"),
                "{line}: {data}"
            );
        }
    }
    place.is_whole();
}

/// Whatever is written to a file or directory of the user's choice can be tried without writing.
#[test]
fn every_verb_with_an_output_has_a_dry_run() {
    let place = busy();
    let mut verbs = Vec::new();
    leaves(&place, &mut Vec::new(), &mut verbs);
    assert!(verbs.len() > 80, "{}", verbs.len());
    let outputs: Vec<_> = verbs.iter().filter(|(_, help)| help.contains("--output")).collect();
    assert!(outputs.len() > 7, "{}", outputs.len());
    for (verb, help) in outputs {
        assert!(help.contains("--dry-run"), "{verb}");
    }
}

/// A dry run refuses what the verb would refuse.
#[test]
fn a_dry_run_does_not_promise_to_write_over_what_is_there() {
    let place = busy();
    place.write("../taken", b"mine");
    for line in ["card", "lineage HEAD", "note export", "audit export"] {
        for flag in ["", " -n"] {
            let ran = place.run(&words(&format!("{line} -o ../taken{flag}")));
            assert_eq!(ran.code, 2, "{line}{flag}: {ran:?}");
            assert!(ran.err.contains("is there already"), "{line}{flag}: {ran:?}");
        }
    }
}

/// Every verb that has none below it, with its help.
/// A file that was written anew as it was is no change.
#[test]
fn a_dry_run_of_add_names_what_add_would_stage() {
    let place = Place::new();
    place.write("same", b"same");
    place.write("other", b"one");
    place.good(&["add", "."]);
    place.write("same", b"same");
    place.write("other", b"two");
    let paths = |arguments: &[&str]| {
        let ran = place.run(arguments);
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        document["data"]["modified"].clone()
    };
    let planned = paths(&["add", "-n", ".", "--json"]);
    assert_eq!(planned, serde_json::json!(["other"]));
    assert_eq!(planned, paths(&["add", ".", "--json"]));
}

fn leaves(place: &Place, words: &mut Vec<String>, found: &mut Vec<(String, String)>) {
    let mut args = words.clone();
    args.push("--help".into());
    let help = place.good(&args.iter().map(String::as_str).collect::<Vec<_>>()).out;
    let list = help.split_once("Commands:\n").map(|(_, rest)| rest.split("\n\n").next().unwrap());
    for name in list.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("  ")) {
        // What goes on from the line before stands further in.
        let name = name.split(' ').next().unwrap_or_default();
        if !["", "help"].contains(&name) {
            words.push(name.to_owned());
            leaves(place, words, found);
            words.pop();
        }
    }
    if list.is_none() {
        found.push((words.join(" "), help));
    }
}

/// Where something is under way, or the worktree has nothing that would be lost.
#[test]
fn a_dry_run_of_what_brings_changes_together_writes_nothing() {
    let place = busy();
    place.good(&["reset", "--hard", "--force", "HEAD"]);
    std::fs::remove_file(place.top.join("new")).unwrap();
    let git = place.dir.path().join("git");
    std::fs::create_dir(&git).unwrap();
    let made = place.shell(
        "cd ../git && git init -q . && echo x > x && git add x && git -c user.name=A -c user.email=a@x commit -qm x",
    );
    assert_eq!(made.code, 0, "{made:?}");
    let mut before = Seen::new();
    look(place.dir.path(), &mut before);
    let lines = [
        "merge side",
        "merge side --no-ff -m joined",
        "cherry-pick side",
        "revert HEAD",
        "import git ../git --rev HEAD",
        "switch side",
        "rollback main v1 -m why",
        "reset --hard v1",
    ];
    for line in lines {
        let ran = place.run(&words(&format!("{line} -n")));
        assert!(matches!(ran.code, 0 | 15), "{line}: {ran:?}");
        unchanged(&before, place.dir.path(), line);
    }
    place.good(&["bisect", "start", "HEAD", "v1~1"]);
    let mut before = Seen::new();
    look(place.dir.path(), &mut before);
    for line in
        ["bisect run -n touch ../judged", "bisect good -n", "bisect bad -n", "bisect reset -n"]
    {
        typed(&place, line);
        unchanged(&before, place.dir.path(), line);
    }
}

/// Looking changes nothing: no lock, no database log, no cache that a hash of the directory shows.
#[test]
fn what_only_reads_writes_nothing() {
    let place = busy();
    place.good(&["contains", "a"]);
    place.good(&["status"]);
    let mut before = Seen::new();
    look(place.dir.path(), &mut before);
    let lines = [
        "status",
        "status --porcelain",
        "log --graph",
        "show",
        "show HEAD:a",
        "diff",
        "diff v1 side",
        "branch",
        "tag",
        "ls -r -l",
        "cat HEAD:a",
        "du",
        "fsck",
        "fsck --quick",
        "fsck --read-data",
        "gc",
        "reflog",
        "datasets",
        "doctor",
        "config list",
        "lineage HEAD",
        "contains a",
        "query \"select 1\"",
        "audit verify",
        "audit log",
    ];
    for line in lines {
        typed(&place, line);
        unchanged(&before, place.dir.path(), line);
    }
}
