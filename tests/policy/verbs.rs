//! Every verb that moves a branch or tag, on a protected one.

use std::process::Command;

use super::place::{BOB, Bench, answer};

const PROTECTED: &str = "[[rule]]
name = \"main\"
branches = [\"main\"]
protected = true
[[rule]]
name = \"releases\"
on = [\"tag\"]
tags = [\"v*\"]
protected = true
min_message_length = 1
";

/// `main` at its second version with a merge behind it, `work` one ahead, tag `v1`, then the policy.
fn protected() -> Bench {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    bench.must(&["switch", "-b", "work"]);
    bench.commit("a", "2\n");
    bench.must(&["switch", "main"]);
    bench.must(&["merge", "work"]);
    bench.must(&["tag", "v1"]);
    bench.must(&["switch", "work"]);
    bench.commit("b", "3\n");
    bench.set_policy(PROTECTED);
    bench
}

fn git_repository(bench: &Bench) -> String {
    let path = bench.directory.path().join("git");
    std::fs::create_dir(&path).unwrap();
    super::place::put(&path.join("file"), "of git\n");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&path).env("HOME", bench.directory.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "a@x");
        }
        assert!(command.args(arguments).output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "from git"]);
    path.to_str().unwrap().to_owned()
}

/// Runs a verb that must be refused, and looks whether anything but the journal has changed.
fn refused(bench: &Bench, arguments: &[&str], rule: &str) {
    let (before, number) = (bench.seen(), bench.catalogue().journal_head().unwrap().number);
    let (verb, rest) = arguments.split_at(if arguments[0] == "import" { 2 } else { 1 });
    let dry = bench.ask(&[verb, &["-n"], rest].concat());
    assert_eq!(dry.0, 14, "{arguments:?} -n {}", dry.1);
    assert_eq!(bench.actions_after(number), [""; 0], "a dry run of {arguments:?}");
    let (code, error) = bench.ask(arguments);
    assert_eq!((code, error["code"].as_str()), (14, Some("policy")), "{arguments:?} {error}");
    assert!(!error["missing"][0]["how"].as_str().unwrap().is_empty(), "{error}");
    assert_eq!(error["missing"][0]["rule"], rule, "{arguments:?}");
    assert_eq!(bench.seen(), before, "{arguments:?}");
    assert_eq!(bench.actions_after(number), ["refused"], "{arguments:?}");
    let verdict = bench.verdicts().pop().unwrap().record;
    assert_eq!(verdict.body["verdict"], "refuse");
    assert_eq!(verdict.body["inputs"]["policy"].as_str().unwrap().len(), 64);
}

#[test]
fn a_protected_branch_refuses_every_verb_but_merge() {
    let bench = protected();
    for arguments in [
        &["branch", "-f", "main", "work"][..],
        &["branch", "-D", "main"],
        &["branch", "-m", "main", "other"],
        &["rollback", "main", "main~1", "-m", "why"],
        &["tag", "-f", "v1", "work"],
        &["tag", "-d", "v1"],
    ] {
        refused(&bench, arguments, if arguments[0] == "tag" { "releases" } else { "main" });
    }
    bench.must(&["switch", "main"]);
    // Staged, changed and new files, which no refusal may touch.
    bench.put("staged", "s\n");
    bench.must(&["add", "staged"]);
    for arguments in [
        &["commit", "-m", "direct"][..],
        &["commit", "-a", "-m", "direct"],
        &["commit", "--allow-empty", "-m", "direct"],
        &["reset", "--soft", "HEAD~1"],
        &["reset", "HEAD~1"],
        &["reset", "--hard", "HEAD~1", "--force"],
        &["rollback", "main", "HEAD~1", "-m", "why", "--force"],
    ] {
        refused(&bench, arguments, "main");
    }
    refused(&bench, &["run", "-o", "out", "--", "touch", "out"], "main");
    bench.must(&["restore", "--staged", "staged"]);
    bench.put("new", "n\n");
    for arguments in [&["cherry-pick", "work"][..], &["revert", "HEAD"]] {
        refused(&bench, arguments, "main");
    }
    assert_eq!(bench.must(&["ls"]), "a\n");
    bench.must(&["merge", "work"]);
    assert_eq!(bench.must(&["ls"]), "a\nb\n");
    refused(&bench, &["undo"], "main");
    bench.must(&["fsck"]);
    bench.must(&["audit", "verify"]);
}

