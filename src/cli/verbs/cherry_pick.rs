//! `stem cherry-pick`.

use stemmata::ops::operation::Doing;

use super::merge::{Shared, bring};
use crate::cli::{Context, Outcome};

/// Apply the changes of one version here
///
/// What the version changed against its first parent is done here again. Conflicts are as with
/// `stem merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shared: Shared,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    bring(&args.shared, false, Doing::CherryPick, context)
}
