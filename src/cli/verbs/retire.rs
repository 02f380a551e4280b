//! `stem retire`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use stemmata::ops::retire::{
    Aux, Checked, PlanOptions, Planned, Run, RunOptions, approve, document, plan, report,
    run as carry_out, verify,
};

use super::erase::write_approval;
use crate::cli::args::{Approval, DryRun, Execution};
use crate::cli::provenance::plain;
use crate::cli::text::{count, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// End the life of a dataset: archive its core, keep or destroy the rest, and report it
///
/// Core and auxiliary is what `stem classify` says. A plan says what becomes of everything; whoever
/// may approves it; `run` retires the dataset, so that its branches and tags stand still, archives
/// every version that has something core, reads the archives back, erases the auxiliary content
/// that nothing else needs, if that was asked for, and writes a report.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Auxiliary {
    /// It stays in the store
    Keep,
    /// It is erased, under a certificate
    Destroy,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what retiring a dataset would do
    Plan {
        /// The dataset, or one version of it
        #[arg(value_name = "DATASET[@REV]")]
        target: String,
        /// Put the archives here
        #[arg(long, value_name = "DIR")]
        core_to: PathBuf,
        /// What becomes of what is auxiliary
        #[arg(long, value_name = "FATE")]
        aux: Auxiliary,
        /// What should be used instead
        #[arg(long, value_name = "DATASET@REV")]
        successor: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "It is not needed any more")]
        reason: String,
        /// By how many keys it must be approved, if not by more (`erase.approvals`)
        #[arg(long, value_name = "N", default_value_t = 0)]
        approvals: u64,
        /// Write the plan here as well
        #[arg(short, long, value_name = "PLAN")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Sign a plan, and that of the erasure that belongs to it
    Approve(Approval),
    /// Carry out a plan, or go on with it
    Run(Execution),
    /// Read the archives back, and look again for what was destroyed
    Verify {
        /// The plan's id, the beginning of it, or its file
        #[arg(value_name = "PLAN")]
        plan: String,
    },
    /// Show the report of a retirement
    Report {
        /// The plan's id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// Write it here, as `report.json` and `report.html`
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Plan { .. } => make_plan(&args.verb, context),
        Verb::Approve(args) => {
            let repository = context.open_to_write(args.dry_run.dry_run)?;
            let done = approve(&repository, &args.plan, &args.signing()).map_err(Failure::from)?;
            context.done("retire.approve", &done, |out| write_approval(&done.approved, out))?;
            Ok(Exit::DONE)
        }
        Verb::Run(how) => {
            let (dry_run, repository) = how.open(context)?;
            let options = RunOptions { plan: how.plan.clone(), key: how.key.clone(), dry_run };
            let done = carry_out(&repository, &options).map_err(Failure::from)?;
            context.done("retire.run", &done, |out| write_run(&done, out))?;
            let is_final = dry_run || done.status.as_deref().is_none_or(|status| status == "final");
            Ok(if is_final { Exit::DONE } else { Exit::INCOMPLETE })
        }
        Verb::Verify { plan } => {
            let repository = context.open()?;
            let seen = verify(&repository, plan).map_err(Failure::from)?;
            context.show("retire.verify", &seen, |out| write_check(&seen, out))?;
            Ok(if seen.ok { Exit::DONE } else { Exit::INCOMPLETE })
        }
        Verb::Report { id, output, dry_run } => {
            let repository = context.open()?;
            let into = output.as_ref().map(|output| context.directory.join(output));
            let seen = report(&repository, id, into.as_deref(), dry_run.dry_run);
            let seen = seen.map_err(Failure::from)?;
            context.show("retire.report", &seen, |out| {
                let one = &seen.report;
                writeln!(out, "plan {}", one.id)?;
                writeln!(out, "  retired    {} ({})", one.plan.dataset, one.state)?;
                writeln!(out, "  archived   {}", count(one.archives.len() as u64, "version"))?;
                writeln!(out, "  destroyed  {}", count(one.destroyed.files, "content"))?;
                if let Some(certificate) = &one.certificate {
                    let (number, id) = (certificate.number, &certificate.id);
                    writeln!(out, "             certificate {number}, {id}")?;
                }
                writeln!(out, "  kept       {}", count(one.kept.files, "content"))?;
                writeln!(out, "  digest     {}", seen.digest)?;
                let verb = if seen.dry_run { "would write" } else { "wrote" };
                seen.written.iter().try_for_each(|path| writeln!(out, "{verb} {path}"))
            })?;
            Ok(Exit::DONE)
        }
    }
}

