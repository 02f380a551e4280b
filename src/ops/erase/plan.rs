//! Plans: what an erasure would do, as a document that is approved and carried out by its id.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::approve::asked_for;
use super::bound::too_large;
use super::certificate::all_versions;
use super::doomed::Doomed;
use super::holders::holders;
use super::hunt::Hunt;
use super::records::{self, Asked, Search};
use super::select::{Scope, Selected, select};
use super::view::PlanView;
use crate::catalogue::{Change, RecordFilter};
use crate::format::canonical;
use crate::model::{
    ChunkId, Class, DatasetName, FileId, Presence, Record, RecordKind, RepoPath, Time, VersionId,
};
use crate::ops::classify::{Rules, survey_of};
use crate::ops::error::must_say;
use crate::ops::{Error, Result};
use crate::repo::policy::Deed;
use crate::repo::{self, Hold, Holds, Repository, Transaction};

/// What a plan calls itself.
pub(super) const SCHEMA: &str = "stem.erase-plan/1";
/// Where plans lie in the store.
pub(super) const PLANS: &str = "plans";
const WHAT: &str = "plan";

/// What shall be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Patterns over paths, from the top.
    pub paths: Vec<String>,
    /// Contents.
    pub files: Vec<FileId>,
    /// Where the patterns count; everywhere if not given.
    pub dataset: Option<DatasetName>,
    /// If not the files go, but records in them: in those files if any are given, else in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordRule>,
}

/// Which records a plan is about. What is looked for lies beside the plan, because it may be what
/// has to go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRule {
    /// `record`, `keys` or `containing`.
    pub by: String,
    /// A salted hash of what is looked for.
    pub wanted: String,
    /// The fields that are emptied in records that stay; none if the records go.
    pub redact: Option<Vec<String>>,
}

/// What is asked of a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// What shall be erased.
    pub selector: Selector,
    /// Which records, if not whole files.
    pub records: Option<Asked>,
    /// Why.
    pub reason: String,
    /// By what law or contract.
    pub basis: Option<String>,
    /// Whose request it answers.
    pub request: Option<String>,
    /// By how many keys it must be approved.
    pub approvals: u64,
    /// The name of the dataset, typed because everything in it goes.
    pub yes_all: Option<String>,
    /// Change nothing.
    pub dry_run: bool,
}

/// A file that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its content.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// Some of the paths that it has, or had, anywhere.
    pub paths: Vec<String>,
    /// How many records in it go or are redacted, where the rest stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The file that is given out in its place, in plans of before. Now the run finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<FileId>,
    /// The length in bytes of the file that is given out in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_size: Option<u64>,
    /// One hash over the chunks of that file: other bytes have other chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_chunks: Option<ChunkId>,
}

/// A version that lists files that go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TouchedVersion {
    /// The version.
    pub version: VersionId,
    /// How many paths of it.
    pub files: u64,
}

/// A branch or tag that leads to a touched version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRef {
    /// Its dataset.
    pub dataset: DatasetName,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub version: VersionId,
}

/// A worktree that has files that go staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedIn {
    /// Its id.
    pub worktree: String,
    /// Where it lies.
    pub path: String,
    /// How many paths.
    pub files: u64,
}

/// A file that stays and has chunks of files that go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharer {
    /// Its content.
    pub file: FileId,
    /// A path of it.
    pub path: String,
    /// How many chunks.
    pub chunks: u64,
}

/// Chunks of files that go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunks {
    /// Those that nothing else needs.
    pub exclusive: u64,
    /// Those that other files have as well; they stay, as content of these.
    pub shared: u64,
    /// Some of these files.
    pub sharers: Vec<Sharer>,
}

/// Bytes of an erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// By so much the packs get smaller.
    pub freed: u64,
    /// What shared chunks take up in packs.
    pub kept_shared: u64,
    /// The lengths of the files, uncompressed.
    pub content: u64,
}

/// Packs that an erasure concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packs {
    /// Those that go.
    pub drop: u64,
    /// Those that are written again without what goes.
    pub rewrite: u64,
    /// Bytes that writing them takes until the old ones are gone.
    pub scratch_bytes: u64,
}

