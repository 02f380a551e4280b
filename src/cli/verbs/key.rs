//! `stem key`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use stemmata::model::Author;
use stemmata::ops;
use stemmata::ops::keys::{Exported, Form, KeyInfo, export, generate, list, revoke, trust};
use stemmata::ops::signature::{SignatureStatus, Signing, Verdict, Verified, verify};
use stemmata::repo::{Config, Environment, KeyRole, Place, author_and_origin};
use stemmata::sign::{KeyId, PublicKey};

use crate::cli::args::DryRun;
use crate::cli::output::{Told, wrote};
use crate::cli::text::{moment, short};
use crate::cli::{Context, Exit, Failure, Outcome};

/// Make keys, say whose are trusted, and look at signatures
///
/// Your own keys lie in the directory $STEM_KEYS, or `stem/keys` below your directory for settings,
/// and never in a store. Whom a store trusts is recorded in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a key of your own
    Generate {
        /// What is written beside it; you, if not given
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// List your own keys and those that the store trusts
    List,
    /// Let the store trust a public key
    Trust {
        /// The key as text, a file with it, or the id of a key of your own
        #[arg(value_name = "KEY")]
        key: String,
        /// Whose it is; what stands beside it, if not given
        #[arg(long, value_name = "NAME <MAIL>")]
        identity: Option<Author>,
        /// What it may sign: author (versions and tags, the default), approver (plans of
        /// deletions), custodian (checkpoints and certificates)
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<KeyRole>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// End the store's trust in a key
    Revoke {
        /// Its id
        id: KeyId,
        /// Why
        #[arg(long, value_name = "WHY")]
        reason: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Print a public key
    Export {
        /// Its id
        id: KeyId,
        /// As OpenSSH writes it
        #[arg(long)]
        ssh: bool,
        /// As a line for `ssh-keygen -Y verify -f`
        #[arg(long, conflicts_with = "ssh")]
        allowed_signers: bool,
    },
    /// Judge the signatures of a version and of tags at it; exit with 1 if it is not signed
    Verify {
        /// The version
        #[arg(value_name = "REV", default_value = "HEAD")]
        revision: String,
        /// Exit with 12 if it is not signed by a trusted key
        #[arg(long)]
        require: bool,
        /// Write what is signed and the signatures to DIR, for `ssh-keygen -Y verify`
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// Which key signs, of every verb that signs.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyChoice {
    /// Sign with this key of yours: its id, or its file
    #[arg(long = "key", value_name = "KEY")]
    key: Option<String>,
    /// Do not sign, whatever `commit.sign` says
    #[arg(long, conflicts_with_all = ["sign", "key"])]
    no_sign: bool,
}

impl KeyChoice {
    /// What is meant, if `sign` says that it is to be signed.
    pub(super) fn signing(&self, context: &Context, sign: bool) -> Signing {
        match &self.key {
            _ if self.no_sign => Signing::Never,
            Some(key) => Signing::With(Some(own(context, key))),
            None if sign => Signing::With(None),
            None => Signing::AsSet,
        }
    }
}

/// A key of the user's own as it was named: its id, or its file seen from where the program works.
pub(super) fn own(context: &Context, text: &str) -> String {
    match text.parse::<KeyId>() {
        Ok(id) => id.to_string(),
        Err(_) => context.file(Path::new(text)).to_string_lossy().into_owned(),
    }
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<KeyInfo>,
}

#[derive(Serialize)]
struct Changed {
    key: KeyInfo,
    dry_run: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    match &args.verb {
        Verb::Generate { comment, dry_run } => make(context, comment.as_deref(), dry_run.dry_run)?,
        Verb::List => show_list(context)?,
        Verb::Trust { key, identity, roles, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            let (public, comment) = find(context, key)?;
            let identity = match identity {
                Some(identity) => identity.clone(),
                None => comment.parse().map_err(|_| {
                    Failure::Usage("say whose key it is with `--identity 'Name <mail>'`".into())
                })?,
            };
            let done = trust(&repository, &public, &identity, roles, dry_run);
            changed(context, "key.trust", done, dry_run)?;
        }
        Verb::Revoke { id, reason, dry_run } => {
            let dry_run = dry_run.dry_run;
            let repository = context.open_to_write(dry_run)?;
            changed(context, "key.revoke", revoke(&repository, *id, reason, dry_run), dry_run)?;
        }
        Verb::Export { id, ssh, allowed_signers } => {
            let form = match (ssh, allowed_signers) {
                (true, _) => Form::Ssh,
                (_, true) => Form::AllowedSigners,
                _ => Form::Own,
            };
            let done: Exported = export(&known(context)?, *id, form).map_err(Failure::from)?;
            context.show("key.export", &done, |out| writeln!(out, "{}", done.line))?;
        }
        Verb::Verify { revision, require, output, dry_run } => {
            let repository = context.open()?;
            let directory = output.as_ref().map(|path| context.file(path));
            let dry_run = dry_run.dry_run;
            let seen = verify(&repository, revision, directory.as_deref(), dry_run);
            let seen = seen.map_err(Failure::from)?;
            let told = Told { answer: &seen, dry_run };
            context.show("key.verify", &told, |out| show_verified(&told, out))?;
            return Ok(match (seen.ok, require) {
                (true, _) => Exit::DONE,
                (false, true) => Exit::NOT_ALLOWED,
                (false, false) => Exit::NO,
            });
        }
    }
    Ok(Exit::DONE)
}

fn make(context: &Context, comment: Option<&str>, dry_run: bool) -> Result<(), Failure> {
    let environment = context.environment()?;
    let comment = match comment {
        Some(comment) => comment.to_owned(),
        None => whoever(context, &environment)?,
    };
    let done = generate(&environment, &comment, dry_run).map_err(Failure::from)?;
    context.show("key.generate", &done, |out| match &done.key {
        Some(key) => {
            writeln!(out, "{}", key.public.to_line(&comment))?;
            writeln!(out, "  key {} in {}", key.id, done.directory.display())
        }
        None => writeln!(out, "Would make a key in {}", done.directory.display()),
    })
}

/// The user, as a new version would name them.
fn whoever(context: &Context, environment: &Environment) -> Result<String, Failure> {
    let config: Option<Config> = Place::find(&context.directory).ok().map(|(_, config)| config);
    let found = author_and_origin(&context.directory, config.as_ref(), environment)?;
    Ok(found.map(|(author, _)| author.to_string()).unwrap_or_default())
}

/// The user's keys, and those of the store if there is one here.
fn known(context: &Context) -> Result<Vec<KeyInfo>, Failure> {
    let environment = context.environment()?;
    let repository = context.open_if_any()?;
    list(&environment, repository.as_ref()).map_err(Failure::from)
}

fn show_list(context: &Context) -> Result<(), Failure> {
    let seen = Keys { keys: known(context)? };
    context.show("key.list", &seen, |out| {
        for key in &seen.keys {
            let whose = key.identity.as_deref().or(key.comment.as_deref()).unwrap_or_default();
            writeln!(out, "{}  {whose}  {}", key.id, standing(key))?;
        }
        Ok(())
    })
}

/// `yours, trusted as author since …`.
fn standing(key: &KeyInfo) -> String {
    let mut words = Vec::new();
    if key.path.is_some() {
        words.push("yours".to_owned());
    }
    if let Some(since) = key.since {
        let roles: Vec<_> = key.roles.iter().map(|role| role.as_str()).collect();
        words.push(format!("trusted as {} since {}", roles.join(", "), moment(since)));
    }
    if let Some(revoked) = &key.revoked {
        words.push(format!("revoked {}: {}", moment(revoked.time), revoked.reason));
    }
    words.join("; ")
}

fn changed(
    context: &Context,
    verb: &str,
    done: ops::Result<KeyInfo>,
    dry_run: bool,
) -> Result<(), Failure> {
    let done = Changed { key: done.map_err(Failure::from)?, dry_run };
    context.done(verb, &done, |out| {
        let key = &done.key;
        let would = if dry_run { "Would be: " } else { "" };
        let whose = key.identity.as_deref().unwrap_or_default();
        writeln!(out, "{would}{}  {whose}  {}", key.id, standing(key))
    })
}

/// The public key that `text` is or names, and what stands beside it.
pub(super) fn find(context: &Context, text: &str) -> Result<(PublicKey, String), Failure> {
    if let Ok(id) = text.parse::<KeyId>() {
        let own = list(&context.environment()?, None).map_err(Failure::from)?.into_iter();
        let key = own.into_iter().find(|key| key.id == id);
        let key = key.ok_or(ops::Error::NoKey(id)).map_err(Failure::from)?;
        return Ok((key.public, key.comment.unwrap_or_default()));
    }
    let line = match text.split_once(' ') {
        Some(_) => text.to_owned(),
        None => {
            let path = context.file(Path::new(text));
            std::fs::read_to_string(&path)
                .map_err(|source| stemmata::repo::Error::Io { path, source })?
        }
    };
    let read = PublicKey::from_line(&line);
    read.map_err(|error| Failure::Repo(stemmata::repo::Error::Sign(error)))
}

fn show_verified(told: &Told<'_, Verified>, out: &mut dyn Write) -> io::Result<()> {
    let seen = told.answer;
    if seen.signatures.is_empty() {
        writeln!(out, "{} is not signed", short(&seen.version))?;
    }
    for signature in &seen.signatures {
        writeln!(out, "{}", judged(signature))?;
    }
    for path in &seen.written {
        let verb = wrote(told.dry_run);
        writeln!(out, "{verb} {}", path.display())?;
    }
    Ok(())
}

/// What a signature is worth, as one line.
pub(super) fn judged(signature: &SignatureStatus) -> String {
    let mut text = signature.verdict.as_str().to_owned();
    if let Some(tag) = &signature.tag {
        text.push_str(&format!(", tag {tag}"));
    }
    if let Some(signer) = &signature.signer {
        text.push_str(&format!(", {signer}"));
    }
    if let Some(key) = &signature.key {
        text.push_str(&format!(", key {key}"));
    }
    if let Some(problem) = &signature.problem {
        text.push_str(&format!(": {problem}"));
    }
    if signature.verdict == Verdict::Revoked && signature.before_revocation {
        text.push_str(" (recorded before that)");
    }
    text
}
