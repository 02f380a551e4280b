//! The end of a dataset's life: its core archived, the rest kept or erased, and a report of it.
//!
//! Here: the plan, its approvals, carrying it out, looking again, and the report.
//! Not here: how an archive is made (`archive`), how content is erased (`erase`).
//! Invariant: nothing is destroyed before every archive was read back; every step can be stopped
//! anywhere and done again.

mod check;
mod find;
mod page;
mod plan;
mod report;
mod run;

use serde_json::{Map, Value};

pub use check::{Checked, verify};
pub use plan::{Aux, CoreVersion, Found, Goes, Plan, PlanOptions, Planned, document, plan};
pub use report::{Report, Reported, report};
pub use run::{Amounts, Approved, Run, RunOptions, approve, run};

use super::Result;
use crate::catalogue::{Change, Changeset, RecordFilter, RecordRow};
use crate::model::{Record, RecordKind};
use crate::repo::Repository;

/// Where plans and reports lie in the store.
const PAPERS: &str = "retirements";

/// What the journal says of a plan, oldest first.
fn told(repository: &Repository, id: &str) -> Result<Vec<RecordRow>> {
    let filter = RecordFilter { kind: Some(RecordKind::Plan), ..RecordFilter::default() };
    let mut rows = repository.catalogue.records(&filter)?;
    rows.retain(|row| row.record.body.get("plan").and_then(Value::as_str) == Some(id));
    Ok(rows)
}

/// The record that something became of a plan.
fn recorded(id: &str, what: &str, mut body: Map<String, Value>) -> Change {
    let mut record = Record::new(RecordKind::Plan);
    record.name = Some(what.to_owned());
    body.insert("plan".into(), id.into());
    record.body = body;
    Change::Recorded { record }
}

/// Changes the catalogue without an epoch: an erasure fences off its own session too.
fn apply(repository: &Repository, action: &str, id: &str, changes: Vec<Change>) -> Result<()> {
    apply_after(repository, None, action, id, changes)
}

/// As [`apply`], if nobody has changed anything since the entry `after` of the journal.
fn apply_after(
    repository: &Repository,
    after: Option<u64>,
    action: &str,
    id: &str,
    changes: Vec<Change>,
) -> Result<()> {
    let (actor, now) = (repository.author()?, repository.now());
    let mut changeset = Changeset::new(&actor, now, action, &id[..16]);
    changeset.after = after;
    changeset.changes = changes;
    repository.catalogue.apply(&changeset)?;
    Ok(())
}
