//! Finding and rewriting records in formats of lines.

use std::io::{Read, Write};

use super::canonical::{Form, canonical};
use super::detect::Format;
use super::error::Error;
use super::json::{Node, Value};
use super::lines::{Kind, LONGEST_RECORD, Record, Syntax};
use super::outcome::{Match, Mode, Rewritten, Scan, Want};
use super::prefilter::Prefilter;
use super::selector::{Matcher, Selector, Twins, at_path, below};
use super::trouble::{Unreadable, Why};

/// A selector made ready for files of lines of one format, to be used by many threads and on pieces
/// of files.
pub struct LineSearch<'s> {
    selector: &'s Selector,
    syntax: Syntax,
    /// Whether what is looked at begins where the file does.
    at_start: bool,
    prefilter: Prefilter,
    matcher: Matcher<'s>,
}

/// What a piece of a file holds. Whoever looks at all pieces knows by this which of them have to be
/// read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// Whether a record that lies whole in the piece matches or cannot be read. Says something only
    /// if the piece begins where a record does.
    pub hit: bool,
    /// Where the piece ends if it begins where a record does.
    pub end: End,
    /// Where the piece ends if it begins inside of a record.
    pub end_inside: End,
}

/// Where a piece of a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Where a record ends.
    Whole,
    /// Inside of a record, in a place from which the next piece can tell where that ends.
    Inside,
    /// Somewhere that the next piece does not tell.
    Unknown,
}

impl<'s> LineSearch<'s> {
    /// The search for what `selector` means in files of a format; none if its records are no lines.
    pub fn new(selector: &'s Selector, format: Format) -> Option<Self> {
        Some(Self::with(selector, Syntax::of(format)?, true))
    }

    fn with(selector: &'s Selector, syntax: Syntax, at_start: bool) -> Self {
        let prefilter = Prefilter::new(selector, syntax.escapes());
        let matcher = Matcher::new(selector, syntax.form());
        Self { selector, syntax, at_start, prefilter, matcher }
    }

    /// The search in all pieces but the first of a file that begins with `head`, which must hold
    /// the header where the format has one.
    ///
    /// # Errors
    ///
    /// If `head` cannot be read.
    pub fn behind(&self, head: &mut dyn Read) -> Result<Self, Error> {
        let mut syntax = self.syntax.clone();
        if let Syntax::Csv { delimiter, header } = &mut syntax {
            *header = Syntax::header_of(*delimiter, head)?;
        }
        Ok(Self::with(self.selector, syntax, false))
    }

