//! The journal's entries in an archive: each under one checkpoint of the whole journal.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::Result;
use super::super::audit;
use super::describe::push_line;
use super::{About, JOURNAL};
use crate::bag::{Checked, Draft};
use crate::catalogue::JournalEntry;
use crate::repo::{self, Repository};
use crate::sign::checkpoint::Checkpoint;
use crate::sign::tlog::{self, Hash};
use crate::sign::{KeyId, PublicKey};

/// For each entry the hashes beside its way up the tree.
pub(super) const PROOFS: &str = "stem/journal-proofs.jsonl";
/// The checkpoint: a signed note, or only its text where nobody could sign it.
pub(super) const CHECKPOINT: &str = "stem/checkpoint.note";
/// The key that has signed it.
pub(super) const KEY: &str = "stem/checkpoint.pub";

/// What an archive shows of the journal's entries in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// How many entries there are.
    pub entries: u64,
    /// How many entries the journal had that they are proven to be part of; none if nothing is
    /// proven.
    pub size: Option<u64>,
    /// The key that has signed that; none if nobody has.
    pub key: Option<KeyId>,
    #[serde(skip)]
    pub(super) public: Option<PublicKey>,
    /// Whether that key was named by who checks.
    pub trusted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    path: Vec<String>,
}

/// Signs the journal as it is, if there is a key to sign with.
pub(super) fn sign(repository: &Repository) -> Result<Option<(String, PublicKey)>> {
    // Without a key an archive is still an archive; and what says so is in it.
    let Ok(signer) = repository.signer(None) else { return Ok(None) };
    let made = audit::checkpoint(repository, Some(&signer.key.public().id().to_string()), false)?;
    Ok(made.note.map(|note| (note, signer.key.public())))
}

/// Writes the entries' proofs beside `journal`, the entries as lines.
pub(super) fn write(
    repository: &Repository,
    draft: &Draft,
    about: &About,
    journal: &[u8],
    signed: Option<&(String, PublicKey)>,
) -> Result<()> {
    let size = match signed {
        Some((note, key)) => Checkpoint::open(note, &[*key])?.0.size,
        None => about.journal_number,
    };
    let (leaves, says) = audit::leaves(repository, size)?;
    let mut text = Vec::new();
    for line in String::from_utf8_lossy(journal).lines() {
        let lost = || repo::Error::Lost { what: "an entry of the journal".into() };
        let entry = JournalEntry::from_line(line).ok_or_else(lost)?;
        let index = usize::try_from(entry.number.saturating_sub(1)).unwrap_or(usize::MAX);
        let path = tlog::prove(&leaves, index).ok_or_else(lost)?;
        let path = path.iter().map(hex).collect();
        push_line(&mut text, &Line { number: entry.number, path })?;
    }
    draft.tag_file(PROOFS, &text)?;
    if let Some((_, key)) = signed {
        draft.tag_file(KEY, format!("{}\n", key.to_line("")).as_bytes())?;
    }
    let note = signed.map_or_else(|| says.to_text(), |(note, _)| note.clone());
    Ok(draft.tag_file(CHECKPOINT, note.as_bytes())?)
}

/// Whether every entry has the hash that it says, and stood in the journal that the checkpoint is of.
pub(super) fn check(place: &Path, about: &About, checked: &mut Checked) -> Proven {
    let text = fs::read_to_string(place.join(JOURNAL)).unwrap_or_default();
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match JournalEntry::from_line(line).filter(|one| one.computed_hash() == one.hash) {
            Some(entry) => entries.push(entry),
            None => {
                let what = format!("line {number} is no entry with the hash that it says");
                checked.tell(JOURNAL, &what);
            }
        }
    }
    let mut proven = Proven { entries: entries.len() as u64, ..Proven::default() };
    // Archives of older programs have no proofs, and are not worse for it than they were.
    let there = [PROOFS, CHECKPOINT, KEY].iter().any(|name| place.join(name).exists());
    if there && let Err((name, what)) = prove(place, about, &entries, &mut proven) {
        checked.tell(name, &what);
    }
    proven
}

type Wrong = (&'static str, String);

fn prove(
    place: &Path,
    about: &About,
    entries: &[JournalEntry],
    proven: &mut Proven,
) -> std::result::Result<(), Wrong> {
    let read = |name: &'static str| {
        fs::read_to_string(place.join(name))
            .map_err(|error| (name, format!("cannot be read: {error}")))
    };
    let note = read(CHECKPOINT)?;
    let bad = |error: crate::sign::Error| (CHECKPOINT, format!("is no checkpoint: {error}"));
    let says = if place.join(KEY).exists() {
        let line = read(KEY)?;
        let key =
            PublicKey::from_line(&line).map_err(|error| (KEY, format!("is no key: {error}")))?.0;
        let (says, _) = Checkpoint::open(&note, &[key]).map_err(bad)?;
        (proven.key, proven.public) = (Some(key.id()), Some(key));
        says
    } else {
        Checkpoint::from_text(&note).map_err(bad)?
    };
    if says.size < about.journal_number {
        return Err((CHECKPOINT, "is older than the archive".into()));
    }
    let proofs = read(PROOFS)?;
    let mut lines = proofs.lines();
    for entry in entries {
        let line = lines.next().and_then(|line| serde_json::from_str::<Line>(line).ok());
        let line = line.filter(|line| line.number == entry.number);
        let line = line.ok_or_else(|| (PROOFS, format!("has none of entry {}", entry.number)))?;
        let path: Option<Vec<Hash>> = line.path.iter().map(|hash| unhex(hash)).collect();
        let (leaf, index) =
            (unhex(&entry.hash).map(|hash| tlog::leaf(&hash)), entry.number.checked_sub(1));
        let root = leaf
            .zip(path)
            .zip(index)
            .and_then(|((leaf, path), index)| tlog::root_by_proof(leaf, index, says.size, &path));
        if root != Some(says.root) {
            return Err((PROOFS, format!("does not prove entry {}", entry.number)));
        }
    }
    if lines.next().is_some() {
        return Err((PROOFS, "has more than the entries".into()));
    }
    proven.size = Some(says.size);
    Ok(())
}

fn hex(hash: &Hash) -> String {
    crate::model::ChunkId::from_bytes(*hash).to_hex()
}

fn unhex(text: &str) -> Option<Hash> {
    text.parse::<crate::model::ChunkId>().ok().map(|id| *id.as_bytes())
}
