//! Approving a plan, and carrying it out: retire, archive, erase, report.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use super::find::found;
use super::plan::{CoreVersion, Found, Plan, Total, load};
use super::report::{self, Archive};
use super::{apply, apply_after, recorded, told};
use crate::catalogue::{Change, RecordFilter};
use crate::model::{RecordKind, State};
use crate::ops::archive::{self, Without};
use crate::ops::erase::{self, approvals_of};
use crate::ops::state::{States, record_of};
use crate::ops::{Error, Result, hold};
use crate::repo::policy::Deed;
use crate::repo::{Doomed, Repository};

/// Approvals of a plan, and of the erasure that belongs to it.
#[derive(Debug, Serialize)]
pub struct Approved {
    /// The plan's approval.
    #[serde(flatten)]
    pub approved: erase::Approved,
    /// The plan of the erasure that was approved with it.
    pub erasure: Option<String>,
}

/// Signs a plan, and the erasure that belongs to it.
///
/// # Errors
///
/// [`Error::NotEntitled`] for a key that is not an approver's, or is the requester's own.
pub fn approve(repository: &Repository, plan: &str, how: &erase::Signing<'_>) -> Result<Approved> {
    let (id, plan) = load(repository, plan)?;
    let approved = erase::sign(repository, &plan.asked(&id), "retire-approve", how)?;
    if let Some(erasure) = &plan.erasure {
        erase::approve(repository, erasure, how)?;
    }
    Ok(Approved { approved, erasure: plan.erasure })
}

/// How a plan is carried out.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The plan: its id, the beginning of it, or a file.
    pub plan: String,
    /// The key that signs the certificate.
    pub key: Option<String>,
    /// Only look whether it could be carried out.
    pub dry_run: bool,
}

/// What was archived.
#[derive(Debug, Serialize)]
pub struct Amounts {
    /// Files in all archives.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The directory that they lie in.
    pub place: PathBuf,
}

/// A plan that was carried out.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The plan's id.
    pub plan: String,
    /// What was archived.
    pub archived: Amounts,
    /// What was destroyed.
    pub destroyed: Total,
    /// What stays here.
    pub kept: Total,
    /// The certificate of what was destroyed.
    pub certificate: Option<String>,
    /// Its status: `final`, or `pending` while somebody who has the content was not asked.
    pub status: Option<String>,
    /// The report.
    pub report: String,
    /// Whether nothing was changed: then it says what would be done, and where the report would lie.
    pub dry_run: bool,
}

/// Carries out a plan, or goes on with it.
///
/// # Errors
///
/// [`Error::OutOfDate`], [`Error::NotApproved`], [`Error::Held`]: nothing has changed then. What
/// keeps an archive from being made, or content from being erased: the same call goes on.
pub fn run(repository: &Repository, options: &RunOptions) -> Result<Run> {
    let (id, plan) = load(repository, &options.plan)?;
    if plan.erasure.is_some() {
        // Before anything changes: without a key there would be no certificate.
        let signer = repository.signer(options.key.as_deref())?;
        erase::may_certify(repository, &signer)?;
    }
    if options.dry_run {
        return foresee(repository, id, plan, options);
    }
    let begun = match number_of(repository, &id, "begun")? {
        Some(number) => number,
        None => begin(repository, &id, &plan, options)?,
    };
    for core in &plan.found.core {
        archive_one(repository, &id, &plan, core, begun)?;
    }
    let archives = archives(repository, &id, &plan)?;
    let mut status = None;
    if let Some(erasure) = &plan.erasure {
        let done = erase::run(repository, &options.erasure(erasure))?;
        status = Some(done.status);
    }
    let report = report::finish(repository, &id, &plan, &archives)?;
    let certificate = plan.erasure.as_deref().map(|erasure| erase::find(repository, erasure));
    let certificate = certificate.transpose()?.map(|path| path.display().to_string());
    Ok(Run {
        archived: amounts(&plan, archives.iter().map(|one| (one.files, one.bytes))),
        destroyed: report::destroyed(&plan),
        kept: plan.found.kept,
        certificate,
        status,
        report,
        plan: id,
        dry_run: false,
    })
}

