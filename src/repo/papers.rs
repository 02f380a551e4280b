//! Documents beside the packs: plans, their secrets, certificates.
//!
//! Here: writing them whole and durable, reading them, and removing what must leave nothing behind.
//! Not here: what they say (`ops::erase`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Error, Repository, Result};

/// The longest document that is read.
const MAX_BYTES: u64 = 1 << 30;
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// A directory of documents in a store.
#[derive(Debug, Clone)]
pub struct Papers {
    directory: PathBuf,
}

impl Repository {
    /// The documents in `directory` of the store, which need not be there yet.
    pub fn papers(&self, directory: &str) -> Papers {
        Papers { directory: self.place.store.join(directory) }
    }
}

impl Papers {
    /// The file of a document.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a document that only its owner may read: whole and durable, or not at all. One of
    /// that name is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path(name);
        let at = |source| Error::Io { path: path.clone(), source };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(at)?;
        write_durably(&path, bytes).map_err(at)?;
        Ok(path)
    }

    /// Reads a document; none if there is none of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match read_file(&self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all documents, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn names(&self) -> Result<Vec<String>> {
        let at = |source| Error::Io { path: self.directory.clone(), source };
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(at)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Overwrites a document and removes it; one that is not there is removed already.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn shred(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        shred(&path).map_err(|source| Error::Io { path, source })
    }
}

/// Reads a document that a user has named.
///
/// # Errors
///
/// [`Error::Io`].
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let at = |source| Error::Io { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(at)?;
    Ok(bytes)
}

/// Writes a file that only its owner may read under `path`: whole and durable, or not at all.
///
/// # Errors
///
/// The operating system's.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    sync_parent(path)
}

/// Overwrites a file with zeros where it lies, and makes that durable. Whether its old bytes are
/// gone from the medium then depends on the file system.
///
/// # Errors
///
/// The operating system's.
pub fn overwrite(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).custom_flags(libc_nofollow()).open(path)?;
    let mut left = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    while left > 0 {
        let piece = left.min(ZEROS.len() as u64) as usize;
        file.write_all(&ZEROS[..piece])?;
        left -= piece as u64;
    }
    file.sync_all()
}

fn libc_nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}

/// Overwrites a file and removes it; one that is not there is removed already.
///
/// # Errors
///
/// The operating system's.
pub fn shred(path: &Path) -> io::Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match overwrite(path).and_then(|()| std::fs::remove_file(path)) {
        Err(error) if gone(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_parent(path),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The kind of file system that a path lies on, and what overwriting a file in place does there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Its name: `ext4`, `xfs`, `btrfs`, …; `unknown` where the system does not tell.
    pub kind: String,
    /// Whether overwriting a file in place overwrites the blocks that it lies in.
    pub overwrites: bool,
}

impl Ground {
    /// What `path` lies on, by the system's list of mounts.
    pub fn of(path: &Path) -> Self {
        let unknown = Self { kind: "unknown".into(), overwrites: false };
        let Ok(path) = path.canonicalize() else { return unknown };
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let fits = mounts.lines().filter_map(mount).filter(|(point, _, _)| path.starts_with(point));
        // Of several at one place the last one counts: it covers the others.
        let Some((_, kind, options)) = fits.max_by_key(|(point, _, _)| point.as_os_str().len())
        else {
            return unknown;
        };
        let overwrites = match kind.as_str() {
            "ext4" | "ext3" => !options.contains("data=journal"),
            "ext2" | "xfs" => true,
            _ => false,
        };
        Self { kind, overwrites }
    }
}

/// The place, kind and options of a line of `mountinfo` (proc(5)).
fn mount(line: &str) -> Option<(PathBuf, String, String)> {
    let (left, right) = line.split_once(" - ")?;
    let point = left.split(' ').nth(4)?;
    let mut right = right.split(' ');
    let (kind, options) = (right.next()?, right.nth(1).unwrap_or_default());
    let point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    Some((PathBuf::from(point), kind.to_owned(), options.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_is_understood() {
        let line = "36 35 98:0 /a /mnt\\040x rw,noatime shared:1 - ext4 /dev/root rw,data=journal";
        let (point, kind, options) = mount(line).unwrap();
        assert_eq!((point.to_str(), kind.as_str()), (Some("/mnt x"), "ext4"));
        assert!(options.contains("data=journal"));
        assert_eq!(mount("nonsense"), None);
    }

    #[test]
    fn what_is_shredded_has_no_bytes_left() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("a"), directory.path().join("b"));
        write_durably(&path, &[7; 100_000]).unwrap();
        std::fs::hard_link(&path, &link).unwrap();
        shred(&path).unwrap();
        shred(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read(&link).unwrap(), vec![0; 100_000]);
    }
}
