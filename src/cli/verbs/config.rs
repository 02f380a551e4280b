//! `stem config`.

use std::collections::BTreeMap;

use serde::Serialize;
use stemmata::ops::config::{get, list, set, unset};

use crate::cli::args::DryRun;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Read and change the settings of this worktree
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show one setting; exit with 1 if it is not set
    Get {
        /// Such as `user.name`
        key: String,
    },
    /// Change a setting
    Set {
        /// Such as `user.name`
        key: String,
        /// Its new value
        value: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Forget a setting
    Unset {
        /// Such as `user.name`
        key: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Show all settings, and what there is to set
    List,
}

#[derive(Serialize)]
struct Settings {
    settings: BTreeMap<String, String>,
    keys: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let answer = |key: &str, value: Option<String>| -> Result<(), Failure> {
        context.show("config", &Setting { key, value: value.clone() }, |out| match &value {
            Some(value) => writeln!(out, "{value}"),
            None => Ok(()),
        })
    };
    match &args.verb {
        Verb::Get { key } => {
            let repository = context.open()?;
            let value = get(&repository, key).map_err(Failure::from)?;
            let found = value.is_some();
            answer(key, value)?;
            return Ok(if found { Exit::DONE } else { Exit::NO });
        }
        Verb::Set { key, value, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            set(&repository, key, value, dry_run.dry_run).map_err(Failure::from)?;
            answer(key, Some(value.clone()))?;
        }
        Verb::Unset { key, dry_run } => {
            let repository = context.open_to_write(dry_run.dry_run)?;
            unset(&repository, key, dry_run.dry_run).map_err(Failure::from)?;
            answer(key, None)?;
        }
        Verb::List => {
            let repository = context.open()?;
            let (settings, keys) = list(&repository);
            let keys = keys.iter().copied().collect();
            let seen = Settings { settings, keys };
            context.show("config", &seen, |out| {
                for (key, what) in &seen.keys {
                    match seen.settings.get(*key) {
                        Some(value) => writeln!(out, "{key} = {value}")?,
                        None => writeln!(out, "{key} is not set: {what}")?,
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(Exit::DONE)
}
