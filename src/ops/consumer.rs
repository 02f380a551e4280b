//! Models, evaluations and exports, and the exact versions that they used.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::label::must_be_label;
use super::{Error, Result};
use crate::catalogue::{self, ConsumerRow, UseRow};
use crate::model::{DataRef, DatasetName, Record, RecordKind, RepoPath, Time, VersionId};
use crate::repo::{Repository, split_path};

/// As what a consumer can have used a version.
pub const ROLES: [&str; 6] = ["train", "validation", "evaluation", "reward", "preference", "other"];

/// What a consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsumerKind {
    /// A model that was trained.
    Model,
    /// A measurement of one.
    Evaluation,
    /// A copy that left the store.
    Export,
}

impl ConsumerKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Evaluation => "evaluation",
            Self::Export => "export",
        }
    }

    /// As what it uses a version if nothing else is said.
    fn role(self) -> &'static str {
        match self {
            Self::Model => "train",
            Self::Evaluation => "evaluation",
            Self::Export => "other",
        }
    }
}

/// What a consumer is said to be and to have used.
#[derive(Debug, Clone)]
pub struct ConsumerWish {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: ConsumerKind,
    /// `[dataset@]revision[:path][=role]`, as people write it.
    pub used: Vec<String>,
    /// As what, where it is not said; else as its kind suggests.
    pub role: Option<String>,
    /// Where it is to be found.
    pub uri: Option<String>,
    /// Change nothing.
    pub dry_run: bool,
}

/// One thing that a consumer used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Used {
    /// The dataset that it was found in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// A file or directory in it; none for the whole.
    pub path: Option<String>,
    /// As what.
    pub role: String,
    /// When that was recorded.
    pub time: Time,
}

/// A consumer.
#[derive(Debug, Serialize)]
pub struct ConsumerInfo {
    /// What it is called.
    pub name: String,
    /// `model`, `evaluation` or `export`.
    pub kind: String,
    /// Where it is to be found.
    pub uri: Option<String>,
    /// When that was said last.
    pub time: Time,
    /// By whom: `Name <mail>`.
    pub actor: String,
    /// Everything that it used, in the order in which it was said.
    pub uses: Vec<Used>,
}

