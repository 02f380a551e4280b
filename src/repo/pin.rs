//! `data.stem`: the version that a Git repository's files belong to. See `docs/format.md`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Place, Result};
use crate::model::{DatasetName, ManifestId, Time, VersionId};

/// The longest `data.stem`, in bytes.
const MAX_BYTES: usize = 64 << 10;
const FORMAT: u32 = 1;

/// What `data.stem` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Format of the file: 1.
    pub format: u32,
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Its listing.
    pub digest: ManifestId,
    /// Where a store that has it may be found, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// When it was pinned.
    pub created: Time,
}

/// What is wrong with a `data.stem`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It is a directory or a device.
    #[error("it is not a file")]
    NotAFile,
    /// It is too long to be one.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It is not what `git-pin` writes.
    #[error("line {line}: {problem}")]
    Bad {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A later program wrote it.
    #[error("its format is {0}, and this stem knows {FORMAT}")]
    Newer(u32),
    /// It is about other data.
    #[error("it names dataset `{theirs}`, and this worktree shows `{ours}`")]
    OtherDataset {
        /// What it names.
        theirs: DatasetName,
        /// What is here.
        ours: DatasetName,
    },
    /// The store does not have the version.
    #[error("it names version {0}, which this store does not have")]
    NoVersion(VersionId),
    /// The version has another listing.
    #[error("its digest is {found}, and version {version} has the listing {expected}")]
    OtherDigest {
        /// The version.
        version: VersionId,
        /// Its listing.
        expected: ManifestId,
        /// What the file says.
        found: ManifestId,
    },
}

impl Pin {
    /// The file's name.
    pub const FILE: &str = "data.stem";

    /// A pin of a version.
    pub fn new(dataset: DatasetName, version: VersionId, digest: ManifestId, now: Time) -> Self {
        Self { format: FORMAT, dataset, version, digest, store: None, created: now }
    }

    /// The file that counts where a command was started: the nearest one, up to the worktree's top or
    /// the top of the Git repository, whichever is higher.
    pub fn find(place: &Place) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let start = place.root.join(std::ffi::OsStr::from_bytes(&place.prefix));
        let git = start.ancestors().find(|directory| directory.join(".git").exists());
        let top = match git {
            Some(git) if place.root.starts_with(git) => git,
            _ => place.root.as_path(),
        };
        let inside = start.ancestors().take_while(|directory| directory.starts_with(top));
        let mut files = inside.map(|directory| directory.join(Self::FILE));
        files.find(|file| file.symlink_metadata().is_ok())
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::Pin`], [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_path_buf(), source };
        let wrong = |problem| Error::Pin { path: path.to_path_buf(), problem: Box::new(problem) };
        // Opening a pipe would wait for its writer.
        if !path.metadata().map_err(io)?.is_file() {
            return Err(wrong(PinError::NotAFile));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        Self::parse(&bytes).map_err(wrong)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, PinError> {
        if bytes.len() > MAX_BYTES {
            return Err(PinError::TooLong);
        }
        let bad = |at: usize, problem: &str| PinError::Bad {
            line: bytes[..at.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count() + 1,
            problem: problem.to_owned(),
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|error| bad(error.valid_up_to(), "it is not UTF-8"))?;
        // What a later format says may not be known here, so its number is looked at first.
        if let Ok(table) = toml::from_str::<toml::Table>(text)
            && let Some(format) = table.get("format").and_then(toml::Value::as_integer)
            && let Ok(format) = u32::try_from(format)
            && format != FORMAT
        {
            return Err(PinError::Newer(format));
        }
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            match key_before(text, at) {
                Some(key) => bad(at, &format!("`{key}`: {}", error.message())),
                None => bad(at, error.message()),
            }
        })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// Never, for values of this type; the encoder may fail in general.
    pub fn to_text(&self) -> Result<String, PinError> {
        let body = toml::to_string(self)
            .map_err(|error| PinError::Bad { line: 1, problem: error.to_string() })?;
        Ok(format!("# The data that belongs to these files. `stem checkout` goes to it.\n{body}"))
    }

    /// Writes the file: whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        use std::io::Write;
        let io = |source| Error::Io { path: path.to_path_buf(), source };
        let wrong = |problem| Error::Pin { path: path.to_path_buf(), problem: Box::new(problem) };
        let text = self.to_text().map_err(wrong)?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let temporary = path.with_file_name(name);
        #[expect(clippy::disallowed_methods, reason = "the one place that writes a pin")]
        let mut file = std::fs::File::create(&temporary).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&temporary, path).map_err(io)
    }
}

/// The key whose value stands at a byte.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let key = line.split_once('=')?.0.trim();
    let harmless = key.len() <= 40 && !key.chars().any(char::is_control);
    Some(key).filter(|key| !key.is_empty() && harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> Pin {
        let (version, digest) = (VersionId::of(b"v"), ManifestId::of(b"m"));
        Pin::new("train".parse().unwrap(), version, digest, Time::EPOCH)
    }

    #[test]
    fn a_pin_reads_back_as_it_was_written() {
        for store in [None, Some("s3://bucket/\"x\"\n".to_owned())] {
            let pin = Pin { store, ..pin() };
            assert_eq!(Pin::parse(pin.to_text().unwrap().as_bytes()), Ok(pin));
        }
    }

    #[test]
    fn what_is_no_pin_is_refused_with_its_line() {
        let good = pin().to_text().unwrap();
        let later = good.replace("format = 1", "format = 2\nnew = true");
        assert_eq!(Pin::parse(later.as_bytes()), Err(PinError::Newer(2)));
        assert_eq!(Pin::parse(&vec![b'#'; MAX_BYTES + 1]), Err(PinError::TooLong));
        let odd = [
            (good.replace("dataset", "datsaet"), 3),
            (good.replace("\"train\"", "\"../x\""), 3),
            (good.replace("version = \"", "version = \"zz"), 4),
            (format!("{good}more = 1\n"), 7),
            (format!("{good}format = 1\n"), 7),
            (format!("{good}x = {}1", "[".repeat(50_000)), 7),
        ];
        for (text, expected) in odd {
            match Pin::parse(text.as_bytes()) {
                Err(PinError::Bad { line, .. }) => assert_eq!(line, expected, "{text:.300}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(Pin::parse(b"a = \"\xff\""), Err(PinError::Bad { line: 1, .. })));
    }
}
