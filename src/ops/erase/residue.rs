//! Residue: where rests of erased content may lie in a store and its worktrees, and what is done
//! about each.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::Job;
use super::plan::Plan;
use crate::catalogue::{PackState, RawFile};
use crate::model::{FileId, FileRef, Mode, Presence};
use crate::ops::Result;
use crate::repo::{self, Content, Ground, Repository, papers, parallel, sweep};

/// In the `.stem` of a worktree: the file that is being destroyed, and what takes its place.
const OLD: &str = "erase.old";
const NEW: &str = "erase.new";

/// A kind of place, and what is done there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it is.
    pub kind: String,
    /// What is done.
    pub action: String,
}

/// Every kind of place: its name, what scrubs it, and by which names the scanner finds it. What no
/// other row claims in a store belongs to `other files`.
pub(super) const TABLE: &[(&str, &str)] = &[
    ("packs", "written again without it, or dropped; old packs overwritten and removed"),
    ("temporary files", "of sessions that cannot commit any more: overwritten and removed"),
    ("chunk index", "removed, and made again when it is needed"),
    ("catalogue", "log moved in and cut off, database written anew without free pages"),
    (
        "facts",
        "digests of the content that the catalogue keeps: taken out before it is written anew",
    ),
    ("old catalogues", "kept by `fsck --rebuild`: overwritten and removed"),
    ("search index", "removed; it is made again when it is needed"),
    ("journal copy", "kept: it names content by hashes only"),
    ("plans and certificates", "kept: they name content by hashes only"),
    ("worktrees", "files with exactly the content overwritten and removed"),
    ("other files", "kept: looked through"),
];

/// The table, for a plan.
pub(super) fn planned() -> Vec<Planned> {
    let row = |(kind, action): &(&str, &str)| Planned {
        kind: (*kind).to_owned(),
        action: (*action).to_owned(),
    };
    TABLE.iter().map(row).collect()
}

/// The row that a file of a store belongs to, by its path from the store's top.
pub(super) fn kind_of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match path.split('/').next().unwrap_or_default() {
        "packs" => "packs",
        "tmp" => "temporary files",
        "index" => "chunk index",
        "plans" | "certificates" => "plans and certificates",
        _ if name.starts_with("catalogue.db.") => "old catalogues",
        _ if name.starts_with("catalogue.db") => "catalogue",
        _ if name.starts_with("contains.db") => "search index",
        _ if name.starts_with("journal.jsonl") => "journal copy",
        _ => "other files",
    }
}

/// Overwrites and removes what may hold rests, everywhere that is ours.
pub(super) fn scrub(repository: &Repository, plan: &Plan, job: &mut Job) -> Result<()> {
    dead_packs(repository)?;
    unfinished(repository)?;
    repository.store.remove_index()?;
    let files: Vec<FileId> = plan.found.targets.iter().map(|target| target.file).collect();
    repository.catalogue.forget_facts(&files)?;
    for name in store_names(repository)? {
        if matches!(kind_of(&name), "old catalogues" | "search index") {
            let path = repository.place.store.join(&name);
            papers::shred(&path).map_err(|source| repo::Error::Io { path, source })?;
        }
    }
    for one in repository.worktrees()?.into_iter().filter(|one| !one.is_lost) {
        job.worktree_files += worktree(repository, &one.path, plan)?;
    }
    Ok(())
}

/// Overwrites packs that are dead and still there, where that does anything, and removes them.
fn dead_packs(repository: &Repository) -> Result<()> {
    let ground = Ground::of(&repository.place.store);
    let mut packs = repository.catalogue.packs(PackState::Tombstone)?;
    packs.retain(|row| !row.dropped && ground.overwrites);
    // Most of it is waiting for the medium.
    parallel::each(
        repository.threads(),
        &packs,
        || Ok(()),
        |(), row| {
            let path = repository.place.store.join("packs").join(row.pack.name.to_string());
            match papers::overwrite(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(repo::Error::Io { path, source })
                }
                _ => Ok(()),
            }
        },
    )?;
    sweep(repository)?;
    Ok(())
}

/// What killed sessions have left: they are fenced off, so nobody comes back for it.
fn unfinished(repository: &Repository) -> Result<()> {
    let least = repository.catalogue.root()?.min_epoch;
    let shred =
        |path: PathBuf| papers::shred(&path).map_err(|source| repo::Error::Io { path, source });
    for (epoch, name) in repository.store.list_tmp()? {
        if epoch < least {
            shred(repository.place.store.join("tmp").join(name))?;
        }
    }
    let packs = repository.store.list_packs()?.packs;
    // Read after the directory: a pack that was recorded before the fence is known by now.
    let known = repository.catalogue.all_packs()?;
    let state = |name| known.iter().find(|row| row.pack.name == name).map(|row| row.state);
    for name in packs {
        let is_rest = match state(name) {
            // Somebody has put it back.
            Some(PackState::Tombstone) => true,
            Some(PackState::Live | PackState::Condemned) => false,
            None => repository.store.pack_info(name).map_or(0, |info| info.epoch) < least,
        };
        if is_rest {
            shred(repository.place.store.join("packs").join(name.to_string()))?;
        }
    }
    Ok(())
}

