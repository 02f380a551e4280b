//! What can go wrong with the user's files.

use std::io;
use std::path::PathBuf;

use crate::model::RepoPath;

/// The result of reading the worktree.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and which.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that does not hold still.
    #[error("`{path}` changes while it is read", path = path.show())]
    Changing {
        /// Which file.
        path: RepoPath,
    },
    /// A directory, or something that cannot be kept.
    #[error("`{path}` is a {kind}", path = path.show())]
    NotAFile {
        /// Which path.
        path: RepoPath,
        /// What it is.
        kind: &'static str,
    },
    /// The cache of stat data is not one.
    #[error("the index {} is damaged: {problem}", path.display())]
    IndexDamaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        problem: &'static str,
    },
    /// The cache of stat data cannot be written.
    #[error("cannot write the index {}", path.display())]
    IndexWrite {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
