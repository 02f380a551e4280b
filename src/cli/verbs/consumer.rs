//! `stem consumer`.

use std::io::{self, Write};

use serde::Serialize;
use stemmata::ops::consumer::{ConsumerInfo, ConsumerKind, ConsumerWish, ROLES, add, list, show};

use crate::cli::args::DryRun;
use crate::cli::text::{count, moment, path_text, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Record which models, evaluations and exports used which versions
///
/// A version that a consumer has used is kept by `stem gc`, whatever becomes of its branches.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Record that a consumer used versions
    Add(AddArgs),
    /// List the consumers
    List,
    /// Show what a consumer used, with exact ids
    Show {
        /// Which one
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is
    #[arg(long, value_enum)]
    kind: Kind,
    /// A version, or a path in it, that it used; once for each
    #[arg(long, value_name = "[DATASET@]REV[:PATH][=ROLE]", required = true)]
    #[arg(value_parser = path_text())]
    used: Vec<String>,
    /// As what, where no role is given: else a model trains, an evaluation evaluates
    #[arg(long = "as", value_name = "ROLE", value_parser = ROLES)]
    role: Option<String>,
    /// Where it is to be found
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What a consumer is.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A model that was trained
    Model,
    /// A measurement of one
    Evaluation,
    /// A copy that left the store
    Export,
}

impl From<Kind> for ConsumerKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Model => Self::Model,
            Kind::Evaluation => Self::Evaluation,
            Kind::Export => Self::Export,
        }
    }
}

#[derive(Serialize)]
struct Consumers {
    consumers: Vec<ConsumerInfo>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    match &args.verb {
        Verb::Add(args) => {
            let wish = ConsumerWish {
                name: args.name.clone(),
                kind: args.kind.into(),
                used: args.used.clone(),
                role: args.role.clone(),
                uri: args.uri.clone(),
                dry_run: args.dry_run.dry_run,
            };
            let done = add(&repository, &wish).map_err(Failure::from)?;
            context.done("consumer.add", &done, |out| {
                let verb = if done.dry_run { "Would record" } else { "Recorded" };
                let uses = count(done.added as u64, "use");
                let ConsumerInfo { name, kind, .. } = &done.consumer;
                writeln!(out, "{verb} {uses} by the {kind} {name}")
            })?;
        }
        Verb::List => {
            let seen = Consumers { consumers: list(&repository).map_err(Failure::from)? };
            context.show("consumer.list", &seen, |out| {
                for one in &seen.consumers {
                    let uses = count(one.uses.len() as u64, "use");
                    writeln!(out, "{:<24} {:<10} {uses}", one.name, one.kind)?;
                }
                Ok(())
            })?;
        }
        Verb::Show { name } => {
            let seen = show(&repository, name).map_err(Failure::from)?;
            context.show("consumer.show", &seen, |out| describe(&seen, out))?;
        }
    }
    Ok(Exit::DONE)
}

fn describe(seen: &ConsumerInfo, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} ({})", seen.name, seen.kind)?;
    if let Some(uri) = &seen.uri {
        writeln!(out, "At:     {uri}")?;
    }
    writeln!(out, "Said:   {}, {}", moment(seen.time), seen.actor)?;
    for used in &seen.uses {
        let path = used.path.as_ref().map(|path| format!(":{path}")).unwrap_or_default();
        let (dataset, version) = (&used.dataset, short(&used.version));
        writeln!(out, "    {:<12} {dataset}@{version}{path}  {}", used.role, moment(used.time))?;
    }
    Ok(())
}
