//! What looking for records and rewriting them gives.

use std::ops::Range;

use super::trouble::Unreadable;

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its number from 1: of the line, in CSV of the row without header and blank lines, in
    /// Parquet of the row.
    pub row: u64,
    /// Its bytes in the file without the line end; `None` in Parquet.
    pub bytes: Option<Range<u64>>,
    /// The record in canonical form (`docs/format.md`, "Record fingerprints"), if it was wanted.
    pub canonical: Option<Vec<u8>>,
}

/// What to tell of a record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Where it stands.
    Places,
    /// Also what it is, to make a fingerprint of it. Costs reading matches whole in Parquet.
    Records,
}

/// What a file holds of the records that were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// How many records the file has; parts that could not be read whole count as one.
    pub rows: u64,
    /// How many of them match.
    pub matched: u64,
    /// Records that might match and could not be read.
    ///
    /// A line whose bytes cannot hold what is looked for is not read, and so not listed.
    pub unreadable: Unreadable,
    /// Keys of which the table has no column. JSON has no columns, so it lacks none.
    pub absent_keys: Vec<String>,
}

/// What happens to a record that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// It goes.
    Drop,
    /// It stays, without what was in some fields, so that numbers of rows stay true.
    Redact {
        /// The fields, with dots as in keys. None at all means the values themselves that hold
        /// the text of [`super::Selector::Contains`]; with other selectors, nothing.
        fields: Vec<String>,
        /// What takes the place of a value: this text, or null (in CSV and text: nothing).
        with: Option<String>,
    },
}

/// What rewriting a file has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// How many records the file had.
    pub rows_before: u64,
    /// How many it has now.
    pub rows_after: u64,
    /// How many matched.
    pub matched: u64,
    /// How many were redacted.
    pub changed: u64,
    /// Matches that were to be redacted and had nothing in the fields that were given.
    pub untouched: u64,
    /// As in [`Scan`]; these records were kept as they are.
    pub unreadable: Unreadable,
    /// As in [`Scan`].
    pub absent_keys: Vec<String>,
}
