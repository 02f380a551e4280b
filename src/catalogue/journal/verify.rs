//! Reading the journal through: all of it to check it, or what somebody looks for.

use std::sync::mpsc::{Receiver, sync_channel};

use super::{JournalEntry, JournalHead, JournalReport, Row, entry};
use crate::catalogue::error::failed;
use crate::catalogue::folded::{Page, pages};
use crate::catalogue::read::unsigned;
use crate::catalogue::rows::Cell;
use crate::catalogue::shadow::Shadow;
use crate::catalogue::{Catalogue, Differences, Error, Result, sql};
use crate::model::{Time, Version, VersionId};

/// How many pages may wait for the thread that checks them.
const PAGES_AHEAD: usize = 4;

/// Which entries are looked for; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct JournalFilter {
    /// Not older than this, by the clock of whoever made them.
    pub since: Option<Time>,
    /// Text in the name or mail address of who made them.
    pub actor: Option<String>,
    /// The verb.
    pub action: Option<String>,
    /// Text in what it was done to.
    pub subject: Option<String>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Catalogue {
    /// The entries that a filter lets through, newest first.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read.
    pub fn journal_where(&self, filter: &JournalFilter) -> Result<Vec<JournalEntry>> {
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let rows: Vec<Row> = self.run(async |connection| {
            sqlx::query_as(sql::journal::FILTERED)
                .bind(filter.since.map_or(i64::MIN, Time::unix))
                .bind(filter.actor.as_deref().map(containing))
                .bind(filter.action.clone())
                .bind(filter.subject.as_deref().map(containing))
                .bind(bound(filter.limit.unwrap_or(u64::MAX)))
                .fetch_all(connection)
                .await
                .map_err(failed("read the journal"))
        })?;
        rows.into_iter().map(entry).collect()
    }

    /// Reads the whole journal and checks that every entry follows from the one before it.
    ///
    /// An entry that was changed, taken out, put in or moved is found, up to the last one. That
    /// the end was cut off shows only against a head that was noted elsewhere.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read; wrong entries are not errors.
    pub fn verify_journal(&self) -> Result<JournalReport> {
        self.check_journal(&mut |_| ())
    }

    /// As [`Catalogue::verify_journal`], and hands every sound entry up to the first wrong one to
    /// `each`, in order. Reading and checking go on side by side.
    ///
    /// # Errors
    ///
    /// As [`Catalogue::verify_journal`].
    pub fn check_journal(
        &self,
        each: &mut (dyn FnMut(&JournalEntry) + Send),
    ) -> Result<JournalReport> {
        self.read_through(&mut |page| page.iter().for_each(&mut *each))
    }

    /// As [`Catalogue::check_journal`]; if every entry is sound, holds every table that the journal
    /// makes against it, and what versions say of themselves against what `load` reads from the store.
    /// All of it is of one state of the catalogue, whoever writes meanwhile.
    ///
    /// # Errors
    ///
    /// When the journal or a table cannot be read; what differs is no error.
    pub fn audit(
        &self,
        each: &mut (dyn FnMut(&JournalEntry) + Send),
        load: &mut dyn FnMut(&VersionId) -> Result<Version, String>,
    ) -> Result<(JournalReport, Differences)> {
        let (send, pages) = sync_channel::<Vec<JournalEntry>>(PAGES_AHEAD);
        let (report, shadow) = std::thread::scope(|scope| {
            let follower = scope.spawn(move || {
                let mut shadow = Shadow::new();
                pages.iter().flatten().for_each(|entry| shadow.follow(&entry));
                shadow
            });
            let report = self.read_through(&mut |page| {
                page.iter().for_each(&mut *each);
                // Nobody listens only after a bug, which the follower's end tells.
                let _ = send.send(page);
            });
            drop(send);
            let shadow = follower.join();
            (report, shadow.unwrap_or_else(|bug| std::panic::resume_unwind(bug)))
        });
        let report = report?;
        // Without an entry there is nothing that the tables could be held against.
        let differences = match report.is_ok() && report.entries > 0 {
            true => self.compare(shadow, load)?,
            false => Differences::default(),
        };
        Ok((report, differences))
    }

    fn read_through(
        &self,
        each: &mut (dyn FnMut(Vec<JournalEntry>) + Send),
    ) -> Result<JournalReport> {
        let (send, read) = sync_channel::<Page>(PAGES_AHEAD);
        std::thread::scope(|scope| {
            let checker = scope.spawn(move || follow(&read, each));
            let counted = self.snapshot(async |connection| {
                let count: i64 = sqlx::query_scalar(sql::journal::COUNT)
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(failed("read the journal"))?;
                // The checker has gone once it has found what is wrong.
                let take = |page| send.send(page).is_ok();
                let first = Some(vec![Cell::Int(1)]);
                pages(connection, &sql::shadow::JOURNAL, first, take).await?;
                Ok(count)
            });
            drop(send);
            let checked = checker.join();
            let entries = unsigned("the number of journal entries", counted?)?;
            let (head, mut first_bad) =
                checked.unwrap_or_else(|bug| std::panic::resume_unwind(bug));
            if first_bad.is_none() && entries != head.number {
                let problem = "a row has a number that no entry can have".to_owned();
                first_bad = Some((head.number + 1, problem));
            }
            Ok(JournalReport { entries, first_bad, head })
        })
    }
}

/// The last sound entry, and the first that is not.
fn follow(
    pages: &Receiver<Page>,
    each: &mut (dyn FnMut(Vec<JournalEntry>) + Send),
) -> (JournalHead, Option<(u64, String)>) {
    let mut head = JournalHead::beginning();
    for page in pages {
        let (mut lines, mut cells, mut sound) = (page.lines(), Vec::new(), Vec::new());
        let problem = loop {
            match lines.next_row(&mut cells) {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
            let checked = read(&mut cells).map_err(|error| error.to_string());
            match checked.and_then(|entry| match entry.problem_after(&head) {
                Some(problem) => Err(problem),
                None => Ok(entry),
            }) {
                Ok(entry) => {
                    head.number = entry.number;
                    head.hash.clone_from(&entry.hash);
                    sound.push(entry);
                }
                Err(wrong) => break Some(wrong),
            }
        };
        each(sound);
        if let Some(problem) = problem {
            let first_bad = Some((head.number + 1, problem));
            return (head, first_bad);
        }
    }
    (head, None)
}

/// The entry that a row is.
fn read(cells: &mut Vec<Cell<'_>>) -> Result<JournalEntry> {
    let mut cells = cells.drain(..);
    let mut number = || match cells.next() {
        Some(Cell::Int(number)) => Ok(number),
        _ => Err(unreadable()),
    };
    let (number, time) = (number()?, number()?);
    let mut text = || match cells.next() {
        Some(Cell::Text(text)) => Ok(text.into_owned()),
        _ => Err(unreadable()),
    };
    let row: Row = (number, time, text()?, text()?, text()?, text()?, text()?, text()?);
    entry(row)
}

fn unreadable() -> Error {
    Error::BadRow { what: "an entry of the journal".into() }
}

/// A pattern that fits every text in which `text` stands.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
