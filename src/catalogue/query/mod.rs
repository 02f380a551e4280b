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
            // One more row than wanted says that there are more.
            let bounded = match nests {
                true => {
                    format!("SELECT * FROM ({statement}\n) LIMIT {}", limits.rows.saturating_add(1))
                }
                false => statement.to_owned(),
            };
            let rows = all(connection, bounded).await.map_err(|e| told(e, limits))?;
            let most = usize::try_from(limits.rows).unwrap_or(usize::MAX);
            let truncated = rows.len() > most;
            // Each row of the database goes when it has become one of the answer.
            let rows = rows.into_iter().take(most).map(|row| values(&row)).collect();
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
            let rows = all(connection, statement).await.map_err(|e| told(e, limits))?;
            let id = |row: &SqliteRow| {
                let text: String = row.try_get(0).map_err(|e| told(e, limits))?;
                parsed("version.id", &text)
            };
            rows.iter().map(id).collect()
        })
    }

    /// What is sorted or set aside stays in memory as well: a temporary file would have no limit.
    fn asking(&self, limits: QueryLimits) -> SqliteConnectOptions {
        existing(self.path(), false)
            .pragma("query_only", "ON")
            .pragma("temp_store", "MEMORY")
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

async fn all(
    connection: &mut SqliteConnection,
    statement: String,
) -> std::result::Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(statement)).persistent(false).fetch_all(connection).await
}

fn told(error: sqlx::Error, limits: QueryLimits) -> Error {
    match primary_code(&error) {
        Some(7 | 18) => Error::TooMuch { bytes: limits.bytes },
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
