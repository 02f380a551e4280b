//! Space: what versions would take as plain files, what the store takes for them, what they share.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::Result;
use super::gc::{Amount, GcOptions, gc};
use crate::catalogue::VersionRow;
use crate::model::VersionId;
use crate::repo::{Reach, Repository};

/// Space taken.
#[derive(Debug, Serialize)]
pub struct Du {
    /// The version; none if it is about the whole store.
    pub version: Option<VersionId>,
    /// How many versions it is about.
    pub versions: u64,
    /// Bytes of the files as they would lie in a directory, each version on its own.
    pub logical_bytes: u64,
    /// Bytes of the objects that hold them, compressed, in the store.
    pub stored_bytes: u64,
    /// Of these, what no other version needs; of the whole store, what just one version needs.
    pub unique_bytes: u64,
    /// Of these, what several versions need.
    pub shared_bytes: u64,
    /// How many objects (chunks, recipes, manifest nodes, versions).
    pub objects: u64,
    /// How many packs they lie in.
    pub packs: u64,
    /// What `gc` would remove now, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reclaimable: Option<Amount>,
}

/// Measures one version, or all versions of the store.
///
/// # Errors
///
/// What keeps listings and recipes from being read.
pub fn du(repository: &Repository, revision: Option<&str>) -> Result<Du> {
    let all = repository.catalogue.all_versions()?;
    match revision {
        Some(revision) => {
            let id = repository.resolve(revision)?.version;
            let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|row| row.id == id);
            let mut elsewhere = Reach::default();
            add(repository, &mut elsewhere, &others)?;
            let mut here = Reach::default();
            add(repository, &mut here, &own)?;
            sum(repository, Some(id), &own, &here, &elsewhere)
        }
        None => {
            let (mut once, mut again) = (Reach::default(), Reach::default());
            for row in &all {
                once.add_version_twice(&mut again, repository, &row.id, &row.manifest)?;
            }
            sum(repository, None, &all, &once, &again)
        }
    }
}

/// What `gc` with this grace would remove: its own dry run, so the two agree to the byte.
///
/// # Errors
///
/// As [`gc`].
pub fn reclaimable(repository: &Repository, grace_seconds: u64) -> Result<Amount> {
    Ok(gc(repository, &GcOptions { grace_seconds, dry_run: true })?.removed)
}

/// For each of `versions`, the stored bytes that no other version of the store needs.
///
/// # Errors
///
/// What keeps listings and recipes from being read.
pub fn unique_bytes(
    repository: &Repository,
    versions: &[VersionId],
) -> Result<HashMap<VersionId, u64>> {
    let (mut once, mut again) = (Reach::default(), Reach::default());
    for row in &repository.catalogue.all_versions()? {
        once.add_version_twice(&mut again, repository, &row.id, &row.manifest)?;
    }
    let mut unique = HashMap::new();
    for row in repository.catalogue.versions(versions)? {
        let mut here = Reach::default();
        here.add_version(repository, &row.id, &row.manifest)?;
        let one = sum(repository, Some(row.id), std::slice::from_ref(&row), &here, &again)?;
        unique.insert(row.id, one.unique_bytes);
    }
    Ok(unique)
}

fn add(repository: &Repository, reach: &mut Reach, rows: &[VersionRow]) -> Result<()> {
    for row in rows {
        reach.add_version(repository, &row.id, &row.manifest)?;
    }
    Ok(())
}

/// Adds up the objects in `here`; those that are in `shared` too are shared.
fn sum(
    repository: &Repository,
    version: Option<VersionId>,
    rows: &[VersionRow],
    here: &Reach,
    shared: &Reach,
) -> Result<Du> {
    let mut du = Du {
        version,
        versions: rows.len() as u64,
        logical_bytes: rows.iter().map(|row| row.bytes).sum(),
        stored_bytes: 0,
        unique_bytes: 0,
        shared_bytes: 0,
        objects: 0,
        packs: 0,
        reclaimable: None,
    };
    let mut counted = HashSet::new();
    for pack in repository.store.packs() {
        let mut used = false;
        for listed in repository.store.objects(pack.name)? {
            if !here.contains(&listed.key) || !counted.insert(listed.key) {
                continue;
            }
            used = true;
            let bytes = u64::from(listed.frame_len);
            du.objects += 1;
            du.stored_bytes += bytes;
            if shared.contains(&listed.key) {
                du.shared_bytes += bytes;
            } else {
                du.unique_bytes += bytes;
            }
        }
        du.packs += u64::from(used);
    }
    Ok(du)
}
