//! `stem reflog`.

use serde::Serialize;
use stemmata::model::RefName;
use stemmata::ops::refs::{Moved, reflog};

use crate::cli::text::{moment, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show where a branch or tag has been
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A branch or tag, also one that is gone; the current branch if not given
    #[arg(value_name = "NAME")]
    name: Option<RefName>,
    /// Show at most N moves
    #[arg(short = 'n', long = "max-count", value_name = "N", default_value_t = 1000)]
    limit: u64,
}

#[derive(Serialize)]
struct Reflog {
    entries: Vec<Moved>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let entries = reflog(&repository, args.name.as_ref(), args.limit).map_err(Failure::from)?;
    let seen = Reflog { entries };
    context.show("reflog", &seen, |out| {
        for one in &seen.entries {
            let new = one.new.as_ref().map(short).unwrap_or_else(|| "removed".into());
            let said = one.message.as_deref().and_then(|text| text.lines().next());
            let said = said.map(|text| format!(": {text}")).unwrap_or_default();
            let time = moment(one.time);
            writeln!(out, "{new:<12} {} {time} {}{said}", one.selector, one.action)?;
        }
        Ok(())
    })?;
    Ok(Exit::DONE)
}
