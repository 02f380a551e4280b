//! `stem export`.

use std::path::PathBuf;

use stemmata::ops::export::export;

use crate::cli::args::DryRun;
use crate::cli::output::wrote;
use crate::cli::text::{count, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Write the files of a version to a directory of their own
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version
    #[arg(value_name = "REV")]
    revision: String,
    /// An empty directory, or one that is not there yet
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let directory = context.directory.join(&args.directory);
    let dry_run = args.dry_run.dry_run;
    let done = export(&repository, &args.revision, &directory, dry_run).map_err(Failure::from)?;
    let failed = done.failed.iter();
    context.warn_each(failed.map(|problem| format!("{}: {}", problem.path, problem.problem)));
    if !done.journaled && !dry_run {
        context.warn("the store can only be read, so its journal does not say that this was read");
    }
    context.done("export", &done, |out| {
        let verb = wrote(dry_run);
        let (files, bytes) = (count(done.files, "file"), size(done.bytes));
        let (version, place) = (short(&done.version), done.directory.display());
        writeln!(out, "{verb} {files} ({bytes}) of {version} to {place}")
    })?;
    let absent = context.absent(&done.absent);
    Ok(if done.failed.is_empty() { absent } else { Exit::SOME_FAILED })
}
