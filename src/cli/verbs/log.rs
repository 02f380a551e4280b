//! `stem log`.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::AnsiColor;
use stemmata::model::State;
use stemmata::ops::log::{LogFilter, LogOptions, VersionInfo, log};
use stemmata::ops::signature::is_signed;

use super::key;
use crate::cli::graph::Graph;
use crate::cli::text::{count, moment, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show the history, the newest version first
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Begin at these revisions; `A..B` shows what B has and A has not
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Show at most N versions
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    limit: Option<u64>,
    /// Begin at every branch and tag
    #[arg(long)]
    all: bool,
    /// One line for each version
    #[arg(long)]
    oneline: bool,
    /// Draw how the versions continue each other
    #[arg(long)]
    graph: bool,
    /// Show who has signed them, and whether their keys are trusted
    #[arg(long)]
    show_signature: bool,
    /// Exit with 12 unless every version shown is signed by a trusted key
    #[arg(long, requires = "show_signature")]
    require: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only versions that have changed these paths
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Which versions are shown.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Made at DATE or later: `2 weeks ago`, `yesterday`, `2026-11-01`
    #[arg(long, value_name = "DATE", visible_alias = "after")]
    since: Option<String>,
    /// Made at DATE or earlier
    #[arg(long, value_name = "DATE", visible_alias = "before")]
    until: Option<String>,
    /// Made by somebody whose `Name <mail>` fits this regular expression, or another one given so
    #[arg(long, value_name = "PATTERN")]
    author: Vec<String>,
    /// With a line in the message that fits this regular expression, or another one given so
    #[arg(long, value_name = "PATTERN")]
    grep: Vec<String>,
    /// Whatever the case of letters in what fits `--author` and `--grep`
    #[arg(short = 'i', long = "regexp-ignore-case")]
    ignore_case: bool,
    /// Take what `--author` and `--grep` are given as text, not as regular expressions
    #[arg(short = 'F', long = "fixed-strings")]
    fixed: bool,
    /// For which this is true: SQL over the columns of the view `versions`, and `metric.NAME`
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// With all of these words in message, metadata or later records; `word*` for a beginning.
    /// Chinese, Japanese and the like are found anywhere in a text
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let options = LogOptions {
        revisions: args.revisions.clone(),
        all: args.all,
        limit: args.limit,
        paths: context.paths(&repository, &args.paths)?,
        signatures: args.show_signature,
        filter: LogFilter {
            since: args.filter.since.clone(),
            until: args.filter.until.clone(),
            authors: args.filter.author.clone(),
            greps: args.filter.grep.clone(),
            ignore_case: args.filter.ignore_case,
            fixed: args.filter.fixed,
            condition: args.filter.condition.clone(),
            search: args.filter.search.clone(),
        },
    };
    let seen = log(&repository, &options).map_err(Failure::from)?;
    context.show("log", &seen, |out| {
        let mut graph = args.graph.then(Graph::default);
        let mut first = true;
        for version in &seen.versions {
            let text = if args.oneline { line(version) } else { paragraph(version, !first) };
            first = false;
            match &mut graph {
                Some(graph) => graph.draw(version, text.trim_start_matches('\n'), out)?,
                None => out.write_all(text.as_bytes())?,
            }
        }
        Ok(())
    })?;
    let unsigned = |version: &&VersionInfo| {
        version.signatures.as_ref().is_some_and(|signatures| !is_signed(signatures))
    };
    match seen.versions.iter().filter(unsigned).count() {
        missing if missing > 0 && args.require => {
            let versions = count(missing as u64, "version");
            context.warn(&format!("{versions} not signed by a trusted key"));
            Ok(Exit::NOT_ALLOWED)
        }
        _ => Ok(Exit::DONE),
    }
}

/// `(main, tag: v1) [retired]`, coloured; nothing if there is none and the version is active.
pub(super) fn labels(version: &VersionInfo) -> String {
    let (green, yellow) = (AnsiColor::Green.on_default(), AnsiColor::Yellow.on_default());
    let branches = version.branch_names.iter().map(|name| format!("{green}{name}{green:#}"));
    let tags = version.tags.iter().map(|name| format!("{yellow}tag: {name}{yellow:#}"));
    let all: Vec<_> = branches.chain(tags).collect();
    let names = if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) };
    if version.state == State::Active { names } else { format!("{names} [{}]", version.state) }
}

fn line(version: &VersionInfo) -> String {
    let yellow = AnsiColor::Yellow.on_default();
    let first = version.message.lines().next().unwrap_or_default();
    let id = short(&version.version);
    format!("{yellow}{id}{yellow:#}{} {first}\n", labels(version))
}

fn paragraph(version: &VersionInfo, apart: bool) -> String {
    let mut text = Vec::new();
    if apart {
        text.push(b'\n');
    }
    // Writing to memory does not fail.
    let _ = head(version, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// A version's row for a reader.
pub(super) fn head(version: &VersionInfo, out: &mut dyn Write) -> io::Result<()> {
    let yellow = AnsiColor::Yellow.on_default();
    writeln!(out, "{yellow}version {}{yellow:#}{}", version.version, labels(version))?;
    if version.parents.len() > 1 {
        let parents: Vec<_> = version.parents.iter().map(short).collect();
        writeln!(out, "Merge:  {}", parents.join(" "))?;
    }
    writeln!(out, "Author: {}", version.author)?;
    writeln!(out, "Date:   {}", moment(version.time))?;
    writeln!(out, "Files:  {}, {}", count(version.files, "file"), size(version.bytes))?;
    for signature in version.signatures.iter().flatten() {
        writeln!(out, "Signed: {}", key::judged(signature))?;
    }
    writeln!(out)?;
    for line in version.message.lines() {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}
