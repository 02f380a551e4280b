//! `stem certificate`.

use std::io::{self, Write};
use std::path::PathBuf;

use stemmata::ops::erase::{CheckOptions, Checked, certifiers, check, find, html, page, peek};
use stemmata::repo::papers::read_file;
use stemmata::sign::PublicKey;

use crate::cli::text::count;
use crate::cli::{Context, Exit, Failure, Outcome};

/// Show and check certificates of erasure
///
/// `verify` needs nothing but the certificate and the public key, and no repository; with `--store`
/// it looks through the store again, byte by byte.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show what a certificate says, on one page; nothing is checked
    Show {
        /// A file, or in a repository the id of the plan
        #[arg(value_name = "CERT")]
        certificate: String,
        /// As HTML
        #[arg(long)]
        html: bool,
    },
    /// Check a certificate
    Verify {
        /// A file, or in a repository the id of the plan
        #[arg(value_name = "CERT")]
        certificate: String,
        /// The public key, or a file with it; those that the repository trusts if not given
        #[arg(long, value_name = "PUB")]
        key: Option<String>,
        /// Look through this store too
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Show { certificate, html: as_html } => {
            let statement = peek(&place(context, certificate)?).map_err(Failure::from)?;
            let text = if *as_html { html(&statement) } else { page(&statement) };
            context.show("certificate.show", &statement, |out| out.write_all(text.as_bytes()))?;
            Ok(Exit::DONE)
        }
        Verb::Verify { certificate, key, store } => {
            let keys = match key {
                Some(key) => vec![public(context, key)?],
                None => trusted(context)?,
            };
            let store = store.as_ref().map(|store| context.directory.join(store));
            let file = place(context, certificate)?;
            let seen = check(&CheckOptions { file, store, device: None }, &keys);
            let seen = seen.map_err(Failure::from)?;
            context.show("certificate.verify", &seen, |out| verdict(&seen, out))?;
            Ok(match (seen.ok, seen.signature.as_str()) {
                (true, _) => Exit::DONE,
                (false, "valid") => Exit::NO,
                (false, _) => Exit::NOT_ALLOWED,
            })
        }
    }
}

/// The keys whose word the repository takes.
fn trusted(context: &Context) -> Result<Vec<PublicKey>, Failure> {
    let Some(repository) = context.open_if_any()? else {
        let said = "there is no repository here that says which keys it trusts".into();
        let hint = "`--key` takes the public key that must have signed, or a file with it".into();
        return Err(Failure::Unknown { said, hint });
    };
    Ok(certifiers(&repository)?)
}

/// The file of a certificate.
fn place(context: &Context, text: &str) -> Result<PathBuf, Failure> {
    let path = context.directory.join(text);
    if path.is_file() {
        return Ok(path);
    }
    match context.open_if_any()? {
        Some(repository) => Ok(find(&repository, text)?),
        // Says that it is not there.
        None => Ok(read_file(&path).map(|_| path)?),
    }
}

/// A public key: as one line, or in a file.
pub(super) fn public(context: &Context, text: &str) -> Result<PublicKey, Failure> {
    let path = context.directory.join(text);
    let line = if path.is_file() {
        String::from_utf8_lossy(&read_file(&path)?).into_owned()
    } else {
        text.to_owned()
    };
    let read = PublicKey::from_line(&line);
    Ok(read.map_err(stemmata::ops::Error::from)?.0)
}

/// What came of a check.
pub(super) fn verdict(seen: &Checked, out: &mut dyn Write) -> io::Result<()> {
    if let Some(signer) = &seen.signer {
        writeln!(out, "signed by key {signer}")?;
    }
    if let Some(certificate) = &seen.certificate {
        let files = count(seen.subject.len() as u64, "erased file");
        let status = seen.status.as_deref().unwrap_or("?");
        writeln!(out, "certificate {certificate:.16} of {files}, {status}")?;
    }
    if seen.store_checked {
        writeln!(out, "the store was looked through again")?;
    }
    for one in &seen.waiting {
        writeln!(out, "waits for {one}")?;
    }
    for problem in &seen.problems {
        writeln!(out, "problem: {problem}")?;
    }
    writeln!(out, "{}", if seen.ok { "It holds" } else { "It does not hold" })
}
