//! Tables read many rows at a time, as `sql::shadow` says how.
//!
//! Here: asking for one page after the other, and taking pages apart again, on whatever thread.
//! Not here: what the rows mean.
//! Invariant: the pages of a table have each of its rows from a key on once, in the order of the key.

use std::borrow::Cow;

use sqlx::{Row as _, SqliteConnection};

use super::error::{failed, primary_code};
use super::rows::Cell;
use super::sql::shadow::{Column, Folded};
use super::{Error, Result};

/// About so many bytes are read at once.
const PAGE_BYTES: usize = 1 << 20;
/// So many rows are asked for at first, and at most.
const FIRST_ROWS: i64 = 64;
const MOST_ROWS: i64 = 2048;
/// What `SQLite` says of a value that is longer than values may be.
const TOO_BIG: i64 = 18;

/// Rows as they came, but for those at the beginning that came before.
#[derive(Debug)]
pub(super) struct Page {
    bytes: Vec<u8>,
    start: usize,
    columns: &'static [Column],
    /// The numbers that are not whole, of all rows; none as long as they were not read.
    reals: Option<Vec<f64>>,
    /// So many of them are of rows that came before.
    known_reals: usize,
}

/// The least key that is made of such columns.
fn least(folded: &Folded) -> Vec<Cell<'static>> {
    let least = |place: &usize| match folded.columns[*place] {
        Column::Text => Cell::Text(Cow::Borrowed("")),
        Column::Int | Column::Real => Cell::Int(i64::MIN),
    };
    folded.key.iter().map(least).collect()
}

/// Reads a table through, from `first` on or from its beginning, until `take` wants no more.
pub(super) async fn pages(
    connection: &mut SqliteConnection,
    folded: &'static Folded,
    first: Option<Vec<Cell<'static>>>,
    mut take: impl FnMut(Page) -> bool,
) -> Result<()> {
    let mut key = first.unwrap_or_else(|| least(folded));
    let mut known: Vec<u8> = Vec::new();
    let mut most = FIRST_ROWS;
    loop {
        let bytes = match page(connection, folded, &key, most + 1).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(()),
            Err(error) if most > 1 && primary_code(&error) == Some(TOO_BIG) => {
                most = (most / 8).max(1);
                continue;
            }
            Err(error) => return Err(failed("read a table")(error)),
        };
        let columns = folded.columns;
        let mut page = Page { bytes, start: 0, columns, reals: None, known_reals: 0 };
        let (mut rows, mut cells, mut last, mut again) = (0, Vec::new(), 0..0, (0, 0));
        let mut lines = page.lines();
        while let Some(line) = lines.next_row(&mut cells)? {
            // The row that the page before has ended with.
            if rows == 0 && page.bytes[line.clone()] == known {
                again =
                    (line.end, cells.iter().filter(|cell| matches!(cell, Cell::Real(_))).count());
            }
            (rows, last) = (rows + 1, line);
        }
        let next = folded.key.iter().map(|place| cells[*place].clone().into_owned()).collect();
        known = page.bytes[last].to_vec();
        (page.start, page.known_reals) = again;
        let first = std::mem::replace(&mut key, next);
        page.reals = Some(reals(connection, folded, first.iter().chain(&key)).await?);
        let (is_last, bytes) = (rows <= most, page.bytes.len());
        if (page.start < bytes && !take(page)) || is_last {
            return Ok(());
        }
        most = (PAGE_BYTES as i64 * rows / bytes.max(1) as i64).clamp(1, MOST_ROWS);
    }
}

async fn page(
    connection: &mut SqliteConnection,
    folded: &'static Folded,
    key: &[Cell<'static>],
    most: i64,
) -> std::result::Result<Option<Vec<u8>>, sqlx::Error> {
    let query = key.iter().fold(sqlx::query(folded.text), bind).bind(most);
    query.fetch_one(connection).await?.try_get(0)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind<'q>(query: Query<'q>, cell: &Cell<'static>) -> Query<'q> {
    match cell {
        Cell::Int(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone().into_owned()),
        Cell::Null | Cell::Real(_) => query.bind(None::<i64>),
    }
}

/// The numbers that are not whole, of the rows from one key to another.
async fn reals(
    connection: &mut SqliteConnection,
    folded: &'static Folded,
    keys: impl Iterator<Item = &Cell<'static>>,
) -> Result<Vec<f64>> {
    let Some(text) = folded.reals else { return Ok(Vec::new()) };
    let query = keys.fold(sqlx::query(text), bind);
    let rows = query.fetch_all(connection).await.map_err(failed("read a table"))?;
    // What is no number is none that anything is equal to.
    let cell = |row: &sqlx::sqlite::SqliteRow, at| {
        row.try_get_unchecked::<Option<f64>, _>(at).unwrap_or(Some(f64::NAN))
    };
    Ok(rows.iter().flat_map(|row| (0..row.len()).filter_map(move |at| cell(row, at))).collect())
}

impl Page {
    /// Its rows.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines { page: self, at: self.start, reals: self.known_reals }
    }
}

/// What of a page was not taken apart yet.
pub(super) struct Lines<'a> {
    page: &'a Page,
    at: usize,
    /// So many numbers that are not whole were handed out.
    reals: usize,
}

