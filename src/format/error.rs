//! What can be wrong with bytes, and with values that are to become bytes.

use crate::model::{ManifestId, PathError, RepoPath};

/// Bytes that are not what they should be, or a value that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes that break a rule of the format.
    #[error("the {what} is damaged: {problem}")]
    Damaged {
        /// What the bytes should have been.
        what: &'static str,
        /// The rule they break.
        problem: &'static str,
    },
    /// Bytes of a later format, or of none.
    #[error("the {what} has format {found}, which this program does not know")]
    UnknownFormat {
        /// What the bytes should have been.
        what: &'static str,
        /// The number that stands where the format's number should.
        found: u64,
    },
    /// A node that is whole but does not fit into its manifest.
    #[error("the node {id} does not fit into its manifest: {problem}")]
    Misplaced {
        /// The node.
        id: ManifestId,
        /// What does not fit.
        problem: &'static str,
    },
    /// A manifest that lists what cannot be a path.
    #[error("a manifest lists a path that is none")]
    Path(#[from] PathError),
    /// A version, a plan or a certificate that is not JSON, or not the JSON of one.
    #[error("it cannot be read or written as JSON")]
    Json(#[from] serde_json::Error),
    /// Paths that should be sorted and are not, or one given twice.
    #[error("`{path}` was listed after `{after}`; paths must be sorted and different")]
    Unsorted {
        /// The path that came too late.
        path: RepoPath,
        /// The path before it.
        after: RepoPath,
    },
    /// One path would be a file and a directory.
    #[error("`{file}` cannot be a file, because `{below}` lies below it")]
    Clash {
        /// The path that would be both.
        file: RepoPath,
        /// A path below it.
        below: RepoPath,
    },
    /// A value beyond a limit of the format.
    #[error("the {what} is too large: {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in words.
        limit: &'static str,
    },
}
