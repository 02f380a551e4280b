//! `stem review`.

use stemmata::ops::review::review;

use crate::cli::args::DryRun;
use crate::cli::text::short;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Say that you have looked at a version
///
/// It is kept with your name and the date beside the version, whose id stays. The newest word of each
/// person counts; a policy can ask for reviews by people other than the author.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version; the current one if not given
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// It is good; this is what is said unless `--reject` is given
    #[arg(long)]
    approve: bool,
    /// It is not good; `-m` says why
    #[arg(long, conflicts_with = "approve")]
    reject: bool,
    /// In words
    #[arg(short, long, value_name = "MSG", allow_hyphen_values = true)]
    message: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let revision = args.revision.as_deref().unwrap_or("HEAD");
    let done = review(&repository, revision, !args.reject, args.message.as_deref(), dry_run)
        .map_err(Failure::from)?;
    context.done("review", &done, |out| {
        let word = if done.approved { "approved" } else { "rejected" };
        let at = short(&done.version);
        match dry_run {
            true => writeln!(out, "Would record {at} as {word} by {}", done.reviewer),
            false => writeln!(out, "{at} {word} by {}", done.reviewer),
        }
    })?;
    if done.own {
        context
            .tell("you made this version: a policy that asks for reviews does not count this one");
    }
    Ok(Exit::DONE)
}
