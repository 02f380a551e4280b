//! `stem diff`.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::AnsiColor;
use stemmata::ops::diff::{DiffOptions, Kind, PathChange, Totals, diff};

use crate::cli::text::{count, number, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show which paths differ
///
/// Without revisions: the files against what is staged. With one: the files against it. With two,
/// or `A..B`: one version against the other. A path that kept its content is shown as renamed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One side
    #[arg(value_name = "A")]
    from: Option<String>,
    /// The other side
    #[arg(value_name = "B")]
    to: Option<String>,
    /// What is staged, against the current version or A
    #[arg(long, visible_alias = "cached", conflicts_with = "to")]
    staged: bool,
    /// Sizes before and after, and sums
    #[arg(long, conflicts_with = "name_status")]
    stat: bool,
    /// Letter and path only, for programs
    #[arg(long)]
    name_status: bool,
    /// Exit with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
    /// Only these paths
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let options = DiffOptions {
        from: args.from.clone(),
        to: args.to.clone(),
        staged: args.staged,
        paths: context.paths(&repository, &args.paths)?,
    };
    let seen = diff(&repository, &options).map_err(Failure::from)?;
    context.show("diff", &seen, |out| {
        if args.name_status {
            names(&seen.changes, out)
        } else if args.stat {
            stat(&seen.changes, &seen.totals, out)
        } else {
            long(&seen.changes, out)
        }
    })?;
    Ok(if args.exit_code && !seen.changes.is_empty() { Exit::NO } else { Exit::DONE })
}

/// The letter for a change.
pub(super) fn letter(kind: Kind) -> char {
    match kind {
        Kind::Added => 'A',
        Kind::Modified => 'M',
        Kind::Deleted => 'D',
        Kind::Renamed => 'R',
    }
}

fn names(changes: &[PathChange], out: &mut dyn Write) -> io::Result<()> {
    for change in changes {
        match &change.from {
            Some(from) => writeln!(out, "R\t{}\t{}", from.show(), change.path.show())?,
            None => writeln!(out, "{}\t{}", letter(change.change), change.path.show())?,
        }
    }
    Ok(())
}

fn name(change: &PathChange) -> String {
    match &change.from {
        Some(from) => format!("{} -> {}", from.show(), change.path.show()),
        None => change.path.show(),
    }
}

fn sizes(change: &PathChange) -> String {
    match (&change.old, &change.new) {
        (None, Some(new)) => size(new.size),
        (Some(old), None) => size(old.size),
        (Some(old), Some(new)) if old.file == new.file && old.mode != new.mode => {
            format!("{} -> {}", mode(old.mode), mode(new.mode))
        }
        (Some(old), Some(new)) if old.size == new.size => size(new.size),
        (Some(old), Some(new)) => format!("{} -> {}", size(old.size), size(new.size)),
        (None, None) => String::new(),
    }
}

fn mode(mode: stemmata::model::Mode) -> &'static str {
    use stemmata::model::Mode;
    match mode {
        Mode::File => "file",
        Mode::Executable => "executable",
        Mode::Symlink => "link",
    }
}

fn long(changes: &[PathChange], out: &mut dyn Write) -> io::Result<()> {
    for change in changes {
        let style = match change.change {
            Kind::Added => AnsiColor::Green.on_default(),
            Kind::Modified | Kind::Renamed => AnsiColor::Yellow.on_default(),
            Kind::Deleted => AnsiColor::Red.on_default(),
        };
        let (letter, name, sizes) = (letter(change.change), name(change), sizes(change));
        writeln!(out, "{style}{letter}{style:#} {name}  ({sizes})")?;
    }
    Ok(())
}

/// One line for each path with its size, then the sums.
pub(super) fn stat(changes: &[PathChange], totals: &Totals, out: &mut dyn Write) -> io::Result<()> {
    long(changes, out)?;
    let Totals { added, modified, deleted, renamed, bytes_added, bytes_removed } = totals;
    let all = added + modified + deleted + renamed;
    writeln!(
        out,
        "{} changed: {} added, {} modified, {} deleted, {} renamed; +{} -{}",
        count(all, "path"),
        number(*added),
        number(*modified),
        number(*deleted),
        number(*renamed),
        size(*bytes_added),
        size(*bytes_removed)
    )
}
