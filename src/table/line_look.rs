//! Looking at every record of a file of lines: for known fingerprints, and for what it is made of.

use std::io::Read;

use super::error::Error;
use super::fingerprint::{FingerprintSet, Hit, Hits};
use super::lines::{Kind, LONGEST_RECORD, Record, Syntax};
use super::profile::{Columns, Profile};
use super::trouble::{Unreadable, Why};

/// The record as `visit` sees it: its value, or why it has none.
fn each_row(
    source: &mut dyn Read,
    mut syntax: Syntax,
    visit: &mut dyn FnMut(&Syntax, &Record<'_>, Option<Why>) -> Result<(), Error>,
) -> Result<(), Error> {
    syntax.each(source, LONGEST_RECORD, &mut |syntax, record| match record.kind {
        Kind::Row => visit(syntax, &record, None),
        Kind::Part { first: true } => visit(syntax, &record, Some(Why::TooLong)),
        Kind::Part { first: false } | Kind::Header | Kind::Blank => Ok(()),
    })
}

pub(super) fn find_fingerprints(
    source: &mut dyn Read,
    syntax: Syntax,
    set: &FingerprintSet,
    limit: usize,
) -> Result<Hits, Error> {
    let mut hits = Hits::default();
    let mut source = UntilDone { source, done: std::rc::Rc::default() };
    let done = source.done.clone();
    each_row(&mut source, syntax, &mut |syntax, record, why| {
        if hits.first.len() >= limit {
            return Ok(());
        }
        let byte = record.place();
        match why.map_or_else(|| syntax.read(record.content()), Err) {
            Err(why) => hits.unreadable.add(record.row, Some(byte.start), why),
            Ok(node) => {
                let known = set.recognise(&node);
                let hit = |what| Hit { row: record.row, bytes: Some(byte), what };
                hits.first.extend(known.map(hit));
                done.set(hits.first.len() >= limit);
            }
        }
        Ok(())
    })?;
    Ok(hits)
}

/// A reader that ends when there is nothing more to look for.
struct UntilDone<'a> {
    source: &'a mut dyn Read,
    done: std::rc::Rc<std::cell::Cell<bool>>,
}

impl Read for UntilDone<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.done.get() { Ok(0) } else { self.source.read(buffer) }
    }
}

pub(super) fn profile(source: &mut dyn Read, syntax: Syntax) -> Result<Profile, Error> {
    let mut columns = Columns::default();
    let mut unreadable = Unreadable::default();
    let mut rows = 0;
    let mut header = Vec::new();
    each_row(source, syntax, &mut |syntax, record, why| {
        rows += 1;
        if rows == 1 {
            header = syntax.header().map(|header| header.names().to_vec()).unwrap_or_default();
        }
        match why.map_or_else(|| syntax.read(record.content()), Err) {
            Err(why) => unreadable.add(record.row, Some(record.place().start), why),
            Ok(node) => columns.add(&node, matches!(syntax, Syntax::Csv { .. })),
        }
        Ok(())
    })?;
    Ok(columns.finish(rows, unreadable, &header))
}
