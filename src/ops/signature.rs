//! Signatures of versions and tags.
//!
//! A version cannot hold a signature of itself, for its id is the hash of all that it holds. So a
//! small statement that names the version is signed, and kept beside it as a record. The signature
//! is an SSH signature: `ssh-keygen -Y verify` accepts it without this program.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Result, outfile};
use crate::catalogue::{Change, RecordFilter, RecordRow};
use crate::model::{Author, DatasetName, Record, RecordKind, RefName, Time, VersionId};
use crate::repo::{self, KeyRole, Repository, Signer, TrustedKey, trusted_keys};
use crate::sign::{KeyId, PublicKey, sshsig};

/// What the statement about a version calls itself.
pub const VERSION_TYPE: &str = "stem.version/1";
/// What the statement about a tag calls itself.
pub const TAG_TYPE: &str = "stem.tag/1";

/// Whether to sign, and with which key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signing {
    /// If the setting `commit.sign` says so.
    #[default]
    AsSet,
    /// Not.
    Never,
    /// With this key, or with the usual one.
    With(Option<String>),
}

/// What is signed: canonical JSON (RFC 8785), for the fields stand in the order that it asks for and
/// all are strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    dataset: DatasetName,
    /// What the tag says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Whose word it is: `Name <mail>`.
    signer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<RefName>,
    time: Time,
    #[serde(rename = "type")]
    kind: String,
    version: VersionId,
}

#[derive(Serialize, Deserialize)]
struct Body {
    statement: String,
    signature: String,
}

/// What a signature is worth here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// By a trusted key of whom it names, for what such keys may sign.
    Good,
    /// The key has signed it, and the store does not trust the key with it.
    Untrusted,
    /// By a key that the store trusts no more.
    Revoked,
    /// Not a signature of this version.
    Bad,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Untrusted => "untrusted",
            Self::Revoked => "revoked",
            Self::Bad => "bad",
        }
    }
}

/// A signature, and what it is worth here.
#[derive(Debug, Clone, Serialize)]
pub struct SignatureStatus {
    /// The entry of the journal that added it.
    pub number: u64,
    /// When it was added.
    pub time: Time,
    /// What it is worth.
    pub verdict: Verdict,
    /// The key that made it; none if no key has.
    pub key: Option<KeyId>,
    /// Whose word the statement says that it is: `Name <mail>`.
    pub signer: Option<String>,
    /// Whose key it is, as the store says.
    pub identity: Option<String>,
    /// What the key may sign.
    pub roles: Vec<KeyRole>,
    /// The tag, if it is one that was signed.
    pub tag: Option<RefName>,
    /// Whether it was recorded before its key was revoked.
    pub before_revocation: bool,
    /// Why it is not good.
    pub problem: Option<String>,
    /// The signed text.
    pub statement: String,
    /// The signature, as OpenSSH writes it.
    pub signature: String,
}

/// The key to sign with, if it is to be signed.
///
/// # Errors
///
/// As [`Repository::signer`].
pub fn signer(repository: &Repository, signing: &Signing) -> repo::Result<Option<Signer>> {
    let is_set = || repository.config.settings.get("commit.sign").is_some_and(|set| set == "true");
    match signing {
        Signing::Never => Ok(None),
        Signing::AsSet if !is_set() => Ok(None),
        Signing::AsSet => repository.signer(None).map(Some),
        Signing::With(key) => repository.signer(key.as_deref()).map(Some),
    }
}

/// Fails where versions are to be signed and cannot be: before files are changed, not after.
///
/// # Errors
///
/// As [`Repository::signer`].
pub fn must_be_ready(repository: &Repository) -> repo::Result<()> {
    signer(repository, &Signing::AsSet).map(drop)
}

/// The change that records a signature of `version`.
///
/// # Errors
///
/// Nobody said who acts.
pub fn of_version(
    repository: &Repository,
    signer: &Signer,
    version: &VersionId,
) -> repo::Result<Change> {
    record(repository, signer, version, VERSION_TYPE, None, None)
}

