//! `stem gc`.

use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::ops::gc::{Gc, GcOptions, forget_worktree, gc};
use stemmata::repo::Repository;

use crate::cli::args::DryRun;
use crate::cli::text::{count, duration, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Delete stored data that nothing needs
///
/// Shows what would go and stops there, unless `--yes` is given. Kept is everything that branches,
/// tags, worktrees and what is staged need, and everything that they needed within the grace.
/// Other commands may go on meanwhile. Deleting cannot be undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep what was committed, staged or let go of in this time: 14d, 12h, 30m, 0s
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = duration)]
    grace: u64,
    /// Forget the worktree that lay in DIR and was removed; what only it had staged goes after the
    /// grace
    ///
    /// A worktree that was moved counts as removed until a command has changed something in it.
    #[arg(long, value_name = "DIR")]
    forget: Vec<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run || !context.yes;
    let repository = match dry_run {
        true => context.open()?,
        false => Repository::open_to_collect(&context.directory, context.environment()?)?,
    };
    let mut forgotten = Vec::new();
    for directory in &args.forget {
        let directory = context.directory.join(directory);
        forgotten.push(forget_worktree(&repository, &directory, dry_run).map_err(Failure::from)?);
    }
    let options = GcOptions { grace_seconds: args.grace, dry_run };
    let mut done = gc(&repository, &options).map_err(Failure::from)?;
    done.forgotten_worktrees = forgotten;
    context.show("gc", &done, |out| show(&done, out))?;
    if dry_run && !args.dry_run.dry_run {
        context.tell("Nothing was deleted; `stem gc --yes` does it.");
    }
    Ok(Exit::DONE)
}

fn show(done: &Gc, out: &mut dyn Write) -> io::Result<()> {
    let what = if done.dry_run { "Would delete" } else { "Deleted" };
    let (removed, kept) = (&done.removed, &done.kept);
    let packs = count(removed.packs, "pack");
    writeln!(out, "{what} {} in {}, {packs}", size(removed.bytes), chunks(removed.chunks))?;
    if !done.forgotten.is_empty() {
        let versions = count(done.forgotten.len() as u64, "version");
        writeln!(out, "  {versions} that nothing names")?;
    }
    if done.leftovers > 0 {
        writeln!(out, "  {} of killed commands", count(done.leftovers, "file"))?;
    }
    let forgot = if done.dry_run { "would be forgotten" } else { "is forgotten" };
    for worktree in &done.forgotten_worktrees {
        writeln!(out, "  The worktree {} {forgot}", worktree.display())?;
    }
    for lost in done.lost_worktrees.iter().filter(|lost| !done.forgotten_worktrees.contains(lost)) {
        let lost = lost.display();
        writeln!(
            out,
            "  The worktree {lost} is gone; kept is what it had staged (`--forget {lost}`)"
        )?;
    }
    let packs = count(kept.packs, "pack");
    writeln!(out, "Kept {} in {}, {packs}", size(kept.bytes), chunks(kept.chunks))
}

fn chunks(number: u64) -> String {
    count(number, "chunk")
}
