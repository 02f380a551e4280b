//! What a certificate says: an in-toto statement, field by field.

use serde::{Deserialize, Deserializer, Serialize};

use super::job::Phase;
use super::plan::{AsOf, Bytes, TouchedVersion};
use crate::model::{Time, VersionId};

/// The type of a statement's envelope.
pub(super) const PAYLOAD: &str = "application/vnd.in-toto+json";
/// What every statement says that it is.
pub(super) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the predicate is.
pub(super) const PREDICATE: &str = "urn:stemmata:erasure:1";
/// Where certificates lie in the store.
pub(super) const CERTIFICATES: &str = "certificates";

/// An in-toto statement about erased files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: String,
    /// The files, by salted commitments.
    pub subject: Vec<Subject>,
    /// `urn:stemmata:erasure:1`.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is certified.
    pub predicate: Predicate,
}

/// A file that was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `erased-1`, `erased-2`, …
    pub name: String,
    /// The commitment to its id.
    pub digest: Digest,
}

/// A commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// 64 hexadecimal digits.
    #[serde(rename = "stemSaltedSha256")]
    pub salted: String,
}

/// What made the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `stem`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The BLAKE3 of the program's file, if it can be read.
    pub binary: Option<String>,
}

/// A person and the key that speaks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// `Name <mail>`.
    pub name: String,
    /// The key's short name, if a key speaks.
    pub key: Option<String>,
}

/// An approval, so that it can be checked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedBy {
    /// Whose.
    pub name: String,
    /// The key, as one line.
    pub public: String,
    /// The DSSE envelope, as text.
    pub envelope: String,
}

/// Commitments to what was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// How many.
    pub count: u64,
    /// The root over the commitments, 64 hexadecimal digits.
    pub root: String,
}

/// Everything that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deleted {
    /// How commitments are made.
    pub scheme: String,
    /// The files: the root is over the subjects.
    pub files: Set,
    /// The chunks.
    pub chunks: Set,
}

/// How much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Files erased.
    pub files: u64,
    /// Records inside of files erased.
    pub records: u64,
    /// Chunks that nothing else needed: they are gone.
    pub chunks_exclusive: u64,
    /// Chunks that other files have too: they stay, as content of these.
    pub chunks_shared: u64,
    /// Bytes.
    pub bytes: Bytes,
    /// Packs. Certificates of older builds do not say it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub packs: Option<PackCounts>,
}

/// What became of packs that held something that went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackCounts {
    /// They held nothing else, and are gone.
    pub dropped: u64,
    /// They were written again without it.
    pub rewritten: u64,
}

/// A consumer or version that was made from touched versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concerned {
    /// `consumer` or `version`.
    pub kind: String,
    /// Its name, or its id.
    pub name: String,
    /// The touched version that it used.
    pub used: VersionId,
    /// `erased` for a version that listed some of it itself; else `out of control`: nobody here
    /// knows what was made of it. Certificates of older builds do not say it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A field that may be absent, and is no null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A kind of place where rests might be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residue {
    /// What it is.
    pub kind: String,
    /// What was done.
    pub action: String,
    /// How many such places were looked at.
    pub looked_at: u64,
    /// How often something was found afterwards.
    pub found: u64,
}

/// Somebody who had the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// `store`, `worktree` or `archive`.
    pub kind: String,
    /// Where.
    pub place: String,
    /// L0 to L4; none where nothing was confirmed.
    pub level: Option<String>,
    /// How that was reached.
    pub method: String,
    /// `confirmed`, `unconfirmed`, or `attested` where only a person's word says that it is gone.
    pub status: String,
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// Frames that were decoded and hashed.
    pub frames_read: u64,
    /// Bytes that were looked through.
    pub bytes_read: u64,
    /// Windows of the content that were looked for.
    pub canary_windows: u64,
    /// Chunks without a window, because they are too short or too plain.
    pub chunks_without_window: u64,
    /// Windows that were found.
    pub canary_hits: u64,
    /// Files whose adding again was refused.
    pub readd_refused: u64,
    /// Versions that were read.
    pub retained_versions: u64,
    /// Files of theirs, all of whose chunks are there.
    pub retained_files: u64,
    /// Bytes of a raw device that were looked through, if one was given.
    pub device_bytes: Option<u64>,
}

/// What a certificate of erasure says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// 1.
    pub schema: u64,
    /// It is the so-manieth of its store.
    pub number: u64,
    /// The plan's id; people name the certificate by it.
    pub plan: String,
    /// The store.
    pub store: String,
    /// `final` or `pending`.
    pub status: String,
    /// What made it.
    pub tool: Tool,
    /// Why.
    pub reason: String,
    /// By what law or contract.
    pub basis: Option<String>,
    /// Whose request it answers.
    pub request: Option<String>,
    /// Who asked for it.
    pub requester: Person,
    /// By how many it had to be approved.
    pub approvals_needed: u64,
    /// Who approved it.
    pub approvers: Vec<ApprovedBy>,
    /// Who carried it out.
    pub executor: Person,
    /// Who looked whether it is gone: the same program, by another way.
    pub verifier: Person,
    /// When the plan was made.
    pub planned: Time,
    /// When each part began and ended.
    pub phases: Vec<Phase>,
    /// When the certificate was made.
    pub issued: Time,
    /// The dataset that patterns counted in; all if none.
    pub scope: Option<String>,
    /// How many patterns, ids and rules for records the selection had; they may name people, so they
    /// are not told.
    pub selectors: u64,
    /// The versions that listed the files. Their ids stay valid.
    pub versions: Vec<TouchedVersion>,
    /// The versions that need chunks which the files had as well: because of them these are kept. Of
    /// the first hundred files that have some. Certificates of older builds do not say it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub kept_for: Option<Vec<TouchedVersion>>,
    /// How much.
    pub counts: Counts,
    /// What.
    pub deleted: Deleted,
    /// Where rests were looked for.
    pub residue: Vec<Residue>,
    /// Who had it.
    pub holders: Vec<Held>,
    /// What was tried.
    pub tests: Tests,
    /// Who was made from it.
    pub downstream: Vec<Concerned>,
    /// What this certificate does not prove.
    pub not_proven: Vec<String>,
    /// The BLAKE3 of the certificate before it, if there is one.
    pub previous: Option<String>,
    /// The journal when the certificate was made.
    pub journal: AsOf,
}
