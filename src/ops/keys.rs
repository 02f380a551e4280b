//! Keys: making one, trusting one, no longer trusting one, handing one on.

use std::path::PathBuf;

use serde::Serialize;

use super::{Error, Result};
use crate::catalogue::Change;
use crate::model::{Author, Time};
use crate::repo::{
    self, Environment, KeyError, KeyRing, KeyRole, OwnKey, Repository, Revocation, Transaction,
    TrustedKey, trusted_keys,
};
use crate::sign::{KeyId, PublicKey, SecretKey, sshsig};

/// A key as a list shows it.
#[derive(Debug, Clone, Serialize)]
pub struct KeyInfo {
    /// Its short name.
    pub id: KeyId,
    /// The public part: `stem-ed25519 BASE64`.
    pub public: PublicKey,
    /// Whose it is, as the store says; nobody's if the store does not trust it.
    pub identity: Option<String>,
    /// What it may sign.
    pub roles: Vec<KeyRole>,
    /// Since when the store trusts it.
    pub since: Option<Time>,
    /// Who said so.
    pub trusted_by: Option<String>,
    /// When and why the store trusts it no more.
    pub revoked: Option<Revocation>,
    /// The file of the private part, if it is the user's own.
    #[serde(serialize_with = "crate::model::exact_path_if_any")]
    pub path: Option<PathBuf>,
    /// What is written beside the user's own key.
    pub comment: Option<String>,
}

impl KeyInfo {
    fn own(key: OwnKey) -> Self {
        Self {
            id: key.id,
            public: key.public,
            identity: None,
            roles: Vec::new(),
            since: None,
            trusted_by: None,
            revoked: None,
            path: Some(key.path),
            comment: Some(key.comment),
        }
    }

    fn trusted(key: TrustedKey) -> Self {
        Self {
            id: key.id,
            public: key.public,
            identity: Some(key.identity.to_string()),
            roles: key.roles,
            since: Some(key.since),
            trusted_by: Some(key.by),
            revoked: key.revoked,
            path: None,
            comment: None,
        }
    }
}

/// A key that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Generated {
    /// The key; none if nothing was done.
    pub key: Option<KeyInfo>,
    /// Where it lies.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub directory: PathBuf,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// Makes a key of the user's own. No store trusts it yet.
///
/// # Errors
///
/// [`KeyError::NoDirectory`]; what keeps its files from being written.
pub fn generate(environment: &Environment, comment: &str, dry_run: bool) -> Result<Generated> {
    let directory = environment.keys.clone().ok_or(repo::Error::Key(KeyError::NoDirectory))?;
    let ring = KeyRing::new(directory.clone());
    let key = match dry_run {
        true => None,
        false => Some(KeyInfo::own(ring.add(&SecretKey::generate()?, comment)?)),
    };
    Ok(Generated { key, directory, dry_run })
}

/// The user's own keys, and those that the store trusts or has trusted.
///
/// # Errors
///
/// The catalogue's; what keeps the user's keys from being read.
pub fn list(environment: &Environment, repository: Option<&Repository>) -> Result<Vec<KeyInfo>> {
    let mut keys: Vec<KeyInfo> = match &environment.keys {
        Some(directory) => {
            KeyRing::new(directory.clone()).list()?.into_iter().map(KeyInfo::own).collect()
        }
        None => Vec::new(),
    };
    let Some(repository) = repository else { return Ok(keys) };
    for key in trusted_keys(&repository.catalogue)? {
        let trusted = KeyInfo::trusted(key);
        match keys.iter_mut().find(|own| own.public == trusted.public) {
            Some(own) => {
                let (path, comment) = (own.path.take(), own.comment.take());
                *own = KeyInfo { path, comment, ..trusted };
            }
            None => keys.push(trusted),
        }
    }
    Ok(keys)
}

