//! `stem metric`.

use std::io::{self, Write};

use stemmata::model::{DatasetName, Metric};
use stemmata::ops::metric::{
    Delta, Figure, Measured, MetricDiff, MetricLog, SetOptions, diff, list, log, set,
};

use crate::cli::args::DryRun;
use crate::cli::chart::{bars, figure, is_utf8, line};
use crate::cli::text::{count, moment, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Record figures of versions, compare them and follow them
///
/// A figure that is measured after the commit is added beside the version, dated and attributed;
/// the version's id stays as it is. The newest value of a name and slice counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Record figures of a version
    Set(SetArgs),
    /// Compare the newest figures of two versions
    Diff {
        /// The first version
        #[arg(value_name = "A")]
        a: String,
        /// The second
        #[arg(value_name = "B")]
        b: String,
    },
    /// Follow a figure over the versions of a dataset
    Log {
        /// What was measured
        #[arg(value_name = "NAME")]
        name: String,
        /// Of this part of the versions, not of the whole
        #[arg(long, value_name = "S")]
        slice: Option<String>,
        /// Of this dataset, not of the worktree's
        #[arg(long, value_name = "NAME")]
        dataset: Option<DatasetName>,
    },
    /// List the figures of a version, the oldest first
    List {
        /// The version; the current one if not given
        #[arg(value_name = "REV")]
        revision: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The version
    #[arg(value_name = "REV")]
    revision: String,
    /// Such as `accuracy=0.93`, `size=12GiB`, `missing=0.4%`
    #[arg(value_name = "NAME=VALUE[UNIT]", required = true)]
    figures: Vec<Figure>,
    /// Measured on this part of the version
    #[arg(long, value_name = "S")]
    slice: Option<String>,
    /// How it was measured
    #[arg(long, value_name = "M")]
    method: Option<String>,
    /// Over how many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1 << 53))]
    sample_size: Option<u64>,
    /// What it should reach
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    threshold: Option<f64>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    match &args.verb {
        Verb::Set(args) => {
            let options = SetOptions {
                slice: args.slice.clone(),
                method: args.method.clone(),
                sample_size: args.sample_size,
                threshold: args.threshold,
                dry_run: args.dry_run.dry_run,
            };
            let done =
                set(&repository, &args.revision, &args.figures, &options).map_err(Failure::from)?;
            context.done("metric.set", &done, |out| {
                let verb = if done.dry_run { "Would record" } else { "Recorded" };
                let figures = count(done.metrics.len() as u64, "figure");
                writeln!(out, "{verb} {figures} of {}@{}", done.dataset, short(&done.version))
            })?;
        }
        Verb::Diff { a, b } => {
            let seen = diff(&repository, a, b).map_err(Failure::from)?;
            context.show("metric.diff", &seen, |out| show_diff(&seen, out))?;
        }
        Verb::Log { name, slice, dataset } => {
            let seen = log(&repository, name, slice.as_deref(), dataset.as_ref())
                .map_err(Failure::from)?;
            context.show("metric.log", &seen, |out| show_log(&seen, out))?;
        }
        Verb::List { revision } => {
            let revision = revision.as_deref().unwrap_or("HEAD");
            let seen = list(&repository, revision).map_err(Failure::from)?;
            context.show("metric.list", &seen, |out| {
                seen.metrics.iter().try_for_each(|one| show_one(one, out))
            })?;
        }
    }
    Ok(Exit::DONE)
}

/// `accuracy [de]`.
fn named(name: &str, slice: Option<&str>) -> String {
    slice.map_or_else(|| name.to_owned(), |slice| format!("{name} [{slice}]"))
}

fn valued(value: f64, unit: Option<&str>) -> String {
    match unit {
        Some("%") => format!("{}%", figure(value)),
        Some(unit) => format!("{} {unit}", figure(value)),
        None => figure(value),
    }
}

fn show_one(one: &Measured, out: &mut dyn Write) -> io::Result<()> {
    let Metric { name, value, unit, method, slice, sample_size, threshold, .. } = &one.metric;
    let value = valued(*value, unit.as_deref());
    write!(out, "{:<24} {value:>12}", named(name, slice.as_deref()))?;
    let mut more = Vec::new();
    more.extend(threshold.map(|least| format!("should reach {}", figure(least))));
    more.extend(sample_size.map(|size| format!("over {size}")));
    more.extend(method.iter().map(|method| format!("by {method}")));
    more.extend((!one.latest).then(|| "replaced later".to_owned()));
    let more = if more.is_empty() { String::new() } else { format!("  ({})", more.join(", ")) };
    writeln!(out, "  {}  {}{more}", moment(one.time), one.actor)
}

fn show_diff(seen: &MetricDiff, out: &mut dyn Write) -> io::Result<()> {
    if seen.metrics.is_empty() {
        return writeln!(out, "No figure is known of {} or {}", short(&seen.a), short(&seen.b));
    }
    writeln!(out, "{:<24} {:>14} {:>14}", "", short(&seen.a), short(&seen.b))?;
    for Delta { name, slice, unit, a, b, delta } in &seen.metrics {
        let name = named(name, slice.as_deref());
        let value = |value: &Option<f64>| value.map_or("-".into(), figure);
        let delta = delta.map_or(String::new(), |delta| {
            format!("{}{}", if delta > 0.0 { "+" } else { "" }, figure(delta))
        });
        let unit = unit.as_deref().unwrap_or_default();
        let line = format!("{name:<24} {:>14} {:>14} {delta:>12} {unit}", value(a), value(b));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Columns of the longest bar.
const WIDTH: usize = 30;

fn show_log(seen: &MetricLog, out: &mut dyn Write) -> io::Result<()> {
    let utf8 = is_utf8();
    let values: Vec<f64> = seen.points.iter().map(|point| point.value).collect();
    let name = named(&seen.name, seen.slice.as_deref());
    writeln!(out, "{name} in {}  {}", seen.dataset, line(&values, utf8))?;
    for (point, bar) in seen.points.iter().zip(bars(&values, WIDTH, utf8)) {
        let value = valued(point.value, point.unit.as_deref());
        let date = &moment(point.committed)[..10];
        let short_of = point.threshold.filter(|least| point.value < *least);
        let misses = short_of.map_or(String::new(), |least| format!("  below {}", figure(least)));
        let line = format!("{}  {date} {value:>12}  {bar}{misses}", short(&point.version));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
