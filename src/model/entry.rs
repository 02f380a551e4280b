//! What a manifest says of one path.

use serde::{Deserialize, Serialize};

use super::{FileId, RepoPath};

/// The kind of a file, as far as a version keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A regular file.
    File,
    /// A regular file that may be executed.
    Executable,
    /// A symbolic link; its content is its target.
    Symlink,
}

/// One file of a version without its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRef {
    /// Regular, executable or link.
    pub mode: Mode,
    /// Length of the content in bytes.
    pub size: u64,
    /// Hash of the content.
    pub file: FileId,
}

/// One file of a version: where, what kind, how long, which content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub path: RepoPath,
    /// What lies there.
    pub file: FileRef,
}
