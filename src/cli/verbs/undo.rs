//! `stem undo`.

use stemmata::ops::undo::undo;

use crate::cli::args::DryRun;
use crate::cli::{Context, Failure, Outcome};

/// Take back the last change of this worktree
///
/// Branches, tags and what is staged become what they were before it. Versions stay in the store,
/// and `stem reflog` names them. Doing it again takes back the change before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Overwrite changes that are in no version
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let done = undo(&repository, args.force, dry_run).map_err(Failure::from)?;
    context.done("undo", &done, |out| {
        let verb = if dry_run { "Would take back" } else { "Took back" };
        writeln!(out, "{verb} `{}` of {} (entry {})", done.action, done.subject, done.number)
    })?;
    Ok(context.absent(&done.absent))
}
