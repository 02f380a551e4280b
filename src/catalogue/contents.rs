//! Which versions hold which content: an index beside the catalogue, made from manifests.
//!
//! Here: `contains.db`. Of each version it has only what its first parent's listing has not, and
//! what that has and it has not; who holds a file is found by walking from where it came in to
//! where it went out.
//! Not here: comparing the manifests (`ops::contains`).
//! Invariant: the file can be deleted at any moment; it holds ids and paths that manifests have too.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Runtime;

use super::error::failed;
use super::open::{beside, runtime};
use super::read::{optional, parsed};
use super::{Error, Result, VersionRow, platform, sql};
use crate::model::{DatasetName, FileId, VersionId};

/// Content that came to a path, or left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The content.
    pub file: FileId,
    /// Where.
    pub path: Vec<u8>,
    /// Whether it has left.
    pub gone: bool,
}

/// Versions that hold a content at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The dataset that they were made in, where that is known.
    pub dataset: Option<DatasetName>,
    /// Where in them.
    pub path: Vec<u8>,
    /// The versions; those that continue others after them.
    pub versions: Vec<VersionId>,
}

/// The index, opened. Calls from several threads take turns.
pub struct ContentIndex {
    runtime: Runtime,
    connection: Mutex<Option<SqliteConnection>>,
}

impl fmt::Debug for ContentIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentIndex").finish_non_exhaustive()
    }
}

/// What a file of this release has for `PRAGMA user_version`; another is made again.
const FORMAT: i64 = 1;

impl ContentIndex {
    /// Opens the index; makes an empty one if there is none or its format is another. Where the
    /// directory cannot be written, the index is in memory only.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, made or read; [`ContentIndex::remove`] helps.
    pub fn open(path: &Path) -> Result<Self> {
        let directory = path.parent().unwrap_or(path);
        let keeps = platform::is_writable(directory)
            && (path.symlink_metadata().is_err() || platform::is_writable(path));
        let runtime = runtime()?;
        let opened = runtime.block_on(connect(path, keeps))?;
        let connection = match opened {
            Some(connection) => connection,
            None => {
                Self::remove(path)?;
                let made = runtime.block_on(connect(path, keeps))?;
                made.ok_or_else(|| Error::BadRow { what: format!("{} is odd", path.display()) })?
            }
        };
        Ok(Self { runtime, connection: Mutex::new(Some(connection)) })
    }

    /// Removes the index, if there is one. The next question makes it again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file stays.
    pub fn remove(path: &Path) -> Result<()> {
        for suffix in ["-wal", "-shm", ""] {
            let file: PathBuf = beside(path, suffix);
            match std::fs::remove_file(&file) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Io { doing: "remove", path: file, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn run<T>(&self, work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>) -> Result<T> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(connection) => self.runtime.block_on(work(connection)),
            None => Err(failed("use a closed connection")(sqlx::Error::PoolClosed)),
        }
    }

    /// The hash of the journal's entry up to which it knows everything.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn seen(&self) -> Result<String> {
        self.run(async |connection| {
            sqlx::query_scalar(sql::contents::SEEN)
                .fetch_one(connection)
                .await
                .map_err(failed("read the index of contents"))
        })
    }

