//! `stem import`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use stemmata::model::RepoPath;
use stemmata::ops;
use stemmata::ops::import_git::{Import, ImportOptions, Moved, Reference, import};

use crate::cli::args::DryRun;
use crate::cli::text::{count, number, short, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Bring in data and its history from elsewhere
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, clap::Subcommand)]
enum From {
    Git(GitArgs),
}

/// Make every commit of a Git repository a version
///
/// Authors, times, messages, merges, branches and tags are kept, and every version says which
/// commit it was. The same command again imports what is new. Nothing in the Git repository is
/// changed. Submodules, links that lead out of the repository, and names that a dataset cannot
/// have are left out, and listed.
#[derive(Debug, clap::Args)]
struct GitArgs {
    /// The top of a Git repository on this machine, or a bare one
    #[arg(value_name = "REPO")]
    repository: PathBuf,
    /// Only these commits, as `git rev-list` takes them: `main`, `v1..v2`, `main ^old`
    #[arg(long, value_name = "RANGE")]
    rev: Option<String>,
    /// Only the files below this directory of the Git repository
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.from {
        From::Git(args) => git(args, context),
    }
}

fn git(args: &GitArgs, context: &Context) -> Outcome {
    let dry_run = args.dry_run.dry_run;
    let repository = context.open_to_write(dry_run)?;
    let options = ImportOptions {
        source: context.directory.join(&args.repository),
        range: args.rev.clone(),
        directory: args.path.as_deref().map(directory).transpose()?.flatten(),
        dry_run,
    };
    let done = import(&repository, &options).map_err(Failure::from)?;
    const MOST: usize = 20;
    for left in done.left_out.iter().take(MOST) {
        context.warn(&format!("left out {}: {}", left.path, left.why));
    }
    if done.left_out.len() > MOST {
        let more = done.left_out.len() - MOST;
        context.warn(&format!("left out {more} more; `--json` lists them all"));
    }
    context.show("import", &done, |out| show(&done, context.verbose, out))?;
    Ok(Exit::done_unless(done.is_partial()))
}

/// A directory of the Git repository; none for its top.
fn directory(given: &Path) -> Result<Option<RepoPath>, Failure> {
    use std::os::unix::ffi::OsStrExt;
    let parts = given.components().filter(|part| *part != std::path::Component::CurDir);
    let plain: PathBuf = parts.collect();
    if plain.as_os_str().is_empty() {
        return Ok(None);
    }
    let path = RepoPath::new(plain.as_os_str().as_bytes());
    Ok(Some(path.map_err(ops::Error::Path)?))
}

fn show(done: &Import, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let verb = if done.dry_run { "Would import" } else { "Imported" };
    let already = match done.already {
        0 => String::new(),
        already => format!(", {} were here already", number(already)),
    };
    writeln!(out, "{verb} {}{already}", count(done.commits, "commit"))?;
    if done.cut > 0 {
        let begin = count(done.cut, "version");
        writeln!(out, "  history begins anew at {begin}: the range leaves out what came before")?;
    }
    if done.files > 0 {
        let (bytes, new) = (size(done.bytes), size(done.new_bytes));
        writeln!(out, "  {} ({bytes}) read, {new} new in the store", count(done.files, "file"))?;
    }
    for (what, references) in [("branch", &done.branches), ("tag", &done.tags)] {
        list(what, references, verbose, out)?;
    }
    match (&done.branch, &done.head) {
        _ if done.dry_run => Ok(()),
        (Some(branch), Some(head)) => writeln!(
            out,
            "On branch {branch} at {}; {} written, {} removed",
            short(head),
            count(done.written, "file"),
            number(done.removed)
        ),
        (Some(branch), None) => {
            writeln!(out, "On branch {branch}, no version yet; `stem switch` goes to another")
        }
        (None, _) => Ok(()),
    }
}

/// The branches or tags that have moved, or all of them; a few, unless all are asked for.
fn list(
    what: &str,
    references: &[Reference],
    verbose: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    const MOST: usize = 10;
    let shown: Vec<_> =
        references.iter().filter(|one| verbose || one.change != Moved::Unchanged).collect();
    let most = if verbose { usize::MAX } else { MOST };
    for one in shown.iter().take(most) {
        let version = one.version.as_ref().map(|id| format!(" {}", short(id))).unwrap_or_default();
        let change = match one.change {
            Moved::Created => "new",
            Moved::Forwarded => "moved on",
            Moved::Unchanged => "as before",
            Moved::Ahead => "has later versions here",
            Moved::Kept => "stays where it was",
        };
        writeln!(out, "  {what:<6} {}{version} ({change})", one.name)?;
    }
    if shown.len() > most {
        writeln!(out, "  and {} more of this kind", number((shown.len() - most) as u64))?;
    }
    Ok(())
}
