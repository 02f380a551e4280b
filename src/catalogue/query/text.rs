//! Reading a question in SQL as far as needed to know that it is one.
//!
//! The connection that answers cannot write whatever it is asked. What is found here is what such a
//! connection could still do (attach or write other files, change its own settings), and what
//! deserves a clearer word than the database has for it.

use std::ops::Range;

use crate::catalogue::{Error, Result};

/// A piece of SQL between spaces and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Where it stands.
    pub(super) at: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or name, in lower case.
    Word(String),
    /// A name in double quotes, backquotes or brackets.
    Name(String),
    /// A string in single quotes.
    Text(String),
    Number,
    Symbol(char),
}

/// Words that begin a statement that answers.
const ASKING: [&str; 4] = ["select", "with", "values", "explain"];
/// Words that stand in no answer.
const DOING: [&str; 18] = [
    "insert",
    "update",
    "delete",
    "create",
    "drop",
    "alter",
    "attach",
    "detach",
    "pragma",
    "vacuum",
    "reindex",
    "analyze",
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "load_extension",
];

fn bad(problem: impl Into<String>) -> Error {
    Error::BadQuestion { problem: problem.into() }
}

/// Takes SQL apart as SQLite does.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let (length, kind) = match byte {
            0 => return Err(bad("the question has a NUL character")),
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' => (1, None),
            b'-' if rest.starts_with(b"--") => (until(rest, b"\n"), None),
            b'/' if rest.starts_with(b"/*") => (2 + until(&rest[2..], b"*/"), None),
            b'\'' => quoted(rest, b'\'').map(|(n, text)| (n, Some(Kind::Text(text))))?,
            b'"' | b'`' => quoted(rest, byte).map(|(n, text)| (n, Some(Kind::Name(text))))?,
            b'[' => bracketed(rest).map(|(n, text)| (n, Some(Kind::Name(text))))?,
            b'0'..=b'9' => (number(rest), Some(Kind::Number)),
            _ if is_word(byte) => {
                let length = rest.iter().take_while(|byte| is_word(**byte)).count();
                let word = sql[at..at + length].to_ascii_lowercase();
                (length, Some(Kind::Word(word)))
            }
            _ => (1, Some(Kind::Symbol(char::from(byte)))),
        };
        if let Some(kind) = kind {
            found.push(Token { at: at..at + length, kind });
        }
        at += length;
    }
    Ok(found)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Digits and whatever letters SQLite takes for a part of the number; a point too.
fn number(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count()
}

/// Up to and with `end`, or all of it.
fn until(rest: &[u8], end: &[u8]) -> usize {
    let place = rest.windows(end.len()).position(|window| window == end);
    place.map_or(rest.len(), |place| place + end.len())
}

fn quoted(rest: &[u8], quote: u8) -> Result<(usize, String)> {
    let mut text = Vec::new();
    let mut at = 1;
    loop {
        match (rest.get(at), rest.get(at + 1)) {
            (Some(byte), Some(next)) if *byte == quote && *next == quote => {
                text.push(quote);
                at += 2;
            }
            (Some(byte), _) if *byte == quote => break,
            (Some(0), _) => return Err(bad("the question has a NUL character")),
            (Some(byte), _) => {
                text.push(*byte);
                at += 1;
            }
            (None, _) => return Err(bad(format!("a {} is not closed", char::from(quote)))),
        }
    }
    Ok((at + 1, String::from_utf8_lossy(&text).into_owned()))
}

fn bracketed(rest: &[u8]) -> Result<(usize, String)> {
    let end = rest.iter().position(|byte| *byte == b']').ok_or_else(|| bad("a [ is not closed"))?;
    Ok((end + 1, String::from_utf8_lossy(&rest[1..end]).into_owned()))
}

/// Refuses what is not one statement that only answers.
///
/// Gives the statement without what follows it, and whether it may stand in another's `FROM`.
pub(super) fn check_question(sql: &str) -> Result<(&str, bool)> {
    let mut tokens = tokens(sql)?;
    let end = tokens.iter().position(|token| token.kind == Kind::Symbol(';'));
    let statement = match end {
        Some(end) if tokens[end..].iter().all(|token| token.kind == Kind::Symbol(';')) => {
            let statement = &sql[..tokens[end].at.start];
            tokens.truncate(end);
            statement
        }
        Some(_) => return Err(bad("only one statement is answered at a time")),
        None => sql,
    };
    match tokens.first().map(|token| &token.kind) {
        None => return Err(bad("the question is empty")),
        Some(Kind::Word(word)) if ASKING.contains(&word.as_str()) => {}
        _ => {
            let word = &sql[tokens[0].at.clone()];
            return Err(not_a_question(word));
        }
    }
    check_words(sql, &tokens)?;
    let explains = tokens[0].kind == Kind::Word("explain".into());
    Ok((statement, !explains))
}

fn not_a_question(word: &str) -> Error {
    let shown: String = word.chars().take(40).collect();
    bad(format!(
        "`{}` is not answered: only SELECT, WITH, VALUES and EXPLAIN are",
        shown.escape_debug()
    ))
}

