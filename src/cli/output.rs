//! Documents that are made to be handed over: to a file that the user names, or to the screen.

use std::path::Path;

use serde::Serialize;
use stemmata::ops::outfile;

use super::{Context, Failure};

/// An answer that also says whether it only tells what would be done.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a, T> {
    #[serde(flatten)]
    pub(crate) answer: &'a T,
    pub(crate) dry_run: bool,
}

/// Writes `text` to `file`, or as the answer. With `--json` the answer is `data`, and the file is
/// written as well. A dry run writes no file, and fails where the file could not be made.
pub(crate) fn deliver<T: Serialize>(
    context: &Context,
    verb: &str,
    file: Option<&Path>,
    data: &T,
    text: &str,
    dry_run: bool,
) -> Result<(), Failure> {
    let data = &Told { answer: data, dry_run };
    let Some(file) = file else {
        return context.show_exactly(verb, data, |out| out.write_all(text.as_bytes()));
    };
    must_be_free(context, file)?;
    if !dry_run {
        outfile::write(&context.file(file), text.as_bytes()).map_err(Failure::from)?;
    }
    context.done(verb, data, |out| writeln!(out, "{} {}", wrote(dry_run), file.display()))
}

/// What an answer says of files.
pub(crate) fn wrote(dry_run: bool) -> &'static str {
    if dry_run { "Would write" } else { "Wrote" }
}

/// Fails if there is something with the name of a file that is to be made.
pub(crate) fn must_be_free(context: &Context, file: &Path) -> Result<(), Failure> {
    match context.file(file).symlink_metadata() {
        Ok(_) => Err(Failure::Usage(format!("{} is there already", file.display()))),
        Err(_) => Ok(()),
    }
}
