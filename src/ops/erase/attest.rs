//! The word of a person that what lay somewhere was destroyed, where there is nothing to look at.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::certificate::may_certify;
use super::run::load;
use crate::catalogue::{Change, RecordFilter};
use crate::model::{Record, RecordKind};
use crate::ops::error::must_say;
use crate::ops::{Error, Result};
use crate::repo::{Repository, Transaction};

const NAME: &str = "attested";

/// A word that was given.
#[derive(Debug, Serialize)]
pub struct Attested {
    /// The plan's id.
    pub plan: String,
    /// `worktree` or `archive`.
    pub kind: String,
    /// Where it lay.
    pub place: String,
    /// How it was destroyed, or why that is known.
    pub reason: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Takes down that an archive or worktree which a plan names, and which is not there any more, was
/// destroyed. The certificate says whose word it is, and that nothing more is known.
///
/// # Errors
///
/// [`Error::Refused`] if it is there, for then it is looked into, or if the plan does not name it;
/// [`Error::NotEntitled`] for a key that may not certify; [`Error::Unsaid`].
pub fn attest(
    repository: &Repository,
    plan: &str,
    place: &Path,
    reason: &str,
    key: Option<&str>,
    dry_run: bool,
) -> Result<Attested> {
    must_say("--reason", reason)?;
    let (id, plan) = load(repository, plan)?;
    may_certify(repository, &repository.signer(key)?)?;
    let is_meant = |held: &Path| held == place;
    let holder =
        plan.holders.iter().find(|one| one.kind != "store" && is_meant(one.place.as_ref()));
    let shown = place.display();
    let holder = holder.ok_or_else(|| {
        Error::Refused(format!("the plan names no archive or worktree at {shown}"))
    })?;
    if place.symlink_metadata().is_ok() {
        let text = format!("{shown} is there: `stem erase run` looks into it");
        return Err(Error::Refused(text));
    }
    let (kind, reason) = (holder.kind.clone(), reason.trim().to_owned());
    let done = Attested { plan: id, kind, place: holder.place.clone(), reason, dry_run };
    if !dry_run {
        let mut record = Record::new(RecordKind::Plan);
        record.name = Some(NAME.to_owned());
        record.text = Some(done.reason.clone());
        record.body.insert("plan".into(), done.plan.clone().into());
        record.body.insert("place".into(), done.place.clone().into());
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("erase-attest", &done.plan[..16], Some(&done.reason), transaction)?;
    }
    Ok(done)
}

/// What was attested for a plan: in words, by place.
pub(super) fn attested(repository: &Repository, plan: &str) -> Result<BTreeMap<String, String>> {
    let filter = RecordFilter {
        kind: Some(RecordKind::Plan),
        name: Some(NAME.into()),
        ..RecordFilter::default()
    };
    let mut found = BTreeMap::new();
    for row in repository.catalogue.records(&filter)? {
        let text = |name: &str| row.record.body.get(name).and_then(Value::as_str);
        if let (Some(place), true) = (text("place"), text("plan") == Some(plan)) {
            let why = row.record.text.as_deref().unwrap_or_default();
            let words =
                format!("destroyed, by the word of {} (entry {}): {why}", row.actor, row.number);
            found.insert(place.to_owned(), words);
        }
    }
    Ok(found)
}
