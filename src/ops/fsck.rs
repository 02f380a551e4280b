//! Checking that everything is there, and that it is what it was.

mod files;
mod objects;
mod packs;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Result;
use crate::catalogue::Difference;
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::model::{PackName, RepoPath, VersionId};
use crate::repo::{Rebuilt, Repository};

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The catalogue, and that every pack is there with the right length and a sound table.
    Quick,
    /// Also that every object is there which any version needs.
    Objects,
    /// Also every byte of every pack.
    ReadData,
    /// Also every file of several chunks, as a whole.
    ReadFiles,
}

/// How much was looked at.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// Versions.
    pub versions: u64,
    /// Different listings.
    pub manifests: u64,
    /// Nodes of listings.
    pub nodes: u64,
    /// Different contents of files.
    pub files: u64,
    /// Chunks that were looked up.
    pub chunks: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of packs that were read whole and hashed.
    pub bytes: u64,
    /// Entries of the journal.
    pub journal: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    /// `catalogue`, `journal`, `pack`, `chunk`, `manifest`, `recipe` or `version`.
    pub kind: &'static str,
    /// The object's id, the pack's name, or the number of the journal's entry.
    pub id: String,
    /// The pack in which it lies, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackName>,
    /// What is wrong.
    pub problem: String,
    /// Some of the paths that need it.
    pub paths: Vec<String>,
    /// Some of the versions that need it.
    pub versions: Vec<VersionId>,
    #[serde(skip)]
    key: Option<Key>,
}

/// What came of a check.
#[derive(Debug, Default, Serialize)]
pub struct Fsck {
    /// How much was looked at.
    pub checked: Checked,
    /// What is not what it was.
    pub damaged: Vec<Damage>,
    /// What is not there.
    pub missing: Vec<Damage>,
    /// Files that are gone because they were erased, replaced or archived; they are not missing.
    pub erased: u64,
    /// Files among the packs that the catalogue does not know: of commands that are running, or
    /// that were killed. They do no harm, and `gc` removes them.
    pub strangers: Vec<String>,
    /// Whether nothing is damaged and nothing is missing.
    pub ok: bool,
    /// The catalogue that was made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuilt: Option<Rebuilt>,
}

/// What the threads of a check add to.
#[derive(Debug, Default)]
struct Findings {
    damaged: Mutex<Vec<Damage>>,
    missing: Mutex<Vec<Damage>>,
    bytes: AtomicU64,
}

impl Findings {
    fn damaged(&self, damage: Damage) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
    }

    fn missing(&self, damage: Damage) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
    }
}

impl Damage {
    fn new(kind: &'static str, id: impl ToString, problem: impl ToString) -> Self {
        let (id, problem) = (id.to_string(), problem.to_string());
        let (paths, versions) = (Vec::new(), Vec::new());
        Self { kind, id, pack: None, problem, paths, versions, key: None }
    }

    fn of_pack(pack: PackName, problem: impl ToString) -> Self {
        Self { pack: Some(pack), ..Self::new("pack", pack, problem) }
    }

    fn of_object(key: Key, pack: Option<PackName>, problem: impl ToString) -> Self {
        let kind = match key.kind {
            Kind::Chunk => "chunk",
            Kind::Node => "manifest",
            Kind::Recipe | Kind::RecipePart => "recipe",
            Kind::Version => "version",
        };
        let id = VersionId::from_bytes(key.id).to_hex();
        Self { pack, key: Some(key), ..Self::new(kind, id, problem) }
    }

    fn at(mut self, path: Option<&[u8]>) -> Self {
        self.paths.extend(path.map(RepoPath::exact_bytes));
        self
    }
}

/// Checks the repository. Damage is no error, but what is returned.
///
/// # Errors
///
/// When the check itself cannot go on.
pub fn fsck(repository: &Repository, depth: Depth) -> Result<Fsck> {
    let mut fsck = Fsck::default();
    let findings = Findings::default();
    catalogue(repository, &mut fsck, &findings)?;
    let bad = packs::tables(repository, &mut fsck, &findings)?;
    repository.set_aside(bad)?;
    if depth >= Depth::Objects {
        objects::reachable(repository, &mut fsck, &findings)?;
    }
    if depth >= Depth::ReadData {
        packs::read(repository, &findings)?;
    }
    if depth >= Depth::ReadFiles {
        files::read(repository, &findings)?;
    }
    fsck.checked.bytes = findings.bytes.into_inner();
    fsck.damaged = tidy(findings.damaged);
    fsck.missing = tidy(findings.missing);
    if depth >= Depth::Objects && fsck.damaged.is_empty() && fsck.missing.is_empty() {
        fsck.damaged = tables(repository)?;
    }
    objects::blame(repository, &mut fsck)?;
    fsck.ok = fsck.damaged.is_empty() && fsck.missing.is_empty();
    Ok(fsck)
}

/// In the same order whatever the threads did, and each thing once.
fn tidy(found: Mutex<Vec<Damage>>) -> Vec<Damage> {
    let mut once = BTreeMap::new();
    for damage in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let key = (damage.kind, damage.id.clone(), damage.problem.clone());
        let known: &mut Damage = once.entry(key).or_insert_with(|| damage.clone());
        if known.pack.is_none() {
            known.pack = damage.pack;
        }
        if known.paths.is_empty() {
            known.paths = damage.paths;
        }
    }
    once.into_values().collect()
}

/// Where the tables are not what the journal and versions say: a changed byte in a row may be as good
/// a value as the right one. Only asked when all else is well, for what is damaged differs here too.
fn tables(repository: &Repository) -> Result<Vec<Damage>> {
    let mut load = |id: &VersionId| repository.read_version(id).map_err(|error| error.to_string());
    let (_, found) = repository.catalogue.audit(&mut |_| {}, &mut load)?;
    let damage = |one: Difference| Damage::new("catalogue", one.what, one.problem);
    Ok(found.differences.into_iter().map(damage).collect())
}

/// The journal's chain, its copy, the file of the database, and that every row can be read.
fn catalogue(repository: &Repository, fsck: &mut Fsck, findings: &Findings) -> Result<()> {
    let catalogue = &repository.catalogue;
    let report = catalogue.verify_journal()?;
    fsck.checked.journal = report.entries;
    if let Some((number, problem)) = report.first_bad {
        findings.damaged(Damage::new("journal", number, problem));
    }
    if let Some(problem) = catalogue.check_copy()? {
        findings.damaged(Damage::new("journal", "journal.jsonl", problem));
    }
    for problem in catalogue.check_file()? {
        findings.damaged(Damage::new("catalogue", "catalogue.db", problem));
    }
    let rows = [
        catalogue.all_refs().map(drop),
        catalogue.worktrees().map(drop),
        catalogue.datasets().map(drop),
    ];
    for error in rows.into_iter().filter_map(Result::err) {
        findings.damaged(Damage::new("catalogue", "catalogue.db", error));
    }
    Ok(())
}
