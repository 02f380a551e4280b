//! `stem rm`.

use std::path::PathBuf;

use stemmata::ops::remove::remove;

use crate::cli::args::DryRun;
use crate::cli::text::count;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Take files out of the next version, and remove them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Tracked files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Leave the files where they are
    #[arg(long)]
    cached: bool,
    /// Remove files with changes that are in no version too
    #[arg(short, long)]
    force: bool,
    /// Accepted because other programs ask for it: directories are always removed whole
    #[arg(short = 'r', hide = true)]
    recursive: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let paths = context.paths(&repository, &args.paths)?;
    let done =
        remove(&repository, &paths, args.cached, args.force, dry_run).map_err(Failure::from)?;
    context.done("rm", &done, |out| {
        if context.verbose || dry_run {
            for path in &done.removed {
                writeln!(out, "D {}", path.show())?;
            }
        }
        let files = count(done.removed.len() as u64, "file");
        match (dry_run, args.cached) {
            (true, _) => writeln!(out, "Would remove {files}"),
            (false, true) => writeln!(out, "{files} not tracked any more"),
            (false, false) => writeln!(out, "Removed {files}"),
        }
    })?;
    Ok(Exit::DONE)
}
