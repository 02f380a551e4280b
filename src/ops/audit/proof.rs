//! The proof that an entry stands in the journal, for somebody who has nothing but a public key.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::verify::{bytes_of, leaf_of, walk};
use super::{EntryInfo, Result};
use crate::catalogue::{self, JournalEntry, RecordFilter};
use crate::model::RecordKind;
use crate::ops::Error;
use crate::repo::{Repository, trusted_keys};
use crate::sign::checkpoint::Checkpoint;
use crate::sign::tlog::{self, Hash};
use crate::sign::{KeyId, PublicKey};

/// What a proof calls itself.
pub const PROOF_TYPE: &str = "stem.journal-proof/1";

/// A proof, as a file.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The entry.
    pub number: u64,
    /// How many entries the checkpoint is over.
    pub size: u64,
    /// The key that has signed the checkpoint.
    pub key: KeyId,
    /// The file: one line of canonical JSON.
    #[serde(skip)]
    pub text: String,
}

/// The fields of the file, in the order that RFC 8785 asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    checkpoint: String,
    entry: Value,
    key: PublicKey,
    path: Vec<String>,
    #[serde(rename = "type")]
    kind: String,
}

/// Proves that entry `number` stands in the journal: the entry, the hashes beside its way up the
/// Merkle tree, and the newest checkpoint that covers it and is signed by a key that the store knows.
///
/// # Errors
///
/// [`Error::NoCheckpoint`]; [`catalogue::Error::Unknown`] for an entry that is not there;
/// [`catalogue::Error::BadJournal`].
pub fn prove(repository: &Repository, number: u64) -> Result<Proof> {
    let entry = repository.catalogue.journal(number, number, 1)?.pop();
    let entry = entry.ok_or_else(|| catalogue::Error::Unknown {
        what: format!("entry {number} of the journal"),
    })?;
    let (note, says, key) = newest(repository, number)?.ok_or(Error::NoCheckpoint { number })?;
    let mut leaves: Vec<Hash> = Vec::new();
    let size = usize::try_from(says.size).unwrap_or(usize::MAX);
    let walked = walk([says.size], |each| {
        repository.catalogue.check_journal(&mut |entry| {
            each(entry);
            if leaves.len() < size {
                leaves.push(leaf_of(entry));
            }
        })
    })?;
    if let Some((bad, problem)) = walked.report.first_bad.filter(|(bad, _)| *bad <= says.size) {
        return Err(catalogue::Error::BadJournal { number: bad, problem }.into());
    }
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let holds = walked.roots.get(&says.size) == Some(&says.root);
    let path = tlog::prove(&leaves, index).filter(|_| holds).ok_or_else(|| {
        let problem = "the journal is not what the newest checkpoint says".to_owned();
        catalogue::Error::BadJournal { number, problem }
    })?;
    let path: Vec<String> = path.iter().map(hex).collect();
    let text = write(&note, &entry, &key, &path);
    Ok(Proof { number, size: says.size, key: key.id(), text })
}

/// The leaves of the tree over the journal's first `size` entries, and what a checkpoint of that says.
///
/// # Errors
///
/// [`catalogue::Error::BadJournal`].
pub(in crate::ops) fn leaves(
    repository: &Repository,
    size: u64,
) -> Result<(Vec<Hash>, Checkpoint)> {
    let mut leaves: Vec<Hash> = Vec::new();
    let walked = walk([size], |each| {
        repository.catalogue.check_journal(&mut |entry| {
            each(entry);
            if entry.number <= size {
                leaves.push(leaf_of(entry));
            }
        })
    })?;
    if let Some((number, problem)) = walked.report.first_bad {
        return Err(catalogue::Error::BadJournal { number, problem }.into());
    }
    let (size, root) = (leaves.len() as u64, tlog::root(&leaves));
    Ok((leaves, Checkpoint { origin: walked.origin, size, root }))
}