    /// Whether records mean the same in files of both, so that what is known of a piece under one
    /// holds under the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.at_start == other.at_start && self.syntax == other.syntax
    }

    /// Looks at a piece of a file.
    pub fn look(&self, piece: &[u8]) -> Look {
        let (end, end_inside) = self.syntax.ends(piece, self.at_start);
        // What a header lacks is to be told as well.
        let first_of_table = self.at_start && matches!(self.syntax, Syntax::Csv { .. });
        let hit = first_of_table || (self.prefilter.may_match(piece) && self.holds_any(piece));
        Look { hit, end, end_inside }
    }

    fn holds_any(&self, mut piece: &[u8]) -> bool {
        let seen = self.scan(&mut piece, Want::Places, &mut |_| {});
        seen.map_or(true, |seen| seen.matched > 0 || seen.unreadable.count > 0)
    }

    /// As [`super::scan`], in a piece that begins where a record does. Rows and bytes are counted
    /// from its beginning.
    ///
    /// # Errors
    ///
    /// If the source cannot be read.
    pub fn scan(
        &self,
        source: &mut dyn Read,
        want: Want,
        found: &mut dyn FnMut(Match),
    ) -> Result<Scan, Error> {
        let mut judge = Judge::new(self);
        let mut syntax = self.syntax.clone();
        syntax.each_from(source, self.at_start, LONGEST_RECORD, &mut |syntax, record| {
            if let Some(node) = judge.judge(syntax, &record) {
                found(Judge::found(&record, &node, want));
            }
            Ok(())
        })?;
        Ok(Scan {
            rows: judge.rows,
            matched: judge.matched,
            unreadable: judge.unreadable,
            absent_keys: judge.absent_keys,
        })
    }

    /// As [`super::rewrite`], of a piece that begins where a record does.
    ///
    /// # Errors
    ///
    /// If the source cannot be read or `out` not be written.
    pub fn rewrite(
        &self,
        source: &mut dyn Read,
        out: &mut dyn Write,
        (mode, want): (&Mode, Want),
        found: &mut dyn FnMut(Match),
    ) -> Result<Rewritten, Error> {
        let mut judge = Judge::new(self);
        let mut out = std::io::BufWriter::with_capacity(256 * 1024, out);
        let (mut dropped, mut changed) = (0, 0);
        let mut syntax = self.syntax.clone();
        syntax.each_from(source, self.at_start, LONGEST_RECORD, &mut |syntax, record| {
            let Some(node) = judge.judge(syntax, &record) else {
                return out.write_all(record.bytes).map_err(Error::Write);
            };
            found(Judge::found(&record, &node, want));
            let content = match mode {
                Mode::Drop => {
                    dropped += 1;
                    // A byte order mark belongs to the file, not to its first record.
                    let mark = &record.bytes[..record.content.start];
                    return out.write_all(mark).map_err(Error::Write);
                }
                Mode::Redact { fields, with } => {
                    let (selector, with) = (self.selector, with.as_deref());
                    Redaction { syntax, selector, fields, with }.apply(record.content(), &node)
                }
            };
            if redaction_failed(&self.matcher, mode, syntax, &content) {
                judge.complain(&record, Why::Remains);
            }
            changed += u64::from(content != record.content());
            let after = &record.bytes[record.content.end..];
            [&record.bytes[..record.content.start], &content, after]
                .iter()
                .try_for_each(|part| out.write_all(part))
                .map_err(Error::Write)
        })?;
        out.flush().map_err(Error::Write)?;
        Ok(Rewritten {
            rows_before: judge.rows,
            rows_after: judge.rows - dropped,
            matched: judge.matched,
            changed,
            untouched: judge.matched - dropped - changed,
            unreadable: judge.unreadable,
            absent_keys: judge.absent_keys,
        })
    }
}

/// A search at work on one stream of records.
struct Judge<'l, 's> {
    search: &'l LineSearch<'s>,
    rows: u64,
    matched: u64,
    unreadable: Unreadable,
    absent_keys: Vec<String>,
}

impl<'l, 's> Judge<'l, 's> {
    fn new(search: &'l LineSearch<'s>) -> Self {
        let keys = || search.selector.key_list().iter().map(|key| key.path().to_owned());
        let absent_keys = match search.syntax {
            Syntax::Text => keys().collect(),
            Syntax::JsonLines | Syntax::Csv { .. } => Vec::new(),
        };
        Self { search, rows: 0, matched: 0, unreadable: Unreadable::default(), absent_keys }
    }

    /// The record as a value, if it is one of those that are meant.
    fn judge<'r>(&mut self, syntax: &'r Syntax, record: &Record<'r>) -> Option<Node<'r>> {
        match record.kind {
            Kind::Blank => return None,
            Kind::Header => {
                self.judge_header(syntax, record);
                return None;
            }
            Kind::Part { first } => {
                if first {
                    self.rows += 1;
                    self.complain(record, Why::TooLong);
                }
                return None;
            }
            Kind::Row => self.rows += 1,
        }
        if !self.search.prefilter.may_match(record.content()) {
            return None;
        }
        match syntax.read(record.content()) {
            Err(why) => {
                self.complain(record, why);
                None
            }
            Ok(_) if self.twins(syntax) => None,
            Ok(node) => {
                let matches = self.search.matcher.matches(&node);
                self.matched += u64::from(matches);
                matches.then_some(node)
            }
        }
    }