impl RunOptions {
    /// How the erasure that belongs to the plan is carried out.
    fn erasure(&self, plan: &str) -> erase::RunOptions {
        let (plan, key) = (plan.to_owned(), self.key.clone());
        erase::RunOptions { plan, key, device: None, dry_run: self.dry_run }
    }
}

/// Files and bytes of versions, added up, and where they are archived.
fn amounts(plan: &Plan, each: impl Iterator<Item = (u64, u64)>) -> Amounts {
    let (files, bytes) = each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Amounts { files, bytes, place: plan.core_to.clone() }
}

/// Checks everything that a run checks before it changes anything, and says what it would do.
fn foresee(repository: &Repository, id: String, plan: Plan, options: &RunOptions) -> Result<Run> {
    if number_of(repository, &id, "begun")?.is_none() {
        allow(repository, &id, &plan)?;
    }
    let erasure = plan.erasure.as_ref().map(|erasure| options.erasure(erasure));
    let erasure = erasure.map(|options| erase::run(repository, &options)).transpose()?;
    let without = without(&plan);
    let payload = |core: &CoreVersion| without.payload(repository, &core.version);
    let archived = plan.found.core.iter().map(payload).collect::<Result<Vec<_>>>()?;
    Ok(Run {
        archived: amounts(&plan, archived.into_iter()),
        destroyed: report::destroyed(&plan),
        kept: plan.found.kept,
        certificate: erasure.as_ref().map(|one| one.certificate.clone()),
        status: erasure.map(|one| one.status),
        report: report::place_of(repository, &id).display().to_string(),
        plan: id,
        dry_run: true,
    })
}

/// The entry of the journal that says that a plan has come so far.
pub(super) fn number_of(repository: &Repository, id: &str, what: &str) -> Result<Option<u64>> {
    let rows = told(repository, id)?;
    Ok(rows.iter().find(|row| row.record.name.as_deref() == Some(what)).map(|row| row.number))
}

/// Checks everything, and retires in the same change that says that the plan is begun: from here on
/// the branches and tags of the dataset stand still.
fn begin(repository: &Repository, id: &str, plan: &Plan, options: &RunOptions) -> Result<u64> {
    let after = repository.catalogue.journal_head()?.number;
    allow(repository, id, plan)?;
    if let Some(erasure) = &plan.erasure {
        // What it is planned as must still hold, too: once begun there is no way back.
        let asked = erase::RunOptions { dry_run: true, ..options.erasure(erasure) };
        erase::run(repository, &asked)?;
    }
    let target = plan.target();
    let states = States::load(repository)?;
    let own = target.version.map(|version| states.version(&version));
    let state = own.unwrap_or_else(|| states.dataset(&target.dataset));
    let mut changes = vec![recorded(id, "begun", Map::new())];
    if state < State::Retired {
        let mut record = record_of(&target, State::Retired, &plan.reason);
        if let Some(successor) = &plan.successor {
            record.body.insert("successor".into(), Value::String(successor.clone()));
        }
        changes.push(Change::Recorded { record });
    }
    apply_after(repository, Some(after), "retire-begin", id, changes)?;
    let lost = || Error::Refused("another run has begun at the same moment".into());
    number_of(repository, id, "begun")?.ok_or_else(lost)
}

/// Fails unless what is there is what the plan says, and nothing stands in its way.
fn allow(repository: &Repository, id: &str, plan: &Plan) -> Result<()> {
    let target = plan.target();
    compare(&plan.found, &found(repository, &target, &plan.core_to, plan.aux)?)?;
    for one in &plan.found.destroyed {
        let doomed = [Doomed { file: Some(one.file), ..Doomed::default() }];
        hold::refuse(repository, &one.path, &doomed)?;
    }
    if let Some(erasure) = &plan.erasure {
        let blocked = erase::show(repository, erasure)?.blocked_by;
        if !blocked.is_empty() {
            return Err(Error::Blocked(blocked));
        }
    }
    let datasets = [plan.dataset.to_string()].into();
    let asked = erase::asked_for(repository, Deed::Retire, &datasets)?;
    if asked > plan.approvals {
        let what = format!("{asked} approvals are asked for now, and it has to have fewer");
        return Err(Error::OutOfDate(what));
    }
    let approvals = approvals_of(repository, &plan.asked(id), repository.now())?.len() as u64;
    if approvals < plan.approvals {
        return Err(Error::NotApproved { needed: plan.approvals, found: approvals });
    }
    Ok(())
}

