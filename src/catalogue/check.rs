//! The catalogue's own check of itself.

use sqlx::Row;

use super::error::failed;
use super::{Catalogue, Result, sql};

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
