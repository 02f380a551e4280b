//! Commands killed at every system call that changes something: nothing that was acknowledged is
//! lost, what is there is whole, and the same command again goes on to the same end.
//!
//! Uses `strace`, which `tests/run` installs where it may; skipped with a word where there is none.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

/// The calls by which a process changes what outlives it. Those that sync are not among them: they
/// matter only where the power fails.
const CALLS: &[&str] = &[
    "openat",
    "write",
    "pwrite64",
    "pwritev",
    "copy_file_range",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
    "mkdir",
    "mkdirat",
    "rmdir",
    "linkat",
    "symlinkat",
    "fallocate",
];
const KILLED: i32 = 137;

fn bash(script: &str, directory: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_stem"));
    let folder = program.parent().expect("a program lies in a directory");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    Command::new("bash")
        .args(["-c", script])
        .current_dir(directory)
        .env("PATH", path)
        // Beside the worktrees: the keys of whoever runs this would sign, and nothing came out the same.
        .env("HOME", directory.parent().unwrap_or(directory))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("STEM_KEYS")
        .env("STEM_AUTHOR", "Ann Example <ann@example.org>")
        .env("SOURCE_DATE_EPOCH", "1767323045")
        .output()
        .expect("bash runs")
}

fn must(script: &str, directory: &Path) -> String {
    let output = bash(script, directory);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is done before, what is killed, and what must hold at the end.
#[derive(Default)]
struct Story {
    before: &'static str,
    killed: &'static str,
    /// Prints what must be the same whether or not the command was killed once.
    end: &'static str,
    /// Goes on after the kill, where the same command again would do more.
    again: Option<&'static str>,
    /// Whether the repository may be one that only the same command makes usable again.
    is_repair: bool,
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        eprintln!("skipped: no strace on this machine");
    }
    found
}

/// Kills the story's command at every call that changes something, and gives how many kills there
/// were.
fn tell(story: &Story) -> usize {
    tell_by(story, 1)
}

/// The same with `STEM_KILLS=all`; otherwise only at every so manieth call, since each takes a second.
fn tell_some(story: &Story, every: usize) -> usize {
    tell_by(story, if complete() { 1 } else { every })
}

fn complete() -> bool {
    std::env::var("STEM_KILLS").is_ok_and(|word| word == "all")
}

/// Kills the story's command at every so manieth call that changes something.
fn tell_by(story: &Story, every: usize) -> usize {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    // Always in the same place: a store knows where its worktrees lie.
    let now = home.join("now");
    must(&format!("mkdir now && cd now && {}", story.before), home);
    must("cp -a now plain", home);
    must(story.killed, &now);
    let expected = must(story.end, &now);
    let points = points(story, home);
    let chosen = points.iter().step_by(every);
    let kills = chosen.filter(|(call, at)| kill_once(story, home, call, *at, &expected)).count();
    eprintln!("`{}`: {kills} kills, at {} of {} calls", story.killed, every, points.len());
    kills
}

