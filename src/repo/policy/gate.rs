//! The gate: every change of a branch or tag is judged before it is made, and the verdict recorded.

use std::fmt;

use serde_json::{Map, Value, json};

use super::judge::{Judgement, Missing};
use super::{Act, Asked, Evidence, Policy};
use crate::catalogue::{self, Change, Changeset};
use crate::model::{DatasetName, Record, RecordKind, RefKind, RefName, Version, VersionId};
use crate::repo::{Error, Repository, Result, Transaction};

/// The journal's word for a change that was not made.
const REFUSED: &str = "refused";

/// What the policy refuses, and why.
#[derive(Debug)]
pub struct Refusal {
    /// What was to be done.
    pub action: String,
    /// The branch or tag, such as ``branch `main` ``.
    pub what: String,
    /// What is missing, and how to add it.
    pub missing: Vec<Missing>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, what, missing } = self;
        write!(f, "the policy refuses this {action} on {what}")?;
        match &missing[..] {
            [one] => write!(f, ": {}", one.what),
            many => write!(f, ": {} things are missing", many.len()),
        }
    }
}

/// What the gate has let through: the verdicts to record, and the policy that was asked.
#[derive(Debug, Default)]
pub(in crate::repo) struct Gated {
    /// Verdicts, as changes that follow the change itself.
    pub(in crate::repo) verdicts: Vec<Change>,
    /// The entry of the journal that set the policy, 0 for none; `None` if nothing was to be asked.
    pub(in crate::repo) policy: Option<u64>,
}

/// A change of a branch or tag.
struct Step<'a> {
    dataset: &'a DatasetName,
    kind: RefKind,
    name: &'a RefName,
    old: Option<VersionId>,
    new: Option<VersionId>,
    made: Option<&'a Version>,
}

impl Step<'_> {
    fn words(&self) -> String {
        format!("{} `{}`", self.kind.as_str(), self.name)
    }

    fn act(&self, action: &str) -> Act {
        match (self.kind, self.new, self.made) {
            (_, None, _) => Act::Remove,
            (RefKind::Tag, _, _) => Act::Tag,
            // A commit with two parents ends a merge that had conflicts.
            (_, _, Some(version)) if action == "commit" && version.parents.len() > 1 => Act::Merge,
            _ if action == "merge" => Act::Merge,
            // What an import brings comes from outside, whether this import or one before made it.
            _ if action == "import-git" => Act::Commit,
            (_, _, Some(_)) => Act::Commit,
            (_, _, None) => Act::Move,
        }
    }
}

fn steps(transaction: &Transaction) -> Vec<Step<'_>> {
    let step = |change| match change {
        &Change::RefMoved { ref dataset, kind, ref name, old, new, .. } => {
            let made = transaction.versions.iter().find(|(id, _)| Some(*id) == new);
            let made = made.map(|(_, version)| version);
            Some(Step { dataset, kind, name, old, new, made })
        }
        _ => None,
    };
    transaction.changes.iter().filter_map(step).collect()
}

fn recorded(change: &Change) -> Option<&Record> {
    match change {
        Change::Recorded { record } => Some(record),
        _ => None,
    }
}

impl Repository {
    /// The policy of the store, and the entry of the journal that set it.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if it is not understood; the catalogue's.
    pub fn policy(&self) -> Result<Option<(u64, Policy)>> {
        let Some((number, text)) = self.policy_text()? else { return Ok(None) };
        let policy = Policy::parse(&text)?;
        Ok(Some((number, policy)))
    }

    /// The policy's text as it was set, and the entry of the journal that set it.
    ///
    /// # Errors
    ///
    /// The catalogue's.
    pub fn policy_text(&self) -> Result<Option<(u64, String)>> {
        let row = self.catalogue.newest_record(RecordKind::Policy)?;
        Ok(row.map(|row| (row.number, row.record.text.unwrap_or_default())))
    }

    /// Asks the policy about a change before anything is touched for it. A refusal is journaled,
    /// unless it is only a dry run.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`].
    pub fn ask(
        &self,
        action: &str,
        subject: &str,
        what: &Transaction,
        dry_run: bool,
    ) -> Result<()> {
        self.judge(action, subject, what, !dry_run).map(drop)
    }

    /// Lets a change through, or refuses it and journals that.
    pub(in crate::repo) fn gate(
        &self,
        action: &str,
        subject: &str,
        what: &Transaction,
    ) -> Result<Gated> {
        self.judge(action, subject, what, true)
    }