fn make_plan(verb: &Verb, context: &Context) -> Outcome {
    let Verb::Plan { target, core_to, aux, successor, reason, approvals, output, dry_run } = verb
    else {
        return Ok(Exit::USAGE);
    };
    let repository = context.open_to_write(dry_run.dry_run)?;
    let options = PlanOptions {
        target: target.clone(),
        core_to: context.directory.join(core_to),
        aux: match aux {
            Auxiliary::Keep => Aux::Keep,
            Auxiliary::Destroy => Aux::Destroy,
        },
        successor: successor.clone(),
        reason: reason.clone(),
        approvals: *approvals,
        dry_run: dry_run.dry_run,
    };
    let seen = plan(&repository, &options).map_err(Failure::from)?;
    if let Some(output) = output.as_ref().filter(|_| !dry_run.dry_run) {
        let path = context.directory.join(output);
        let bytes = document(&repository, &seen.id).map_err(Failure::from)?;
        let written = stemmata::repo::papers::write_durably(&path, &bytes);
        written.map_err(|source| stemmata::repo::Error::Io { path, source })?;
    }
    context.show("retire.plan", &seen, |out| write_plan(&seen, out))?;
    Ok(Exit::DONE)
}

/// So much of a list is shown to a person.
const SHOWN: usize = 10;

fn write_plan(seen: &Planned, out: &mut dyn Write) -> io::Result<()> {
    let (plan, found) = (&seen.plan, &seen.plan.found);
    writeln!(out, "plan {}", seen.id)?;
    writeln!(out, "  because    {}", plan.reason)?;
    let versions = count(found.core.len() as u64, "version");
    writeln!(out, "  archives   {versions} whole, in {}", plan.core_to.display())?;
    for one in found.core.iter().take(SHOWN) {
        let (files, auxiliary) = (count(one.files, "file"), one.auxiliary);
        writeln!(out, "             {}  {files}, {auxiliary} auxiliary", short(&one.version))?;
    }
    let bytes = found.destroyed.iter().map(|one| one.size).sum();
    let files = count(found.destroyed.len() as u64, "content");
    writeln!(out, "  destroys   {files} ({}), here and in no archive", size(bytes))?;
    for one in found.destroyed.iter().take(SHOWN) {
        writeln!(out, "             {:.12}  {}", one.file.to_hex(), plain(&one.path))?;
    }
    let (kept, shared) = (found.kept, found.shared);
    writeln!(out, "  keeps      {} ({})", count(kept.files, "content"), size(kept.bytes))?;
    if shared.files > 0 {
        writeln!(out, "             {} auxiliary that others need", shared.files)?;
    }
    let branches = found.branches.len();
    let branches = if branches == 1 { "1 branch".into() } else { format!("{branches} branches") };
    writeln!(out, "  freezes    {branches}, {}", count(found.tags.len() as u64, "tag"))?;
    for path in found.worktrees.iter().take(SHOWN) {
        writeln!(out, "  worktree   {path}")?;
    }
    for one in found.downstream.iter().take(SHOWN) {
        writeln!(out, "  made of it {} {:.40}", one.kind, one.name)?;
    }
    if let Some(successor) = &plan.successor {
        writeln!(out, "  instead    {successor}")?;
    }
    match plan.approvals {
        0 => Ok(()),
        some => writeln!(out, "  approvals  {some} needed"),
    }
}

fn write_run(done: &Run, out: &mut dyn Write) -> io::Result<()> {
    let (archived, gone, kept) = (&done.archived, done.destroyed, done.kept);
    let dry_run = done.dry_run;
    let (files, bytes) = (count(archived.files, "file"), size(archived.bytes));
    let would = |done, undone| if dry_run { undone } else { done };
    let verb = would("Archived", "Would archive");
    writeln!(out, "{verb} {files}, {bytes}, in {}", archived.place.display())?;
    let verb = would("Destroyed", "Would destroy");
    writeln!(out, "{verb} {}, {}", count(gone.files, "content"), size(gone.bytes))?;
    let verb = would("Kept", "Would keep");
    writeln!(out, "{verb} {}, {}", count(kept.files, "content"), size(kept.bytes))?;
    if dry_run {
        return writeln!(out, "The report would lie at {}", done.report);
    }
    if let (Some(certificate), Some(status)) = (&done.certificate, &done.status) {
        writeln!(out, "Certificate ({status}): {certificate}")?;
    }
    writeln!(out, "Report: {}", done.report)
}

fn write_check(seen: &Checked, out: &mut dyn Write) -> io::Result<()> {
    for problem in &seen.problems {
        writeln!(out, "{problem}")?;
    }
    if seen.ok {
        let archives = count(seen.archives, "archive");
        writeln!(out, "Read back {archives}; everything is as the report says")?;
    }
    Ok(())
}
