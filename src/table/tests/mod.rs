//! What every format promises together.

mod lines;
mod parquet;
mod physical;
mod pieces;
mod prints;
mod random;

use super::*;

pub(super) const JSON: Format = Format::JsonLines;
pub(super) const CSV: Format = Format::Csv { delimiter: b',' };

pub(super) fn bytes(data: &[u8]) -> Source<'static> {
    Source::seekable(std::io::Cursor::new(data.to_vec()))
}

pub(super) fn keys(list: &[&str]) -> Selector {
    Selector::keys(list).unwrap()
}

/// The numbers of the rows that match, and what else there is to say.
pub(super) fn scanned(data: &[u8], format: Format, selector: &Selector) -> (Vec<u64>, Scan) {
    let mut rows = Vec::new();
    let scan = scan(bytes(data), format, selector, Want::Places, &mut |found| rows.push(found.row));
    (rows, scan.unwrap())
}

pub(super) fn rows(data: &[u8], format: Format, selector: &Selector) -> Vec<u64> {
    let (rows, scan) = scanned(data, format, selector);
    assert_eq!(scan.unreadable, Unreadable::default());
    assert_eq!(scan.matched, rows.len() as u64);
    rows
}

pub(super) fn rewritten(
    data: &[u8],
    format: Format,
    selector: &Selector,
    mode: &Mode,
) -> (Vec<u8>, Rewritten) {
    let mut out = Vec::new();
    let parts = (selector, mode, Want::Places);
    let result = rewrite(bytes(data), &mut out, format, parts, &mut |_| {});
    (out, result.unwrap())
}

pub(super) fn redact(fields: &[&str], with: Option<&str>) -> Mode {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    Mode::Redact { fields, with: with.map(str::to_owned) }
}
