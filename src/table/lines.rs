//! Formats of which each record is a line, or a few: JSON lines, CSV, text.
//!
//! Invariant: the bytes of all records, in order, are the bytes of the file.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

use super::canonical::Form;
use super::csv;
use super::detect::Format;
use super::error::Error;
use super::json::{self, Node, Value, write_string};
use super::line_select::End;
use super::prefilter::Escapes;
use super::split::{CsvSplitter, LineSplitter, Piece, Pieces, Splitter};
use super::trouble::Why;

/// What some programs put before the first record.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A longer record is not held in memory, and so not read: it is listed and kept.
pub(super) const LONGEST_RECORD: usize = 64 * 1024 * 1024;

/// How lines are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Syntax {
    JsonLines,
    Csv { delimiter: u8, header: Option<csv::Header> },
    Text,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    Header,
    Blank,
    /// A part of a row that is too long; the first of its parts or a later one.
    Part {
        first: bool,
    },
}

/// A record in a file.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// All its bytes.
    pub(super) bytes: &'a [u8],
    /// Which of them are neither byte order mark nor line end.
    pub(super) content: Range<usize>,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Its number, from 1: of the line, in CSV of the row.
    pub(super) row: u64,
    pub(super) kind: Kind,
}

impl<'a> Record<'a> {
    pub(super) fn content(&self) -> &'a [u8] {
        &self.bytes[self.content.clone()]
    }

    /// Where its content stands in the file.
    pub(super) fn place(&self) -> Range<u64> {
        self.offset + self.content.start as u64..self.offset + self.content.end as u64
    }
}

impl Syntax {
    /// The syntax of a format; `None` if its records are no lines.
    pub(super) fn of(format: Format) -> Option<Self> {
        match format {
            Format::JsonLines => Some(Self::JsonLines),
            Format::Csv { delimiter } => Some(Self::Csv { delimiter, header: None }),
            Format::Text => Some(Self::Text),
            Format::Parquet | Format::Other => None,
        }
    }

    pub(super) fn escapes(&self) -> Escapes {
        match self {
            Self::JsonLines => Escapes::Json,
            Self::Csv { .. } => Escapes::Csv,
            Self::Text => Escapes::Text,
        }
    }

    /// The form in which a record is compared with one that was given as JSON.
    pub(super) fn form(&self) -> Form {
        match self {
            Self::JsonLines => Form::Json,
            Self::Csv { .. } | Self::Text => Form::Texts,
        }
    }

    /// The names of the columns, where a header has told them.
    pub(super) fn header(&self) -> Option<&csv::Header> {
        match self {
            Self::Csv { header, .. } => header.as_ref(),
            Self::JsonLines | Self::Text => None,
        }
    }

    /// The record as a value, with spans in `content`.
    pub(super) fn read<'a>(&'a self, content: &'a [u8]) -> Result<Node<'a>, Why> {
        match self {
            Self::JsonLines => json::parse(content)
                .map_err(|wrong| Why::NotJson { at: wrong.at, problem: wrong.problem }),
            Self::Csv { delimiter, header } => match header {
                Some(header) => header.row(content, *delimiter),
                None => Err(Why::Fields { expected: 0, found: 0 }),
            },
            Self::Text => Ok(Node { span: 0..content.len(), value: Value::Text(decode(content)) }),
        }
    }

    /// The bytes that stand for `text`, or for null, in place of a value.
    pub(super) fn write(&self, text: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        match (self, text) {
            (Self::JsonLines, None) => out.extend_from_slice(b"null"),
            (Self::JsonLines, Some(text)) => write_string(text, &mut out),
            (Self::Csv { delimiter, header }, text) => {
                out = csv::field(text.unwrap_or_default(), *delimiter);
                let only = header.as_ref().is_some_and(|header| header.names().len() == 1);
                if only && out.is_empty() {
                    // An empty line would be no row.
                    out.extend_from_slice(b"\"\"");
                }
            }
            (Self::Text, text) => {
                // A line that became two would move all line numbers.
                out = text.unwrap_or_default().replace(['\n', '\r'], " ").into_bytes();
            }
        }
        out
    }

