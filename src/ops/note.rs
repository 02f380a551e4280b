//! Notes: problems, solutions, practices, decisions and incidents, kept beside what they are about.

mod export;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use self::export::export;
use serde::Serialize;
use serde_json::Value;

use super::consumer;
use super::{Error, Result};
use crate::catalogue::{self, RecordFilter, RecordRow};
use crate::model::{DatasetName, Record, RecordKind, RepoPath, Time, VersionId};
use crate::repo::{Repository, split_path};

/// What a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// Something is wrong.
    Problem,
    /// What helped.
    Solution,
    /// What has proved itself.
    Practice,
    /// What was decided, and why.
    Decision,
    /// What happened.
    Incident,
}

impl NoteKind {
    /// Every kind, in the order of an export.
    pub const ALL: [Self; 5] =
        [Self::Problem, Self::Solution, Self::Practice, Self::Decision, Self::Incident];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Solution => "solution",
            Self::Practice => "practice",
            Self::Decision => "decision",
            Self::Incident => "incident",
        }
    }

    fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Problem => ("Problem", "Problems"),
            Self::Solution => ("Solution", "Solutions"),
            Self::Practice => ("Practice", "Practices"),
            Self::Decision => ("Decision", "Decisions"),
            Self::Incident => ("Incident", "Incidents"),
        }
    }
}

/// What a note is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The dataset that the version was found in.
    pub dataset: Option<DatasetName>,
    /// The version.
    pub version: Option<VersionId>,
    /// A file or directory in it.
    pub path: Option<String>,
    /// One of its steps, from 1.
    pub step: Option<u64>,
    /// A consumer.
    pub consumer: Option<String>,
}

impl Target {
    /// What it is, in words that always mean the same.
    fn subject(&self) -> String {
        let mut text = match (&self.dataset, &self.version) {
            (Some(dataset), Some(version)) => format!("{dataset}@{version}"),
            (_, Some(version)) => version.to_string(),
            _ => String::new(),
        };
        if let Some(path) = &self.path {
            text = format!("{text}:{path}");
        }
        if let Some(step) = self.step {
            text = format!("{text}#{step}");
        }
        if let Some(consumer) = &self.consumer {
            text = format!("consumer:{consumer}");
        }
        text
    }
}

/// A note.
#[derive(Debug, Clone, Serialize)]
pub struct Note {
    /// Its number, which is that of the journal's entry; none for a dry run.
    pub number: Option<u64>,
    /// What it is.
    pub kind: NoteKind,
    /// What it is about.
    #[serde(flatten)]
    pub target: Target,
    /// The note that it answers or adds to.
    pub about: Option<u64>,
    /// Its words.
    pub text: String,
    /// When it was made.
    pub time: Time,
    /// By whom: `Name <mail>`.
    pub actor: String,
}

/// Reads `REV`, `REV:PATH`, `step:REV#N` or `consumer:NAME`.
///
/// # Errors
///
/// [`catalogue::Error::Unknown`] for a step or consumer that is not there;
/// [`crate::repo::Error::NoRevision`], [`crate::repo::Error::NoPath`] and their like.
pub fn target(repository: &Repository, text: &str) -> Result<Target> {
    let unknown = |what: String| Error::from(catalogue::Error::Unknown { what });
    if let Some(name) = text.strip_prefix("consumer:") {
        consumer::show(repository, name)?;
        return Ok(Target { consumer: Some(name.to_owned()), ..Target::default() });
    }
    if let Some(rest) = text.strip_prefix("step:") {
        let bad = || Error::Refused(format!("`{}` is not step:REV#N", text.escape_debug()));
        let (revision, number) = rest.rsplit_once('#').ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        let found = repository.resolve(revision)?;
        let steps = steps(repository, &found.version)?;
        if number == 0 || number > steps {
            return Err(unknown(format!("step {number} of version {}", found.version)));
        }
        return Ok(Target {
            dataset: Some(found.dataset),
            version: Some(found.version),
            step: Some(number),
            ..Target::default()
        });
    }
    let (revision, path) = split_path(text);
    let found = repository.resolve(revision)?;
    let path = path.map(|path| repository.path_in(&found.version, revision, path)).transpose()?;
    let path = path.filter(|path| !path.is_empty()).map(|path| RepoPath::exact_bytes(&path));
    Ok(Target {
        dataset: Some(found.dataset),
        version: Some(found.version),
        path,
        ..Target::default()
    })
}

/// Steps that a version tells of, and those that were told of later.
fn steps(repository: &Repository, version: &VersionId) -> Result<u64> {
    let own = repository.read_version(version)?.provenance.steps.len() as u64;
    let filter = RecordFilter {
        kind: Some(RecordKind::Step),
        version: Some(*version),
        ..RecordFilter::default()
    };
    Ok(own + repository.catalogue.records(&filter)?.len() as u64)
}

