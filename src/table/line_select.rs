//! Finding and rewriting records in formats of lines.

use std::io::{Read, Write};

use super::canonical::{Form, canonical};
use super::error::Error;
use super::json::{Node, Value};
use super::lines::{Kind, LONGEST_RECORD, Record, Syntax};
use super::outcome::{Match, Mode, Rewritten, Scan, Want};
use super::prefilter::Prefilter;
use super::selector::{Matcher, Selector, Twins, at_path, below};
use super::trouble::{Unreadable, Why};

/// A selector at work on a file of lines.
struct Judge<'s> {
    selector: &'s Selector,
    prefilter: Prefilter,
    matcher: Matcher<'s>,
    rows: u64,
    matched: u64,
    unreadable: Unreadable,
    absent_keys: Vec<String>,
}

impl<'s> Judge<'s> {
    fn new(selector: &'s Selector, syntax: &Syntax) -> Self {
        let absent_keys = match syntax {
            Syntax::Text => selector.key_list().iter().map(|key| key.path().to_owned()).collect(),
            Syntax::JsonLines | Syntax::Csv { .. } => Vec::new(),
        };
        Self {
            selector,
            prefilter: Prefilter::new(selector, syntax.escapes()),
            matcher: Matcher::new(selector, syntax.form()),
            rows: 0,
            matched: 0,
            unreadable: Unreadable::default(),
            absent_keys,
        }
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
        if !self.prefilter.may_match(record.content()) {
            return None;
        }
        match syntax.read(record.content()) {
            Err(why) => {
                self.complain(record, why);
                None
            }
            Ok(_) if self.twins(syntax) => None,
            Ok(node) => {
                let matches = self.matcher.matches(&node);
                self.matched += u64::from(matches);
                matches.then_some(node)
            }
        }
    }

    fn judge_header(&mut self, syntax: &Syntax, record: &Record<'_>) {
        let names = syntax.header().map_or(&[][..], |header| header.names());
        let has = |path: &str| names.iter().any(|name| below(path, name) == Some(""));
        let keys = self.selector.key_list().iter().map(super::selector::Key::path);
        self.absent_keys = keys.filter(|path| !has(path)).map(str::to_owned).collect();
        if self.twins(syntax) {
            self.complain_of_header(record, Why::TwinColumns);
        }
        if let Matcher::Contains(finder) = &self.matcher
            && names.iter().any(|name| finder.find(name.as_bytes()).is_some())
        {
            self.complain_of_header(record, Why::InHeader);
        }
    }

    /// Whether records cannot be compared, because two columns have one name.
    fn twins(&self, syntax: &Syntax) -> bool {
        matches!(self.selector, Selector::Exact(_))
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

pub(super) fn scan(
    source: &mut dyn Read,
    mut syntax: Syntax,
    selector: &Selector,
    want: Want,
    found: &mut dyn FnMut(Match),
) -> Result<Scan, Error> {
    let mut judge = Judge::new(selector, &syntax);
    syntax.each(source, LONGEST_RECORD, &mut |syntax, record| {
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

pub(super) fn rewrite(
    source: &mut dyn Read,
    out: &mut dyn Write,
    mut syntax: Syntax,
    (selector, mode, want): (&Selector, &Mode, Want),
    found: &mut dyn FnMut(Match),
) -> Result<Rewritten, Error> {
    let mut judge = Judge::new(selector, &syntax);
    let mut out = std::io::BufWriter::with_capacity(256 * 1024, out);
    let (mut dropped, mut changed) = (0, 0);
    syntax.each(source, LONGEST_RECORD, &mut |syntax, record| {
        let Some(node) = judge.judge(syntax, &record) else {
            return out.write_all(record.bytes).map_err(Error::Write);
        };
        found(Judge::found(&record, &node, want));
        let content = match mode {
            Mode::Drop => {
                dropped += 1;
                // A byte order mark belongs to the file, not to its first record.
                return out.write_all(&record.bytes[..record.content.start]).map_err(Error::Write);
            }
            Mode::Redact { fields, with } => {
                let redaction = Redaction { syntax, selector, fields, with: with.as_deref() };
                redaction.apply(record.content(), &node)
            }
        };
        if redaction_failed(&judge.matcher, mode, syntax, &content) {
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
