//! Rows of any table as cells.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, TypeInfo, ValueRef};

use crate::catalogue::error::failed;
use crate::catalogue::journal::canonical;
use crate::catalogue::rows::{Cell, Table};
use crate::catalogue::{Result, sql};

/// Which part of a table is read.
#[derive(Debug, Clone)]
pub(super) enum Part {
    All,
    /// Entries of the journal, the last excluded.
    Entries(u64, u64),
    /// Versions whose ids begin with these two digits.
    Versions(u8),
}

/// The rows of a part of a table, in the order of what they belong to.
pub(super) async fn rows(
    connection: &mut SqliteConnection,
    table: Table,
    part: &Part,
) -> Result<Vec<Vec<Cell>>> {
    let query = sqlx::query(statement(table));
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let query = match part {
        Part::All => query,
        Part::Entries(first, end) => query.bind(bound(*first)).bind(bound(*end)),
        // What is no id at all belongs to the first or the last part.
        Part::Versions(digits) => {
            let first = if *digits == 0 { String::new() } else { format!("{digits:02x}") };
            let end = match digits.checked_add(1) {
                Some(next) => format!("{next:02x}"),
                None => char::MAX.to_string(),
            };
            query.bind(first).bind(end)
        }
    };
    let rows = query.fetch_all(connection).await.map_err(failed("read a table"))?;
    Ok(rows.iter().map(|row| cells(table, row)).collect())
}

fn statement(table: Table) -> &'static str {
    match table {
        Table::Root => sql::shadow::ROOT,
        Table::Pack => sql::packs::ALL,
        Table::Dataset => sql::names::DATASETS,
        Table::Ref => sql::names::ALL_REFS,
        Table::Worktree => sql::worktrees::ALL,
        Table::Presence => sql::presence::ALL,
        Table::Imported => sql::shadow::IMPORTED,
        Table::Consumer => sql::shadow::CONSUMER,
        Table::RefLog => sql::shadow::REF_LOG,
        Table::Record => sql::shadow::RECORD,
        Table::Use => sql::shadow::USE,
        Table::Version => sql::shadow::VERSION,
        Table::Parent => sql::shadow::PARENT,
        Table::Source => sql::shadow::SOURCE,
        Table::Step => sql::shadow::STEP,
        Table::Metric => sql::shadow::METRIC,
        Table::Derivation => sql::shadow::DERIVATION,
    }
}

/// The column of `record` that is JSON.
const BODY: usize = 10;

fn cells(table: Table, row: &SqliteRow) -> Vec<Cell> {
    let mut cells: Vec<Cell> = (0..row.len()).map(|at| cell(row, at)).collect();
    if let (Table::Record, Some(Cell::Text(body))) = (table, cells.get_mut(BODY)) {
        // Earlier releases wrote whole numbers with a point.
        if let Some(same) = serde_json::from_str::<serde_json::Value>(body)
            .ok()
            .and_then(|value| canonical("a record", &value).ok())
        {
            *body = same;
        }
    }
    cells
}

fn cell(row: &SqliteRow, at: usize) -> Cell {
    let Ok(raw) = row.try_get_raw(at) else { return Cell::Null };
    if raw.is_null() {
        return Cell::Null;
    }
    let kind = raw.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(at).map_or(Cell::Null, Cell::Int),
        "REAL" => row.try_get_unchecked::<f64, _>(at).map_or(Cell::Null, Cell::Real),
        _ => row.try_get_unchecked::<String, _>(at).map_or(Cell::Null, Cell::Text),
    }
}