/// Lets the store trust a key.
///
/// # Errors
///
/// [`Error::Refused`] if another key has its id, or it is trusted just so already.
pub fn trust(
    repository: &Repository,
    public: &PublicKey,
    identity: &Author,
    roles: &[KeyRole],
    dry_run: bool,
) -> Result<KeyInfo> {
    let mut roles = if roles.is_empty() { vec![KeyRole::Author] } else { roles.to_vec() };
    roles.sort_unstable();
    roles.dedup();
    let id = public.id();
    for known in trusted_keys(&repository.catalogue)?.into_iter().filter(|key| key.id == id) {
        if known.public != *public {
            return Err(Error::Refused(format!("another key has the id {id}: make a new one")));
        }
        if known.revoked.is_none() && known.identity == *identity && known.roles == roles {
            return Err(Error::Refused(format!("the key {id} is trusted just so already")));
        }
    }
    let record = TrustedKey::record(public, identity, &roles);
    let by = repository.author()?.to_string();
    if !dry_run {
        change(repository, "key-trust", id, None, record)?;
    }
    Ok(KeyInfo {
        id,
        public: *public,
        identity: Some(identity.to_string()),
        roles,
        since: Some(repository.now()),
        trusted_by: Some(by),
        revoked: None,
        path: None,
        comment: None,
    })
}

/// Ends the store's trust in a key. What it has signed before stays signed, and is shown as signed
/// by a key that was revoked.
///
/// # Errors
///
/// [`Error::NoKey`] if the store never trusted it, [`Error::Revoked`] if it does no more.
pub fn revoke(repository: &Repository, id: KeyId, reason: &str, dry_run: bool) -> Result<KeyInfo> {
    let known = trusted_keys(&repository.catalogue)?;
    let mut key = known.into_iter().find(|key| key.id == id).ok_or(Error::NoKey(id))?;
    if key.revoked.is_some() {
        return Err(Error::Revoked(id));
    }
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::Refused("say why with --reason".into()));
    }
    let head = repository.catalogue.journal_head()?.number;
    key.revoked = Some(Revocation {
        number: head + 1,
        time: repository.now(),
        by: repository.author()?.to_string(),
        reason: reason.to_owned(),
    });
    if !dry_run {
        let record = TrustedKey::revocation(id, reason);
        change(repository, "key-revoke", id, Some(reason), record)?;
    }
    Ok(KeyInfo::trusted(key))
}

fn change(
    repository: &Repository,
    action: &str,
    id: KeyId,
    message: Option<&str>,
    record: crate::model::Record,
) -> Result<()> {
    let changes = vec![Change::Recorded { record }];
    let transaction = Transaction { changes, ..Transaction::default() };
    Ok(repository.change(action, &id.to_string(), message, transaction)?)
}

/// How a key is written for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `stem-ed25519 BASE64 COMMENT`.
    Own,
    /// `ssh-ed25519 BASE64 COMMENT`.
    Ssh,
    /// A line of the file that `ssh-keygen -Y verify -f` reads.
    AllowedSigners,
}

/// A public key, to be handed on.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Its short name.
    pub id: KeyId,
    /// One line.
    pub line: String,
}

/// A key of `keys` as one line.
///
/// # Errors
///
/// [`Error::NoKey`].
pub fn export(keys: &[KeyInfo], id: KeyId, form: Form) -> Result<Exported> {
    let key = keys.iter().find(|key| key.id == id).ok_or(Error::NoKey(id))?;
    let whose = key.identity.as_deref().or(key.comment.as_deref()).unwrap_or_default();
    let line = match form {
        Form::Own => key.public.to_line(whose),
        Form::Ssh => key.public.to_ssh_line(whose),
        Form::AllowedSigners => allowed_signer(&key.public, whose),
    };
    Ok(Exported { id, line })
}

/// OpenSSH names people by one word: the mail address.
fn allowed_signer(public: &PublicKey, whose: &str) -> String {
    let mail = match whose.parse::<Author>() {
        Ok(author) if !author.email.is_empty() => author.email,
        _ => public.id().to_string(),
    };
    // Whatever else a mail address may be, here it is one word without patterns.
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '*' | '?' | '!' | ',' | '"');
    let mail: String = mail.chars().filter(|c| plain(*c)).collect();
    format!("{mail} namespaces=\"{}\" {}", sshsig::NAMESPACE, public.to_ssh_line(whose))
}
