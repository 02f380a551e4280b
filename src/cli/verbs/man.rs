//! `stem man`.

use super::completions::write;
use crate::cli::{Context, Failure, Outcome};

/// Write the manual page, for `man -l -`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of this verb; of the program if not given
    verb: Option<String>,
}

pub(crate) fn run(args: &Args, _: &Context) -> Outcome {
    let mut command = crate::cli::command();
    command.build();
    let command = match &args.verb {
        None => command,
        Some(verb) => match command.find_subcommand(verb) {
            Some(found) => found.clone().display_name(format!("stem-{verb}")),
            None => return Err(Failure::Usage(format!("there is no verb `{verb}`"))),
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).map_err(Failure::Answer)?;
    write(&text)
}
