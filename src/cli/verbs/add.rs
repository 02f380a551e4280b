//! `stem add`.

use std::path::PathBuf;

use stemmata::ops::add::{Add, AddOptions, add};

use crate::cli::args::DryRun;
use crate::cli::provenance::plain;
use crate::cli::text::{count, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Stage files for the next version
///
/// Stores new and changed files below PATH and takes note of deleted ones. Files that a
/// `.stemignore` names are left out, and so is a worktree inside of this one, with a warning, unless
/// PATH names it or something in it, which ends with exit code 3.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and directories
    #[arg(required_unless_present_any = ["all", "update"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Everything in the repository
    #[arg(short = 'A', long)]
    all: bool,
    /// Only files that are tracked already
    #[arg(short, long)]
    update: bool,
    /// Take ignored files too
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let paths = context.paths(&repository, &args.paths)?;
    let options = AddOptions { paths, update: args.update, force: args.force, dry_run };
    let done = add(&repository, &options).map_err(Failure::from)?;
    let failed = done.failed.iter();
    context
        .warn_each(failed.map(|problem| format!("{}: {}", plain(&problem.path), problem.problem)));
    let left_out = done.left_out.iter();
    context.warn_each(left_out.map(|one| {
        let (path, problem) = (plain(&one.path), &one.problem);
        format!("{path} is left out: {problem}; name it in .stemignore, and this is not said")
    }));
    context.done("add", &done, |out| {
        if context.verbose || dry_run {
            list(&done, out)?;
        }
        writeln!(out, "{}", summary(&done))
    })?;
    Ok(Exit::done_unless(!done.failed.is_empty()))
}

fn list(done: &Add, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let added = done.added.iter().map(|path| ("A", path));
    let modified = done.modified.iter().map(|path| ("M", path));
    let deleted = done.deleted.iter().map(|path| ("D", path.clone()));
    for (letter, path) in added.chain(modified).chain(deleted) {
        writeln!(out, "{letter} {}", path.show())?;
    }
    Ok(())
}

fn summary(done: &Add) -> String {
    let files = done.added.len() + done.modified.len() + done.deleted.len();
    if files == 0 {
        return "Nothing new to stage".into();
    }
    let parts = [
        (done.added.len(), "added"),
        (done.modified.len(), "modified"),
        (done.deleted.len(), "deleted"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", crate::cli::text::number(*number as u64)))
        .collect();
    let verb = if done.dry_run { "Would stage" } else { "Staged" };
    let stored = if done.bytes > 0 {
        format!("; {} read, {} new in the store", size(done.bytes), size(done.new_bytes))
    } else {
        String::new()
    };
    format!("{verb} {} ({}){stored}", count(files as u64, "file"), parts.join(", "))
}
