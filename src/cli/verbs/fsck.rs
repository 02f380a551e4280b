//! `stem fsck`.

use std::io::{self, Write};

use stemmata::ops::fsck::{Damage, Depth, Fsck, fsck};
use stemmata::repo::{Rebuilt, rebuild, rehearse_rebuild};

use crate::cli::args::DryRun;
use crate::cli::provenance::plain;
use crate::cli::text::{count, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Check that everything is there and unchanged
///
/// Checks the catalogue, every pack's table, and that every object is there which any version or
/// worktree needs. Says what is damaged or missing, and which paths and versions need it; ends
/// with 13 if anything is. Repairs nothing, except with `--rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check only the catalogue, and that every pack is there
    #[arg(long, conflicts_with = "read_data")]
    quick: bool,
    /// Also read and hash every byte of every pack
    #[arg(long)]
    read_data: bool,
    /// Also hash every file whole that is made of several chunks: reads again what versions share
    #[arg(long, conflicts_with = "quick")]
    read_files: bool,
    /// First make the catalogue again from the packs and the copy of the journal
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// So much of a list is shown to a person.
const SHOWN: usize = 20;

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let depth = match (args.quick, args.read_data) {
        _ if args.read_files => Depth::ReadFiles,
        (true, _) => Depth::Quick,
        (_, true) => Depth::ReadData,
        _ => Depth::Objects,
    };
    if args.rebuild && args.dry_run.dry_run {
        let rebuilt = Some(rehearse_rebuild(&context.directory, &context.environment()?)?);
        let seen = Fsck { rebuilt, ok: true, ..Fsck::default() };
        context.show("fsck", &seen, |out| show_rebuilt(seen.rebuilt.as_ref(), out))?;
        return Ok(Exit::DONE);
    }
    let rebuilt = match args.rebuild {
        true => Some(rebuild(&context.directory, &context.environment()?)?),
        false => None,
    };
    let repository = context.open()?;
    let mut seen = fsck(&repository, depth).map_err(Failure::from)?;
    seen.rebuilt = rebuilt;
    context.show("fsck", &seen, |out| show(&seen, out))?;
    Ok(if seen.ok { Exit::DONE } else { Exit::DAMAGED })
}

fn show(seen: &Fsck, out: &mut dyn Write) -> io::Result<()> {
    show_rebuilt(seen.rebuilt.as_ref(), out)?;
    show_list("damaged", &seen.damaged, out)?;
    show_list("missing", &seen.missing, out)?;
    if !seen.strangers.is_empty() {
        let files = count(seen.strangers.len() as u64, "file");
        writeln!(out, "{files} among the packs belong to no version; `stem gc` removes them")?;
    }
    let checked = &seen.checked;
    write!(
        out,
        "Checked {}, {}, {}, {}",
        count(checked.versions, "version"),
        count(checked.files, "file"),
        count(checked.chunks, "chunk"),
        count(checked.packs, "pack"),
    )?;
    if checked.bytes > 0 {
        write!(out, ", {} read", size(checked.bytes))?;
    }
    if seen.erased > 0 {
        write!(out, ", {} gone by design", count(seen.erased, "file"))?;
    }
    let wrong = (seen.damaged.len() + seen.missing.len()) as u64;
    match seen.ok {
        true => writeln!(out, ": all is well"),
        false => writeln!(out, ": {} wrong", count(wrong, "thing")),
    }
}

fn show_rebuilt(rebuilt: Option<&Rebuilt>, out: &mut dyn Write) -> io::Result<()> {
    let Some(rebuilt) = rebuilt else { return Ok(()) };
    let (entries, versions) = (rebuilt.entries, count(rebuilt.versions, "version"));
    let entries = format!("{} of the journal", count(entries, "change"));
    let made = if rebuilt.dry_run { "Would make" } else { "Made" };
    writeln!(out, "{made} the catalogue again from {entries} and {versions}")?;
    if let Some(problem) = &rebuilt.problem {
        writeln!(out, "  the old one: {problem}")?;
    }
    match &rebuilt.kept {
        Some(kept) => writeln!(out, "  kept the old one as {}", kept.display()),
        None => Ok(()),
    }
}

fn show_list(what: &str, list: &[Damage], out: &mut dyn Write) -> io::Result<()> {
    for damage in list.iter().take(SHOWN) {
        write!(out, "{what}: {} {}", damage.kind, damage.id)?;
        if let Some(pack) = damage.pack.filter(|pack| pack.to_string() != damage.id) {
            write!(out, " in pack {pack}")?;
        }
        writeln!(out, ": {}", damage.problem)?;
        for path in damage.paths.iter().take(3) {
            writeln!(out, "  needed by {}", plain(path))?;
        }
        if damage.paths.len() > 3 {
            writeln!(out, "  and by {} more", damage.paths.len() - 3)?;
        }
        if !damage.versions.is_empty() {
            writeln!(out, "  in {}", count(damage.versions.len() as u64, "version"))?;
        }
    }
    if list.len() > SHOWN {
        writeln!(out, "{what}: and {} more; `--json` lists all", list.len() - SHOWN)?;
    }
    Ok(())
}
