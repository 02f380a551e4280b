//! What must be destroyed by now, and what stands against it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::Result;
use super::classify::{Amount, Rules, survey_of};
use super::erase::{self, PlanOptions, Planned, Selector};
use super::target::versions_of;
use crate::model::{DatasetName, FileId, FileRef, RepoPath, Time, VersionId};
use crate::repo::{Doomed, Holds, Repository};

/// So many paths are named.
const MOST: usize = 20;

/// A content whose time has come.
#[derive(Debug, Clone, Serialize)]
pub struct Due {
    /// The content.
    pub file: FileId,
    /// Its bytes.
    pub size: u64,
    /// A dataset whose decision says so.
    pub dataset: DatasetName,
    /// A version of it that lists the content.
    pub version: VersionId,
    /// Where.
    pub path: RepoPath,
    /// It had to be destroyed by then.
    pub destroy_by: Time,
    /// Some decision over any dataset says that it must be kept until then, which is not over.
    pub keep_until: Option<Time>,
    /// Holds on it, wherever it lies.
    pub holds: BTreeSet<String>,
}

/// What a retention run would meet.
#[derive(Debug, Serialize)]
pub struct Retention {
    /// The moment that it is about.
    pub now: Time,
    /// Contents whose time has come.
    pub due: Amount,
    /// Of these, what nothing stands against.
    pub free: Amount,
    /// Of these, what a hold forbids to destroy.
    pub held: Amount,
    /// Of these, what must be kept longer by another decision.
    pub kept: Amount,
    /// What stands against destroying, and how many contents it concerns.
    pub blocked_by: BTreeMap<String, u64>,
    /// Some of them; those that are blocked first.
    pub contents: Vec<Due>,
}

/// Looks at every decision and every version for what has passed its ceiling. Changes nothing.
///
/// A content counts once, however many paths and versions list it, and is blocked if any of them is.
///
/// # Errors
///
/// What keeps decisions, holds or listings from being read.
pub fn simulate(repository: &Repository) -> Result<Retention> {
    Ok(sum(repository.now(), due(repository)?))
}

/// Everything whose time has come.
fn due(repository: &Repository) -> Result<Vec<Due>> {
    let now = repository.now();
    let mut datasets = Vec::new();
    for row in repository.catalogue.datasets()? {
        let rules = Rules::of(repository, &row.name)?;
        datasets.push((versions_of(repository, &row.name)?, rules, row.name));
    }
    let mut due: HashMap<FileId, Due> = HashMap::new();
    for (versions, rules, dataset) in &datasets {
        if rules.all().iter().all(|rule| rule.destroy_by.is_none_or(|by| by > now)) {
            continue;
        }
        survey_of(repository, rules, versions, |version, path, entry, judged| {
            let over = judged.destroy_by.filter(|by| *by <= now);
            let (Some(destroy_by), Ok(path)) = (over, RepoPath::new(path)) else { return };
            due.entry(entry.file).or_insert_with(|| Due {
                file: entry.file,
                size: entry.size,
                dataset: dataset.clone(),
                version: *version,
                path,
                destroy_by,
                keep_until: None,
                holds: BTreeSet::new(),
            });
        })?;
    }
    let overlay = repository.overlay();
    due.retain(|file, _| overlay.get(file).is_none());
    if !due.is_empty() {
        let holds = Holds::load(repository)?;
        for (versions, rules, dataset) in &datasets {
            block(repository, &holds, (versions, rules, dataset), now, &mut due)?;
        }
    }
    Ok(due.into_values().collect())
}

/// How a retention run is done.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Carry the plan out at once.
    pub yes: bool,
    /// The key that signs the certificate.
    pub key: Option<String>,
    /// Change nothing.
    pub dry_run: bool,
}

/// A retention run.
#[derive(Debug, Serialize)]
pub struct Ran {
    /// What was met.
    #[serde(flatten)]
    pub met: Retention,
    /// The plan for all that nothing stands against; none if there is no such content.
    pub plan: Option<Planned>,
    /// What became of the plan, if it was carried out.
    pub run: Option<erase::Run>,
}

/// Plans to erase everything that has passed its ceiling and that no hold and no floor stands
/// against; with `yes` carries that plan out.
///
/// # Errors
///
/// As [`erase::plan`] and [`erase::run`]; what needs approvals is not carried out without them.
pub fn run(repository: &Repository, options: &RunOptions) -> Result<Ran> {
    let all = due(repository)?;
    let free = all.iter().filter(|one| one.holds.is_empty() && one.keep_until.is_none());
    let mut files: Vec<FileId> = free.map(|one| one.file).collect();
    files.sort_unstable();
    let met = sum(repository.now(), all);
    if files.is_empty() {
        return Ok(Ran { met, plan: None, run: None });
    }
    let plan = erase::plan(
        repository,
        &PlanOptions {
            selector: Selector { files, ..Selector::default() },
            reason: "The date by which it must be destroyed has passed".into(),
            dry_run: options.dry_run,
            ..PlanOptions::default()
        },
    )?;
    let mut run = None;
    if options.yes && !options.dry_run {
        let (plan, key) = (plan.id.clone(), options.key.clone());
        run = Some(erase::run(
            repository,
            &erase::RunOptions { plan, key, ..erase::RunOptions::default() },
        )?);
    }
    Ok(Ran { met, plan: Some(plan), run })
}

/// Notes what stands against destroying contents, in one dataset. Every version is looked at by
/// itself, for a hold may be on one of them only.
fn block(
    repository: &Repository,
    holds: &Holds<'_>,
    (versions, rules, dataset): (&[VersionId], &Rules, &DatasetName),
    now: Time,
    due: &mut HashMap<FileId, Due>,
) -> Result<()> {
    let mut failed = None;
    for version in versions {
        let one = std::slice::from_ref(version);
        survey_of(repository, rules, one, |version, path, entry: &FileRef, judged| {
            let Some(due) = due.get_mut(&entry.file) else { return };
            let floor = judged.keep_until.filter(|until| *until > now);
            due.keep_until = due.keep_until.max(floor);
            let doomed = Doomed {
                dataset: Some(dataset),
                version: Some(*version),
                path: Some(path),
                file: Some(entry.file),
            };
            match holds.blocking(&doomed) {
                Ok(found) => due.holds.extend(found.into_iter().map(|hold| hold.id.clone())),
                Err(error) => failed = Some(error),
            }
        })?;
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn sum(now: Time, mut contents: Vec<Due>) -> Retention {
    contents.sort_by(|a, b| {
        let rank = |due: &Due| (due.holds.is_empty(), due.keep_until.is_none());
        (rank(a), &a.dataset, &a.path, a.file).cmp(&(rank(b), &b.dataset, &b.path, b.file))
    });
    let zero = Amount::default;
    let (mut due, mut free, mut held, mut kept) = (zero(), zero(), zero(), zero());
    let mut blocked_by: BTreeMap<String, u64> = BTreeMap::new();
    for one in &contents {
        let add = |amount: &mut Amount| {
            amount.files += 1;
            amount.bytes += one.size;
        };
        add(&mut due);
        if !one.holds.is_empty() {
            add(&mut held);
        }
        if one.keep_until.is_some() {
            add(&mut kept);
        }
        if one.holds.is_empty() && one.keep_until.is_none() {
            add(&mut free);
        }
        let floor = one.keep_until.map(|until| format!("keep until {until}"));
        for what in one.holds.iter().map(|id| format!("hold {id}")).chain(floor) {
            *blocked_by.entry(what).or_default() += 1;
        }
    }
    contents.truncate(MOST);
    Retention { now, due, free, held, kept, blocked_by, contents }
}
