//! `stem reset`.

use stemmata::ops::reset::{Depth, reset};

use crate::cli::args::DryRun;
use crate::cli::text::{count, short};
use crate::cli::{Context, Failure, Outcome};

/// Move the branch to another version
///
/// `--soft` moves the branch only, `--mixed` (the default) also what is staged, `--hard` also the
/// files. Files with changes that are in no version are overwritten only with `--force`. `stem undo`
/// takes it back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version to go to
    #[arg(value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// The branch only
    #[arg(long, group = "depth")]
    soft: bool,
    /// The branch and what is staged
    #[arg(long, group = "depth")]
    mixed: bool,
    /// The branch, what is staged, and the files
    #[arg(long, group = "depth")]
    hard: bool,
    /// With `--hard`: overwrite changes that are in no version
    #[arg(short, long, requires = "hard")]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let depth = match (args.soft, args.hard) {
        (true, _) => Depth::Soft,
        (_, true) => Depth::Hard,
        _ => Depth::Mixed,
    };
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let done =
        reset(&repository, &args.revision, depth, args.force, dry_run).map_err(Failure::from)?;
    context.done("reset", &done, |out| {
        let verb = if dry_run { "Would set" } else { "Set" };
        let name = done.branch.as_ref().map_or("the worktree", |branch| branch.as_str());
        let from = done.from.as_ref().map(short).unwrap_or_else(|| "no version".into());
        write!(out, "{verb} {name} to {} (was {from})", short(&done.version))?;
        if depth == Depth::Hard && !dry_run {
            let (written, removed) = (count(done.written, "file"), count(done.removed, "file"));
            write!(out, "; {written} written, {removed} removed")?;
        }
        writeln!(out)
    })?;
    Ok(context.absent(&done.absent))
}
