//! A worktree for the tests, and what can be seen of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stemmata::catalogue::{Catalogue, RecordFilter, RecordRow};
use stemmata::model::RecordKind;

pub(crate) const ANN: &str = "Ann Example <ann@example.org>";
pub(crate) const BOB: &str = "Bob Example <bob@example.org>";

/// A worktree.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
}

/// Everything that a refusal must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    refs: Vec<String>,
    worktrees: Vec<String>,
    versions: usize,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.data()).unwrap();
        bench.must(&["init", "."]);
        bench
    }

    /// The worktree's top.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.data()).env("HOME", self.directory.path());
        command.env("STEM_AUTHOR", ANN).env("SOURCE_DATE_EPOCH", "1800000000");
        command.env("STEM_KEYS", self.directory.path().join("keys"));
        command
    }

    pub(crate) fn stem(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// What a verb that must succeed prints.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let output = self.stem(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code, and the answer or the error.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (i32, Value) {
        answer(&self.stem(&[&["--json"], arguments].concat()))
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        put(&self.data().join(name), text);
    }

    pub(crate) fn commit(&self, name: &str, text: &str) -> String {
        self.put(name, text);
        self.must(&["add", name]);
        let (code, answer) = self.ask(&["commit", "-m", "a change that is told of"]);
        assert_eq!(code, 0, "{answer}");
        answer["version"].as_str().unwrap().to_owned()
    }

    pub(crate) fn set_policy(&self, text: &str) {
        let path = self.directory.path().join("policy.toml");
        put(&path, text);
        self.must(&["policy", "set", path.to_str().unwrap()]);
    }

    pub(crate) fn catalogue(&self) -> Catalogue {
        Catalogue::open_read_only(&self.data().join(".stem/store/catalogue.db")).unwrap()
    }

    pub(crate) fn verdicts(&self) -> Vec<RecordRow> {
        verdicts(&self.catalogue())
    }

    /// The verbs of the journal from an entry on.
    pub(crate) fn actions_after(&self, number: u64) -> Vec<String> {
        let catalogue = self.catalogue();
        let head = catalogue.journal_head().unwrap().number;
        let entries = catalogue.journal_before(head + 1, 1000).unwrap();
        let mut new: Vec<_> = entries.into_iter().filter(|entry| entry.number > number).collect();
        new.sort_by_key(|entry| entry.number);
        new.into_iter().map(|entry| entry.action).collect()
    }

    pub(crate) fn seen(&self) -> Seen {
        let catalogue = self.catalogue();
        let refs = catalogue.all_refs().unwrap().iter().map(|row| format!("{row:?}")).collect();
        let worktrees =
            catalogue.worktrees().unwrap().iter().map(|row| format!("{:?}", row.state)).collect();
        let versions = catalogue.all_version_ids().unwrap().len();
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(self.data()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
        Seen { refs, worktrees, versions, files }
    }
}

pub(crate) fn answer(output: &Output) -> (i32, Value) {
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let mut answer: Value = serde_json::from_slice(text)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let part = if answer.get("error").is_some() { "error" } else { "data" };
    (output.status.code().unwrap(), answer[part].take())
}

pub(crate) fn verdicts(catalogue: &Catalogue) -> Vec<RecordRow> {
    let filter = RecordFilter { kind: Some(RecordKind::Verdict), ..RecordFilter::default() };
    catalogue.records(&filter).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
pub(crate) fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