/// Adds a note.
///
/// # Errors
///
/// [`Error::Refused`] for a note without words; [`catalogue::Error::Unknown`] if there is no note
/// with the number `about`; as [`target`].
pub fn add(
    repository: &Repository,
    at: &str,
    kind: NoteKind,
    text: &str,
    about: Option<u64>,
    dry_run: bool,
) -> Result<Note> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Refused("the note has no words".into()));
    }
    let target = target(repository, at)?;
    if let Some(about) = about
        && !all(repository)?.iter().any(|note| note.number == Some(about))
    {
        return Err(catalogue::Error::Unknown { what: format!("note {about}") }.into());
    }
    let mut note = Note {
        number: None,
        kind,
        target,
        about,
        text: text.to_owned(),
        time: repository.now(),
        actor: repository.author()?.to_string(),
    };
    if !dry_run {
        // Not in the user's words: what is HEAD today is another version tomorrow.
        let subject = format!("{} {}", kind.as_str(), note.target.subject());
        let records = vec![record(&note)];
        note.number = Some(repository.add_records("note", &subject, None, records)?);
    }
    Ok(note)
}

fn record(note: &Note) -> Record {
    let mut record = Record::new(RecordKind::Note);
    record.dataset = note.target.dataset.clone();
    record.version = note.target.version;
    record.path = note.target.path.clone();
    record.name = Some(note.kind.as_str().to_owned());
    record.text = Some(note.text.clone());
    let fields = [
        ("step", note.target.step.map(Value::from)),
        ("consumer", note.target.consumer.clone().map(Value::from)),
        ("about", note.about.map(Value::from)),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            record.body.insert(key.to_owned(), value);
        }
    }
    record
}

/// Another program may have written a note whose kind or words are none: it is shown as it can be.
fn read(row: RecordRow) -> Note {
    let RecordRow { number, time, actor, record, .. } = row;
    let kind = record
        .name
        .as_deref()
        .and_then(|name| NoteKind::ALL.into_iter().find(|kind| kind.as_str() == name));
    let whole = |key: &str| record.body.get(key).and_then(Value::as_u64);
    let consumer = record.body.get("consumer").and_then(Value::as_str).map(str::to_owned);
    Note {
        number: Some(number),
        kind: kind.unwrap_or(NoteKind::Practice),
        target: Target {
            step: whole("step"),
            consumer,
            dataset: record.dataset,
            version: record.version,
            path: record.path,
        },
        about: whole("about"),
        text: record.text.unwrap_or_default(),
        time,
        actor,
    }
}

fn all(repository: &Repository) -> Result<Vec<Note>> {
    let filter = RecordFilter { kind: Some(RecordKind::Note), ..RecordFilter::default() };
    Ok(repository.catalogue.records(&filter)?.into_iter().map(read).collect())
}

/// The notes of the store, the oldest first: those about one thing and of one kind, if given. Of a
/// version: also those about its paths and steps.
///
/// # Errors
///
/// As [`target`].
pub fn list(
    repository: &Repository,
    at: Option<&str>,
    kind: Option<NoteKind>,
) -> Result<Vec<Note>> {
    let wanted = at.map(|at| target(repository, at)).transpose()?;
    let mut notes = all(repository)?;
    notes.retain(|note| {
        let about = wanted.as_ref().is_none_or(|wanted| is_about(&note.target, wanted));
        about && kind.is_none_or(|kind| note.kind == kind)
    });
    Ok(notes)
}

fn is_about(target: &Target, wanted: &Target) -> bool {
    let Target { dataset: _, version, path, step, consumer } = wanted;
    target.version == *version
        && target.consumer == *consumer
        && (path.is_none() || target.path == *path)
        && (step.is_none() || target.step == *step)
}

/// The notes that have all of the words, the best match first.
///
/// # Errors
///
/// [`Error::Refused`] if there is no word to look for.
pub fn search(repository: &Repository, words: &str) -> Result<Vec<Note>> {
    let found = repository.catalogue.search(words, Some(RecordKind::Note), 1 << 20)?;
    let found = found.ok_or_else(|| Error::Refused("there is no word to look for".into()))?;
    let mut notes: BTreeMap<u64, Note> = BTreeMap::new();
    for note in all(repository)? {
        notes.extend(note.number.map(|number| (number, note)));
    }
    Ok(found.iter().filter_map(|place| notes.remove(&place.number)).collect())
}

/// What a note is about, in words.
pub fn place(target: &Target) -> String {
    if let Some(consumer) = &target.consumer {
        return format!("consumer `{consumer}`");
    }
    let mut text = String::new();
    match (&target.dataset, &target.version) {
        (Some(dataset), Some(version)) => {
            let _ = write!(text, "{dataset}@{}", &version.to_hex()[..12]);
        }
        (Some(dataset), None) => text.push_str(dataset.as_str()),
        (None, Some(version)) => text.push_str(&version.to_hex()[..12]),
        (None, None) => text.push_str("nothing"),
    }
    if let Some(path) = &target.path {
        let _ = write!(text, ":{path}");
    }
    if let Some(step) = target.step {
        let _ = write!(text, ", step {step}");
    }
    text
}
