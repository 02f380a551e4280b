//! `stem erase`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use stemmata::model::{DatasetName, FileId};
use stemmata::ops::erase::{
    Approved, Asked, CheckOptions, Checked, Findings, Listed, PlanOptions, Planned, Run,
    RunOptions, Selector, approve, attest, certifiers, check, document, find, lift, list, plan,
    run as carry_out, show,
};
use stemmata::repo::Repository;

use super::certificate::verdict;
use crate::cli::args::{Approval, DryRun, Execution};
use crate::cli::provenance::plain;
use crate::cli::text::{count, moment, path_text, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Erase files from every version, and prove it
///
/// A plan says what goes and who is concerned; whoever may approves it; `run` carries out exactly
/// that plan, looks whether everything is gone, and writes a signed certificate. Versions keep their
/// ids. Erasing cannot be undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what an erasure would do
    Plan(Box<PlanArgs>),
    /// Show a plan, and what stands in its way now
    Show {
        /// The plan's id, the beginning of it, or its file
        #[arg(value_name = "PLAN")]
        plan: String,
    },
    /// Sign a plan
    Approve(Approval),
    /// Carry out a plan, or go on with it
    Run {
        #[command(flatten)]
        how: Execution,
        /// Look through this block device too
        #[arg(long, value_name = "PATH")]
        device: Option<PathBuf>,
    },
    /// Look again for what was erased
    ///
    /// If a certificate is pending, everybody whom it waits for is looked at again, and once all are
    /// confirmed it is issued again as final.
    Verify {
        /// A certificate, or the id of its plan
        #[arg(value_name = "CERT")]
        certificate: String,
        /// Look through this block device too
        #[arg(long, value_name = "PATH")]
        device: Option<PathBuf>,
        /// The key to sign a certificate with that becomes final
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Say that an archive or worktree, which is not there any more, was destroyed
    ///
    /// What is there is looked into by `run` and `verify`. A certificate that waits for nothing else
    /// becomes final then, and says whose word it is.
    Attest {
        /// A certificate's id, which is its plan's
        #[arg(value_name = "CERT")]
        plan: String,
        /// Where it lay, as the certificate names it
        #[arg(value_name = "PLACE")]
        place: PathBuf,
        /// How it was destroyed, or why that is known
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// A custodian's key
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List plans and erasures
    List,
    /// Allow that erased content is added again
    Lift {
        /// A certificate's id, or that of a file
        #[arg(value_name = "CERT")]
        what: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// A custodian's key
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Debug, clap::Args)]
struct PlanArgs {
    /// Every content that was ever at this path, or at paths of this pattern, from the top
    #[arg(long = "path", value_name = "PATTERN", required_unless_present_any = ["files", "record", "keys", "containing"])]
    #[arg(value_parser = path_text())]
    paths: Vec<String>,
    /// This content, wherever it is
    #[arg(long = "file", value_name = "ID")]
    files: Vec<FileId>,
    /// Look for paths in this dataset only
    #[arg(long, value_name = "NAME")]
    dataset: Option<DatasetName>,
    /// Not files but records: those that equal this JSON, or one of its lines
    #[arg(long, value_name = "JSON|@FILE", conflicts_with_all = ["keys", "containing"])]
    record: Option<String>,
    /// Not files but records: those in which each of these holds
    #[arg(long = "key", value_name = "NAME=VALUE", conflicts_with = "containing")]
    keys: Vec<String>,
    /// Not files but records, in text lines: those that hold this text
    #[arg(long, value_name = "TEXT|@FILE")]
    containing: Option<String>,
    /// Keep the records, and empty this field; without FIELD the values that hold the text
    #[arg(long, value_name = "FIELD", num_args = 0..=1, default_missing_value = "")]
    redact: Option<Vec<String>>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// By what law or contract
    #[arg(long, value_name = "TEXT")]
    basis: Option<String>,
    /// Whose request it answers
    #[arg(long, value_name = "REF")]
    request: Option<String>,
    /// By how many keys it must be approved, if not by more (`erase.approvals`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    approvals: u64,
    /// If everything is meant: the name of the dataset
    #[arg(long, value_name = "NAME")]
    yes_all: Option<String>,
    /// Write the plan here as well
    #[arg(short, long, value_name = "PLAN")]
    output: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Serialize)]
struct Erasures {
    erasures: Vec<Listed>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Plan(args) => make_plan(args, context),
        Verb::Show { plan } => {
            let repository = context.open()?;
            let seen = show(&repository, plan).map_err(Failure::from)?;
            context.show("erase.show", &seen, |out| write_plan(&seen, out))?;
            Ok(Exit::DONE)
        }
        Verb::Approve(args) => {
            let repository = context.open_to_write(args.dry_run.dry_run)?;
            let done = approve(&repository, &args.plan, &args.signing()).map_err(Failure::from)?;
            context.done("erase.approve", &done, |out| write_approval(&done, out))?;
            Ok(Exit::DONE)
        }
        Verb::Run { how, device } => {
            let (dry_run, repository) = how.open(context)?;
            let (plan, key, device) = (how.plan.clone(), how.key.clone(), device.clone());
            let done = carry_out(&repository, &RunOptions { plan, key, device, dry_run });
            let done = done.map_err(Failure::from)?;
            context.done("erase.run", &done, |out| write_run(&done, out))?;
            let is_final = done.dry_run || done.status == "final";
            Ok(if is_final && done.unproven.is_empty() { Exit::DONE } else { Exit::INCOMPLETE })
        }
        Verb::Verify { certificate, device, key, dry_run } => {
            let with = (device.as_deref(), key.as_deref());
            look_again(context, certificate, with, dry_run.dry_run)
        }
        Verb::Attest { plan, place, reason, key, dry_run } => {
            let word = (reason.as_str(), key.as_deref());
            give_word(context, plan, place, word, dry_run.dry_run)
        }
        Verb::List => show_all(context),
        Verb::Lift { what, reason, key, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            let done = lift(&repository, what, reason, key.as_deref(), dry_run.dry_run);
            let done = done.map_err(Failure::from)?;
            context.done("erase.lift", &done, |out| {
                let verb = if done.dry_run { "Would allow" } else { "Allowed" };
                let files = count(done.files.len() as u64, "file");
                writeln!(out, "{verb} that {files} may be added again (key {})", done.key)
            })?;
            Ok(Exit::DONE)
        }
    }
}