#[test]
fn an_import_into_a_protected_branch_is_refused_before_anything_is_read() {
    let bench = Bench::new();
    bench.set_policy(PROTECTED);
    let git = git_repository(&bench);
    refused(&bench, &["import", "git", &git], "main");
    let strict = "[[rule]]\nname = \"short\"\nmin_message_length = 50\n";
    bench.set_policy(strict);
    refused(&bench, &["import", "git", &git], "short");
    bench.set_policy("[[rule]]\nrequire = [\"sources.revision\"]\n");
    bench.must(&["import", "git", &git]);
    assert_eq!(bench.must(&["ls"]), "file\n");
    assert_eq!(bench.verdicts().pop().unwrap().record.body["verdict"], "pass");
}

/// An operation that is under way is ended by a commit, so the commit is asked as what it ends.
#[test]
fn the_end_of_a_merge_with_conflicts_is_a_merge_and_that_of_a_pick_is_a_commit() {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    bench.must(&["switch", "-b", "work"]);
    bench.commit("a", "2\n");
    bench.must(&["switch", "main"]);
    bench.commit("a", "3\n");
    bench.set_policy(PROTECTED);
    refused(&bench, &["cherry-pick", "work"], "main");
    assert_eq!(bench.stem(&["merge", "work"]).status.code(), Some(4));
    bench.put("a", "4\n");
    bench.must(&["add", "a"]);
    bench.must(&["merge", "--continue"]);
    let verdict = bench.verdicts().pop().unwrap().record;
    assert_eq!(
        (&verdict.body["action"], &verdict.body["verdict"]),
        (&"commit".into(), &"pass".into())
    );
}

#[test]
fn a_branch_that_exists_nowhere_yet_can_be_made_protected() {
    let bench = Bench::new();
    bench.set_policy(PROTECTED);
    bench.put("a", "1\n");
    bench.must(&["add", "a"]);
    refused(&bench, &["commit", "-m", "first"], "main");
    bench.must(&["branch", "-m", "main", "work"]);
    bench.commit("a", "1\n");
    bench.must(&["branch", "main", "work"]);
    bench.commit("a", "2\n");
    refused(&bench, &["branch", "-f", "main", "work"], "main");
}

/// What a merge brings counts for it: what was said of the version, and what was said later.
#[test]
fn a_merge_is_asked_about_what_it_brings() {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    bench.must(&["switch", "-b", "work"]);
    let version = bench.commit("b", "2\n");
    bench.must(&["switch", "main"]);
    bench.set_policy("[[rule]]\nname = \"q\"\nbranches = [\"main\"]\nrequire = [\"purpose\"]\n");
    for arguments in
        [&["merge", "work"][..], &["merge", "--no-ff", "work"], &["cherry-pick", "work"]]
    {
        refused(&bench, arguments, "q");
    }
    let (code, answer) = bench.ask(&["policy", "check", "work", "--branch", "main"]);
    assert_eq!((code, &answer["passes"]), (1, &false.into()));
    bench.must(&["meta", "set", "work", "purpose=training"]);
    let (code, answer) = bench.ask(&["policy", "check", "work", "--branch", "main"]);
    assert_eq!((code, &answer["passes"]), (0, &true.into()), "{answer}");
    bench.must(&["merge", "--no-ff", "work", "-m", "take it"]);
    let verdict = bench.verdicts().pop().unwrap().record;
    assert_eq!(verdict.body["inputs"]["versions"], serde_json::json!([version]));
    // What a version is rolled back to counts in the same way.
    bench.must(&["rollback", "main", "work", "-m", "as it was"]);
    refused(&bench, &["rollback", "main", "main~2", "-m", "further"], "q");
}