/// A consumer that was recorded.
#[derive(Debug, Serialize)]
pub struct ConsumerAdded {
    /// What is known of it now; of what was just said only, for a dry run.
    #[serde(flatten)]
    pub consumer: ConsumerInfo,
    /// How many uses are new.
    pub added: usize,
    /// The entry of the journal; none for a dry run.
    pub number: Option<u64>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Records that a consumer used versions; one that is known already gets more of them.
///
/// # Errors
///
/// [`Error::Refused`] for a name that is none, the same use twice, or a known consumer of another
/// kind; [`crate::repo::Error::NoRevision`], [`crate::repo::Error::NoPath`] and their like.
pub fn add(repository: &Repository, wish: &ConsumerWish) -> Result<ConsumerAdded> {
    must_be_label("name of the consumer", &wish.name)?;
    wish.uri.as_deref().map_or(Ok(()), |uri| must_be_label("URI", uri))?;
    let role = wish.role.as_deref().unwrap_or_else(|| wish.kind.role());
    if !ROLES.contains(&role) {
        return Err(Error::Refused(format!("`{}` is no role", role.escape_debug())));
    }
    let known = repository.catalogue.consumers()?.into_iter().find(|row| row.name == wish.name);
    if let Some(row) = known.as_ref().filter(|row| row.kind != wish.kind.as_str()) {
        return Err(Error::Refused(format!(
            "`{}` is known as a consumer of kind {}",
            row.name, row.kind
        )));
    }
    let mut uses = Vec::new();
    for text in &wish.used {
        let (data, role) = read_use(repository, text, role)?;
        if uses.contains(&(data.clone(), role.clone())) {
            return Err(Error::Refused(format!("`{}` is named twice", text.escape_debug())));
        }
        uses.push((data, role));
    }
    let mut number = None;
    if !wish.dry_run {
        let mut record = Record::new(RecordKind::Consumer);
        record.name = Some(wish.name.clone());
        let used: Vec<Value> =
            uses.iter().map(|(data, role)| json!({"data": data, "role": role})).collect();
        let mut body = Map::new();
        body.insert("kind".into(), wish.kind.as_str().into());
        if let Some(uri) = &wish.uri {
            body.insert("uri".into(), uri.as_str().into());
        }
        body.insert("used".into(), used.into());
        record.body = body;
        number = Some(repository.add_records("consumer", &wish.name, None, vec![record])?);
    }
    let consumer = match number {
        Some(_) => show(repository, &wish.name)?,
        None => imagined(repository, wish, &uses)?,
    };
    Ok(ConsumerAdded { consumer, added: uses.len(), number, dry_run: wish.dry_run })
}

fn imagined(
    repository: &Repository,
    wish: &ConsumerWish,
    uses: &[(DataRef, String)],
) -> Result<ConsumerInfo> {
    let time = repository.now();
    let used = |(data, role): &(DataRef, String)| Used {
        dataset: data.dataset.clone(),
        version: data.version,
        path: data.path.clone(),
        role: role.clone(),
        time,
    };
    Ok(ConsumerInfo {
        name: wish.name.clone(),
        kind: wish.kind.as_str().to_owned(),
        uri: wish.uri.clone(),
        time,
        actor: repository.author()?.to_string(),
        uses: uses.iter().map(used).collect(),
    })
}

fn read_use(repository: &Repository, text: &str, role: &str) -> Result<(DataRef, String)> {
    let (rest, role) = match text.rsplit_once('=') {
        Some((rest, role)) if ROLES.contains(&role) => (rest, role),
        _ => (text, role),
    };
    let (revision, path) = split_path(rest);
    let found = repository.resolve(revision)?;
    let path = path.map(|path| repository.path_in(&found.version, revision, path)).transpose()?;
    let path = path.filter(|path| !path.is_empty()).map(|path| RepoPath::exact_bytes(&path));
    Ok((DataRef { dataset: found.dataset, version: found.version, path }, role.to_owned()))
}

/// Every consumer, by name.
///
/// # Errors
///
/// The catalogue's.
pub fn list(repository: &Repository) -> Result<Vec<ConsumerInfo>> {
    let mut uses: BTreeMap<String, Vec<Used>> = BTreeMap::new();
    for row in repository.catalogue.uses(None)? {
        uses.entry(row.consumer.clone()).or_default().push(used(row));
    }
    let consumers = repository.catalogue.consumers()?;
    Ok(consumers
        .into_iter()
        .map(|row| {
            let uses = uses.remove(&row.name).unwrap_or_default();
            info(row, uses)
        })
        .collect())
}

/// One consumer.
///
/// # Errors
///
/// [`catalogue::Error::Unknown`].
pub fn show(repository: &Repository, name: &str) -> Result<ConsumerInfo> {
    let row = repository.catalogue.consumers()?.into_iter().find(|row| row.name == name);
    let unknown = || catalogue::Error::Unknown { what: format!("consumer `{name}`") };
    let uses = repository.catalogue.uses(Some(name))?;
    Ok(info(row.ok_or_else(unknown)?, uses.into_iter().map(used).collect()))
}

fn used(row: UseRow) -> Used {
    let UseRow { dataset, version, path, role, time, .. } = row;
    Used { dataset, version, path, role, time }
}

fn info(row: ConsumerRow, mut uses: Vec<Used>) -> ConsumerInfo {
    let mut seen = HashSet::new();
    uses.retain(|used| seen.insert((used.version, used.path.clone(), used.role.clone())));
    let ConsumerRow { name, kind, uri, time, actor, .. } = row;
    ConsumerInfo { name, kind, uri, time, actor, uses }
}
