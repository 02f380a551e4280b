//! `stem tour`.

use std::path::PathBuf;

use crate::cli::args::DryRun;
use crate::cli::{Context, Exit, Failure, Outcome, tour};

/// Show the whole program at work on a small dataset
///
/// Every command is run for real, in a new directory that stays for you to play with.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An empty or new directory; one among the temporary files if not given
    #[arg(value_name = "DIR")]
    place: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let place = match &args.place {
        Some(place) => context.directory.join(place),
        None => free_place(&std::env::temp_dir()),
    };
    let place = std::path::absolute(place).map_err(Failure::Answer)?;
    if place.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Usage(format!("{} is not empty", place.display())));
    }
    if args.dry_run.dry_run {
        let planned = tour::Tour::planned(place);
        context.done("tour", &planned, |out| {
            writeln!(
                out,
                "Would make repositories in {} and show them",
                planned.directory.display()
            )
        })?;
        return Ok(Exit::DONE);
    }
    let done = tour::lead(context, place)?;
    context.done("tour", &done, |out| {
        writeln!(
            out,
            "\nThe repositories stay in {}: try `stem log` there",
            done.directory.display()
        )
    })?;
    Ok(Exit::DONE)
}

/// A name that nothing has yet.
fn free_place(among: &std::path::Path) -> PathBuf {
    let name = |number: u32| among.join(format!("stem-tour-{number}"));
    let number = (1..).find(|&number| !name(number).exists()).unwrap_or_default();
    name(number)
}