    /// The versions that it knows.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn versions(&self) -> Result<HashSet<VersionId>> {
        let ids: Vec<Vec<u8>> = self.run(async |connection| {
            sqlx::query_scalar(sql::contents::VERSIONS)
                .fetch_all(connection)
                .await
                .map_err(failed("read the index of contents"))
        })?;
        ids.iter().map(|id| version_id(id)).collect()
    }

    /// Begins a change; it is kept by [`ContentIndex::end`], and nobody else changes the index
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if somebody else does not end within a minute.
    pub fn begin(&self) -> Result<()> {
        self.execute("BEGIN IMMEDIATE")
    }

    /// Keeps what has been added since [`ContentIndex::begin`].
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn end(&self) -> Result<()> {
        self.execute("COMMIT")
    }

    fn execute(&self, text: &'static str) -> Result<()> {
        self.run(async |connection| {
            let done = sqlx::raw_sql(text).execute(connection).await;
            done.map(drop).map_err(failed("change the index of contents"))
        })
    }

    /// Adds a version, made in `dataset`, whose parents it knows, and gives its number; none if it
    /// knows it already.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if it does not know a parent.
    pub fn add_version(
        &self,
        row: &VersionRow,
        dataset: Option<&DatasetName>,
    ) -> Result<Option<i64>> {
        self.run(async |connection| {
            let mut parents = Vec::new();
            for parent in &row.parents {
                let number: Option<i64> = sqlx::query_scalar(sql::contents::NUMBER)
                    .bind(parent.as_bytes().to_vec())
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(failed("read the index of contents"))?;
                let unknown = || Error::Unknown { what: format!("version {parent} in the index") };
                parents.push(number.ok_or_else(unknown)?);
            }
            let number: Option<i64> = sqlx::query_scalar(sql::contents::ADD_VERSION)
                .bind(row.id.as_bytes().to_vec())
                .bind(parents.first())
                .bind(dataset.map(|name| name.as_str()))
                .fetch_optional(&mut *connection)
                .await
                .map_err(failed("change the index of contents"))?;
            let Some(number) = number else { return Ok(None) };
            for parent in parents {
                let query = sqlx::query(sql::contents::ADD_PARENT).bind(number).bind(parent);
                let done = query.execute(&mut *connection).await;
                done.map_err(failed("change the index of contents"))?;
            }
            Ok(Some(number))
        })
    }

    /// Adds what came and left with the version that has this number; sorts it first, so that
    /// neighbours are written together.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn add(&self, number: i64, changes: &mut Vec<Held>) -> Result<()> {
        changes.sort_unstable();
        self.run(async |connection| {
            for rows in changes.chunks(ROWS_AT_ONCE) {
                let mut query = sqlx::query(AssertSqlSafe(sql::contents::add(rows.len())));
                query = query.persistent(rows.len() == ROWS_AT_ONCE);
                for row in rows {
                    query = query
                        .bind(row.file.as_bytes().as_slice())
                        .bind(number)
                        .bind(row.path.as_slice())
                        .bind(row.gone);
                }
                let done = query.execute(&mut *connection).await;
                done.map_err(failed("change the index of contents"))?;
            }
            Ok(())
        })?;
        changes.clear();
        Ok(())
    }

    /// Says that it knows everything up to the journal's entry with this hash, and that these
    /// versions are there no more.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn note(&self, seen: &str, gone: &[VersionId]) -> Result<()> {
        self.run(async |connection| {
            for id in gone {
                for text in sql::contents::FORGET {
                    let query = sqlx::query(text).bind(id.as_bytes().to_vec());
                    let done = query.execute(&mut *connection).await;
                    done.map_err(failed("change the index of contents"))?;
                }
            }
            let query = sqlx::query(sql::contents::SET_SEEN).bind(seen);
            let done = query.execute(&mut *connection).await;
            done.map(drop).map_err(failed("change the index of contents"))
        })
    }

    /// At most `limit` contents whose ids lie between two, both among them.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn files(&self, least: &FileId, greatest: &FileId, limit: u32) -> Result<Vec<FileId>> {
        let ids: Vec<Vec<u8>> = self.run(async |connection| {
            sqlx::query_scalar(sql::contents::FILES)
                .bind(least.as_bytes().to_vec())
                .bind(greatest.as_bytes().to_vec())
                .bind(limit)
                .fetch_all(connection)
                .await
                .map_err(failed("read the index of contents"))
        })?;
        ids.iter().map(|id| Ok(FileId::from_bytes(digest(id)?))).collect()
    }

    /// The versions that hold a content, by dataset and path.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn holders(&self, file: &FileId) -> Result<Vec<Holder>> {
        let rows: Vec<(Option<String>, Vec<u8>, String)> = self.run(async |connection| {
            sqlx::query_as(sql::contents::HOLDERS)
                .bind(file.as_bytes().to_vec())
                .fetch_all(connection)
                .await
                .map_err(failed("read the index of contents"))
        })?;
        let holder = |(dataset, path, ids): (Option<String>, Vec<u8>, String)| {
            let ids = (0..ids.len()).step_by(64).map(|at| ids.get(at..at + 64).unwrap_or_default());
            Ok(Holder {
                dataset: optional("version.dataset", dataset.as_deref())?,
                path,
                versions: ids.map(|id| parsed("version.id", id)).collect::<Result<_>>()?,
            })
        };
        rows.into_iter().map(holder).collect()
    }

    /// Those of `versions` that hold a content, or continue a version with which it came.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn heirs(&self, file: &FileId, versions: &[VersionId]) -> Result<HashSet<VersionId>> {
        let asked: Vec<String> = versions.iter().map(VersionId::to_hex).collect();
        let asked = serde_json::Value::from(asked).to_string();
        let ids: Vec<Vec<u8>> = self.run(async |connection| {
            sqlx::query_scalar(sql::contents::HEIRS)
                .bind(file.as_bytes().to_vec())
                .bind(asked)
                .fetch_all(connection)
                .await
                .map_err(failed("read the index of contents"))
        })?;
        ids.iter().map(|id| version_id(id)).collect()
    }
}

