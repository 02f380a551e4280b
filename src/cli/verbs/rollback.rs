//! `stem rollback`.

use stemmata::model::RefName;
use stemmata::ops::rollback::rollback;

use crate::cli::args::DryRun;
use crate::cli::text::short;
use crate::cli::{Context, Failure, Outcome};

/// Make a branch equal to an old version, by a new version
///
/// Nothing of the history is lost: the new version continues the newest one and has the files of
/// the old one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The branch
    branch: RefName,
    /// The version to go back to
    #[arg(value_name = "REV")]
    revision: String,
    /// Why
    #[arg(short, long, value_name = "WHY", allow_hyphen_values = true)]
    message: String,
    /// Overwrite changes that are in no version
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let done =
        rollback(&repository, &args.branch, &args.revision, &args.message, args.force, dry_run)
            .map_err(Failure::from)?;
    context.done("rollback", &done, |out| match &done.version {
        Some(version) => {
            writeln!(out, "[{} {}] rolled back to {}", done.branch, short(version), short(&done.to))
        }
        None => writeln!(out, "Would roll {} back to {}", done.branch, short(&done.to)),
    })?;
    Ok(context.absent(&done.absent))
}
