//! A repository in a directory of its own, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const STEM: &str = env!("CARGO_BIN_EXE_stem");

/// A user to whom permissions apply, for tests that root runs.
pub(crate) const NOBODY: u32 = 65534;

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) top: PathBuf,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// A directory that is no repository yet.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("data");
        fs::create_dir(&top).unwrap();
        Self { dir, top }
    }

    /// A repository with one version of `a` and `d/b`.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        place.write("a", b"one\n");
        place.write("d/b", b"two\n");
        place.good(&["init"]);
        place.good(&["add", "-A"]);
        place.good(&["commit", "-m", "first"]);
        place
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path, bytes);
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.around(STEM, args)
    }

    /// A program with nothing of this process's surroundings.
    pub(crate) fn around<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.top).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path()).env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").env("STEM", STEM);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        ran(&mut self.command(args))
    }

    pub(crate) fn good(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran
    }

    /// A script, with the program's path in `STEM`.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        ran(&mut self.around("sh", &["-c", script]))
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.good(&[&["--json"], args].concat());
        serde_json::from_str::<Value>(&ran.out).unwrap()["data"].take()
    }

    /// How many versions the branch has, and what its listing is.
    pub(crate) fn saved(&self) -> (usize, Vec<String>) {
        let versions = self.json(&["log"])["versions"].as_array().unwrap().len();
        let ls = self.good(&["ls", "-r"]).out;
        (versions, ls.lines().map(str::to_owned).collect())
    }

    /// Everything that was committed is there and whole.
    pub(crate) fn is_whole(&self) {
        let ran = self.run(&["fsck", "--read-data"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// The command is refused as promised, in words and as JSON, and nothing has changed.
    pub(crate) fn refused<S: AsRef<OsStr>>(&self, args: &[S], code: i32, words: &str) {
        let before = (self.run(&["status", "-z"]).out, self.run(&["log", "--json"]).out);
        let shown: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{shown:?}: {ran:?}");
        assert!(ran.err.contains(words), "{shown:?}: {ran:?}");
        let mut with_json: Vec<&OsStr> = vec![OsStr::new("--json")];
        with_json.extend(args.iter().map(AsRef::as_ref));
        let ran = self.run(&with_json);
        assert_eq!(ran.code, code, "{shown:?}: {ran:?}");
        check_document(&ran, words);
        let after = (self.run(&["status", "-z"]).out, self.run(&["log", "--json"]).out);
        assert_eq!(before, after, "{shown:?}");
    }

    /// Gives everything to a user to whom permissions apply; whether root does this.
    pub(crate) fn give_away(&self) -> bool {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
        if tempfile::tempfile().unwrap().metadata().unwrap().uid() != 0 {
            return false;
        }
        fn give(path: &Path) {
            lchown(path, Some(NOBODY), None).unwrap();
            if path.symlink_metadata().unwrap().is_dir() {
                fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
            }
        }
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give(self.dir.path());
        true
    }

    /// Runs it as somebody to whom permissions apply. The directory was given away.
    pub(crate) fn as_nobody<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Option<Ran> {
        use std::os::unix::process::CommandExt;
        let mut command = self.around(program, args);
        if self.give_away() {
            command.uid(NOBODY).gid(NOBODY);
            let can = Command::new(STEM).arg("--version").uid(NOBODY).gid(NOBODY).output();
            if !can.is_ok_and(|output| output.status.success()) {
                eprintln!("skipped: another user cannot run the program where it was built");
                return None;
            }
        }
        Some(ran(&mut command))
    }
}

/// The error is exactly one document, and says the same.
pub(crate) fn check_document(ran: &Ran, words: &str) {
    let document: Value =
        serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(document["schema"], "stem.error/1", "{ran:?}");
    assert_eq!(document["error"]["exit"], ran.code, "{ran:?}");
    assert!(document["error"]["code"].as_str().is_some_and(|code| !code.is_empty()), "{ran:?}");
    let error = document["error"].to_string();
    // The words may have quotes and backslashes.
    let words = Value::from(words).to_string();
    assert!(error.contains(words.trim_matches('"')), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = status.code().unwrap_or(-1);
    let ran = Ran { code, out: text(stdout), err: text(stderr) };
    assert!(code != 70 && code != 101 && code >= 0, "a bug: {ran:?}");
    assert!(!ran.err.contains("panicked") && !ran.err.contains("has a bug"), "{ran:?}");
    ran
}

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}
