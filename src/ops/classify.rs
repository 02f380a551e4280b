//! What is core and must be kept, what is auxiliary and may go, and what nobody has decided yet.
//!
//! Here: saying it, and the answer for any path of any version.
//! Not here: what is done with it (`retire`, `retention`).
//! Invariant: what nobody has decided is unclassified, and nothing that destroys goes on then.

mod rules;
mod suggest;
mod survey;

use serde::Serialize;
use serde_json::Value;

pub use self::rules::{Judged, Rule, Rules};
pub use self::suggest::{Facts, Suggested, suggest};
pub use self::survey::{Amount, Conflict, DatasetClasses, Sample, survey, survey_of};
use super::Result;
use super::error::must_say;
use super::target::Target;
use crate::catalogue::Change;
use crate::model::{Class, RecordKind, Time};
use crate::repo::{Repository, Transaction};

/// A decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The class.
    pub class: Class,
    /// Why.
    pub reason: String,
    /// Who has looked at it.
    pub reviewer: String,
    /// It must not be destroyed before.
    pub keep_until: Option<Time>,
    /// It must be destroyed by then.
    pub destroy_by: Option<Time>,
    /// Change nothing.
    pub dry_run: bool,
}

/// A decision that was recorded.
#[derive(Debug, Serialize)]
pub struct Classified {
    /// What it is about.
    #[serde(flatten)]
    pub target: Target,
    /// The class.
    pub class: Class,
    /// What was decided about exactly this before.
    pub before: Option<Class>,
    /// It must not be destroyed before.
    pub keep_until: Option<Time>,
    /// It must be destroyed by then.
    pub destroy_by: Option<Time>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Records what `target` is, from now on.
///
/// # Errors
///
/// What keeps the target from being found; [`super::Error::Unsaid`] without a reason or reviewer;
/// [`super::Error::Retention`] if it would have to be kept longer than it may be kept.
pub fn classify(repository: &Repository, target: &str, decision: &Decision) -> Result<Classified> {
    must_say("--reason", &decision.reason)?;
    must_say("--reviewer", &decision.reviewer)?;
    let target = Target::find(repository, target)?;
    let rules = Rules::of(repository, &target.dataset)?;
    rules.refuse_conflict(&target, decision.keep_until, decision.destroy_by)?;
    let mut record = target.record(RecordKind::Class);
    record.name = Some(decision.class.as_str().to_owned());
    record.text = Some(decision.reason.clone());
    let mut note = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            record.body.insert(key.to_owned(), Value::String(value));
        }
    };
    note("reviewer", Some(decision.reviewer.clone()));
    note("keep_until", decision.keep_until.map(|time| time.to_string()));
    note("destroy_by", decision.destroy_by.map(|time| time.to_string()));
    if !decision.dry_run {
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        let subject = target.show();
        repository.change("classify", &subject, Some(&decision.reason), transaction)?;
    }
    Ok(Classified {
        before: rules.exactly(&target).map(|rule| rule.class),
        target,
        class: decision.class,
        keep_until: decision.keep_until,
        destroy_by: decision.destroy_by,
        dry_run: decision.dry_run,
    })
}
