//! `stem tag`.

use serde::Serialize;
use stemmata::model::{RefKind, RefName};
use stemmata::ops::refs::{RefChanged, RefInfo, TagOptions, create_tag, delete, list};

use super::branch::told;
use super::key::KeyChoice;
use crate::cli::args::DryRun;
use crate::cli::text::{paragraphs, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// List, make and remove tags
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A new tag; with `-d` the one to remove
    #[arg(value_name = "NAME", required_if_eq("delete", "true"))]
    name: Option<RefName>,
    /// What it is put at; the current version if not given
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Remove the tag
    #[arg(short, long, conflicts_with_all = ["revision", "message"])]
    delete: bool,
    /// What it says; it then also says who made it and when; several are paragraphs
    #[arg(short, long, value_name = "MSG", allow_hyphen_values = true, requires = "name")]
    message: Vec<String>,
    /// Move the tag if it is there already
    #[arg(short, long, requires = "name")]
    force: bool,
    /// Sign it
    #[arg(short, long, requires = "name")]
    sign: bool,
    /// Accepted because Git has it: tags are listed where none is named
    #[arg(short = 'l', long, hide = true, conflicts_with = "name")]
    list: bool,
    /// Accepted because Git has it: a message makes it an annotated tag
    #[arg(short, long, hide = true, requires = "name")]
    annotate: bool,
    #[command(flatten)]
    key: KeyChoice,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Serialize)]
struct Tags {
    tags: Vec<RefInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<RefChanged>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let Some(name) = &args.name else {
        let repository = context.open()?;
        let seen =
            Tags { tags: list(&repository, RefKind::Tag).map_err(Failure::from)?, changed: None };
        context.show("tag", &seen, |out| {
            for one in &seen.tags {
                let at = one.version.as_ref().map(short).unwrap_or_default();
                let said = one.message.as_deref().and_then(|text| text.lines().next());
                writeln!(out, "{:<24} {at}  {}", one.name.as_str(), said.unwrap_or_default())?;
            }
            Ok(())
        })?;
        return Ok(Exit::DONE);
    };
    let repository = context.open_to_write(dry_run)?;
    let done = if args.delete {
        delete(&repository, RefKind::Tag, name, true, dry_run)
    } else {
        let revision = args.revision.as_deref().unwrap_or("HEAD");
        let signing = args.key.signing(context, args.sign);
        let (message, force) = (paragraphs(&args.message), args.force);
        create_tag(&repository, name, revision, &TagOptions { message, force, signing, dry_run })
    };
    let changed = done.map_err(Failure::from)?;
    let tags = list(&repository, RefKind::Tag).map_err(Failure::from)?;
    let seen = Tags { tags, changed: Some(changed) };
    context.done("tag", &seen, |out| {
        seen.changed.as_ref().map_or(Ok(()), |done| told("tag", done, out))
    })?;
    Ok(Exit::DONE)
}
