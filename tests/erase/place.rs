//! A directory with worktrees, a home with a key, and `stem`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stemmata::format::frame::codec::Decoder;
use stemmata::format::frame::{Codec, HEADER_LEN, Header};
use stemmata::format::pack::{self, TRAILER_LEN, Trailer};

pub(crate) struct Place {
    home: tempfile::TempDir,
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::at(tempfile::tempdir().expect("a temporary directory"))
    }

    /// In memory, where that can be: for what is done so often that it would wait for the disk.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => Self::at(tempfile::tempdir_in(memory).expect("a temporary directory")),
            false => Self::new(),
        }
    }

    fn at(home: tempfile::TempDir) -> Self {
        std::fs::create_dir(home.path().join("data")).expect("a directory");
        Self { home }
    }

    pub(crate) fn top(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.data().join(".stem/store")
    }

    /// What a script of bash in the worktree ends with.
    pub(crate) fn run(&self, script: &str) -> Output {
        self.run_as("Ann Example <ann@example.org>", script)
    }

    pub(crate) fn run_as(&self, author: &str, script: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_stem"));
        let folder = program.parent().expect("a program lies in a directory");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        Command::new("bash")
            .args(["-c", script])
            .current_dir(self.data())
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env("STEM_AUTHOR", author)
            .env("SOURCE_DATE_EPOCH", "1767323045")
            .output()
            .expect("bash runs")
    }

    pub(crate) fn must(&self, script: &str) -> String {
        let output = self.run(script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {:?} {said}", output.status.code());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The exit code, which must be `expected`, and what was said on stderr.
    pub(crate) fn ends(&self, expected: i32, script: &str) -> String {
        let output = self.run(script);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(code(&output), expected, "{script}: {said}{out}");
        said
    }

    /// A plan for `arguments`; its id.
    pub(crate) fn plan(&self, arguments: &str) -> String {
        let json = self.must(&format!("stem erase plan {arguments} --reason 'request 7' --json"));
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        value["data"]["plan"].as_str().expect("an id").to_owned()
    }

    /// Plans and carries out; the id.
    pub(crate) fn erase(&self, arguments: &str) -> String {
        let id = self.plan(arguments);
        self.must(&format!("stem erase run {id}"));
        id
    }

    /// Where `needle` stands: in files below the top as they are, and in frames of packs.
    pub(crate) fn places(&self, needle: &[u8]) -> Vec<String> {
        places(self.top(), needle)
    }
}

/// Where `needle` stands below a directory.
pub(crate) fn places(top: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(top).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(places(&path, needle));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            if has(&bytes, needle) {
                found.push(path.display().to_string());
            }
            for (offset, object) in frames(&bytes) {
                if has(&object, needle) {
                    found.push(format!("{} at {offset}", path.display()));
                }
            }
        }
    }
    found
}

pub(crate) fn has(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Every frame of a pack: where it begins, and its object.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut all = Vec::new();
    let whole = bytes.starts_with(b"STEMPACK");
    let end = bytes.last_chunk::<TRAILER_LEN>().and_then(|trailer| {
        Some(Trailer::decode(trailer, bytes.len() as u64).ok()?.table_offset as usize)
    });
    let (mut at, end) = (pack::HEADER_LEN, end.unwrap_or(bytes.len()));
    let mut decoder = Decoder::new().expect("zstd");
    while whole && at + HEADER_LEN <= end {
        let head = bytes[at..].first_chunk().expect("nine bytes");
        let Ok(header) = Header::decode(head) else { break };
        let Some(stored) = bytes.get(at + HEADER_LEN..at + header.frame_len()) else { break };
        let mut object = Vec::new();
        match header.codec {
            Codec::Stored => object.extend_from_slice(stored),
            Codec::Zstd => decoder.object(&header, stored, &mut object).expect("a sound frame"),
        }
        all.push((at, object));
        at += header.frame_len();
    }
    all
}

/// Lines that stand nowhere else.
pub(crate) const SECRETS: &str = "python3 -c \"
import random
random.seed(5)
for number in range(4000): print('canary %s %032x' % (number, random.getrandbits(128)))\"";

/// One line of them.
pub(crate) fn canary(place: &Place) -> Vec<u8> {
    let all = place.must(SECRETS);
    all.lines().nth(1234).expect("a line").as_bytes().to_vec()
}

/// A history with `secret.txt` in two versions, which shares chunks with `keep.txt`.
pub(crate) fn with_history() -> Place {
    let place = Place::new();
    place.must(&format!(
        "stem init -q && stem key generate > /dev/null && seq 1 9000 > keep.txt && echo a > small.txt \
         && (seq 1 9000; {SECRETS}) > secret.txt && stem add -q -A && stem commit -q -m one \
         && stem tag v1 > /dev/null && echo more >> secret.txt && stem commit -q -a -m two \
         && stem rm -q secret.txt && stem commit -q -m three"
    ));
    place
}
