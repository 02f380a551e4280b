//! Finding the version that something began with: half of the candidates with every answer.
//!
//! What is known so far stands in the worktree's own `bisect.json`, written whole or not at all.
//! The candidates are the ancestors of the bad version that no good version has for an ancestor;
//! the next one to try is the one that, whatever the answer, leaves the fewest, as in Git.

mod candidates;
mod state;

use std::ffi::OsString;
use std::process::Command;

use serde::Serialize;

use self::candidates::{Next, next};
use self::state::State;
use super::operation::Operation;
use super::switch::{Switch, SwitchOptions, switch};
use super::{Error, Result};
use crate::catalogue::Head;
use crate::model::{RefName, VersionId};
use crate::repo::Repository;

/// How far the search has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// A good and a bad version are not both known yet.
    Waiting,
    /// There are versions to try.
    Searching,
    /// The first bad version is known.
    Found,
    /// Only skipped versions are left: one of `candidates` is the first bad one.
    Undecided,
    /// The search is over, and the worktree is where it began.
    Ended,
}

/// Where the search stands.
#[derive(Debug, Serialize)]
pub struct Bisect {
    /// How far it has come.
    pub state: Progress,
    /// The version that the worktree shows.
    pub current: Option<VersionId>,
    /// How many versions may still be the first bad one.
    pub remaining: u64,
    /// How many more answers it will take, about.
    pub steps_left: u32,
    /// The first bad version.
    pub first_bad: Option<VersionId>,
    /// Where only skipped versions are left: those that may be the first bad one.
    pub candidates: Vec<VersionId>,
    /// The branch that the worktree is on; none during the search.
    pub branch: Option<RefName>,
    /// The newest version known to be bad.
    pub bad: Option<VersionId>,
    /// The versions known to be good.
    pub good: Vec<VersionId>,
    /// The versions that could not be tried.
    pub skipped: Vec<VersionId>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// An answer about a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// It is not.
    Bad,
    /// It cannot be tried.
    Skip,
}

/// How a command judged a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The version.
    pub version: VersionId,
    /// What the command said of it.
    pub verdict: Verdict,
}

/// Where the search that is under way began: a branch or a version; nothing if none is under way.
///
/// # Errors
///
/// [`crate::repo::Error::Io`] if what is known of it cannot be read.
pub fn began_at(repository: &Repository) -> Result<Option<String>> {
    Ok(State::read(repository)?.map(|state| state.home()))
}

/// Begins a search: `bad` has it, `good` have not. Neither need be known yet.
///
/// # Errors
///
/// [`Error::UnderWay`] if a search or a merge is under way; [`Error::Refused`] if the bad
/// version is an ancestor of a good one; [`crate::repo::Error::Unsaved`].
pub fn start(
    repository: &Repository,
    bad: Option<&str>,
    good: &[String],
    dry_run: bool,
) -> Result<Bisect> {
    if State::read(repository)?.is_some() {
        return Err(Error::UnderWay { doing: "bisect" });
    }
    if let Some(operation) = Operation::of(repository)? {
        return Err(Error::UnderWay { doing: operation.doing.as_str() });
    }
    let mut state = State::beginning(repository);
    if let Some(bad) = bad {
        state.bad = Some(resolve(repository, bad)?);
    }
    for text in good {
        state.add_good(resolve(repository, text)?);
    }
    proceed(repository, state, dry_run)
}

/// Takes an answer about a version; about the one that the worktree shows if none is named.
///
/// # Errors
///
/// [`Error::NotUnderWay`]; otherwise as [`start`].
pub fn mark(
    repository: &Repository,
    verdict: Verdict,
    revision: Option<&str>,
    dry_run: bool,
) -> Result<Bisect> {
    let mut state = under_way(repository)?;
    let version = resolve(repository, revision.unwrap_or("HEAD"))?;
    state.take(verdict, version);
    proceed(repository, state, dry_run)
}

/// Ends the search and goes back to where it began, or to `revision`.
///
/// # Errors
///
/// [`Error::NotUnderWay`]; [`crate::repo::Error::Unsaved`], and the search goes on.
pub fn reset(repository: &Repository, revision: Option<&str>, dry_run: bool) -> Result<Bisect> {
    let state = under_way(repository)?;
    let target = revision.map_or_else(|| state.home(), str::to_owned);
    let gone = travel(repository, &target, dry_run)?;
    if !dry_run {
        State::remove(repository)?;
    }
    let mut done = answer(&State::default(), Progress::Ended, gone.version, dry_run);
    done.branch = gone.branch;
    Ok(done)
}

