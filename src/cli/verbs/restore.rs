//! `stem restore`.

use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::ops::restore::{Restore, RestoreOptions, restore};

use crate::cli::args::DryRun;
use crate::cli::text::count;
use crate::cli::{Context, Failure, Outcome};

/// Bring back files from a version, or from what is staged
///
/// Files with changes that are in no version are overwritten only with `--force`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// From this revision
    #[arg(short, long, value_name = "REV")]
    source: Option<String>,
    /// Bring back what is staged instead of the files
    #[arg(short = 'S', long)]
    staged: bool,
    /// Bring back the files (also, beside `--staged`)
    #[arg(short = 'W', long)]
    worktree: bool,
    /// Overwrite changes that are in no version
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let options = RestoreOptions {
        paths: context.paths(&repository, &args.paths)?,
        source: args.source.clone(),
        staged: args.staged,
        worktree: args.worktree,
        force: args.force,
        dry_run,
    };
    let done = restore(&repository, &options).map_err(Failure::from)?;
    context.done("restore", &done, |out| show(&done, out))?;
    Ok(context.absent(&done.absent))
}

/// What was brought back, in a line.
pub(super) fn show(done: &Restore, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "Would bring back" } else { "Brought back" };
    let files = count(done.restored.len() as u64, "file");
    match (done.staged.len() as u64, done.restored.len()) {
        (0, _) => writeln!(out, "{verb} {files}"),
        (staged, 0) => writeln!(out, "{verb} what is staged of {}", count(staged, "path")),
        (staged, _) => {
            writeln!(out, "{verb} {files}, and what is staged of {}", count(staged, "path"))
        }
    }
}
