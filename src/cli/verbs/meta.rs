//! `stem meta`.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use stemmata::ops::provenance::meta::{
    Metadata, Validity, get, set, validate_file, validate_version,
};
use stemmata::ops::provenance::{TEMPLATE, schema};

use crate::cli::args::DryRun;
use crate::cli::provenance::{plain, value_text};
use crate::cli::text::{moment, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Read, complete and check what is said of versions
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show what is said of a version as it is now, or one field; exit with 1 if it is not said
    Get {
        /// A revision
        #[arg(value_name = "REV")]
        revision: String,
        /// Such as `purpose`, or a field of your own
        key: Option<String>,
    },
    /// Say more of a version that is there; its id stays
    ///
    /// `KEY=null` takes a field away. What was said before stays on record.
    Set {
        /// A revision
        #[arg(value_name = "REV")]
        revision: String,
        /// Fields: purpose, dataset_kind, languages, modalities, sensitivity, licence, or your own
        #[arg(value_name = "KEY=VALUE", required = true)]
        pairs: Vec<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Check a file of metadata, or what is said of a version; exit with 1 if something is wrong
    Validate {
        /// A file named .yaml, .yml, .toml or .json, or a revision
        #[arg(value_name = "FILE|REV")]
        target: String,
    },
    /// Show a file to begin with, in YAML
    Template,
    /// Show the JSON Schema of metadata
    Schema,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Get { revision, key } => {
            let repository = context.open()?;
            let seen = get(&repository, revision, key.as_deref()).map_err(Failure::from)?;
            context.show("meta.get", &seen, |out| show(&seen, out))?;
            Ok(if seen.value.is_null() { Exit::NO } else { Exit::DONE })
        }
        Verb::Set { revision, pairs, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            let done = set(&repository, revision, pairs, dry_run).map_err(Failure::from)?;
            context.done("meta.set", &done, |out| {
                let verb = if dry_run { "Would say" } else { "Said" };
                writeln!(out, "{verb} more of {}", short(&done.version))
            })?;
            Ok(Exit::DONE)
        }
        Verb::Validate { target } => validate(target, context),
        Verb::Template => {
            #[derive(Serialize)]
            struct Template {
                template: &'static str,
            }
            let template = Template { template: TEMPLATE };
            context.show("meta.template", &template, |out| out.write_all(TEMPLATE.as_bytes()))?;
            Ok(Exit::DONE)
        }
        Verb::Schema => {
            let schema = schema();
            context.show("meta.schema", &schema, |out| {
                serde_json::to_writer_pretty(&mut *out, &schema)?;
                writeln!(out)
            })?;
            Ok(Exit::DONE)
        }
    }
}

/// A file if there is one of that name, or the name is one of a file; else a revision.
fn validate(target: &str, context: &Context) -> Outcome {
    let path = context.directory.join(target);
    let ends = [".yaml", ".yml", ".toml", ".json"];
    let is_file = ends.iter().any(|end| target.ends_with(end)) || path.is_file();
    let seen = if is_file {
        validate_file(Path::new(&path), context.environment()?.clock.now())
    } else {
        validate_version(&context.open()?, target)
    };
    let mut seen = seen.map_err(Failure::from)?;
    if is_file {
        seen.what = target.to_owned();
    }
    context.show("meta.validate", &seen, |out| told(&seen, out))?;
    Ok(if seen.ok { Exit::DONE } else { Exit::NO })
}

fn told(seen: &Validity, out: &mut dyn Write) -> io::Result<()> {
    if seen.ok {
        return writeln!(out, "{} is as it must be", plain(&seen.what));
    }
    seen.problems.iter().try_for_each(|flaw| writeln!(out, "{}", plain(&flaw.to_string())))
}

fn show(seen: &Metadata, out: &mut dyn Write) -> io::Result<()> {
    match (&seen.key, &seen.value) {
        (Some(_), serde_json::Value::Null) => return Ok(()),
        (Some(_), value) => writeln!(out, "{}", value_text(value))?,
        (None, value) => {
            serde_json::to_writer_pretty(&mut *out, value)?;
            writeln!(out)?;
        }
    }
    for change in seen.changed.iter().filter(|_| seen.key.is_none()) {
        let (key, value) = (plain(&change.key), value_text(&change.value));
        let (time, actor) = (moment(change.time), plain(&change.actor));
        writeln!(out, "# {key}: {value}, said by {actor} on {time}")?;
    }
    Ok(())
}
