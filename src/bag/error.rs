//! What can keep a bag from being made or read.

use std::io;
use std::path::PathBuf;

/// The result of this room's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and which.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be used.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something has the name that the bag should get.
    #[error("{} exists already", path.display())]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// An unfinished bag of something else is in the way.
    #[error("{} is an unfinished archive of something else", path.display())]
    Occupied {
        /// Where it lies.
        path: PathBuf,
    },
    /// A file in the payload is not the one that was put there.
    #[error("{name} was changed while the archive was made")]
    Changed {
        /// Its name in the bag.
        name: String,
    },
    /// There is no bag.
    #[error("{} is no archive: it has no bagit.txt", path.display())]
    NoBag {
        /// Where it was looked for.
        path: PathBuf,
    },
}

impl Error {
    /// For `map_err`.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