/// Somebody who has, or may have, the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// `store`, `worktree` or `archive`.
    pub kind: String,
    /// Where.
    pub place: String,
    /// What can be proven there, in words.
    pub provable: String,
}

/// A consumer or dataset that was made from touched versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downstream {
    /// `consumer` or `version`.
    pub kind: String,
    /// Its name, or its id.
    pub name: String,
    /// The touched version that it used.
    pub used: VersionId,
}

/// The entry of the journal that a plan was made after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

/// What is found in the repository. A run finds it again, and must find the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// The files that go, by content.
    pub targets: Vec<Target>,
    /// The versions that list them.
    pub versions: Vec<TouchedVersion>,
    /// The branches that lead there.
    pub branches: Vec<NamedRef>,
    /// The tags that lead there.
    pub tags: Vec<NamedRef>,
    /// The worktrees that have them staged.
    pub staged: Vec<StagedIn>,
    /// Their chunks.
    pub chunks: Chunks,
    /// One hash over all objects that go and all that are shared.
    pub objects: String,
    /// Their bytes.
    pub bytes: Bytes,
    /// Who was made from what goes.
    pub downstream: Vec<Downstream>,
    /// Files and rows that may hold such records, and cannot be read or rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// Tables without a column that a key names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent_keys: Vec<String>,
}

/// A plan. Its id is the hash of its canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `stem.erase-plan/1`.
    pub schema: String,
    /// The store: the hash of the first entry of its journal.
    pub store: String,
    /// The journal when the plan was made.
    pub journal: AsOf,
    /// When.
    pub time: Time,
    /// By whom: `Name <mail>`.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// By what law or contract.
    pub basis: Option<String>,
    /// Whose request it answers.
    pub request: Option<String>,
    /// What was selected.
    pub selector: Selector,
    /// Which files were looked at for records, and how: as long as a hash of that is the same, what
    /// was found holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<String>,
    /// What that means.
    pub found: Findings,
    /// The packs that it concerns now; upkeep may change that without changing the plan's meaning.
    pub packs: Packs,
    /// Where rests of it may lie, and what is done there.
    pub residue: Vec<super::residue::Planned>,
    /// Who has it.
    pub holders: Vec<Holder>,
    /// By how many keys it must be approved before it is run.
    pub approvals: u64,
}

/// A plan with its id, and what stands in its way.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// The plan's id.
    #[serde(rename = "plan")]
    pub id: String,
    /// What it says.
    #[serde(flatten)]
    pub plan: PlanView,
    /// The holds on what goes.
    pub holds: Vec<Hold>,
    /// Everything that forbids to run it now.
    pub blocked_by: Vec<String>,
    /// Where it was written.
    pub path: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

impl Target {
    /// What becomes of it by the erasure with this certificate; `by` is given out in its place if only
    /// records go.
    ///
    /// # Errors
    ///
    /// [`Error::BadPlan`] if it is not known what is given out then.
    pub(super) fn gone(&self, certificate: &str, by: Option<FileId>) -> Result<Presence> {
        let (size, certificate) = (self.size, certificate.to_owned());
        match (self.records, by, self.by_size) {
            (None, ..) => Ok(Presence::Erased { size, certificate }),
            (Some(_), Some(by), Some(by_size)) => {
                Ok(Presence::Replaced { size, by, by_size, certificate })
            }
            _ => Err(Error::BadPlan(format!("it does not say what {} becomes", self.file))),
        }
    }
}

impl Plan {
    /// The canonical bytes, whose hash is the id.
    ///
    /// # Errors
    ///
    /// If it cannot be said in JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(canonical::encode(self)?)
    }

    /// Reads a plan, strictly.
    ///
    /// # Errors
    ///
    /// For anything but what [`Plan::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let plan: Self =
            canonical::decode(WHAT, bytes).map_err(|error| Error::BadPlan(super::chain(&error)))?;
        if plan.schema != SCHEMA {
            return Err(Error::BadPlan(format!("it is a `{}`", plan.schema.escape_debug())));
        }
        Ok(plan)
    }

    /// How many records it is about, in all files.
    pub fn records(&self) -> u64 {
        self.found.targets.iter().filter_map(|target| target.records).sum()
    }
}

