//! The catalogue's own check of itself.

use sqlx::{Row, SqliteConnection};

use super::error::failed;
use super::{Catalogue, Error, RecordDigest, RecordFilter, RecordRow, Result, sql};

/// So many records are in memory at once, unless one entry has more.
const PAGE: u64 = 4096;
const TAKEN_OUT: &str = "its record was changed or taken out of the catalogue";

impl Catalogue {
    /// The first entry of the journal whose records are not in the table of records as the entry
    /// says, or that has records there which it does not have, and in what way; nothing if the table
    /// is what `expected` says, in the order of the journal. Signatures, trust and holds are read
    /// from that table, so an auditor wants to know.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn check_records(&self, expected: &[RecordDigest]) -> Result<Option<(u64, String)>> {
        let mut expected = expected.iter().peekable();
        let mut next = Some(0);
        while let Some(first) = next {
            let (rows, following) = self.records_of_whole_entries(first)?;
            for row in &rows {
                let found = RecordDigest::of(row)?;
                if expected.next_if(|wanted| **wanted == found).is_none() {
                    return Ok(Some(difference(expected.peek().copied(), &found)));
                }
            }
            next = following;
        }
        let left = expected.next().map(|wanted| (wanted.number, TAKEN_OUT.to_owned()));
        Ok(left)
    }

    /// At most `limit` records of the entries from `first` on.
    fn records_from(&self, first: u64, limit: u64) -> Result<Vec<RecordRow>> {
        let filter =
            RecordFilter { first: Some(first), limit: Some(limit), ..RecordFilter::default() };
        self.records(&filter)
    }

    /// The records of some entries from `first` on, and the entry that follows them.
    fn records_of_whole_entries(&self, first: u64) -> Result<(Vec<RecordRow>, Option<u64>)> {
        let mut rows = self.records_from(first, PAGE)?;
        let end = rows.last().map(|row| row.number);
        if (rows.len() as u64) < PAGE {
            return Ok((rows, None));
        }
        rows.retain(|row| Some(row.number) < end);
        if rows.is_empty() {
            // One entry has more than a page of them.
            return Ok((self.records_from(first, u64::MAX)?, None));
        }
        Ok((rows, end))
    }

    /// What SQLite finds wrong with its own file: pages, indexes, rules of the tables and
    /// references between them. Nothing for a sound one.
    ///
    /// # Errors
    ///
    /// When the file is too damaged to be asked.
    pub fn check_file(&self) -> Result<Vec<String>> {
        self.run(async |connection| {
            let mut problems = Vec::new();
            let rows = sqlx::raw_sql(sql::INTEGRITY)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed("check the database"))?;
            for row in rows {
                let text: String = row.try_get(0).map_err(failed("check the database"))?;
                if text != "ok" {
                    problems.push(text);
                }
            }
            let rows = sqlx::raw_sql(sql::FOREIGN_KEYS)
                .fetch_all(&mut *connection)
                .await
                .map_err(failed("check references"))?;
            for row in rows {
                let table: String = row.try_get(0).map_err(failed("check references"))?;
                problems.push(format!("a row of the table {table} names what is not there"));
            }
            Ok(problems)
        })
    }
}

fn difference(wanted: Option<&RecordDigest>, found: &RecordDigest) -> (u64, String) {
    match wanted {
        Some(wanted) if wanted.place() <= found.place() => (wanted.number, TAKEN_OUT.to_owned()),
        _ => (found.number, "the catalogue has a record of it that it does not have".to_owned()),
    }
}

impl Catalogue {
    /// Writes the database anew without free pages, and cuts the log off, so that nothing is left
    /// of rows that were deleted or changed. The space of the database is needed once more.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if others have the catalogue open and do not let go.
    pub fn compact(&self) -> Result<()> {
        self.run(async |connection| {
            // A copy of the database in a temporary file would have to be cleaned as well.
            run_one(connection, "PRAGMA temp_store = MEMORY").await?;
            cut_log(connection).await?;
            run_one(connection, "VACUUM").await?;
            cut_log(connection).await
        })
    }
}

async fn run_one(connection: &mut SqliteConnection, text: &'static str) -> Result<()> {
    sqlx::raw_sql(text).execute(connection).await.map_err(failed("write the database anew"))?;
    Ok(())
}

async fn cut_log(connection: &mut SqliteConnection) -> Result<()> {
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await
        .map_err(failed("cut off the log"))?;
    match busy {
        0 => Ok(()),
        _ => {
            let source = sqlx::Error::Protocol("another program reads the log".into());
            Err(Error::Busy { source })
        }
    }
}
