//! Archives: a version with everything that is known of it, as a directory that explains itself.
//!
//! Here: making one (a BagIt bag), reading one back, bringing the version back from one, and
//! dropping content here that lies in one. The format is `docs/format.md`, "Archives".
//! Not here: how a bag is made whole and checked byte by byte (`bag`).
//! Invariant: an archive that is called good has been read, every byte of it.

mod describe;
mod entries;
mod leave;
mod proofs;
mod restore;
mod verify;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::entries::{Listed, list};
pub use self::leave::{Dropped, leave};
pub use self::proofs::Proven;
pub use self::restore::{Restored, restore};
pub use self::verify::{Verified, verify};
use super::{Error, Result};
use crate::bag::{Digests, Draft, Sealed};
use crate::catalogue::{self, Change, Changeset, RecordFilter};
use crate::format::frame::Key;
use crate::model::{
    DatasetName, Entry, FileId, FileRef, Mode, Presence, Record, RecordKind, RepoPath, VersionId,
};
use crate::repo::{self, Repository, Revision, extract, papers};
use crate::sign::PublicKey;
use crate::worktree::write::Writer;

/// How often something is done again because somebody has changed something meanwhile.
const TRIES: u32 = 20;
/// The files of an archive that are not payload, beside those that every bag has.
const ABOUT: &str = "stem/archive.json";
const VERSION: &str = "stem/version.json";
const ENTRIES: &str = "stem/entries.jsonl";
const HISTORY: &str = "stem/history.jsonl";
const JOURNAL: &str = "stem/journal.jsonl";
const RECORDS: &str = "stem/records.jsonl";

/// What an archive says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Format of the archive: 1.
    format: u32,
    /// The program that made it.
    tool: String,
    dataset: DatasetName,
    version: VersionId,
    /// Files and bytes that the version lists.
    files: u64,
    bytes: u64,
    /// Branches and tags that were at the version.
    branches: Vec<String>,
    tags: Vec<String>,
    /// When it was made.
    created: crate::model::Time,
    /// The last entry of the journal then.
    journal_number: u64,
    journal_hash: String,
    /// How many versions led to this one.
    ancestors: u64,
    /// Files that the version lists and the archive does not have, because they were erased.
    erased: u64,
    /// Files of the archive that could not be made, because content was erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

/// An archive that was made, or would be.
#[derive(Debug, Serialize)]
pub struct Archived {
    /// Where it lies.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub place: PathBuf,
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that the version lists and that were erased.
    pub erased: u64,
    /// Stands for every byte of it: BLAKE3 of its last manifest; none for a dry run.
    pub digest: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Writes the version that `revision` names to `place`, which must be free, reads everything back
/// and records that it is there.
///
/// Stopped at any moment it leaves an unfinished directory beside `place`; the same command goes on
/// with what is right in it.
///
/// # Errors
///
/// What keeps a file from being read whole and right; [`repo::Error::Archived`] if content lies in
/// another archive; [`crate::bag::Error::Exists`].
pub fn create(
    repository: &Repository,
    revision: &str,
    place: &Path,
    dry_run: bool,
) -> Result<Archived> {
    must_be_a_place(place)?;
    create_without(repository, revision, place, &Without::default(), dry_run)
}

/// Fails for what cannot be the name of an archive: the journal, plans and certificates name it in
/// text, and what looks like an address would become a directory here, which nobody wants.
pub(super) fn must_be_a_place(place: &Path) -> Result<()> {
    let why = match place.to_str() {
        None => "is not UTF-8, and the journal must be able to name it",
        Some(text) if text.contains("://") => {
            "is an address: there are no remotes yet, name a directory"
        }
        Some(_) => return Ok(()),
    };
    Err(Error::Refused(format!(
        "{} {why}",
        RepoPath::show_bytes(place.as_os_str().as_encoded_bytes())
    )))
}

/// Files that an archive shall not have, because they are about to be erased.
#[derive(Debug, Default)]
pub(super) struct Without {
    /// The files.
    pub(super) files: HashSet<FileId>,
    /// The certificate under which they will be erased.
    pub(super) certificate: String,
}

impl Without {
    /// What an archive of a version lists now.
    fn listed(&self, repository: &Repository, version: &VersionId) -> Result<Vec<Listed>> {
        let mut listed = list(repository, &repository.manifest_of(version)?)?;
        for one in listed.iter_mut().filter(|one| self.files.contains(&one.file.file)) {
            let (size, certificate) = (one.file.size, self.certificate.clone());
            (one.presence, one.payload) = (Some(Presence::Erased { size, certificate }), None);
        }
        Ok(listed)
    }

