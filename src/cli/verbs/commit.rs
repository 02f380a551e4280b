//! `stem commit`.

use std::io::{self, Write};

use stemmata::ops::commit::{Commit, CommitOptions, commit};
use stemmata::ops::provenance::gather;

use super::key::KeyChoice;
use crate::cli::args::DryRun;
use crate::cli::provenance::{Flags, plain};
use crate::cli::text::{count, number, paragraphs, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Record what is staged as a version
///
/// Where it came from stands inside the version: sources, steps, metrics and other metadata, by
/// flags or from a file. KEY=VALUE pairs have commas between them; put a value that has a comma of
/// its own in quotes: note="a, b".
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What has changed and why; several are paragraphs
    #[arg(short, long, value_name = "MSG", allow_hyphen_values = true)]
    message: Vec<String>,
    /// Stage every change of tracked files first
    #[arg(short, long)]
    all: bool,
    /// Record a version even if nothing has changed
    #[arg(long)]
    allow_empty: bool,
    /// Sign it
    #[arg(short = 'S', long)]
    sign: bool,
    #[command(flatten)]
    key: KeyChoice,
    /// What was done to it: name=…,command="…",input=REV[:PATH],output=…,decided=human
    #[arg(long, value_name = "KEY=VALUE,…", help_heading = "Provenance")]
    step: Vec<String>,
    #[command(flatten)]
    provenance: Flags,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let mut given = args.provenance.given(context);
    given.steps = args.step.clone();
    let provenance = gather(&repository, &given).map_err(Failure::from)?;
    let options = CommitOptions {
        message: paragraphs(&args.message).unwrap_or_default(),
        all: args.all,
        allow_empty: args.allow_empty,
        signing: args.key.signing(context, args.sign),
        dry_run,
        provenance,
    };
    let done = commit(&repository, &options).map_err(Failure::from)?;
    let failed = done.failed.iter();
    context
        .warn_each(failed.map(|problem| format!("{}: {}", plain(&problem.path), problem.problem)));
    context.done("commit", &done, |out| show(&done, out))?;
    Ok(Exit::done_unless(!done.failed.is_empty()))
}

/// What a person wants to know of a new version.
pub(crate) fn show(done: &Commit, out: &mut dyn Write) -> io::Result<()> {
    let branch = done.branch.as_ref().map_or("detached", |branch| branch.as_str());
    let first = done.message.lines().next().unwrap_or_default();
    match &done.version {
        Some(version) => writeln!(out, "[{branch} {}] {first}", short(version))?,
        None => writeln!(out, "[{branch}, nothing recorded] {first}")?,
    }
    let changed = done.changed;
    writeln!(
        out,
        "  {} added, {} modified, {} deleted; now {}, {}",
        number(changed.added),
        number(changed.modified),
        number(changed.deleted),
        count(done.files, "file"),
        size(done.bytes)
    )?;
    let stored = done.stored;
    if stored.new_bytes + stored.reused_bytes > 0 {
        writeln!(
            out,
            "  {} in {} stored, {} reused",
            size(stored.new_bytes),
            count(stored.new_chunks, "new chunk"),
            size(stored.reused_bytes)
        )?;
    }
    match &done.signed_by {
        Some(key) => writeln!(out, "  signed by key {key}"),
        None => Ok(()),
    }
}
