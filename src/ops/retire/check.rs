//! Looking again at what a retirement has done.

use serde::Serialize;

use super::plan::load;
use super::report;
use super::run::archives;
use crate::model::State;
use crate::ops::erase::{self, CheckOptions};
use crate::ops::state::States;
use crate::ops::{Error, Result, archive};
use crate::repo::Repository;

/// What came of looking again.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Whether everything holds.
    pub ok: bool,
    /// The plan's id.
    pub plan: String,
    /// How many archives were read back.
    pub archives: u64,
    /// Whether the store was looked through for what was destroyed.
    pub store_checked: bool,
    /// What does not hold.
    pub problems: Vec<String>,
}

/// Reads every archive back, looks for what was destroyed, and compares branches, tags and the
/// report with what they must be. Changes nothing.
///
/// # Errors
///
/// [`Error::NoPlan`], [`Error::BadPlan`]; [`Error::Refused`] if it was not carried out. What does
/// not hold is part of the answer.
pub fn verify(repository: &Repository, plan: &str) -> Result<Checked> {
    let (id, plan) = load(repository, plan)?;
    if report::digest(repository, &id)?.is_none() {
        return Err(Error::Refused(format!("plan {:.16} was not carried out to its end", id)));
    }
    let mut problems = Vec::new();
    let made = archives(repository, &id, &plan)?;
    for core in &plan.found.core {
        if !made.iter().any(|one| one.version == core.version) {
            problems.push(format!("version {} has no archive", core.version));
        }
    }
    for one in &made {
        let (threads, place) = (repository.threads(), one.place.display());
        match archive::verify(&one.place, threads, &*repository.environment.progress) {
            Ok(read) => {
                let each = read.problems.iter();
                problems.extend(each.map(|bad| format!("{place}: {} {}", bad.path, bad.problem)));
                if read.digest != one.digest || read.version != Some(one.version) {
                    problems.push(format!("{place} is not the archive that was made"));
                }
            }
            Err(error) => problems.push(format!("{place}: {error}")),
        }
    }
    let store_checked = plan.erasure.is_some();
    if let Some(erasure) = &plan.erasure {
        let keys = erase::certifiers(repository)?;
        let options = CheckOptions {
            file: erase::find(repository, erasure)?,
            store: Some(repository.place.store.clone()),
            device: None,
        };
        problems.extend(erase::check(&options, &keys)?.problems);
    }
    names(repository, &plan, &mut problems)?;
    if let Err(error) = report::report(repository, &id, None, false) {
        problems.push(error.to_string());
    }
    let archives = made.len() as u64;
    Ok(Checked { ok: problems.is_empty(), plan: id, archives, store_checked, problems })
}

/// Whether what is retired is so still, and no branch or tag of a retired dataset has moved.
fn names(repository: &Repository, plan: &super::Plan, problems: &mut Vec<String>) -> Result<()> {
    let states = States::load(repository)?;
    let own = plan.version.map(|version| states.version(&version));
    let state = own.unwrap_or_else(|| states.dataset(&plan.dataset));
    if state < State::Retired {
        problems.push(format!("{} is {state}", plan.target().show()));
    }
    if plan.version.is_some() {
        return Ok(());
    }
    let mut now: Vec<_> = repository.catalogue.all_refs()?;
    now.retain(|row| row.dataset == plan.dataset);
    let then: Vec<_> = plan.found.branches.iter().chain(&plan.found.tags).collect();
    for named in &then {
        let here = now.iter().filter(|row| row.name.as_str() == named.name);
        if !here.clone().any(|row| row.version == named.version) {
            problems.push(format!("`{}` is not where it was", named.name));
        }
    }
    if now.len() > then.len() {
        problems.push("there are branches or tags that were not there".into());
    }
    Ok(())
}
