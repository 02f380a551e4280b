//! The journal: numbered entries, each holding the hash of the one before, and their copy in a file.
//!
//! The hash of an entry is BLAKE3-256 of its canonical JSON (RFC 8785) without the field `hash`.
//! `docs/catalogue.md`, "Journal", is the specification.

mod copy;
mod verify;

pub use copy::{copied_after, copy_of, read_copy, replace_copy};
pub use verify::JournalFilter;

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{signed, unsigned};
use super::{Catalogue, Change, Error, Result, sql};
use crate::model::Time;

/// What stands before the first entry: 64 zeros.
pub(super) const BEGINNING: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";
/// How many entries are in memory at once when the journal is read through.
const PAGE: u64 = 4096;

/// One entry of the journal, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// From 1, without gaps.
    pub number: u64,
    /// When the change was made, by the clock of who made it.
    pub time: Time,
    /// Who made it: `Name <mail>`.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// Canonical JSON: `changes`, and `message` and `session_epoch` where there are any.
    pub detail: String,
    /// The hash of the entry before.
    pub previous: String,
    /// The hash of this entry.
    pub hash: String,
}

/// The last entry of the journal; it changes whenever the catalogue does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHead {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Its hash; 64 zeros before the first.
    pub hash: String,
}

/// What reading the whole journal has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalReport {
    /// How many entries there are.
    pub entries: u64,
    /// The number that the first wrong entry should have, and what is wrong with it.
    pub first_bad: Option<(u64, String)>,
    /// The last entry that follows from the first.
    pub head: JournalHead,
}

impl JournalReport {
    /// Whether every entry follows from the one before it.
    pub fn is_ok(&self) -> bool {
        self.first_bad.is_none()
    }
}

/// What an entry says beyond who, when and what for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Detail {
    pub(super) changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session_epoch: Option<u64>,
}

impl JournalEntry {
    /// The changes that were made.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`] if this build does not understand them.
    pub fn changes(&self) -> Result<Vec<Change>> {
        Ok(self.parse_detail()?.changes)
    }

    /// What the user said of it.
    ///
    /// # Errors
    ///
    /// [`Error::BadJournal`] if this build does not understand the entry.
    pub fn message(&self) -> Result<Option<String>> {
        Ok(self.parse_detail()?.message)
    }

    pub(super) fn parse_detail(&self) -> Result<Detail> {
        serde_json::from_str(&self.detail)
            .map_err(|e| Error::BadJournal { number: self.number, problem: e.to_string() })
    }

    /// The hash that the entry must have: 64 hexadecimal digits.
    pub fn computed_hash(&self) -> String {
        blake3::hash(self.to_json(false).as_bytes()).to_hex().to_string()
    }

    /// The entry as one line of canonical JSON, as it stands in the copy of the journal.
    pub fn to_line(&self) -> String {
        self.to_json(true)
    }

    /// Names in the order that RFC 8785 asks for. `detail` is canonical already, and taken as it
    /// stands, so that not a single byte of it can be changed unnoticed.
    fn to_json(&self, with_hash: bool) -> String {
        let mut text = String::with_capacity(self.detail.len() + 512);
        text.push_str("{\"action\":");
        push_string(&mut text, &self.action);
        text.push_str(",\"actor\":");
        push_string(&mut text, &self.actor);
        text.push_str(",\"detail\":");
        text.push_str(&self.detail);
        if with_hash {
            text.push_str(",\"hash\":");
            push_string(&mut text, &self.hash);
        }
        text.push_str(",\"number\":");
        text.push_str(&self.number.to_string());
        text.push_str(",\"previous\":");
        push_string(&mut text, &self.previous);
        text.push_str(",\"subject\":");
        push_string(&mut text, &self.subject);
        text.push_str(",\"time\":");
        push_string(&mut text, &self.time.to_string());
        text.push('}');
        text
    }

    /// Whether the entry follows from `head`: what is wrong, if not.
    pub(super) fn problem_after(&self, head: &JournalHead) -> Option<String> {
        if self.number != head.number + 1 {
            Some(format!("it is missing; entry {} comes next", self.number))
        } else if self.previous != head.hash {
            Some("it does not name the hash of the entry before it".into())
        } else if self.computed_hash() != self.hash {
            Some("its content does not have its hash".into())
        } else {
            None
        }
    }