/// The hash that names a document.
pub(in crate::ops) fn id_of(bytes: &[u8]) -> String {
    ChunkId::of(bytes).to_hex()
}

/// The store's name in plans and certificates: the hash of the journal's first entry.
pub(in crate::ops) fn store_id(repository: &Repository) -> Result<String> {
    let first = repository.catalogue.journal(1, 1, 1)?;
    Ok(first.first().map(|entry| entry.hash.clone()).unwrap_or_default())
}

/// Makes a plan. It changes nothing but that the plan itself is kept.
///
/// # Errors
///
/// [`Error::NoMatch`] if it selects nothing; [`Error::Everything`] if it selects everything and that
/// was not said; the store's.
pub fn plan(repository: &Repository, options: &PlanOptions) -> Result<Planned> {
    must_say("--reason", &options.reason)?;
    let scope = Scope::of(repository)?;
    let asked = options.records.as_ref().map(Search::of).transpose()?;
    let mut selector = options.selector.clone();
    selector.records = asked.as_ref().map(|(_, rule, _)| rule.clone());
    let hunt = asked.as_ref().map(|(search, _, _)| Hunt::new(repository, search));
    let selected = select(repository, &scope, &selector, hunt.as_ref())?;
    refuse_everything(repository, options, &selected)?;
    let doomed = Doomed::of(repository, &scope, &selected, &mut None)?;
    let packs = doomed.pack_counts();
    let searched = selected.searched.clone();
    let found = findings(repository, selected, &doomed)?;
    let head = repository.catalogue.journal(scope.journal, scope.journal, 1)?;
    let hash = head.first().map(|entry| entry.hash.clone()).unwrap_or_default();
    let asked_for = asked_for(repository, Deed::Erase, &found.datasets(&selector))?;
    let plan = Plan {
        schema: SCHEMA.into(),
        store: store_id(repository)?,
        journal: AsOf { number: scope.journal, hash },
        time: repository.now(),
        requester: repository.author()?.to_string(),
        reason: options.reason.trim().to_owned(),
        basis: options.basis.clone(),
        request: options.request.clone(),
        selector,
        searched,
        found,
        packs,
        residue: super::residue::planned(),
        holders: holders(repository)?,
        approvals: options.approvals.max(asked_for),
    };
    let bytes = plan.to_bytes()?;
    let id = id_of(&bytes);
    let mut path = None;
    if !options.dry_run {
        if let Some((_, _, wanted)) = &asked {
            records::keep(repository, &id, wanted)?;
        }
        let written = repository.papers(PLANS).write(&format!("{id}.json"), &bytes)?;
        path = Some(written.display().to_string());
        record(repository, &id, "made", &plan.reason)?;
    }
    let (holds, blocked_by) = blocked(repository, &plan)?;
    Ok(Planned { id, plan: plan.view(), holds, blocked_by, path, dry_run: options.dry_run })
}

/// Notes in the journal what became of a plan.
fn record(repository: &Repository, id: &str, what: &str, reason: &str) -> Result<()> {
    let mut record = Record::new(RecordKind::Plan);
    record.name = Some(what.to_owned());
    record.text = Some(reason.to_owned());
    record.body.insert("plan".into(), id.into());
    let changes = vec![Change::Recorded { record }];
    let transaction = Transaction { changes, ..Transaction::default() };
    repository.change(&format!("erase-{what}"), &id[..16], Some(reason), transaction)?;
    Ok(())
}

fn refuse_everything(
    repository: &Repository,
    options: &PlanOptions,
    selected: &Selected,
) -> Result<()> {
    if !selected.everything {
        return Ok(());
    }
    let name = options.selector.dataset.as_ref().unwrap_or(repository.dataset());
    match &options.yes_all {
        Some(typed) if typed == name.as_str() => Ok(()),
        _ => Err(Error::Everything { dataset: name.clone() }),
    }
}

/// What a selection means in the repository as it is.
pub(super) fn findings(
    repository: &Repository,
    selected: Selected,
    doomed: &Doomed,
) -> Result<Findings> {
    let versions: BTreeSet<VersionId> =
        selected.versions.iter().map(|touched| touched.version).collect();
    Ok(Findings {
        downstream: downstream(repository, &versions)?,
        targets: selected.targets,
        versions: selected.versions,
        branches: selected.branches,
        tags: selected.tags,
        staged: selected.staged,
        chunks: doomed.chunks.clone(),
        objects: doomed.fingerprint(),
        bytes: doomed.bytes,
        unproven: selected.unproven,
        absent_keys: selected.absent_keys,
    })
}

