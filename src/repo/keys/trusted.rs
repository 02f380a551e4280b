//! The public keys that a store trusts, as its records say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::{Catalogue, RecordFilter, RecordRow};
use crate::model::{Author, Record, RecordKind, Time};
use crate::repo::{Error, Result};
use crate::sign::{KeyId, PublicKey};

/// What somebody may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Versions and tags.
    Author,
    /// Plans of deletions.
    Approver,
    /// Checkpoints of the journal and certificates.
    Custodian,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Author, Self::Approver, Self::Custodian];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Approver => "approver",
            Self::Custodian => "custodian",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a role: author, approver or custodian", .0.escape_debug())]
pub struct KeyRoleError(pub String);

impl FromStr for KeyRole {
    type Err = KeyRoleError;

    fn from_str(text: &str) -> Result<Self, KeyRoleError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| KeyRoleError(text.to_owned()))
    }
}

/// When and why a key was trusted no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// The entry of the journal that says so.
    pub number: u64,
    /// When.
    pub time: Time,
    /// Who said so: `Name <mail>`.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A key that the store trusts, or has trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustedKey {
    /// Its short name.
    pub id: KeyId,
    /// The key.
    pub public: PublicKey,
    /// Whose it is.
    pub identity: Author,
    /// What it may sign.
    pub roles: Vec<KeyRole>,
    /// The entry of the journal that trusts it.
    pub number: u64,
    /// Since when it is trusted.
    pub since: Time,
    /// Who said that it is: `Name <mail>`.
    pub by: String,
    /// The end of the trust.
    pub revoked: Option<Revocation>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    public: PublicKey,
    identity: String,
    roles: Vec<KeyRole>,
}

impl TrustedKey {
    /// The record that makes a key trusted.
    pub fn record(public: &PublicKey, identity: &Author, roles: &[KeyRole]) -> Record {
        let body = Body { public: *public, identity: identity.to_string(), roles: roles.to_vec() };
        let mut record = Record::new(RecordKind::Key);
        record.name = Some(public.id().to_string());
        if let Ok(Value::Object(body)) = serde_json::to_value(&body) {
            record.body = body;
        }
        record
    }

    /// The record that ends the trust in a key.
    pub fn revocation(id: KeyId, reason: &str) -> Record {
        let mut record = Record::new(RecordKind::KeyRevoked);
        record.name = Some(id.to_string());
        record.text = Some(reason.to_owned());
        record
    }

    /// Whether the key was trusted when the journal's entry `number` was written. Numbers cannot be
    /// set back, as clocks can.
    pub fn is_trusted_at(&self, number: u64) -> bool {
        self.revoked.as_ref().is_none_or(|revoked| number < revoked.number)
    }
}

/// Every key that the store has ever trusted, in the order in which it came to trust them. A key that
/// was revoked and is trusted again counts from then on.
///
/// # Errors
///
/// The catalogue's; [`Error::BadRecord`] for a record that does not say what it must.
pub fn trusted_keys(catalogue: &Catalogue) -> Result<Vec<TrustedKey>> {
    let of =
        |kind| catalogue.records(&RecordFilter { kind: Some(kind), ..RecordFilter::default() });
    let mut keys: Vec<TrustedKey> = Vec::new();
    for row in of(RecordKind::Key)? {
        let key = trusted(row)?;
        keys.retain(|known| known.public != key.public);
        keys.push(key);
    }
    for row in of(RecordKind::KeyRevoked)? {
        let name = row.record.name.as_deref().unwrap_or_default();
        let id: KeyId = name.parse().map_err(|_| bad(row.number, "it names no key"))?;
        // A later word of trust takes the revocation back.
        let known = keys.iter_mut().filter(|key| key.id == id && key.number < row.number);
        for key in known {
            key.revoked.get_or_insert_with(|| Revocation {
                number: row.number,
                time: row.time,
                by: row.actor.clone(),
                reason: row.record.text.clone().unwrap_or_default(),
            });
        }
    }
    Ok(keys)
}

fn trusted(row: RecordRow) -> Result<TrustedKey> {
    let body: Body = serde_json::from_value(Value::Object(row.record.body))
        .map_err(|error| bad(row.number, &error.to_string()))?;
    let identity = body.identity.parse().map_err(|_| bad(row.number, "it names nobody"))?;
    let id = body.public.id();
    if row.record.name != Some(id.to_string()) {
        return Err(bad(row.number, "its name is not that of its key"));
    }
    Ok(TrustedKey {
        id,
        public: body.public,
        identity,
        roles: body.roles,
        number: row.number,
        since: row.time,
        by: row.actor,
        revoked: None,
    })
}

fn bad(number: u64, problem: &str) -> Error {
    Error::BadRecord { number, problem: problem.to_owned() }
}
