//! A repository in a temporary directory, and the program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with a repository in `work`.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
}

/// The program, with nothing of the tester's own settings.
pub(crate) fn stem(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
    command.args(arguments).current_dir(directory);
    command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
    command.env("SOURCE_DATE_EPOCH", "1795443000").env("HOME", directory);
    command
}

impl Place {
    /// A new repository.
    pub(crate) fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.work()).unwrap();
        place.ok(&["init"]);
        place
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.work().join(".stem/store")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        stem(&self.work(), arguments).output().unwrap()
    }

    /// Runs a verb that must end with 0.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code and the `data` of a verb's answer.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"));
        (output.status.code().unwrap(), document["data"].clone())
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        overwrite(&path, bytes);
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        self.ok(&["add", "."]);
        let (exit, data) = self.json(&["commit", "-m", message]);
        assert_eq!(exit, 0);
        data["version"].as_str().unwrap().to_owned()
    }

    /// The files of all packs.
    pub(crate) fn packs(&self) -> Vec<PathBuf> {
        let mut packs: Vec<_> = std::fs::read_dir(self.store().join("packs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        packs.sort();
        packs
    }

    /// Everything must be well, down to the last byte.
    pub(crate) fn assert_sound(&self) {
        let (exit, data) = self.json(&["fsck", "--read-data"]);
        assert_eq!(exit, 0, "{data:#}");
        assert_eq!(data["ok"], true);
    }
}

pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    let mut options = std::fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Bytes that look random and do not compress.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}
