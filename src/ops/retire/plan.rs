//! Plans: what retiring a dataset would do, as a document that is approved and carried out by its id.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find::found;
use super::{PAPERS, apply, recorded};
use crate::format::canonical;
use crate::model::{DatasetName, FileId, State, Time, VersionId};
use crate::ops::archive::must_be_a_place;
use crate::ops::classify::Amount;
use crate::ops::erase::{self, AsOf, Downstream, NamedRef, Selector};
use crate::ops::error::must_say;
use crate::ops::state::States;
use crate::ops::target::Target;
use crate::ops::{Error, Result, add};
use crate::repo::policy::Deed;
use crate::repo::{self, Repository};

const SCHEMA: &str = "stem.retire-plan/1";

/// What becomes of auxiliary content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aux {
    /// It stays in the store.
    Keep,
    /// It is erased, under a certificate.
    Destroy,
}

/// What is asked of a plan.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// The dataset, or one version of it.
    pub target: String,
    /// The directory that archives are put into.
    pub core_to: PathBuf,
    /// What becomes of auxiliary content.
    pub aux: Aux,
    /// What should be used instead: a revision.
    pub successor: Option<String>,
    /// Why.
    pub reason: String,
    /// By how many keys it must be approved.
    pub approvals: u64,
    /// Change nothing.
    pub dry_run: bool,
}

/// A version that is archived, because it is core or has core paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreVersion {
    /// The version.
    pub version: VersionId,
    /// How many paths it lists.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of the paths, how many are auxiliary. They are archived with the others, but for what is
    /// destroyed.
    pub auxiliary: u64,
    /// Where its archive will lie.
    pub place: PathBuf,
}

/// A content that is destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goes {
    /// The content.
    pub file: FileId,
    /// Its bytes.
    pub size: u64,
    /// A path of it.
    pub path: String,
}

/// What is found in the repository. A run finds it again, and must find the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What is archived.
    pub core: Vec<CoreVersion>,
    /// What is destroyed, by content.
    pub destroyed: Vec<Goes>,
    /// Contents that stay here.
    pub kept: Total,
    /// Of these, auxiliary ones that would be destroyed if nothing else needed them.
    pub shared: Total,
    /// Branches of the dataset.
    pub branches: Vec<NamedRef>,
    /// Tags of the dataset.
    pub tags: Vec<NamedRef>,
    /// Where worktrees of the dataset lie.
    pub worktrees: Vec<String>,
    /// Consumers and versions that were made from the dataset.
    pub downstream: Vec<Downstream>,
}

/// So many contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Contents.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<Total> for Amount {
    fn from(total: Total) -> Self {
        Self { files: total.files, bytes: total.bytes }
    }
}

/// A plan. Its id is the hash of its canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    schema: String,
    pub(super) store: String,
    journal: AsOf,
    /// When it was made.
    pub time: Time,
    /// By whom: `Name <mail>`.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// What is retired.
    pub dataset: DatasetName,
    /// The version, if not the whole dataset.
    pub version: Option<VersionId>,
    /// The directory that archives are put into.
    pub core_to: PathBuf,
    /// What becomes of auxiliary content.
    pub aux: Aux,
    /// What should be used instead: `dataset@version`.
    pub successor: Option<String>,
    /// What that means.
    pub found: Found,
    /// The plan by which auxiliary content is erased, if any is.
    pub erasure: Option<String>,
    /// By how many keys it must be approved.
    pub approvals: u64,
}

/// A plan with its id.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// The plan's id.
    #[serde(rename = "plan")]
    pub id: String,
    /// What it says.
    #[serde(flatten)]
    pub plan: Plan,
    /// Where it was written.
    pub path: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

impl Plan {
    pub(super) fn target(&self) -> Target {
        Target { dataset: self.dataset.clone(), version: self.version, pattern: None }
    }

    pub(super) fn asked<'a>(&'a self, id: &'a str) -> erase::AskedApproval<'a> {
        erase::AskedApproval { id, store: &self.store, requester: &self.requester }
    }

    /// How the erasure of auxiliary content is asked for.
    fn erasure(&self) -> erase::PlanOptions {
        let files = self.found.destroyed.iter().map(|one| one.file).collect();
        let reason = format!("Retirement of {}: {}", self.target().show(), self.reason);
        erase::PlanOptions {
            selector: Selector { files, ..Selector::default() },
            reason,
            approvals: self.approvals,
            dry_run: true,
            ..erase::PlanOptions::default()
        }
    }
}

