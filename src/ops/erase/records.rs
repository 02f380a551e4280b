//! Records that go: which files hold them, and what these files become without them.
//!
//! What is looked for may be the very thing that must go, so a plan has only a hash of it; the
//! text itself lies beside the plan until that is run.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::canary::Canaries;
use super::plan::{PLANS, RecordRule, id_of};
use super::select::Selected;
use crate::format::canonical;
use crate::format::frame::Key;
use crate::model::{FileId, FileRef, Fingerprint, Mode as FileMode, RepoPath};
use crate::ops::{Error, Result};
use crate::repo::{self, Content, Repository, Session, ingest_bytes};
use crate::sign::commitment::Salt;
use crate::table::{self, DETECT_BYTES, Format, Mode, Source, Unreadable, Want};

const SCHEMA: &str = "stem.erase-wanted/1";
/// So many rows of one file that could not be read are named.
const MOST_ROWS: usize = 5;
/// So many windows of records are looked for.
const MOST_WINDOWS: usize = 400_000;

/// Which records are meant, and what becomes of them. Exactly one way to choose them is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Records that equal this JSON, or one of its lines.
    pub record: Option<String>,
    /// Records in which each of these `NAME=VALUE` holds.
    pub keys: Vec<String>,
    /// Records that hold this text.
    pub containing: Option<String>,
    /// If the records stay: the fields that are emptied. None of them means the values that hold
    /// the text.
    pub redact: Option<Vec<String>>,
}

/// What a plan looks for, as it lies beside the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    schema: String,
    salt: String,
    record: Option<String>,
    keys: Vec<String>,
    containing: Option<String>,
}

/// Records to look for, ready to be looked for.
pub(super) struct Search {
    selector: table::Selector,
    mode: Mode,
    text: Option<String>,
}

/// What a file becomes.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pub(super) path: Vec<u8>,
    pub(super) by: FileId,
    pub(super) by_size: u64,
    pub(super) records: u64,
    /// The chunks of what it becomes.
    pub(super) chunks: Vec<Key>,
}

fn file_of(plan: &str) -> String {
    format!("{plan}.wanted")
}

fn bad(error: &table::Error) -> Error {
    Error::BadRecordSelector(super::chain(error))
}

impl Search {
    fn new(wanted: &Wanted, fields: Option<&Vec<String>>) -> Result<Self> {
        let selector = match (&wanted.record, &wanted.containing) {
            (Some(record), _) => table::Selector::records(record),
            (None, Some(text)) => table::Selector::containing(text),
            (None, None) => table::Selector::keys(&wanted.keys),
        };
        let selector = selector.map_err(|error| bad(&error))?;
        let mode = match fields {
            None => Mode::Drop,
            Some(fields) if fields.is_empty() && wanted.containing.is_none() => {
                return Err(Error::BadRecordSelector("no field to redact was given".into()));
            }
            Some(fields) => Mode::Redact { fields: fields.clone(), with: None },
        };
        Ok(Self { selector, mode, text: wanted.containing.clone() })
    }

    /// What is asked for, what a plan says of it, and what is kept beside the plan.
    pub(super) fn of(asked: &Asked) -> Result<(Self, RecordRule, Vec<u8>)> {
        let wanted = Wanted {
            schema: SCHEMA.into(),
            salt: FileId::from_bytes(*Salt::random()?.as_bytes()).to_hex(),
            record: asked.record.clone(),
            keys: asked.keys.clone(),
            containing: asked.containing.clone(),
        };
        let search = Self::new(&wanted, asked.redact.as_ref())?;
        let by = match (&wanted.record, &wanted.containing) {
            (Some(_), _) => "record",
            (None, Some(_)) => "containing",
            (None, None) => "keys",
        };
        let bytes = canonical::encode(&wanted)?;
        let rule =
            RecordRule { by: by.into(), wanted: id_of(&bytes), redact: asked.redact.clone() };
        Ok((search, rule, bytes))
    }

    /// What a plan of this id looks for.
    pub(super) fn load(repository: &Repository, plan: &str, rule: &RecordRule) -> Result<Self> {
        let gone = || Error::BadPlan("what it looks for is not here any more".into());
        let bytes = repository.papers(PLANS).read(&file_of(plan))?.ok_or_else(gone)?;
        if id_of(&bytes) != rule.wanted {
            return Err(Error::BadPlan("what it looks for was changed since".into()));
        }
        Self::new(&parse(&bytes)?, rule.redact.as_ref())
    }