/// Lets a command judge version after version: exit code 0 means good, 125 skip, another below
/// 128 bad. `tell` is told of every judgement. A dry run says only which version comes first.
///
/// # Errors
///
/// [`Error::Refused`] if the command cannot be run, ends with 128 or more or by a signal, or if no
/// good or bad version is known to begin with; the search can go on afterwards.
pub fn run(
    repository: &Repository,
    command: &[OsString],
    dry_run: bool,
    tell: &mut dyn FnMut(&Judged),
) -> Result<Bisect> {
    let mut done = proceed(repository, under_way(repository)?, dry_run)?;
    if done.state == Progress::Waiting {
        let what = "name a good and a bad version first: `stem bisect good REV`, `bad REV`";
        return Err(Error::Refused(what.into()));
    }
    while done.state == Progress::Searching && !dry_run {
        let Some(version) = done.current else { break };
        let verdict = judge(repository, command)?;
        tell(&Judged { version, verdict });
        let mut state = under_way(repository)?;
        state.take(verdict, version);
        done = proceed(repository, state, false)?;
    }
    Ok(done)
}

/// What the command's exit code says of the files as they are.
fn judge(repository: &Repository, command: &[OsString]) -> Result<Verdict> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::Refused("no command was given".into()));
    };
    let shown = program.to_string_lossy();
    // The command's words belong to the talk; the answer of this program follows on stdout.
    let status = Command::new(program)
        .args(arguments)
        .current_dir(&repository.place.root)
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| Error::Refused(format!("cannot run `{shown}`: {error}")))?;
    match status.code() {
        Some(0) => Ok(Verdict::Good),
        Some(125) => Ok(Verdict::Skip),
        Some(code) if (1..128).contains(&code) => Ok(Verdict::Bad),
        _ => Err(Error::Refused(format!("`{shown}` has not judged the version: {status}"))),
    }
}

fn resolve(repository: &Repository, text: &str) -> Result<VersionId> {
    Ok(repository.resolve(text)?.version)
}

fn under_way(repository: &Repository) -> Result<State> {
    State::read(repository)?.ok_or(Error::NotUnderWay { doing: "bisect" })
}

/// Goes to the next version to try, and remembers what is known.
fn proceed(repository: &Repository, state: State, dry_run: bool) -> Result<Bisect> {
    let here = repository.head()?;
    let (Some(bad), false) = (state.bad, state.good.is_empty()) else {
        if !dry_run {
            state.write(repository)?;
        }
        return Ok(answer(&state, Progress::Waiting, here, dry_run));
    };
    let Next { left, steps, choice, undecided } = next(repository, &state, bad)?;
    let progress = match (choice, undecided.is_empty()) {
        (Some(_), _) => Progress::Searching,
        (None, true) => Progress::Found,
        (None, false) => Progress::Undecided,
    };
    let target = choice.unwrap_or(bad);
    let must_go = here != Some(target) || !is_detached(repository);
    if must_go {
        travel(repository, &target.to_hex(), true)?;
    }
    if !dry_run {
        // Before the first file moves, so that the way back is known whatever happens.
        state.write(repository)?;
        if must_go {
            travel(repository, &target.to_hex(), false)?;
        }
    }
    let mut done = answer(&state, progress, Some(target), dry_run);
    done.remaining = left;
    done.steps_left = steps;
    done.candidates = undecided;
    done.first_bad = (progress == Progress::Found).then_some(bad);
    Ok(done)
}

fn is_detached(repository: &Repository) -> bool {
    matches!(repository.state().head, Head::Detached { .. })
}

fn travel(repository: &Repository, target: &str, dry_run: bool) -> Result<Switch> {
    let target = Some(target.to_owned());
    switch(repository, &SwitchOptions { target, dry_run, ..SwitchOptions::default() })
}

fn answer(state: &State, progress: Progress, current: Option<VersionId>, dry_run: bool) -> Bisect {
    Bisect {
        state: progress,
        current,
        remaining: 0,
        steps_left: 0,
        first_bad: None,
        candidates: Vec::new(),
        branch: None,
        bad: state.bad,
        good: state.good.clone(),
        skipped: state.skipped.clone(),
        dry_run,
    }
}
