//! What can go wrong with records, and with how they are asked for.

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Records could not be looked at or rewritten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes of a table cannot be read.
    #[error("cannot read the records")]
    Read(#[source] std::io::Error),
    /// What is rewritten cannot be put anywhere.
    #[error("cannot write the records")]
    Write(#[source] std::io::Error),
    /// A Parquet file that is not what it should be; nothing in it can be relied on.
    #[error("the Parquet file is damaged, or of a kind that cannot be read")]
    Parquet(#[source] Cause),
    /// A rewritten Parquet file cannot be written.
    #[error("cannot write the Parquet file")]
    WriteParquet(#[source] Cause),
    /// The Parquet reader broke off in the middle, which only damage makes it do.
    #[error("the Parquet file is damaged: reading it broke off ({problem})")]
    Broken {
        /// What the reader said.
        problem: String,
    },
    /// A Parquet file was given as a stream.
    #[error("a Parquet file can only be read from a source that can seek")]
    NeedsSeek,
    /// A file in which there are no records to be found.
    #[error("the format of the file is not one with records")]
    NoRecords,
    /// A record to look for that is no JSON.
    #[error("record {number} is not JSON: {problem} (byte {at})")]
    Record {
        /// Which of those given, from 1.
        number: usize,
        /// The byte from which it cannot be read, from 0.
        at: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A key that is not `NAME=VALUE`.
    #[error("`{text}` is not a key; a key is NAME=VALUE")]
    Key {
        /// What was given.
        text: String,
    },
    /// Nothing to look for.
    #[error("nothing was given to look for")]
    Nothing,
    /// A field that has to hold something was to be emptied.
    #[error("the field `{field}` cannot be made null in this Parquet file, because it is required")]
    Required {
        /// The column, with its path.
        field: String,
    },
    /// A field that is no text was to become one.
    #[error("the field `{field}` of this Parquet file holds no text, so none can be put into it")]
    NotText {
        /// The column, with its path.
        field: String,
    },
}
