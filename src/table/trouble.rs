//! Rows that could not be read: never passed over silently.

/// Why a row could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The line is not JSON.
    #[error("not JSON: {problem} (byte {at} of the line)")]
    NotJson {
        /// The byte of the line, from 0.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A row of CSV with too few or too many fields.
    #[error("{found} fields instead of {expected}")]
    Fields {
        /// How many the header has.
        expected: usize,
        /// How many the row has.
        found: usize,
    },
    /// A quoted field that does not end.
    #[error("a quote is opened and not closed")]
    OpenQuote,
    /// A row that is too long to be held.
    #[error("the row is longer than 64 MiB")]
    TooLong,
    /// What is looked for stands in the names of the columns, which belong to no row.
    #[error("the header or the file's metadata holds the text")]
    InHeader,
    /// Records given as JSON cannot be compared with rows of which two columns have one name.
    #[error("two columns have the same name")]
    TwinColumns,
    /// What was to be redacted stands in the name of a member, or in a value that is no text.
    #[error("the text stands where it cannot be redacted")]
    Remains,
}

/// A place in a file that could not be read as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The number of the row, as [`super::Match`] counts; 0 for what belongs to no row.
    pub row: u64,
    /// The first byte in the file, where that is known.
    pub byte: Option<u64>,
    /// What is wrong.
    pub why: Why,
}

/// All places in a file that could not be read: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// How many there are.
    pub count: u64,
    /// The first ones, at most [`Unreadable::LISTED`].
    pub first: Vec<Trouble>,
}

impl Unreadable {
    /// So many are listed; more would be a list of the whole file.
    pub const LISTED: usize = 1000;

    pub(super) fn add(&mut self, row: u64, byte: Option<u64>, why: Why) {
        self.count += 1;
        if self.first.len() < Self::LISTED {
            self.first.push(Trouble { row, byte, why });
        }
    }
}
