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

fn run(command: &str, directory: &Path, now: &mut String) {
    let program = Path::new(env!("CARGO_BIN_EXE_stem"));
    let folder = program.parent().expect("a program lies in a directory");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(directory)
        .env_clear()
        .env("PATH", path)
        .env("HOME", directory)
        .env("FIXTURES", Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("STEM_AUTHOR", AUTHOR)
        .env("SOURCE_DATE_EPOCH", CLOCK)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("bash runs");
    for bytes in [output.stdout, output.stderr] {
        let text = String::from_utf8_lossy(&bytes).replace(&*directory.to_string_lossy(), "[DIR]");
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
