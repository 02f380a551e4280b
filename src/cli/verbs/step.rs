//! `stem step`.

use std::io::{self, Write};

use serde_json::{Map, Value};
use stemmata::ops::provenance::step::{StepInfo, StepWords, add, list, one};

use crate::cli::args::DryRun;
use crate::cli::provenance::{command_line, plain, show_step};
use crate::cli::text::{moment, path_text, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Tell of what was done to make a version, and show it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Tell of a step of a version that is there; its id stays
    Add(Box<Add>),
    /// Show the steps of a version
    List {
        /// A revision
        #[arg(value_name = "REV", default_value = "HEAD")]
        revision: String,
    },
    /// Show all that is known of one step
    Show {
        /// A revision
        #[arg(value_name = "REV")]
        revision: String,
        /// Its number in `stem step list`; not needed where there is one
        #[arg(value_name = "N")]
        number: Option<u64>,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The version that it made
    #[arg(value_name = "REV")]
    revision: String,
    /// What it is called, such as dedupe
    #[arg(long)]
    name: String,
    /// The program and its arguments, in quotes
    #[arg(long, value_name = "CMD")]
    command: Option<String>,
    /// A version that it read, such as raw@main or HEAD~1:clean
    #[arg(short, long, value_name = "REV[:PATH]", value_parser = path_text())]
    input: Vec<String>,
    /// A path that it wrote
    #[arg(short, long, value_name = "PATH")]
    output: Vec<String>,
    /// What it was set to
    #[arg(long, value_name = "KEY=VALUE")]
    param: Vec<String>,
    /// Who decided it: human, assisted or automatic
    #[arg(long, value_name = "WHO")]
    decided: Option<String>,
    /// Who did it
    #[arg(long, value_name = "NAME <MAIL>")]
    operator: Option<String>,
    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Other fields: started=…,ended=…,exit_code=…,code.commit=…
    #[arg(long, value_name = "KEY=VALUE,…")]
    with: Vec<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Add(args) => tell(args, context),
        Verb::List { revision } => {
            let repository = context.open()?;
            let seen = list(&repository, revision).map_err(Failure::from)?;
            context.show("step.list", &seen, |out| {
                seen.steps.iter().try_for_each(|step| line(step, out))
            })?;
            Ok(Exit::DONE)
        }
        Verb::Show { revision, number } => {
            let repository = context.open()?;
            let seen = one(&repository, revision, *number).map_err(Failure::from)?;
            context.show("step.show", &seen, |out| whole(&seen, out))?;
            Ok(Exit::DONE)
        }
    }
}

fn tell(args: &Add, context: &Context) -> Outcome {
    let repository = context.open_to_write(args.dry_run.dry_run)?;
    let mut pairs = args.with.clone();
    pairs.extend(args.command.iter().map(|command| format!("command={}", quoted(command))));
    let mut fields = vec![("name", Value::from(args.name.as_str()))];
    let lists = [("inputs", &args.input), ("outputs", &args.output)];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    fields.extend(lists.map(|(name, list)| (name, Value::from(list.clone()))));
    let texts = [("decided", &args.decided), ("operator", &args.operator), ("note", &args.note)];
    for (name, text) in texts {
        fields.extend(text.iter().map(|text| (name, Value::from(text.as_str()))));
    }
    let parameters = parameters(&args.param)?;
    if !parameters.is_empty() {
        fields.push(("parameters", Value::Object(parameters)));
    }
    let words = StepWords { pairs, fields };
    let done =
        add(&repository, &args.revision, &words, args.dry_run.dry_run).map_err(Failure::from)?;
    context.done("step.add", &done, |out| {
        let verb = if done.dry_run { "Would add" } else { "Added" };
        writeln!(out, "{verb} the step {} to {}", plain(&done.step.name), short(&done.version))
    })?;
    Ok(Exit::DONE)
}

/// `KEY=VALUE` of several flags; a value that is JSON is taken as that.
pub(super) fn parameters(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut map = Map::new();
    for text in given {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::Usage(format!("`{}` is not KEY=VALUE", plain(text))));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if map.insert(key.to_owned(), value).is_some() {
            return Err(Failure::Usage(format!("the parameter `{}` is given twice", plain(key))));
        }
    }
    Ok(map)
}

/// In double quotes, as `--step` reads them.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn line(step: &StepInfo, out: &mut dyn Write) -> io::Result<()> {
    let later = if step.record.is_some() { " (told later)" } else { "" };
    let command = command_line(&step.step.command);
    let apart = if command.is_empty() { "" } else { ": " };
    writeln!(out, "{:>3}  {}{apart}{command}{later}", step.n, plain(&step.step.name))
}

fn whole(seen: &StepInfo, out: &mut dyn Write) -> io::Result<()> {
    let told = if seen.record.is_some() { "told later" } else { "in the version" };
    writeln!(out, "{told}, by {}, {}", plain(&seen.actor), moment(seen.time))?;
    show_step(&seen.step, "", out)?;
    for (label, map) in [
        ("parameter", &seen.step.parameters),
        ("environment", &seen.step.environment),
        ("also", &seen.step.other),
    ] {
        for (key, value) in map {
            writeln!(out, "           {label} {} = {value}", plain(key))?;
        }
    }
    if let Some(tail) = &seen.step.output_tail {
        writeln!(out, "           printed, at the end:")?;
        tail.lines().try_for_each(|line| writeln!(out, "             {}", plain(line)))?;
    }
    Ok(())
}
