//! `stem datasets`.

use serde::Serialize;
use stemmata::model::State;
use stemmata::ops::refs::{DatasetInfo, datasets};

use crate::cli::text::{count, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// List the datasets of the store
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Datasets {
    datasets: Vec<DatasetInfo>,
}

pub(crate) fn run(_: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let seen = Datasets { datasets: datasets(&repository).map_err(Failure::from)? };
    context.show("datasets", &seen, |out| {
        for one in &seen.datasets {
            let mark = if one.current { "*" } else { " " };
            let newest = one.newest.as_ref().map(short).unwrap_or_else(|| "no version".into());
            let (files, bytes) = (count(one.files, "file"), size(one.bytes));
            let state = match one.state {
                State::Active => String::new(),
                state => format!("  [{state}]"),
            };
            writeln!(
                out,
                "{mark} {:<24} {newest:<12}  {files}, {bytes}{state}",
                one.name.as_str()
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::DONE)
}
