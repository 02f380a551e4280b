//! What every verb understands, wherever it is run.

use crate::place::{Place, ran};
use crate::{busy, typed};

/// Every verb that answers something takes `--json`, before itself and behind.
#[test]
fn the_options_of_every_verb_may_stand_before_it_and_behind() {
    let place = busy();
    for args in [["--json", "status"], ["status", "--json"]] {
        assert!(place.good(&args).out.starts_with("{\"schema\":\"stem.status/1\""));
    }
    let inside = place.dir.path().join("data").display().to_string();
    for args in [["-C", &inside, "branch"], ["branch", "-C", &inside]] {
        let other = ran(place.command(&args).current_dir("/"));
        assert_eq!(other.out, place.good(&["branch"]).out);
    }
    for flag in ["-q", "-v", "--no-input", "-y", "-j1", "-j 2", "--color=never", "--threads=3"] {
        for verb in ["status", "log", "diff", "ls", "du", "fsck", "gc -n", "branch", "reflog"] {
            typed(&place, &format!("{flag} {verb}"));
            typed(&place, &format!("{verb} {flag}"));
        }
    }
}

#[test]
fn quiet_says_nothing_but_the_answer() {
    let place = busy();
    place.good(&["reset", "--hard", "--force", "HEAD"]);
    for line in [
        "add -A",
        "commit -m x --allow-empty",
        "switch side",
        "switch main",
        "merge side -m joined",
        "undo",
        "tag v9",
        "branch fresh",
        "mv a z",
        "restore --staged a z",
        "reset --hard --force HEAD",
        "export HEAD ../out",
        "rollback main v1 -m why",
        "revert HEAD",
    ] {
        let quiet = typed(&place, &format!("{line} -q"));
        assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""), "{line}");
    }
    assert!(!place.good(&["-q", "status"]).out.is_empty());
    assert!(!place.run(&["-q", "switch", "nope"]).err.is_empty());
}

#[test]
fn every_verb_works_from_a_subdirectory() {
    let place = busy();
    let below = place.top.join("d");
    let within = |line: &str| {
        let ran = ran(place.command(&crate::words(line)).current_dir(&below));
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    };
    assert_eq!(within("status --porcelain").out, place.good(&["status", "--porcelain"]).out);
    assert_eq!(within("log --oneline").out, place.good(&["log", "--oneline"]).out);
    within("add b");
    crate::place::put(&below.join("c"), b"c\n");
    within("add .");
    within("mv c ../moved");
    within("rm --cached ../moved");
    within("commit -m below");
    within("log -- b");
    within("diff HEAD~1 HEAD -- b");
    within("restore -s HEAD~1 b");
    within("checkout -f -- b");
    within("switch side --force");
    within("cat HEAD:d/b");
    within("fsck");
    within("export HEAD ../../out");
    assert!(place.dir.path().join("out/d/b").is_file());
}

#[test]
fn two_dashes_end_the_options() {
    let place = Place::new();
    for name in ["-rf", "--json", "--"] {
        place.write(name, name.as_bytes());
    }
    place.good(&["add", "--", "-rf", "--json", "--"]);
    assert_eq!(place.json(&["status"])["staged"].as_array().unwrap().len(), 3);
    place.good(&["commit", "-m", "odd"]);
    place.good(&["mv", "--", "-rf", "-fr"]);
    place.good(&["rm", "--", "--json"]);
    place.good(&["restore", "--staged", "--", "--json"]);
    place.good(&["restore", "--", "--json"]);
    assert!(place.top.join("--json").is_file());
    assert!(place.good(&["log", "--", "--json"]).out.starts_with("version "));
}

#[test]
fn colour_is_for_terminals_and_who_asks_for_it() {
    let place = busy();
    let shown = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut command = place.command(args);
        ran(command.envs(variable)).out.contains('\x1b')
    };
    for line in [["status"], ["log"], ["diff"]] {
        assert!(!shown(&line, None), "{line:?}");
        assert!(!shown(&[line[0], "--color", "never"], None), "{line:?}");
        assert!(shown(&[line[0], "--color", "always"], None), "{line:?}");
        assert!(!shown(&line, Some(("NO_COLOR", "1"))), "{line:?}");
        assert!(!shown(&[line[0], "--json", "--color", "always"], None), "{line:?}");
    }
}

