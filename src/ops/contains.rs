//! Where a content is: which versions, paths, branches and consumers have it.
//!
//! Answered from an index beside the catalogue that is brought up to date first: a version costs
//! what differs from its first parent, once. The index can be deleted at any moment.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;

use serde::Serialize;

use super::{Error, Result};
use crate::catalogue::{self, ContentIndex, Held, Holder, VersionRow};
use crate::format::manifest;
use crate::model::{DatasetName, FileId, ManifestId, RefKind, RefName, RepoPath, VersionId};
use crate::repo::{self, Nodes, Repository, hash_any};

/// So many rows are kept in memory before they are written.
const ROWS: usize = 50_000;
/// So many versions are written together.
const VERSIONS: usize = 500;
/// The least digits that stand for an id.
const LEAST_DIGITS: usize = 4;

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// In the user's words.
    pub given: String,
    /// The content; none if nothing begins with these digits.
    pub file: Option<FileId>,
    /// Whether any version has it.
    pub found: bool,
}

/// A version that has a content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InVersion {
    /// The dataset that the version was made in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// Where in it.
    pub path: RepoPath,
    /// The content.
    pub file: FileId,
}

/// A branch that has a content, now or in its past.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InBranch {
    /// Its dataset.
    pub dataset: DatasetName,
    /// Its name.
    pub name: RefName,
    /// Where it is.
    pub version: VersionId,
    /// Whether the version that it is at has the content.
    pub current: bool,
}

/// A consumer that has used a content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ByConsumer {
    /// Its name.
    pub name: String,
    /// The dataset that the version was found in.
    pub dataset: DatasetName,
    /// The version that it used.
    pub version: VersionId,
    /// The part of the version that it used; none for the whole.
    pub path: Option<String>,
    /// As what.
    pub role: String,
}

/// Who has what was asked for.
#[derive(Debug, Serialize)]
pub struct Contains {
    /// Whether some version has each of them.
    pub found: bool,
    /// What was asked for.
    pub files: Vec<Asked>,
    /// Every path and version, those that continue others after them.
    pub versions: Vec<InVersion>,
    /// Branches by dataset and name.
    pub branches: Vec<InBranch>,
    /// Consumers by name.
    pub consumers: Vec<ByConsumer>,
}

/// Says who has the content of files on the disk, or contents by their ids or the first digits of
/// them. What is a file on the disk, seen from `directory`, is not taken for an id.
///
/// # Errors
///
/// [`Error::Refused`] for digits that several contents begin with;
/// [`repo::Error::Io`] for what is neither a file nor digits.
pub fn contains(
    repository: &Repository,
    directory: &Path,
    given: &[impl AsRef<OsStr>],
) -> Result<Contains> {
    with_index(repository, |index| {
        let mut answer = Contains {
            found: true,
            files: Vec::new(),
            versions: Vec::new(),
            branches: Vec::new(),
            consumers: Vec::new(),
        };
        for given in given.iter().map(AsRef::as_ref) {
            let file = find(index, directory, given)?;
            let holders = file.map_or(Ok(Vec::new()), |file| index.holders(&file))?;
            let found = !holders.is_empty();
            answer.found &= found;
            if let Some(file) = file.filter(|_| found) {
                add_holders(repository, index, &mut answer, &file, holders)?;
            }
            let given = RepoPath::exact_bytes(given.as_encoded_bytes());
            answer.files.push(Asked { given, file, found });
        }
        answer.branches.sort();
        // The last of two that differ only in `current` is the one that has it now.
        answer.branches.reverse();
        answer.branches.dedup_by(|a, b| (&a.dataset, &a.name) == (&b.dataset, &b.name));
        answer.branches.reverse();
        answer.consumers.sort();
        answer.consumers.dedup();
        Ok(answer)
    })
}

/// Every version and path that has the content `file`.
///
/// # Errors
///
/// What keeps the index from being brought up to date.
pub fn holders(repository: &Repository, file: &FileId) -> Result<Vec<Holder>> {
    with_index(repository, |index| Ok(index.holders(file)?))
}

