//! What can go wrong with an opened repository.

use std::path::PathBuf;

use super::KeyError;
use crate::model::{AuthorError, DatasetName, FileId, RepoPath, TimeError, VersionId};
use crate::sign;
use crate::worktree::write::WriteError;
use crate::{bag, catalogue, format, git, store, worktree};

/// The result of this room's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and which.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file beside the repository cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No `.stem` here or above.
    #[error("no repository in {} or any directory above it", start.display())]
    NoRepository {
        /// Where the search began.
        start: PathBuf,
    },
    /// `init` in a directory that belongs to something else.
    #[error("{} is a repository already: {problem}", path.display())]
    Exists {
        /// The worktree.
        path: PathBuf,
        /// What differs from what was asked for.
        problem: String,
    },
    /// `.stem/config.toml` is not understood.
    #[error("{} is not understood: {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The catalogue does not know this worktree.
    #[error("the store in {} does not know this worktree", store.display())]
    UnknownWorktree {
        /// Where the store lies.
        store: PathBuf,
    },
    /// A path outside the worktree.
    #[error("{} lies outside of the worktree {}", path.display(), root.display())]
    Outside {
        /// What was given.
        path: PathBuf,
        /// The worktree's top.
        root: PathBuf,
    },
    /// Another command works on the worktree.
    #[error("another stem works on {}", path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// Nobody said who the author is.
    #[error("no author is known")]
    NoAuthor,
    /// `STEM_AUTHOR` does not name a person.
    #[error("STEM_AUTHOR does not name a person")]
    Author(#[from] AuthorError),
    /// `SOURCE_DATE_EPOCH` is not a time.
    #[error("SOURCE_DATE_EPOCH is not a time")]
    Epoch(#[from] TimeError),
    /// A dataset that is not in the store.
    #[error("no dataset `{0}` in this store")]
    NoDataset(DatasetName),
    /// A branch without versions.
    #[error("`{name}` has no version yet")]
    NoVersionYet {
        /// The branch.
        name: String,
    },
    /// A revision that names nothing.
    #[error("no version `{text}` in dataset `{dataset}`")]
    NoRevision {
        /// What was asked for.
        text: String,
        /// Where it was looked for.
        dataset: DatasetName,
        /// A branch or tag whose name is almost the same.
        similar: Option<String>,
    },
    /// A revision that is not written as one.
    #[error("`{text}` is not a revision: {problem}")]
    BadRevision {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A prefix of several ids.
    #[error("`{text}` is the beginning of several versions: {}", show_ids(candidates))]
    Ambiguous {
        /// What was given.
        text: String,
        /// Some of what it could mean.
        candidates: Vec<VersionId>,
    },
    /// A path that a version does not have.
    #[error("no path `{path}` in {revision}")]
    NoPath {
        /// What was asked for.
        path: String,
        /// The version, in the user's words.
        revision: String,
        /// The path from the top, if it is there seen from where the user stands.
        here: Option<String>,
    },
    /// Stored bytes of a file do not make the file.
    #[error("the stored content of {file} is damaged: {problem}")]
    DamagedFile {
        /// Which file.
        file: FileId,
        /// In what way.
        problem: String,
    },
    /// The data that a version needs is not there.
    #[error("the store has lost {what}")]
    Lost {
        /// What is missing.
        what: String,
    },
    /// Content that was erased, on purpose.
    #[error("the content of {file} was erased, as certificate {} says", &certificate[..certificate.len().min(16)])]
    Erased {
        /// The file.
        file: FileId,
        /// The certificate.
        certificate: String,
    },
    /// A file that holds a record that was erased, on purpose.
    #[error("{} holds a record that was erased (row {row}), as certificate {} says", path.as_ref().map_or("a file".into(), |path| format!("`{path}`")), &certificate[..certificate.len().min(16)])]
    ErasedRecord {
        /// The file, if it has a name yet.
        path: Option<RepoPath>,
        /// The row, from 1; in text the line.
        row: u64,
        /// The certificate.
        certificate: String,
    },
    /// Content that was moved to an archive.
    #[error("the content of {file} is archived: {place}")]
    Archived {
        /// The file.
        file: FileId,
        /// Where it lies.
        place: String,
    },
    /// Nothing of what was asked for can be given out.
    #[error("the content of {} is gone by design: {}", count(absent.len(), "file"), show_absent(absent))]
    AllAbsent {
        /// What, and why.
        absent: Vec<super::Absent>,
    },
    /// Files that would be lost.
    #[error("{} would be lost", count(paths.len(), "unsaved file"))]
    Unsaved {
        /// Which files.
        paths: Vec<RepoPath>,
    },
    /// A file whose stored content cannot be read.
    #[error("cannot write `{path}`", path = path.show())]
    Content {
        /// Which file.
        path: RepoPath,
        /// Why not.
        source: Box<Error>,
    },
    /// The worktree's file system cannot hold these names side by side.
    #[error("`{}` and `{}` are one name to this file system", .0.0.show(), .0.1.show())]
    Clash(Box<(RepoPath, RepoPath)>),
    /// A `data.stem` that cannot be used.
    #[error("{} cannot be used: {problem}", path.display())]
    Pin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<super::PinError>,
    },
    /// A policy that is not understood.
    #[error("the policy is not understood: {0}")]
    Policy(super::policy::PolicyError),
    /// The policy of the store does not let it through.
    #[error("{0}")]
    Refused(Box<super::policy::Refusal>),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A record of the catalogue that does not say what its kind must.
    #[error("the record of entry {number} of the journal is not understood: {problem}")]
    BadRecord {
        /// The entry.
        number: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A key or a signature that is not accepted.
    #[error(transparent)]
    Sign(#[from] sign::Error),
    /// The store's own error.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The catalogue's own error.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// An encoding that is not understood.
    #[error(transparent)]
    Format(#[from] format::Error),
    /// The worktree's own error.
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    /// A file of the worktree cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A bag's error.
    #[error(transparent)]
    Bag(#[from] bag::Error),
    /// Git's settings or history cannot be read.
    #[error(transparent)]
    Git(#[from] git::Error),
}

fn show_ids(ids: &[VersionId]) -> String {
    ids.iter().map(|id| id.to_hex()[..12].to_owned()).collect::<Vec<_>>().join(", ")
}

fn show_absent(absent: &[super::Absent]) -> String {
    let show = |one: &super::Absent| {
        let why = match one.presence.certificate() {
            Some(certificate) => {
                format!("certificate {}", &certificate[..certificate.len().min(16)])
            }
            None => "archived".to_owned(),
        };
        format!("`{}` ({why})", one.path.show())
    };
    let shown = absent.iter().take(5).map(show).collect::<Vec<_>>().join(", ");
    if absent.len() > 5 { format!("{shown} and {} more", absent.len() - 5) } else { shown }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