/// The longest checkpoint over entry `number` that is signed by a key which the store knows.
fn newest(repository: &Repository, number: u64) -> Result<Option<(String, Checkpoint, PublicKey)>> {
    let keys: Vec<_> =
        trusted_keys(&repository.catalogue)?.into_iter().map(|key| key.public).collect();
    let mut notes: Vec<String> =
        repository.place.list_checkpoints()?.into_iter().map(|file| file.note).collect();
    let filter = RecordFilter { kind: Some(RecordKind::Checkpoint), ..RecordFilter::default() };
    let rows = repository.catalogue.records(&filter)?;
    notes.extend(rows.into_iter().filter_map(|row| row.record.text));
    let opened = notes.into_iter().filter_map(|note| {
        let (says, signers) = Checkpoint::open(&note, &keys).ok()?;
        Some((note, says, *signers.first()?))
    });
    Ok(opened.filter(|(_, says, _)| says.size >= number).max_by_key(|(_, says, _)| says.size))
}

fn write(note: &str, entry: &JournalEntry, key: &PublicKey, path: &[String]) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let path: Vec<_> = path.iter().map(|hash| text(hash)).collect();
    format!(
        "{{\"checkpoint\":{},\"entry\":{},\"key\":{},\"path\":[{}],\"type\":{}}}\n",
        text(note),
        entry.to_line(),
        text(&key.to_line("")),
        path.join(","),
        text(PROOF_TYPE)
    )
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What checking a proof has shown.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// Whether the entry stood in the journal that was signed.
    pub ok: bool,
    /// Why that is not shown.
    pub problem: Option<String>,
    /// The entry.
    pub entry: Option<EntryInfo>,
    /// The name of the journal.
    pub origin: Option<String>,
    /// How many entries it had.
    pub size: Option<u64>,
    /// The key that has signed it.
    pub key: Option<KeyId>,
    /// Whether that key was named by who checks. If not, all that is shown is that the proof fits
    /// together, and that whoever has the key says so.
    pub trusted: bool,
}

/// Checks a proof, with nothing but the proof, and the public key that must have signed it.
///
/// The proof must be byte for byte what [`prove`] writes.
pub fn check_proof(bytes: &[u8], key: Option<&PublicKey>) -> Checked {
    let mut checked = Checked::default();
    checked.problem = match std::str::from_utf8(bytes) {
        Ok(text) => check(text, key, &mut checked).err(),
        Err(_) => Some("it is not a proof: it is not UTF-8".into()),
    };
    checked.ok = checked.problem.is_none();
    checked.trusted = checked.ok && key.is_some();
    checked
}

fn check(text: &str, named: Option<&PublicKey>, found: &mut Checked) -> Result<(), String> {
    let not = |error: &dyn std::fmt::Display| format!("it is not a proof: {error}");
    let parts: Parts = serde_json::from_str(text).map_err(|error| not(&error))?;
    if parts.kind != PROOF_TYPE {
        return Err(format!("it is a `{}`, not a `{PROOF_TYPE}`", parts.kind.escape_debug()));
    }
    let entry = JournalEntry::from_line(&parts.entry.to_string())
        .ok_or_else(|| not(&"its entry is none"))?;
    if write(&parts.checkpoint, &entry, &parts.key, &parts.path) != text {
        return Err(not(&"it is not written as proofs are"));
    }
    if named.is_some_and(|named| *named != parts.key) {
        return Err(format!("it is signed by another key, {}", parts.key.id()));
    }
    if entry.computed_hash() != entry.hash {
        return Err("the entry does not have its hash".into());
    }
    let (says, signers) =
        Checkpoint::open(&parts.checkpoint, &[parts.key]).map_err(|error| error.to_string())?;
    let path = parts.path.iter().map(|hash| hash_of(hash)).collect::<Option<Vec<Hash>>>();
    let path = path.ok_or_else(|| not(&"its path is none"))?;
    let leaf = tlog::leaf(&bytes_of(&entry.hash));
    let index = entry.number.checked_sub(1).ok_or_else(|| not(&"entries count from 1"))?;
    if tlog::root_by_proof(leaf, index, says.size, &path) != Some(says.root) {
        return Err("the path does not lead to the signed root".into());
    }
    found.key = signers.first().map(PublicKey::id);
    found.origin = Some(says.origin);
    found.size = Some(says.size);
    found.entry = Some(EntryInfo::of(entry).map_err(|error| error.to_string())?);
    Ok(())
}

fn hash_of(text: &str) -> Option<Hash> {
    let hash = bytes_of(text);
    (hex(&hash) == text).then_some(hash)
}