/// Removes the index; the next question makes it again. It holds ids and paths that the manifests
/// hold too, and nothing else.
///
/// # Errors
///
/// When it cannot be removed.
pub fn drop_index(repository: &Repository) -> Result<()> {
    Ok(ContentIndex::remove(&repository.place.contents())?)
}

/// Asks the index, up to date. One that is damaged is made again, once.
fn with_index<T>(repository: &Repository, ask: impl Fn(&ContentIndex) -> Result<T>) -> Result<T> {
    let path = repository.place.contents();
    let once = || -> Result<T> {
        let index = ContentIndex::open(&path)?;
        bring_up_to_date(repository, &index)?;
        ask(&index)
    };
    match once() {
        Err(Error::Repo(repo::Error::Catalogue(error))) if is_damage(&error) => {
            ContentIndex::remove(&path)?;
            once()
        }
        answer => answer,
    }
}

fn is_damage(error: &catalogue::Error) -> bool {
    use catalogue::Error as E;
    matches!(error, E::Corrupt { .. } | E::BadRow { .. } | E::Database { .. } | E::Unknown { .. })
}

fn find(index: &ContentIndex, directory: &Path, given: &OsStr) -> Result<Option<FileId>> {
    let path = directory.join(given);
    let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_id = |text: &&str| (LEAST_DIGITS..=64).contains(&text.len()) && is_hex(text);
    let Some(given) = given.to_str().filter(is_id).filter(|_| !path.is_file()) else {
        return Ok(Some(hash_any(&path)?));
    };
    let digits = given.to_ascii_lowercase();
    let bound = |fill: char| -> Result<FileId> {
        let text: String = digits.chars().chain(std::iter::repeat(fill)).take(64).collect();
        text.parse().map_err(|_| Error::Refused(format!("`{given}` is not an id")))
    };
    let (least, greatest) = (bound('0')?, bound('f')?);
    match index.files(&least, &greatest, 2)?[..] {
        [file] => Ok(Some(file)),
        [] => Ok((least == greatest).then_some(least)),
        _ => Err(Error::Refused(format!("several contents begin with `{given}`"))),
    }
}

fn add_holders(
    repository: &Repository,
    index: &ContentIndex,
    answer: &mut Contains,
    file: &FileId,
    holders: Vec<Holder>,
) -> Result<()> {
    let mut paths: HashMap<VersionId, Vec<&[u8]>> = HashMap::new();
    for holder in &holders {
        for version in &holder.versions {
            paths.entry(*version).or_default().push(&holder.path);
        }
    }
    let mut refs = repository.catalogue.all_refs()?;
    refs.retain(|row| row.kind == RefKind::Branch);
    let tips = refs.iter().map(|row| row.version).filter(|tip| !paths.contains_key(tip));
    let tips: Vec<VersionId> = tips.collect();
    let heirs = if tips.is_empty() { HashSet::new() } else { index.heirs(file, &tips)? };
    for row in refs {
        let current = paths.contains_key(&row.version);
        if !current && !heirs.contains(&row.version) {
            continue;
        }
        let (dataset, name, version) = (row.dataset, row.name, row.version);
        answer.branches.push(InBranch { dataset, name, version, current });
    }
    let ids: Vec<VersionId> = paths.keys().copied().collect();
    for used in repository.catalogue.uses_of(&ids)? {
        let held = paths.get(&used.version).map(Vec::as_slice).unwrap_or_default();
        if held.iter().any(|path| is_part(path, used.path.as_deref())) {
            answer.consumers.push(ByConsumer {
                name: used.consumer,
                dataset: used.dataset,
                version: used.version,
                path: used.path,
                role: used.role,
            });
        }
    }
    for Holder { dataset, path, versions } in holders {
        let dataset = dataset.unwrap_or_else(|| repository.dataset().clone());
        let path = RepoPath::new(path)?;
        for version in versions {
            let (dataset, path, file) = (dataset.clone(), path.clone(), *file);
            answer.versions.push(InVersion { dataset, version, path, file });
        }
    }
    Ok(())
}

