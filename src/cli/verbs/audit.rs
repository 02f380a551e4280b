//! `stem audit`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use stemmata::ops::audit::{
    AuditLogOptions, AuditReport, Checked, EntryInfo, Exported, Made, Proof, VerifyOptions,
    check_proof, checkpoint, export, log, prove, verify_at,
};
use stemmata::ops::outfile;
use stemmata::repo;

use super::key;
use crate::cli::args::DryRun;
use crate::cli::output::{must_be_free, wrote};
use crate::cli::text::{moment, number};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Read, check and sign the journal of every change
///
/// Every change of the catalogue has an entry that holds the hash of the one before it, so none can
/// be changed, taken out or moved unnoticed. That the last ones were cut off shows against a
/// checkpoint: keep one where nobody who can write to the store can write.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List entries, the newest first
    Log {
        /// Not older than this: a date, RFC 3339, or words such as `2 weeks ago`
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only by people with this text in their name or mail address
        #[arg(long, value_name = "TEXT")]
        actor: Option<String>,
        /// Only of this verb, such as `commit`
        #[arg(long, value_name = "VERB")]
        action: Option<String>,
        /// Only about what has this text in its name
        #[arg(long, value_name = "TEXT")]
        subject: Option<String>,
        /// Show at most N entries
        #[arg(short = 'n', long = "max-count", value_name = "N")]
        limit: Option<u64>,
    },
    /// Check every entry, every checkpoint that is known, and that the catalogue is what the journal
    /// says; exit with 1 if something is wrong
    Verify {
        /// Hold this checkpoint against the journal, too
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// Trust this public key with checkpoints, whatever the store says
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Write the journal for others
    Export {
        /// In which form
        #[arg(long, value_name = "FORM", default_value = "jsonl")]
        format: ExportFormat,
        /// Write to a new file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Sign how far the journal has come
    Checkpoint {
        /// Write the signed note to a new file, too
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Sign with this key of yours: its id, or its file
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Prove that an entry stands in the journal
    Prove {
        /// The number of the entry
        number: u64,
        /// Write the proof to a new file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Check a proof; needs nothing but it and the public key; exit with 1 if it proves nothing
    CheckProof {
        /// The proof
        file: PathBuf,
        /// The public key that must have signed it: as text, or a file with it
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
}

/// How the journal is written.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ExportFormat {
    /// An entry on each line, as canonical JSON
    Jsonl,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Log { since, actor, action, subject, limit } => {
            let options = AuditLogOptions {
                since: since.clone(),
                actor: actor.clone(),
                action: action.clone(),
                subject: subject.clone(),
                limit: *limit,
            };
            let seen = log(&context.open()?, &options).map_err(Failure::from)?;
            context.show("audit.log", &seen, |out| {
                seen.entries.iter().try_for_each(|e| line(e, out))
            })?;
            Ok(Exit::DONE)
        }
        Verb::Verify { checkpoints, keys } => check(context, checkpoints, keys),
        Verb::Export { format: ExportFormat::Jsonl, output, dry_run } => {
            hand_out(context, output.as_deref(), dry_run.dry_run)
        }
        Verb::Checkpoint { output, key, dry_run } => {
            sign(context, output.as_deref(), key.as_deref(), dry_run.dry_run)
        }
        Verb::Prove { number, output, dry_run } => {
            make_proof(context, *number, output.as_deref(), dry_run.dry_run)
        }
        Verb::CheckProof { file, key } => look_at_proof(context, file, key.as_deref()),
    }
}

fn line(entry: &EntryInfo, out: &mut dyn Write) -> io::Result<()> {
    let said = entry.message().and_then(|text| text.lines().next());
    let said = said.map(|text| format!("  {text}")).unwrap_or_default();
    let (time, subject) = (moment(entry.time), entry.subject.escape_debug());
    writeln!(out, "{:>6}  {time}  {}  {} {subject}{said}", entry.number, entry.actor, entry.action)
}

fn entries(count: u64) -> String {
    format!("{} {}", number(count), if count == 1 { "entry" } else { "entries" })
}

fn read(context: &Context, path: &Path) -> Result<String, Failure> {
    let path = context.file(path);
    let text = std::fs::read_to_string(&path);
    Ok(text.map_err(|source| repo::Error::Io { path, source })?)
}

fn check(context: &Context, checkpoints: &[PathBuf], keys: &[String]) -> Outcome {
    let mut options = VerifyOptions::default();
    for path in checkpoints {
        options.checkpoints.push((path.display().to_string(), read(context, path)?));
    }
    for text in keys {
        let (public, _) = key::find(context, text)?;
        options.keys.push(public);
    }
    let seen = verify_at(&context.directory, context.environment()?, &options);
    let seen = seen.map_err(Failure::from)?;
    context.show("audit.verify", &seen, |out| told(&seen, out))?;
    Ok(if seen.ok { Exit::DONE } else { Exit::NO })
}

fn told(seen: &AuditReport, out: &mut dyn Write) -> io::Result<()> {
    let tables = &seen.tables;
    match (seen.first_bad, &seen.problem) {
        (Some(bad), Some(problem)) if tables.count == 0 => {
            writeln!(out, "Entry {} is wrong: {problem}", number(bad))?;
        }
        _ => writeln!(out, "{}, head {}", entries(seen.entries), seen.head)?,
    }
    if tables.count > 0 {
        writeln!(out, "The catalogue is not what the journal says:")?;
    }
    for one in &tables.differences {
        let entry = one.entry.map(|entry| format!(" (entry {})", number(entry)));
        writeln!(out, "  {} {}{}", one.what, one.problem, entry.unwrap_or_default())?;
    }
    let shown = tables.differences.len() as u64;
    if tables.count > shown {
        writeln!(out, "  and {} more", number(tables.count - shown))?;
    }
    if let Some(odd) = seen.odd_times {
        let dated = "dated a day or more before the one before it, or after now";
        let others = match odd.count {
            1 => String::new(),
            count => format!(", and {} more are", number(count - 1)),
        };
        writeln!(out, "A clock was wrong: entry {} is {dated}{others}", number(odd.first))?;
    }
    for one in &seen.checkpoints {
        let size = one.size.map(|size| format!(" of {}", number(size))).unwrap_or_default();
        let by = match (&one.key, one.trusted) {
            (Some(key), true) => format!("key {key}"),
            (Some(key), false) => format!("key {key}, which is not trusted with it"),
            (None, _) => "an unknown key".to_owned(),
        };
        let worth = one.problem.as_deref().unwrap_or("holds");
        writeln!(out, "Checkpoint{size} by {by}: {worth} ({})", one.place)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(serialize_with = "stemmata::model::exact_path")]
    file: PathBuf,
    #[serde(flatten)]
    exported: &'a Exported,
    dry_run: bool,
}

fn hand_out(context: &Context, output: Option<&Path>, dry_run: bool) -> Outcome {
    let repository = context.open()?;
    let Some(output) = output else {
        if context.json {
            return Err(Failure::Usage("with --json, name a file with `-o`".into()));
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        export(&repository, &mut out).map_err(Failure::from)?;
        return Ok(Exit::DONE);
    };
    must_be_free(context, output)?;
    let file = context.file(output);
    let mut out: Box<dyn Write> = match dry_run {
        true => Box::new(io::sink()),
        false => Box::new(io::BufWriter::new(outfile::create(&file).map_err(Failure::from)?)),
    };
    let exported = export(&repository, &mut out).map_err(Failure::from)?;
    let done = Written { file, exported: &exported, dry_run };
    context.done("audit.export", &done, |out| {
        let verb = wrote(dry_run);
        writeln!(out, "{verb} {} to {}", entries(exported.entries), output.display())
    })?;
    Ok(Exit::DONE)
}

fn sign(context: &Context, output: Option<&Path>, key: Option<&str>, dry_run: bool) -> Outcome {
    let repository = context.open_to_write(dry_run)?;
    let key = key.map(|key| key::own(context, key));
    let file = output.map(|path| context.file(path));
    if let Some(output) = output {
        must_be_free(context, output)?;
    }
    let made: Made = checkpoint(&repository, key.as_deref(), dry_run).map_err(Failure::from)?;
    if let (Some(path), Some(note)) = (&file, &made.note) {
        outfile::write(path, note.as_bytes()).map_err(Failure::from)?;
    }
    if !made.trusted {
        context.warn(&format!(
            "the store does not trust key {} with it: `stem key trust {} --role custodian`",
            made.key, made.key
        ));
    }
    context.done("audit.checkpoint", &made, |out| match (&made.note, output) {
        (Some(note), None) => out.write_all(note.as_bytes()),
        (Some(_), Some(path)) => {
            writeln!(out, "Signed {}: {}", entries(made.size), path.display())
        }
        (None, _) => writeln!(out, "Would sign {}", entries(made.size)),
    })?;
    Ok(Exit::DONE)
}

#[derive(Serialize)]
struct Proved<'a> {
    #[serde(flatten)]
    proof: &'a Proof,
    file: Option<PathBuf>,
    text: &'a str,
    dry_run: bool,
}

fn make_proof(context: &Context, number: u64, output: Option<&Path>, dry_run: bool) -> Outcome {
    let repository = context.open()?;
    let proof = prove(&repository, number).map_err(Failure::from)?;
    if let Some(output) = output {
        must_be_free(context, output)?;
    }
    let file = output.map(|path| context.file(path));
    if let Some(path) = file.as_ref().filter(|_| !dry_run) {
        outfile::write(path, proof.text.as_bytes()).map_err(Failure::from)?;
    }
    let done = Proved { proof: &proof, file, text: &proof.text, dry_run };
    let verb = wrote(dry_run);
    context.show("audit.prove", &done, |out| match output {
        Some(path) => writeln!(
            out,
            "{verb} the proof of entry {} under a checkpoint of {}: {}",
            proof.number,
            entries(proof.size),
            path.display()
        ),
        None => out.write_all(proof.text.as_bytes()),
    })?;
    Ok(Exit::DONE)
}

fn look_at_proof(context: &Context, file: &Path, key: Option<&str>) -> Outcome {
    let named = match key {
        Some(text) => Some(key::find(context, text)?.0),
        None => None,
    };
    let path = context.file(file);
    let bytes = std::fs::read(&path).map_err(|source| repo::Error::Io { path, source })?;
    let seen: Checked = check_proof(&bytes, named.as_ref());
    context.show("audit.check-proof", &seen, |out| proved(&seen, out))?;
    if seen.ok && !seen.trusted {
        context.warn("whose key that is you have to know: name it with `--key`");
    }
    Ok(if seen.ok { Exit::DONE } else { Exit::NO })
}

fn proved(seen: &Checked, out: &mut dyn Write) -> io::Result<()> {
    if let Some(problem) = &seen.problem {
        return writeln!(out, "Not proven: {problem}");
    }
    if let (Some(entry), Some(size), Some(key)) = (&seen.entry, seen.size, &seen.key) {
        line(entry, out)?;
        let origin = seen.origin.as_deref().unwrap_or_default();
        let size = entries(size);
        writeln!(out, "stood in {origin} when key {key} signed {size} of it")?;
    }
    Ok(())
}