/// Fails unless the plan still means what it says.
fn compare(then: &Found, now: &Found) -> Result<()> {
    let what = if now.core != then.core {
        "other versions are core now"
    } else if now.destroyed != then.destroyed {
        "it would destroy other files now"
    } else if now.branches != then.branches || now.tags != then.tags {
        "a branch or tag of the dataset has moved"
    } else if now.worktrees != then.worktrees {
        "the dataset has other worktrees now"
    } else if now.downstream != then.downstream {
        "something else was made from the dataset since"
    } else if now != then {
        "the dataset keeps other files now"
    } else {
        return Ok(());
    };
    Err(Error::OutOfDate(what.into()))
}

/// What no archive of a plan has.
fn without(plan: &Plan) -> Without {
    Without {
        files: plan.found.destroyed.iter().map(|one| one.file).collect(),
        certificate: plan.erasure.clone().unwrap_or_default(),
    }
}

/// Archives a version, unless that was done, and reads the archive back.
fn archive_one(
    repository: &Repository,
    id: &str,
    plan: &Plan,
    core: &CoreVersion,
    begun: u64,
) -> Result<()> {
    if archives(repository, id, plan)?.iter().any(|one| one.version == core.version) {
        return Ok(());
    }
    let without = without(plan);
    if !made_since(repository, core, begun)? {
        if let Some(parent) = core.place.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|source| crate::repo::Error::Io { path: parent.to_path_buf(), source })?;
        }
        let revision = format!("{}@{}", plan.dataset, core.version);
        archive::create_without(repository, &revision, &core.place, &without, false)?;
    }
    let progress = &*repository.environment.progress;
    let read = archive::verify(&core.place, repository.threads(), progress)?;
    read.refuse_problems()?;
    if read.version != Some(core.version) {
        let problems = vec![format!("it does not hold version {}", core.version)];
        return Err(Error::BadArchive { place: core.place.clone(), problems });
    }
    let done = archive::Archived {
        place: read.place,
        dataset: plan.dataset.clone(),
        version: core.version,
        files: read.files,
        bytes: read.bytes,
        erased: 0,
        digest: Some(read.digest),
        dry_run: false,
    };
    let mut record = archive::receipt_of("verified", &done, repository);
    record.body.insert("plan".into(), id.into());
    without.mark(&mut record);
    apply(repository, "retire-archive", id, vec![Change::Recorded { record }])
}

/// Whether the archive was made after the plan was begun, and only reading it back is left.
fn made_since(repository: &Repository, core: &CoreVersion, begun: u64) -> Result<bool> {
    let Ok(place) = core.place.canonicalize() else { return Ok(false) };
    let filter = RecordFilter {
        kind: Some(RecordKind::Archive),
        version: Some(core.version),
        name: Some("made".into()),
        first: Some(begun),
        ..RecordFilter::default()
    };
    let here = Value::from(place.to_string_lossy());
    let rows = repository.catalogue.records(&filter)?;
    Ok(rows.iter().any(|row| row.record.body.get("place") == Some(&here)))
}

/// The archives that a plan has made and read back, by version.
pub(super) fn archives(repository: &Repository, id: &str, plan: &Plan) -> Result<Vec<Archive>> {
    let filter = RecordFilter {
        kind: Some(RecordKind::Archive),
        dataset: Some(plan.dataset.clone()),
        name: Some("verified".into()),
        ..RecordFilter::default()
    };
    let mut archives = Vec::new();
    for row in repository.catalogue.records(&filter)? {
        let body = &row.record.body;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or(0);
        let Some(version) = row.record.version.filter(|_| text("plan") == Some(id)) else {
            continue;
        };
        archives.push(Archive {
            version,
            place: text("place").unwrap_or_default().into(),
            digest: text("digest").unwrap_or_default().to_owned(),
            files: number("files"),
            bytes: number("bytes"),
            verified: row.time,
            journal: row.number,
        });
    }
    Ok(archives)
}
