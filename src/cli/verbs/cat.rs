//! `stem cat`.

use std::io::{self, Write};

use stemmata::ops::cat::{ByteRange, cat};
use stemmata::repo::Repository;

use crate::cli::text::path_text;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Write a file of a version to stdout
///
/// Every piece is checked before it is passed on, and only what is asked for is read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "REV:PATH", value_parser = path_text())]
    target: String,
    /// Only these bytes, counted from 0 and with both ends: `0-99`, `100-`, or `-100` for the last
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if !args.target.contains(':') {
        let given = &args.target;
        let text = format!("`{given}` names no file: write `REV:PATH`, such as `HEAD:{given}`");
        return Err(Failure::Usage(text));
    }
    let repository = context.open()?;
    pass_on(context, &repository, &args.target, args.range)
}

/// Writes a file to stdout as it is.
pub(super) fn pass_on(
    _: &Context,
    repository: &Repository,
    target: &str,
    range: Option<ByteRange>,
) -> Outcome {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    cat(repository, target, range, &mut out).map_err(Failure::from)?;
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Answer(error)),
        _ => Ok(Exit::DONE),
    }
}
