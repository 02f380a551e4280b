//! The report of a retirement: everything that an auditor needs, as JSON and as a page.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::plan::{Plan, Total, load};
use super::{PAPERS, apply, page, recorded, told};
use crate::format::canonical;
use crate::model::{State, Time, VersionId};
use crate::ops::erase::{self, approvals_of};
use crate::ops::state::States;
use crate::ops::{Error, Result, outfile};
use crate::repo::{self, Repository};

const SCHEMA: &str = "stem.retirement/1";

/// An archive that was made and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The version in it.
    pub version: VersionId,
    /// Where it lies.
    pub place: PathBuf,
    /// Stands for every byte of it.
    pub digest: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When it was read back.
    pub verified: Time,
    /// The entry of the journal that says so.
    pub journal: u64,
}

/// A certificate of erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its number in the store.
    pub number: u64,
    /// Its name: the id of the erasure's plan.
    pub id: String,
    /// `final` or `pending`.
    pub status: String,
    /// BLAKE3 of its file.
    pub digest: String,
}

/// Somebody who has approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// The key.
    pub key: String,
    /// Whose it is.
    pub by: String,
    /// When.
    pub time: Time,
    /// What was signed, with the signature.
    pub envelope: String,
}

/// A step, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The entry of the journal.
    pub number: u64,
    /// What was done.
    pub what: String,
    /// By whom: `Name <mail>`.
    pub by: String,
    /// When.
    pub time: Time,
}

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its name.
    pub id: String,
    /// What it is on.
    pub on: String,
    /// Its case.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    schema: String,
    /// The plan's id.
    pub id: String,
    /// The plan.
    pub plan: Plan,
    /// The state that the dataset, or the version, is in.
    pub state: State,
    /// What was archived.
    pub archives: Vec<Archive>,
    /// What was destroyed.
    pub destroyed: Total,
    /// Under which certificate.
    pub certificate: Option<Certificate>,
    /// What stays here.
    pub kept: Total,
    /// What is held.
    pub holds: Vec<Held>,
    /// Who has approved it.
    pub approvals: Vec<Approver>,
    /// What was done, by whom and when.
    pub steps: Vec<Step>,
    /// The last entry of the journal when this was written.
    pub journal: u64,
    /// Its hash.
    pub journal_hash: String,
    /// When this was written.
    pub time: Time,
    /// By whom.
    pub by: String,
}

/// A report that was given out.
#[derive(Debug, Serialize)]
pub struct Reported {
    /// What it says.
    #[serde(flatten)]
    pub report: Report,
    /// BLAKE3 of it as JSON.
    pub digest: String,
    /// The files that were written, or would be.
    pub written: Vec<String>,
    /// Whether nothing was written.
    pub dry_run: bool,
}

/// What a plan destroys.
pub(super) fn destroyed(plan: &Plan) -> Total {
    let files = &plan.found.destroyed;
    Total { files: files.len() as u64, bytes: files.iter().map(|one| one.size).sum() }
}

fn json_of(id: &str) -> String {
    format!("{id}.report.json")
}

/// Where the page of the report of a plan lies.
pub(super) fn place_of(repository: &Repository, id: &str) -> std::path::PathBuf {
    repository.papers(PAPERS).path(&page_of(id))
}

fn page_of(id: &str) -> String {
    format!("{id}.report.html")
}

/// Writes the report unless it is written, and records its digest. Where it lies.
pub(super) fn finish(
    repository: &Repository,
    id: &str,
    plan: &Plan,
    archives: &[Archive],
) -> Result<String> {
    let papers = repository.papers(PAPERS);
    let place = place_of(repository, id).display().to_string();
    if digest(repository, id)?.is_some() {
        return Ok(place);
    }
    let report = gather(repository, id, plan, archives)?;
    let bytes = canonical::encode(&report)?;
    let page = page::html(&report);
    papers.write(&json_of(id), &bytes)?;
    papers.write(&page_of(id), page.as_bytes())?;
    let mut body = Map::new();
    body.insert("report".into(), erase::id_of(&bytes).into());
    apply(repository, "retire-done", id, vec![recorded(id, "done", body)])?;
    Ok(place)
}

