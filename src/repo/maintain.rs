//! Upkeep after a change: small packs become larger ones, tables are merged.

use std::collections::HashSet;

use super::{Repository, Result, lock};
use crate::catalogue::{self, Change, Changeset, PackRecord, PackRow, PackState};
use crate::format::pack::PackKind;
use crate::model::PackName;
use crate::store::{PackInfo, merge_candidates};

/// Packs outside of any index table that are worth making one.
const LOOSE_PACKS: usize = 16;

/// Merges small packs where enough of one size have come together, and removes what they replace.
///
/// Copies whole packs only, so nothing that was readable becomes unreadable. Does nothing while
/// another command does the same. See [`merge_candidates`] for the amortised cost.
///
/// # Errors
///
/// The store's and the catalogue's; a lost race is none.
pub fn maintain(repository: &Repository) -> Result<()> {
    let path = repository.place.store.join("maintenance.lock");
    let Some(_lock) = lock::attempt(&path)? else { return Ok(()) };
    let epoch = repository.refresh()?;
    for group in merge_candidates(&repository.store.packs()) {
        if !merge(repository, &group, epoch)? {
            return Ok(());
        }
    }
    if repository.store.packs().len() > LOOSE_PACKS {
        repository.store.maintain_index(epoch)?;
    }
    Ok(())
}