/// The change that records a signature of a tag at `version` that says `message`.
///
/// # Errors
///
/// Nobody said who acts.
pub fn of_tag(
    repository: &Repository,
    signer: &Signer,
    version: &VersionId,
    tag: &RefName,
    message: Option<&str>,
) -> repo::Result<Change> {
    record(repository, signer, version, TAG_TYPE, Some(tag), message)
}

fn record(
    repository: &Repository,
    signer: &Signer,
    version: &VersionId,
    kind: &str,
    tag: Option<&RefName>,
    message: Option<&str>,
) -> repo::Result<Change> {
    let statement = Statement {
        dataset: repository.dataset().clone(),
        message: message.map(str::to_owned),
        signer: repository.author()?.to_string(),
        tag: tag.cloned(),
        time: repository.now(),
        kind: kind.to_owned(),
        version: *version,
    };
    let statement = to_text(&statement);
    let signature = sshsig::sign(&signer.key, sshsig::NAMESPACE, statement.as_bytes());
    let mut record = Record::new(RecordKind::Signature);
    record.dataset = Some(repository.dataset().clone());
    record.version = Some(*version);
    record.name = Some(signer.key.public().id().to_string());
    if let Ok(Value::Object(body)) = serde_json::to_value(Body { statement, signature }) {
        record.body = body;
    }
    Ok(Change::Recorded { record })
}

fn to_text(statement: &Statement) -> String {
    // Strings only: nothing of it can fail to be written.
    serde_json::to_string(statement).unwrap_or_default()
}

/// The keys that a store trusts, to judge signatures by.
pub struct Judge<'a> {
    repository: &'a Repository,
    trusted: Vec<TrustedKey>,
}

impl<'a> Judge<'a> {
    /// Takes the store's word on keys.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn new(repository: &'a Repository) -> Result<Self> {
        Ok(Self { repository, trusted: trusted_keys(&repository.catalogue)? })
    }

    /// Every signature of a version and of tags at it, oldest first.
    ///
    /// # Errors
    ///
    /// The catalogue's; a signature that is not one is no error.
    pub fn of(&self, version: &VersionId) -> Result<Vec<SignatureStatus>> {
        let rows = self.repository.catalogue.records(&RecordFilter {
            kind: Some(RecordKind::Signature),
            version: Some(*version),
            ..RecordFilter::default()
        })?;
        Ok(rows.into_iter().map(|row| self.judge(row)).collect())
    }

    fn judge(&self, row: RecordRow) -> SignatureStatus {
        let body = serde_json::from_value::<Body>(Value::Object(row.record.body.clone()));
        let body = body.unwrap_or(Body { statement: String::new(), signature: String::new() });
        let mut status = SignatureStatus {
            number: row.number,
            time: row.time,
            verdict: Verdict::Bad,
            key: None,
            signer: None,
            identity: None,
            roles: Vec::new(),
            tag: None,
            before_revocation: false,
            problem: None,
            statement: body.statement,
            signature: body.signature,
        };
        match says(&row.record, &status) {
            Ok((statement, key)) => self.weigh(&mut status, statement, key),
            Err(problem) => status.problem = Some(problem),
        }
        status
    }

    /// What a signature by `key`, which is one, is worth.
    fn weigh(&self, status: &mut SignatureStatus, statement: Statement, key: PublicKey) {
        status.key = Some(key.id());
        status.tag = statement.tag;
        let known = self.trusted.iter().find(|known| known.public == key);
        let (verdict, problem) = match known {
            None => (Verdict::Untrusted, Some("the store does not trust its key".to_owned())),
            Some(known) => {
                status.identity = Some(known.identity.to_string());
                status.roles.clone_from(&known.roles);
                worth(known, &statement.signer)
            }
        };
        if let Some(known) = known.filter(|_| verdict == Verdict::Revoked) {
            status.before_revocation = known.is_trusted_at(status.number);
        }
        status.signer = Some(statement.signer);
        (status.verdict, status.problem) = (verdict, problem);
    }
}

