//! The stage of its life that a dataset or a version is in.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::error::must_say;
use super::target::Target;
use super::{Error, Result};
use crate::catalogue::{Change, Head, RecordFilter, RecordRow};
use crate::model::{DatasetName, Record, RecordKind, State, Time, VersionId};
use crate::repo::{Repository, Transaction};

/// What is known of a state.
#[derive(Debug, Clone, Serialize)]
pub struct StateInfo {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version; none if it is about the dataset.
    pub version: Option<VersionId>,
    /// The state.
    pub state: State,
    /// Why; none where nothing was ever said.
    pub reason: Option<String>,
    /// What should be used instead: `dataset@version`.
    pub successor: Option<String>,
    /// Who said so: `Name <mail>`.
    pub by: Option<String>,
    /// When.
    pub since: Option<Time>,
}

/// The states of everything, read once.
#[derive(Debug, Default)]
pub struct States {
    datasets: HashMap<DatasetName, StateInfo>,
    versions: HashMap<VersionId, StateInfo>,
}

impl States {
    /// What the catalogue says now.
    ///
    /// # Errors
    ///
    /// The catalogue's; [`Error::Refused`] if a record holds no state.
    pub fn load(repository: &Repository) -> Result<Self> {
        let filter = RecordFilter { kind: Some(RecordKind::State), ..RecordFilter::default() };
        let mut states = Self::default();
        for row in repository.catalogue.records(&filter)? {
            let Some(info) = info(row)? else { continue };
            match info.version {
                Some(version) => states.versions.insert(version, info),
                None => states.datasets.insert(info.dataset.clone(), info),
            };
        }
        Ok(states)
    }

    /// The state of a dataset.
    pub fn dataset(&self, dataset: &DatasetName) -> State {
        self.datasets.get(dataset).map_or(State::Active, |info| info.state)
    }

    /// The state of a version itself, whatever its dataset's is.
    pub fn version(&self, version: &VersionId) -> State {
        self.versions.get(version).map_or(State::Active, |info| info.state)
    }

    fn find(&self, target: &Target) -> StateInfo {
        let known = match &target.version {
            Some(version) => self.versions.get(version),
            None => self.datasets.get(&target.dataset),
        };
        known.cloned().unwrap_or_else(|| StateInfo {
            dataset: target.dataset.clone(),
            version: target.version,
            state: State::Active,
            reason: None,
            successor: None,
            by: None,
            since: None,
        })
    }
}

fn info(row: RecordRow) -> Result<Option<StateInfo>> {
    let record = row.record;
    let name = record.name.unwrap_or_default();
    let state = name.parse().map_err(|error| Error::Refused(format!("{error}")))?;
    let Some(dataset) = record.dataset else { return Ok(None) };
    let successor = record.body.get("successor").and_then(Value::as_str).map(str::to_owned);
    Ok(Some(StateInfo {
        dataset,
        version: record.version,
        state,
        reason: record.text,
        successor,
        by: Some(row.actor),
        since: Some(row.time),
    }))
}

fn find(repository: &Repository, target: &str) -> Result<Target> {
    let found = Target::find(repository, target)?;
    if found.pattern.is_some() {
        return Err(Error::Refused("only datasets and versions have a state, not paths".into()));
    }
    Ok(found)
}

/// The state of a dataset or version.
///
/// # Errors
///
/// What keeps the target from being found.
pub fn show(repository: &Repository, target: &str) -> Result<StateInfo> {
    let target = find(repository, target)?;
    Ok(States::load(repository)?.find(&target))
}

/// Fails if the worktree's branch stands still, so that nothing is written before the move of the
/// branch is refused.
///
/// # Errors
///
/// [`crate::catalogue::Error::Frozen`].
pub fn refuse_frozen(repository: &Repository) -> Result<()> {
    match repository.state().head {
        Head::Branch { .. } => Ok(repository.catalogue.refuse_frozen(repository.dataset())?),
        Head::Detached { .. } => Ok(()),
    }
}

/// What a state is changed to.
#[derive(Debug, Clone)]
pub struct Move {
    /// The state.
    pub state: State,
    /// Why.
    pub reason: String,
    /// What should be used instead: a revision.
    pub successor: Option<String>,
    /// Change nothing.
    pub dry_run: bool,
}

/// Changes the state of a dataset or version. That something is archived or erased is said by what
/// archives or erases it, never by hand.
///
/// # Errors
///
/// [`crate::catalogue::Error::Illegal`] for a move that is not allowed; [`Error::Unsaid`]
/// without a reason.
pub fn set(repository: &Repository, target: &str, to: &Move) -> Result<StateInfo> {
    if to.state > State::Retired {
        let by = if to.state == State::Archived { "archive drop" } else { "erase run" };
        let state = to.state;
        return Err(Error::Refused(format!("only `stem {by}` makes something {state}")));
    }
    let target = find(repository, target)?;
    enter(repository, &target, to)
}

/// The record that says that `target` is in a state.
pub(super) fn record_of(target: &Target, state: State, reason: &str) -> Record {
    let mut record = target.record(RecordKind::State);
    record.name = Some(state.as_str().to_owned());
    record.text = Some(reason.to_owned());
    record
}

/// As [`set`], for every state.
pub(super) fn enter(repository: &Repository, target: &Target, to: &Move) -> Result<StateInfo> {
    must_say("--reason", &to.reason)?;
    let before = States::load(repository)?.find(target);
    if !before.state.may_become(to.state) {
        let (from, to) = (before.state, to.state);
        return Err(crate::catalogue::Error::Illegal { from, to }.into());
    }
    let successor = match &to.successor {
        Some(text) => {
            let found = repository.resolve(text)?;
            Some(format!("{}@{}", found.dataset, found.version))
        }
        None => None,
    };
    let mut record = record_of(target, to.state, &to.reason);
    if let Some(successor) = &successor {
        record.body.insert("successor".into(), Value::String(successor.clone()));
    }
    if !to.dry_run {
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("state", &target.show(), Some(&to.reason), transaction)?;
    }
    Ok(StateInfo {
        state: to.state,
        reason: Some(to.reason.clone()),
        successor,
        by: Some(repository.author()?.to_string()),
        since: Some(repository.now()),
        ..before
    })
}
