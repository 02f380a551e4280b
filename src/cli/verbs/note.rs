//! `stem note`.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use stemmata::ops::note::{Note, NoteKind, add, export, list, place, search};

use crate::cli::args::DryRun;
use crate::cli::output::{Told, deliver};
use crate::cli::text::{moment, path_text};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Keep what was learnt beside the versions it is about
///
/// A target is a revision, `REV:PATH`, `step:REV#N` (the N-th step of a version) or
/// `consumer:NAME`. Notes are added and never changed; a later note may say something else.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Add a note
    Add {
        /// What it is about
        #[arg(value_name = "TARGET", value_parser = path_text())]
        target: String,
        /// What it says
        #[arg(value_name = "TEXT")]
        text: String,
        /// What it is
        #[arg(long, value_enum, default_value = "practice")]
        kind: Kind,
        /// The note that it answers, such as the problem that it solves
        #[arg(long, value_name = "NUMBER")]
        about: Option<u64>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List notes, the oldest first
    List {
        /// Only those about this; of a version also those about its paths and steps
        #[arg(value_name = "TARGET", value_parser = path_text())]
        target: Option<String>,
        /// Only those of this kind
        #[arg(long, value_enum)]
        kind: Option<Kind>,
    },
    /// Find notes that have all of these words, the best match first
    Search {
        /// Words; `word*` stands for all that begin so
        #[arg(value_name = "WORDS", required = true)]
        words: Vec<String>,
    },
    /// Write the notes as Markdown, with links from problems to solutions
    Export {
        /// Only those of this kind
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Into this file, which must not exist
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// What a note is.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Something is wrong
    Problem,
    /// What helped
    Solution,
    /// What has proved itself
    Practice,
    /// What was decided, and why
    Decision,
    /// What happened
    Incident,
}

impl From<Kind> for NoteKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Problem => Self::Problem,
            Kind::Solution => Self::Solution,
            Kind::Practice => Self::Practice,
            Kind::Decision => Self::Decision,
            Kind::Incident => Self::Incident,
        }
    }
}

#[derive(Serialize)]
struct Notes {
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Exported<'a> {
    markdown: &'a str,
    file: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    match &args.verb {
        Verb::Add { target, text, kind, about, dry_run } => {
            let dry_run = dry_run.dry_run;
            let kind = NoteKind::from(*kind);
            let note =
                add(&repository, target, kind, text, *about, dry_run).map_err(Failure::from)?;
            context.done("note.add", &Told { answer: &note, dry_run }, |out| {
                match note.number {
                    Some(number) => {
                        writeln!(
                            out,
                            "Note {number}: {} about {}",
                            kind.as_str(),
                            place(&note.target)
                        )
                    }
                    None => {
                        writeln!(out, "Would note: {} about {}", kind.as_str(), place(&note.target))
                    }
                }
            })?;
        }
        Verb::List { target, kind } => {
            let notes = list(&repository, target.as_deref(), kind.map(NoteKind::from));
            let seen = Notes { notes: notes.map_err(Failure::from)? };
            context.show("note.list", &seen, |out| show(&seen.notes, out))?;
        }
        Verb::Search { words } => {
            let notes = search(&repository, &words.join(" ")).map_err(Failure::from)?;
            let seen = Notes { notes };
            context.show("note.search", &seen, |out| show(&seen.notes, out))?;
        }
        Verb::Export { kind, output, dry_run } => {
            let page = export(&repository, kind.map(NoteKind::from)).map_err(Failure::from)?;
            let file = output.as_ref().map(|path| path.display().to_string());
            let done = Exported { markdown: &page, file };
            let output = output.as_deref();
            deliver(context, "note.export", output, &done, &page, dry_run.dry_run)?;
        }
    }
    Ok(Exit::DONE)
}

fn show(notes: &[Note], out: &mut dyn Write) -> io::Result<()> {
    for note in notes {
        let number = note.number.unwrap_or_default();
        let about = note.about.map(|about| format!(", on note {about}")).unwrap_or_default();
        let target = place(&note.target);
        writeln!(out, "{number} {} on {target}{about}", note.kind.as_str())?;
        writeln!(out, "    {}, {}", note.actor, moment(note.time))?;
        for line in note.text.lines() {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}
