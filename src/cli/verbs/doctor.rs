//! `stem doctor`.

use stemmata::ops::doctor::{Standing, doctor};

use crate::cli::{Context, Exit, Failure, Outcome};

/// Look at the surroundings and say what is wrong with them
///
/// Repository, author, file system, space, catalogue, leftovers; inside of a repository or not.
/// Ends with 1 if anything keeps stem from working. Changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, context: &Context) -> Outcome {
    let seen = doctor(&context.directory, &context.environment()?).map_err(Failure::from)?;
    context.show("doctor", &seen, |out| {
        for check in &seen.checks {
            let word = match check.status {
                Standing::Ok => "ok",
                Standing::Warning => "warning",
                Standing::Problem => "problem",
            };
            writeln!(out, "{word:8} {}: {}", check.name, check.detail)?;
            if !check.advice.is_empty() {
                writeln!(out, "         {}", check.advice)?;
            }
        }
        Ok(())
    })?;
    Ok(if seen.ok { Exit::DONE } else { Exit::NO })
}
