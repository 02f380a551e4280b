//! `stem hold`.

use std::io::{self, Write};

use serde::Serialize;
use stemmata::ops::hold::{list, place, release};
use stemmata::repo::Hold;

use crate::cli::args::DryRun;
use crate::cli::text::{moment, path_text};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Forbid that something is deleted, and allow it again
///
/// What is held stays: `gc` keeps it, and erasure and retirement refuse it with exit code 15 and
/// name the case. Branches and tags may still go.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Hold a dataset, a version, paths, or one content
    Place {
        /// `dataset`, `dataset@rev`, `dataset:PATTERN`, `dataset@rev:PATTERN`, or a file's whole id
        #[arg(value_name = "TARGET", value_parser = path_text())]
        target: String,
        /// The case that it belongs to
        #[arg(long, value_name = "CASE")]
        case: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List the holds in force
    List {
        /// Those that were released as well
        #[arg(long)]
        all: bool,
    },
    /// End a hold
    Release {
        /// Such as `h12`
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Serialize)]
struct One {
    hold: Hold,
    dry_run: bool,
}

#[derive(Serialize)]
struct Holds {
    holds: Vec<Hold>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Place { target, case, reason, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            let hold = place(&repository, target, case, reason, dry_run).map_err(Failure::from)?;
            let verb = if dry_run { "Would place" } else { "Placed" };
            let seen = One { hold, dry_run };
            context.done("hold.place", &seen, |out| {
                let Hold { id, case, .. } = &seen.hold;
                writeln!(out, "{verb} hold {id} on {} (case {case})", seen.hold.on())
            })?;
        }
        Verb::List { all } => {
            let repository = context.open()?;
            let seen = Holds { holds: list(&repository, *all).map_err(Failure::from)? };
            context.show("hold.list", &seen, |out| {
                seen.holds.iter().try_for_each(|hold| show(hold, out))
            })?;
        }
        Verb::Release { id, reason, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            let hold = release(&repository, id, reason, dry_run).map_err(Failure::from)?;
            let verb = if dry_run { "Would release" } else { "Released" };
            let seen = One { hold, dry_run };
            context.done("hold.release", &seen, |out| {
                writeln!(out, "{verb} hold {} on {}", seen.hold.id, seen.hold.on())
            })?;
        }
    }
    Ok(Exit::DONE)
}

fn show(hold: &Hold, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<6} {}  case {}", hold.id, hold.on(), hold.case)?;
    writeln!(out, "       {} ({}, {})", hold.reason, hold.by, moment(hold.since))?;
    match &hold.released {
        Some(end) => {
            writeln!(out, "       released: {} ({}, {})", end.reason, end.by, moment(end.at))
        }
        None => Ok(()),
    }
}
