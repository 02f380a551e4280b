//! `stem bisect`.

use std::ffi::OsString;
use std::io::{self, Write};

use stemmata::ops::bisect::{Bisect, Judged, Progress, Verdict, mark, reset, run as judge, start};
use stemmata::repo::Repository;

use crate::cli::args::DryRun;
use crate::cli::text::{count, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Find the version that something began with
///
/// Shows one version after the other, each in the middle of those that are left; you say whether
/// it is good or bad, or let a command say it. A thousand versions take ten answers.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Begin: BAD has it, the GOOD ones, older, have not
    Start {
        /// A version that has it
        #[arg(value_name = "BAD")]
        bad: Option<String>,
        /// Versions that have not
        #[arg(value_name = "GOOD")]
        good: Vec<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Say that a version has not got it
    Good(Which),
    /// Say that a version has it
    Bad(Which),
    /// Say that a version cannot be tried
    Skip(Which),
    /// Let a command judge: exit code 0 is good, 125 skip, any other below 128 bad
    Run {
        /// The command, run at the worktree's top
        #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
        #[arg(allow_hyphen_values = true)]
        command: Vec<OsString>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// End, and go back to where it began
    Reset {
        /// Go there instead
        #[arg(value_name = "REV")]
        revision: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The version; the one that the files are of if none is given
    #[arg(value_name = "REV")]
    revision: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let done = match &args.step {
        Step::Start { bad, good, dry_run } => {
            let repository = open(context, *dry_run)?;
            start(&repository, bad.as_deref(), good, dry_run.dry_run)
        }
        Step::Good(which) => answer(context, Verdict::Good, which)?,
        Step::Bad(which) => answer(context, Verdict::Bad, which)?,
        Step::Skip(which) => answer(context, Verdict::Skip, which)?,
        Step::Run { command, dry_run } => {
            let repository = open(context, *dry_run)?;
            let tell = &mut |judged: &Judged| context.tell(&line(judged));
            judge(&repository, command, dry_run.dry_run, tell)
        }
        Step::Reset { revision, dry_run } => {
            let repository = open(context, *dry_run)?;
            reset(&repository, revision.as_deref(), dry_run.dry_run)
        }
    };
    let done = done.map_err(Failure::from)?;
    context.show("bisect", &done, |out| show(&done, out))?;
    Ok(if done.state == Progress::Undecided { Exit::NO } else { Exit::DONE })
}

fn open(context: &Context, dry_run: DryRun) -> Result<Repository, Failure> {
    context.open_to_write(dry_run.dry_run)
}

fn answer(
    context: &Context,
    verdict: Verdict,
    which: &Which,
) -> Result<stemmata::ops::Result<Bisect>, Failure> {
    let repository = open(context, which.dry_run)?;
    Ok(mark(&repository, verdict, which.revision.as_deref(), which.dry_run.dry_run))
}

fn line(judged: &Judged) -> String {
    let word = match judged.verdict {
        Verdict::Good => "good",
        Verdict::Bad => "bad",
        Verdict::Skip => "skipped",
    };
    format!("{} is {word}", short(&judged.version))
}

fn show(done: &Bisect, out: &mut dyn Write) -> io::Result<()> {
    let at = done.current.as_ref().map(short).unwrap_or_else(|| "no version yet".into());
    match done.state {
        Progress::Waiting if done.bad.is_none() => {
            writeln!(out, "Waiting for a bad version: `stem bisect bad REV`")
        }
        Progress::Waiting => writeln!(out, "Waiting for a good version: `stem bisect good REV`"),
        Progress::Searching => {
            let left = count(done.remaining, "version");
            let steps = count(u64::from(done.steps_left), "answer");
            let verb = if done.dry_run { "Would go to" } else { "Now at" };
            writeln!(out, "{verb} {at}; {left} left, about {steps}")
        }
        Progress::Found => writeln!(
            out,
            "{at} is the first bad version; `stem bisect reset` goes back to where it began"
        ),
        Progress::Undecided => {
            writeln!(out, "Only skipped versions are left; the first bad one is one of these:")?;
            done.candidates.iter().try_for_each(|id| writeln!(out, "  {id}"))
        }
        Progress::Ended => {
            let verb = if done.dry_run { "Would go back to" } else { "Back at" };
            match &done.branch {
                Some(branch) => writeln!(out, "{verb} branch {branch} ({at})"),
                None => writeln!(out, "{verb} {at}"),
            }
        }
    }
}
