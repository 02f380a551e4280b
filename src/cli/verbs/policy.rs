//! `stem policy`.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use stemmata::model::RefName;
use stemmata::ops::policy::{Check, Explanation, Target, Trial, check, explain, set, show, test};
use stemmata::repo::policy::{MAX_BYTES, Missing};

use crate::cli::args::DryRun;
use crate::cli::text::{count, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Rules that a version must keep before a branch or tag takes it
///
/// They are kept in the store, for all its datasets, and asked whenever a branch or tag moves. What
/// is refused changes nothing and ends with exit code 14; every verdict is in the journal.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a file the policy of the store, once it passes its own tests
    Set {
        /// The file, in TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Print the policy as it was set; exit with 1 if there is none
    Show,
    /// Say whether a version would pass; exit with 1 if not
    Check {
        /// The version; the current one if not given
        #[arg(value_name = "REV")]
        revision: Option<String>,
        /// Merged into this branch; the current one if not given
        #[arg(long, value_name = "BRANCH", conflicts_with = "tag")]
        branch: Option<RefName>,
        /// Under this tag
        #[arg(long, value_name = "TAG")]
        tag: Option<RefName>,
    },
    /// Say in words which rules concern a branch
    Explain {
        /// The branch; the current one if not given
        #[arg(long, value_name = "BRANCH")]
        branch: Option<RefName>,
    },
    /// Try a file on its own tests and on every branch, and set nothing
    ///
    /// Exits with 1 if a test of its own fails; if it has none, if a branch would be refused.
    Test {
        /// The file, in TOML
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct Nothing {
    text: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Set { file, dry_run } => set_file(file, *dry_run, context),
        Verb::Show => show_text(context),
        Verb::Check { revision, branch, tag } => {
            let repository = context.open()?;
            let target = match tag {
                Some(tag) => Target::Tag(tag.clone()),
                None => Target::Branch(branch.clone()),
            };
            let revision = revision.as_deref().unwrap_or("HEAD");
            let seen = check(&repository, revision, target).map_err(Failure::from)?;
            context.show("policy.check", &seen, |out| checked(&seen, out))?;
            Ok(if seen.passes { Exit::DONE } else { Exit::NO })
        }
        Verb::Explain { branch } => {
            let repository = context.open()?;
            let seen = explain(&repository, branch.clone()).map_err(Failure::from)?;
            context.show("policy.explain", &seen, |out| explained(&seen, out))?;
            Ok(Exit::DONE)
        }
        Verb::Test { file } => {
            let text = read(file, context)?;
            let repository = context.open()?;
            let seen = test(&repository, &text).map_err(Failure::from)?;
            context.show("policy.test", &seen, |out| tried(&seen, out))?;
            Ok(if seen.ok { Exit::DONE } else { Exit::NO })
        }
    }
}

/// The text of a file, which is no longer than a policy may be.
fn read(file: &Path, context: &Context) -> Result<String, Failure> {
    let path = context.directory.join(file);
    let io = |source| stemmata::repo::Error::Io { path: path.clone(), source };
    let opened = std::fs::File::open(&path).map_err(io)?;
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Usage(format!("{} is not UTF-8 text", file.display())))
}

fn set_file(file: &Path, dry_run: DryRun, context: &Context) -> Outcome {
    let text = read(file, context)?;
    let repository = context.open_to_write(dry_run.dry_run)?;
    let done = set(&repository, &text, dry_run.dry_run).map_err(Failure::from)?;
    context.done("policy.set", &done, |out| {
        let rules = count(done.rules as u64, "rule");
        match (done.changed, done.dry_run) {
            (false, _) => writeln!(out, "The policy is this one already: {rules}"),
            (true, false) => writeln!(out, "Policy {} set: {rules}", &done.digest[..12]),
            (true, true) => writeln!(out, "Would set policy {}: {rules}", &done.digest[..12]),
        }
    })?;
    Ok(Exit::DONE)
}

fn show_text(context: &Context) -> Outcome {
    let repository = context.open()?;
    let Some(seen) = show(&repository).map_err(Failure::from)? else {
        context.show("policy.show", &Nothing { text: None }, |_| Ok(()))?;
        context.tell("this store has no policy; `stem policy set FILE` sets one");
        return Ok(Exit::NO);
    };
    context.show_exactly("policy.show", &seen, |out| out.write_all(seen.text.as_bytes()))?;
    Ok(Exit::DONE)
}

fn lines(missing: &[Missing], out: &mut dyn Write) -> io::Result<()> {
    missing.iter().try_for_each(|one| {
        writeln!(out, "  rule {}: {}", one.rule, one.what)?;
        writeln!(out, "    {}", one.how)
    })
}

fn checked(seen: &Check, out: &mut dyn Write) -> io::Result<()> {
    let at = short(&seen.version);
    let place = format!("{} {}", seen.kind.as_str(), seen.name);
    if seen.policy.is_none() {
        return writeln!(out, "{at} would pass on {place}: this store has no policy");
    }
    if seen.passes {
        let rules = count(seen.rules.len() as u64, "rule");
        return writeln!(out, "{at} would pass on {place}: {rules} asked");
    }
    writeln!(out, "{at} would be refused on {place}:")?;
    seen.rules.iter().try_for_each(|rule| lines(&rule.missing, out))
}

fn explained(seen: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    if seen.policy.is_none() {
        return writeln!(out, "This store has no policy: `stem policy set FILE` sets one");
    }
    for demand in &seen.approvals {
        writeln!(out, "In this store {demand}")?;
    }
    if seen.rules.is_empty() {
        return writeln!(out, "No rule concerns branch {} of {}", seen.branch, seen.dataset);
    }
    writeln!(out, "Rules for branch {} of {}:", seen.branch, seen.dataset)?;
    for rule in &seen.rules {
        writeln!(out, "\n{}, {}:", rule.rule, rule.when)?;
        rule.demands.iter().try_for_each(|demand| writeln!(out, "  {demand}"))?;
    }
    Ok(())
}

fn tried(seen: &Trial, out: &mut dyn Write) -> io::Result<()> {
    for one in &seen.tests {
        match one.ok {
            true => writeln!(out, "ok      test {}: {}", one.name, one.verdict)?,
            false => {
                writeln!(out, "FAILED  test {}: {}, not {}", one.name, one.verdict, one.expected)?;
                lines(&one.missing, out)?;
            }
        }
    }
    for tip in &seen.tips {
        let word = if tip.passes { "pass    " } else { "refuse  " };
        writeln!(out, "{word}{}@{} ({})", tip.dataset, tip.branch, short(&tip.version))?;
        lines(&tip.missing, out)?;
    }
    Ok(())
}