/// Who approved what, and until when.
pub(super) fn write_approval(done: &Approved, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "would approve" } else { "approved" };
    let (by, key, until) = (&done.by, &done.key, moment(done.approval.expires));
    writeln!(out, "{by} {verb} plan {:.16} with key {key} until {until}", done.plan)
}

fn show_all(context: &Context) -> Outcome {
    let repository = context.open()?;
    let seen = Erasures { erasures: list(&repository).map_err(Failure::from)? };
    context.show("erase.list", &seen, |out| {
        seen.erasures.iter().try_for_each(|one| {
            let (files, when) = (count(one.files, "file"), moment(one.time));
            writeln!(out, "{:.16}  {:<9} {files}, {when}: {}", one.plan, one.state, one.reason)
        })
    })?;
    Ok(Exit::DONE)
}

fn give_word(
    context: &Context,
    plan: &str,
    place: &Path,
    (reason, key): (&str, Option<&str>),
    dry_run: bool,
) -> Outcome {
    let repository = context.open_to_write(dry_run)?;
    let place = context.directory.join(place);
    let done = attest(&repository, plan, &place, reason, key, dry_run).map_err(Failure::from)?;
    context.done("erase.attest", &done, |out| {
        let verb = if done.dry_run { "Would note" } else { "Noted" };
        writeln!(out, "{verb} that the {} at {} was destroyed", done.kind, done.place)
    })?;
    Ok(Exit::DONE)
}

/// A certificate that was looked at again, and whether it stays as it is in any case.
#[derive(Serialize)]
struct LookedAgain<'a> {
    #[serde(flatten)]
    seen: &'a Checked,
    dry_run: bool,
}

