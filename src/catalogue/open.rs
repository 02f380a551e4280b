//! Making and opening a catalogue, and the one connection through which everything goes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::runtime::{Builder, Runtime};

use super::error::{failed, primary_code};
use super::{Error, Result, platform};

/// `Stem` in ASCII: what SQLite calls the application id.
pub(super) const APPLICATION_ID: i64 = 1_400_137_069;
/// The schema that the migrations of this build lead to.
pub(super) const SCHEMA: i64 = 9;
/// How long we wait for another program's transaction.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many rows may wait for the thread that asked for them.
const ROWS_AHEAD: usize = 1024;
/// Triggers and views that migrations make, as `type name`.
const OURS: [&str; 16] = [
    "view datasets",
    "view versions",
    "view parents",
    "view branches",
    "view tags",
    "view ref_moves",
    "view sources",
    "view steps",
    "view metrics",
    "view latest_metrics",
    "view derivations",
    "view consumers",
    "view uses",
    "view notes",
    "view records",
    "view journal_entries",
];

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Every setting that must be right is asked for in one go.
const INSPECT: &str = "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode;
    SELECT type || ' ' || name FROM sqlite_schema WHERE type IN ('trigger', 'view')";

/// An open catalogue. Calls from several threads take turns.
///
/// Calls block the thread, so they must not be made on a thread that runs async tasks.
pub struct Catalogue {
    path: PathBuf,
    writable: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    runtime: Runtime,
    connection: Option<SqliteConnection>,
}

impl Catalogue {
    /// Makes an empty catalogue. It appears under its name complete and durable, or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if anything has that name; [`Error::SharedFileSystem`] where SQLite is
    /// not safe.
    pub fn create(path: &Path) -> Result<Self> {
        let path = absolute(path)?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path });
        }
        refuse_unsafe_file_system(path.parent().unwrap_or(&path))?;
        let draft = draft_name(&path)?;
        let made = make_draft(&draft);
        let published = made.and_then(|()| {
            platform::publish(&draft, &path).map_err(|source| match source.kind() {
                std::io::ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
                _ => Error::Io { doing: "create", path: path.clone(), source },
            })
        });
        if published.is_err() {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let _ = std::fs::remove_file(beside(&draft, suffix));
            }
        }
        published?;
        Self::open(&path)
    }

    /// Opens a catalogue; one that this process may not write to is opened for reading.
    ///
    /// Tables of an older release are brought up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::NotACatalogue`], [`Error::Newer`], [`Error::Planted`] or
    /// [`Error::SharedFileSystem`] say why the file is refused; nothing has been written then.
    pub fn open(path: &Path) -> Result<Self> {
        let path = absolute(path)?;
        let writable = platform::is_writable(&path);
        Self::open_as(path, writable)
    }

    /// Opens a catalogue through a connection that cannot write.
    ///
    /// # Errors
    ///
    /// As [`Catalogue::open`]; [`Error::ReadOnly`] if the tables are of an older release.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Self::open_as(absolute(path)?, false)
    }

    /// Where the database lies, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether changes can be applied.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    fn open_as(path: PathBuf, writable: bool) -> Result<Self> {
        match path.metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => {
                return Err(Error::NotACatalogue { path, problem: "it is not a file".into() });
            }
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing { path });
            }
            Err(source) => return Err(Error::Io { doing: "open", path, source }),
        }
        refuse_unsafe_file_system(&path)?;
        let runtime = runtime()?;
        let options = existing(&path, writable);
        let connection = runtime.block_on(connect(&options, &path, writable))?;
        let inner = Mutex::new(Inner { runtime, connection: Some(connection) });
        Ok(Self { path, writable, inner })
    }

    /// As [`Catalogue::run`], on a connection of its own, opened with `options`; it is closed
    /// afterwards.
    pub(super) fn run_apart<T>(
        &self,
        options: &SqliteConnectOptions,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        runtime()?.block_on(async {
            let mut connection = options.connect().await.map_err(failed("open the database"))?;
            let value = work(&mut connection).await;
            let closed = connection.close().await.map_err(failed("close the database"));
            value.and_then(|value| closed.map(|()| value))
        })
    }

    /// Runs one coherent piece of work on the connection.
    pub(super) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { runtime, connection } = &mut *inner;
        match connection {
            Some(connection) => runtime.block_on(work(connection)),
            None => Err(failed("use a closed connection")(sqlx::Error::PoolClosed)),
        }
    }

    /// As [`Catalogue::run`], in a transaction that sees one state of the database.
    pub(super) fn snapshot<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        self.run(async |connection| {
            let mut transaction = connection.begin().await.map_err(failed("begin to read"))?;
            let value = work(&mut transaction).await?;
            transaction.commit().await.map_err(failed("end reading"))?;
            Ok(value)
        })
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    /// The last connection moves what is in the log into the database, which must not be cut
    /// short by the end of the process, or the next program would have to do it.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|source| Error::Io {
        doing: "find",
        path: path.into(),
        source,
    })?;
    if path.to_str().is_none() {
        return Err(Error::PathNotText { path });
    }
    Ok(path)
}

