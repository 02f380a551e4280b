//! The rules of a store: setting, showing, asking and trying them.

use serde::Serialize;

use super::{Error, Result};
use crate::catalogue::{Change, RefRow};
use crate::model::{DatasetName, Record, RecordKind, RefKind, RefName, Time, VersionId};
use crate::repo::policy::{Act, Asked, Case, Evidence, Judgement, Missing, Policy};
use crate::repo::{self, Repository, Transaction};

/// A policy that was set.
#[derive(Debug, Serialize)]
pub struct Set {
    /// BLAKE3 of the file, in hexadecimal.
    pub digest: String,
    /// How many rules it has.
    pub rules: usize,
    /// How many tests of its own it has passed.
    pub tests: usize,
    /// The digest of the one before.
    pub old: Option<String>,
    /// Whether it is another one than before.
    pub changed: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Makes `text` the policy of the store, for all its datasets. It must pass its own tests.
///
/// # Errors
///
/// [`repo::Error::Policy`]; [`Error::Refused`] with the first of its tests that fails.
pub fn set(repository: &Repository, text: &str, dry_run: bool) -> Result<Set> {
    let policy = Policy::parse(text).map_err(repo::Error::Policy)?;
    let failed = policy.cases.iter().map(|case| try_case(&policy, case)).find(|tried| !tried.ok);
    if let Some(tried) = failed {
        return Err(Error::Refused(format!("its own test fails: {}", tried.told())));
    }
    let before = repository.policy_text()?.map(|(_, text)| digest(&text));
    let changed = before.as_ref() != Some(&policy.digest);
    if changed && !dry_run {
        let mut record = Record::new(RecordKind::Policy);
        record.text = Some(text.to_owned());
        record.body.insert("digest".into(), policy.digest.clone().into());
        let changes = vec![Change::Recorded { record }];
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("policy-set", "policy.toml", None, transaction)?;
    }
    Ok(Set {
        rules: policy.rules.len(),
        tests: policy.cases.len(),
        digest: policy.digest,
        old: before,
        changed,
        dry_run,
    })
}

fn digest(text: &str) -> String {
    repo::policy::digest(text)
}

/// The policy as it was set.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The file.
    pub text: String,
    /// BLAKE3 of it, in hexadecimal.
    pub digest: String,
    /// The entry of the journal that set it.
    pub number: u64,
    /// When.
    pub time: Time,
    /// Who: `Name <mail>`.
    pub actor: String,
}

/// The policy of the store; none if none was set.
///
/// # Errors
///
/// The catalogue's.
pub fn show(repository: &Repository) -> Result<Option<Shown>> {
    let Some(row) = repository.catalogue.newest_record(RecordKind::Policy)? else {
        return Ok(None);
    };
    let text = row.record.text.unwrap_or_default();
    let (digest, number) = (digest(&text), row.number);
    Ok(Some(Shown { text, digest, number, time: row.time, actor: row.actor }))
}

/// What one rule says.
#[derive(Debug, Serialize)]
pub struct RuleVerdict {
    /// The rule.
    pub rule: String,
    /// `pass` or `refuse`.
    pub verdict: &'static str,
    /// What it does not find.
    pub missing: Vec<Missing>,
    /// What it has looked at.
    pub inputs: serde_json::Map<String, serde_json::Value>,
}

impl From<Judgement> for RuleVerdict {
    fn from(judgement: Judgement) -> Self {
        let verdict = judgement.verdict();
        let Judgement { rule, missing, inputs } = judgement;
        Self { rule, verdict, missing, inputs }
    }
}

/// Whether a version would pass.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The version.
    pub version: VersionId,
    /// `branch` or `tag`.
    pub kind: RefKind,
    /// Its name.
    pub name: RefName,
    /// The policy that was asked; none if the store has none.
    pub policy: Option<String>,
    /// Whether it would pass.
    pub passes: bool,
    /// What the rules that apply say.
    pub rules: Vec<RuleVerdict>,
}

/// Where a version would go.
#[derive(Debug, Clone)]
pub enum Target {
    /// Into a branch, by a merge; into the worktree's if none is named.
    Branch(Option<RefName>),
    /// Under a new tag.
    Tag(RefName),
}

fn branch_or_current(repository: &Repository, name: Option<RefName>) -> Result<RefName> {
    let nowhere =
        || Error::Refused("the worktree is on no branch: name one with `--branch`".into());
    name.or_else(|| super::commit::branch(repository)).ok_or_else(nowhere)
}

/// Whether the policy would let `revision` into a branch by a merge, or let a tag be put at it.
///
/// # Errors
///
/// What keeps the version or the policy from being read.
pub fn check(repository: &Repository, revision: &str, target: Target) -> Result<Check> {
    let version = repository.resolve(revision)?.version;
    let (act, kind, name) = match target {
        Target::Branch(name) => (Act::Merge, RefKind::Branch, branch_or_current(repository, name)?),
        Target::Tag(name) => (Act::Tag, RefKind::Tag, name),
    };
    let policy = repository.policy()?.map(|(_, policy)| policy);
    let judgements = match &policy {
        Some(policy) => {
            let dataset = repository.dataset().as_str();
            let exists = repository.catalogue.get_ref(repository.dataset(), kind, &name)?.is_some();
            let asked = Asked { act, dataset, kind, name: name.as_str(), exists };
            policy.judge(&asked, &Evidence::of(repository, &version, &[])?)
        }
        None => Vec::new(),
    };
    let passes = judgements.iter().all(Judgement::passes);
    let rules = judgements.into_iter().map(RuleVerdict::from).collect();
    Ok(Check { version, kind, name, policy: policy.map(|policy| policy.digest), passes, rules })
}

