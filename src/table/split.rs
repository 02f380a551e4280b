//! A stream of bytes as records: whole ones in one piece, without copying more than needed.

use std::io::Read;

use super::error::Error;
use super::lines::BOM;

/// Where a record ends.
pub(super) trait Splitter {
    /// The length of the record that `bytes` begin with, its line end included.
    ///
    /// `None` if more bytes are needed to say. `at_end` says that there are none; then everything
    /// that is left is a record. `at_start` says that the file begins here.
    fn record_length(&self, bytes: &[u8], at_start: bool, at_end: bool) -> Option<usize>;

    /// Where the next record begins after one whose beginning has been thrown away.
    fn next_record(&self, bytes: &[u8]) -> Option<usize>;
}

/// What comes next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A record, with its line end.
    Record(&'a [u8]),
    /// A part of a record that is too long to be held; `first` of its parts or a later one.
    Part { bytes: &'a [u8], first: bool },
}

/// A stream cut into records, holding one record and one block at most.
pub(super) struct Pieces<R, S> {
    source: R,
    splitter: S,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_start: bool,
    at_end: bool,
    in_long: bool,
    longest: usize,
}

/// So much is read at a time.
const BLOCK: usize = 256 * 1024;

impl<R: Read, S: Splitter> Pieces<R, S> {
    /// The records of `source`; one of more than `longest` bytes comes in parts. `at_start` says that
    /// the file begins where the source does.
    pub(super) fn new(source: R, splitter: S, longest: usize, at_start: bool) -> Self {
        let buffer = vec![0; BLOCK];
        Self {
            source,
            splitter,
            buffer,
            start: 0,
            end: 0,
            at_start,
            at_end: false,
            in_long: false,
            longest,
        }
    }

    /// The next piece; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, Error> {
        loop {
            let held = &self.buffer[self.start..self.end];
            if held.is_empty() && self.at_end {
                return Ok(None);
            }
            if self.in_long && !held.is_empty() {
                let length = self.splitter.next_record(held);
                self.in_long = length.is_none();
                let bytes = self.take(length.unwrap_or(self.end - self.start));
                return Ok(Some(Piece::Part { bytes, first: false }));
            }
            if let Some(length) = self.splitter.record_length(held, self.at_start, self.at_end) {
                return Ok(Some(Piece::Record(self.take(length))));
            }
            if held.len() > self.longest {
                // What has been read of it holds no end of the record.
                self.in_long = true;
                let bytes = self.take(self.end - self.start);
                return Ok(Some(Piece::Part { bytes, first: true }));
            }
            self.fill()?;
        }
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let from = self.start;
        self.start += length;
        self.at_start = false;
        &self.buffer[from..self.start]
    }

    /// Reads more behind what is held, as much as that again, so that looking for the end of a long
    /// record again and again stays in proportion to its length.
    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let most = self.longest.saturating_add(BLOCK).max(self.end + BLOCK);
        let wanted = (self.end + self.end.max(BLOCK)).min(most);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted && !self.at_end {
            match self.source.read(&mut self.buffer[self.end..wanted]) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
        Ok(())
    }
}

/// Records that end with a line feed.
#[derive(Debug)]
pub(super) struct LineSplitter;

impl Splitter for LineSplitter {
    fn record_length(&self, bytes: &[u8], _: bool, at_end: bool) -> Option<usize> {
        let line = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        line.or_else(|| at_end.then_some(bytes.len()))
    }

    fn next_record(&self, bytes: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', bytes).map(|at| at + 1)
    }
}

/// Records of CSV: they end with LF, CR LF or CR outside of quotes.
#[derive(Debug)]
pub(super) struct CsvSplitter {
    pub(super) delimiter: u8,
}

impl Splitter for CsvSplitter {
    fn record_length(&self, bytes: &[u8], at_start: bool, at_end: bool) -> Option<usize> {
        let first = if at_start && bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let mut at = first;
        loop {
            let stop = memchr::memchr3(b'"', b'\n', b'\r', &bytes[at..]);
            let Some(stop) = stop.map(|stop| at + stop) else {
                return at_end.then_some(bytes.len());
            };
            match bytes[stop] {
                b'\n' => return Some(stop + 1),
                b'\r' => match bytes.get(stop + 1) {
                    Some(b'\n') => return Some(stop + 2),
                    Some(_) => return Some(stop + 1),
                    None => return at_end.then_some(stop + 1),
                },
                // A quote opens a field only at its beginning; elsewhere it is a character.
                _ if stop > first && bytes[stop - 1] != self.delimiter => at = stop + 1,
                _ => match quoted_end(bytes, stop) {
                    Some(end) => at = end,
                    None => return at_end.then_some(bytes.len()),
                },
            }
        }
    }

    fn next_record(&self, _: &[u8]) -> Option<usize> {
        // A record this long has a quote that is never closed; where rows begin is not known.
        None
    }
}

/// Just after the quote that closes the field that opens at `open`.
pub(super) fn quoted_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        let quote = at + memchr::memchr(b'"', &bytes[at..])?;
        match bytes.get(quote + 1) {
            Some(b'"') => at = quote + 2,
            _ => return Some(quote + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let give = usize::from(!self.0.is_empty() && !buffer.is_empty());
            buffer[..give].copy_from_slice(&self.0[..give]);
            self.0 = &self.0[give..];
            Ok(give)
        }
    }

    fn pieces<S: Splitter>(data: &[u8], splitter: S, longest: usize) -> Vec<Vec<u8>> {
        let mut pieces = Pieces::new(Slowly(data), splitter, longest, true);
        let mut all = Vec::new();
        while let Some(piece) = pieces.next().unwrap() {
            match piece {
                Piece::Record(bytes) => all.push(bytes.to_vec()),
                Piece::Part { bytes, .. } => all.push([b"+", bytes].concat()),
            }
        }
        all
    }

    #[test]
    fn csv_records_end_outside_of_quotes() {
        let data = b"a,\"x\ny\"\"\",c\r\nd,e\"f\r\n\n\"g\"h\"\ni\rj";
        let records = pieces(data, CsvSplitter { delimiter: b',' }, 1000);
        let expected: &[&[u8]] =
            &[b"a,\"x\ny\"\"\",c\r\n", b"d,e\"f\r\n", b"\n", b"\"g\"h\"\n", b"i\r", b"j"];
        assert_eq!(records, expected);
    }

    #[test]
    fn a_record_too_long_comes_in_parts_and_the_next_one_whole() {
        let data = [vec![b'x'; 3 * BLOCK], b"\nlast".to_vec()].concat();
        let all = pieces(&data, LineSplitter, BLOCK);
        assert_eq!(all.last().unwrap(), b"last");
        assert!(all.len() > 2);
        let joined: Vec<u8> = all
            .iter()
            .flat_map(|piece| piece.strip_prefix(b"+").unwrap_or(piece))
            .copied()
            .collect();
        assert_eq!(joined, data);
    }

    #[test]
    fn memory_depends_on_the_longest_record_and_not_on_the_file() {
        let source = std::io::repeat(b'\n').take(20 * BLOCK as u64);
        let mut pieces = Pieces::new(source, LineSplitter, usize::MAX, true);
        let mut count = 0;
        while pieces.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!((count, pieces.buffer.len()), (20 * BLOCK, BLOCK));
        let mut pieces =
            Pieces::new(std::io::repeat(b'x').take(9 * BLOCK as u64), LineSplitter, BLOCK, true);
        while pieces.next().unwrap().is_some() {}
        assert!(pieces.buffer.len() <= 3 * BLOCK);
    }
}
