//! `stem switch`, and what `stem checkout` does.

use std::path::PathBuf;

use serde::Serialize;
use stemmata::catalogue::Head;
use stemmata::model::{RefName, VersionId};
use stemmata::ops::restore::{Restore, RestoreOptions, restore};
use stemmata::ops::switch::{Switch, SwitchOptions, place, switch};
use stemmata::repo::Repository;

use super::restore::show as show_restored;
use crate::cli::args::DryRun;
use crate::cli::text::{count, short};
use crate::cli::{Context, Failure, Outcome};

/// Work on another branch or version
///
/// Only files that differ are touched. Files with changes that are in no version are never
/// overwritten without `--force`. With `-- PATH…` the branch stays, and only these paths become
/// those of the revision, or those that are staged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A branch, any revision, or `-` for where the worktree was before; what the nearest `data.stem`
    /// names if not given
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Make this branch at the revision
    #[arg(short = 'b', short_alias = 'c', long, value_name = "NEW")]
    create: Option<RefName>,
    /// Drop changes that are staged or in no version
    #[arg(short, long)]
    force: bool,
    /// Bring back only these paths
    #[arg(last = true, value_name = "PATH", conflicts_with = "create")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Paths that were brought back, and where the worktree still is.
#[derive(Serialize)]
struct BroughtBack<'a> {
    branch: Option<RefName>,
    version: Option<VersionId>,
    created: bool,
    #[serde(flatten)]
    files: &'a Restore,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    go("switch", args, context)
}

/// Does it, and answers under the name that was typed.
pub(super) fn go(verb: &str, args: &Args, context: &Context) -> Outcome {
    let repository = context.open_to_write(args.dry_run.dry_run)?;
    if !args.paths.is_empty() {
        return bring_back(verb, args, context, &repository);
    }
    let options = SwitchOptions {
        target: args.revision.clone(),
        create: args.create.clone(),
        force: args.force,
        dry_run: args.dry_run.dry_run,
    };
    let done = switch(&repository, &options).map_err(Failure::from)?;
    context.done(verb, &done, |out| writeln!(out, "{}", summary(&done)))?;
    Ok(context.absent(&done.absent))
}

fn bring_back(verb: &str, args: &Args, context: &Context, repository: &Repository) -> Outcome {
    let source = args.revision.as_deref().map(|text| place(repository, text)).transpose();
    let options = RestoreOptions {
        paths: context.paths(repository, &args.paths)?,
        source: source.map_err(Failure::from)?,
        staged: args.revision.is_some(),
        worktree: true,
        force: args.force,
        dry_run: args.dry_run.dry_run,
    };
    let done = restore(repository, &options).map_err(Failure::from)?;
    let branch = match repository.state().head {
        Head::Branch { name, .. } => Some(name),
        Head::Detached { .. } => None,
    };
    let version = repository.head()?;
    let answer = BroughtBack { branch, version, created: false, files: &done };
    context.done(verb, &answer, |out| show_restored(&done, out))?;
    Ok(context.absent(&done.absent))
}

fn summary(done: &Switch) -> String {
    let at = done.version.as_ref().map(short).unwrap_or_else(|| "no version yet".into());
    let place = match (&done.branch, done.created) {
        (Some(branch), true) => format!("new branch {branch} ({at})"),
        (Some(branch), false) => format!("branch {branch} ({at})"),
        (None, _) => format!("version {at}, on no branch"),
    };
    let verb = if done.dry_run { "Would switch to" } else { "Now on" };
    let files = match (done.written, done.removed) {
        (0, 0) => "no file changed".into(),
        (written, 0) => format!("{} written", count(written, "file")),
        (0, removed) => format!("{} removed", count(removed, "file")),
        (written, removed) => {
            format!("{} written, {} removed", count(written, "file"), count(removed, "file"))
        }
    };
    format!("{verb} {place}; {files}")
}