/// The name of a file that belongs to `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn draft_name(path: &Path) -> Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::System { what: "randomness", source: std::io::Error::other(e) })?;
    Ok(beside(path, &format!(".{:016x}.new", u64::from_be_bytes(bytes))))
}

fn refuse_unsafe_file_system(path: &Path) -> Result<()> {
    match platform::unsafe_file_system(path) {
        Ok(None) => Ok(()),
        Ok(Some(kind)) => Err(Error::SharedFileSystem { path: path.into(), kind }),
        Err(source) => Err(Error::Io { doing: "open", path: path.into(), source }),
    }
}

/// The connection has its own thread; this one only waits for it, so no driver is enabled.
pub(super) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().build().map_err(|source| Error::System { what: "thread", source })
}

/// The settings that every connection has; none of them writes to the file.
fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // Rows come from another thread; with sqlx's 50 the two wait for each other all the time.
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging()
}

pub(super) fn existing(path: &Path, writable: bool) -> SqliteConnectOptions {
    let options = settings(path).read_only(!writable);
    if writable {
        return options;
    }
    // Without a log and without the right to make one, the file is all there is.
    let has_log = beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    let directory = path.parent().unwrap_or(path);
    options.immutable(!has_log && !platform::is_writable(directory))
}

fn make_draft(draft: &Path) -> Result<()> {
    let options = settings(draft).create_if_missing(true);
    runtime()?.block_on(async {
        let mut connection = options.connect().await.map_err(failed("create tables"))?;
        migrate(&mut connection).await?;
        // Last, so that the identity is in the file itself and not in its log.
        run_sql(&mut connection, "PRAGMA journal_mode = WAL", "switch to a log").await?;
        connection.close().await.map_err(failed("close the new file"))
    })
}

async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    MIGRATIONS.run(connection).await.map_err(|source| Error::Migration { source: Box::new(source) })
}

async fn run_sql(
    connection: &mut SqliteConnection,
    text: &'static str,
    doing: &'static str,
) -> Result<()> {
    sqlx::raw_sql(text).execute(connection).await.map_err(failed(doing))?;
    Ok(())
}

async fn connect(
    options: &SqliteConnectOptions,
    path: &Path,
    writable: bool,
) -> Result<SqliteConnection> {
    let unreadable = |source: sqlx::Error| match primary_code(&source) {
        Some(26) => {
            Error::NotACatalogue { path: path.into(), problem: "it is not a database".into() }
        }
        Some(8) => Error::ReadOnly { path: path.into() },
        _ => Error::from_database("open the database", source),
    };
    let mut connection = options.connect().await.map_err(unreadable)?;
    let facts = inspect(&mut connection).await.map_err(unreadable)?;
    facts.check(path)?;
    if facts.schema < SCHEMA {
        if !writable {
            return Err(Error::ReadOnly { path: path.into() });
        }
        bring_up_to_date(&mut connection).await?;
    }
    if writable && facts.journal_mode != "wal" {
        run_sql(&mut connection, "PRAGMA journal_mode = WAL", "switch to a log").await?;
    }
    Ok(connection)
}

/// Two programs may try at once: then the one that failed finds the other's work done.
async fn bring_up_to_date(connection: &mut SqliteConnection) -> Result<()> {
    let tried = migrate(connection).await;
    let facts = inspect(connection).await.map_err(failed("read the schema"))?;
    if facts.schema == SCHEMA { Ok(()) } else { tried }
}

struct Facts {
    application: i64,
    schema: i64,
    journal_mode: String,
    code: Vec<String>,
}

async fn inspect(connection: &mut SqliteConnection) -> Result<Facts, sqlx::Error> {
    let rows = sqlx::raw_sql(INSPECT).fetch_all(connection).await?;
    let [application, schema, journal_mode, code @ ..] = rows.as_slice() else {
        return Err(sqlx::Error::RowNotFound);
    };
    Ok(Facts {
        application: application.try_get(0)?,
        schema: schema.try_get(0)?,
        journal_mode: journal_mode.try_get(0)?,
        code: code.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
    })
}

impl Facts {
    fn check(&self, path: &Path) -> Result<()> {
        if self.application != APPLICATION_ID {
            let problem = format!("its application id is {}, not ours", self.application);
            return Err(Error::NotACatalogue { path: path.into(), problem });
        }
        if self.schema > SCHEMA {
            return Err(Error::Newer { path: path.into(), found: self.schema, known: SCHEMA });
        }
        match self.code.iter().find(|name| !OURS.contains(&name.as_str())) {
            Some(what) => Err(Error::Planted { path: path.into(), what: what.clone() }),
            None => Ok(()),
        }
    }
}
