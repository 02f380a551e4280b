//! What can keep an operation from being done.

use super::provenance::Flaw;
use crate::model::{NameError, PathError, RefKind, RefName, RepoPath, VersionId};
use crate::repo::{self, Hold};

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and which.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository's own error.
    #[error(transparent)]
    Repo(#[from] repo::Error),
    /// There is nothing that a version could record.
    #[error("nothing to commit: what is staged equals the current version")]
    NothingToCommit,
    /// A version needs words.
    #[error("the message is empty")]
    EmptyMessage,
    /// What stands behind an option says nothing.
    #[error("`{0}` says nothing")]
    Unsaid(&'static str),
    /// Paths that name nothing.
    #[error("no file here matches {}", list(.0))]
    NoMatch(Vec<Vec<u8>>),
    /// Paths or ids that name empty files only.
    #[error("there is nothing to erase: {} names empty files only", list(.0))]
    OnlyEmpty(Vec<Vec<u8>>),
    /// A directory that is no worktree of the store.
    #[error("the store knows no worktree at {}", .0.display())]
    NoWorktree(std::path::PathBuf),
    /// Paths that `.stemignore` leaves out.
    #[error("{} is ignored by a .stemignore file", list_paths(.0))]
    Ignored(Vec<RepoPath>),
    /// Bytes that are not a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Text that is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A merge or the like has to be ended first.
    #[error("a {doing} is under way")]
    UnderWay {
        /// What it is.
        doing: &'static str,
    },
    /// Nothing to continue or abort.
    #[error("no {doing} is under way")]
    NotUnderWay {
        /// What was expected.
        doing: &'static str,
    },
    /// Paths that both sides have changed.
    #[error("{} in conflict: {}", count(paths.len(), "path is", "paths are"), list_paths(paths))]
    Conflicts {
        /// Which ones.
        paths: Vec<RepoPath>,
    },
    /// Branches that have versions which the branches elsewhere do not have.
    #[error("{} diverged from the Git repository: {}", have(names.len()), show_names(names))]
    Diverged {
        /// Which ones.
        names: Vec<RefName>,
    },
    /// A name that is in use.
    #[error("there is a {} `{name}` already", kind.as_str())]
    Exists {
        /// Branch or tag.
        kind: RefKind,
        /// Which one.
        name: RefName,
    },
    /// A branch that holds versions which nothing else leads to.
    #[error("nothing else leads to the versions of branch `{name}`")]
    NotMerged {
        /// Which one.
        name: RefName,
    },
    /// A key that nobody here has or trusts.
    #[error("there is no key {0}")]
    NoKey(crate::sign::KeyId),
    /// A key that the store has ceased to trust.
    #[error("key {0} was revoked before")]
    Revoked(crate::sign::KeyId),
    /// Nobody has signed the journal since an entry was added.
    #[error("no checkpoint by a key that the store knows is over entry {number} of the journal")]
    NoCheckpoint {
        /// The entry.
        number: u64,
    },
    /// Nothing in the store is called so.
    #[error("no version, path, file, source, step or consumer is called `{}`", .0.escape_debug())]
    NoNode(String),
    /// Metadata that is not as it must be.
    #[error("the metadata {what} cannot be taken: {}", list_flaws(flaws))]
    Metadata {
        /// Where it is from.
        what: String,
        /// What is wrong with it.
        flaws: Vec<Flaw>,
    },
    /// A version would have been made from itself.
    #[error("`{step}` would make a version from itself: {}", show_cycle(cycle))]
    Cycle {
        /// The step that was to be told of.
        step: String,
        /// The versions on the way round, each used for the next.
        cycle: Vec<VersionId>,
    },
    /// Text that is not a regular expression, or too large a one.
    #[error("`{}` is not a regular expression: {problem}", given.escape_debug())]
    Pattern {
        /// The text.
        given: String,
        /// Why not.
        problem: String,
    },
    /// What a command would read is not as any version has it.
    #[error("{} not saved: {}", count(paths.len(), "input is", "inputs are"), list_paths(paths))]
    UnsavedInputs {
        /// Which files.
        paths: Vec<RepoPath>,
    },
    /// A command that could not be started.
    #[error("cannot run `{}`", program.escape_debug())]
    Command {
        /// What was to be run.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The worktree or its branch has moved while a command ran.
    #[error("{what} while the command ran; what it wrote is here, and nothing is committed")]
    Overtaken {
        /// What has changed.
        what: String,
    },
    /// The user ended it.
    #[error("interrupted; nothing is committed")]
    Interrupted,
    /// The content could not be passed on.
    #[error("cannot write the content")]
    Output(#[source] std::io::Error),
    /// Something is held.
    #[error("{what} is held: {}", show_holds(holds))]
    Held {
        /// What should have been deleted.
        what: String,
        /// The holds on it.
        holds: Vec<Hold>,
    },
    /// An archive that is damaged, or not what it should be.
    #[error("the archive {} is not good: {}", place.display(), list_words(problems))]
    BadArchive {
        /// Where it lies.
        place: std::path::PathBuf,
        /// What is wrong.
        problems: Vec<String>,
    },
    /// Nothing of that name.
    #[error("{0}")]
    NoTarget(String),
    /// There is no such hold.
    #[error("there is no hold `{0}` in force")]
    NoHold(String),
    /// Content must be kept longer than it may be kept.
    #[error("{0}")]
    Retention(String),
    /// Bytes that are no plan, or not this repository's.
    #[error("this is not a plan that can be carried out here: {0}")]
    BadPlan(String),
    /// No plan of that name.
    #[error("there is no plan `{}`", .0.escape_debug())]
    NoPlan(String),
    /// Something that the plan is about has changed.
    #[error("the plan is out of date: {0}")]
    OutOfDate(String),
    /// Not enough keys have approved a plan.
    #[error("the plan needs {} and has {found}", count(*needed as usize, "approval", "approvals"))]
    NotApproved {
        /// So many.
        needed: u64,
        /// So many different keys that may.
        found: u64,
    },
    /// Something forbids the deletion.
    #[error("it must not be erased: {}", .0.join("; "))]
    Blocked(Vec<String>),
    /// Nobody has decided about paths of what should be retired.
    #[error("{what} cannot be retired while nobody has classified {}", list_words(paths))]
    Unclassified {
        /// What should be retired.
        what: String,
        /// The paths, or as many as are named.
        paths: Vec<String>,
    },
    /// A selection means everything.
    #[error("this would erase every file of dataset `{dataset}`")]
    Everything {
        /// The dataset.
        dataset: crate::model::DatasetName,
    },
    /// There is no room to write packs anew.
    #[error("{needed} bytes are needed for the time being, and {free} are free")]
    NoSpace {
        /// So many.
        needed: u64,
        /// So many.
        free: u64,
    },
    /// The content was looked for and found.
    #[error("the erasure is not complete: {}", .0.join("; "))]
    Incomplete(Vec<String>),
    /// Records are asked for in a way that is none.
    #[error("which records are meant is not clear: {0}")]
    BadRecordSelector(String),
    /// No record is as was asked for.
    #[error("no file of any version holds such a record")]
    NoRecord,
    /// No record was found, but not everything could be looked through.
    #[error("no such record was found, but not everything could be looked through: {}", .0.join("; "))]
    Unproven(Vec<String>),
    /// No certificate of that name.
    #[error("there is no certificate `{}`", .0.escape_debug())]
    NoCertificate(String),
    /// A key may not do what it was asked to.
    #[error("{0}")]
    NotEntitled(String),
    /// What was asked for makes no sense as things stand.
    #[error("{0}")]
    Refused(String),
}

macro_rules! through_repo {
    ($($source:ty),* $(,)?) => {$(
        impl From<$source> for Error {
            fn from(source: $source) -> Self {
                Self::Repo(source.into())
            }
        }
    )*};
}

through_repo!(
    crate::bag::Error,
    crate::catalogue::Error,
    crate::format::Error,
    crate::git::Error,
    crate::sign::Error,
    crate::store::Error,
    crate::worktree::Error,
    crate::worktree::write::WriteError,
);

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn have(number: usize) -> &'static str {
    if number == 1 { "a branch has" } else { "branches have" }
}

fn show_names(names: &[RefName]) -> String {
    let shown = names.iter().take(5).map(|name| format!("`{name}`"));
    join(shown.collect(), names.len())
}

fn list_words(words: &[String]) -> String {
    join(words.iter().take(5).cloned().collect(), words.len())
}

fn show_holds(holds: &[Hold]) -> String {
    let shown = holds.iter().take(5);
    let shown = shown.map(|hold| format!("{} on {} (case {})", hold.id, hold.on(), hold.case));
    join(shown.collect(), holds.len())
}

fn list_flaws(flaws: &[Flaw]) -> String {
    match flaws {
        [only] => only.to_string(),
        _ => count(flaws.len(), "flaw", "flaws"),
    }
}

fn show_cycle(cycle: &[VersionId]) -> String {
    let ids: Vec<_> = cycle.iter().map(|id| id.to_hex()[..12].to_owned()).collect();
    ids.join(" -> ")
}

fn list(paths: &[Vec<u8>]) -> String {
    let shown = paths.iter().take(5).map(|path| format!("`{}`", RepoPath::show_bytes(path)));
    join(shown.collect(), paths.len())
}

fn list_paths(paths: &[RepoPath]) -> String {
    let shown = paths.iter().take(5).map(|path| format!("`{}`", path.show()));
    join(shown.collect(), paths.len())
}

fn join(shown: Vec<String>, all: usize) -> String {
    let more =
        if all > shown.len() { format!(" and {} more", all - shown.len()) } else { "".into() };
    format!("{}{more}", shown.join(", "))
}

/// Fails if `text`, which stands behind `option`, says nothing.
pub(super) fn must_say(option: &'static str, text: &str) -> Result<()> {
    if text.trim().is_empty() { Err(Error::Unsaid(option)) } else { Ok(()) }
}
