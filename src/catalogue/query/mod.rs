//! Questions that users ask in SQL, over the views of `docs/catalogue.md`.
//!
//! Here: answering one statement on a connection of its own that cannot write, within a limit of
//! time, rows and memory; choosing versions by a condition.
//! Not here: the statements of this program (`sql`), which hold nothing that a user wrote.
//! Invariant: whatever is asked, no file changes.

mod text;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr, SqliteConnection, Statement};
use sqlx::{TypeInfo, ValueRef};

use super::error::primary_code;
use super::open::existing;
use super::read::parsed;
use super::{Catalogue, Error, Result};
use crate::model::VersionId;

/// How far a question may go.
#[derive(Debug, Clone, Copy)]
pub struct QueryLimits {
    /// Seconds until it is given up.
    pub seconds: u64,
    /// At most so many rows.
    pub rows: u64,
    /// Bytes that the database may have in memory for it. The database counts them for all of the
    /// process together, and the least limit that was ever given holds from then on.
    pub bytes: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { seconds: 60, rows: 100_000, bytes: 256 << 20 }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The names of the columns, as they were asked for.
    pub columns: Vec<String>,
    /// The rows: numbers, text, null; what is no text in hexadecimal.
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than asked for.
    pub truncated: bool,
}

/// How many steps of SQLite's machine there are between two looks at the clock.
const STEPS: i32 = 10_000;

/// So many rows may wait for the thread that asked for them.
const ROWS_ON_THE_WAY: usize = 16;
/// With less than this the database cannot even be opened; and 0 would be no limit.
const LEAST_BYTES: u64 = 8 << 20;

impl Catalogue {
    /// Answers one statement in SQL; it sees the views and tables as they are at this moment.
    ///
    /// The connection is opened for reading only, so nothing can change, whatever is asked.
    ///
    /// # Errors
    ///
    /// [`Error::BadQuestion`] for what is no question or the database does not understand,
    /// [`Error::TooSlow`], [`Error::TooMuch`].
    pub fn query(&self, sql: &str, limits: QueryLimits) -> Result<Answer> {
        let (statement, nests) = text::check_question(sql)?;
        self.run_apart(&self.asking(limits), async |connection| {
            watch(connection, limits.seconds).await?;
            let columns = columns(connection, statement).await.map_err(|e| told(e, limits))?;
            let asked = match nests {
                true => bounded(statement, columns.len(), limits),
                false => statement.to_owned(),
            };
            let most = usize::try_from(limits.rows).unwrap_or(usize::MAX);
            let (mut rows, mut bytes) = (Vec::new(), 0);
            let mut truncated = false;
            each(connection, asked, limits, |row| {
                if rows.len() >= most {
                    truncated = true;
                    return Ok(());
                }
                let row = values(row);
                bytes += row.iter().map(size).sum::<u64>();
                rows.push(row);
                let fits = bytes <= limits.bytes;
                if fits { Ok(()) } else { Err(Error::TooMuch { bytes: limits.bytes }) }
            })
            .await?;
            Ok(Answer { columns, rows, truncated })
        })
    }

    /// The versions for which `condition` is true: an expression in SQL over the columns of the
    /// view `versions`, in which `metric.NAME` is the newest value of that metric for the whole
    /// version.
    ///
    /// # Errors
    ///
    /// As [`Catalogue::query`].
    pub fn versions_where(&self, condition: &str, limits: QueryLimits) -> Result<Vec<VersionId>> {
        let condition = text::condition(condition)?;
        let statement = format!("SELECT version FROM versions WHERE ({condition}\n)");
        self.run_apart(&self.asking(limits), async |connection| {
            watch(connection, limits.seconds).await?;
            let mut ids = Vec::new();
            each(connection, statement, limits, |row| {
                let text: String = row.try_get(0).map_err(|e| told(e, limits))?;
                ids.push(parsed("version.id", &text)?);
                Ok(())
            })
            .await?;
            Ok(ids)
        })
    }

    /// What is sorted or set aside stays in memory as well: a temporary file would have no limit.
    fn asking(&self, limits: QueryLimits) -> SqliteConnectOptions {
        existing(self.path(), false)
            .pragma("query_only", "ON")
            .pragma("temp_store", "MEMORY")
            .row_buffer_size(ROWS_ON_THE_WAY)
            .pragma("hard_heap_limit", limits.bytes.clamp(LEAST_BYTES, i64::MAX as u64).to_string())
            .statement_cache_capacity(0)
    }
}

/// Gives up after so many seconds.
async fn watch(connection: &mut SqliteConnection, seconds: u64) -> Result<()> {
    let begun = Instant::now();
    let given = Duration::from_secs(seconds);
    let mut handle = connection.lock_handle().await.map_err(super::error::failed("ask"))?;
    handle.set_progress_handler(STEPS, move || begun.elapsed() < given);
    Ok(())
}

async fn columns(
    connection: &mut SqliteConnection,
    statement: &str,
) -> std::result::Result<Vec<String>, sqlx::Error> {
    let text = AssertSqlSafe(statement.to_owned()).into_sql_str();
    let prepared = connection.prepare(text).await?;
    Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
}

