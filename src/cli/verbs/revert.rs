//! `stem revert`.

use stemmata::ops::operation::Doing;

use super::merge::{Shared, bring};
use crate::cli::{Context, Outcome};

/// Take back the changes of one version, by a new version
///
/// The opposite of what the version changed against its first parent is done here. Conflicts are as
/// with `stem merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shared: Shared,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    bring(&args.shared, false, Doing::Revert, context)
}