#[test]
fn reviews_count_by_the_newest_word_of_people_other_than_the_author() {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    bench.must(&["switch", "-b", "work"]);
    bench.commit("b", "2\n");
    bench.must(&["switch", "main"]);
    bench.set_policy("[[rule]]\nname = \"r\"\nbranches = [\"main\"]\nrequired_reviews = 1\n");
    bench.commit("c", "asked at a merge only\n");
    let review = |who: &str, arguments: &[&str]| {
        let mut command = bench.command();
        command.env("STEM_AUTHOR", who).args(["--json", "review", "work"]).args(arguments);
        answer(&command.output().unwrap())
    };
    refused(&bench, &["merge", "work"], "r");
    assert_eq!(review("Ann <ANN@example.org>", &[]).0, 0);
    refused(&bench, &["merge", "work"], "r");
    assert_eq!(review(BOB, &[]).0, 0);
    assert_eq!(review(BOB, &["--reject"]).0, 2, "without a reason");
    assert_eq!(review(BOB, &["--reject", "-m", "half of it is missing"]).0, 0);
    refused(&bench, &["merge", "work"], "r");
    assert_eq!(review(BOB, &["--approve"]).0, 0);
    bench.must(&["merge", "work"]);
    let verdict = bench.verdicts().pop().unwrap().record;
    assert_eq!(verdict.body["inputs"]["reviews"]["approved"], serde_json::json!([BOB]));
}

#[test]
fn a_signature_is_asked_for_at_a_merge_and_at_a_tag() {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    let key = bench.ask(&["key", "generate"]).1;
    let id = key["key"]["id"].as_str().unwrap().to_owned();
    bench.set_policy(
        "[[rule]]\nname = \"s\"\nbranches = [\"main\"]\non = [\"merge\", \"tag\"]\nsigned = true\n",
    );
    refused(&bench, &["tag", "v1"], "s");
    bench.must(&["switch", "-b", "work"]);
    bench.put("b", "2\n");
    bench.must(&["add", "b"]);
    bench.must(&["commit", "-S", "-m", "signed, and nobody trusts the key"]);
    bench.must(&["switch", "main"]);
    refused(&bench, &["merge", "work"], "s");
    bench.must(&["key", "trust", &id]);
    bench.must(&["merge", "work"]);
    bench.must(&["tag", "v2"]);
    // A signed tag brings its signature with it.
    bench.must(&["tag", "--sign", "v1", "HEAD~1"]);
    bench.must(&["key", "revoke", &id, "--reason", "lost"]);
    refused(&bench, &["tag", "v3"], "s");
}

/// A verb that moves a branch without being in the tests above is named here.
#[test]
fn whoever_moves_a_branch_is_known() {
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if std::fs::read_to_string(&path).unwrap().contains("RefMoved {") {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    // `describe.rs` only reads such entries of the journal.
    let known = ["ask.rs", "commit.rs", "describe.rs", "merge.rs", "references.rs", "refs.rs"];
    let more = ["reset.rs", "restore.rs", "rollback.rs", "switch.rs", "undo.rs"];
    assert_eq!(found, [&known[..], &more[..]].concat());
}

#[test]
fn what_an_archive_brings_back_is_asked_about() {
    let bench = Bench::new();
    bench.commit("a", "1\n");
    let bag = bench.directory.path().join("bag");
    bench.must(&["archive", "create", "HEAD", bag.to_str().unwrap()]);
    bench.set_policy("[[rule]]\nname = \"p\"\ndatasets = [\"back\"]\nrequire = [\"purpose\"]\n");
    let restore = ["archive", "restore", bag.to_str().unwrap(), "--dataset", "back"];
    let (code, error) = bench.ask(&restore);
    assert_eq!((code, error["code"].as_str()), (14, Some("policy")), "{error}");
}
