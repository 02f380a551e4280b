//! `stem mv`.

use std::path::PathBuf;

use stemmata::ops::remove::move_path;

use crate::cli::args::DryRun;
use crate::cli::text::count;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Give a tracked file or directory another name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it is
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Its new name, or the directory it goes into
    #[arg(value_name = "TO")]
    to: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let from = context.path(&repository, &args.from)?;
    let to = context.path(&repository, &args.to)?;
    let done = move_path(&repository, &from, &to, dry_run).map_err(Failure::from)?;
    context.done("mv", &done, |out| {
        if context.verbose || dry_run {
            for one in &done.renamed {
                writeln!(out, "R {} -> {}", one.from.show(), one.to.show())?;
            }
        }
        let verb = if dry_run { "Would rename" } else { "Renamed" };
        writeln!(out, "{verb} {}", count(done.renamed.len() as u64, "file"))
    })?;
    Ok(Exit::DONE)
}