/// A rule in words.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// Its name.
    pub rule: String,
    /// When it is asked.
    pub when: String,
    /// What it demands.
    pub demands: Vec<String>,
}

/// The rules that concern a branch of the worktree's dataset.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The dataset.
    pub dataset: DatasetName,
    /// The branch.
    pub branch: RefName,
    /// The policy; none if the store has none.
    pub policy: Option<String>,
    /// Its rules for this branch, and those for tags.
    pub rules: Vec<Explained>,
    /// What it demands before something is erased or retired, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
}

/// What the policy demands of a branch, and of tags.
///
/// # Errors
///
/// As [`check`].
pub fn explain(repository: &Repository, branch: Option<RefName>) -> Result<Explanation> {
    let branch = branch_or_current(repository, branch)?;
    let dataset = repository.dataset().clone();
    let policy = repository.policy()?.map(|(_, policy)| policy);
    let concerns = |rule: &&repo::policy::Rule| {
        let of_branch = [Act::Commit, Act::Merge].into_iter().any(|act| {
            let (kind, name) = (RefKind::Branch, branch.as_str());
            rule.applies(&Asked { act, dataset: dataset.as_str(), kind, name, exists: true })
        });
        of_branch || rule.on.contains(&repo::policy::On::Tag)
    };
    let explained = |rule: &repo::policy::Rule| Explained {
        rule: rule.name.clone(),
        when: rule.when(),
        demands: rule.demands(),
    };
    let rules = policy.iter().flat_map(|policy| policy.rules.iter().filter(concerns));
    let rules = rules.map(explained).collect();
    let approvals = policy.iter().flat_map(|policy| &policy.approvals);
    let approvals = approvals.map(repo::policy::Approvals::demand).collect();
    let policy = policy.as_ref().map(|policy| policy.digest.clone());
    Ok(Explanation { dataset, branch, policy, rules, approvals })
}

/// How one `[[test]]` ended.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// What it expects: `pass` or `refuse`.
    pub expected: &'static str,
    /// What the policy says.
    pub verdict: &'static str,
    /// Whether they are the same.
    pub ok: bool,
    /// Why it is refused.
    pub missing: Vec<Missing>,
}

impl Tried {
    fn told(&self) -> String {
        let Self { name, expected, verdict, missing, .. } = self;
        let why = missing.first().map(|missing| format!(" ({})", missing.what)).unwrap_or_default();
        format!("`{name}` expects {expected}, and the policy says {verdict}{why}")
    }
}

fn try_case(policy: &Policy, case: &Case) -> Tried {
    let judgements = case.judge(policy);
    let passes = judgements.iter().all(Judgement::passes);
    let word = |passes| if passes { "pass" } else { "refuse" };
    Tried {
        name: case.name.clone(),
        expected: word(case.passes),
        verdict: word(passes),
        ok: passes == case.passes,
        missing: judgements.into_iter().flat_map(|judgement| judgement.missing).collect(),
    }
}

/// The tip of a branch, and whether it would pass.
#[derive(Debug, Serialize)]
pub struct Tip {
    /// The dataset.
    pub dataset: DatasetName,
    /// The branch.
    pub branch: RefName,
    /// Its newest version.
    pub version: VersionId,
    /// Whether it would pass.
    pub passes: bool,
    /// What is missing.
    pub missing: Vec<Missing>,
}

/// A policy that was tried and not set.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// BLAKE3 of the file.
    pub digest: String,
    /// How many rules it has.
    pub rules: usize,
    /// Its own tests.
    pub tests: Vec<Tried>,
    /// Every branch of the store, as if its tip were merged into it now.
    pub tips: Vec<Tip>,
    /// Whether all its tests are as expected; without tests, whether all tips would pass.
    pub ok: bool,
}

/// Tries a policy on its own tests and on every branch, and changes nothing.
///
/// # Errors
///
/// [`repo::Error::Policy`]; what keeps a version from being read.
pub fn test(repository: &Repository, text: &str) -> Result<Trial> {
    let policy = Policy::parse(text).map_err(repo::Error::Policy)?;
    let tests: Vec<_> = policy.cases.iter().map(|case| try_case(&policy, case)).collect();
    let mut tips = Vec::new();
    for row in repository.catalogue.all_refs()? {
        if row.kind != RefKind::Branch {
            continue;
        }
        let (act, kind) = (Act::Merge, RefKind::Branch);
        let (dataset, name) = (row.dataset.as_str(), row.name.as_str());
        let asked = Asked { act, dataset, kind, name, exists: true };
        let missing: Vec<_> = if policy.rules.iter().any(|rule| rule.applies(&asked)) {
            let judgements = policy.judge(&asked, &Evidence::of(repository, &row.version, &[])?);
            judgements.into_iter().flat_map(|judgement| judgement.missing).collect()
        } else {
            Vec::new()
        };
        let passes = missing.is_empty();
        let RefRow { dataset, name: branch, version, .. } = row;
        tips.push(Tip { dataset, branch, version, passes, missing });
    }
    let ok = match tests.is_empty() {
        true => tips.iter().all(|tip| tip.passes),
        false => tests.iter().all(|tried| tried.ok),
    };
    Ok(Trial { rules: policy.rules.len(), digest: policy.digest, tests, tips, ok })
}
