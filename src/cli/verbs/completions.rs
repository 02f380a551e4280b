//! `stem completions` and `stem man`.

use std::io::Write;

use clap_complete::Shell;

use crate::cli::{Context, Exit, Failure, Outcome};

/// Write what a shell needs to complete arguments
///
/// For bash: `stem completions bash > ~/.local/share/bash-completion/completions/stem`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, _: &Context) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::command(), "stem", &mut text);
    write(&text)
}

/// Writes to stdout as it is.
pub(super) fn write(text: &[u8]) -> Outcome {
    match std::io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Answer(error)),
        _ => Ok(Exit::DONE),
    }
}