/// The digest that the journal has of a plan's report; none if the plan was not carried out.
pub(super) fn digest(repository: &Repository, id: &str) -> Result<Option<String>> {
    let rows = told(repository, id)?;
    let done = rows.iter().rfind(|row| row.record.name.as_deref() == Some("done"));
    let text = done.and_then(|row| row.record.body.get("report")?.as_str());
    Ok(text.map(str::to_owned))
}

fn gather(repository: &Repository, id: &str, plan: &Plan, archives: &[Archive]) -> Result<Report> {
    let states = States::load(repository)?;
    let own = plan.version.map(|version| states.version(&version));
    let head = repository.catalogue.journal_head()?;
    let rows = told(repository, id)?;
    let begun = rows.iter().find(|row| row.record.name.as_deref() == Some("begun"));
    let began = begun.map_or(plan.time, |row| row.time);
    let step = |row: &crate::catalogue::RecordRow| Step {
        number: row.number,
        what: row.record.name.clone().unwrap_or_default(),
        by: row.actor.clone(),
        time: row.time,
    };
    let approvals = approvals_of(repository, &plan.asked(id), began)?.into_iter();
    let holds = repository.holds()?.into_iter();
    let held = holds.filter(|hold| hold.dataset.as_ref().is_none_or(|on| *on == plan.dataset));
    Ok(Report {
        schema: SCHEMA.into(),
        id: id.to_owned(),
        plan: plan.clone(),
        state: own.unwrap_or_else(|| states.dataset(&plan.dataset)),
        archives: archives.to_vec(),
        destroyed: destroyed(plan),
        certificate: certificate(repository, plan)?,
        kept: plan.found.kept,
        holds: held
            .map(|hold| Held { on: hold.on(), id: hold.id, case: hold.case, reason: hold.reason })
            .collect(),
        approvals: approvals
            .map(|one| Approver {
                key: one.key,
                by: one.by,
                time: one.approval.time,
                envelope: one.envelope,
            })
            .collect(),
        steps: rows.iter().map(step).collect(),
        journal: head.number,
        journal_hash: head.hash,
        time: repository.now(),
        by: repository.author()?.to_string(),
    })
}

fn certificate(repository: &Repository, plan: &Plan) -> Result<Option<Certificate>> {
    let Some(erasure) = &plan.erasure else { return Ok(None) };
    let file = erase::find(repository, erasure)?;
    let digest = erase::id_of(&repo::papers::read_file(&file)?);
    let says = erase::peek(&file)?.predicate;
    Ok(Some(Certificate { number: says.number, id: says.plan, status: says.status, digest }))
}

/// The report of a plan that was carried out, as it was written then; `into` a directory as well.
///
/// # Errors
///
/// [`Error::NoPlan`]; [`Error::Refused`] if it was not carried out; [`Error::BadPlan`] if the report
/// is not the one that the journal names.
pub fn report(
    repository: &Repository,
    id: &str,
    into: Option<&Path>,
    dry_run: bool,
) -> Result<Reported> {
    let (id, _) = load(repository, id)?;
    let Some(digest) = digest(repository, &id)? else {
        return Err(Error::Refused(format!("plan {:.16} was not carried out to its end", id)));
    };
    let bytes = repository.papers(PAPERS).read(&json_of(&id))?.unwrap_or_default();
    if erase::id_of(&bytes) != digest {
        return Err(Error::BadPlan("its report is not the one that the journal names".into()));
    }
    let report: Report = canonical::decode("report", &bytes)?;
    let mut written = Vec::new();
    if let Some(into) = into {
        let mut folder = outfile::Folder::new(into, dry_run)?;
        folder.put("report.json", &bytes)?;
        folder.put("report.html", page::html(&report).as_bytes())?;
        written = folder.written.iter().map(|path| path.display().to_string()).collect();
    }
    Ok(Reported { report, digest, written, dry_run })
}