impl<'a> Lines<'a> {
    /// The columns of the next row, which take the place of those in `cells`, and where it stands;
    /// none at the end. What is no number where one must be is text.
    pub(super) fn next_row(
        &mut self,
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<Option<std::ops::Range<usize>>> {
        let start = self.at;
        if start == self.page.bytes.len() {
            return Ok(None);
        }
        cells.clear();
        for column in self.page.columns {
            let word = self.word()?;
            cells.push(match column {
                _ if word.is_empty() => Cell::Null,
                Column::Int | Column::Text => number(word).map_or_else(|| text(word), Cell::Int),
                Column::Real => self.real()?,
            });
        }
        for (column, cell) in self.page.columns.iter().zip(cells.iter_mut()) {
            if *column == Column::Text && *cell != Cell::Null {
                let Cell::Int(len) = *cell else { return Err(torn()) };
                let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
                let bytes = end.and_then(|end| self.page.bytes.get(self.at..end));
                let bytes = bytes.ok_or_else(torn)?;
                self.at += bytes.len();
                *cell = text(bytes);
            }
        }
        Ok(Some(start..self.at))
    }

    /// The next number that is not whole; any as long as they were not read.
    fn real(&mut self) -> Result<Cell<'a>> {
        let Some(reals) = &self.page.reals else { return Ok(Cell::Real(0.0)) };
        self.reals += 1;
        reals.get(self.reals - 1).copied().map(Cell::Real).ok_or_else(torn)
    }

    /// What stands before the next space.
    fn word(&mut self) -> Result<&'a [u8]> {
        let rest = &self.page.bytes[self.at..];
        let len = rest.iter().position(|byte| *byte == b' ').ok_or_else(torn)?;
        self.at += len + 1;
        Ok(&rest[..len])
    }
}

fn torn() -> Error {
    Error::BadRow { what: "a row has a value that its table cannot hold".into() }
}

/// As text; what is no text at all is none.
fn text(bytes: &[u8]) -> Cell<'_> {
    std::str::from_utf8(bytes).map_or(Cell::Null, Cell::from)
}

fn number(word: &[u8]) -> Option<i64> {
    let (digits, sign) = match word {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(sign * i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: &[u8]) -> Page {
        let columns = &[Column::Int, Column::Text, Column::Real, Column::Text];
        let reals = Some(vec![2.5, 0.5]);
        Page { bytes: bytes.to_vec(), start: 0, columns, reals, known_reals: 1 }
    }

    #[test]
    fn a_page_is_taken_apart_as_it_was_put_together() {
        let page = page("-7 2 r 0 ab9    ".as_bytes());
        let (mut lines, mut cells) = (page.lines(), Vec::new());
        assert!(lines.next_row(&mut cells).unwrap().is_some());
        let expected = [Cell::Int(-7), Cell::from("ab"), Cell::Real(0.5), Cell::from("")];
        assert_eq!(cells, expected);
        assert!(lines.next_row(&mut cells).unwrap().is_some());
        assert_eq!(cells, [Cell::Int(9), Cell::Null, Cell::Null, Cell::Null]);
        let more = "1 1 r 0 a2 1 r 0 b";
        let page = self::page(more.as_bytes());
        let mut lines = page.lines();
        assert!(lines.next_row(&mut cells).unwrap().is_some());
        assert!(lines.next_row(&mut cells).is_err(), "a number is lacking");
    }

    #[test]
    fn what_no_table_can_hold_is_no_row() {
        for torn in ["1 5 r 1 abc", "1 x r 1 abc", "1 99999999999999999999 r 1 a", "1 2"] {
            let page = page(torn.as_bytes());
            assert!(page.lines().next_row(&mut Vec::new()).is_err(), "{torn}");
        }
        assert_eq!((number(b"-"), number(b""), number(b"1x")), (None, None, None));
        assert_eq!(number(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(number(b"9223372036854775808"), None);
    }
}