fn store_names(repository: &Repository) -> Result<Vec<String>> {
    let path = &repository.place.store;
    let at = |source| repo::Error::Io { path: path.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(at)? {
        let entry = entry.map_err(at)?;
        if entry.file_type().map_err(at)?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Removes every file of a worktree whose content is exactly what goes, tracked or not; what is
/// given out in its place takes its place.
fn worktree(repository: &Repository, top: &Path, plan: &Plan) -> Result<u64> {
    let mut sizes: BTreeMap<u64, Vec<FileId>> = BTreeMap::new();
    for target in &plan.found.targets {
        sizes.entry(target.size).or_default().push(target.file);
    }
    let (mut removed, dot) = (0, top.join(".stem"));
    leftovers(&dot)?;
    for path in files_of(top)? {
        let at = |source| repo::Error::Io { path: path.clone(), source };
        let Ok(meta) = path.symlink_metadata() else { continue };
        let Some(ids) = sizes.get(&meta.len()) else { continue };
        if meta.is_symlink() {
            use std::os::unix::ffi::OsStrExt;
            let target = std::fs::read_link(&path).map_err(at)?;
            if ids.contains(&FileId::of(target.as_os_str().as_bytes())) {
                std::fs::remove_file(&path).map_err(at)?;
                removed += 1;
            }
        } else if let id = hash(&path).map_err(at)?
            && ids.contains(&id)
        {
            let copy = match repository.overlay().get(&id) {
                Some(Presence::Replaced { by, by_size, .. }) => {
                    Some(FileRef { mode: Mode::File, size: *by_size, file: *by })
                }
                _ => None,
            };
            exchange(repository, &dot, &path, &meta, copy)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes what a run that was killed has left in a worktree's `.stem`.
fn leftovers(dot: &Path) -> Result<()> {
    for path in [OLD, NEW].map(|name| dot.join(name)) {
        let Ok(meta) = path.symlink_metadata() else { continue };
        // As long as it has its old name too, the file is met there.
        let is_alone = std::os::unix::fs::MetadataExt::nlink(&meta) == 1;
        let gone = if is_alone { papers::shred(&path) } else { std::fs::remove_file(&path) };
        gone.map_err(|source| repo::Error::Io { path, source })?;
    }
    Ok(())
}

/// Destroys a file, and puts `copy` in its place if there is one. Under its name stands either the
/// whole file or the whole copy at any moment; what is being destroyed lies in `.stem` then, where
/// the next run finds it.
fn exchange(
    repository: &Repository,
    dot: &Path,
    path: &Path,
    meta: &std::fs::Metadata,
    copy: Option<FileRef>,
) -> Result<()> {
    let at = |source| repo::Error::Io { path: path.into(), source };
    let (old, new) = (dot.join(OLD), dot.join(NEW));
    // Another name of the same file is not ours to destroy.
    let is_alone = std::os::unix::fs::MetadataExt::nlink(meta) == 1;
    let Some(copy) = copy else {
        return match (is_alone, std::fs::rename(path, &old)) {
            // On another file system: where it lies, then.
            (true, Err(_)) => papers::shred(path).map_err(at),
            (true, Ok(())) => papers::shred(&old).map_err(at),
            (false, Ok(())) => std::fs::remove_file(&old).map_err(at),
            (false, Err(_)) => std::fs::remove_file(path).map_err(at),
        }
        .map_err(Into::into);
    };
    let mode = meta.permissions().mode();
    write(repository, &new, &copy, mode)?;
    let kept_aside = is_alone && std::fs::hard_link(path, &old).is_ok();
    let is_here = kept_aside || !is_alone;
    if is_here && std::fs::rename(&new, path).is_ok() {
        if kept_aside {
            papers::shred(&old).map_err(at)?;
        }
        return Ok(());
    }
    // A file system within the worktree, or one without links.
    if is_alone { papers::shred(path) } else { std::fs::remove_file(path) }.map_err(at)?;
    for rest in [&old, &new] {
        papers::shred(rest).map_err(at)?;
    }
    write(repository, path, &copy, mode)
}

/// Writes a file where none is, durably.
fn write(repository: &Repository, path: &Path, file: &FileRef, mode: u32) -> Result<()> {
    let at = |source| repo::Error::Io { path: path.into(), source };
    let mut options = std::fs::OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(mode).open(path).map_err(at)?;
    Content::new(repository)?
        .range(file, 0, file.size, &mut |piece| out.write_all(piece).map_err(at))?;
    out.sync_all().map_err(at)?;
    Ok(())
}

/// The id of a file's content, read piece by piece.
pub(super) fn hash(path: &Path) -> io::Result<FileId> {
    repo::hash_stream(&mut RawFile::open(path)?)
}

/// Files and links below a worktree's top, without what is another worktree's and the store.
pub(super) fn files_of(top: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![top.to_path_buf()]);
    while let Some(directory) = open.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            // A worktree that is not there has no files; one that cannot be read is not proven.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(repo::Error::Io { path: directory, source }.into()),
        };
        for entry in entries {
            let at = |source| repo::Error::Io { path: directory.clone(), source };
            let entry = entry.map_err(at)?;
            let kind = entry.file_type().map_err(at)?;
            if kind.is_dir() {
                if entry.file_name() != ".stem" {
                    open.push(entry.path());
                }
            } else if kind.is_file() || kind.is_symlink() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
