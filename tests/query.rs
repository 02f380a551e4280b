//! `stem query`: whatever is asked, nothing changes, and no question runs for ever.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        assert_eq!(bench.ask(&["init", "."]).0, 0);
        put(&bench.directory.path().join("a"), "one\n");
        assert_eq!(bench.ask(&["add", "-A"]).0, 0);
        assert_eq!(bench.ask(&["commit", "-m", "first"]).0, 0);
        assert_eq!(bench.ask(&["metric", "set", "HEAD", "accuracy=0.5"]).0, 0);
        bench
    }

    /// The exit code, and the answer or the error.
    fn ask(&self, arguments: &[&str]) -> (i32, Value) {
        self.answer(Command::new(env!("CARGO_BIN_EXE_stem")), arguments)
    }

    /// As [`Bench::ask`], in so many KiB of memory.
    fn ask_within(&self, most: u64, arguments: &[&str]) -> (i32, Value) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {most}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_stem"));
        self.answer(command, arguments)
    }

    fn answer(&self, mut command: Command, arguments: &[&str]) -> (i32, Value) {
        command.current_dir(self.directory.path()).env("HOME", self.directory.path());
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").arg("--json").args(arguments);
        let output = command.output().unwrap();
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let mut answer: Value = serde_json::from_slice(text).unwrap_or_else(|_| {
            panic!("{arguments:?} {}", String::from_utf8_lossy(&output.stderr))
        });
        let part = if answer.get("error").is_some() { "error" } else { "data" };
        (output.status.code().unwrap(), answer[part].take())
    }

    /// Every file of the directory, byte for byte; of the database's files only those that hold
    /// what is in it (the shared memory beside it changes when it is read).
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        gather(self.directory.path(), &mut files);
        files.retain(|name, bytes| {
            !(name.ends_with("-shm") || name.ends_with("-wal") && bytes.is_empty())
        });
        files
    }
}

