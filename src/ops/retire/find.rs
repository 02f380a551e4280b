//! What retiring a dataset means in the repository as it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::plan::{Aux, CoreVersion, Found, Goes, Total};
use crate::model::{Class, FileId, ManifestId, RefKind, RepoPath, VersionId};
use crate::ops::classify::{Rules, survey_of};
use crate::ops::erase::{NamedRef, downstream};
use crate::ops::target::{Target, versions_of};
use crate::ops::{Error, Result};
use crate::repo::Repository;

/// So many paths that nobody has classified are named.
const MOST: usize = 20;

/// Contents of the versions that are retired.
#[derive(Default)]
struct Contents {
    all: BTreeMap<FileId, Goes>,
    /// Those that some path makes core.
    core: HashSet<FileId>,
    unclassified: BTreeSet<String>,
}

/// Finds what is archived, destroyed and kept, and who is concerned.
pub(super) fn found(
    repository: &Repository,
    target: &Target,
    core_to: &Path,
    aux: Aux,
) -> Result<Found> {
    let versions = target.versions(repository)?;
    let rules = Rules::of(repository, &target.dataset)?;
    let mut contents = Contents::default();
    let mut found = Found::default();
    for version in &versions {
        let core = classes(repository, &rules, version, &mut contents)?;
        let Some(auxiliary) = core else { continue };
        let row = repository.version(version)?;
        let name = target.dataset.as_str().replace('/', "_");
        found.core.push(CoreVersion {
            version: *version,
            files: row.files,
            bytes: row.bytes,
            auxiliary,
            place: core_to.join(format!("{name}-{}", &version.to_hex()[..12])),
        });
    }
    if !contents.unclassified.is_empty() {
        let paths = contents.unclassified.into_iter().take(MOST).collect();
        return Err(Error::Unclassified { what: target.show(), paths });
    }
    let mut goes = contents.all.clone();
    goes.retain(|file, _| !contents.core.contains(file));
    let auxiliary = total(goes.values());
    let mine: BTreeSet<VersionId> = versions.iter().copied().collect();
    spare(repository, target, &mine, &mut goes)?;
    let free = total(goes.values());
    if aux == Aux::Keep {
        goes.clear();
    }
    found.shared =
        Total { files: auxiliary.files - free.files, bytes: auxiliary.bytes - free.bytes };
    let kept = contents.all.values().filter(|one| !goes.contains_key(&one.file));
    found.kept = total(kept);
    found.destroyed = goes.into_values().collect();
    named(repository, target, &mut found)?;
    found.downstream = downstream(repository, &mine)?;
    Ok(found)
}

fn total<'a>(contents: impl Iterator<Item = &'a Goes>) -> Total {
    contents.fold(Total::default(), |sum, one| Total {
        files: sum.files + 1,
        bytes: sum.bytes + one.size,
    })
}

/// Adds what a version lists. How many paths are auxiliary, if any is core.
fn classes(
    repository: &Repository,
    rules: &Rules,
    version: &VersionId,
    contents: &mut Contents,
) -> Result<Option<u64>> {
    let overlay = repository.overlay();
    let (mut core, mut auxiliary) = (0_u64, 0_u64);
    survey_of(repository, rules, std::slice::from_ref(version), |_, path, file, judged| {
        let shown = || RepoPath::exact_bytes(path);
        match judged.class {
            Class::Core => core += 1,
            Class::Auxiliary => auxiliary += 1,
            Class::Unclassified => drop(contents.unclassified.insert(shown())),
        }
        if file.size == 0 || overlay.get(&file.file).is_some() {
            return;
        }
        if judged.class == Class::Core {
            contents.core.insert(file.file);
        }
        contents.all.entry(file.file).or_insert_with(|| Goes {
            file: file.file,
            size: file.size,
            path: shown(),
        });
    })?;
    Ok((core > 0).then_some(auxiliary))
}

/// Takes out what versions that stay list, what other datasets list, and what worktrees of other
/// datasets have staged.
fn spare(
    repository: &Repository,
    target: &Target,
    mine: &BTreeSet<VersionId>,
    goes: &mut BTreeMap<FileId, Goes>,
) -> Result<()> {
    let mut others: BTreeSet<VersionId> =
        repository.catalogue.all_version_ids()?.into_iter().collect();
    others.retain(|version| !mine.contains(version));
    for row in repository.catalogue.datasets()? {
        if row.name != target.dataset {
            others.extend(versions_of(repository, &row.name)?);
        }
    }
    let mut roots: Vec<ManifestId> = Vec::new();
    for version in others {
        roots.push(repository.manifest_of(&version)?);
    }
    let worktrees = repository.catalogue.worktrees()?.into_iter();
    let elsewhere = worktrees.filter(|row| row.state.dataset != target.dataset);
    roots.extend(elsewhere.map(|row| row.state.staged));
    repository.each_file_in(roots, |file| drop(goes.remove(&file.file)))?;
    Ok(())
}

/// The branches, tags and worktrees that are concerned.
fn named(repository: &Repository, target: &Target, found: &mut Found) -> Result<()> {
    for row in repository.catalogue.all_refs()? {
        if row.dataset != target.dataset {
            continue;
        }
        let name = row.name.as_str().to_owned();
        let named = NamedRef { dataset: row.dataset, name, version: row.version };
        match row.kind {
            RefKind::Branch => found.branches.push(named),
            RefKind::Tag => found.tags.push(named),
        }
    }
    let worktrees = repository.worktrees()?.into_iter();
    let attached = worktrees.filter(|one| one.row.state.dataset == target.dataset);
    found.worktrees = attached.map(|one| one.path.display().to_string()).collect();
    found.worktrees.sort();
    Ok(())
}
