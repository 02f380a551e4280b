//! `stem classify`.

use std::io::{self, Write};

use serde::Serialize;
use stemmata::git;
use stemmata::model::{Class, DatasetName, Time};
use stemmata::ops::classify::{
    Amount, DatasetClasses, Decision, Rule, Suggested, classify, suggest, survey,
};

use crate::cli::args::DryRun;
use crate::cli::text::{count, path_text, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Decide what is core and must be kept, and what is auxiliary and may go
///
/// Several decisions may fit a path: paths in a version go before the version, that before paths
/// in the dataset, and those before the dataset; of equals the latest counts. The floor of
/// `--keep-until` and the ceiling of `--destroy-by` count from every decision that fits, the
/// strictest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `dataset`, `dataset@rev`, `dataset:PATTERN`, `dataset@rev:PATTERN`
    #[arg(value_name = "TARGET", required_unless_present_any = ["list", "suggest"])]
    #[arg(value_parser = path_text())]
    target: Option<String>,
    /// core, auxiliary or unclassified
    #[arg(value_name = "CLASS", required_unless_present_any = ["list", "suggest"])]
    #[arg(requires_all = ["reason", "reviewer"])]
    class: Option<Class>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who has looked at it
    #[arg(long, value_name = "WHO")]
    reviewer: Option<String>,
    /// It must not be destroyed before
    #[arg(long, value_name = "DATE")]
    keep_until: Option<String>,
    /// It must be destroyed by then
    #[arg(long, value_name = "DATE")]
    destroy_by: Option<String>,
    /// Show what is decided, and what is unclassified; of one dataset if it is named
    #[arg(long, conflicts_with_all = ["class", "suggest"])]
    list: bool,
    /// Show what the facts speak for; of one dataset if it is named
    #[arg(long, conflicts_with = "class")]
    suggest: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Serialize)]
struct Listed {
    datasets: Vec<DatasetClasses>,
}

#[derive(Serialize)]
struct Suggestions {
    suggestions: Vec<Suggested>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.list || args.suggest {
        let dataset = args.target.as_deref().map(named).transpose()?;
        return if args.list {
            show_list(dataset.as_ref(), context)
        } else {
            show_suggestions(dataset, context)
        };
    }
    decide(args, context)
}

fn named(text: &str) -> Result<DatasetName, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("{error}")))
}

fn decide(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let date = |text: &Option<String>| -> Result<Option<Time>, Failure> {
        let parse = |text: &String| git::parse_date(text, repository.now());
        let time = text.as_ref().map(parse).transpose();
        Ok(time.map_err(stemmata::repo::Error::from)?)
    };
    let (Some(target), Some(class)) = (&args.target, args.class) else {
        return Err(Failure::Usage("name a target and a class".into()));
    };
    let decision = Decision {
        class,
        reason: args.reason.clone().unwrap_or_default(),
        reviewer: args.reviewer.clone().unwrap_or_default(),
        keep_until: date(&args.keep_until)?,
        destroy_by: date(&args.destroy_by)?,
        dry_run,
    };
    let done = classify(&repository, target, &decision).map_err(Failure::from)?;
    context.done("classify", &done, |out| {
        let verb = if dry_run { "would be" } else { "is now" };
        let dates = dates(done.keep_until, done.destroy_by);
        writeln!(out, "{} {verb} {}{dates}", done.target.show(), done.class)
    })?;
    Ok(Exit::DONE)
}

fn dates(keep_until: Option<Time>, destroy_by: Option<Time>) -> String {
    let floor = keep_until.map(|time| format!(", keep until {time}"));
    let ceiling = destroy_by.map(|time| format!(", destroy by {time}"));
    format!("{}{}", floor.unwrap_or_default(), ceiling.unwrap_or_default())
}

fn show_list(dataset: Option<&DatasetName>, context: &Context) -> Outcome {
    let repository = context.open()?;
    let seen = Listed { datasets: survey(&repository, dataset).map_err(Failure::from)? };
    context
        .show("classify", &seen, |out| seen.datasets.iter().try_for_each(|one| text(one, out)))?;
    Ok(Exit::DONE)
}

fn text(one: &DatasetClasses, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", one.dataset)?;
    for (class, Amount { files, bytes }) in &one.classes {
        writeln!(out, "  {class:<12} {}, {}", count(*files, "file"), size(*bytes))?;
    }
    for Rule { target, class, reason, reviewer, keep_until, destroy_by, .. } in &one.rules {
        let dates = dates(*keep_until, *destroy_by);
        let target = target.show();
        writeln!(out, "  rule: {target} is {class}{dates}: {reason} (reviewer {reviewer})")?;
    }
    for sample in &one.unclassified {
        writeln!(out, "  unclassified: {}:{}", short(&sample.version), sample.path.show())?;
    }
    for conflict in &one.conflicts {
        let (floor, ceiling) = (conflict.keep_until, conflict.destroy_by);
        let path = conflict.path.show();
        writeln!(out, "  conflict: {path} must be kept until {floor}, destroyed by {ceiling}")?;
    }
    Ok(())
}

fn show_suggestions(dataset: Option<DatasetName>, context: &Context) -> Outcome {
    let repository = context.open()?;
    let dataset = dataset.unwrap_or_else(|| repository.dataset().clone());
    let suggestions = suggest(&repository, &dataset).map_err(Failure::from)?;
    let seen = Suggestions { suggestions };
    context.show("classify.suggest", &seen, |out| {
        for one in &seen.suggestions {
            let names = one.names.join(", ");
            writeln!(out, "{} ({names}): {}, {}", one.target.show(), one.suggested, one.because)?;
            let read = one.facts.last_read.map(|time| format!(", last read {time}"));
            let decided = one.decided.map(|class| format!(", decided: {class}"));
            let (read, decided) = (read.unwrap_or_default(), decided.unwrap_or_default());
            writeln!(out, "  {} only here{read}{decided}", size(one.facts.unique_bytes))?;
        }
        Ok(())
    })?;
    Ok(Exit::DONE)
}
