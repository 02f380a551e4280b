//! `stem du`.

use stemmata::ops::du::{du, reclaimable};

use crate::cli::text::{count, duration, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show the space that versions take
///
/// Of one version, or of the whole store if none is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Also what `gc` would remove from the store
    #[arg(long)]
    reclaimable: bool,
    /// With `--reclaimable`: what was needed so short a time ago counts as needed
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = duration)]
    #[arg(requires = "reclaimable")]
    grace: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut seen = du(&repository, args.revision.as_deref()).map_err(Failure::from)?;
    if args.reclaimable {
        seen.reclaimable = Some(reclaimable(&repository, args.grace).map_err(Failure::from)?);
    }
    context.show("du", &seen, |out| {
        let (what, others) = match &seen.version {
            Some(version) => (format!("Version {}", short(version)), "other versions"),
            None => (count(seen.versions, "version"), "several versions"),
        };
        writeln!(out, "{what}: {} of files", size(seen.logical_bytes))?;
        let (objects, packs) = (count(seen.objects, "object"), count(seen.packs, "pack"));
        writeln!(out, "  stored  {:>10}  in {objects} in {packs}", size(seen.stored_bytes))?;
        let alone = if seen.version.is_some() { "only by it" } else { "by one version" };
        writeln!(out, "  unique  {:>10}  needed {alone}", size(seen.unique_bytes))?;
        writeln!(out, "  shared  {:>10}  needed by {others}", size(seen.shared_bytes))?;
        match &seen.reclaimable {
            Some(amount) => {
                let chunks = count(amount.chunks, "chunk");
                writeln!(out, "`stem gc` would delete {} in {chunks}", size(amount.bytes))
            }
            None => Ok(()),
        }
    })?;
    Ok(Exit::DONE)
}
