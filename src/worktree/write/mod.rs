//! Writing the user's files: below the top directory only, whole or not at all.
//!
//! Here: new files, links, removals, renames, and whether names can stand side by side.
//! Not here: whether something would be lost (`repo::update`).
//! Invariant: no link is followed on the way to a file, and a file that was there is replaced in
//! one step.

mod file;
mod hand;
mod names;

use std::io;
use std::path::PathBuf;

pub use file::NewFile;
pub use hand::{Hand, Writer, rename};
pub use names::check_link;

use crate::model::RepoPath;

/// What can go wrong with writing the user's files.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system refused.
    #[error("cannot write {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A link that may not be kept.
    #[error(
        "the link `{path}` to `{target}` cannot be kept: {problem}",
        path = path.show(),
        target = RepoPath::show_bytes(target)
    )]
    Link {
        /// The link.
        path: RepoPath,
        /// What it leads to.
        target: Vec<u8>,
        /// Why not.
        problem: LinkProblem,
    },
    /// Something stands where a file or a directory must be.
    #[error("something is in the way of `{path}`", path = path.show())]
    InTheWay {
        /// What could not be written.
        path: RepoPath,
    },
}

/// Why a link may not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    /// Leads nowhere.
    #[error("it is empty")]
    Empty,
    /// Begins with `/`.
    #[error("it is absolute, and means something else elsewhere")]
    Absolute,
    /// Leads out of the tree.
    #[error("it leads out of the dataset")]
    Outside,
    /// A zero byte.
    #[error("it contains a NUL byte")]
    Nul,
    /// More than a file system keeps.
    #[error("it is longer than 4095 bytes")]
    TooLong,
    /// Into the program's own directory.
    #[error("it leads into .stem")]
    Reserved,
}