fn look_again(
    context: &Context,
    certificate: &str,
    (device, key): (Option<&Path>, Option<&str>),
    dry_run: bool,
) -> Outcome {
    let repository = context.open()?;
    let file = find(&repository, certificate).map_err(Failure::from)?;
    let keys = certifiers(&repository).map_err(Failure::from)?;
    let store = Some(repository.place.store.clone());
    let options = CheckOptions { file, store, device: device.map(Path::to_path_buf) };
    let mut seen: Checked = check(&options, &keys).map_err(Failure::from)?;
    let waits = !dry_run && seen.ok && seen.status.as_deref() == Some("pending");
    if let (true, Some(plan), Ok(_)) = (waits, &seen.certificate, repository.signer(key)) {
        let (plan, key, device) = (plan.clone(), key.map(str::to_owned), options.device.clone());
        drop(repository);
        // Who has come back, was looked into or attested may be all that it waits for.
        let repository = Repository::open_to_collect(&context.directory, context.environment()?)?;
        let done = carry_out(&repository, &RunOptions { plan, key, device, dry_run: false });
        let done = done.map_err(Failure::from)?;
        let waiting = |one: &&String| one.starts_with("archive ") || one.starts_with("worktree ");
        seen.waiting = match done.status.as_str() {
            "pending" => done.not_proven.iter().filter(waiting).cloned().collect(),
            _ => Vec::new(),
        };
        seen.status = Some(done.status);
    }
    let looked = LookedAgain { seen: &seen, dry_run };
    context.show("erase.verify", &looked, |out| verdict(&seen, out))?;
    Ok(if seen.ok { Exit::DONE } else { Exit::INCOMPLETE })
}

fn make_plan(args: &PlanArgs, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let (paths, files, dataset) = (args.paths.clone(), args.files.clone(), args.dataset.clone());
    let options = PlanOptions {
        selector: Selector { paths, files, dataset, records: None },
        records: asked(args, context)?,
        reason: args.reason.clone(),
        basis: args.basis.clone(),
        request: args.request.clone(),
        approvals: args.approvals,
        yes_all: args.yes_all.clone(),
        dry_run,
    };
    let seen = plan(&repository, &options).map_err(Failure::from)?;
    if let Some(output) = args.output.as_ref().filter(|_| !dry_run) {
        let path = context.directory.join(output);
        let bytes = document(&repository, &seen.id).map_err(Failure::from)?;
        let written = stemmata::repo::papers::write_durably(&path, &bytes);
        written.map_err(|source| stemmata::repo::Error::Io { path, source })?;
    }
    context.show("erase.plan", &seen, |out| write_plan(&seen, out))?;
    let all = seen.plan.found().unproven.is_empty();
    Ok(if all { Exit::DONE } else { Exit::INCOMPLETE })
}

/// The records that are meant, if any are.
fn asked(args: &PlanArgs, context: &Context) -> Result<Option<Asked>, Failure> {
    let PlanArgs { record, keys, containing, redact, .. } = args;
    let redact = redact.as_ref();
    if record.is_none() && keys.is_empty() && containing.is_none() {
        return match redact {
            Some(_) => {
                let what = "--redact goes with --record, --key or --containing".into();
                Err(stemmata::ops::Error::BadRecordSelector(what).into())
            }
            None => Ok(None),
        };
    }
    let read = |text: &String| match text.strip_prefix('@') {
        None => Ok(text.clone()),
        Some(path) => {
            let bytes = stemmata::repo::papers::read_file(&context.directory.join(path))?;
            String::from_utf8(bytes).map_err(|_| {
                let what = format!("{path} is no text");
                Failure::from(stemmata::ops::Error::BadRecordSelector(what))
            })
        }
    };
    let redact =
        redact.map(|fields| fields.iter().filter(|one| !one.is_empty()).cloned().collect());
    let containing = containing.as_ref().map(read).transpose()?;
    Ok(Some(Asked {
        record: record.as_ref().map(read).transpose()?,
        keys: keys.clone(),
        // A file of one line ends with a line end, which is not meant.
        containing: containing.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
        redact,
    }))
}

/// So much of a list is shown to a person.
const SHOWN: usize = 10;

