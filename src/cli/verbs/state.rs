//! `stem state`.

use std::io::{self, Write};

use serde::Serialize;
use stemmata::model::State;
use stemmata::ops::state::{Move, StateInfo, set, show};

use crate::cli::args::DryRun;
use crate::cli::text::{moment, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Say which stage of its life a dataset or version is in
///
/// Active things become deprecated or retired, deprecated ones active or retired, retired ones
/// deprecated again. `archive drop` makes retired things archived, and restoring them makes them
/// retired; erasure makes them erased, which is the end. The branches and tags of a dataset stand
/// still from `retired` on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Change the state
    Set {
        /// `dataset` or `dataset@rev`
        #[arg(value_name = "TARGET")]
        target: String,
        /// active, deprecated or retired
        #[arg(value_name = "STATE")]
        state: State,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// What should be used instead
        #[arg(long, value_name = "REV")]
        successor: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Show the state, and who set it when and why
    Show {
        /// `dataset` or `dataset@rev`
        #[arg(value_name = "TARGET")]
        target: String,
    },
}

#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    info: StateInfo,
    dry_run: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Set { target, state, reason, successor, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            let (reason, successor) = (reason.clone(), successor.clone());
            let to = Move { state: *state, reason, successor, dry_run };
            let info = set(&repository, target, &to).map_err(Failure::from)?;
            let seen = Seen { info, dry_run };
            let verb = if dry_run { "would be" } else { "is now" };
            context.done("state.set", &seen, |out| {
                writeln!(out, "{} {verb} {}", what(&seen.info), seen.info.state)
            })?;
        }
        Verb::Show { target } => {
            let repository = context.open()?;
            let info = show(&repository, target).map_err(Failure::from)?;
            let seen = Seen { info, dry_run: false };
            context.show("state.show", &seen, |out| text(&seen.info, out))?;
        }
    }
    Ok(Exit::DONE)
}

fn what(info: &StateInfo) -> String {
    let version = info.version.as_ref().map(|id| format!("@{}", short(id)));
    format!("{}{}", info.dataset, version.unwrap_or_default())
}

fn text(info: &StateInfo, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} is {}", what(info), info.state)?;
    if let (Some(reason), Some(by), Some(since)) = (&info.reason, &info.by, info.since) {
        writeln!(out, "  {reason} ({by}, {})", moment(since))?;
    }
    match &info.successor {
        Some(successor) => writeln!(out, "  use {successor} instead"),
        None => Ok(()),
    }
}