/// Refuses words that do something, and tables that are settings.
fn check_words(sql: &str, tokens: &[Token]) -> Result<()> {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map(|token| &token.kind);
        let name = match &token.kind {
            Kind::Word(word) if DOING.contains(&word.as_str()) => {
                let is_column = at > 0 && tokens[at - 1].kind == Kind::Symbol('.');
                if is_column {
                    continue;
                }
                return Err(not_a_question(&sql[token.at.clone()]));
            }
            Kind::Word(word) if word == "replace" && next == Some(&Kind::Word("into".into())) => {
                return Err(not_a_question("REPLACE INTO"));
            }
            Kind::Word(word) => word,
            // SQLite takes a string for a name where only a name makes sense.
            Kind::Name(name) | Kind::Text(name) => name,
            Kind::Number | Kind::Symbol(_) => continue,
        };
        let name = name.to_ascii_lowercase();
        let is_setting = name.strip_prefix("pragma_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        if is_setting || name == "load_extension" {
            return Err(bad(format!("`{name}` cannot be asked: it is a setting of the database")));
        }
    }
    Ok(())
}

/// Refuses what is not one expression; turns `metric.NAME` into the newest value of that metric.
///
/// The answer may stand between parentheses in a `SELECT` over the view `versions`.
pub(super) fn condition(text: &str) -> Result<String> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(bad("the condition is empty"));
    }
    let mut depth = 0_i64;
    for token in &tokens {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth -= 1,
            Kind::Symbol(';') => return Err(bad("a condition is one expression, without `;`")),
            _ => {}
        }
        if depth < 0 {
            break;
        }
    }
    if depth != 0 {
        return Err(bad("the parentheses of the condition do not match"));
    }
    check_words(text, &tokens)?;
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut copied = 0;
    while at < tokens.len() {
        if let Some(name) = metric_name(&tokens[at..])
            && (at == 0 || tokens[at - 1].kind != Kind::Symbol('.'))
        {
            out.push_str(&text[copied..tokens[at].at.start]);
            out.push_str(&format!(
                "(SELECT m.value FROM metric AS m WHERE m.version = versions.version AND m.name = \
                 '{}' AND m.slice IS NULL ORDER BY m.number DESC, m.ordinal DESC LIMIT 1)",
                name.replace('\'', "''")
            ));
            copied = tokens[at + 2].at.end;
            at += 3;
        } else {
            at += 1;
        }
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

/// The name in `metric.NAME`, if that is what comes next.
fn metric_name(tokens: &[Token]) -> Option<String> {
    let [first, point, name, ..] = tokens else { return None };
    let is_metric = first.kind == Kind::Word("metric".into());
    if !is_metric || point.kind != Kind::Symbol('.') {
        return None;
    }
    match &name.kind {
        Kind::Word(_) | Kind::Name(_) | Kind::Text(_) => Some(as_written(name)),
        Kind::Number | Kind::Symbol(_) => None,
    }
}

fn as_written(token: &Token) -> String {
    match &token.kind {
        Kind::Word(text) | Kind::Name(text) | Kind::Text(text) => text.clone(),
        Kind::Number | Kind::Symbol(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_is_let_through_whole() {
        for sql in [
            "SELECT 1",
            " select ';' -- ; delete\n",
            "SELECT 1; ; -- end",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1)",
            "EXPLAIN QUERY PLAN SELECT 1 /* ; DROP TABLE x */",
            "SELECT replace(message, 'delete', 'x') FROM versions",
            "SELECT \"update\", r.delete FROM r",
            "SELECT 1 WHERE 'x' LIKE 'pragma_%'",
            "SELECT 'a''b;c', \"x;y\", [p;q], `r;s`",
        ] {
            assert!(check_question(sql).is_ok(), "{sql}: {:?}", check_question(sql));
        }
    }

    #[test]
    fn what_is_not_one_question_is_refused() {
        for sql in [
            "",
            " -- nothing",
            ";",
            "SELECT 1; DELETE FROM version",
            "SELECT 1;SELECT 2",
            "ATTACH 'x' AS y",
            "PRAGMA writable_schema = ON",
            "VACUUM INTO 'x'",
            "/* SELECT */ DELETE FROM version",
            "WITH a AS (SELECT 1) DELETE FROM version",
            "WITH a AS (SELECT 1) REPLACE INTO version SELECT 1",
            "EXPLAIN DELETE FROM version",
            "SELECT load_extension('x')",
            "SELECT \"load_extension\"('x')",
            "SELECT * FROM pragma_query_only(0)",
            "SELECT * FROM \"pragma_wal_checkpoint\"",
            "SELECT * FROM 'pragma_journal_mode'",
            "SELECT * FROM [PRAGMA_journal_mode]",
            "SELECT 'open",
            "SELECT [open",
            "SELECT 1\0; DELETE FROM version",
            "(SELECT 1)",
        ] {
            assert!(check_question(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_condition_stays_between_its_parentheses() {
        for text in ["1) OR (1", ")(", "1; DELETE FROM version", "", "(1", "1 -- )\n)", "delete"] {
            assert!(condition(text).is_err(), "{text}");
        }
        assert_eq!(condition("author = 'A)'").unwrap(), "author = 'A)'");
        let text = condition("metric.\"it's\" > 1 and x.metric.y < 2").unwrap();
        assert!(
            text.contains("m.name = 'it''s'") && text.ends_with(" and x.metric.y < 2"),
            "{text}"
        );
        assert!(text.starts_with("(SELECT") && text.contains("LIMIT 1) > 1"), "{text}");
    }
}