/// Whether `path` is the part of a version that was used, or lies in it.
fn is_part(path: &[u8], used: Option<&str>) -> bool {
    let Some(used) = used.map(str::as_bytes) else { return true };
    path.strip_prefix(used).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Adds what the index lacks: parents first, each version by what differs from its first parent.
fn bring_up_to_date(repository: &Repository, index: &ContentIndex) -> Result<()> {
    // The journal's head is read before the versions: what is added meanwhile is seen next time.
    let head = repository.catalogue.journal_head()?.hash;
    if index.seen()? == head {
        return Ok(());
    }
    index.begin()?;
    let known = index.versions()?;
    let ids = repository.catalogue.all_version_ids()?;
    let missing: Vec<VersionId> = ids.iter().filter(|id| !known.contains(id)).copied().collect();
    if !missing.is_empty() {
        add_versions(repository, index, &missing)?;
    }
    // Others may have added versions since, which must not be taken for forgotten ones.
    let there: HashSet<VersionId> = repository.catalogue.all_version_ids()?.into_iter().collect();
    let gone: Vec<VersionId> = known.into_iter().filter(|id| !there.contains(id)).collect();
    index.note(&head, &gone)?;
    Ok(index.end()?)
}

fn add_versions(
    repository: &Repository,
    index: &ContentIndex,
    missing: &[VersionId],
) -> Result<()> {
    let progress = &repository.environment.progress;
    let mut rows = repository.catalogue.versions(missing)?;
    rows.sort_unstable_by_key(|row| (row.generation, row.id));
    rows.dedup_by_key(|row| row.id);
    progress.begin("Indexing contents", Some(rows.len() as u64), None);
    let manifests = rows.iter().map(|row| (row.id, row.manifest)).collect();
    let datasets = repository.catalogue.datasets_of(missing)?;
    let mut filler =
        Filler { index, manifests, datasets, rows: Vec::new(), written: 0, versions: 0 };
    let nodes = repository.nodes();
    for row in &rows {
        filler.version(repository, &nodes, row)?;
        progress.advance(1, 0);
    }
    progress.end();
    Ok(())
}

/// Writes in large pieces and keeps them now and then, so that what is done stays done.
struct Filler<'a> {
    index: &'a ContentIndex,
    /// Of the versions that are being added.
    manifests: HashMap<VersionId, ManifestId>,
    datasets: HashMap<VersionId, DatasetName>,
    rows: Vec<Held>,
    written: usize,
    versions: usize,
}

impl Filler<'_> {
    fn version(
        &mut self,
        repository: &Repository,
        nodes: &Nodes<'_>,
        row: &VersionRow,
    ) -> Result<()> {
        let dataset = self.datasets.get(&row.id);
        let Some(number) = self.index.add_version(row, dataset)? else { return Ok(()) };
        let before = match row.parents.first() {
            Some(parent) => match self.manifests.get(parent) {
                Some(manifest) => *manifest,
                None => repository.manifest_of(parent)?,
            },
            None => manifest::empty().0,
        };
        for change in manifest::diff(nodes, &before, &row.manifest)? {
            let change: Result<manifest::Change, repo::Error> = change;
            let change = change?;
            let (old, new) = (change.old.map(|f| f.file), change.new.map(|f| f.file));
            if old == new {
                continue;
            }
            let path = change.path.as_bytes();
            for (file, gone) in [(old, true), (new, false)] {
                self.rows.extend(file.map(|file| Held { file, path: path.to_vec(), gone }));
            }
            if self.rows.len() >= ROWS {
                self.write(number)?;
            }
        }
        self.write(number)?;
        self.versions += 1;
        if self.versions >= VERSIONS || self.written >= ROWS {
            self.index.end()?;
            self.index.begin()?;
            (self.versions, self.written) = (0, 0);
        }
        Ok(())
    }

    fn write(&mut self, number: i64) -> Result<()> {
        self.written += self.rows.len();
        Ok(self.index.add(number, &mut self.rows)?)
    }
}