/// The calls of the story's command that change something, each by its name and its number among the
/// calls of that name: a process that is killed between two of them is as one that is killed at the
/// second. Threads count for themselves, as they do when `strace` kills.
fn points(story: &Story, home: &Path) -> Vec<(&'static str, usize)> {
    must("rm -rf now && cp -a plain now", home);
    let calls = CALLS.join(",");
    let traced = format!("exec strace -f -qq -y -o ../trace -e trace={calls} {}", story.killed);
    must(&traced, &home.join("now"));
    let trace = must("cat trace", home);
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut points = Vec::new();
    for line in trace.lines() {
        let Some((thread, what)) = line.split_once(' ') else { continue };
        let what = what.trim_start();
        let Some(call) = CALLS.iter().find(|call| what.starts_with(&format!("{call}("))) else {
            continue;
        };
        let number = counts.entry((thread, call)).or_default();
        *number += 1;
        let point = (*call, *number);
        if changes(call, what) && !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// Whether a call that was traced has changed, or may have changed, what outlives the process.
fn changes(call: &str, what: &str) -> bool {
    let failed = what.contains(") = -1 E");
    let to_nobody = ["<pipe:", "<anon_inode:", "<socket:", "</dev/null>"];
    match call {
        _ if failed => false,
        "openat" => what.contains("O_CREAT") || what.contains("O_TRUNC"),
        "write" => {
            !to_nobody.iter().any(|fd| what.split(',').next().is_some_and(|to| to.contains(fd)))
        }
        _ => true,
    }
}

/// Whether the command was killed before its end.
fn kill_once(story: &Story, home: &Path, call: &str, number: usize, expected: &str) -> bool {
    must("rm -rf now && cp -a plain now", home);
    let now = home.join("now");
    let inject = format!("inject={call}:signal=KILL:when={number}");
    let traced =
        format!("exec strace -f -qq -o /dev/null -e trace={call} -e {inject} {}", story.killed);
    let ended = bash(&traced, &now);
    let code = ended.status.code().unwrap_or(KILLED);
    assert!(
        code == 0 || code == KILLED,
        "{call} {number}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let place = format!("`{}` killed at {call} {number}", story.killed);
    let check = bash("stem fsck --read-data", &now);
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success() || story.is_repair, "{place}: fsck says {said}");
    let again = bash(story.again.unwrap_or(story.killed), &now);
    let said = String::from_utf8_lossy(&again.stderr);
    let done_before = said.contains("nothing to commit") || said.contains("already");
    assert!(again.status.success() || done_before, "{place}, then again: {said}");
    must("stem fsck --read-data", &now);
    assert_eq!(must(story.end, &now), expected, "{place}");
    code == KILLED
}

const BEFORE: &str = "stem init -q && mkdir d && seq 30000 > d/numbers.txt && echo one > a && ln -s a l \
    && stem add -q -A && stem commit -q -m one && stem branch side";

#[test]
fn commit_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: "stem init -q && mkdir d && seq 30000 > d/numbers.txt && echo one > a \
            && stem add -q -A && stem commit -q -m one && echo two > a && seq 7 20000 > d/numbers.txt",
        killed: "stem commit -q -a -m two",
        end: "stem log --json; stem status --json; stem cat HEAD:d/numbers.txt | cksum; cat a",
        ..Story::default()
    };
    let kills = tell(&story);
    assert!(kills > 40, "only {kills} kills");
}

#[test]
fn switch_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    // A dozen new files: `strace` counts the calls of each thread, and SQLite's writes eight times
    // before the first file is written. The longest file is written in two pieces.
    let before = format!(
        "{BEFORE} && stem switch -q side && mkdir far && seq 500 > far/away \
         && for n in 1 2 3 4 5 6 7 8 9 10 11; do seq $n 9000 > far/$n; done && seq 130000 > far/z && stem add -q -A \
         && stem commit -q -m far && stem switch -q main \
         && echo two > a && rm l && seq 9 > d/new && seq 500 > near && stem add -q -A && stem commit -q -m two"
    );
    let story = Story {
        before: before.leak(),
        killed: "stem switch -q -j 1 side",
        end: "stem status --json; ls -R; cat a d/numbers.txt far/* | cksum; readlink l",
        ..Story::default()
    };
    let kills = tell(&story);
    assert!(kills > 10, "only {kills} kills");
}

#[test]
fn gc_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let before = format!(
        "{BEFORE} && stem switch -q -b doomed && seq 5 50000 > d/doomed.txt && stem add -q -A \
         && stem commit -q -m doomed && stem switch -q main && stem branch -q -D doomed"
    );
    let story = Story {
        before: before.leak(),
        killed: "stem gc -q --yes --grace 0s",
        end: "stem log --json --all; stem status --json; stem cat main:d/numbers.txt | cksum; \
            stem du --json | grep -o 'logical_bytes.*stored_bytes'",
        ..Story::default()
    };
    let kills = tell(&story);
    assert!(kills > 10, "only {kills} kills");
}

/// As [`tell_some`], and there must have been kills.
fn told(story: &Story, every: usize) {
    let kills = tell_some(story, every);
    assert!(kills > 10, "only {kills} kills");
}

#[test]
fn erase_run_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let before = format!(
        "{BEFORE} && export HOME=$PWD && stem key generate > /dev/null \
         && (seq 5 20000; python3 -c 'for n in range(999): print(n ** 9)') > d/doomed.txt \
         && stem add -q d && stem commit -q -m doomed && stem tag v1 > /dev/null \
         && stem rm -q d/doomed.txt && stem commit -q -m gone \
         && stem erase plan --path d/doomed.txt --reason x --json | grep -o '\"plan\":\"[0-9a-f]*' \
         | cut -d'\"' -f4 > .plan"
    );
    let story = Story {
        before: before.leak(),
        killed: "env HOME=$PWD stem erase run -q $(cat .plan)",
        end: "stem log --json --all; stem ls v1 -r --json; stem cat v1:d/numbers.txt | cksum; \
            HOME=$PWD stem erase verify $(cat .plan); stem gc -q --yes --grace 0s; stem fsck --read-data; \
            stem du --json | grep -o 'logical_bytes.*stored_bytes'",
        ..Story::default()
    };
    told(&story, 6);
}

