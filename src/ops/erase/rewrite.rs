//! Packs written anew without what goes.
//!
//! Here: which packs have any of it, copies of what they hold besides, and the change of the
//! catalogue that buries the old ones.
//! Not here: overwriting what is buried (`residue`).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::doomed::{AffectedPack, Doomed, holds_any, needed};
use super::run::{Runner, TRIES, busy, is_lost_race};
use super::select::Scope;
use crate::catalogue::{self, Change};
use crate::format::frame::Key;
use crate::model::PackName;
use crate::ops::Result;
use crate::repo::{pack_record, parallel};
use crate::store::PackInfo;

impl Runner<'_> {
    /// Writes packs anew without what goes, until no pack has any of it.
    pub(super) fn rewrite(&self, keys: &HashSet<Key>) -> Result<()> {
        for _ in 0..TRIES {
            let epoch = self.repository.refresh()?;
            if !holds_any(self.repository, keys)? {
                return Ok(());
            }
            let scope = Scope::of(self.repository)?;
            let overlay = self.repository.overlay();
            let needed = needed(self.repository, &scope, &overlay)?;
            let doomed = Doomed::again(self.repository, keys, &needed)?;
            if doomed.packs.is_empty() {
                return Ok(());
            }
            let live: Vec<PackName> =
                doomed.packs.iter().filter(|pack| pack.live).map(|pack| pack.info.name).collect();
            let done = match live.is_empty() {
                // A collector has spared them since, or merged them.
                false => self.apply(
                    "erase-condemn",
                    Some(scope.journal),
                    vec![
                        Change::PacksCondemned { packs: live, epoch: epoch + 1 },
                        Change::Fenced { epoch: epoch + 1 },
                    ],
                ),
                true => self.exchange(&scope, epoch, &doomed),
            };
            match done {
                Err(error) if is_lost_race(&error) => {}
                done => done?,
            }
        }
        Err(busy())
    }

    /// Copies what stays, and buries the old packs in the same change that adds the new ones.
    fn exchange(&self, scope: &Scope, epoch: u64, doomed: &Doomed) -> Result<()> {
        let affected = doomed.by_name();
        let rows = self.repository.catalogue.packs(catalogue::PackState::Condemned)?;
        let mut buried: BTreeMap<u64, Vec<PackName>> = BTreeMap::new();
        for row in rows.iter().filter(|row| affected.contains_key(&row.pack.name)) {
            buried.entry(row.condemned_epoch.unwrap_or(0)).or_default().push(row.pack.name);
        }
        let made = self.copies(doomed, epoch)?;
        let sum = |packs: &mut dyn Iterator<Item = &PackInfo>| -> u64 {
            packs.map(|pack| pack.bytes).sum()
        };
        let before = sum(&mut doomed.packs.iter().map(|pack| &pack.info));
        let counts = doomed.pack_counts();
        let mut body = serde_json::Map::new();
        body.insert("freed".into(), (before - sum(&mut made.iter())).into());
        body.insert("dropped".into(), counts.drop.into());
        body.insert("rewritten".into(), counts.rewrite.into());
        body.insert("chunks".into(), doomed.chunks.exclusive.into());
        // Fenced once more: whoever has read what goes now must look again.
        let mut changes = vec![
            Change::PacksCondemned { packs: Vec::new(), epoch: epoch + 1 },
            Change::Fenced { epoch: epoch + 1 },
        ];
        if !made.is_empty() {
            changes.push(Change::PacksAdded { packs: made.iter().map(pack_record).collect() });
        }
        for (epoch, packs) in buried {
            changes.push(Change::PacksTombstoned { packs, epoch });
        }
        changes.push(self.recorded("rewritten", body));
        let done = self.apply("erase-rewrite", Some(scope.journal), changes);
        if done.as_ref().is_err_and(is_lost_race) {
            for pack in made {
                self.repository.store.remove_pack(pack.name)?;
            }
        }
        done
    }

    /// New packs with what mixed ones hold and does not go, each pack copied by itself.
    fn copies(&self, doomed: &Doomed, epoch: u64) -> Result<Vec<PackInfo>> {
        let mixed: Vec<_> = doomed.packs.iter().filter(|pack| !pack.whole).collect();
        let keep = |key: &Key| !doomed.keys.contains(key);
        let made: Mutex<Vec<PackInfo>> = Mutex::default();
        // Each waits for the medium at its end; one more has something to do meanwhile.
        parallel::each(
            self.repository.threads() + 1,
            &mixed,
            || Ok(()),
            |(), AffectedPack { info, .. }| {
                let one = std::slice::from_ref(info);
                let mut new = self.repository.store.merge(one, &keep, epoch, None)?;
                made.lock().unwrap_or_else(PoisonError::into_inner).append(&mut new);
                Ok(())
            },
        )?;
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        made.sort_unstable_by_key(|pack| pack.name);
        Ok(made)
    }
}