impl Drop for ContentIndex {
    /// What was begun and not ended is taken back; the log is moved into the file.
    fn drop(&mut self) {
        let held = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = held.take() {
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

/// How many rows one statement adds: with four values each, far below SQLite's limit.
const ROWS_AT_ONCE: usize = 250;

fn digest(bytes: &[u8]) -> Result<[u8; 32]> {
    let what = || Error::BadRow { what: "the index of contents has an id of odd length".into() };
    bytes.try_into().map_err(|_| what())
}

fn version_id(bytes: &[u8]) -> Result<VersionId> {
    Ok(VersionId::from_bytes(digest(bytes)?))
}

/// None if the file is not one of this release.
async fn connect(path: &Path, keeps: bool) -> Result<Option<SqliteConnection>> {
    let options = SqliteConnectOptions::new()
        .busy_timeout(std::time::Duration::from_secs(60))
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("secure_delete", "ON")
        .pragma("cache_size", "-32000")
        .disable_statement_logging();
    let options = if keeps {
        let options = options.filename(path).create_if_missing(true);
        // A power cut may take back the newest entries, which are then made again.
        options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal)
    } else {
        options.filename(":memory:")
    };
    let Ok(mut connection) = options.connect().await else { return Ok(None) };
    let prepared = prepare(&mut connection).await;
    match prepared {
        Ok(true) => Ok(Some(connection)),
        Ok(false) | Err(Error::Corrupt { .. }) => {
            let _ = connection.close().await;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Makes the tables in an empty file. False if the file is another's.
async fn prepare(connection: &mut SqliteConnection) -> Result<bool> {
    let doing = "read the index of contents";
    let format: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed(doing))?;
    if format == FORMAT {
        return Ok(true);
    }
    let mut change =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed("make the index"))?;
    let tables: i64 = sqlx::query_scalar(sql::contents::TABLES)
        .fetch_one(&mut *change)
        .await
        .map_err(failed(doing))?;
    if tables > 0 {
        // Somebody else has made it meanwhile, or it is of another release.
        let format: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *change)
            .await
            .map_err(failed(doing))?;
        return Ok(format == FORMAT);
    }
    sqlx::raw_sql(sql::contents::MAKE)
        .execute(&mut *change)
        .await
        .map_err(failed("make the index"))?;
    change.commit().await.map_err(failed("make the index"))?;
    Ok(true)
}