/// Files that a search for records could not answer for.
fn write_doubts(found: &Findings, out: &mut dyn Write) -> io::Result<()> {
    // Of several contents of one path one line is enough.
    let mut absent = found.absent_keys.clone();
    absent.dedup();
    for why in absent.iter().take(SHOWN) {
        writeln!(out, "  no column  {why}")?;
    }
    for why in &found.unproven {
        writeln!(out, "  unproven   {why}")?;
    }
    Ok(())
}

fn write_plan(seen: &Planned, out: &mut dyn Write) -> io::Result<()> {
    let found = seen.plan.found();
    writeln!(out, "plan {}", seen.id)?;
    writeln!(out, "  because    {}", seen.plan.reason)?;
    let content = size(found.bytes.content);
    let verb = if seen.plan.records.is_some() { "rewrites" } else { "erases  " };
    writeln!(out, "  {verb}   {} ({content})", count(found.targets.len() as u64, "file"))?;
    for target in found.targets.iter().take(SHOWN) {
        let paths: Vec<_> = target.paths.iter().take(3).map(|path| plain(path)).collect();
        let paths = paths.join(", ");
        let paths = if paths.is_empty() { "in no version".to_owned() } else { paths };
        writeln!(out, "             {:.12}  {paths}", target.file.to_hex())?;
    }
    if let Some(records) = seen.plan.records {
        let what = count(records, "record");
        writeln!(out, "  without    {what}; all other rows stay")?;
    }
    write_doubts(found, out)?;
    if found.targets.len() > SHOWN {
        writeln!(out, "             and {} more", found.targets.len() - SHOWN)?;
    }
    let (versions, branches, tags) = (
        count(found.versions.len() as u64, "version"),
        found.branches.len(),
        count(found.tags.len() as u64, "tag"),
    );
    let branches = if branches == 1 { "1 branch".into() } else { format!("{branches} branches") };
    writeln!(out, "  concerns   {versions}, {branches}, {tags}; all ids stay")?;
    let (exclusive, shared) = (count(found.chunks.exclusive, "chunk"), found.chunks.shared);
    writeln!(out, "  frees      {} in {exclusive}", size(found.bytes.freed))?;
    if shared > 0 {
        let kept = size(found.bytes.kept_shared);
        let others = match (seen.plan.records.is_some(), found.chunks.sharers.is_empty()) {
            (true, true) => "the copies have too",
            (true, false) => "the copies or other files have too:",
            (false, _) => "other files have too:",
        };
        writeln!(out, "  keeps      {} ({kept}) that {others}", count(shared, "chunk"))?;
        for one in found.chunks.sharers.iter().take(SHOWN) {
            writeln!(out, "             {} ({})", plain(&one.path), count(one.chunks, "chunk"))?;
        }
    }
    let packs = seen.plan.packs;
    let dropped = count(packs.drop, "pack");
    writeln!(out, "  removes    {dropped}, and writes {} anew", packs.rewrite)?;
    for one in found.downstream.iter().take(SHOWN) {
        writeln!(out, "  made of it {} {:.40}", one.kind, one.name)?;
    }
    match seen.plan.approvals {
        0 => {}
        some => writeln!(out, "  approvals  {some} needed")?,
    }
    for why in &seen.blocked_by {
        writeln!(out, "  blocked by {why}")?;
    }
    Ok(())
}

fn write_run(done: &Run, out: &mut dyn Write) -> io::Result<()> {
    let erased = done.erased;
    let (files, chunks) = (count(erased.files, "file"), count(erased.chunks, "chunk"));
    let verb = if done.dry_run { "Would erase" } else { "Erased" };
    match erased.records {
        0 => writeln!(out, "{verb} {files}, {chunks}, {}", size(erased.bytes))?,
        some => {
            let (records, bytes) = (count(some, "record"), size(erased.bytes));
            writeln!(out, "{verb} {records} in {files}, {chunks}, {bytes}")?;
        }
    }
    if done.dry_run {
        return writeln!(out, "The certificate would lie at {}", done.certificate);
    }
    writeln!(out, "Looked again, and found nothing of it")?;
    writeln!(out, "Certificate ({}): {}", done.status, done.certificate)?;
    writeln!(out, "Not proven:")?;
    done.not_proven.iter().try_for_each(|what| writeln!(out, "  {what}"))
}
