//! A Git repository and a worktree beside it, and the programs `git` and `stem` run on them.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stemmata::repo::{Environment, Repository};

/// A directory with a Git repository `git` and a worktree `data`.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self::empty();
        bench.init_git();
        bench
    }

    /// Without the Git repository.
    pub(crate) fn empty() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.data()).unwrap();
        assert_eq!(bench.stem(["init", "."]).status.code(), Some(0));
        bench
    }

    pub(crate) fn init_git(&self) {
        std::fs::create_dir(self.git_path()).unwrap();
        self.git(["init", "-q", "-b", "main", "."]);
    }

    pub(crate) fn git_path(&self) -> PathBuf {
        self.directory.path().join("git")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.git_path()).env_clear().env("HOME", self.directory.path());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada")
                .env(format!("GIT_{who}_EMAIL"), "a@x.org");
            command.env(format!("GIT_{who}_DATE"), "1700000000 +0130");
        }
        command
    }

    pub(crate) fn run(&self, command: &mut Command, input: &[u8]) -> Vec<u8> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || pipe.write_all(input).ok());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{command:?}");
        output.stdout
    }

    /// What `git` prints.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let printed = self.run(self.command().args(arguments), b"");
        String::from_utf8_lossy(&printed).trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        put(&self.git_path().join(path), content);
    }

    /// Writes everything into a commit, at a minute of its own.
    pub(crate) fn commit(&self, minute: usize, message: &str) -> String {
        self.git(["add", "-A"]);
        let mut command = self.command();
        command.env("GIT_AUTHOR_DATE", format!("{} +0130", 1_700_000_000 + minute * 60));
        command.args(["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message]);
        self.run(&mut command, b"");
        self.git(["rev-parse", "HEAD"])
    }

    pub(crate) fn stem<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.data()).env("HOME", self.directory.path());
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").args(arguments);
        command.output().unwrap()
    }

    /// Imports, and gives the exit code and the answer.
    pub(crate) fn import(&self, more: &[&str]) -> (i32, Value) {
        let git = self.git_path();
        let words = ["--json", "import", "git", git.to_str().unwrap()];
        let output = self.stem(words.iter().chain(more));
        let code = output.status.code().unwrap();
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let mut answer: Value = serde_json::from_slice(text)
            .unwrap_or_else(|_| panic!("{code} {}", String::from_utf8_lossy(&output.stderr)));
        if answer.get("error").is_some() {
            return (code, answer["error"].take());
        }
        assert_eq!(answer["schema"], "stem.import/1");
        (code, answer["data"].take())
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.data(), Environment::default()).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
pub(crate) fn put(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}
