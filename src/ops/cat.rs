//! The content of one file of a version, or a part of it.

use std::io::{self, Write};

use super::ls::find_file;
use super::{Error, Result};
use crate::repo::{self, Content, Repository};

/// A part of a file, as in an HTTP range (RFC 9110, section 14.1.2): both ends are part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `A-B`.
    Between(u64, u64),
    /// `A-`: to the end.
    From(u64),
    /// `-N`: the last N bytes.
    Last(u64),
}

impl std::str::FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a range of bytes such as 0-99, 100- or -100");
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
        match text.split_once('-').ok_or_else(bad)? {
            ("", last) => Ok(Self::Last(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last { Err(bad()) } else { Ok(Self::Between(first, last)) }
            }
        }
    }
}

impl ByteRange {
    /// The bytes meant, of a file with `size` of them: from the first up to the second.
    pub fn of(self, size: u64) -> (u64, u64) {
        let (start, end) = match self {
            Self::Between(first, last) => (first, last.saturating_add(1)),
            Self::From(first) => (first, size),
            Self::Last(number) => (size.saturating_sub(number), size),
        };
        (start.min(size), end.min(size))
    }
}

/// How a reader that has heard enough is told apart from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Everything.
    All,
    /// The reader has gone.
    Enough,
}

/// Writes the file that `REV:PATH` names, or a range of it, to `out`. Every chunk is checked before
/// any of its bytes is written; a whole file is checked against its id by its chunks. Of a file that
/// was replaced, its redacted copy is written.
///
/// # Errors
///
/// [`repo::Error::NoPath`]; [`repo::Error::Erased`]; [`Error::Output`]; whatever keeps a chunk from being read whole and
/// right.
pub fn cat(
    repository: &Repository,
    text: &str,
    range: Option<ByteRange>,
    out: &mut dyn Write,
) -> Result<Told> {
    let (_, _, file) = find_file(repository, text)?;
    let file = repository.delivered(&file)?;
    let (start, end) = range.map_or((0, file.size), |range| range.of(file.size));
    let mut failed = None;
    let mut content = Content::new(repository)?;
    let ended = content.range(&file, start, end, &mut |piece| {
        out.write_all(piece).map_err(|error| {
            let kind = error.kind();
            failed = Some(error);
            repo::Error::Io { path: "the output".into(), source: kind.into() }
        })
    });
    match failed {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Told::Enough),
        Some(error) => Err(Error::Output(error)),
        None => {
            ended?;
            Ok(Told::All)
        }
    }
}
