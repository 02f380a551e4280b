//! The catalogue's own check of itself.

use sqlx::{Row, SqliteConnection};

use super::error::failed;
use super::{Catalogue, Error, Result, sql};

impl Catalogue {
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
