//! `stem checkout`: `stem switch` under the name that it had in Git first.

use super::switch;
use crate::cli::{Context, Outcome};

/// Work on another branch or version, as `stem switch`
///
/// Only files that differ are touched. Files with changes that are in no version are never
/// overwritten without `--force`. With `-- PATH…` the branch stays, and only these paths become
/// those of the revision, or those that are staged.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    switch: switch::Args,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    switch::go("checkout", &args.switch, context)
}
