//! `stem merge`, and what `stem cherry-pick` and `stem revert` share with it.

use std::io::{self, Write};

use stemmata::ops::merge::{Ended, Favour, Merge, MergeOptions, abort, conclude, merge};
use stemmata::ops::operation::Doing;

use super::commit;
use crate::cli::args::DryRun;
use crate::cli::text::{count, paragraphs, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Bring the changes of another branch or version here
///
/// Three-way, path by path. A path that both sides have changed is a conflict: the file here stays,
/// the other side's is written beside it as `PATH.theirs`. Edit or choose, `stem add` the path, then
/// `stem merge --continue`; or `stem merge --abort`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shared: Shared,
    /// Make a version even where the branch could just move
    #[arg(long, conflicts_with_all = ["abort", "proceed"])]
    no_ff: bool,
}

/// The arguments of all three verbs.
#[derive(Debug, clap::Args)]
pub(crate) struct Shared {
    /// The other version
    #[arg(value_name = "REV", required_unless_present_any = ["abort", "proceed"])]
    revision: Option<String>,
    /// What the version says; several are paragraphs
    #[arg(short, long, value_name = "MSG", allow_hyphen_values = true)]
    message: Vec<String>,
    /// Where both sides have changed a path, keep what is here
    #[arg(long, conflicts_with = "theirs")]
    ours: bool,
    /// Where both sides have changed a path, take what is there
    #[arg(long)]
    theirs: bool,
    /// Give it up: everything as before
    #[arg(long, conflicts_with_all = ["revision", "proceed", "ours", "theirs", "message"])]
    abort: bool,
    /// Record it, now that the conflicts are resolved
    #[arg(long = "continue", conflicts_with_all = ["revision", "ours", "theirs", "force"])]
    proceed: bool,
    /// Overwrite changes that are in no version
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    bring(&args.shared, args.no_ff, Doing::Merge, context)
}

/// Does what was asked for, for any of the three verbs.
pub(super) fn bring(
    args: &Shared,
    no_fast_forward: bool,
    doing: Doing,
    context: &Context,
) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let verb = doing.as_str();
    if args.proceed {
        let message = paragraphs(&args.message);
        let done = conclude(&repository, doing, message, dry_run).map_err(Failure::from)?;
        context.done(verb, &done, |out| commit::show(&done, out))?;
        return Ok(Exit::DONE);
    }
    let done = if args.abort {
        abort(&repository, doing, args.force, dry_run).map_err(Failure::from)?
    } else {
        let favour = match (args.ours, args.theirs) {
            (true, _) => Some(Favour::Ours),
            (_, true) => Some(Favour::Theirs),
            _ => None,
        };
        let options = MergeOptions {
            doing,
            revision: args.revision.clone().unwrap_or_default(),
            message: paragraphs(&args.message),
            favour,
            no_fast_forward,
            force: args.force,
            dry_run,
        };
        merge(&repository, &options).map_err(Failure::from)?
    };
    context.done(verb, &done, |out| show(&done, verb, out))?;
    let absent = context.absent(&done.absent);
    Ok(if done.ended == Ended::Conflicts { Exit::CONFLICTS } else { absent })
}

fn show(done: &Merge, verb: &str, out: &mut dyn Write) -> io::Result<()> {
    let branch = done.branch.as_ref().map_or("detached", |branch| branch.as_str());
    let at = done.version.as_ref().map(short).unwrap_or_default();
    let changed = count(done.changed, "path");
    let would = if done.dry_run { "would be: " } else { "" };
    match done.ended {
        Ended::UpToDate => writeln!(out, "Nothing to do: everything of it is here already"),
        Ended::FastForward => {
            writeln!(out, "[{branch} {at}] {would}moved forward, {changed} changed")
        }
        Ended::Committed => writeln!(out, "[{branch} {at}] {would}{verb}, {changed} changed"),
        Ended::Aborted => writeln!(out, "Gave up the {verb}; {branch} is at {at} as before"),
        Ended::Conflicts => {
            writeln!(out, "{would}{changed} changed, {} in conflict:", done.conflicts.len())?;
            for path in &done.conflicts {
                writeln!(out, "  {}", path.show())?;
            }
            writeln!(
                out,
                "The other side is beside each as PATH.theirs. Edit, `stem add`, then \
                 `stem {verb} --continue`; or `stem {verb} --abort`"
            )
        }
    }
}
