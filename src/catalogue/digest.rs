//! Records in few bytes, so that the journal and the table of records can be compared.

use super::journal::canonical;
use super::{Change, JournalEntry, RecordRow, Result};
use crate::model::{Record, Time};

/// Where a record stands and what it says, in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordDigest {
    /// The entry that added it.
    pub number: u64,
    ordinal: u64,
    hash: [u8; 32],
}

impl RecordDigest {
    pub(super) fn place(&self) -> (u64, u64) {
        (self.number, self.ordinal)
    }

    pub(super) fn of(row: &RecordRow) -> Result<Self> {
        Self::made(row.number, row.ordinal, row.time, &row.actor, &row.record)
    }

    fn made(number: u64, ordinal: u64, time: Time, actor: &str, record: &Record) -> Result<Self> {
        let text = canonical("a record", &(time, actor, record))?;
        Ok(Self { number, ordinal, hash: *blake3::hash(text.as_bytes()).as_bytes() })
    }
}

impl JournalEntry {
    /// What the records are that this entry has added.
    ///
    /// # Errors
    ///
    /// [`super::Error::BadJournal`] if this build does not understand the entry.
    pub fn record_digests(&self) -> Result<Vec<RecordDigest>> {
        // Most entries record nothing; only those that may are read.
        if !self.detail.contains("\"recorded\"") {
            return Ok(Vec::new());
        }
        let mut digests = Vec::new();
        for (ordinal, change) in (0..).zip(self.changes()?) {
            if let Change::Recorded { record } = change {
                let (time, actor) = (self.time, self.actor.as_str());
                digests.push(RecordDigest::made(self.number, ordinal, time, actor, &record)?);
            }
        }
        Ok(digests)
    }
}
