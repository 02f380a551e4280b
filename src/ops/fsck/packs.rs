//! Packs: that they are there, that their tables are sound, and every byte of them.

use std::collections::HashSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use super::{Damage, Findings, Fsck};
use crate::catalogue::{PackRow, PackState};
use crate::model::PackName;
use crate::ops::Result;
use crate::ops::add::in_one_line;
use crate::repo::{self, Repository, pack_info, parallel};
use crate::store::{self, Error};

/// Compares what lies among the packs with what the catalogue lists. Gives the packs that cannot
/// be used.
pub(super) fn tables(
    repository: &Repository,
    fsck: &mut Fsck,
    findings: &Findings,
) -> Result<Vec<PackName>> {
    // The directory first: what is made in between is known by the time the catalogue is read.
    let listing = repository.store.list_packs()?;
    let rows = repository.catalogue.all_packs()?;
    let known: HashSet<PackName> =
        rows.iter().filter(|row| !row.dropped).map(|row| row.pack.name).collect();
    let strangers = listing.packs.iter().filter(|name| !known.contains(name));
    fsck.strangers = strangers.map(ToString::to_string).chain(listing.strangers).collect();
    fsck.strangers.sort();
    let rows: Vec<PackRow> =
        rows.into_iter().filter(|row| row.state != PackState::Tombstone).collect();
    fsck.checked.packs = rows.len() as u64;
    let bad = Mutex::new(Vec::new());
    parallel::each(
        repository.threads(),
        &rows,
        || Ok(()),
        |(), row| {
            if !table(repository, row, findings)? {
                bad.lock().unwrap_or_else(PoisonError::into_inner).push(row.pack.name);
            }
            Ok(())
        },
    )?;
    Ok(bad.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Whether the pack can be used.
fn table(repository: &Repository, row: &PackRow, findings: &Findings) -> repo::Result<bool> {
    let name = row.pack.name;
    let problem = match repository.store.pack_info(name) {
        Ok(info) if info == pack_info(&row.pack) => return Ok(true),
        Ok(_) => "the catalogue lists it with another length, kind or number of objects".into(),
        Err(Error::Missing { .. }) => {
            if !is_gone(repository, name)? {
                findings.missing(Damage::of_pack(name, "the file is not there"));
            }
            return Ok(false);
        }
        Err(error) => in_one_line(&error),
    };
    findings.damaged(Damage::of_pack(name, problem));
    Ok(false)
}

/// Whether another command has merged or collected the pack meanwhile.
fn is_gone(repository: &Repository, name: PackName) -> repo::Result<bool> {
    let dead = repository.catalogue.packs(PackState::Tombstone)?;
    Ok(dead.iter().any(|row| row.pack.name == name))
}

/// Reads every pack from front to back, on all threads; not those that are set aside.
pub(super) fn read(repository: &Repository, findings: &Findings) -> Result<()> {
    let mut packs = repository.store.packs();
    // The longest first, so that no thread is left alone with one at the end.
    packs.sort_by_key(|pack| std::cmp::Reverse(pack.bytes));
    let progress = &repository.environment.progress;
    let bytes = packs.iter().map(|pack| pack.bytes).sum();
    progress.begin("Reading", Some(packs.len() as u64), Some(bytes));
    parallel::each(
        repository.threads(),
        &packs,
        || Ok(repository.store.checker()?),
        |checker, pack| {
            match checker.check(pack.name) {
                Ok(check) => found(pack.name, check, findings),
                Err(Error::Missing { .. }) if is_gone(repository, pack.name)? => {}
                Err(Error::Missing { .. }) => {
                    findings.missing(Damage::of_pack(pack.name, "the file is not there"));
                }
                Err(error) => {
                    findings.damaged(Damage::of_pack(pack.name, in_one_line(&error)));
                }
            }
            findings.bytes.fetch_add(pack.bytes, Relaxed);
            progress.advance(1, pack.bytes);
            Ok(())
        },
    )?;
    progress.end();
    Ok(())
}

fn found(pack: PackName, check: store::Check, findings: &Findings) {
    for finding in check.findings {
        let problem = in_one_line(&finding.damage);
        findings.damaged(match finding.key {
            Some(key) => Damage::of_object(key, Some(pack), problem),
            None => Damage::of_pack(pack, problem),
        });
    }
}
