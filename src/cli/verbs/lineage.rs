//! `stem lineage`.

use std::path::PathBuf;

use stemmata::model::Time;
use stemmata::ops::lineage::{
    Graph, Inferred, Question, details, dot, infer, lineage, mermaid, openlineage, prov, text,
};
use stemmata::repo::Repository;

use crate::cli::args::DryRun;
use crate::cli::output::deliver;
use crate::cli::text::{count, path_text, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show where data came from and what became of it
///
/// Follows versions, sources, steps and consumers across all datasets of the store. Arrows point
/// as in W3C PROV: a step used a version, a version is derived from a version or source, a
/// consumer was trained on a version; only `generated` points from the step to what it made.
///
/// With `--infer` it looks for files that a version of another dataset had before, and records
/// those versions as origins, marked `inferred`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A revision, REV:PATH, a version's or file's 64 digits, a source's URI, `consumer:NAME`
    #[arg(value_name = "TARGET", default_value = "HEAD", value_parser = path_text())]
    target: String,
    /// Only where it came from
    #[arg(long)]
    up: bool,
    /// Only what became of it
    #[arg(long)]
    down: bool,
    /// So many versions, sources or consumers far; a step counts with the version that it made
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Only what was known then: a date, or a time as RFC 3339 has it
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<Time>,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write to FILE, which must not be there, and not to the screen
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Look for origins that nobody declared, and record them
    #[arg(long, conflicts_with_all = ["up", "down", "depth", "as_of", "format", "output"])]
    infer: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Two trees
    Text,
    /// Nodes and edges
    Json,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// W3C PROV-JSON
    Prov,
    /// OpenLineage 2-0-2, one event in each line
    Openlineage,
}

fn moment(text: &str) -> Result<Time, String> {
    let bad = |_| format!("`{text}` is not a date or a time such as 2026-11-23T14:10:00Z");
    match text.len() {
        10 => format!("{text}T23:59:59Z").parse().map_err(bad),
        _ => text.parse().map_err(bad),
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.infer {
        return find_out(args, context);
    }
    if context.json && !matches!(args.format, Format::Text | Format::Json) {
        let text = "`--json` answers with the graph itself: leave out `--format`";
        return Err(Failure::Usage(text.into()));
    }
    let repository = context.open()?;
    let question = Question {
        target: args.target.clone(),
        up: args.up,
        down: args.down,
        depth: args.depth,
        as_of: args.as_of,
    };
    let graph = lineage(&repository, &question).map_err(Failure::from)?;
    let (output, dry_run) = (args.output.as_deref(), args.dry_run.dry_run);
    match (output, args.format) {
        (None, Format::Json) => context.with_json().show("lineage", &graph, |_| Ok(()))?,
        // The answer is the graph then, without the text of a large one.
        (None, _) if context.json => deliver(context, "lineage", output, &graph, "", dry_run)?,
        _ => {
            let text = written(&repository, &graph, args)?;
            deliver(context, "lineage", output, &graph, &text, dry_run)?;
        }
    }
    Ok(Exit::DONE)
}

/// The graph in the format that was asked for.
fn written(repository: &Repository, graph: &Graph, args: &Args) -> Result<String, Failure> {
    let known = || details(repository, graph, args.as_of).map_err(Failure::from);
    let json = |error: serde_json::Error| Failure::Answer(error.into());
    Ok(match args.format {
        Format::Text => text(graph),
        Format::Json => serde_json::to_string_pretty(graph).map_err(json)? + "\n",
        Format::Dot => dot(graph),
        Format::Mermaid => mermaid(graph),
        Format::Prov => serde_json::to_string_pretty(&prov(graph, &known()?)).map_err(json)? + "\n",
        Format::Openlineage => {
            openlineage(graph, &known()?).iter().map(|event| format!("{event}\n")).collect()
        }
    })
}

fn find_out(args: &Args, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let found: Inferred = infer(&repository, &args.target, dry_run).map_err(Failure::from)?;
    context.done("lineage.infer", &found, |out| {
        let looked_at = count(found.looked_at, "file");
        writeln!(out, "Looked for {looked_at} of {} in other datasets", short(&found.version))?;
        for origin in &found.origins {
            let (files, from) = (count(origin.files, "file"), short(&origin.from));
            let verb = if dry_run { "would be derived" } else { "derived" };
            writeln!(out, "  {verb} from {}@{from}: {files}", origin.dataset)?;
        }
        match found.origins.is_empty() {
            true => writeln!(out, "Nothing that is not recorded already"),
            false => Ok(()),
        }
    })?;
    Ok(Exit::DONE)
}
