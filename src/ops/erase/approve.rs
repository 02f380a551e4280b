//! Approvals: a person with a trusted key says that a plan may be carried out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::{Findings, Plan, Selector};
use super::run::load;
use crate::catalogue::{Change, RecordFilter};
use crate::format::canonical;
use crate::model::{Record, RecordKind, Time};
use crate::ops::{Error, Result};
use crate::repo::policy::Deed;
use crate::repo::{KeyRole, Repository, Transaction, TrustedKey, trusted_keys};
use crate::sign::dsse;

/// The type of what is signed.
pub(super) const APPROVAL: &str = "application/vnd.stemmata.approval+json";

/// What an approver signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The plan's id.
    pub plan: String,
    /// The store that it is of.
    pub store: String,
    /// The journal's last entry when it was approved.
    pub journal: u64,
    /// When.
    pub time: Time,
    /// Until when it counts.
    pub expires: Time,
}

/// An approval that counts.
#[derive(Debug, Clone, Serialize)]
pub struct Approved {
    /// The plan's id.
    pub plan: String,
    /// The key's short name.
    pub key: String,
    /// Whose key it is.
    pub by: String,
    /// What was signed.
    pub approval: Approval,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The envelope around it.
    #[serde(skip)]
    pub envelope: String,
    #[serde(skip)]
    pub(super) trusted: TrustedKey,
}

/// Signs a plan.
///
/// # Errors
///
/// [`Error::NotEntitled`] for a key that is not an approver's, or is the requester's own.
pub fn approve(repository: &Repository, plan: &str, how: &Signing<'_>) -> Result<Approved> {
    let (id, plan) = load(repository, plan)?;
    let asked = Asked { id: &id, store: &plan.store, requester: &plan.requester };
    sign(repository, &asked, "erase-approve", how)
}

/// How a plan of any kind is approved.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The key to sign with.
    pub key: Option<&'a str>,
    /// For how long the approval counts.
    pub seconds: u64,
    /// Change nothing.
    pub dry_run: bool,
}

/// What is approved of a plan of any kind.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Asked<'a> {
    /// The plan's id.
    pub(in crate::ops) id: &'a str,
    /// The store that it is of.
    pub(in crate::ops) store: &'a str,
    /// Who asks for it, and may not approve it: `Name <mail>`.
    pub(in crate::ops) requester: &'a str,
}

/// Signs a plan of any kind, and records that as `action`.
///
/// # Errors
///
/// As [`approve`].
pub(in crate::ops) fn sign(
    repository: &Repository,
    asked: &Asked<'_>,
    action: &str,
    how: &Signing<'_>,
) -> Result<Approved> {
    let id = asked.id.to_owned();
    let signer = repository.signer(how.key)?;
    let trusted = approver(repository, &signer.key.public())?;
    if trusted.identity.to_string() == asked.requester {
        let text = format!("{} has asked for it, and cannot approve it too", asked.requester);
        return Err(Error::NotEntitled(text));
    }
    let now = repository.now();
    let expires = i64::try_from(how.seconds).ok().and_then(|more| now.unix().checked_add(more));
    let expires = expires.and_then(|unix| Time::from_unix(unix).ok());
    let approval = Approval {
        plan: id.clone(),
        store: asked.store.to_owned(),
        journal: repository.catalogue.journal_head()?.number,
        time: now,
        expires: expires.ok_or_else(|| Error::Refused("it would never expire".into()))?,
    };
    let envelope = dsse::seal(APPROVAL, &canonical::encode(&approval)?, &[&signer.key]);
    let envelope = String::from_utf8_lossy(&envelope).into_owned();
    if !how.dry_run {
        let mut record = Record::new(RecordKind::Plan);
        record.name = Some("approved".into());
        record.body.insert("plan".into(), id.clone().into());
        record.body.insert("key".into(), trusted.id.to_string().into());
        record.body.insert("envelope".into(), envelope.clone().into());
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change(action, &id[..16], None, transaction)?;
    }
    let (key, by) = (trusted.id.to_string(), trusted.identity.to_string());
    Ok(Approved { plan: id, key, by, approval, dry_run: how.dry_run, envelope, trusted })
}

