//! Records that go: which files hold them, and what these files become without them.
//!
//! What is looked for may be the very thing that must go, so a plan has only a hash of it; the
//! text itself lies beside the plan until that is run.

use serde::{Deserialize, Serialize};

use super::plan::{PLANS, RecordRule, id_of};
use crate::format::canonical;
use crate::model::{ChunkId, FileId, FileRef};
use crate::ops::{Error, Result};
use crate::repo::Repository;
use crate::sign::commitment::Salt;
use crate::table::{self, Mode, Unreadable};

const SCHEMA: &str = "stem.erase-wanted/1";
/// So many rows of one file that could not be read are named.
const MOST_ROWS: usize = 5;

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
    pub(super) selector: table::Selector,
    pub(super) mode: Mode,
    /// The text that is looked for, if it is one.
    pub(super) text: Option<String>,
}

/// What a file becomes.
#[derive(Debug, Clone)]
pub(super) struct Rest {
    pub(super) path: Vec<u8>,
    /// The file, if that was asked.
    pub(super) by: Option<FileId>,
    pub(super) by_size: u64,
    pub(super) records: u64,
    /// The chunks that were found to make it, as one hash.
    pub(super) chunks: ChunkId,
    /// The first listing that has the file, or one of the first.
    pub(super) met: usize,
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
}

/// A file that may hold such records.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) file: FileRef,
    pub(super) path: Vec<u8>,
    pub(super) must_be_there: bool,
    /// The first listing that has it, or one of the first.
    pub(super) met: usize,
}

pub(super) fn note(unreadable: &Unreadable, shown: &str, unproven: &mut Vec<String>) {
    for trouble in unreadable.first.iter().take(MOST_ROWS) {
        unproven.push(format!("{shown}: row {}: {}", trouble.row, trouble.why));
    }
    let more = unreadable.count.saturating_sub(MOST_ROWS as u64);
    if more > 0 {
        unproven.push(format!("{shown}: {more} more rows that cannot be read"));
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
///
/// What cannot be read is what is left of one that was being destroyed, or never came to be: such
/// files are written whole under another name.
pub(super) fn forget(repository: &Repository, plan: &str) -> Result<()> {
    let papers = repository.papers(PLANS);
    let own = file_of(plan);
    let Some(mine) = papers.read(&own)? else { return Ok(()) };
    let mine = parse(&mine).ok();
    let same = |other: &Wanted| {
        mine.as_ref().is_some_and(|mine| {
            (&other.record, &other.keys, &other.containing)
                == (&mine.record, &mine.keys, &mine.containing)
        })
    };
    // The own one last: as long as it can be read it says what the others are.
    let others = papers.names()?.into_iter().filter(|name| *name != own);
    for name in others.filter(|name| name.ends_with(".wanted") || name.ends_with(".wanted.new")) {
        let Some(bytes) = papers.read(&name)? else { continue };
        if parse(&bytes).map_or(true, |other| same(&other)) {
            papers.shred(&name)?;
        }
    }
    papers.shred(&own)?;
    Ok(())
}
