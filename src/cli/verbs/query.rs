//! `stem query`.

use std::io::{self, Write};

use serde_json::Value;
use stemmata::catalogue::QueryLimits;
use stemmata::ops::query::{Queried, query, views};

use crate::cli::{Context, Exit, Failure, Outcome};

/// Ask the catalogue in SQL; nothing can be changed
///
/// Answers one SELECT, WITH, VALUES or EXPLAIN over the views that docs/catalogue.md describes.
/// The connection can only read, whatever is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The question, in SQLite's SQL
    #[arg(value_name = "SQL", required_unless_present = "views")]
    sql: Option<String>,
    /// List the views and their columns
    #[arg(long, conflicts_with = "sql")]
    views: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    limit: u64,
    /// Give up when the database needs more than so many MiB of memory for it
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(8..=1 << 20))]
    memory: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for a reader
    Table,
    /// Fields quoted as in RFC 4180, with a line of names; lines end in LF
    Csv,
    /// As `--json`
    Json,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let limits = QueryLimits { seconds: args.timeout, rows: args.limit, bytes: args.memory << 20 };
    let seen = match &args.sql {
        Some(sql) => query(&repository, sql, limits),
        None => views(&repository),
    };
    let seen = seen.map_err(Failure::from)?;
    if seen.truncated {
        context.warn(&format!("there are more than {} rows; `--limit` shows more", args.limit));
    }
    match args.format {
        Format::Json => context.as_json().show("query", &seen, |_| Ok(()))?,
        Format::Csv => context.show_exactly("query", &seen, |out| csv(&seen, out))?,
        Format::Table => context.show("query", &seen, |out| table(&seen, out))?,
    }
    Ok(Exit::DONE)
}

/// Numbers and text as they are; null is empty.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn csv(seen: &Queried, out: &mut dyn Write) -> io::Result<()> {
    let field = |text: String| {
        let plain = !text.contains(['"', ',', '\n', '\r']);
        if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    let names: Vec<String> = seen.columns.iter().cloned().map(field).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in &seen.rows {
        let fields: Vec<String> = row.iter().map(|value| field(text(value))).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// The widest a column gets that is not the last.
const WIDEST: usize = 64;

fn table(seen: &Queried, out: &mut dyn Write) -> io::Result<()> {
    let shown = |value: &Value| {
        text(value).escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
    };
    let rows: Vec<Vec<String>> =
        seen.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let mut widths: Vec<usize> = seen.columns.iter().map(|name| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
        }
    }
    let is_number = |column: usize| {
        let mut values = seen.rows.iter().map(|row| &row[column]).filter(|value| !value.is_null());
        let first = values.next().is_some_and(Value::is_number);
        first && values.all(Value::is_number)
    };
    let right: Vec<bool> = (0..widths.len()).map(is_number).collect();
    let mut line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).zip(&right).map(|((cell, &width), &right)| {
            if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    line(&seen.columns)?;
    line(&widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| line(row))
}
