//! `stem init`.

use std::path::PathBuf;

use stemmata::model::DatasetName;
use stemmata::ops;
use stemmata::repo::InitOptions;

use crate::cli::args::DryRun;
use crate::cli::output::wrote;
use crate::cli::text::count;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Make a directory a repository
///
/// Makes `.stem` with a store of its own, or attaches the directory to a store that others share.
/// Doing it again changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory; the current one if not given
    directory: Option<PathBuf>,
    /// Keep the objects in this store, shared by several datasets and worktrees
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The dataset's name; the directory's if not given
    #[arg(long, value_name = "NAME")]
    dataset: Option<DatasetName>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let directory = match &args.directory {
        Some(directory) => context.directory.join(directory),
        None => context.directory.clone(),
    };
    let store = args.store.as_ref().map(|store| context.directory.join(store));
    let options = InitOptions { store, dataset: args.dataset.clone() };
    let dry_run = args.dry_run.dry_run;
    let make = if dry_run { ops::init::plan } else { ops::init::init };
    let done = make(&directory, &options, context.environment()?).map_err(Failure::from)?;
    context.done("init", &done, |out| {
        let what = match (done.existed, dry_run) {
            (true, _) => "There is already a repository",
            (false, true) => "Would make a repository",
            (false, false) => "New repository",
        };
        let place = done.repository.display();
        writeln!(out, "{what} for dataset `{}` in {place}", done.dataset)?;
        if !done.store.starts_with(&done.repository) {
            writeln!(out, "Its store is {}", done.store.display())?;
        }
        if done.files > 0 {
            let verb = wrote(dry_run);
            writeln!(out, "{verb} {} of its branch main", count(done.files, "file"))?;
        }
        Ok(())
    })?;
    Ok(Exit::DONE)
}
