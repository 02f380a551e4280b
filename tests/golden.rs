//! Every verb as a user sees it: `tests/golden/*.txt` hold commands and what they print.
//!
//! A line `$ command` is run by `bash` in an empty directory of the file's own, with `stem` on the
//! path, a fixed author and a fixed clock, the fixtures in `$FIXTURES`; what follows is what it prints (stderr after stdout), and
//! `[n]` its exit code if it is not 0. `UPDATE_GOLDEN=1 cargo test --test golden` writes them anew:
//! read the difference before you commit it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const AUTHOR: &str = "Ann Example <ann@example.org>";
/// 2026-01-02 03:04:05 UTC
const CLOCK: &str = "1767323045";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Runs the commands of a file and gives the file with what they print now.
fn play(text: &str, directory: &Path) -> String {
    let mut now = String::new();
    for line in text.lines().filter(|line| line.starts_with("$ ") || line.starts_with('#')) {
        now.push_str(line);
        now.push('\n');
        if let Some(command) = line.strip_prefix("$ ") {
            run(command, directory, &mut now);
        }
    }
    now
}

/// As [`play`], for the commands in the `console` blocks of a page; its prose stays as it is.
fn play_page(text: &str, directory: &Path) -> String {
    let (mut now, mut in_block, mut ids) = (String::new(), false, Vec::new());
    for line in text.lines() {
        let is_fence = line.starts_with("```");
        let shown = is_fence || !in_block || line.starts_with("$ ");
        if shown {
            now.push_str(line);
            now.push('\n');
        }
        if in_block && let Some(command) = line.strip_prefix("$ ") {
            let mut said = String::new();
            run(command, directory, &mut said);
            now.push_str(&number_ids(&said, &mut ids));
        }
        if is_fence {
            in_block = !in_block && line == "```console";
        }
    }
    now
}

/// Ids of versions depend on the machine that a step ran on, so a page shows them as v1, v2, … in
/// the order in which they come.
fn number_ids(text: &str, ids: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()).max(1);
        let word = (word..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(word);
        let is_id = [12, 64].contains(&head.len()) && head.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            let known = ids.iter().position(|id| id == &head[..12]);
            let number = known.unwrap_or(ids.len()) + 1;
            if known.is_none() {
                ids.push(head[..12].to_owned());
            }
            write!(out, "{:·<12}", format!("v{number}")).expect("writing to a string");
        } else {
            out.push_str(head);
        }
        rest = tail;
    }
    out
}

/// The tutorial is what really happens.
#[test]
fn the_tutorial_of_an_audit_is_what_happens() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial-audit.md");
    let text = std::fs::read_to_string(&file).expect("the tutorial is there");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().canonicalize().expect("it is there").join("data");
    std::fs::create_dir(&place).expect("a directory can be made");
    let now = play_page(&text, &place);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        #[expect(clippy::disallowed_methods, reason = "the page itself")]
        std::fs::write(&file, &now).expect("the page can be written");
    }
    let first = text.lines().zip(now.lines()).position(|(a, b)| a != b).map(|line| line + 1);
    assert!(now == text, "not as recorded, from line {first:?}:\n{now}");
}

fn run(command: &str, directory: &Path, now: &mut String) {
    let program = Path::new(env!("CARGO_BIN_EXE_stem"));
    let folder = program.parent().expect("a program lies in a directory");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(directory)
        .env_clear()
        .env("PATH", path)
        .env("HOME", directory)
        .env("FIXTURES", &fixtures)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("STEM_AUTHOR", AUTHOR)
        .env("SOURCE_DATE_EPOCH", CLOCK)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("bash runs");
    for bytes in [output.stdout, output.stderr] {
        let text = String::from_utf8_lossy(&bytes).replace(&*directory.to_string_lossy(), "[DIR]");
        let text = text.replace(&*fixtures.to_string_lossy(), "$FIXTURES");
        now.push_str(&text);
        if !text.is_empty() && !text.ends_with('\n') {
            now.push_str("%\n");
        }
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => writeln!(now, "[{code}]").expect("writing to a string"),
        None => now.push_str("[killed]\n"),
    }
}

#[test]
fn every_verb_prints_what_the_golden_files_say() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("tests/golden is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 7, "only {} golden files", files.len());
    let mut different = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a golden file is text");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().canonicalize().expect("it is there").join("data");
        std::fs::create_dir(&place).expect("a directory can be made");
        let now = play(&text, &place);
        if now == text {
            continue;
        }
        if update {
            #[expect(clippy::disallowed_methods, reason = "the golden file itself")]
            std::fs::write(&file, &now).expect("a golden file can be written");
        } else {
            let first = text.lines().zip(now.lines()).position(|(a, b)| a != b);
            writeln!(different, "{} from line {:?}:\n{now}", file.display(), first.map(|n| n + 1))
                .expect("writing to a string");
        }
    }
    assert!(different.is_empty(), "not as recorded:\n{different}");
}

/// The verbs that the help lists have a golden file that runs them.
#[test]
fn every_verb_of_the_help_is_in_a_golden_file() {
    let output = Command::new(env!("CARGO_BIN_EXE_stem")).arg("--help").output().expect("it runs");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let verbs: Vec<_> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    let mut golden = String::new();
    for entry in std::fs::read_dir(folder()).expect("tests/golden is there") {
        let path = entry.expect("an entry").path();
        golden.push_str(&std::fs::read_to_string(path).expect("a golden file is text"));
    }
    // What has a test of its own.
    let elsewhere = ["tour", "import", "bisect", "fsck", "gc", "doctor"];
    for verb in verbs {
        let used = golden.contains(&format!("stem {verb}")) || elsewhere.contains(&verb);
        assert!(used, "no golden file runs `stem {verb}`");
    }
}
