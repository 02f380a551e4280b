//! Erasing files from every version, and proving it: plan, approve, run, verify, certify.
//!
//! Here: what goes, in which order, what is looked for afterwards, and what is signed.
//! Not here: what readers are told of content that is gone (`repo::presence`).
//! Invariant: content is withdrawn in one change before a byte of it is deleted; whatever a retained
//! version needs is never deleted; a certificate lists only what was looked for and found absent.

mod approve;
mod attest;
mod bound;
mod canary;
mod certificate;
mod check;
mod copies;
mod doomed;
mod facts;
mod frames;
mod hits;
mod holders;
mod hunt;
mod job;
mod list;
mod page;
mod plan;
mod probe;
mod records;
mod residue;
mod rewrite;
mod run;
mod select;
mod statement;
mod told;
mod verify;
mod view;
mod watch;

pub use approve::{Approval, Approved, Signing, approve};
pub(super) use approve::{Asked as AskedApproval, approvals_of, asked_for, sign};
pub use attest::{Attested, attest};
pub(super) use certificate::may_certify;
pub use check::{CheckOptions, Checked, certifiers, check, check_envelope, find, peek};
pub use list::{Lifted, Listed, document, lift, list, show};
pub(super) use page::escape;
pub use page::{html, page};
pub(super) use plan::{AsOf, Downstream, NamedRef, downstream, id_of, store_id};
pub use plan::{Findings, Plan, PlanOptions, Planned, RecordRule, Selector, Target, plan};
pub use records::Asked;
pub use run::{Erased, Run, RunOptions, run};
pub use statement::{Predicate, Statement};
pub use view::PlanView;

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    super::add::in_one_line(error)
}
