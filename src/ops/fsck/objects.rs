//! Objects: that everything is there which versions and worktrees need, and who needs what is not.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::{Damage, Findings, Fsck};
use crate::catalogue::{RecordFilter, VersionRow};
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::format::manifest;
use crate::model::{ManifestId, RecordKind, RepoPath, VersionId};
use crate::ops::Result;
use crate::ops::add::in_one_line;
use crate::repo::{self, ChunkList, Error, Fault, Marks, Repository, Tracer, parallel};
use crate::store;

/// For so many things that are wrong the paths and versions are looked for.
const MOST_BLAMED: usize = 200;
/// So many paths and versions are named for each.
const MOST_NAMED: usize = 20;

/// Follows every version and what every worktree stages down to the chunks.
pub(super) fn reachable(
    repository: &Repository,
    fsck: &mut Fsck,
    findings: &Findings,
) -> Result<()> {
    let progress = &repository.environment.progress;
    progress.begin("Checking", None, None);
    let rows = repository.catalogue.all_versions()?;
    fsck.checked.versions = rows.len() as u64;
    let roots: HashSet<ManifestId> = roots(repository, &rows)?;
    // After the names: the packs of everything that they need are known by now.
    repository.refresh()?;
    let cut = cut_parents(repository)?;
    let batches: Vec<_> = rows.chunks(64).collect();
    parallel::each(
        repository.threads(),
        &batches,
        || Ok(()),
        |(), batch| batch.iter().try_for_each(|row| version(repository, row, &cut, findings)),
    )?;
    fsck.checked.manifests = roots.len() as u64;
    let roots: Vec<ManifestId> = roots.into_iter().collect();
    let marks = Marks::default();
    let fault = |fault: Fault| {
        note(fault, findings);
        Ok(())
    };
    let present = inventory(repository)?;
    let tracer = Tracer::new(repository, &marks, &fault).with_chunks_in(&present);
    let traced = tracer.listings(&roots)?;
    (fsck.checked.nodes, fsck.checked.files) = (traced.nodes, traced.files);
    (fsck.checked.chunks, fsck.erased) = (traced.chunks, traced.erased);
    progress.end();
    Ok(())
}

/// Every object that the packs' own tables list: one question to it is faster than one to each
/// table, and tables over many packs need not be relied on.
fn inventory(repository: &Repository) -> Result<Marks> {
    let present = Marks::default();
    parallel::each(
        repository.threads(),
        &repository.store.packs(),
        || Ok(()),
        |(), pack| {
            // A pack that has just gone was merged away; what it held is looked for singly.
            if let Ok(objects) = repository.store.objects(pack.name) {
                objects.iter().for_each(|object| {
                    present.add(&object.key);
                });
            }
            Ok(())
        },
    )?;
    Ok(present)
}

/// Every listing that is needed.
fn roots(repository: &Repository, rows: &[VersionRow]) -> Result<HashSet<ManifestId>> {
    let worktrees = repository.catalogue.worktrees()?;
    let staged = worktrees.into_iter().map(|row| row.state.staged);
    Ok(rows.iter().map(|row| row.manifest).chain(staged).collect())
}

/// The parents that are not in the catalogue, of versions that came back from an archive.
fn cut_parents(repository: &Repository) -> repo::Result<HashMap<VersionId, HashSet<VersionId>>> {
    let filter = RecordFilter { kind: Some(RecordKind::Archive), ..RecordFilter::default() };
    let mut cut: HashMap<VersionId, HashSet<VersionId>> = HashMap::new();
    for row in repository.catalogue.records(&filter)? {
        let absent = row.record.body.get("absent").and_then(serde_json::Value::as_array);
        let ids =
            absent.into_iter().flatten().filter_map(|id| id.as_str()?.parse::<VersionId>().ok());
        if let Some(version) = row.record.version {
            cut.entry(version).or_default().extend(ids);
        }
    }
    Ok(cut)
}

/// The record of a version must be there and say what the catalogue says.
fn version(
    repository: &Repository,
    row: &VersionRow,
    cut: &HashMap<VersionId, HashSet<VersionId>>,
    findings: &Findings,
) -> repo::Result<()> {
    let key = Key::version(&row.id);
    match repository.read_version(&row.id) {
        Ok(version) => {
            let mut parents = version.parents.clone();
            if let Some(cut) = cut.get(&row.id) {
                parents.retain(|parent| row.parents.contains(parent) || !cut.contains(parent));
            }
            let same = version.manifest == row.manifest
                && parents == row.parents
                && version.author == row.author
                && version.time == row.time
                && version.message == row.message
                && (version.files, version.bytes) == (row.files, row.bytes);
            if !same {
                let problem = "its row in the catalogue does not say what its record says";
                findings.damaged(Damage::of_object(key, None, problem));
            }
        }
        Err(error) => note(Fault { key, path: None, error }, findings),
    }
    Ok(())
}

