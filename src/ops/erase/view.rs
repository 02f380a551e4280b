//! A plan as it is answered.

use serde::Serialize;

use super::plan::{Findings, Holder, Packs, Plan, Selector};
use super::residue;
use crate::model::Time;

/// A plan as it is answered: what was found stands beside the rest.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    #[serde(flatten)]
    found: Findings,
    /// Who was made from what goes.
    pub consumers: Vec<String>,
    journal: u64,
    time: Time,
    requester: String,
    /// Why.
    pub reason: String,
    basis: Option<String>,
    request: Option<String>,
    selector: Selector,
    /// `drop` or `redact`, where records are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    /// How many records, in all files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The packs that it concerns.
    pub packs: Packs,
    residue: Vec<residue::Planned>,
    holders: Vec<Holder>,
    /// By how many keys it must be approved.
    pub approvals: u64,
}

impl PlanView {
    /// What was found.
    pub fn found(&self) -> &Findings {
        &self.found
    }
}

impl Plan {
    /// The plan as it is answered.
    pub fn view(&self) -> PlanView {
        let mut consumers: Vec<String> = self
            .found
            .downstream
            .iter()
            .filter(|one| one.kind == "consumer")
            .map(|one| one.name.clone())
            .collect();
        consumers.dedup();
        PlanView {
            found: self.found.clone(),
            consumers,
            journal: self.journal.number,
            time: self.time,
            requester: self.requester.clone(),
            reason: self.reason.clone(),
            basis: self.basis.clone(),
            request: self.request.clone(),
            selector: self.selector.clone(),
            mode: self.selector.records.as_ref().map(|rule| match rule.redact {
                Some(_) => "redact",
                None => "drop",
            }),
            records: self.selector.records.as_ref().map(|_| self.records()),
            packs: self.packs,
            residue: self.residue.clone(),
            holders: self.holders.clone(),
            approvals: self.approvals,
        }
    }
}
