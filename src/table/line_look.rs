//! Looking at every record of a file of lines: for known fingerprints, and for what it is made of.

use std::io::Read;

use super::error::Error;
use super::fingerprint::{FingerprintSet, Hit, Hits};
use super::lines::{Kind, LONGEST_RECORD, Syntax};
use super::profile::{Columns, Profile};
use super::trouble::{Unreadable, Why};

pub(super) fn find_fingerprints(
    source: &mut dyn Read,
    mut syntax: Syntax,
    set: &FingerprintSet,
    limit: usize,
) -> Result<Hits, Error> {
    let mut hits = Hits::default();
    let mut source = UntilDone { source, done: std::rc::Rc::default() };
    let done = source.done.clone();
    syntax.each(&mut source, LONGEST_RECORD, &mut |syntax, record| {
        if hits.first.len() >= limit {
            return Ok(());
        }
        let byte = record.place();
        let node = match record.kind {
            Kind::Row => syntax.read(record.content()),
            Kind::Part { first: true } => Err(Why::TooLong),
            Kind::Part { first: false } | Kind::Header | Kind::Blank => return Ok(()),
        };
        match node {
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

pub(super) fn profile(source: &mut dyn Read, mut syntax: Syntax) -> Result<Profile, Error> {
    let mut columns = Columns::default();
    let mut unreadable = Unreadable::default();
    let mut rows = 0;
    let mut header = Vec::new();
    syntax.each(source, LONGEST_RECORD, &mut |syntax, record| {
        rows += u64::from(matches!(record.kind, Kind::Row | Kind::Part { first: true }));
        let why = match record.kind {
            Kind::Row => match syntax.read(record.content()) {
                Ok(node) => {
                    columns.add(&node, matches!(syntax, Syntax::Csv { .. }));
                    return Ok(());
                }
                Err(why) => why,
            },
            Kind::Header => {
                header = syntax.header().map(|it| it.names().to_vec()).unwrap_or_default();
                return Ok(());
            }
            Kind::Part { first: true } => Why::TooLong,
            Kind::Part { first: false } | Kind::Blank => return Ok(()),
        };
        unreadable.add(record.row, Some(record.place().start), why);
        Ok(())
    })?;
    Ok(columns.finish(rows, unreadable, &header))
}
