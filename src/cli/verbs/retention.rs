//! `stem retention`.

use std::io::{self, Write};

use stemmata::ops::classify::Amount;
use stemmata::ops::retention::{Retention, simulate};

use crate::cli::text::{count, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show what must be destroyed by now
///
/// By the `--destroy-by` dates of `stem classify`. Nothing is destroyed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show what has passed its date, and which holds and floors stand against destroying it
    Simulate,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let Verb::Simulate = args.verb;
    let repository = context.open()?;
    let seen = simulate(&repository).map_err(Failure::from)?;
    context.show("retention.simulate", &seen, |out| text(&seen, out))?;
    Ok(Exit::DONE)
}

fn text(seen: &Retention, out: &mut dyn Write) -> io::Result<()> {
    let words =
        |amount: &Amount| format!("{}, {}", count(amount.files, "content"), size(amount.bytes));
    writeln!(out, "To be destroyed by now: {}", words(&seen.due))?;
    writeln!(out, "  nothing stands against: {}", words(&seen.free))?;
    writeln!(out, "  held:                   {}", words(&seen.held))?;
    writeln!(out, "  to be kept longer:      {}", words(&seen.kept))?;
    for (what, number) in &seen.blocked_by {
        writeln!(out, "  {what}: {}", count(*number, "content"))?;
    }
    for due in &seen.contents {
        let (dataset, path) = (&due.dataset, due.path.show());
        writeln!(out, "  {dataset}:{path} by {}", due.destroy_by)?;
    }
    Ok(())
}
