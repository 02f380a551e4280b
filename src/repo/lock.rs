//! One writing command at a time in a worktree, one collector at a time in a store.
//!
//! Locks spare people lost races; correctness is the catalogue's compare-and-swap. They are the
//! operating system's (`flock`), so a dead process holds none, and age never matters.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::{Error, Result};

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// Takes the lock at `path`, waiting up to ten seconds for another command to end.
pub(super) fn wait(path: &Path) -> Result<Lock> {
    for _ in 0..TRIES {
        if let Some(lock) = attempt(path)? {
            return Ok(lock);
        }
        std::thread::sleep(PAUSE);
    }
    Err(Error::Locked { path: path.to_path_buf() })
}

/// Takes the lock at `path` if nobody has it.
pub(super) fn attempt(path: &Path) -> Result<Option<Lock>> {
    let io = |source| Error::Io { path: path.to_path_buf(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
    }
}
