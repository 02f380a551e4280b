//! `stem tour`.

use std::path::PathBuf;

use crate::cli::{Context, Exit, Failure, Outcome, tour};

/// Show the whole program at work on a small dataset
///
/// Every command is run for real, in a new directory that stays for you to play with.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An empty or new directory; one among the temporary files if not given
    #[arg(value_name = "DIR")]
    place: Option<PathBuf>,
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