fn gather(directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// What would write, attach, load, or change a setting.
const HOSTILE: &[&str] = &[
    "DELETE FROM version",
    "INSERT INTO dataset VALUES ('x', 0)",
    "UPDATE version SET message = 'x'",
    "REPLACE INTO dataset VALUES ('x', 0)",
    "DROP TABLE version",
    "CREATE TABLE x (y)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON journal BEGIN DELETE FROM ref; END",
    "ALTER TABLE version ADD COLUMN x",
    "ATTACH DATABASE 'other.db' AS other",
    "ATTACH 'file:other.db?mode=rwc' AS other",
    "DETACH main",
    "PRAGMA writable_schema = ON",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "VACUUM",
    "VACUUM INTO 'stolen.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "SAVEPOINT s",
    "SELECT 1; DELETE FROM version",
    "SELECT 1;\n-- nothing\nVACUUM INTO 'stolen.db'",
    "/* SELECT */ DELETE FROM version",
    "-- SELECT\nDELETE FROM version",
    "EXPLAIN DELETE FROM version",
    "WITH x AS (SELECT 1) DELETE FROM version",
    "WITH x AS (SELECT 1) INSERT INTO dataset SELECT 'x', 0",
    "WITH x AS (SELECT 1) UPDATE version SET message = 'x'",
    "WITH x AS (SELECT 1) REPLACE INTO dataset SELECT 'x', 0",
    "SELECT load_extension('./evil.so')",
    "SELECT \"load_extension\"('./evil.so')",
    "SELECT * FROM pragma_query_only(0)",
    "SELECT * FROM \"pragma_journal_mode\"",
    "SELECT * FROM 'pragma_writable_schema'",
    "SELECT * FROM [pragma_wal_checkpoint]",
    "SELECT fts3_tokenizer('simple', x'0000000000000000')",
    "SELECT writefile('stolen', 'x')",
    "SELECT edit('x')",
    "SELECT 1) ; DELETE FROM version; --",
    "SELECT 1) UNION SELECT (2",
    "SELECT 'open",
    "",
    ";",
    "\u{feff}DELETE FROM version",
    "SELECT * FROM nothing",
    "INSERT INTO words_index (words_index) VALUES ('delete-all')",
];

#[test]
fn whatever_is_asked_nothing_changes() {
    let bench = Bench::new();
    let before = bench.files();
    for sql in HOSTILE {
        let (code, error) = bench.ask(&["query", "--", sql]);
        assert_eq!((code, &error["code"]), (2, &"bad_query".into()), "{sql}: {error}");
        assert!(bench.files() == before, "{sql} has changed a file");
    }
    // The same by the other way in which a user's text becomes part of a statement.
    for sql in HOSTILE.iter().filter(|sql| !sql.is_empty()) {
        let (code, error) = bench.ask(&["log", &format!("--where={sql}")]);
        assert_eq!((code, &error["code"]), (2, &"bad_query".into()), "{sql}: {error}");
    }
    for sql in ["1 UNION SELECT 1", "1) UNION SELECT version FROM versions --", "(1", "1;", "x.y"] {
        let (code, error) = bench.ask(&["log", &format!("--where={sql}")]);
        assert_eq!((code, &error["code"]), (2, &"bad_query".into()), "{sql}: {error}");
    }
    assert!(bench.files() == before, "a condition has changed a file");
    let (code, answer) = bench.ask(&["query", "SELECT count(*) FROM versions"]);
    assert_eq!((code, &answer["rows"]), (0, &serde_json::json!([[1]])));
}

#[test]
fn a_question_without_end_is_given_up() {
    let bench = Bench::new();
    for sql in [
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM records a, records b, (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL \
         SELECT x + 1 FROM c) SELECT x FROM c) WHERE x < 0",
    ] {
        let begun = Instant::now();
        let (code, error) = bench.ask(&["query", sql, "--timeout", "1"]);
        assert_eq!((code, &error["code"]), (2, &"too_slow".into()), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
    // An answer without end is cut off where it is told to be.
    let sql = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c";
    let (code, answer) = bench.ask(&["query", sql, "--limit", "3"]);
    assert_eq!((code, &answer["truncated"]), (0, &true.into()));
    assert_eq!(answer["rows"], serde_json::json!([[1], [2], [3]]));
}

/// What needs too much memory is refused, however it comes to need it, and leaves no file behind.
#[test]
fn a_question_that_needs_too_much_memory_is_given_up() {
    let bench = Bench::new();
    let before = bench.files();
    for (sql, code) in [
        ("SELECT zeroblob(1000000000)", "too_much"),
        ("SELECT hex(zeroblob(900000000))", "too_much"),
        ("SELECT zeroblob(2000000000)", "too_much"),
        (
            "SELECT length(group_concat(hex(zeroblob(10000000)))) FROM (VALUES (1), (2), (3), (4), (5), \
          (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20))",
            "too_much",
        ),
        // Sorted, and made distinct.
        (
            "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) \
          SELECT x, hex(zeroblob(5000)) FROM c ORDER BY x DESC",
            "too_much",
        ),
        (
            "WITH RECURSIVE c (x) AS (SELECT 1 UNION SELECT x + 1 FROM c) SELECT count(*) FROM c",
            "too_much",
        ),
        // Many rows, each of them small enough.
        (
            "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) \
          SELECT zeroblob(100000) FROM c",
            "too_much",
        ),
    ] {
        let begun = Instant::now();
        let (exit, error) = bench.ask_within(1 << 20, &["query", sql, "--memory", "64"]);
        assert_eq!((exit, &error["code"]), (2, &code.into()), "{sql}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("--memory"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{sql}: {:?}", begun.elapsed());
    }
    // Many values in one row, and one that is copied to be handed on.
    let wide = vec!["zeroblob(100000)"; 1000].join(", ");
    for sql in [format!("SELECT {wide}"), "SELECT zeroblob(40000000)".to_owned()] {
        let (exit, error) = bench.ask_within(1 << 20, &["query", &sql, "--memory", "64"]);
        assert_eq!((exit, &error["code"]), (2, &"too_much".into()), "{error}");
    }
    // The same by way of a condition, with the limit that nobody chooses.
    let (exit, error) = bench.ask(&["log", "--where", "length(hex(zeroblob(400000000))) > 0"]);
    assert_eq!((exit, &error["code"]), (2, &"too_much".into()), "{error}");
    // What fits is answered.
    let (exit, answer) =
        bench.ask(&["query", "SELECT length(zeroblob(30000000))", "--memory", "64"]);
    assert_eq!((exit, &answer["rows"]), (0, &serde_json::json!([[30_000_000]])));
    for wrong in ["0", "7", "-1", "x"] {
        let (exit, error) = bench.ask(&["query", "SELECT 1", &format!("--memory={wrong}")]);
        assert_eq!((exit, &error["code"]), (2, &"usage".into()), "{error}");
    }
    assert!(bench.files() == before, "a file has changed");
}

#[test]
fn every_kind_of_value_has_its_json() {
    let bench = Bench::new();
    let sql = "SELECT 9223372036854775807 AS a, -0.5 AS a, 9e999 AS c, NULL AS d, x'00FF' AS e, \
               'é\u{1}' AS f, CAST(x'ff41' AS TEXT) AS g -- the end";
    let (code, answer) = bench.ask(&["query", sql]);
    assert_eq!(code, 0, "{answer}");
    assert_eq!(answer["columns"], serde_json::json!(["a", "a", "c", "d", "e", "f", "g"]));
    let row = serde_json::json!([i64::MAX, -0.5, "inf", null, "00ff", "é\u{1}", "\u{fffd}A"]);
    assert_eq!(answer["rows"][0], row);
    // No row has columns too.
    let (_, answer) = bench.ask(&["query", "SELECT version FROM versions WHERE 0"]);
    assert_eq!(
        (&answer["columns"][0], &answer["rows"]),
        (&"version".into(), &serde_json::json!([]))
    );
}

#[test]
fn every_view_answers_and_is_described() {
    let bench = Bench::new();
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalogue.md"))
            .unwrap();
    let (_, answer) = bench.ask(&["query", "--views"]);
    let views = answer["rows"].as_array().unwrap();
    assert!(views.len() >= 16, "{views:?}");
    for view in views {
        let name = view[0].as_str().unwrap();
        let (code, all) = bench.ask(&["query", &format!("SELECT * FROM {name}")]);
        assert_eq!(code, 0, "{name}: {all}");
        let columns: Vec<&str> = all["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column.as_str().unwrap())
            .collect();
        assert_eq!(columns.join(", "), view[1].as_str().unwrap(), "{name}");
        let line = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let line = line.unwrap_or_else(|| panic!("docs/catalogue.md does not describe `{name}`"));
        for column in columns {
            assert!(line.contains(&format!("`{column}`")), "`{name}`.`{column}` is not described");
        }
    }
}

#[test]
fn the_version_is_told_without_opening_anything() {
    let bench = Bench::new();
    // A repository that cannot be opened, and a home that is none.
    put(&bench.directory.path().join(".stem/config.toml"), "not a config");
    let output = Command::new(env!("CARGO_BIN_EXE_stem"))
        .current_dir(bench.directory.path())
        .env_clear()
        .arg("--version")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("stem "));
    assert!(output.stderr.is_empty());
}

/// Records need no lock of the worktree: all that are added at once are kept.
#[test]
fn figures_that_are_set_at_once_are_all_kept() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for number in 0..6 {
            let bench = &bench;
            scope.spawn(move || {
                let figure = format!("m{number}={number}");
                let (code, answer) = bench.ask(&["metric", "set", "HEAD", &figure]);
                assert_eq!(code, 0, "{answer}");
            });
        }
    });
    let (_, answer) = bench.ask(&["query", "SELECT count(DISTINCT name) FROM latest_metrics"]);
    assert_eq!(answer["rows"], serde_json::json!([[7]]));
    let (_, answer) = bench.ask(&["metric", "set", "HEAD", "x=1", "--threshold", "nan"]);
    assert_eq!(answer["code"], "refused");
    let (_, answer) = bench.ask(&["metric", "set", "HEAD", "x\ty=1"]);
    assert_eq!(answer["code"], "refused");
}
