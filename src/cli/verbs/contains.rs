//! `stem contains`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};

use stemmata::model::FileId;
use stemmata::ops::contains::{Contains, InVersion, contains};

use crate::cli::provenance::plain;
use crate::cli::text::{count, short, short_file};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Find the versions, branches and consumers that have a file's content
///
/// Exits with 1 if no version has it. The first question after new versions reads what changed in
/// them; after that the answer comes from an index.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file on the disk, or an id or its first digits; every one must be found
    #[arg(value_name = "FILE|HASH", required = true)]
    given: Vec<OsString>,
}

/// How many versions of a path are shown, unless `-v` is given.
const SHOWN: usize = 10;

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let seen = contains(&repository, &context.directory, &args.given).map_err(Failure::from)?;
    let most = if context.verbose { usize::MAX } else { SHOWN };
    context.show("contains", &seen, |out| show(&seen, most, out))?;
    Ok(if seen.found { Exit::DONE } else { Exit::NO })
}

fn show(seen: &Contains, most: usize, out: &mut dyn Write) -> io::Result<()> {
    for asked in &seen.files {
        let id = asked.file.as_ref().map(short_file).unwrap_or_else(|| "-".into());
        let given = plain(&asked.given);
        if !asked.found {
            writeln!(out, "{given} ({id}): in no version")?;
            continue;
        }
        writeln!(out, "{given} ({id}):")?;
        let file = asked.file.as_ref();
        for ((dataset, path), versions) in by_path(&seen.versions, file) {
            let number = count(versions.len() as u64, "version");
            writeln!(out, "  {dataset}:{path} in {number}")?;
            // The newest are the last.
            for one in versions.iter().rev().take(most) {
                writeln!(out, "    {}", short(&one.version))?;
            }
            if versions.len() > most {
                writeln!(out, "    and {} more (`-v` lists all)", versions.len() - most)?;
            }
        }
    }
    for branch in &seen.branches {
        let past = if branch.current { "" } else { " (in its past)" };
        writeln!(out, "branch {}@{}{past}", branch.dataset, branch.name)?;
    }
    for used in &seen.consumers {
        let path = used.path.as_ref().map(|path| format!(":{path}")).unwrap_or_default();
        let version = short(&used.version);
        writeln!(out, "consumer {} ({}) {}@{version}{path}", used.name, used.role, used.dataset)?;
    }
    Ok(())
}

fn by_path<'a>(
    versions: &'a [InVersion],
    file: Option<&FileId>,
) -> BTreeMap<(String, String), Vec<&'a InVersion>> {
    let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in versions.iter().filter(|one| Some(&one.file) == file) {
        let key = (one.dataset.to_string(), one.path.show());
        paths.entry(key).or_default().push(one);
    }
    paths
}