    /// Finds the files that hold such records, among `files`, each with a path of it.
    pub(super) fn files(
        &self,
        repository: &Repository,
        files: &BTreeMap<FileId, Candidate>,
        selected: &mut Selected,
    ) -> Result<()> {
        let mut content = Content::new(repository)?;
        for (id, candidate) in files {
            let bytes = match content.whole(&candidate.file) {
                Ok(bytes) => bytes,
                // Of listings that were staged long ago, which need not be there.
                Err(_) if !candidate.must_be_there => continue,
                Err(error) => return Err(error.into()),
            };
            let shown = RepoPath::show_bytes(&candidate.path);
            let format = candidate.format(&bytes);
            if format == Format::Other {
                if self.stands_in(&bytes) {
                    let what = "holds the text, in a format without records: not rewritten";
                    selected.unproven.push(format!("{shown} ({id:.12}) {what}", id = id.to_hex()));
                }
                continue;
            }
            match self.file(&bytes, format, &candidate.path, &shown, selected) {
                Ok(Some(rest)) if rest.by != *id => {
                    repository.admit(&rest.by)?;
                    selected.files.insert(*id, candidate.file);
                    selected.rests.insert(*id, rest);
                }
                Ok(_) => {}
                Err(error) => {
                    let (id, why) = (id.to_hex(), super::chain(&error));
                    selected.unproven.push(format!("{shown} ({id:.12}): {why}"));
                }
            }
        }
        Ok(())
    }

    fn stands_in(&self, bytes: &[u8]) -> bool {
        let finder = self.text.as_ref().map(|text| memchr::memmem::find(bytes, text.as_bytes()));
        finder.flatten().is_some()
    }

    fn file(
        &self,
        bytes: &[u8],
        format: Format,
        path: &[u8],
        shown: &str,
        selected: &mut Selected,
    ) -> std::result::Result<Option<Rest>, table::Error> {
        let seen = table::scan(source(bytes), format, &self.selector, Want::Places, &mut |_| {})?;
        let columns = matches!(format, Format::Csv { .. } | Format::Parquet);
        for key in seen.absent_keys.into_iter().filter(|_| columns) {
            selected.absent_keys.push(format!("{shown}: {key}"));
        }
        if seen.matched == 0 {
            note(&seen.unreadable, shown, selected);
            return Ok(None);
        }
        let (copy, done) = self.rewrite(bytes, format)?;
        note(&done.unreadable, shown, selected);
        let records = match self.mode {
            Mode::Drop => done.matched,
            Mode::Redact { .. } => done.changed,
        };
        let (by, by_size) = (FileId::of(&copy), copy.len() as u64);
        let chunks = repo::chunks_of(&copy);
        Ok(Some(Rest { path: path.to_vec(), by, by_size, records, chunks }))
    }

    fn rewrite(
        &self,
        bytes: &[u8],
        format: Format,
    ) -> std::result::Result<(Vec<u8>, table::Rewritten), table::Error> {
        let mut copy = Vec::new();
        let how = (&self.selector, &self.mode, Want::Places);
        let done = table::rewrite(source(bytes), &mut copy, format, how, &mut |_| {})?;
        Ok((copy, done))
    }

    /// What a file becomes, once more.
    fn copy(&self, bytes: &[u8], path: &[u8]) -> repo::Result<Vec<u8>> {
        let format = Format::detect(path, &bytes[..bytes.len().min(DETECT_BYTES)]);
        let made = self.rewrite(bytes, format);
        let lost = |error: table::Error| repo::Error::Lost { what: super::chain(&error) };
        made.map(|(copy, _)| copy).map_err(lost)
    }

    /// Stores what the files become. Nothing refers to it yet.
    pub(super) fn store(&self, session: &Session<'_>, selected: &Selected) -> repo::Result<()> {
        let mut content = Content::new(session.repository())?;
        let mut packer = session.packer()?;
        for (id, rest) in &selected.rests {
            let Some(file) = selected.files.get(id) else { continue };
            let copy = self.copy(&content.whole(file)?, &rest.path)?;
            let made = ingest_bytes(session, &mut packer, &copy, FileMode::File)?;
            if made.file != rest.by {
                let what = format!("{} without records is another file now", file.file);
                return Err(repo::Error::Lost { what });
            }
        }
        session.give_back(packer)
    }

