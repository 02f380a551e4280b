//! `stem status`.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use stemmata::ops::diff::Kind;
use stemmata::ops::pin::PinState;
use stemmata::ops::status::{Changed, Status, StatusOptions, status};

use crate::cli::provenance::plain;
use crate::cli::text::short;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show what has changed and is not in a version yet
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these files and directories
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// One line for each path, in a form that never changes
    #[arg(long)]
    porcelain: bool,
    /// As `--porcelain`, with lines that end in NUL and paths as they are
    #[arg(short)]
    z: bool,
    /// Exit with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
    /// Read every file instead of trusting size and times
    #[arg(long)]
    verify: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let paths = context.paths(&repository, &args.paths)?;
    let options = StatusOptions { paths, tracked_only: false, verify: args.verify };
    let seen = status(&repository, &options).map_err(Failure::from)?;
    if args.z {
        context.show_exactly("status", &seen, |out| porcelain(&seen, true, out))?;
    } else if args.porcelain {
        context.show("status", &seen, |out| porcelain(&seen, false, out))?;
    } else {
        context.show("status", &seen, |out| long(&seen, out))?;
    }
    Ok(if args.exit_code && !seen.clean { Exit::NO } else { Exit::DONE })
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Added => 'A',
        Kind::Modified => 'M',
        Kind::Deleted => 'D',
        Kind::Renamed => 'R',
    }
}

/// `XY path`: X what is staged, Y what is not; `??` for files that are not tracked; `UU` for
/// conflicts. A renamed path is followed by where it was.
fn porcelain(seen: &Status, z: bool, out: &mut dyn Write) -> io::Result<()> {
    /// The two letters, and where the path was.
    type Line<'a> = (char, char, Option<&'a [u8]>);
    let mut lines: std::collections::BTreeMap<&[u8], Line<'_>> = Default::default();
    for change in &seen.staged {
        let from = change.from.as_ref().map(|path| path.as_bytes());
        lines.insert(change.path.as_bytes(), (letter(change.change), ' ', from));
    }
    for change in &seen.changed {
        let line = lines.entry(change.path.as_bytes()).or_insert((' ', ' ', None));
        line.1 = letter(change.change);
    }
    for path in &seen.conflicts {
        lines.insert(path.as_bytes(), ('U', 'U', None));
    }
    for change in &seen.untracked {
        lines.entry(change.path.as_bytes()).or_insert(('?', '?', None));
    }
    for (path, (x, y, from)) in lines {
        write!(out, "{x}{y} ")?;
        if z {
            out.write_all(path)?;
            out.write_all(b"\0")?;
            if let Some(from) = from {
                out.write_all(from)?;
                out.write_all(b"\0")?;
            }
            continue;
        }
        let show = stemmata::model::RepoPath::show_bytes;
        match from {
            Some(from) => writeln!(out, "{} -> {}", show(from), show(path))?,
            None => writeln!(out, "{}", show(path))?,
        }
    }
    Ok(())
}

fn long(seen: &Status, out: &mut dyn Write) -> io::Result<()> {
    match (&seen.branch, &seen.head) {
        (Some(branch), Some(head)) => {
            writeln!(out, "On branch {branch} of {} at {}", seen.dataset, short(head))?;
        }
        (Some(branch), None) => {
            writeln!(out, "On branch {branch} of {}, no version yet", seen.dataset)?;
        }
        (None, head) => {
            let head = head.as_ref().map(short).unwrap_or_default();
            writeln!(out, "On no branch, at {head} of {}", seen.dataset)?;
        }
    }
    if let (Some(branch), Some(tip)) = (&seen.branch, &seen.moved_to) {
        let tip = short(tip);
        writeln!(
            out,
            "Another worktree has moved {branch} to {tip}: `stem switch {branch}` goes there"
        )?;
    }
    if let Some(pin) = &seen.pin {
        show_pin(pin, seen, out)?;
    }
    if let Some(operation) = seen.operation {
        let verb = operation.as_str();
        writeln!(out, "A {verb} is under way: `stem {verb} --continue` or `--abort` ends it")?;
    }
    if let Some(start) = &seen.bisect_from {
        let start = start.get(..12).filter(|_| start.len() == 64).unwrap_or(start);
        writeln!(out, "A bisect is under way: `stem bisect reset` goes back to {start}")?;
    }
    let green = AnsiColor::Green.on_default();
    let red = AnsiColor::Red.on_default();
    if !seen.conflicts.is_empty() {
        writeln!(out, "\nIn conflict (edit, then `stem add`):")?;
        for path in &seen.conflicts {
            writeln!(out, "  {red}both      {}{red:#}", path.show())?;
        }
    }
    section(out, "Staged for the next version:", &seen.staged, green)?;
    section(out, "Changed and not staged (`stem add`):", &seen.changed, red)?;
    section(out, "Not tracked (`stem add`):", &seen.untracked, red)?;
    for odd in &seen.odd {
        writeln!(out, "\nCannot be tracked: {}: {}", plain(&odd.path), odd.problem)?;
    }
    if seen.clean {
        writeln!(out, "Nothing to commit, the files are as in the version")?;
    }
    Ok(())
}

fn show_pin(pin: &PinState, seen: &Status, out: &mut dyn Write) -> io::Result<()> {
    let file = pin.path.file_name().unwrap_or_default().to_string_lossy();
    match (&pin.problem, &pin.version) {
        (Some(problem), _) => writeln!(out, "pin: {file} cannot be used: {problem}"),
        (None, Some(version)) if pin.moved => {
            let at = seen.head.as_ref().map_or("no version yet".into(), short);
            let pinned = short(version);
            writeln!(
                out,
                "pin: {file} names {pinned}, the worktree is at {at}: `stem checkout` goes there, \
                 `stem git-pin` names this one"
            )
        }
        _ => Ok(()),
    }
}

/// So many paths are shown one by one.
const MOST: usize = 50;

fn section(out: &mut dyn Write, title: &str, changes: &[Changed], style: Style) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for change in changes.iter().take(MOST) {
        let word = match change.change {
            Kind::Added => "added",
            Kind::Modified => "modified",
            Kind::Deleted => "deleted",
            Kind::Renamed => "renamed",
        };
        let from = match &change.from {
            Some(from) => format!("{} -> ", from.show()),
            None => String::new(),
        };
        writeln!(out, "  {style}{word:<9} {from}{}{style:#}", change.path.show())?;
    }
    if changes.len() > MOST {
        let more = changes.len() - MOST;
        writeln!(out, "  and {more} more (`stem status --porcelain` lists all)")?;
    }
    Ok(())
}
