//! The arguments of the program and of every verb.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use stemmata::ops::erase::Signing;
use stemmata::repo::Repository;

use super::text::duration;
use super::verbs;
use super::{Context, Failure, Outcome};

/// Version control for training data
///
/// Keeps datasets the way Git keeps source code: branch, commit, diff, merge and roll back
/// gigabytes in seconds, with every version's history on record.
#[derive(Debug, Parser)]
#[command(name = "stem", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done; 1 no; 2 usage; 3 some items failed; 4 conflicts; \
    10 not found; 11 busy, try again; 12 not allowed; 13 damaged; 14 refused by the policy; \
    15 would lose unsaved work, or is held; 16 not approved, or out of date; \
    18 out of space; 19 content gone by design; 20 erasure incomplete; 70 a bug; 130 interrupted.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every verb understands.
#[derive(Debug, clap::Args)]
pub(crate) struct Everywhere {
    /// Work as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Everywhere")]
    pub(crate) start: Option<PathBuf>,
    /// Answer with one JSON document
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Say nothing but the result and errors
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub(crate) verbose: bool,
    /// Never ask (nothing asks yet)
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_input: bool,
    /// Answer every question with yes
    #[arg(short = 'y', long, global = true, help_heading = "Everywhere")]
    pub(crate) yes: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    #[arg(help_heading = "Everywhere")]
    pub(crate) color: Color,
    /// Threads for long work
    #[arg(short = 'j', long = "threads", value_name = "N", global = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..), help_heading = "Everywhere")]
    pub(crate) threads: Option<u16>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `-n`, of every verb that writes.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DryRun {
    /// Show what would be done, and change nothing
    #[arg(short = 'n', long = "dry-run")]
    pub(crate) dry_run: bool,
}

/// What signing a plan takes, of any kind.
#[derive(Debug, clap::Args)]
pub(crate) struct Approval {
    /// The plan's id, the beginning of it, or its file
    #[arg(value_name = "PLAN")]
    pub(crate) plan: String,
    /// The key to sign with
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// For how long the approval counts
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    valid: u64,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

impl Approval {
    /// How it is signed.
    pub(crate) fn signing(&self) -> Signing<'_> {
        let (key, seconds) = (self.key.as_deref(), self.valid);
        Signing { key, seconds, dry_run: self.dry_run.dry_run }
    }
}

/// What carrying out a plan takes, of any kind.
#[derive(Debug, clap::Args)]
pub(crate) struct Execution {
    /// The plan's id, the beginning of it, or its file
    #[arg(value_name = "PLAN")]
    pub(crate) plan: String,
    /// The key to sign the certificate with
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Execution {
    /// Whether nothing is to be changed, and the repository opened accordingly.
    pub(crate) fn open(&self, context: &Context) -> Result<(bool, Repository), Failure> {
        Ok(match self.dry_run.dry_run {
            true => (true, context.open()?),
            false => {
                let environment = context.environment()?;
                (false, Repository::open_to_collect(&context.directory, environment)?)
            }
        })
    }
}

macro_rules! verbs {
    ($($variant:ident => $module:ident),* $(,)?) => {
        /// A verb and its arguments; each has its file in `verbs`.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $(#[allow(missing_docs, reason = "the help is the documentation of its arguments")]
            $variant(verbs::$module::Args),)*
        }

        impl Command {
            /// Does it.
            pub(crate) fn run(&self, context: &Context) -> Outcome {
                match self {
                    $(Self::$variant(args) => verbs::$module::run(args, context),)*
                }
            }
        }
    };
}

verbs! {
    Init => init,
    Datasets => datasets,
    Add => add,
    Rm => rm,
    Mv => mv,
    Commit => commit,
    Run => run,
    Rerun => rerun,
    Meta => meta,
    Step => step,
    Status => status,
    Log => log,
    Show => show,
    Diff => diff,
    Branch => branch,
    Tag => tag,
    Switch => switch,
    Checkout => checkout,
    Restore => restore,
    Reset => reset,
    Rollback => rollback,
    Revert => revert,
    CherryPick => cherry_pick,
    Merge => merge,
    Undo => undo,
    Bisect => bisect,
    Import => import,
    Policy => policy,
    Review => review,
    GitPin => git_pin,
    Reflog => reflog,
    Lineage => lineage,
    Card => card,
    Ls => ls,
    Cat => cat,
    Du => du,
    Export => export,
    Key => key,
    Audit => audit,
    Metric => metric,
    Note => note,
    Consumer => consumer,
    Contains => contains,
    Query => query,
    Fsck => fsck,
    Gc => gc,
    Archive => archive,
    Classify => classify,
    Hold => hold,
    State => state,
    Retention => retention,
    Retire => retire,
    Erase => erase,
    Certificate => certificate,
    Doctor => doctor,
    Config => config,
    Tour => tour,
    Completions => completions,
    Man => man,
}