    /// How many files an archive of a version has now, and their bytes.
    pub(super) fn payload(
        &self,
        repository: &Repository,
        version: &VersionId,
    ) -> Result<(u64, u64)> {
        Ok(payload(&self.listed(repository, version)?))
    }

    /// Says in the record of an archive that it lacks files which were there.
    pub(super) fn mark(&self, record: &mut Record) {
        if !self.files.is_empty() {
            record.body.insert("without".into(), self.certificate.clone().into());
        }
    }
}

/// How many files are in an archive that lists these, and their bytes.
fn payload(listed: &[Listed]) -> (u64, u64) {
    let there = listed.iter().filter(|one| one.payload.is_some());
    there.fold((0, 0), |sum, one| (sum.0 + 1, sum.1 + one.payload_size()))
}

/// As [`create`], with some files left out as if they were erased already.
pub(super) fn create_without(
    repository: &Repository,
    revision: &str,
    place: &Path,
    without: &Without,
    dry_run: bool,
) -> Result<Archived> {
    let found = repository.resolve(revision)?;
    let listed = without.listed(repository, &found.version)?;
    let recorded = unrecorded_at(repository, place, &found, &listed)?;
    let mut about = describe::about(repository, &found, &listed)?;
    // What the archive says of the journal is under the checkpoint: that is signed after it.
    let signed = match dry_run || recorded.is_some() {
        true => None,
        false => proofs::sign(repository)?,
    };
    let (files, bytes) = payload(&listed);
    let mut done = Archived {
        place: std::path::absolute(place)
            .map_err(|source| repo::Error::Io { path: place.to_path_buf(), source })?,
        dataset: found.dataset.clone(),
        version: found.version,
        files,
        bytes,
        erased: about.erased,
        digest: None,
        dry_run,
    };
    if dry_run {
        return match done.place.symlink_metadata() {
            Ok(_) => Err(crate::bag::Error::Exists { path: done.place }.into()),
            Err(_) => Ok(done),
        };
    }
    let draft = match &recorded {
        Some(_) => None,
        None => Some(Draft::begin(place, &found.version.to_hex())?),
    };
    let make = || -> Result<Archived> {
        let sealed = match (draft, recorded) {
            (Some(draft), _) => {
                write(repository, draft, &mut about, &listed, signed.as_ref())?.place
            }
            (None, recorded) => recorded.unwrap_or_default(),
        };
        Draft::tidy(&sealed);
        let read_back = verify(&sealed, repository.threads(), &*repository.environment.progress)?;
        read_back.refuse_problems()?;
        done.place.clone_from(&read_back.place);
        done.digest = Some(read_back.digest.clone());
        tell(repository, &done, without, &listed)?;
        Ok(done)
    };
    let made = make();
    if made.is_err() {
        refuse_overtaken(repository, place, &found, (without, &listed))?;
    }
    made
}

/// Fails if something was erased that the archive was to hold, and destroys what was made of that: no
/// certificate names it.
fn refuse_overtaken(
    repository: &Repository,
    place: &Path,
    found: &Revision,
    (without, listed): (&Without, &[Listed]),
) -> Result<()> {
    repository.refresh()?;
    if without.listed(repository, &found.version)? == listed {
        return Ok(());
    }
    if let Some(bag) = unrecorded_at(repository, place, found, listed)? {
        crate::bag::destroy(&bag, &papers::shred)?;
    }
    Draft::destroy(place, &papers::shred)?;
    Err(overtaken("some of it gone by now, and what was made of the archive destroyed"))
}

fn overtaken(found: &str) -> Error {
    let (what, expected) = ("what the archive holds".into(), "as it was at the beginning".into());
    let found = found.into();
    repo::Error::Catalogue(catalogue::Error::Moved { what, expected, found }).into()
}

/// Records that an archive was made, of what is still as it was.
fn tell(
    repository: &Repository,
    done: &Archived,
    without: &Without,
    listed: &[Listed],
) -> Result<()> {
    let subject = format!("{}@{}", done.dataset, done.version);
    let mut record = receipt_of("made", done, repository);
    without.mark(&mut record);
    for _ in 0..TRIES {
        let after = repository.catalogue.journal_head()?.number;
        repository.refresh()?;
        if without.listed(repository, &done.version)? != listed {
            break;
        }
        let changes = vec![Change::Recorded { record: record.clone() }];
        match apply(repository, ("archive-made", &subject), Some(after), changes) {
            Err(repo::Error::Catalogue(error)) if error.is_lost_race() => {}
            told => return Ok(told.map(drop)?),
        }
    }
    Err(overtaken("something else"))
}

/// Where the archive lies, if it is there already and only the record of it is missing, because the
/// command was stopped just before that. One that has what was erased since is another.
fn unrecorded_at(
    repository: &Repository,
    place: &Path,
    found: &Revision,
    listed: &[Listed],
) -> Result<Option<PathBuf>> {
    let Ok(place) = place.canonicalize() else { return Ok(None) };
    let about = std::fs::read(place.join(ABOUT)).unwrap_or_default();
    let about = serde_json::from_slice::<About>(&about).ok();
    if about.is_none_or(|about| about.version != found.version || about.dataset != found.dataset) {
        return Ok(None);
    }
    if std::fs::read(place.join(ENTRIES)).ok() != Some(entries::write(listed)?) {
        return Ok(None);
    }
    let filter = RecordFilter {
        kind: Some(RecordKind::Archive),
        version: Some(found.version),
        ..RecordFilter::default()
    };
    let here = Value::from(place.to_string_lossy());
    let told = repository.catalogue.records(&filter)?;
    let told = told.iter().any(|row| row.record.body.get("place") == Some(&here));
    Ok(if told { None } else { Some(place) })
}

/// Writes the bag.
fn write(
    repository: &Repository,
    draft: Draft,
    about: &mut About,
    listed: &[Listed],
    signed: Option<&(String, PublicKey)>,
) -> Result<Sealed> {
    let threads = repository.threads();
    let expected: BTreeMap<&str, FileRef> = listed
        .iter()
        .filter_map(|one| one.payload.as_deref().map(|name| (name, one.delivered())))
        .collect();
    let names: BTreeSet<String> = expected.keys().map(|name| (*name).to_owned()).collect();
    let fits = |name: &str, digests: &Digests| {
        expected.get(name).is_some_and(|file| {
            file.size == digests.size && *file.file.as_bytes() == digests.blake3
        })
    };
    let there = draft.left_over(&names, threads, fits)?;
    let missing: Vec<Entry> = expected
        .iter()
        .filter(|(name, _)| !there.contains(**name))
        .map(|(name, file)| {
            let name = name.strip_prefix("data/").unwrap_or(name);
            // A link is written as a file that holds its target.
            let file = FileRef { mode: Mode::File, ..*file };
            Ok(Entry { path: RepoPath::new(name)?, file })
        })
        .collect::<Result<_>>()?;
    let writer = Writer::open(&draft.payload())?;
    let written = extract(repository, &writer, &missing)?;
    if let Some(failed) = written.failed.into_iter().next() {
        let (path, source) = (failed.path, Box::new(failed.error));
        return Err(repo::Error::Content { path, source }.into());
    }
    describe::write(repository, &draft, about, listed, signed)?;
    let info = describe::info(repository, about)?;
    let progress = &*repository.environment.progress;
    let bytes = expected.values().map(|file| file.size).sum();
    progress.begin("checking", Some(names.len() as u64), Some(bytes));
    let sealed = draft.seal(&names, &info, threads, progress, fits);
    progress.end();
    Ok(sealed?)
}

/// Changes the catalogue without an epoch, which may be fenced off; gives the entry's number.
fn apply(
    repository: &Repository,
    (action, subject): (&str, &str),
    after: Option<u64>,
    changes: Vec<Change>,
) -> repo::Result<u64> {
    let (actor, now) = (repository.author()?, repository.now());
    let mut changeset = Changeset::new(&actor, now, action, subject);
    changeset.after = after;
    changeset.changes = changes;
    Ok(repository.catalogue.apply(&changeset)?.number)
}

/// The record that something was done with an archive.
pub(super) fn receipt_of(what: &str, archive: &Archived, repository: &Repository) -> Record {
    let mut record = Record::new(RecordKind::Archive);
    record.dataset = Some(archive.dataset.clone());
    record.version = Some(archive.version);
    record.name = Some(what.to_owned());
    let mut body = Map::new();
    body.insert("place".into(), archive.place.to_string_lossy().into());
    body.insert("digest".into(), archive.digest.clone().map_or(Value::Null, Value::String));
    body.insert("files".into(), archive.files.into());
    body.insert("bytes".into(), archive.bytes.into());
    body.insert("verified".into(), repository.now().to_string().into());
    record.body = body;
    record
}

/// The exact bytes of a version's record.
fn version_bytes(repository: &Repository, version: &VersionId) -> Result<Vec<u8>> {
    Ok(repository.get(&Key::version(version))?)
}

/// What keeps an archive from being used.
fn bad(place: &Path, problem: impl Into<String>) -> Error {
    Error::BadArchive { place: place.to_path_buf(), problems: vec![problem.into()] }
}