/// Two tables in two versions; the worktree has one of them.
const TABLES: &str = "stem init -q && export HOME=$PWD/.home && mkdir .home && echo .home > .stemignore \
    && stem key generate > /dev/null \
    && python3 -c 'for n in range(900): print(\"{\\\"id\\\":%d,\\\"text\\\":\\\"%x\\\"}\" % (n, n ** 11))' > t.jsonl \
    && (echo id,text; python3 -c 'for n in range(300): print(\"%d,%x\" % (n, n ** 9))') > t.csv \
    && stem add -q -A && stem commit -q -m one && stem tag v1 > /dev/null \
    && echo '{\"id\":77777,\"text\":\"new\"}' >> t.jsonl && stem rm -q t.csv && stem commit -q -a -m two";

#[test]
fn erasing_records_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let before = format!(
        "{TABLES} && stem erase plan --key id=123 --reason x --json | grep -o '\"plan\":\"[0-9a-f]*' \
         | cut -d'\"' -f4 > .home/plan"
    );
    let story = Story {
        before: before.leak(),
        killed: "env HOME=$PWD/.home stem erase run -q $(cat .home/plan)",
        end: "export HOME=$PWD/.home; stem log --json --all; stem ls v1 -r --json; \
            for f in v1:t.jsonl v1:t.csv main:t.jsonl; do stem cat $f | cksum; done; cksum < t.jsonl; \
            stem status --porcelain; stem erase verify $(cat .home/plan) > /dev/null && echo verified; \
            stem certificate verify $(cat .home/plan) --key $(ls .home/.config/stem/keys/*.pub) \
            --store .stem/store > /dev/null && echo certified; stem gc -q --yes --grace 0s > /dev/null; \
            stem fsck --read-data > /dev/null && echo sound",
        ..Story::default()
    };
    told(&story, 24);
}

#[test]
fn retiring_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let before = format!(
        "{TABLES} && stem classify now core --reason r --reviewer Bo && \
         stem classify now:t.csv auxiliary --reason s --reviewer Bo && \
         stem retire plan now --core-to .home/kept --aux destroy --reason x --json \
         | grep -o '\"plan\":\"[0-9a-f]*' | cut -d'\"' -f4 > .home/plan"
    );
    let story = Story {
        before: before.leak(),
        killed: "env HOME=$PWD/.home stem retire run -q $(cat .home/plan)",
        end: "export HOME=$PWD/.home; stem log --json --all | grep -o '\"version\":\"[0-9a-f]*'; \
            stem ls v1 -r --json; stem cat v1:t.jsonl | cksum; stem state show now | head -1; \
            stem retire verify $(cat .home/plan) > /dev/null && echo verified; \
            for a in .home/kept/*; do stem archive verify $a > /dev/null && echo whole; done; \
            stem fsck --read-data > /dev/null && echo sound",
        ..Story::default()
    };
    told(&story, 40);
}

/// Two branches that differ in several files each.
const TWO_SIDES: &str = "stem init -q && mkdir d && seq 30000 > d/numbers.txt && echo one > a && ln -s a l \
    && stem add -q -A && stem commit -q -m one && stem switch -q -b side && seq 9 > d/new && rm l \
    && stem add -q -A && stem commit -q -m side && stem switch -q main && echo two > a \
    && seq 7 20000 > d/more.txt && stem add -q -A && stem commit -q -m two";

#[test]
fn merge_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: TWO_SIDES,
        killed: "stem merge -q side -m joined",
        end: "stem log --json --all; stem status --json; ls -R; cat a d/* | cksum; stem ls -r --json",
        ..Story::default()
    };
    told(&story, 3);
}

#[test]
fn undo_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: TWO_SIDES,
        killed: "stem undo -q",
        // Done twice it takes back the change before as well.
        again: Some("if stem log -n 1 --oneline | grep -q two; then stem undo -q; fi"),
        end: "stem log --json; stem status --json; ls -R; cat a d/* | cksum",
        ..Story::default()
    };
    told(&story, 3);
}

#[test]
fn a_rebuild_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: TWO_SIDES,
        killed: "stem fsck -q --rebuild",
        end: "stem log --json --all; stem status --json; stem branch --json; stem audit verify",
        is_repair: true,
        ..Story::default()
    };
    told(&story, 5);
}

