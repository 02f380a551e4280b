//! Executing a command and recording it with what it has made.
//!
//! Nothing is locked while the command runs, so two may run at once. What has changed meanwhile is
//! looked at before anything is committed: if what the command has read or written is not as it was,
//! the commit is a lost race, and what was written stays where it is.

mod attempt;
mod plan;
mod rerun;
mod scene;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;
use serde_json::{Map, Value};

use self::plan::Plan;
pub use self::rerun::{Difference, Rerun, RerunOptions, rerun};
use super::commit::Commit;
use super::provenance::Given;
use super::{Error, Result};
use crate::catalogue::{self, Change, RecordFilter};
use crate::model::{Decided, Record, RecordKind, RepoPath, Step, VersionId};
use crate::repo::{self, Ended, Environment, Repository, Transaction, run_command};

/// What to execute.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What it reads: paths of the worktree, or revisions with a path or without.
    pub inputs: Vec<PathBuf>,
    /// Paths that it writes.
    pub outputs: Vec<PathBuf>,
    /// What the version says; the command if nothing is given.
    pub message: Option<String>,
    /// What the step is called; the program if nothing is given.
    pub name: Option<String>,
    /// What it is set to.
    pub parameters: Map<String, Value>,
    /// Environment variables whose values' hashes are recorded.
    pub variables: Vec<String>,
    /// Who decided it.
    pub decided: Option<Decided>,
    /// What else is said of the version.
    pub given: Given,
    /// Run with inputs that have unsaved changes.
    pub force: bool,
    /// Only say what would be run.
    pub dry_run: bool,
}

/// How the outside takes part in a run.
pub struct Attendance<'a> {
    /// Set when the command shall be ended.
    pub interrupted: &'a AtomicBool,
    /// Takes what the command prints.
    pub live: &'a (dyn Fn(&[u8]) + Sync),
    /// Takes what is to be said before the command runs.
    pub tell: &'a dyn Fn(&str),
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Run {
    /// What the command ended with; none if it was not run.
    pub exit_code: Option<i32>,
    /// The new version; none if nothing was committed.
    pub version: Option<VersionId>,
    /// The step.
    pub step: Step,
    /// The new version, described.
    pub commit: Option<Commit>,
    /// Why nothing was committed.
    pub reason: Option<String>,
    /// The entry of the journal that has the record of a run that failed.
    pub record: Option<u64>,
    /// Paths that have changed while it ran and are not among the outputs.
    pub changed_outside: Vec<RepoPath>,
    /// What could not be recorded of the run, and does not stop it.
    pub warnings: Vec<String>,
    /// Whether nothing was run.
    pub dry_run: bool,
}

/// Runs a command in `start`, and commits its outputs, only them, with the step. A command that fails commits nothing and leaves a record.
///
/// # Errors
///
/// [`Error::UnsavedInputs`], [`Error::Command`]; [`repo::Error::Refused`] before anything runs; [`Error::Overtaken`] and the catalogue's lost race,
/// both with a record of the run; [`Error::Interrupted`].
pub fn run(
    start: &Path,
    environment: &Environment,
    options: &RunOptions,
    attendance: &Attendance<'_>,
) -> Result<Run> {
    let plan = {
        let repository = Repository::open(start, environment.clone())?;
        let plan = Plan::make(&repository, options)?;
        // Before hours of work, not after.
        plan.ask(&repository, options.dry_run)?;
        plan
    };
    let mut done = Run {
        exit_code: None,
        version: None,
        step: plan.step.clone(),
        commit: None,
        reason: None,
        record: None,
        changed_outside: Vec::new(),
        warnings: plan.warnings.clone(),
        dry_run: options.dry_run,
    };
    if options.dry_run {
        return Ok(done);
    }
    done.step.started = Some(environment.clock.now());
    let ended = execute(&plan, &options.command, attendance)?;
    done.step.ended = Some(environment.clock.now());
    take_down(&mut done.step, &ended);
    done.exit_code = Some(ended.code);
    if ended.code != 0 {
        let reason = format!("the command ended with exit code {}", ended.code);
        let repository = Repository::open(start, environment.clone())?;
        return failed(&repository, &plan, done, reason);
    }
    let repository = Repository::open_to_write(start, environment.clone())?;
    done.changed_outside = plan.changed_outside(&repository)?;
    match attempt::commit(&repository, &plan, &done.step) {
        Ok(Ok(commit)) => {
            done.version = commit.version;
            done.commit = Some(commit);
            Ok(done)
        }
        Ok(Err(reason)) => failed(&repository, &plan, done, reason),
        Err(error) => {
            if is_in_vain(&error) {
                failed(&repository, &plan, done, error.to_string())?;
            }
            Err(error)
        }
    }
}

fn execute(plan: &Plan, command: &[OsString], attendance: &Attendance<'_>) -> Result<Ended> {
    let Attendance { interrupted, live, .. } = attendance;
    let ended = run_command(command, &plan.directory, interrupted, *live).map_err(|source| {
        let program = command.first().map(|word| word.to_string_lossy().into_owned());
        Error::Command { program: program.unwrap_or_default(), source }
    })?;
    if ended.interrupted || interrupted.load(Relaxed) {
        return Err(Error::Interrupted);
    }
    Ok(ended)
}

/// What the command's end says, into the step.
fn take_down(step: &mut Step, ended: &Ended) {
    step.exit_code = Some(ended.code);
    // The tail may begin in the middle of a character.
    let begins = ended.tail.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
    let text = String::from_utf8_lossy(&ended.tail[begins..]).into_owned();
    step.output_tail = Some(text).filter(|text| !text.trim().is_empty());
}

/// Whether the world has changed meanwhile so that nothing can be made of the run.
fn is_in_vain(error: &Error) -> bool {
    match error {
        Error::Overtaken { .. } | Error::Repo(repo::Error::Refused(_)) => true,
        Error::Repo(repo::Error::Catalogue(error)) => {
            matches!(error, catalogue::Error::Moved { .. }) || error.is_lost_race()
        }
        _ => false,
    }
}

/// Records that a run has come to nothing, with all that is known of it.
fn failed(repository: &Repository, plan: &Plan, mut done: Run, reason: String) -> Result<Run> {
    let mut record = Record::new(RecordKind::FailedRun);
    record.dataset = Some(repository.dataset().clone());
    record.version = plan.before;
    record.name = Some(done.step.name.clone());
    record.text = Some(reason.clone());
    if let Ok(step) = serde_json::to_value(&done.step) {
        record.body.insert("step".into(), step);
    }
    let transaction =
        Transaction { changes: vec![Change::Recorded { record }], ..Transaction::default() };
    repository.change("run", &plan.subject, Some(&reason), transaction)?;
    let filter = RecordFilter {
        kind: Some(RecordKind::FailedRun),
        name: Some(done.step.name.clone()),
        ..RecordFilter::default()
    };
    done.record = repository.catalogue.records(&filter)?.last().map(|row| row.number);
    done.reason = Some(reason);
    Ok(done)
}
