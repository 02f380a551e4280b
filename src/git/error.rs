//! What can go wrong when Git is asked.

use std::path::PathBuf;

use super::GitId;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Git could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no Git repository, or one that cannot be opened.
    #[error("cannot open the Git repository {}", path.display())]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// Git's configuration cannot be read.
    #[error("cannot read Git's configuration for {}", path.display())]
    Config {
        /// The directory whose configuration was asked for.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// The branches and tags cannot be listed.
    #[error("cannot read the branches and tags of {}", path.display())]
    References {
        /// The repository.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// A revision or range that names no commits.
    #[error("`{text}` names no commits in {}", path.display())]
    Revision {
        /// What was asked for.
        text: String,
        /// The repository.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// No commit has files in the directory that was asked for.
    #[error("no commit in {} has a directory `{directory}`", path.display())]
    NoDirectory {
        /// The directory, below the top of the repository.
        directory: String,
        /// The repository.
        path: PathBuf,
    },
    /// The clone is shallow, and its history is needed further back.
    #[error("{} is a shallow clone: the parents of commit {commit} are not in it", path.display())]
    Shallow {
        /// The repository.
        path: PathBuf,
        /// The last commit that is there.
        commit: GitId,
    },
    /// An object that something else in the repository needs is not there.
    #[error("{kind} {id} is missing in {}", path.display())]
    Missing {
        /// Commit, tree, blob or tag.
        kind: &'static str,
        /// The object.
        id: GitId,
        /// The repository.
        path: PathBuf,
    },
    /// An object is there but cannot be read, or is not what its id says.
    #[error("{kind} {id} in {} is damaged", path.display())]
    Damaged {
        /// Commit, tree, blob or tag.
        kind: &'static str,
        /// The object.
        id: GitId,
        /// The repository.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// The state of a worktree cannot be told.
    #[error("cannot tell the state of the Git repository around {}", path.display())]
    Status {
        /// The directory that was asked about.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// Text that is no id of a Git object.
    #[error("`{text}` is not the id of a Git object")]
    Id {
        /// What was given.
        text: String,
    },
    /// Text that is no date.
    #[error("`{text}` is not a date; examples: 2026-11-23, 2026-11-23T14:10:00Z, \"2 weeks ago\"")]
    Date {
        /// What was given.
        text: String,
    },
    /// A file of ignore rules cannot be read.
    #[error("cannot read the ignore rules in {}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}