/// By how many keys something must be approved, by the policy and the worktree's settings.
///
/// # Errors
///
/// [`crate::repo::Error::Policy`].
pub(in crate::ops) fn asked_for(
    repository: &Repository,
    deed: Deed,
    datasets: &BTreeSet<String>,
) -> Result<u64> {
    let set = repository.config.settings.get("erase.approvals");
    let set = set.and_then(|text| text.parse().ok()).unwrap_or(0);
    let policy = repository.policy()?.map(|(_, policy)| policy.approvals_for(deed, datasets));
    Ok(policy.unwrap_or(0).max(set))
}

impl Findings {
    /// The datasets that it is about, as far as branches and tags lead to them; none if no name
    /// says whose it is.
    pub(super) fn datasets(&self, selector: &Selector) -> BTreeSet<String> {
        let named = self.branches.iter().chain(&self.tags).map(|one| &one.dataset);
        named.chain(&selector.dataset).map(ToString::to_string).collect()
    }
}

impl Plan {
    /// The archives among its holders that can be reached.
    pub(super) fn archives(&self) -> Vec<std::path::PathBuf> {
        let archives = self.holders.iter().filter(|holder| holder.kind == "archive");
        let places = archives.map(|holder| std::path::PathBuf::from(&holder.place));
        places.filter(|place| place.is_dir()).collect()
    }
}

/// The approver whose key this is.
fn approver(repository: &Repository, key: &crate::sign::PublicKey) -> Result<TrustedKey> {
    let number = repository.catalogue.journal_head()?.number;
    trusted_keys(&repository.catalogue)?
        .into_iter()
        .find(|known| known.public == *key)
        .filter(|known| known.roles.contains(&KeyRole::Approver) && known.is_trusted_at(number))
        .ok_or_else(|| Error::NotEntitled(format!("key {} is no approver's here", key.id())))
}

/// The approvals of a plan that count at a moment: one for each key, of people other than the
/// requester. Trust in a key must have outlived its approval.
pub(super) fn approvals(
    repository: &Repository,
    id: &str,
    plan: &Plan,
    at: Time,
) -> Result<Vec<Approved>> {
    let asked = Asked { id, store: &plan.store, requester: &plan.requester };
    approvals_of(repository, &asked, at)
}

/// As [`approvals`], for a plan of any kind.
pub(in crate::ops) fn approvals_of(
    repository: &Repository,
    asked: &Asked<'_>,
    at: Time,
) -> Result<Vec<Approved>> {
    let id = asked.id;
    let keys = trusted_keys(&repository.catalogue)?;
    let filter = RecordFilter {
        kind: Some(RecordKind::Plan),
        name: Some("approved".into()),
        ..RecordFilter::default()
    };
    let mut found: Vec<Approved> = Vec::new();
    for row in repository.catalogue.records(&filter)? {
        let text = |name: &str| row.record.body.get(name).and_then(Value::as_str);
        let Some(envelope) = text("envelope").filter(|_| text("plan") == Some(id)) else {
            continue;
        };
        for key in &keys {
            let may = key.roles.contains(&KeyRole::Approver)
                && key.revoked.as_ref().is_none_or(|end| end.time > at && end.number > row.number)
                && key.identity.to_string() != asked.requester
                && !found.iter().any(|known| known.trusted.public == key.public);
            let Ok(opened) = dsse::open(envelope.as_bytes(), APPROVAL, &[key.public], 1) else {
                continue;
            };
            let approval: Approval = canonical::decode("approval", &opened.payload)?;
            let meant = approval.plan == id && approval.store == asked.store;
            if may && meant && approval.time <= at && at < approval.expires {
                found.push(Approved {
                    plan: id.to_owned(),
                    key: key.id.to_string(),
                    by: key.identity.to_string(),
                    approval,
                    dry_run: false,
                    envelope: envelope.to_owned(),
                    trusted: key.clone(),
                });
            }
        }
    }
    Ok(found)
}
