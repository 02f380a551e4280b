//! Questions in SQL, which only read.

use serde::Serialize;
use serde_json::Value;

use super::Result;
use crate::catalogue::{Answer, QueryLimits};
use crate::repo::Repository;

/// The answer.
#[derive(Debug, Serialize)]
pub struct Queried {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows: numbers, text, null; what is no text in hexadecimal.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows than were asked for.
    pub truncated: bool,
}

/// Answers one statement over the views of the catalogue (docs/catalogue.md, "Views").
///
/// # Errors
///
/// [`crate::catalogue::Error::BadQuestion`] for anything but one question;
/// [`crate::catalogue::Error::TooSlow`].
pub fn query(repository: &Repository, sql: &str, limits: QueryLimits) -> Result<Queried> {
    let Answer { columns, rows, truncated } = repository.catalogue.query(sql, limits)?;
    Ok(Queried { columns, rows, truncated })
}

/// The views and their columns, from the database itself.
///
/// # Errors
///
/// The catalogue's.
pub fn views(repository: &Repository) -> Result<Queried> {
    let sql = "SELECT name AS view, substr(sql, instr(sql, '(') + 1, \
               instr(sql, ')') - instr(sql, '(') - 1) AS columns \
               FROM sqlite_schema WHERE type = 'view' ORDER BY name";
    let mut seen = query(repository, sql, QueryLimits::default())?;
    for row in &mut seen.rows {
        if let Some(Value::String(columns)) = row.get_mut(1) {
            *columns = columns.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
    Ok(seen)
}