    fn judge_header(&mut self, syntax: &Syntax, record: &Record<'_>) {
        let names = syntax.header().map_or(&[][..], |header| header.names());
        let has = |path: &str| names.iter().any(|name| below(path, name) == Some(""));
        let keys = self.search.selector.key_list().iter().map(super::selector::Key::path);
        self.absent_keys = keys.filter(|path| !has(path)).map(str::to_owned).collect();
        if self.twins(syntax) {
            self.complain_of_header(record, Why::TwinColumns);
        }
        if let Matcher::Contains(finder) = &self.search.matcher
            && names.iter().any(|name| finder.find(name.as_bytes()).is_some())
        {
            self.complain_of_header(record, Why::InHeader);
        }
    }

    /// Whether records cannot be compared, because two columns have one name.
    fn twins(&self, syntax: &Syntax) -> bool {
        matches!(self.search.selector, Selector::Exact(_))
            && syntax.header().is_some_and(|header| header.has_twins())
    }

    fn complain(&mut self, record: &Record<'_>, why: Why) {
        self.unreadable.add(record.row, Some(record.place().start), why);
    }

    fn complain_of_header(&mut self, record: &Record<'_>, why: Why) {
        self.unreadable.add(0, Some(record.place().start), why);
    }

    fn found(record: &Record<'_>, node: &Node<'_>, want: Want) -> Match {
        let wanted = want == Want::Records;
        let canonical = wanted.then(|| canonical(node, Form::Fingerprint));
        Match { row: record.row, bytes: Some(record.place()), canonical }
    }
}

/// Whether a record still holds the text after all values that hold it were to be redacted, or is
/// no record any more.
fn redaction_failed(matcher: &Matcher<'_>, mode: &Mode, syntax: &Syntax, content: &[u8]) -> bool {
    match syntax.read(content) {
        Err(_) => true,
        Ok(node) => {
            let all = matches!(mode, Mode::Redact { fields, .. } if fields.is_empty());
            all && matches!(matcher, Matcher::Contains(_)) && matcher.matches(&node)
        }
    }
}

/// What to put where in a record.
struct Redaction<'r> {
    syntax: &'r Syntax,
    selector: &'r Selector,
    fields: &'r [String],
    with: Option<&'r str>,
}

impl Redaction<'_> {
    /// The record with the values replaced, and every other byte as it was.
    fn apply(&self, content: &[u8], node: &Node<'_>) -> Vec<u8> {
        let mut spans = Vec::new();
        for field in self.fields {
            // Of a repeated name only the last counts, but all of them would stay in the file.
            at_path(node, field, Twins::All, &mut |node| spans.push(node.span.clone()));
        }
        if self.fields.is_empty()
            && let Selector::Contains(text) = self.selector
        {
            holding(node, &memchr::memmem::Finder::new(text), &mut |node| {
                spans.push(node.span.clone());
            });
        }
        spans.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let replacement = self.syntax.write(self.with);
        let mut out = Vec::with_capacity(content.len());
        let mut at = 0;
        for span in spans.into_iter().filter(|span| !span.is_empty()) {
            // A field inside of one that has been replaced is gone already.
            if span.start < at {
                continue;
            }
            out.extend_from_slice(&content[at..span.start]);
            out.extend_from_slice(&replacement);
            at = span.end;
        }
        out.extend_from_slice(&content[at..]);
        out
    }
}

/// Calls `found` with every value that is no list or object and holds the text.
fn holding<'n, 'a>(
    node: &'n Node<'a>,
    finder: &memchr::memmem::Finder<'_>,
    found: &mut dyn FnMut(&'n Node<'a>),
) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| holding(item, finder, found)),
        Value::Object(members) => {
            members.iter().for_each(|(_, member)| holding(member, finder, found));
        }
        _ if super::selector::contains(node, finder) => found(node),
        _ => {}
    }
}
