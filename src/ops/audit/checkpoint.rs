//! Signing how far the journal has come.

use std::path::PathBuf;

use serde::Serialize;

use super::verify::walk;
use super::{Result, VerifyOptions, verify};
use crate::catalogue::{self, Change};
use crate::model::{Record, RecordKind};
use crate::repo::{KeyRole, Repository, Transaction, trusted_keys};
use crate::sign::KeyId;
use crate::sign::checkpoint::Checkpoint;

/// A checkpoint that was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The name of the journal.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The hash of the last of them.
    pub head: String,
    /// The key that signs.
    pub key: KeyId,
    /// Whether the store trusts that key as custodian.
    pub trusted: bool,
    /// The signed note; none if nothing was done.
    pub note: Option<String>,
    /// Where it is kept.
    pub path: Option<PathBuf>,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// Signs the head of the journal with a key of the user's own, keeps the signed note beside the
/// catalogue and records it. A journal that does not verify is not signed.
///
/// # Errors
///
/// [`catalogue::Error::BadJournal`]; no key to sign with; what keeps the note from being written.
pub fn checkpoint(repository: &Repository, key: Option<&str>, dry_run: bool) -> Result<Made> {
    let signer = repository.signer(key)?;
    let report = verify(repository, &VerifyOptions::default())?;
    if !report.ok {
        let doubtful = report.checkpoints.iter().find(|one| !one.ok);
        let problem = report.problem.or_else(|| doubtful.and_then(|one| one.problem.clone()));
        let number = report.first_bad.unwrap_or(report.head_number);
        let problem = problem.unwrap_or_default();
        return Err(catalogue::Error::BadJournal { number, problem }.into());
    }
    let walked = walk([report.entries], |each| repository.catalogue.check_journal(each))?;
    let size = report.entries;
    let root = walked.roots.get(&size).copied().ok_or(catalogue::Error::Moved {
        what: "the journal".into(),
        expected: size.to_string(),
        found: walked.report.entries.to_string(),
    })?;
    let checkpoint = Checkpoint { origin: report.origin, size, root };
    let public = signer.key.public();
    let custodian = trusted_keys(&repository.catalogue)?.into_iter().any(|key| {
        key.public == public && key.revoked.is_none() && key.roles.contains(&KeyRole::Custodian)
    });
    let mut made = Made {
        origin: checkpoint.origin.clone(),
        size,
        head: report.head,
        key: public.id(),
        trusted: custodian,
        note: None,
        path: None,
        dry_run,
    };
    if dry_run {
        return Ok(made);
    }
    let note = checkpoint.sign(&signer.key)?;
    made.path = Some(repository.place.keep_checkpoint(size, public.id(), &note)?);
    let mut record = Record::new(RecordKind::Checkpoint);
    record.name = Some(public.id().to_string());
    record.text = Some(note.clone());
    let changes = vec![Change::Recorded { record }];
    let transaction = Transaction { changes, ..Transaction::default() };
    repository.change("audit-checkpoint", &made.origin, None, transaction)?;
    made.note = Some(note);
    Ok(made)
}