    fn judge(
        &self,
        action: &str,
        subject: &str,
        transaction: &Transaction,
        keep: bool,
    ) -> Result<Gated> {
        let steps = steps(transaction);
        if steps.is_empty() {
            return Ok(Gated::default());
        }
        let Some((number, policy)) = self.policy()? else {
            return Ok(Gated { verdicts: Vec::new(), policy: Some(0) });
        };
        let pending: Vec<&Record> = transaction.changes.iter().filter_map(recorded).collect();
        let (mut records, mut missing, mut refused) = (Vec::new(), Vec::new(), None);
        for step in &steps {
            for judgement in self.judgements(&policy, action, step, &pending)? {
                if !judgement.passes() {
                    refused.get_or_insert_with(|| step.words());
                    missing.extend(judgement.missing.iter().cloned());
                }
                records.push(verdict((number, &policy), action, step, judgement));
            }
        }
        if let Some(what) = refused {
            let action = action.strip_suffix("-hard").unwrap_or(action).to_owned();
            let refusal = Refusal { action, what, missing };
            if keep {
                self.journal_refusal(&refusal, subject, records)?;
            }
            return Err(Error::Refused(Box::new(refusal)));
        }
        let verdict = |record| Change::Recorded { record };
        let verdicts = records.into_iter().map(verdict).collect();
        Ok(Gated { verdicts, policy: Some(number) })
    }

    fn judgements(
        &self,
        policy: &Policy,
        action: &str,
        step: &Step<'_>,
        pending: &[&Record],
    ) -> Result<Vec<Judgement>> {
        let asked = Asked {
            act: step.act(action),
            dataset: step.dataset.as_str(),
            kind: step.kind,
            name: step.name.as_str(),
            exists: step.old.is_some(),
        };
        if !policy.rules.iter().any(|rule| rule.applies(&asked)) {
            return Ok(Vec::new());
        }
        let evidence = match (step.made, &step.new) {
            (Some(version), _) => Evidence::of_new(self, version)?,
            (None, Some(id)) => Evidence::of(self, id, pending)?,
            (None, None) => Evidence::default(),
        };
        let mut judgements = policy.judge(&asked, &evidence);
        for judgement in &mut judgements {
            judgement.inputs.insert("versions".into(), json!(evidence.versions));
        }
        Ok(judgements)
    }

    /// The change is not made; that it was asked for is kept.
    fn journal_refusal(
        &self,
        refusal: &Refusal,
        subject: &str,
        mut records: Vec<Record>,
    ) -> Result<()> {
        for record in &mut records {
            // The version that was to be made is not there.
            let known = match &record.version {
                Some(id) => self.catalogue.has_version(id)?,
                None => false,
            };
            record.version = record.version.filter(|_| known);
        }
        let mut changeset = Changeset::new(&self.author()?, self.now(), REFUSED, subject);
        changeset.message = Some(refusal.to_string());
        changeset.changes = records.into_iter().map(|record| Change::Recorded { record }).collect();
        self.catalogue.apply(&changeset)?;
        Ok(())
    }
}

fn verdict(
    (number, policy): (u64, &Policy),
    action: &str,
    step: &Step<'_>,
    judgement: Judgement,
) -> Record {
    let mut record = Record::new(RecordKind::Verdict);
    record.dataset = Some(step.dataset.clone());
    record.version = step.new.or(step.old);
    record.name = Some(judgement.rule.clone());
    let verdict = judgement.verdict();
    let mut inputs = judgement.inputs;
    inputs.insert("policy".into(), policy.digest.clone().into());
    inputs.insert("policy_number".into(), number.into());
    if let Some(version) = step.made {
        inputs.insert("parents".into(), json!(version.parents));
    }
    let missing: Vec<Value> = judgement
        .missing
        .iter()
        .map(|missing| json!({ "key": missing.key, "what": missing.what, "how": missing.how }))
        .collect();
    let mut body = Map::new();
    body.insert("action".into(), action.into());
    body.insert(step.kind.as_str().into(), step.name.as_str().into());
    body.insert("verdict".into(), verdict.into());
    body.insert("missing".into(), missing.into());
    body.insert("inputs".into(), inputs.into());
    record.body = body;
    record
}

impl Gated {
    /// Adds the verdicts to a transaction, which then holds only as long as the policy does.
    pub(in crate::repo) fn onto(self, changeset: &mut Changeset) {
        changeset.changes.extend(self.verdicts);
        changeset.policy = self.policy;
    }
}

impl From<super::PolicyError> for Error {
    fn from(source: super::PolicyError) -> Self {
        Self::Policy(source)
    }
}

/// Whether an error says that the policy was changed while it was being asked.
pub(in crate::repo) fn policy_moved(error: &Error) -> bool {
    matches!(error, Error::Catalogue(catalogue::Error::Moved { what, .. }) if what == catalogue::THE_POLICY)
}