    /// Calls `visit` with each record of `source`, in order.
    pub(super) fn each(
        &mut self,
        source: &mut dyn Read,
        longest: usize,
        visit: &mut dyn FnMut(&Self, Record<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each_from(source, true, longest, visit)
    }

    /// As [`each`](Self::each), of what need not be the beginning of a file.
    pub(super) fn each_from(
        &mut self,
        source: &mut dyn Read,
        at_start: bool,
        longest: usize,
        visit: &mut dyn FnMut(&Self, Record<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Csv { delimiter, .. } => {
                let splitter = CsvSplitter { delimiter: *delimiter };
                self.walk(Pieces::new(source, splitter, longest, at_start), at_start, visit)
            }
            Self::JsonLines | Self::Text => {
                self.walk(Pieces::new(source, LineSplitter, longest, at_start), at_start, visit)
            }
        }
    }

    /// The header of a table that begins with `head`, if it has one.
    pub(super) fn header_of(
        delimiter: u8,
        head: &mut dyn Read,
    ) -> Result<Option<csv::Header>, Error> {
        let mut syntax = Self::Csv { delimiter, header: None };
        let mut pieces = Pieces::new(head, CsvSplitter { delimiter }, LONGEST_RECORD, true);
        let mut first = true;
        while let Some(piece) = pieces.next()? {
            if let Piece::Record(bytes) = piece {
                let content = syntax.content(bytes, first);
                syntax.kind(&bytes[content]);
            }
            first = false;
            if syntax.header().is_some() {
                break;
            }
        }
        Ok(syntax.header().cloned())
    }

    /// Where a piece ends if it begins where a record does, and if it begins inside of one.
    pub(super) fn ends(&self, piece: &[u8], at_start: bool) -> (End, End) {
        let at_line_end = piece.ends_with(b"\n");
        match self {
            Self::JsonLines | Self::Text => {
                let end = if at_line_end { End::Whole } else { End::Inside };
                (end, end)
            }
            Self::Csv { delimiter, .. } => {
                let delimiter = *delimiter;
                let end = |whole| match (at_line_end, whole) {
                    (false, _) => End::Unknown,
                    (true, true) => End::Whole,
                    (true, false) => End::Inside,
                };
                if memchr::memchr(b'"', piece).is_none() {
                    return (end(true), end(false));
                }
                // A field in quotes that began before: as if its quote stood here.
                let inside = [b"\"", piece].concat();
                (
                    end(is_whole(piece, delimiter, at_start)),
                    end(is_whole(&inside, delimiter, false)),
                )
            }
        }
    }

    fn walk<S: Splitter>(
        &mut self,
        mut pieces: Pieces<&mut dyn Read, S>,
        at_start: bool,
        visit: &mut dyn FnMut(&Self, Record<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut offset, mut row) = (0, 0);
        while let Some(piece) = pieces.next()? {
            let (bytes, part) = match piece {
                Piece::Record(bytes) => (bytes, None),
                Piece::Part { bytes, first } => (bytes, Some(first)),
            };
            let content = self.content(bytes, at_start && offset == 0);
            let kind = match part {
                Some(first) => Kind::Part { first },
                None => self.kind(&bytes[content.clone()]),
            };
            let counts = match self {
                Self::Csv { .. } => matches!(kind, Kind::Row | Kind::Part { first: true }),
                Self::JsonLines | Self::Text => kind != Kind::Part { first: false },
            };
            row += u64::from(counts);
            let record = Record { bytes, content, offset, row, kind };
            offset += bytes.len() as u64;
            visit(self, record)?;
        }
        Ok(())
    }

    /// What is left of a record without byte order mark and line end.
    fn content(&self, bytes: &[u8], first: bool) -> Range<usize> {
        let start = if first && bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let rest = &bytes[start..];
        let rest = match rest {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest,
            [rest @ .., b'\r'] if matches!(self, Self::Csv { .. }) => rest,
            whole => whole,
        };
        start..start + rest.len()
    }

    /// What a record is; the first of CSV that is not blank becomes the header.
    fn kind(&mut self, content: &[u8]) -> Kind {
        match self {
            Self::Text => Kind::Row,
            Self::JsonLines if content.trim_ascii().is_empty() => Kind::Blank,
            Self::JsonLines => Kind::Row,
            Self::Csv { .. } if content.is_empty() => Kind::Blank,
            Self::Csv { header: Some(_), .. } => Kind::Row,
            Self::Csv { delimiter, header } => {
                *header = Some(csv::Header::read(content, *delimiter));
                Kind::Header
            }
        }
    }
}

/// Whether bytes that begin where a record of CSV does end where one ends.
fn is_whole(bytes: &[u8], delimiter: u8, at_start: bool) -> bool {
    let splitter = CsvSplitter { delimiter };
    let mut at = 0;
    while at < bytes.len() {
        match splitter.record_length(&bytes[at..], at_start && at == 0, false) {
            Some(length) => at += length,
            None => return false,
        }
    }
    true
}

/// Bytes as text. A byte that is not UTF-8 becomes a character for private use of its own, so that
/// different bytes give different texts.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(0xF700 + u32::from(*b))));
    }
    Cow::Owned(text)
}
