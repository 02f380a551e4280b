//! What can go wrong with a catalogue.

use std::io;
use std::path::PathBuf;

use crate::model::{DatasetName, State, Time, VersionId};

/// The result of asking or changing a catalogue.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and on what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no database.
    #[error("there is no catalogue at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something lies where the new catalogue should.
    #[error("{} exists already", path.display())]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// The file is not an SQLite database, or not one that this program made.
    #[error("{} is not a catalogue: {problem}", path.display())]
    NotACatalogue {
        /// The file.
        path: PathBuf,
        /// What tells.
        problem: String,
    },
    /// A later release has made or changed the database.
    #[error("{} has schema {found}; this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The last schema that this program knows.
        known: i64,
    },
    /// The database holds code that this program did not put there.
    #[error("{} holds the {what}, which this program did not put there", path.display())]
    Planted {
        /// The file.
        path: PathBuf,
        /// Kind and name of the object.
        what: String,
    },
    /// SQLite's log cannot be trusted on this file system.
    #[error(
        "{} is on {kind}, where a database that several programs use is not safe",
        path.display()
    )]
    SharedFileSystem {
        /// The file.
        path: PathBuf,
        /// What kind of file system it is.
        kind: &'static str,
    },
    /// SQLite takes only UTF-8 for a name.
    #[error("the path {} of the catalogue is not UTF-8", path.display())]
    PathNotText {
        /// The path.
        path: PathBuf,
    },
    /// A file beside the database failed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No thread or no randomness could be had.
    #[error("the operating system gives no {what}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Another program kept the database for longer than we wait.
    #[error("another program is using the catalogue")]
    Busy {
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// The catalogue was opened for reading, or lies on a medium that cannot be written.
    #[error("the catalogue {} can only be read", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("there is no space left for the catalogue")]
    Full {
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// The database file is damaged.
    #[error("the catalogue is damaged: cannot {doing}")]
    Corrupt {
        /// What was tried.
        doing: &'static str,
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// A row holds what this program never writes.
    #[error("the catalogue is damaged: {what}")]
    BadRow {
        /// Which table and what is wrong.
        what: String,
    },
    /// The transaction could not be ended; it may or may not have been kept.
    #[error("cannot tell whether the change was kept")]
    Uncertain {
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// The database failed in another way.
    #[error("cannot {doing} in the catalogue")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// The tables could not be brought up to date.
    #[error("cannot bring the tables of the catalogue up to date")]
    Migration {
        /// Why it failed.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// A collector has condemned packs since the session began; its chunks must be looked up again.
    #[error("the session began in epoch {session}, and commits need epoch {least}")]
    Fenced {
        /// The epoch of the session.
        session: u64,
        /// The least epoch that may still commit.
        least: u64,
    },
    /// Somebody else was first.
    #[error("{what} has moved: expected {expected}, found {found}")]
    Moved {
        /// What has moved.
        what: String,
        /// The state that the change was made for.
        expected: String,
        /// The state that it has.
        found: String,
    },
    /// A name that is taken.
    #[error("{what} exists already")]
    Taken {
        /// What exists.
        what: String,
    },
    /// A name or id that the catalogue does not have.
    #[error("there is no {what}")]
    Unknown {
        /// What is not there.
        what: String,
    },
    /// The branches and tags of a dataset that was retired stand still.
    #[error("dataset `{dataset}` is {state}: its branches and tags stand still")]
    Frozen {
        /// Which dataset.
        dataset: DatasetName,
        /// Its state.
        state: State,
    },
    /// A state that may not follow on another.
    #[error("what is {from} cannot become {to}")]
    Illegal {
        /// The state that it has.
        from: State,
        /// The state that it should get.
        to: State,
    },
    /// A version would have been made from itself.
    #[error("a version would be made from itself, by way of {}", cycle.len().saturating_sub(2))]
    Cycle {
        /// The versions on the way round, each used for the next; the first is the last.
        cycle: Vec<VersionId>,
    },
    /// What should go is still needed.
    #[error("{what} is in use by {by}")]
    InUse {
        /// What should go.
        what: String,
        /// What needs it.
        by: String,
    },
    /// Packs may only be buried when every writer that could still need them is shut out.
    #[error("packs condemned in epoch {epoch} cannot be buried: epoch {least} may still commit")]
    NotFenced {
        /// The epoch of the condemnation.
        epoch: u64,
        /// The least epoch that may still commit.
        least: u64,
    },
    /// A version is named as added, but its record is not given.
    #[error("the record of version {version} is not given")]
    NoRecord {
        /// The version.
        version: VersionId,
    },
    /// A number beyond what the database can hold.
    #[error("{what} is too large to be kept: {value}")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// A value has no canonical form.
    #[error("cannot write {what} as canonical JSON")]
    Json {
        /// Which value.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A row of the journal does not follow from the one before it.
    #[error("entry {number} of the journal is wrong: {problem}")]
    BadJournal {
        /// The first wrong entry.
        number: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The journal can only be replayed into a catalogue in which nothing has happened.
    #[error("the catalogue is not empty")]
    NotEmpty,
    /// A record whose body does not say what its kind needs.
    #[error("a record of kind `{kind}` does not say what such records must")]
    BadRecord {
        /// The kind.
        kind: &'static str,
    },
    /// A question in SQL that is none, or that the database does not understand.
    #[error("{problem}")]
    BadQuestion {
        /// What is wrong with it.
        problem: String,
    },
    /// The answer to a question took longer than it was given.
    #[error("no answer within {seconds} s")]
    TooSlow {
        /// How long it was given.
        seconds: u64,
    },
    /// The answer to a question, or what was needed for it, is larger than it may be.
    #[error("the answer, or what it is made from, needs more than {} MiB of memory", bytes >> 20)]
    TooMuch {
        /// How much it was given.
        bytes: u64,
    },
    /// A version that the journal names could not be read.
    #[error("cannot read version {version} (committed {time})")]
    Loading {
        /// The version.
        version: VersionId,
        /// When it was added.
        time: Time,
        /// Why it could not be read.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Sorts an error of the database into one of the classes above.
    pub(super) fn from_database(doing: &'static str, source: sqlx::Error) -> Self {
        match primary_code(&source) {
            Some(5 | 6) => Self::Busy { source },
            Some(13) => Self::Full { source },
            _ if is_shared_memory_full(&source) => Self::Full { source },
            Some(11 | 26) => Self::Corrupt { doing, source },
            _ => Self::Database { doing, source },
        }
    }

    /// Whether the same call may succeed when it is made again on the present state.
    pub fn is_lost_race(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Moved { .. } | Self::Fenced { .. })
    }
}

/// SQLite's result code without its extension.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i64>().ok().map(|code| code & 0xff)
}

/// Whether the file beside the database that its users share cannot be cut to its first length
/// (`SQLITE_IOERR_SHMOPEN`, for nothing else) or cannot grow (`SQLITE_IOERR_SHMSIZE`): the only
/// things that SQLite writes when it only opens a database.
fn is_shared_memory_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "4618" | "4874"))
}

/// For `map_err`: what was being done when the database failed.
pub(super) fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::from_database(doing, source)
}
