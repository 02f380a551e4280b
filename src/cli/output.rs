//! Documents that are made to be handed over: to a file that the user names, or to the screen.

use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::{Context, Failure};

/// Writes `text` to `file`, or as the answer. With `--json` the answer is `data`, and the file is
/// written as well.
pub(crate) fn deliver<T: Serialize>(
    context: &Context,
    verb: &str,
    file: Option<&Path>,
    data: &T,
    text: &str,
) -> Result<(), Failure> {
    let Some(file) = file else {
        return context.show_exactly(verb, data, |out| out.write_all(text.as_bytes()));
    };
    let path = context.directory.join(file);
    write(&path, text.as_bytes()).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Usage(format!("{} is there already", file.display()))
        }
        _ => Failure::Repo(stemmata::repo::Error::Io { path: path.clone(), source }),
    })?;
    context.done(verb, data, |out| writeln!(out, "Wrote {}", file.display()))
}

/// Makes the file; what is there already is left alone.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
