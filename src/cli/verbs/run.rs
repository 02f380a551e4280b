//! `stem run`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::model::Decided;
use stemmata::ops::run::{Attendance, Run, RunOptions, run as execute};

use super::{commit, step};
use crate::cli::args::DryRun;
use crate::cli::interrupt::Noted;
use crate::cli::provenance::{Flags, command_line, plain, show_step};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Run a command and commit what it makes, with how it was made
///
/// The command runs where you stand, without a shell and without input. The version records
/// the command, what it read, the state of the code's Git repository, the program's hash, times,
/// exit code and the end of what it printed. Only the outputs are committed.
///
/// A command that fails commits nothing and leaves a record; `stem run` then exits with 1, and says
/// what the command ended with. If what it has read or written was committed by another meanwhile,
/// nothing is committed (exit code 11) and what it wrote stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it reads: a path here, or a revision such as raw@main:part
    #[arg(short, long, value_name = "IN")]
    input: Vec<PathBuf>,
    /// A file or directory that it writes
    #[arg(short, long, value_name = "OUT", required = true)]
    output: Vec<PathBuf>,
    /// What has changed and why; the command if not given
    #[arg(short, long, value_name = "MSG", allow_hyphen_values = true)]
    message: Option<String>,
    /// What the step is called; the program's name if not given
    #[arg(long)]
    name: Option<String>,
    /// What it is set to
    #[arg(long, value_name = "KEY=VALUE")]
    param: Vec<String>,
    /// Record the hash of this environment variable's value
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// Who decided it
    #[arg(long, value_name = "WHO", value_parser = ["human", "assisted", "automatic"])]
    decided: Option<String>,
    /// Run even if inputs have changes that are in no version, and record that
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    provenance: Flags,
    #[command(flatten)]
    dry_run: DryRun,
    /// The command
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    command: Vec<OsString>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let options = RunOptions {
        command: args.command.clone(),
        inputs: args.input.clone(),
        outputs: args.output.clone(),
        message: args.message.clone(),
        name: args.name.clone(),
        parameters: step::parameters(&args.param)?,
        variables: args.env.clone(),
        decided: args.decided.as_deref().and_then(decided),
        given: args.provenance.given(context),
        force: args.force,
        dry_run: args.dry_run.dry_run,
    };
    let environment = context.environment()?;
    let noted = Noted::begin();
    let attendance = Attendance { interrupted: &noted.seen, live: &live, tell: &|_| {} };
    let done =
        execute(&context.directory, &environment, &options, &attendance).map_err(Failure::from)?;
    drop(noted);
    for path in &done.changed_outside {
        context.warn(&format!("`{}` has changed and is not an output", path.show()));
    }
    done.warnings.iter().for_each(|warning| context.warn(warning));
    context.done("run", &done, |out| show(&done, out))?;
    Ok(if done.reason.is_some() { Exit::NO } else { Exit::DONE })
}

/// What a command prints is talk here: the answer follows on stdout.
pub(super) fn live(bytes: &[u8]) {
    // Nobody is left to tell when the terminal has gone.
    let _ = io::stderr().lock().write_all(bytes);
}

fn decided(word: &str) -> Option<Decided> {
    let all = [Decided::Human, Decided::Assisted, Decided::Automatic];
    all.into_iter().find(|decided| decided.as_str() == word)
}

fn show(done: &Run, out: &mut dyn Write) -> io::Result<()> {
    if done.dry_run {
        writeln!(out, "Would run {}", command_line(&done.step.command))?;
        return show_step(&done.step, "Step:    ", out);
    }
    if let Some(commit) = &done.commit {
        return commit::show(commit, out);
    }
    let reason = done.reason.as_deref().unwrap_or_default();
    writeln!(out, "Nothing is committed: {}", plain(reason))?;
    match done.record {
        Some(number) => writeln!(out, "  entry {number} of the journal has the record of it"),
        None => Ok(()),
    }
}