fn worth(known: &TrustedKey, signer: &str) -> (Verdict, Option<String>) {
    if let Some(revoked) = &known.revoked {
        let problem = format!("its key was revoked on {}: {}", revoked.time, revoked.reason);
        return (Verdict::Revoked, Some(problem));
    }
    if !known.roles.contains(&KeyRole::Author) {
        return (Verdict::Untrusted, Some("its key is not trusted with versions".to_owned()));
    }
    let same = signer
        .parse::<Author>()
        .is_ok_and(|signer| signer.email.eq_ignore_ascii_case(&known.identity.email));
    if !same {
        let problem = format!("it is signed as {signer} with the key of {}", known.identity);
        return (Verdict::Untrusted, Some(problem));
    }
    (Verdict::Good, None)
}

/// What a signature says, and by which key, if it is one of what its record is about.
fn says(record: &Record, status: &SignatureStatus) -> Result<(Statement, PublicKey), String> {
    let key = sshsig::verify(&status.signature, sshsig::NAMESPACE, status.statement.as_bytes())
        .map_err(|error| error.to_string())?;
    let statement: Statement = serde_json::from_str(&status.statement)
        .map_err(|error| format!("what it signs is not a statement: {error}"))?;
    let kind = if statement.tag.is_some() { TAG_TYPE } else { VERSION_TYPE };
    if to_text(&statement) != status.statement || statement.kind != kind {
        return Err("what it signs is not a statement of this program".into());
    }
    if record.version != Some(statement.version)
        || record.dataset != Some(statement.dataset.clone())
    {
        let (dataset, version) = (&statement.dataset, &statement.version);
        return Err(format!("it is one of {dataset}@{version}"));
    }
    Ok((statement, key))
}

/// Every signature of a version and of tags at it, oldest first, and what each is worth here.
///
/// # Errors
///
/// The catalogue's.
pub fn status(repository: &Repository, version: &VersionId) -> Result<Vec<SignatureStatus>> {
    Judge::new(repository)?.of(version)
}

/// Whether a version is signed: at least one signature is good, and none is bad.
pub fn is_signed(signatures: &[SignatureStatus]) -> bool {
    let any = |verdict| signatures.iter().any(|one| one.verdict == verdict);
    any(Verdict::Good) && !any(Verdict::Bad)
}

/// The signatures of a version.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The version.
    pub version: VersionId,
    /// Whether at least one signature is good and none is bad.
    pub ok: bool,
    /// All of them, oldest first.
    pub signatures: Vec<SignatureStatus>,
    /// The files that were written, for `ssh-keygen -Y verify`: of each signature what it signs, and
    /// itself.
    pub written: Vec<PathBuf>,
}

/// Judges the signatures of the version that `revision` names, and writes them to `directory`.
///
/// # Errors
///
/// [`repo::Error::NoRevision`] and its like; a file that cannot be written or is there already.
pub fn verify(
    repository: &Repository,
    revision: &str,
    directory: Option<&Path>,
) -> Result<Verified> {
    let version = repository.resolve(revision)?.version;
    let signatures = status(repository, &version)?;
    let mut written = Vec::new();
    if let Some(directory) = directory {
        let io = |source| repo::Error::Io { path: directory.to_path_buf(), source };
        std::fs::create_dir_all(directory).map_err(io)?;
        for one in &signatures {
            let path = directory.join(format!("{}.statement", one.number));
            outfile::write(&path, one.statement.as_bytes())?;
            let signature = directory.join(format!("{}.sig", one.number));
            outfile::write(&signature, one.signature.as_bytes())?;
            written.extend([path, signature]);
        }
    }
    Ok(Verified { version, ok: is_signed(&signatures), signatures, written })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_canonical_json() {
        let statement = Statement {
            dataset: "corpus".parse().unwrap(),
            message: Some("first \u{1} \"release\" \u{20ac}".into()),
            signer: "Ann <ann@example.org>".into(),
            tag: Some("v1".parse().unwrap()),
            time: Time::from_unix(1_795_443_000).unwrap(),
            kind: TAG_TYPE.into(),
            version: VersionId::of(b"x"),
        };
        let text = to_text(&statement);
        assert_eq!(serde_json_canonicalizer::to_string(&statement).unwrap(), text);
        assert_eq!(serde_json::from_str::<Statement>(&text).unwrap(), statement);
    }
}