/// The consumers and versions that were made from any of `versions`.
pub(in crate::ops) fn downstream(
    repository: &Repository,
    versions: &BTreeSet<VersionId>,
) -> Result<Vec<Downstream>> {
    let (uses, derived) = repository.catalogue.all_made_from()?;
    let mut found = BTreeSet::new();
    for (name, used) in uses.into_iter().filter(|(_, used)| versions.contains(used)) {
        found.insert(Downstream { kind: "consumer".into(), name, used });
    }
    for (version, used) in derived.into_iter().filter(|(_, used)| versions.contains(used)) {
        found.insert(Downstream { kind: "version".into(), name: version.to_hex(), used });
    }
    Ok(found.into_iter().collect())
}

/// The holds on what goes, and everything that forbids that it goes.
pub(super) fn blocked(repository: &Repository, plan: &Plan) -> Result<(Vec<Hold>, Vec<String>)> {
    let holds = held(repository, plan)?;
    let mut blocked: Vec<String> = holds
        .iter()
        .map(|hold| format!("hold {} ({}): {}", hold.id, hold.case, hold.reason))
        .collect();
    blocked.extend(too_large(plan, all_versions(repository)?));
    let targets: BTreeSet<FileId> = plan.found.targets.iter().map(|target| target.file).collect();
    let versions: Vec<VersionId> = plan.found.versions.iter().map(|one| one.version).collect();
    let now = repository.now();
    for dataset in repository.catalogue.datasets()? {
        let rules = Rules::of(repository, &dataset.name)?;
        if rules.all().is_empty() {
            continue;
        }
        let reach = repository.reach_of(&dataset.name)?;
        let mine: Vec<VersionId> =
            versions.iter().copied().filter(|id| reach.contains(id)).collect();
        survey_of(repository, &rules, &mine, |version, path, file, judged| {
            if !targets.contains(&file.file) {
                return;
            }
            let place =
                format!("{}@{:.12}:{}", dataset.name, version.to_hex(), RepoPath::show_bytes(path));
            if judged.keep_until.is_some_and(|until| until > now) {
                blocked.push(format!(
                    "{place} must be kept until {}",
                    judged.keep_until.unwrap_or(now)
                ));
            } else if judged.class == Class::Core && !archived(repository, version) {
                blocked.push(format!("{place} is core, and no verified archive has it"));
            }
        })?;
    }
    blocked.sort();
    blocked.dedup();
    Ok((holds, blocked))
}

/// Whether an archive with the version was made and read back.
fn archived(repository: &Repository, version: &VersionId) -> bool {
    let filter = RecordFilter {
        kind: Some(RecordKind::Archive),
        version: Some(*version),
        ..RecordFilter::default()
    };
    // `archive create` reads back what it has made before it says so.
    let verified = |name: &Option<String>| matches!(name.as_deref(), Some("made" | "verified"));
    let rows = repository.catalogue.records(&filter);
    // One that a retirement made without some files does not stand for all of them.
    let whole = |record: &Record| !record.body.contains_key("without");
    rows.is_ok_and(|rows| rows.iter().any(|row| verified(&row.record.name) && whole(&row.record)))
}

/// The holds on any place of what goes.
fn held(repository: &Repository, plan: &Plan) -> Result<Vec<Hold>> {
    let holds = Holds::load(repository)?;
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let versions: Vec<VersionId> = plan.found.versions.iter().map(|one| one.version).collect();
    let mut files = Vec::with_capacity(plan.found.targets.len());
    for Target { file, paths, .. } in &plan.found.targets {
        // Not all paths are known where there are many, nor what one is that is shown escaped: then
        // any of them may be held.
        let known = paths.len() < super::select::MOST_PATHS
            && !paths.iter().any(|path| path.contains('\\'));
        files.push(repo::DoomedFile { file: *file, paths: known.then_some(&paths[..]) });
    }
    Ok(holds.blocking_files(&versions, &files).into_iter().cloned().collect())
}