/// Makes a plan. It changes nothing but that the plan is kept, and that of the erasure with it.
///
/// # Errors
///
/// [`Error::Unclassified`]; [`Error::Blocked`] if a hold or a date forbids to destroy what would be
/// destroyed; [`crate::catalogue::Error::Illegal`] if it is archived or erased already.
pub fn plan(repository: &Repository, options: &PlanOptions) -> Result<Planned> {
    must_say("--reason", &options.reason)?;
    let target = Target::find(repository, &options.target)?;
    if target.pattern.is_some() {
        return Err(Error::Refused("datasets and versions are retired, not paths".into()));
    }
    refuse_state(repository, &target)?;
    let successor =
        options.successor.as_deref().map(|text| repository.resolve(text)).transpose()?;
    let successor = successor.map(|found| format!("{}@{}", found.dataset, found.version));
    must_be_a_place(&options.core_to)?;
    let core_to = absolute(&options.core_to)?;
    let head = repository.catalogue.journal_head()?;
    let datasets = [target.dataset.to_string()].into();
    let asked_for = erase::asked_for(repository, Deed::Retire, &datasets)?;
    let mut plan = Plan {
        schema: SCHEMA.into(),
        store: erase::store_id(repository)?,
        journal: AsOf { number: head.number, hash: head.hash },
        time: repository.now(),
        requester: repository.author()?.to_string(),
        reason: options.reason.trim().to_owned(),
        found: found(repository, &target, &core_to, options.aux)?,
        dataset: target.dataset,
        version: target.version,
        core_to,
        aux: options.aux,
        successor,
        erasure: None,
        approvals: options.approvals.max(asked_for),
    };
    if !plan.found.destroyed.is_empty() {
        let mut asked = plan.erasure();
        let blocked = erase::plan(repository, &asked)?.blocked_by;
        if !blocked.is_empty() {
            return Err(Error::Blocked(blocked));
        }
        asked.dry_run = options.dry_run;
        plan.erasure = Some(erase::plan(repository, &asked)?.id);
    }
    keep(repository, plan, options.dry_run)
}

/// A directory, which need not be there, without `..` where that can be told.
fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path)
        .map_err(|source| repo::Error::Io { path: path.to_path_buf(), source })?;
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    Ok(match (parent, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    })
}

fn keep(repository: &Repository, plan: Plan, dry_run: bool) -> Result<Planned> {
    let bytes = canonical::encode(&plan)?;
    let id = erase::id_of(&bytes);
    let mut path = None;
    if !dry_run {
        let written = repository.papers(PAPERS).write(&format!("{id}.json"), &bytes)?;
        path = Some(written.display().to_string());
        let made = recorded(&id, "made", serde_json::Map::new());
        apply(repository, "retire-plan", &id, vec![made])?;
    }
    Ok(Planned { id, plan, path, dry_run })
}

/// Fails if the target is past being retired.
fn refuse_state(repository: &Repository, target: &Target) -> Result<()> {
    let states = States::load(repository)?;
    let own = target.version.map(|version| states.version(&version));
    let from = own.unwrap_or_else(|| states.dataset(&target.dataset));
    if from > State::Retired {
        return Err(crate::catalogue::Error::Illegal { from, to: State::Retired }.into());
    }
    Ok(())
}

/// The bytes of a plan, for a copy elsewhere.
///
/// # Errors
///
/// [`Error::NoPlan`], [`Error::BadPlan`].
pub fn document(repository: &Repository, plan: &str) -> Result<Vec<u8>> {
    Ok(canonical::encode(&load(repository, plan)?.1)?)
}

/// Finds a plan by its id, the beginning of it, or its file.
///
/// # Errors
///
/// [`Error::NoPlan`]; [`Error::BadPlan`] for one that was changed, or is another repository's.
pub(super) fn load(repository: &Repository, text: &str) -> Result<(String, Plan)> {
    let papers = repository.papers(PAPERS);
    let is_id = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let names = papers.names()?;
    let ids = names.iter().filter_map(|name| name.strip_suffix(".json"));
    let mut fits = ids.filter(|id| is_id && !id.contains('.') && id.starts_with(text));
    let bytes = match (fits.next(), fits.next()) {
        (Some(id), None) => papers.read(&format!("{id}.json"))?,
        (Some(_), Some(_)) => {
            return Err(Error::NoPlan(format!("{text} (several begin like that)")));
        }
        (None, _) => match repo::papers::read_file(text.as_ref()) {
            Err(repo::Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            read => Some(read?),
        },
    };
    let bytes = bytes.ok_or_else(|| Error::NoPlan(text.to_owned()))?;
    let id = erase::id_of(&bytes);
    let plan: Plan = canonical::decode("plan", &bytes)
        .map_err(|error| Error::BadPlan(add::in_one_line(&error)))?;
    if plan.schema != SCHEMA {
        return Err(Error::BadPlan(format!("it is a `{}`", plan.schema.escape_debug())));
    }
    if plan.store != erase::store_id(repository)? {
        return Err(Error::BadPlan("it is of another repository".into()));
    }
    if papers.read(&format!("{id}.json"))?.as_ref() != Some(&bytes) {
        return Err(Error::BadPlan("it was not made here, or was changed since".into()));
    }
    Ok((id, plan))
}
