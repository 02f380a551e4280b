//! Worktrees of a store, and what the program says in them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A directory with a store and worktrees in it.
pub(crate) struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    /// With a worktree for each dataset; each has a version with the file `a`.
    pub(crate) fn new(datasets: &[&str]) -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        for dataset in datasets {
            bench.attach(dataset, dataset);
            bench.put(&format!("{dataset}/a"), "one\n");
            bench.must(dataset, &["add", "-A"]);
            bench.must(dataset, &["commit", "-m", "one"]);
        }
        bench
    }

    /// Another worktree of a dataset.
    pub(crate) fn attach(&self, worktree: &str, dataset: &str) {
        let store = self.path("store");
        let store = store.to_str().unwrap();
        self.must(".", &["init", "-q", "--store", store, "--dataset", dataset, worktree]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a file for the test")]
    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, worktree: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.path(worktree)).args(arguments);
        command.env("HOME", self.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn must(&self, worktree: &str, arguments: &[&str]) -> String {
        let output = self.command(worktree, arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code, and the answer or the error.
    pub(crate) fn ask(&self, worktree: &str, arguments: &[&str]) -> (i32, Value) {
        answer(&self.command(worktree, &[&["--json"], arguments].concat()).output().unwrap())
    }

    pub(crate) fn show(&self, worktree: &str, revision: &str) -> Value {
        let (code, answer) = self.ask(worktree, &["show", revision]);
        assert_eq!(code, 0, "{answer}");
        answer
    }

    pub(crate) fn head(&self, worktree: &str) -> String {
        self.show(worktree, "HEAD")["version"].as_str().unwrap().to_owned()
    }

    /// How many entries the journal has.
    pub(crate) fn entries(&self) -> usize {
        self.text("store/journal.jsonl").lines().count()
    }

    pub(crate) fn git(&self, directory: &str, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.current_dir(self.path(directory)).args(["-c", "user.name=a"]);
        command.args(["-c", "user.email=a@x.org"]).args(arguments);
        command.env("HOME", self.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?} {output:?}");
    }
}

/// What a program has answered: the exit code, and the data or the error.
pub(crate) fn answer(output: &Output) -> (i32, Value) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = if output.stdout.is_empty() {
        said.lines().last().unwrap_or_default().as_bytes().to_vec()
    } else {
        output.stdout.clone()
    };
    let mut answer: Value =
        serde_json::from_slice(&text).unwrap_or_else(|_| panic!("{:?} {said}", output.status));
    let part = if answer.get("error").is_some() { "error" } else { "data" };
    (output.status.code().unwrap(), answer[part].take())
}

/// Waits until `path` is there.
pub(crate) fn wait_for(path: &Path) {
    for _ in 0..3000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{} has not come", path.display());
}
