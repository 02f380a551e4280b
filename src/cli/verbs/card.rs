//! `stem card`.

use std::path::PathBuf;

use serde::Serialize;
use stemmata::model::{DatasetName, VersionId};
use stemmata::ops::card::{Digests, card, croissant, markdown};

use crate::cli::args::DryRun;
use crate::cli::output::deliver;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Make the document that is handed over with a version
///
/// A data card in Markdown with the front matter that the Hugging Face Hub reads, or Croissant 1.1
/// with the fields of its responsible-AI extension. It says what is recorded and nothing else. The
/// paths of Croissant are those that `stem export REV DIR` writes: put the document into DIR.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version
    #[arg(value_name = "REV", default_value = "HEAD")]
    revision: String,
    /// Which document
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    format: Format,
    /// Write to FILE, which must not be there, and not to the screen
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A data card
    Markdown,
    /// JSON-LD
    Croissant,
}

#[derive(Serialize)]
struct Made {
    dataset: DatasetName,
    version: VersionId,
    format: &'static str,
    document: serde_json::Value,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let digests = match (args.format, args.dry_run.dry_run) {
        (Format::Markdown, _) => Digests::Without,
        (Format::Croissant, true) => Digests::Read,
        (Format::Croissant, false) => Digests::Kept,
    };
    let known = card(&repository, &args.revision, digests).map_err(Failure::from)?;
    let (format, document) = match args.format {
        Format::Markdown => ("markdown", markdown(&known).into()),
        Format::Croissant => ("croissant", croissant(&known)),
    };
    let text = match &document {
        serde_json::Value::String(text) => text.clone(),
        document => format!("{document:#}\n"),
    };
    let made = Made { dataset: known.dataset, version: known.version, format, document };
    let output = args.output.as_deref();
    deliver(context, "card", output, &made, &text, args.dry_run.dry_run)?;
    Ok(Exit::DONE)
}