#[test]
fn import_git_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: "stem init -q && echo src > .stemignore && mkdir src && cd src && git init -q -b main . \
            && export GIT_AUTHOR_DATE=@1700000000 GIT_COMMITTER_DATE=@1700000000 \
            && git remote add origin https://example.org/numbers.git && git config user.name Ada && git config user.email a@x.org \
            && seq 9000 > numbers && ln -s numbers l && git add . && git commit -q -m one \
            && git switch -q -c side && echo side > s && git add . && git commit -q -m side \
            && git switch -q main && seq 8000 > numbers && git commit -q -a -m two \
            && git merge -q side -m joined && git tag -a -m said v1",
        killed: "stem import git src -q",
        end: "stem log --json --all; stem status --json; stem tag --json; ls; cksum numbers; readlink l",
        ..Story::default()
    };
    told(&story, 4);
}

/// A command that is not safe must be seen, or what the others report is void.
#[test]
fn the_harness_catches_a_command_that_may_not_be_killed() {
    if !has_strace() {
        return;
    }
    let story = Story {
        before: "stem init -q && echo one > a && stem add -q -A && stem commit -q -m one && echo b > b",
        killed: "sh -c 'cat a >> b; mkdir done 2> /dev/null; true'",
        end: "cat b",
        ..Story::default()
    };
    let caught = std::panic::catch_unwind(|| tell(&story));
    assert!(caught.is_err(), "a kill between two steps must leave another end");
}

/// Ctrl-C in the middle ends with 130, leaves what is there whole, and the same command goes on.
#[test]
fn an_interrupted_command_ends_with_130_and_goes_on() {
    let home = tempfile::tempdir().expect("a temporary directory");
    must("stem init -q && for n in 1 2 3 4 5 6; do seq $n 3 4000000 > $n; done", home.path());
    let ended = bash("stem add -q -A & sleep 0.3; kill -INT $!; wait $!", home.path());
    // Where the machine is fast enough to be done by then, nothing was interrupted.
    assert!(matches!(ended.status.code(), Some(130 | 0)), "{:?}", ended.status);
    must("stem add -q -A && stem commit -q -m all && stem fsck --read-data", home.path());
    assert_eq!(must("stem status --porcelain", home.path()), "");
    assert_eq!(must("stem cat HEAD:6 | cksum", home.path()), must("cksum < 6", home.path()));
}

/// Kills at moments that no call marks. `STEM_KILLS=all` makes it a hundred.
#[test]
fn erasing_records_survives_kills_at_random_moments() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let now = home.join("now");
    must(&format!("mkdir now && cd now && {TABLES}"), home);
    let plan = "HOME=$PWD/.home stem erase plan --key id=123 --reason x --json \
        | grep -o '\"plan\":\"[0-9a-f]*' | cut -d'\"' -f4 > .home/plan";
    must(plan, &now);
    must("cp -a now plain", home);
    let kept = must("stem cat v1:t.jsonl | grep -v '\"id\":123,' | cksum", &now);
    let (mut killed, rounds) = (0, if complete() { 100 } else { 4 });
    for round in 0..rounds {
        must("rm -rf now && cp -a plain now", home);
        let wait = f64::from((round * 37) % rounds) / f64::from(rounds);
        let run = "env HOME=$PWD/.home stem erase run -q $(cat .home/plan)";
        let script = format!("timeout -s KILL {:.3} {run}", 0.01 + wait);
        killed += i32::from(!bash(&script, &now).status.success());
        must("stem fsck --read-data", &now);
        must(run, &now);
        let end = "HOME=$PWD/.home stem erase verify $(cat .home/plan) > /dev/null; stem fsck --read-data > /dev/null; \
            stem cat v1:t.jsonl | cksum";
        assert_eq!(must(end, &now), kept, "killed after {wait} s");
    }
    eprintln!("{killed} of {rounds} were killed before their end");
}

#[test]
fn making_an_archive_survives_a_kill_at_every_call() {
    if !has_strace() {
        return;
    }
    let before = format!("{BEFORE} && stem key generate > /dev/null");
    let story = Story {
        before: before.leak(),
        killed: "stem archive create main out -q -j 1",
        // One that was killed after it had signed a checkpoint leaves the journal longer by that.
        end: "stem archive verify out | sed 's/part of one of [45],/part of one of some,/' \
            && cat out/manifest-sha256.txt && ls -A . && stem log --json",
        ..Story::default()
    };
    let kills = tell(&story);
    assert!(kills > 20, "only {kills} kills");
}
