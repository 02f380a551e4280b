//! `stem rerun`.

use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::ops::run::{Attendance, Rerun, RerunOptions, rerun};

use super::run::live;
use crate::cli::args::DryRun;
use crate::cli::interrupt::Noted;
use crate::cli::provenance::{command_line, plain};
use crate::cli::text::{count, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Repeat a recorded step elsewhere and compare what it makes
///
/// Runs the command that the version records, as it stands there: giving this command is the
/// consent to it, and `--dry-run` shows it first. It runs in a temporary directory with the files
/// that it read then, each dataset in a directory of its name, side by side. Nothing here is changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version whose step it is
    #[arg(value_name = "REV")]
    revision: String,
    /// Exit with 1 unless every output is bit for bit as recorded
    #[arg(long)]
    verify: bool,
    /// Which step, where the version has several
    #[arg(long, value_name = "N")]
    step: Option<u64>,
    /// Repeat it in DIR, which stays
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut options = RerunOptions {
        revision: args.revision.clone(),
        step: args.step,
        keep: args.keep.as_ref().map(|keep| context.directory.join(keep)),
        dry_run: true,
    };
    let noted = Noted::begin();
    let attendance =
        Attendance { interrupted: &noted.seen, live: &live, tell: &|text| context.tell(text) };
    let mut done = rerun(&repository, &options, &attendance).map_err(Failure::from)?;
    if !args.dry_run.dry_run {
        context.tell(&format!("repeating {}", command_line(&done.step.command)));
        options.dry_run = false;
        done = rerun(&repository, &options, &attendance).map_err(Failure::from)?;
    }
    drop(noted);
    for line in &done.environment {
        context.warn(&plain(line));
    }
    context.show("rerun", &done, |out| show(&done, out))?;
    let differs = done.identical == Some(false);
    Ok(if args.verify && differs { Exit::NO } else { Exit::DONE })
}

fn show(done: &Rerun, out: &mut dyn Write) -> io::Result<()> {
    let name = plain(&done.step.name);
    if done.dry_run {
        let line = command_line(&done.step.command);
        return writeln!(
            out,
            "Would repeat step {} of {}, {name}: {line}",
            done.n,
            short(&done.version)
        );
    }
    let was = done.step.exit_code.unwrap_or(0);
    if let Some(code) = done.exit_code.filter(|code| *code != was) {
        writeln!(out, "{name} ended with exit code {code}, and with {was} then")?;
    }
    for difference in &done.differences {
        writeln!(out, "{:<8} {}", difference.what, difference.path.show())?;
    }
    let files = count(done.compared, "file");
    match done.identical {
        Some(true) => writeln!(out, "{name} makes the same again: {files}, bit for bit"),
        _ => {
            let differences = done.differences.len();
            writeln!(out, "{name} makes something else now: {differences} of {files} differ")
        }
    }?;
    match &done.directory {
        Some(directory) => writeln!(out, "It is in {}", directory.display()),
        None => Ok(()),
    }
}
