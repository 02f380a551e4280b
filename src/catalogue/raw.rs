//! The bytes of the files that SQLite keeps, read past SQLite.
//!
//! A process that closes a file loses all locks that it has on it, whichever descriptor they were
//! taken by (fcntl(2), "Advisory record locking"), and SQLite's with them: then another program
//! that closes the database takes itself for the last, and removes the log that is still written to
//! here. So what was opened here once stays open as long as the process.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::platform;

/// A file that is read from its beginning, whoever has it open besides.
#[derive(Debug)]
pub struct RawFile {
    file: Opened,
    at: u64,
}

#[derive(Debug)]
enum Opened {
    Own(File),
    Kept(&'static File),
}

impl RawFile {
    /// Opens a file of a store or of a worktree.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match has_locks(path) {
            true => Opened::Kept(platform::open_for_good(path)?),
            false => Opened::Own(File::open(path)?),
        };
        Ok(Self { file, at: 0 })
    }
}

impl Read for RawFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.file {
            Opened::Own(file) => file.read(buffer)?,
            Opened::Kept(file) => platform::read_at(file, buffer, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

/// Whether SQLite may have locks on a file: a database beside a catalogue, the catalogue itself, or
/// what they share with other programs about their logs. Logs have none.
fn has_locks(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    (name.ends_with(".db") || name.ends_with(".db-shm"))
        && path.with_file_name("catalogue.db").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_locks_is_opened_once_and_read_from_its_beginning_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["catalogue.db", "catalogue.db-shm", "catalogue.db-wal", "other"] {
            std::io::Write::write_all(&mut create(&at(name)), name.as_bytes()).unwrap();
        }
        let read = |name: &str| {
            let mut text = String::new();
            let mut file = RawFile::open(&at(name)).unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, name);
            match file.file {
                Opened::Own(_) => None,
                Opened::Kept(file) => Some(std::ptr::from_ref(file)),
            }
        };
        for name in ["catalogue.db", "catalogue.db-shm"] {
            let first = read(name);
            assert!(first.is_some() && read(name) == first, "{name}");
        }
        assert!(read("catalogue.db-wal").is_none() && read("other").is_none());
    }

    fn create(path: &Path) -> File {
        File::options().create(true).truncate(true).write(true).open(path).unwrap()
    }
}