/// Whether the merge was not overtaken by somebody else's change.
fn merge(repository: &Repository, group: &[PackInfo], epoch: u64) -> Result<bool> {
    let added = repository.store.merge(group, &|_| true, epoch, None)?;
    let removed: Vec<_> = group.iter().map(|pack| pack.name).collect();
    let subject = format!("{} packs", removed.len());
    let mut changeset =
        Changeset::new(&repository.author()?, repository.now(), "merge-packs", &subject);
    changeset.session_epoch = Some(epoch);
    let packs = added.iter().map(pack_record).collect();
    changeset.changes.push(Change::PacksMerged { added: packs, removed });
    match repository.catalogue.apply(&changeset) {
        Ok(_) => {}
        Err(error) if error.is_lost_race() => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    repository.refresh()?;
    sweep(repository)?;
    Ok(true)
}

/// Removes the files of packs that are dead for ever; may come late, or twice. Gives how many bytes
/// went.
///
/// # Errors
///
/// The store's and the catalogue's.
pub fn sweep(repository: &Repository) -> Result<u64> {
    let dead = dead(repository)?;
    if dead.is_empty() {
        return Ok(0);
    }
    let bytes = present_bytes(repository, &dead)?;
    for row in &dead {
        repository.store.remove_pack(row.pack.name)?;
    }
    let names: Vec<_> = dead.iter().map(|row| row.pack.name).collect();
    let subject = format!("{} packs", names.len());
    let mut changeset =
        Changeset::new(&repository.author()?, repository.now(), "drop-packs", &subject);
    changeset.changes.push(Change::PacksDropped { packs: names });
    repository.catalogue.apply(&changeset)?;
    Ok(bytes)
}

/// Packs that are dead for ever, and whose files may still be there.
fn dead(repository: &Repository) -> Result<Vec<PackRow>> {
    let mut rows = repository.catalogue.packs(PackState::Tombstone)?;
    rows.retain(|row| !row.dropped);
    Ok(rows)
}

/// The bytes of those packs whose files are there: who removed some may have been killed before the
/// catalogue knew.
fn present_bytes(repository: &Repository, rows: &[PackRow]) -> Result<u64> {
    let present: HashSet<PackName> = repository.store.list_packs()?.packs.into_iter().collect();
    let present = rows.iter().filter(|row| present.contains(&row.pack.name));
    Ok(present.map(|row| row.pack.bytes).sum())
}

/// What killed sessions have left.
#[derive(Default)]
struct Leftovers {
    tmp: Vec<String>,
    packs: Vec<PackName>,
    bytes: u64,
}

impl Leftovers {
    /// Temporary files, and packs that the catalogue does not know, of epochs before `least`.
    fn before(repository: &Repository, least: u64) -> Result<Self> {
        let tmp = repository.store.list_tmp()?;
        let packs = repository.store.list_packs()?.packs;
        // Read after the directories: a pack that was recorded before the fence is known by now.
        let known: HashSet<PackName> =
            repository.catalogue.all_packs()?.iter().map(|row| row.pack.name).collect();
        let mut found = Self::default();
        for (_, name) in tmp.into_iter().filter(|(epoch, _)| *epoch < least) {
            found.bytes += repository.store.tmp_bytes(&name)?;
            found.tmp.push(name);
        }
        for name in packs.into_iter().filter(|name| !known.contains(name)) {
            // What does not say its epoch is no pack of ours, and stays.
            let Ok(info) = repository.store.pack_info(name) else { continue };
            if info.epoch < least {
                found.bytes += info.bytes;
                found.packs.push(name);
            }
        }
        Ok(found)
    }

    fn files(&self) -> u64 {
        (self.tmp.len() + self.packs.len()) as u64
    }
}

/// Removes what sessions that were killed have left: temporary files, and packs that the catalogue
/// does not know, both of epochs whose sessions cannot commit any more. Where no command is at
/// work in any worktree, those of the present epoch too. Gives how many files and bytes went.
///
/// # Errors
///
/// The store's and the catalogue's.
pub fn sweep_strangers(repository: &Repository) -> Result<(u64, u64)> {
    if Leftovers::before(repository, u64::MAX)?.files() == 0 {
        return Ok((0, 0));
    }
    let least = fence_if_idle(repository)?;
    let found = Leftovers::before(repository, least)?;
    for name in &found.tmp {
        repository.store.remove_tmp(name)?;
    }
    for name in &found.packs {
        repository.store.remove_pack(*name)?;
    }
    Ok((found.files(), found.bytes))
}

/// How many files and bytes of dead packs and of killed sessions [`sweep`] and [`sweep_strangers`]
/// would remove now; with `fenced`, after an epoch was begun and fenced. Changes nothing.
///
/// # Errors
///
/// The store's and the catalogue's.
pub fn measure_sweep(repository: &Repository, fenced: bool) -> Result<(u64, u64)> {
    let root = repository.catalogue.root()?;
    let is_free = fenced
        || super::rebuild::lock_worktrees(&repository.catalogue, &repository.place.store)?.is_ok();
    let least = if is_free { root.epoch + 1 } else { root.min_epoch };
    let found = Leftovers::before(repository, least)?;
    let dead = present_bytes(repository, &dead(repository)?)?;
    Ok((found.files(), found.bytes + dead))
}

/// The least epoch that may commit. If no worktree is at work, a new one is begun first, which
/// disturbs nobody then; that somebody begins meanwhile costs them another try.
fn fence_if_idle(repository: &Repository) -> Result<u64> {
    let root = repository.catalogue.root()?;
    let Ok(_locks) =
        super::rebuild::lock_worktrees(&repository.catalogue, &repository.place.store)?
    else {
        return Ok(root.min_epoch);
    };
    let epoch = root.epoch + 1;
    let mut changeset =
        Changeset::new(&repository.author()?, repository.now(), "fence", "unfinished sessions");
    changeset.changes.push(Change::PacksCondemned { packs: Vec::new(), epoch });
    changeset.changes.push(Change::Fenced { epoch });
    repository.catalogue.apply(&changeset)?;
    repository.refresh()?;
    Ok(epoch)
}

/// A pack as the store knows it.
pub fn pack_info(record: &PackRecord) -> PackInfo {
    PackInfo {
        name: record.name,
        kind: match record.kind {
            catalogue::PackKind::Data => PackKind::Data,
            catalogue::PackKind::Meta => PackKind::Meta,
        },
        bytes: record.bytes,
        objects: u32::try_from(record.objects).unwrap_or(u32::MAX),
        epoch: record.epoch,
    }
}

/// A pack as the catalogue knows it.
pub fn pack_record(info: &PackInfo) -> PackRecord {
    PackRecord {
        name: info.name,
        kind: match info.kind {
            PackKind::Data => catalogue::PackKind::Data,
            PackKind::Meta => catalogue::PackKind::Meta,
        },
        bytes: info.bytes,
        objects: u64::from(info.objects),
        epoch: info.epoch,
    }
}
