//! Tables: records in CSV, JSON lines, Parquet and plain text.
//!
//! Here: finding records, rewriting a file without them or without some of their fields,
//! recognising records by salted hashes, telling what a table is made of; the only room that
//! knows Parquet and Arrow.
//! Not here: which files to look at, and where they come from and go to (`ops`).
//! Invariants: memory does not grow with the file, only with its longest record; what cannot be
//! read is listed, never passed over; every byte of a record that does not match is kept in formats
//! of lines, every value in Parquet.

mod canonical;
mod csv;
mod detect;
mod error;
mod fingerprint;
mod json;
mod line_look;
mod line_select;
mod lines;
mod number;
mod outcome;
mod parquet;
mod prefilter;
mod profile;
mod selector;
mod split;
mod trouble;

use std::io::{Read, Seek, Write};

pub use detect::{DETECT_BYTES, Format};
pub use error::Error;
pub use fingerprint::{
    FingerprintSet, Hit, Hits, KeyFingerprint, KeyPart, Known, canonical_record, fingerprint,
    key_fingerprint,
};
pub use line_select::{End, LineSearch, Look};
pub use outcome::{Match, Mode, Rewritten, Scan, Want};
pub use profile::{Column, ColumnKind, Profile};
pub use selector::{Key, Records, Selector};
pub use trouble::{Trouble, Unreadable, Why};

/// Bytes that can be read from any place, which Parquet needs.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Where the bytes of a table come from.
pub enum Source<'a> {
    /// One after the other. Not enough for Parquet.
    Stream(&'a mut dyn Read),
    /// From any place; a table is read from the beginning, wherever the source stands.
    Seekable(Box<dyn ReadSeek>),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Seekable(_) => "Seekable",
        })
    }
}

impl Source<'static> {
    /// A source that can seek: a file, bytes in memory.
    pub fn seekable(source: impl Read + Seek + Send + 'static) -> Self {
        Self::Seekable(Box::new(source))
    }
}

impl Source<'_> {
    /// Calls `with` with a reader that stands at the beginning.
    fn read<T>(self, with: impl FnOnce(&mut dyn Read) -> Result<T, Error>) -> Result<T, Error> {
        match self {
            Self::Stream(reader) => with(reader),
            Self::Seekable(mut reader) => {
                reader.rewind().map_err(Error::Read)?;
                with(&mut reader)
            }
        }
    }

    fn file(self) -> Result<Box<dyn ReadSeek>, Error> {
        match self {
            Self::Stream(_) => Err(Error::NeedsSeek),
            Self::Seekable(reader) => Ok(reader),
        }
    }
}

/// Finds the records that `selector` means, and calls `found` with each, in order.
///
/// # Errors
///
/// If the source cannot be read, the format has no records, or a Parquet file is damaged. Records
/// that cannot be read are no error, but listed in the result.
pub fn scan(
    source: Source<'_>,
    format: Format,
    selector: &Selector,
    want: Want,
    found: &mut dyn FnMut(Match),
) -> Result<Scan, Error> {
    match LineSearch::new(selector, format) {
        Some(search) => source.read(|reader| search.scan(reader, want, found)),
        None => parquet::scan(parquet_file(source, format)?, selector, want, found),
    }
}

/// Writes the table to `out` without the records that `selector` means, or with some of their
/// fields redacted, and calls `found` with each of them as it was, in order.
///
/// In formats of lines all other bytes are kept: of a record that is redacted, too, all but those
/// of the fields. In Parquet the schema, the metadata, all other values and their order are kept;
/// groups of rows in which nothing matches are copied as they are, others are encoded anew.
///
/// # Errors
///
/// As [`scan`], and if `out` cannot be written or a field of Parquet cannot be redacted. Then `out`
/// holds the beginning of something, and must not be used.
pub fn rewrite(
    source: Source<'_>,
    out: &mut (dyn Write + Send),
    format: Format,
    (selector, mode, want): (&Selector, &Mode, Want),
    found: &mut dyn FnMut(Match),
) -> Result<Rewritten, Error> {
    match LineSearch::new(selector, format) {
        Some(search) => source.read(|reader| search.rewrite(reader, out, (mode, want), found)),
        None => parquet::rewrite(parquet_file(source, format)?, out, (selector, mode, want), found),
    }
}

/// Finds records that `set` knows, and stops after `limit` of them.
///
/// # Errors
///
/// As [`scan`].
pub fn find_fingerprints(
    source: Source<'_>,
    format: Format,
    set: &FingerprintSet,
    limit: usize,
) -> Result<Hits, Error> {
    if set.is_empty() || limit == 0 {
        return Ok(Hits::default());
    }
    match lines::Syntax::of(format) {
        Some(syntax) => {
            source.read(|reader| line_look::find_fingerprints(reader, syntax, set, limit))
        }
        None => parquet::find_fingerprints(parquet_file(source, format)?, set, limit),
    }
}

/// Tells what a table is made of. Formats of lines are read whole, of Parquet only the metadata.
///
/// # Errors
///
/// As [`scan`].
pub fn profile(source: Source<'_>, format: Format) -> Result<Profile, Error> {
    match lines::Syntax::of(format) {
        Some(syntax) => source.read(|reader| line_look::profile(reader, syntax)),
        None => parquet::profile(parquet_file(source, format)?),
    }
}

fn parquet_file(source: Source<'_>, format: Format) -> Result<Box<dyn ReadSeek>, Error> {
    match format {
        Format::Parquet => source.file(),
        _ => Err(Error::NoRecords),
    }
}

#[cfg(test)]
mod tests;