fn note(fault: Fault, findings: &Findings) {
    let Fault { key, path, error } = fault;
    match error {
        Error::Store(store::Error::NotFound { key }) => {
            let damage = Damage::of_object(key, None, "no readable pack has it");
            findings.missing(damage.at(path.as_deref()));
        }
        Error::Store(store::Error::Missing { pack }) => {
            let damage = Damage::of_object(key, Some(pack), "its pack is not there");
            findings.missing(damage.at(path.as_deref()));
        }
        Error::Store(store::Error::Damaged { pack, source }) => {
            let damage = Damage::of_object(key, Some(pack), in_one_line(&source));
            findings.damaged(damage.at(path.as_deref()));
        }
        error => {
            let damage = Damage::of_object(key, None, in_one_line(&error));
            findings.damaged(damage.at(path.as_deref()));
        }
    }
}

/// Names paths and versions that need what is damaged or missing, where there is not too much.
pub(super) fn blame(repository: &Repository, fsck: &mut Fsck) -> Result<()> {
    let wrong = || fsck.damaged.iter().chain(&fsck.missing).filter_map(|damage| damage.key);
    let keys: HashSet<Key> = wrong().collect();
    if keys.is_empty() || keys.len() > MOST_BLAMED {
        return Ok(());
    }
    let rows = repository.catalogue.all_versions()?;
    let found = Mutex::new(HashMap::new());
    let seen = Marks::default();
    let rows: Vec<_> = rows.iter().rev().collect();
    parallel::each(
        repository.threads(),
        &rows,
        || Ok(()),
        |(), row| search(repository, row, &keys, &seen, &found),
    )?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for damage in fsck.damaged.iter_mut().chain(&mut fsck.missing) {
        if let Some(blamed) = damage.key.and_then(|key| found.get(&key)) {
            let Blamed { paths, versions } = blamed;
            damage.paths.extend(paths.iter().cloned());
            damage.paths.sort();
            damage.paths.dedup();
            damage.versions.clone_from(versions);
        }
        damage.paths.truncate(MOST_NAMED);
        damage.versions.truncate(MOST_NAMED);
    }
    Ok(())
}

/// Who needs an object.
#[derive(Default)]
struct Blamed {
    paths: Vec<String>,
    versions: Vec<crate::model::VersionId>,
}

/// Looks through one version for objects that are wrong. What cannot be read is known already.
fn search(
    repository: &Repository,
    row: &VersionRow,
    keys: &HashSet<Key>,
    sound: &Marks,
    found: &Mutex<HashMap<Key, Blamed>>,
) -> repo::Result<()> {
    let mut here: HashMap<Key, Vec<String>> = HashMap::new();
    for key in [Key::version(&row.id), Key::node(&row.manifest)] {
        if keys.contains(&key) {
            here.insert(key, Vec::new());
        }
    }
    if let Ok(mut list) = manifest::list(repository.nodes(), &row.manifest, b"") {
        while let Ok(Some(entry)) = list.next_entry() {
            let recipe = Key::recipe(&entry.file.file);
            if sound.contains(&recipe) {
                continue;
            }
            let wrong = needs(repository, &entry.file, keys);
            if wrong.is_empty() {
                sound.add(&recipe);
            }
            for key in wrong {
                let paths = here.entry(key).or_default();
                if paths.len() < MOST_NAMED {
                    paths.push(RepoPath::exact_bytes(entry.path));
                }
            }
        }
    }
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, paths) in here {
        let blamed = found.entry(key).or_default();
        blamed.paths.extend(paths);
        blamed.versions.push(row.id);
    }
    Ok(())
}

/// Those of `keys` that a file needs.
fn needs(repository: &Repository, file: &crate::model::FileRef, keys: &HashSet<Key>) -> Vec<Key> {
    let mut wrong = Vec::new();
    let mut look = |key: Key| wrong.extend(Some(key).filter(|key| keys.contains(key)));
    look(Key::recipe(&file.file));
    look(Key::new(Kind::Chunk, *file.file.as_bytes()));
    let Ok(list) = ChunkList::of(repository, file) else { return wrong };
    list.stored_parts().for_each(&mut look);
    for number in 0..list.part_count() {
        for chunk in list.part(repository, number).unwrap_or_default() {
            look(Key::chunk(&chunk.id));
        }
    }
    wrong.sort_unstable();
    wrong.dedup();
    wrong
}