    pub(super) fn head(&self) -> JournalHead {
        JournalHead { number: self.number, hash: self.hash.clone() }
    }

    /// The opposite of [`JournalEntry::to_line`]; `None` for anything else. Whether the entry has
    /// the hash that it names is not looked at.
    pub fn from_line(line: &str) -> Option<Self> {
        let line: Line = serde_json::from_str(line).ok()?;
        Some(Self {
            number: line.number,
            time: line.time,
            actor: line.actor,
            action: line.action,
            subject: line.subject,
            detail: canonical("an entry of the journal", &line.detail).ok()?,
            previous: line.previous,
            hash: line.hash,
        })
    }
}

#[derive(Deserialize)]
struct Line {
    action: String,
    actor: String,
    detail: serde_json::Value,
    hash: String,
    number: u64,
    previous: String,
    subject: String,
    time: Time,
}

/// `value` as canonical JSON.
pub(super) fn canonical(what: &'static str, value: &impl Serialize) -> Result<String> {
    serde_json_canonicalizer::to_string(value).map_err(|source| Error::Json { what, source })
}

/// Escapes as RFC 8785 does: what it must, in lower case, and nothing else.
fn push_string(text: &mut String, value: &str) {
    text.push_str(&serde_json::Value::from(value).to_string());
}

impl JournalHead {
    pub(super) fn beginning() -> Self {
        Self { number: 0, hash: BEGINNING.into() }
    }
}

type Row = (i64, i64, String, String, String, String, String, String);

fn entry(row: Row) -> Result<JournalEntry> {
    let (number, time, actor, action, subject, detail, previous, hash) = row;
    let number = unsigned("journal.number", number)?;
    let time = Time::from_unix(time).map_err(|e| Error::BadRow {
        what: format!("time of entry {number} of the journal: {e}"),
    })?;
    Ok(JournalEntry { number, time, actor, action, subject, detail, previous, hash })
}

pub(super) async fn head(connection: &mut SqliteConnection) -> Result<JournalHead> {
    let row: Option<(i64, String)> = sqlx::query_as(sql::journal::HEAD)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the journal"))?;
    match row {
        None => Ok(JournalHead::beginning()),
        Some((number, hash)) => {
            Ok(JournalHead { number: unsigned("journal.number", number)?, hash })
        }
    }
}

pub(super) async fn range(
    connection: &mut SqliteConnection,
    first: u64,
    last: u64,
    limit: u64,
) -> Result<Vec<JournalEntry>> {
    rows(connection, first, last, limit).await?.into_iter().map(entry).collect()
}

async fn rows(
    connection: &mut SqliteConnection,
    first: u64,
    last: u64,
    limit: u64,
) -> Result<Vec<Row>> {
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query_as(sql::journal::RANGE)
        .bind(bound(first))
        .bind(bound(last))
        .bind(bound(limit))
        .fetch_all(connection)
        .await
        .map_err(failed("read the journal"))
}

pub(super) async fn add(connection: &mut SqliteConnection, entry: &JournalEntry) -> Result<()> {
    sqlx::query(sql::journal::ADD)
        .bind(signed("the number of a journal entry", entry.number)?)
        .bind(entry.time.unix())
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.subject)
        .bind(&entry.detail)
        .bind(&entry.previous)
        .bind(&entry.hash)
        .execute(connection)
        .await
        .map_err(failed("write the journal"))?;
    Ok(())
}

impl Catalogue {
    /// The last entry of the journal: equal as long as the catalogue has not changed.
    pub fn journal_head(&self) -> Result<JournalHead> {
        self.run(async |connection| head(connection).await)
    }

    /// At most `limit` entries from number `first` to `last`, both included, oldest first.
    pub fn journal(&self, first: u64, last: u64, limit: u64) -> Result<Vec<JournalEntry>> {
        self.run(async |connection| range(connection, first, last, limit).await)
    }

    /// At most `limit` entries with numbers below `number`, newest first.
    pub fn journal_before(&self, number: u64, limit: u64) -> Result<Vec<JournalEntry>> {
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let rows: Vec<Row> = self.run(async |connection| {
            sqlx::query_as(sql::journal::BEFORE)
                .bind(bound(number))
                .bind(bound(limit))
                .fetch_all(connection)
                .await
                .map_err(failed("read the journal"))
        })?;
        rows.into_iter().map(entry).collect()
    }
}
