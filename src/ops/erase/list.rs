//! Plans and what became of them; taking an erasure's ban back.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::plan::{PLANS, Planned, blocked};
use super::run::load;
use crate::catalogue::{Change, RecordFilter};
use crate::model::{FileId, Presence, Record, RecordKind, Time};
use crate::ops::error::must_say;
use crate::ops::{Error, Result};
use crate::repo::{KeyRole, Repository, Transaction, trusted_keys};

/// A plan, or an erasure.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The plan's id.
    pub plan: String,
    /// `made`, `approved`, `frozen`, `rewritten`, `final` or `pending`.
    pub state: String,
    /// When it came to be so.
    pub time: Time,
    /// Why.
    pub reason: String,
    /// How many files.
    pub files: u64,
}

/// Every plan that there is, oldest first.
///
/// # Errors
///
/// The catalogue's.
pub fn list(repository: &Repository) -> Result<Vec<Listed>> {
    let mut states: BTreeMap<String, (u64, String, Time)> = BTreeMap::new();
    for kind in [RecordKind::Plan, RecordKind::Erasure] {
        let filter = RecordFilter { kind: Some(kind), ..RecordFilter::default() };
        for row in repository.catalogue.records(&filter)? {
            let Record { name, text, body, .. } = row.record;
            let (plan, state) = match kind {
                RecordKind::Erasure => (name, text),
                _ => (body.get("plan").and_then(Value::as_str).map(str::to_owned), name),
            };
            if let (Some(plan), Some(state)) = (plan, state)
                && states.get(&plan).is_none_or(|(number, _, _)| *number < row.number)
            {
                states.insert(plan, (row.number, state, row.time));
            }
        }
    }
    let mut listed = Vec::new();
    for (id, (number, state, time)) in states {
        let Ok((plan, found)) = load(repository, &id) else { continue };
        let files = found.found.targets.len() as u64;
        listed.push((number, Listed { plan, state, time, reason: found.reason, files }));
    }
    listed.sort_by_key(|(number, _)| *number);
    Ok(listed.into_iter().map(|(_, one)| one).collect())
}

/// A plan, with what stands in its way now.
///
/// # Errors
///
/// [`Error::NoPlan`], [`Error::BadPlan`].
pub fn show(repository: &Repository, plan: &str) -> Result<Planned> {
    let (id, plan) = load(repository, plan)?;
    let (holds, blocked_by) = blocked(repository, &plan)?;
    let path = repository.papers(PLANS).path(&format!("{id}.json")).display().to_string();
    let plan = plan.view();
    Ok(Planned { id, plan, holds, blocked_by, path: Some(path), dry_run: false })
}

/// The bytes of a plan, for a copy elsewhere.
///
/// # Errors
///
/// As [`show`].
pub fn document(repository: &Repository, plan: &str) -> Result<Vec<u8>> {
    load(repository, plan)?.1.to_bytes()
}

/// An erasure whose ban was taken back: its content may be added again.
#[derive(Debug, Serialize)]
pub struct Lifted {
    /// The files.
    pub files: Vec<FileId>,
    /// Why.
    pub reason: String,
    /// The key that allowed it.
    pub key: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Allows that files are added again: those of a certificate, or one file. What was erased stays
/// gone until somebody adds it.
///
/// # Errors
///
/// [`Error::NotEntitled`] unless the key is a trusted custodian's; [`Error::NoCertificate`].
pub fn lift(
    repository: &Repository,
    what: &str,
    reason: &str,
    key: Option<&str>,
    dry_run: bool,
) -> Result<Lifted> {
    must_say("--reason", reason)?;
    let signer = repository.signer(key)?;
    let (public, number) = (signer.key.public(), repository.catalogue.journal_head()?.number);
    let entitled = trusted_keys(&repository.catalogue)?.into_iter().any(|key| {
        key.public == public && key.roles.contains(&KeyRole::Custodian) && key.is_trusted_at(number)
    });
    if !entitled {
        return Err(Error::NotEntitled(format!("key {} is no custodian's here", public.id())));
    }
    let overlay = repository.overlay();
    let mut gone: Vec<(FileId, Presence)> = overlay
        .files()
        .filter(|(file, presence)| {
            let certificate = presence.certificate();
            let long = what.len() >= 4;
            certificate.is_some_and(|id| long && id.starts_with(what)) || file.to_hex() == what
        })
        .map(|(file, presence)| (*file, presence.clone()))
        .collect();
    gone.retain(|(_, presence)| presence.certificate().is_some());
    gone.sort_by_key(|(file, _)| *file);
    if gone.is_empty() {
        return Err(Error::NoCertificate(what.to_owned()));
    }
    let mut changes = Vec::new();
    for (file, presence) in &gone {
        let mut record = Record::new(RecordKind::Lifted);
        record.file = Some(*file);
        record.name = presence.certificate().map(str::to_owned);
        record.text = Some(reason.trim().to_owned());
        record.body.insert("key".into(), public.id().to_string().into());
        changes.push(Change::Recorded { record });
        // Still not readable: there is nothing to read until it is added.
        changes.push(Change::PresenceChanged {
            file: *file,
            old: Some(presence.clone()),
            new: Some(lifted(presence, reason.trim())),
        });
    }
    if !dry_run {
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("erase-lift", what, Some(reason), transaction)?;
    }
    let files = gone.into_iter().map(|(file, _)| file).collect();
    Ok(Lifted { files, reason: reason.trim().to_owned(), key: public.id().to_string(), dry_run })
}

/// Still given out as it is now, but not banned.
fn lifted(presence: &Presence, reason: &str) -> Presence {
    match presence.clone() {
        Presence::Replaced { size, by, by_size, .. } => {
            Presence::Replaced { size, by, by_size, certificate: String::new() }
        }
        gone => {
            let why = format!("erased, and allowed to be added again: {reason}");
            Presence::nowhere(gone.size(), &why)
        }
    }
}
