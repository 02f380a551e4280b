//! The command line: arguments in, one call of the library, a screen or a JSON document out.
//!
//! Here: what every verb shares, and `verbs`, one file for each. The program's own crate, so it
//! sees of the library what everybody sees.
//! Not here: what a verb does (`stemmata::ops`).
//! Invariant: stdout is the result, stderr is talk; with `--json` exactly one document.

mod args;
mod chart;
mod context;
mod exit;
mod graph;
mod guess;
mod interrupt;
mod output;
mod progress;
mod provenance;
mod report;
mod text;
mod tour;
mod verbs;

use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

pub(crate) use context::Context;
pub(crate) use exit::Exit;
pub(crate) use report::Failure;

/// What a verb ends with.
pub(crate) type Outcome = Result<Exit, Failure>;

pub(crate) fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report::bug));
    interrupt::end_when_interrupted();
    let ended = std::panic::catch_unwind(run);
    ExitCode::from(ended.unwrap_or(Exit::BUG).0)
}

/// The program's arguments, described.
pub(crate) fn command() -> clap::Command {
    args::Args::command()
}

fn run() -> Exit {
    let given = guess::as_others_write_it(std::env::args_os().collect());
    let json = given.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--json");
    let matches = command().try_get_matches_from(given);
    match matches.and_then(|matches| args::Args::from_arg_matches(&matches)) {
        Ok(args) => {
            let directory = args.everywhere.start.clone().unwrap_or_else(|| ".".into());
            let context = Context::new(&args.everywhere);
            let outcome = context.and_then(|context| args.command.run(&context));
            outcome
                .unwrap_or_else(|failure| report::show(&failure, &directory, args.everywhere.json))
        }
        Err(error) => refused(&error, json),
    }
}

/// Shows help, or what is wrong with the arguments.
fn refused(error: &clap::Error, json: bool) -> Exit {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let unknown = guess::unknown_verb(error);
    if let Some(failure) = unknown.or_else(|| (json && !is_help).then(|| guess::misfit(error))) {
        return report::show(&failure, Path::new("."), json);
    }
    // Nobody is left to tell when the terminal has gone.
    let _ = error.print();
    if is_help { Exit::DONE } else { Exit::USAGE }
}
