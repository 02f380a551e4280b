//! `stem ls`.

use std::io::{self, Write};

use stemmata::model::State;
use stemmata::ops::ls::{EntryKind, Ls, ls};
use stemmata::repo::{Repository, split_path};

use crate::cli::text::{path_text, short_file, size};
use crate::cli::{Context, Exit, Failure, Outcome};

/// List the files of a version
///
/// One argument is taken for a revision if it names one, otherwise for a path of the current
/// version, from the top or else from here. `REV:PATH` is understood too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version; the current one if not given
    #[arg(value_name = "REV", value_parser = path_text())]
    revision: Option<String>,
    /// A file or directory of it: from the top, or with `./` and `../` from here
    #[arg(value_name = "PATH", value_parser = path_text())]
    path: Option<String>,
    /// Kind, size and id as well
    #[arg(short = 'l', long)]
    long: bool,
    /// Everything below
    #[arg(short, long)]
    recursive: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (revision, path) = place(args, &repository);
    let seen = ls(&repository, &revision, &path, args.recursive).map_err(Failure::from)?;
    if seen.state != State::Active {
        context.tell(&format!("note: this version is {}", seen.state));
    }
    context.show("ls", &seen, |out| text(&seen, args.long, out))?;
    Ok(Exit::DONE)
}

fn place(args: &Args, repository: &Repository) -> (String, String) {
    let revision = args.revision.clone().unwrap_or_else(|| "HEAD".to_owned());
    if let Some(path) = &args.path {
        return (revision, path.clone());
    }
    if let (revision, Some(path)) = split_path(&revision) {
        return (revision.to_owned(), path.to_owned());
    }
    if repository.resolve(&revision).is_ok() {
        return (revision, String::new());
    }
    // From the top, or else from here.
    let paths = [revision.clone(), format!("./{revision}")];
    match paths.into_iter().find(|path| ls(repository, "HEAD", path, false).is_ok()) {
        Some(path) => ("HEAD".into(), path),
        None => (revision, String::new()),
    }
}

/// The entries, one in a line.
pub(super) fn text(seen: &Ls, long: bool, out: &mut dyn Write) -> io::Result<()> {
    for entry in &seen.entries {
        let slash = if entry.kind == EntryKind::Directory { "/" } else { "" };
        if !long {
            let note = if entry.presence == "present" { "" } else { entry.presence };
            let space = if note.is_empty() { "" } else { "  " };
            writeln!(out, "{}{slash}{space}{note}", entry.path.show())?;
            continue;
        }
        let kind = match entry.kind {
            EntryKind::File => "file",
            EntryKind::Executable => "exec",
            EntryKind::Symlink => "link",
            EntryKind::Directory => "dir",
        };
        let id = entry.file.as_ref().map(short_file).unwrap_or_else(|| "-".into());
        let (size, path) = (size(entry.size), entry.path.show());
        write!(out, "{kind:<4} {size:>10} {id:<12} {path}{slash}")?;
        match (entry.presence, &entry.certificate) {
            ("present", _) => writeln!(out)?,
            (word, Some(certificate)) => writeln!(out, "  {word}, certificate {certificate:.16}")?,
            (word, None) => writeln!(out, "  {word}")?,
        }
    }
    Ok(())
}