#[test]
fn a_fixed_clock_gives_the_same_ids_twice() {
    let (one, two) = (busy(), busy());
    for verb in [&["log", "--all"][..], &["branch"], &["tag"], &["ls", "-r"], &["diff"]] {
        assert_eq!(one.json(verb), two.json(verb), "{verb:?}");
    }
    let later = ran(one
        .command(&["commit", "--json", "-m", "later"])
        .env("SOURCE_DATE_EPOCH", "1800000001"));
    let same = ran(&mut two.command(&["commit", "--json", "-m", "later"]));
    assert_ne!(later.out, same.out, "the time is part of the version");
}

/// A reader that goes away ends the program quietly.
#[test]
fn a_pipe_that_breaks_ends_it_quietly() {
    let place = Place::new();
    for number in 0..400 {
        place.write(format!("many/{number:0200}"), b"x");
    }
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "many"]);
    place.write("long", &b"a line\n".repeat(100_000));
    place.good(&["add", "long"]);
    place.good(&["commit", "-m", "long"]);
    for verb in ["ls -r", "ls -r --json", "cat HEAD:long", "show HEAD~1", "diff HEAD~2 --json"] {
        let ran =
            place.shell(&format!("{{ \"$STEM\" {verb}; echo \"code $?\" >&2; }} | head -c 9"));
        assert_eq!((ran.out.len(), ran.err.as_str()), (9, "code 0\n"), "{verb}: {ran:?}");
    }
}

/// What Git's users type out of habit does what it does there, or says what to type.
#[test]
fn habits_of_git_are_understood() {
    let place = busy();
    assert_eq!(place.good(&["branch", "--show-current"]).out, "main\n");
    assert_eq!(place.good(&["branch", "--list"]).out, place.good(&["branch"]).out);
    assert_eq!(place.good(&["branch", "-a"]).out, place.good(&["branch"]).out);
    assert_eq!(place.good(&["tag", "-l"]).out, place.good(&["tag"]).out);
    place.good(&["tag", "-a", "v3", "-m", "said"]);
    assert_eq!(place.good(&["log", "-2", "--oneline"]).out.lines().count(), 2);
    assert_eq!(place.good(&["help", "add"]).out, place.good(&["add", "--help"]).out);
    assert_eq!(place.good(&["help"]).out, place.good(&["--help"]).out);
    assert!(place.good(&["diff", "--cached"]).out.contains("staged"));
    place.good(&["checkout", "-b", "fresh"]);
    place.good(&["checkout", "main"]);
    place.good(&["rm", "-r", "--cached", "d"]);
    for (verb, instead) in [
        ("comit", "did you mean `commit`?"),
        ("stauts", "did you mean `status`?"),
        ("ad", "did you mean `add`?"),
        ("push", "stem init --store"),
        ("stash", "stem switch -b"),
        ("zzz", "`stem --help` lists the verbs"),
    ] {
        place.refused(&[verb], 2, &format!("there is no verb `{verb}`"));
        place.refused(&[verb], 2, instead);
    }
    place.refused(&["config", "got"], 2, "did you mean `get`?");
    // As Git sets it.
    place.refused(&["config", "core.threads", "3"], 2, "`stem config set core.threads …` makes it");
    place.refused(&["key", "make"], 2, "`stem key --help` lists the verbs");
    let ran = place.run(&["--json", "add"]);
    assert!(ran.err.contains("PATH"), "it says which argument is missing: {ran:?}");
}

/// As in Git: each `-m` is a paragraph, and one may begin with a dash.
#[test]
fn messages_are_paragraphs() {
    let place = Place::new();
    for (args, message) in [
        (&["commit", "--allow-empty", "-m", "one", "-m", "two"][..], "one\n\ntwo"),
        (&["commit", "--allow-empty", "-am", "-dash"], "-dash"),
        (&["commit", "--allow-empty", "-m", "--all"], "--all"),
        (&["rollback", "main", "HEAD~1", "-m", "-why"], "-why"),
    ] {
        place.good(args);
        let said = place.json(&["log", "-n1"])["versions"][0]["message"].clone();
        assert!(said.as_str().unwrap().starts_with(message), "{args:?}: {said}");
    }
    place.good(&["tag", "v1", "-m", "one", "-m", "two"]);
    assert_eq!(place.json(&["tag"])["tags"][0]["message"], "one\n\ntwo");
}