    /// Takes windows of the records that go, and gives the fingerprints of these.
    pub(super) fn watch(
        &self,
        repository: &Repository,
        selected: &Selected,
        salt: &Salt,
        canaries: &mut Canaries,
    ) -> Result<(HashSet<Fingerprint>, u64)> {
        let mut content = Content::new(repository)?;
        let (mut prints, mut kept, mut unwatched) = (HashSet::new(), HashSet::new(), 0);
        for (id, rest) in &selected.rests {
            let Some(file) = selected.files.get(id) else { continue };
            let bytes = content.whole(file)?;
            self.each(&bytes, &rest.path, &mut |record, canonical| {
                prints.insert(table::fingerprint(salt.as_bytes(), canonical));
                let full = canaries.len() > MOST_WINDOWS;
                unwatched += u64::from(full || !canaries.sample_record(record));
            })?;
        }
        for (id, rest) in &selected.rests {
            let Some(file) = selected.files.get(id) else { continue };
            let copy = self.copy(&content.whole(file)?, &rest.path)?;
            // A record that was redacted may be found again by the same selection.
            self.each(&copy, &rest.path, &mut |_, canonical| {
                kept.insert(table::fingerprint(salt.as_bytes(), canonical));
            })?;
            // A window may lie across two chunks of what stays.
            let common = canaries.find(&copy);
            canaries.remove(&common);
        }
        prints.retain(|print| !kept.contains(print));
        Ok((prints, unwatched))
    }

    fn each(&self, bytes: &[u8], path: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let format = Format::detect(path, &bytes[..bytes.len().min(DETECT_BYTES)]);
        let mut found = |one: table::Match| {
            let canonical = one.canonical.unwrap_or_default();
            let range = one.bytes.map(|range| range.start as usize..range.end as usize);
            visit(range.and_then(|range| bytes.get(range)).unwrap_or(&canonical), &canonical);
        };
        table::scan(source(bytes), format, &self.selector, Want::Records, &mut found)
            .map_err(|error| bad(&error))?;
        Ok(())
    }
}

/// A file that may hold such records.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) file: FileRef,
    pub(super) path: Vec<u8>,
    pub(super) must_be_there: bool,
}

impl Candidate {
    fn format(&self, bytes: &[u8]) -> Format {
        match self.file.mode {
            FileMode::Symlink => Format::Other,
            _ => Format::detect(&self.path, &bytes[..bytes.len().min(DETECT_BYTES)]),
        }
    }
}

/// A copy in memory, because a reader of Parquet must own its source.
fn source(bytes: &[u8]) -> Source<'static> {
    Source::seekable(std::io::Cursor::new(bytes.to_vec()))
}

fn note(unreadable: &Unreadable, shown: &str, selected: &mut Selected) {
    for trouble in unreadable.first.iter().take(MOST_ROWS) {
        selected.unproven.push(format!("{shown}: row {}: {}", trouble.row, trouble.why));
    }
    let more = unreadable.count.saturating_sub(MOST_ROWS as u64);
    if more > 0 {
        selected.unproven.push(format!("{shown}: {more} more rows that cannot be read"));
    }
}

fn parse(bytes: &[u8]) -> Result<Wanted> {
    canonical::decode("wanted records of a plan", bytes)
        .map_err(|error| Error::BadPlan(super::chain(&error)))
}

/// Keeps what a plan looks for beside it.
pub(super) fn keep(repository: &Repository, plan: &str, bytes: &[u8]) -> Result<()> {
    repository.papers(PLANS).write(&file_of(plan), bytes)?;
    Ok(())
}

/// Destroys what a plan looked for, wherever it lies beside a plan.
pub(super) fn forget(repository: &Repository, plan: &str) -> Result<()> {
    let papers = repository.papers(PLANS);
    let Some(mine) = papers.read(&file_of(plan))? else { return Ok(()) };
    let mine = parse(&mine)?;
    let same = |other: &Wanted| {
        (&other.record, &other.keys, &other.containing)
            == (&mine.record, &mine.keys, &mine.containing)
    };
    // The own one last: if this is interrupted it says what the others are.
    for name in papers.names()?.iter().filter(|name| name.ends_with(".wanted")) {
        let Some(bytes) = papers.read(name)?.filter(|_| *name != file_of(plan)) else { continue };
        if parse(&bytes).is_ok_and(|other| same(&other)) {
            papers.shred(name)?;
        }
    }
    papers.shred(&file_of(plan))?;
    Ok(())
}
