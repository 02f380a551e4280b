//! Making the tables again from the journal.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::effects::{Context, perform};
use super::error::failed;
use super::journal::{Detail, add, head};
use super::{Catalogue, Change, Error, JournalEntry, JournalHead, Result, sql};
use crate::model::{Version, VersionId};

impl Catalogue {
    /// Makes every change of a journal again in an empty catalogue, in one transaction.
    ///
    /// `load` reads versions, which the journal only names, from the store. It is asked only for
    /// those that were not forgotten later. Afterwards the tables, the journal among them, are
    /// equal to those that the journal was taken from.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`]; [`Error::BadJournal`] if an entry does not follow from the one before
    /// it; [`Error::Loading`] if `load` fails; and whatever a change can meet. The catalogue is
    /// still empty then.
    pub fn replay<E>(
        &self,
        entries: &[JournalEntry],
        mut load: impl FnMut(&VersionId) -> Result<Version, E>,
    ) -> Result<()>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.is_writable() {
            return Err(Error::ReadOnly { path: self.path().into() });
        }
        let mut journal = Vec::with_capacity(entries.len());
        let mut last = JournalHead::beginning();
        for entry in entries {
            if let Some(problem) = entry.problem_after(&last) {
                return Err(Error::BadJournal { number: last.number + 1, problem });
            }
            last = entry.head();
            journal.push((entry, entry.parse_detail()?));
        }
        let kept = kept_versions(&journal);
        self.write(async |connection| {
            if head(connection).await?.number != 0 {
                return Err(Error::NotEmpty);
            }
            for (entry, detail) in &journal {
                let versions = added(entry, detail, &kept, &mut load)?;
                let context = Context {
                    entry,
                    message: detail.message.as_deref(),
                    versions: versions.iter().map(|(id, version)| (*id, version)).collect(),
                    kept: Some(&kept),
                };
                perform(connection, &context, &detail.changes).await?;
                add(connection, entry).await?;
            }
            Ok(())
        })
    }
}

impl Catalogue {
    /// Every row of every table as text, for comparing two catalogues.
    ///
    /// # Errors
    ///
    /// When a table cannot be read.
    pub fn dump(&self) -> Result<String> {
        self.snapshot(async |connection| {
            let mut text = String::new();
            for (table, statement) in sql::DUMP {
                text.push_str(table);
                text.push('\n');
                let rows = sqlx::query(statement)
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(failed("read a table"))?;
                for row in rows {
                    let columns: Vec<String> = (0..row.len()).map(|at| column(&row, at)).collect();
                    text.push_str(&columns.join("|"));
                    text.push('\n');
                }
            }
            Ok(text)
        })
    }
}

fn column(row: &SqliteRow, at: usize) -> String {
    match (row.try_get::<Option<i64>, _>(at), row.try_get::<Option<String>, _>(at)) {
        (Ok(Some(number)), _) => number.to_string(),
        (_, Ok(Some(text))) => format!("{text:?}"),
        _ => "-".into(),
    }
}

/// The versions that are added and not forgotten afterwards.
fn kept_versions(journal: &[(&JournalEntry, Detail)]) -> HashSet<VersionId> {
    let mut kept = HashSet::new();
    for change in journal.iter().flat_map(|(_, detail)| &detail.changes) {
        match change {
            Change::VersionAdded { version, .. } | Change::VersionRestored { version, .. } => {
                kept.insert(*version);
            }
            Change::VersionsForgotten { versions } => {
                for version in versions {
                    kept.remove(version);
                }
            }
            _ => {}
        }
    }
    kept
}

/// The records of the versions that an entry adds for good.
fn added<'a, E>(
    entry: &JournalEntry,
    detail: &'a Detail,
    kept: &HashSet<VersionId>,
    load: &mut impl FnMut(&VersionId) -> Result<Version, E>,
) -> Result<HashMap<&'a VersionId, Version>>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut versions = HashMap::new();
    for change in &detail.changes {
        if let Change::VersionAdded { version, .. } | Change::VersionRestored { version, .. } =
            change
            && kept.contains(version)
        {
            let record = load(version).map_err(|source| Error::Loading {
                version: *version,
                time: entry.time,
                source: source.into(),
            })?;
            versions.insert(version, record);
        }
    }
    Ok(versions)
}