/// Hands every row of the answer to `take`, one at a time.
async fn each(
    connection: &mut SqliteConnection,
    statement: String,
    limits: QueryLimits,
    mut take: impl FnMut(&SqliteRow) -> Result<()>,
) -> Result<()> {
    let query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
    let mut rows = query.fetch(connection);
    while let Some(row) = std::future::poll_fn(|context| rows.as_mut().poll_next(context)).await {
        take(&row.map_err(|e| told(e, limits))?)?;
    }
    Ok(())
}

/// The statement with at most one more row than wanted, which says that there are more, and none of
/// so many bytes that copies of it would fill the memory: each row that is on its way is one.
///
/// The outer `LIMIT` keeps SQLite from making one statement of the two, which would compute every
/// value twice.
fn bounded(statement: &str, columns: usize, limits: QueryLimits) -> String {
    let names: Vec<String> = (1..=columns).map(|at| format!("c{at}")).collect();
    let sizes = names.iter().map(|name| format!("coalesce(octet_length({name}), 0)")).collect();
    let (all, rows) = (names.join(", "), limits.rows.saturating_add(1).min(i64::MAX as u64));
    let (rest, size) = (names.iter().skip(1).map(|name| format!(", {name}")), sum(sizes));
    let most = limits.bytes.max(LEAST_BYTES) / ROWS_ON_THE_WAY as u64 / 4;
    // More than the database can ever hold is an error, which ends the question.
    format!(
        "WITH q ({all}) AS (SELECT * FROM ({statement}\n) LIMIT {rows})
         SELECT CASE WHEN {size} > {most} THEN zeroblob(1000000000 + {size}) ELSE c1 END{}
         FROM q LIMIT -1",
        rest.collect::<String>()
    )
}

/// A sum that nests as little as it can: a question may have more columns than a sum may nest.
fn sum(mut parts: Vec<String>) -> String {
    while parts.len() > 1 {
        let pairs = parts.chunks(2).map(|pair| format!("({})", pair.join(" + "))).collect();
        parts = pairs;
    }
    parts.pop().unwrap_or_else(|| "0".to_owned())
}

/// About how much memory a value takes.
fn size(value: &Value) -> u64 {
    let text = value.as_str().map_or(0, str::len);
    (text + size_of::<Value>()) as u64
}

fn told(error: sqlx::Error, limits: QueryLimits) -> Error {
    match primary_code(&error) {
        Some(7 | 18) => Error::TooMuch { bytes: limits.bytes },
        // The database's thread ends when it has no memory for a copy of a value.
        None if matches!(error, sqlx::Error::WorkerCrashed) => {
            Error::TooMuch { bytes: limits.bytes }
        }
        Some(9) => Error::TooSlow { seconds: limits.seconds },
        Some(8) => {
            Error::BadQuestion { problem: "the question would write, and is refused".into() }
        }
        // What SQLite says of a statement that it does not understand or cannot answer.
        Some(1 | 20 | 23 | 25) => {
            let problem = match error.as_database_error() {
                Some(error) => error.message().to_owned(),
                None => error.to_string(),
            };
            Error::BadQuestion { problem }
        }
        _ => Error::from_database("answer a question", error),
    }
}

fn values(row: &SqliteRow) -> Vec<Value> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

fn value(row: &SqliteRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else { return Value::Null };
    // The type of a null is that of its column.
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info().name().to_owned();
    let bytes = || row.try_get_unchecked::<Vec<u8>, _>(at).unwrap_or_default();
    match kind.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(at).map_or(Value::Null, Value::from),
        "REAL" => row.try_get_unchecked::<f64, _>(at).map_or(Value::Null, real),
        "TEXT" => Value::from(String::from_utf8_lossy(&bytes()).into_owned()),
        "BLOB" => Value::from(bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        _ => Value::Null,
    }
}

/// JSON has no word for what is not finite.
fn real(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { Value::from(number.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the reader of the text is there to refuse, the connection refuses as well.
    #[test]
    fn the_connection_cannot_write_even_when_it_is_told_to() {
        let directory = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::create(&directory.path().join("catalogue.db")).unwrap();
        let before = catalogue.dump().unwrap();
        let tried =
            catalogue.run_apart(&catalogue.asking(QueryLimits::default()), async |connection| {
                for sql in ["PRAGMA query_only = OFF", "PRAGMA writable_schema = ON"] {
                    sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
                }
                let mut refused = Vec::new();
                for sql in [
                    "DELETE FROM store_root",
                    "INSERT INTO dataset VALUES ('x', 0)",
                    "CREATE TABLE x (y)",
                    "DELETE FROM sqlite_schema",
                    "INSERT INTO words_index (words_index) VALUES ('delete-all')",
                ] {
                    refused.push(sqlx::raw_sql(sql).execute(&mut *connection).await.is_err());
                }
                Ok(refused)
            });
        assert_eq!(tried.unwrap(), [true; 5]);
        assert_eq!(catalogue.dump().unwrap(), before);
    }
}
