//! `stem git-pin`.

use std::path::PathBuf;

use stemmata::ops::pin::pin;
use stemmata::repo::Pin;

use crate::cli::args::DryRun;
use crate::cli::text::short;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Write down which version the files of a Git repository belong to
///
/// Writes a small file, `data.stem`, to commit in Git. `stem checkout` without a revision goes to the
/// version that it names, and `stem status` says when the worktree is at another one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version; the current one if not given
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// The file
    #[arg(short, long, value_name = "FILE", default_value = Pin::FILE)]
    output: PathBuf,
    /// Where a store that has the version may be found, for people
    #[arg(long, value_name = "TEXT")]
    store: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let revision = args.revision.as_deref().unwrap_or("HEAD");
    let path = context.directory.join(&args.output);
    let mut done =
        pin(&repository, revision, &path, args.store.as_deref(), dry_run).map_err(Failure::from)?;
    done.path.clone_from(&args.output);
    let file = args.output.display();
    context.done("git-pin", &done, |out| {
        let at = short(&done.version);
        match (done.changed, dry_run) {
            (false, _) => writeln!(out, "{file} names {at} already"),
            (true, false) => writeln!(out, "{file} names {at} of {}", done.dataset),
            (true, true) => writeln!(out, "Would write {file}: {at} of {}", done.dataset),
        }
    })?;
    Ok(Exit::DONE)
}
