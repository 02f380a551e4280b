//! A repository, keys of a user beside it, the program, and a shell on the database.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sqlx::Connection;
use tempfile::TempDir;

pub(crate) const ANN: &str = "Ann Example <ann@example.org>";

/// A directory with a repository in `work` and the user's keys in `keys`.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
}

impl Place {
    /// A new repository, without keys.
    pub(crate) fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.work()).unwrap();
        place.ok(&["init"]);
        place
    }

    /// With a key that the store trusts with everything.
    pub(crate) fn with_key() -> (Self, String) {
        let place = Self::new();
        let id = place.make_key();
        place.ok(&["key", "trust", &id, "--role", "author", "--role", "custodian"]);
        (place, id)
    }

    /// As [`Place::with_key`], with `count` versions.
    pub(crate) fn with_versions(count: u32) -> (Self, String) {
        let (place, id) = Self::with_key();
        for number in 0..count {
            place.commit(&format!("number {number}"));
        }
        (place, id)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.work().join(".stem/store")
    }

    pub(crate) fn make_key(&self) -> String {
        let made = self.json(&["key", "generate"]).1;
        made["key"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.args(arguments).current_dir(self.work());
        command.env("STEM_AUTHOR", ANN).env("SOURCE_DATE_EPOCH", "1795443000");
        command.env("HOME", self.directory.path()).env("STEM_KEYS", self.path("keys"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a verb that must end with 0.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a verb that must end with `exit`, and gives what it says on stderr.
    pub(crate) fn fails(&self, exit: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {text}");
        text
    }

    /// The exit code, and the answer.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"));
        (output.status.code().unwrap(), document["data"].clone())
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        self.commit_with(message, &[])
    }

    pub(crate) fn commit_with(&self, message: &str, more: &[&str]) -> String {
        put(&self.work().join("file"), message.as_bytes());
        self.ok(&["add", "file"]);
        let (exit, data) = self.json(&[&["commit", "-m", message], more].concat());
        assert_eq!(exit, 0);
        data["version"].as_str().unwrap().to_owned()
    }

    /// The checkpoint of the journal as it is.
    pub(crate) fn checkpoint(&self, name: &str) -> String {
        let path = self.path(name).to_str().unwrap().to_owned();
        self.ok(&["audit", "checkpoint", "-o", &path]);
        path
    }

    /// Runs SQL behind the program's back, as with an SQLite shell.
    pub(crate) fn shell(&self, text: &str) {
        shell(&self.store().join("catalogue.db"), text);
    }
}

/// Runs SQL on a database, without the rules that the program sets for itself.
pub(crate) fn shell(path: &Path, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let text = format!("PRAGMA ignore_check_constraints = ON; {text}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let mut options = std::fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Runs a program of the machine with `input`; nothing if it is not there, which is said.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn outside(program: &str, arguments: &[&str], input: &[u8]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: `{program}` is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    Some(child.wait_with_output().unwrap())
}
