//! `stem show`.

use std::io::{self, Write};

use stemmata::model::RecordKind;
use stemmata::ops::ls::{find_file, ls};
use stemmata::ops::show::{RecordInfo, Show, show};
use stemmata::repo::split_path;

use super::{cat, diff, log, ls as listing};
use crate::cli::provenance;
use crate::cli::text::{moment, path_text};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show a version with its changes, or a file of it
///
/// `REV:PATH` shows the file's content, or what the directory holds; with `--json` what is recorded
/// of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A revision, or a path in one
    #[arg(value_name = "REV[:PATH]", default_value = "HEAD", value_parser = path_text())]
    target: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (revision, path) = split_path(&args.target);
    if let Some(path) = path {
        if !context.json && find_file(&repository, &args.target).is_ok() {
            return cat::pass_on(context, &repository, &args.target, None);
        }
        let seen = ls(&repository, revision, path, false).map_err(Failure::from)?;
        context.show("show", &seen, |out| listing::text(&seen, false, out))?;
        return Ok(Exit::DONE);
    }
    let seen = show(&repository, revision).map_err(Failure::from)?;
    context.show("show", &seen, |out| text(&seen, out))?;
    Ok(Exit::DONE)
}

fn text(seen: &Show, out: &mut dyn Write) -> io::Result<()> {
    log::head(&seen.info, out)?;
    provenance::show(&seen.provenance, out)?;
    // Who has signed stands at the head.
    let later = |record: &&RecordInfo| record.kind != RecordKind::Signature;
    let mut later = seen.records.iter().filter(later).peekable();
    if later.peek().is_some() {
        writeln!(out)?;
        later.try_for_each(|record| recorded(record, out))?;
    }
    if !seen.changes.is_empty() {
        writeln!(out)?;
        diff::stat(&seen.changes, &seen.totals, out)?;
    }
    Ok(())
}

/// What was recorded later, in a line.
fn recorded(record: &RecordInfo, out: &mut dyn Write) -> io::Result<()> {
    let RecordInfo { kind, name, value, text, body, .. } = record;
    let plain = |text: &String| format!(" {}", provenance::plain(text));
    let said = body.get("value").filter(|_| value.is_none() && text.is_none());
    let parts = [
        name.as_ref().map(plain),
        record.path.as_ref().map(plain),
        value.map(|value| format!(" = {value}")),
        said.map(|value| format!(" = {}", provenance::value_text(value))),
        text.as_ref().map(plain),
    ];
    let parts: String = parts.into_iter().flatten().collect();
    let (time, actor) = (moment(record.time), provenance::plain(&record.actor));
    writeln!(out, "Later:   {}{parts} ({time}, {actor})", kind.as_str())
}
