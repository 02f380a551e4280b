//! `stem retention`.

use std::io::{self, Write};

use stemmata::ops::classify::Amount;
use stemmata::ops::retention::{Retention, RunOptions, run as carry_out, simulate};
use stemmata::repo::Repository;

use crate::cli::args::DryRun;
use crate::cli::text::{count, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show what must be destroyed by now, and plan to destroy it
///
/// By the `--destroy-by` dates of `stem classify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show what has passed its date, and which holds and floors stand against destroying it
    Simulate,
    /// Plan to erase what nothing stands against; carry the plan out with `stem erase`, or `--yes`
    Run {
        /// Carry the plan out at once; without the approvals that it needs it is not
        #[arg(short, long)]
        yes: bool,
        /// The key to sign the certificate with
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if let Verb::Run { yes, key, dry_run } = &args.verb {
        let options = RunOptions { yes: *yes, key: key.clone(), dry_run: dry_run.dry_run };
        return destroy(context, &options);
    }
    let repository = context.open()?;
    let seen = simulate(&repository).map_err(Failure::from)?;
    context.show("retention.simulate", &seen, |out| text(&seen, out))?;
    Ok(Exit::DONE)
}

fn destroy(context: &Context, options: &RunOptions) -> Outcome {
    let repository = match options.yes && !options.dry_run {
        true => Repository::open_to_collect(&context.directory, context.environment()?)?,
        false => context.open_to_write(options.dry_run)?,
    };
    let done = carry_out(&repository, options).map_err(Failure::from)?;
    context.show("retention.run", &done, |out| {
        text(&done.met, out)?;
        let Some(plan) = &done.plan else { return writeln!(out, "There is nothing to erase") };
        match (&done.run, plan.path.is_some()) {
            (Some(run), _) => {
                let (files, status) = (count(run.erased.files, "file"), &run.status);
                writeln!(out, "Erased {files}; certificate ({status}): {}", run.certificate)
            }
            (None, true) => writeln!(out, "Plan {}; `stem erase run` carries it out", plan.id),
            (None, false) => writeln!(out, "Would plan to erase this"),
        }?;
        plan.blocked_by.iter().try_for_each(|why| writeln!(out, "  blocked by {why}"))
    })?;
    let is_final = done.run.is_none_or(|run| run.status == "final");
    Ok(if is_final { Exit::DONE } else { Exit::INCOMPLETE })
}

fn text(seen: &Retention, out: &mut dyn Write) -> io::Result<()> {
    let words =
        |amount: &Amount| format!("{}, {}", count(amount.files, "content"), size(amount.bytes));
    writeln!(out, "To be destroyed by now: {}", words(&seen.due))?;
    writeln!(out, "  nothing stands against: {}", words(&seen.free))?;
    writeln!(out, "  held:                   {}", words(&seen.held))?;
    writeln!(out, "  to be kept longer:      {}", words(&seen.kept))?;
    for (what, number) in &seen.blocked_by {
        writeln!(out, "  {what}: {}", count(*number, "content"))?;
    }
    for due in &seen.contents {
        let (dataset, path) = (&due.dataset, due.path.show());
        writeln!(out, "  {dataset}:{path} by {}", due.destroy_by)?;
    }
    Ok(())
}
