//! `stem archive`.

use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::model::{DatasetName, Presence, Progress, RepoPath};
use stemmata::ops::archive::{
    Archived, Dropped, Proven, Restored, Verified, create, leave, restore, verify,
};

use super::certificate::public;
use crate::cli::args::DryRun;
use crate::cli::text::{count, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Keep a version outside of the store, and bring it back
///
/// An archive is a directory that explains itself: a BagIt bag (RFC 8493) with the files as they
/// are, everything that is known of the version, and a script with which somebody without this
/// program can check it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write a version to a new directory, and read every byte of it back
    Create {
        /// The version
        #[arg(value_name = "REV")]
        revision: String,
        /// The directory; nothing may have its name
        #[arg(value_name = "DIR")]
        place: PathBuf,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Read every byte of an archive; needs no repository
    Verify {
        /// The archive
        #[arg(value_name = "DIR")]
        place: PathBuf,
        /// The public key, or a file with it, that must have signed the journal's checkpoint
        #[arg(long, value_name = "PUB")]
        key: Option<String>,
    },
    /// Bring the version of an archive back, with the same id
    Restore {
        /// The archive
        #[arg(value_name = "DIR")]
        place: PathBuf,
        /// The dataset it comes back to; if not given, the one it came from
        #[arg(long, value_name = "NAME")]
        dataset: Option<DatasetName>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Keep the content of a retired version in its archive only
    ///
    /// The archive is read whole first. What other versions need stays; `stem gc` removes the rest.
    Drop {
        /// The version
        #[arg(value_name = "REV")]
        revision: String,
        /// Its archive
        #[arg(long = "archive", value_name = "DIR")]
        place: PathBuf,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Create { revision, place, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            let place = context.directory.join(place);
            let done =
                create(&repository, revision, &place, dry_run.dry_run).map_err(Failure::from)?;
            context.done("archive.create", &done, |out| created(&done, out))?;
            Ok(Exit::DONE)
        }
        Verb::Verify { place, key } => {
            let environment = context.environment()?;
            let all = || std::thread::available_parallelism().map_or(1, usize::from);
            let threads = environment.threads.unwrap_or_else(all);
            let progress: &dyn Progress = &*environment.progress;
            let place = context.directory.join(place);
            let mut seen = verify(&place, threads, progress).map_err(Failure::from)?;
            if let Some(key) = key {
                seen.demand(&public(context, key)?);
            }
            context.show("archive.verify", &seen, |out| verified(&seen, out))?;
            Ok(if seen.ok { Exit::DONE } else { Exit::DAMAGED })
        }
        Verb::Restore { place, dataset, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            let place = context.directory.join(place);
            let done = restore(&repository, &place, dataset.clone(), dry_run.dry_run)
                .map_err(Failure::from)?;
            context.done("archive.restore", &done, |out| restored(&done, out))?;
            Ok(Exit::done_unless(!done.erased.is_empty()))
        }
        Verb::Drop { revision, place, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            let place = context.directory.join(place);
            let done =
                leave(&repository, revision, &place, dry_run.dry_run).map_err(Failure::from)?;
            context.done("archive.drop", &done, |out| dropped(&done, out))?;
            Ok(Exit::DONE)
        }
    }
}

fn created(done: &Archived, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "Would archive" } else { "Archived" };
    let (files, bytes) = (count(done.files, "file"), size(done.bytes));
    let version = short(&done.version);
    writeln!(
        out,
        "{verb} {version} of {} in {}: {files}, {bytes}",
        done.dataset,
        done.place.display()
    )?;
    if done.erased > 0 {
        let were = if done.erased == 1 { "was" } else { "were" };
        writeln!(out, "  without {} that {were} erased", count(done.erased, "file"))?;
    }
    match &done.digest {
        Some(digest) => writeln!(out, "  every byte was read back; digest {digest}"),
        None => Ok(()),
    }
}

fn verified(seen: &Verified, out: &mut dyn Write) -> io::Result<()> {
    for one in &seen.problems {
        let show = |text: &str| RepoPath::show_bytes(text.as_bytes());
        writeln!(out, "{}: {}", show(&one.path), show(&one.problem))?;
    }
    let (files, bytes) = (count(seen.files, "file"), size(seen.bytes));
    match (&seen.version, seen.ok) {
        (Some(version), true) => {
            writeln!(out, "The archive is good: version {}, {files}, {bytes}", short(version))?;
            journal(&seen.journal, out)
        }
        _ => writeln!(
            out,
            "The archive is not good: {}",
            count(seen.problems.len() as u64, "problem")
        ),
    }
}

/// What is shown of the journal's entries.
fn journal(proven: &Proven, out: &mut dyn Write) -> io::Result<()> {
    let entries = match proven.entries {
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    };
    match (proven.size, proven.key, proven.trusted) {
        (None, _, _) => writeln!(out, "  {entries} of the journal, not proven to be part of it"),
        (Some(size), None, _) => writeln!(
            out,
            "  {entries} of the journal, part of one of {size}, which nobody has signed"
        ),
        (Some(size), Some(key), trusted) => {
            let whose = if trusted { "the given key" } else { "key" };
            writeln!(
                out,
                "  {entries} of the journal, part of one of {size}, signed by {whose} {key}"
            )
        }
    }
}

fn restored(done: &Restored, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "Would restore" } else { "Restored" };
    let (files, bytes) = (count(done.files, "file"), size(done.bytes));
    writeln!(out, "{verb} {} to {}: {files}, {bytes}", short(&done.version), done.dataset)?;
    for name in &done.named {
        writeln!(out, "  as {name}")?;
    }
    if !done.absent_parents.is_empty() {
        writeln!(out, "  its history begins here: this store does not know what came before")?;
    }
    for absent in &done.erased {
        let path = absent.path.show();
        match &absent.presence {
            Presence::Archived { place, .. } => writeln!(out, "  {path} is not there: {place}")?,
            gone => {
                let certificate = gone.certificate().unwrap_or_default();
                writeln!(out, "  {path} stays erased: certificate {certificate}")?;
            }
        }
    }
    Ok(())
}

fn dropped(done: &Dropped, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "Would drop" } else { "Dropped" };
    let (files, bytes) = (count(done.files, "file"), size(done.bytes));
    writeln!(out, "{verb} {files}, {bytes}, which lie in {} only", done.place.display())?;
    if done.kept_files > 0 {
        let (files, bytes) = (count(done.kept_files, "file"), size(done.kept_bytes));
        writeln!(
            out,
            "  {files}, {bytes} stay: other versions need them, or the archive has not the same"
        )?;
    }
    writeln!(out, "  `stem gc` removes them from the store")
}
