//! What collecting and erasing say that they free, beside what becomes of the files.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use stemmata::catalogue::PackState;
use stemmata::format::frame::Key;
use stemmata::model::PackName;
use stemmata::ops::du;
use stemmata::ops::erase::{Planned, Run};
use stemmata::ops::gc::{GcOptions, gc};
use stemmata::repo::Repository;

use super::world::{World, count};

/// The packs that a store relies on, and what they hold.
pub(super) struct Space {
    packs: BTreeMap<PackName, u64>,
    keys: HashSet<Key>,
}

impl Space {
    fn bytes(&self) -> u64 {
        self.packs.values().sum()
    }
}

impl World {
    /// Collects; what is said before and afterwards is what becomes of the files.
    pub(super) fn collect(&self, crash: Option<u8>) {
        let all = GcOptions { grace_seconds: 0, dry_run: false };
        let work = || {
            let done = gc(&self.open_to_collect(0, crash), &all);
            done.unwrap_or_else(|error| panic!("gc: {error}"));
        };
        if crash.is_some() && self.survives(work) {
            return;
        }
        // With a grace that everything is in, and then thoroughly.
        for grace_seconds in [1, 0] {
            self.collect_and_compare(grace_seconds);
        }
    }

    fn collect_and_compare(&self, grace_seconds: u64) {
        let repository = self.open_to_collect(0, None);
        let before = self.bytes_on_disk();
        let once = |dry_run| gc(&repository, &GcOptions { grace_seconds, dry_run }).unwrap();
        let said = once(true);
        assert_eq!(du::reclaimable(&repository, grace_seconds).unwrap(), said.removed);
        assert_eq!(self.bytes_on_disk(), before, "a dry run changed something");
        let done = once(false);
        assert_eq!(said.removed, done.removed, "gc removes other than it said");
        assert_eq!(said.kept, done.kept, "gc keeps other than it said");
        assert_eq!((said.forgotten, said.leftovers), (done.forgotten, done.leftovers));
        let after = self.bytes_on_disk();
        assert_eq!(before - after, done.removed.bytes, "gc removes other than it says");
        assert_eq!(after, done.kept.bytes, "gc keeps other than it says");
        if done.removed.bytes > 0 {
            count(5);
        }
    }

    /// An erasure freed what its plan said, and what it says itself; nothing else has grown or gone
    /// but for what files have become, and what was left lying by crashes.
    pub(super) fn freed(&self, before: &Space, planned: &Planned, done: &Run) {
        let found = planned.plan.found();
        assert_eq!(done.erased.bytes, found.bytes.freed, "it freed other than was planned");
        assert_eq!(done.erased.chunks, found.chunks.exclusive, "other chunks went than planned");
        let now = self.space();
        let repository = self.open(0, None);
        let new = now.packs.iter().filter(|(name, _)| !before.packs.contains_key(name));
        let copies = new.filter(|(name, _)| {
            let objects = repository.store.objects(**name).unwrap();
            objects.iter().any(|object| !before.keys.contains(&object.key))
        });
        let copies: u64 = copies.map(|(_, bytes)| bytes).sum();
        assert_eq!(before.bytes() + copies - now.bytes(), found.bytes.freed, "by the catalogue");
        assert_eq!(now.bytes(), self.bytes_on_disk(), "something else is left");
    }

    /// What the catalogue says.
    pub(super) fn space(&self) -> Space {
        let repository: Repository = self.open(0, None);
        let mut rows = repository.catalogue.packs(PackState::Live).unwrap();
        rows.extend(repository.catalogue.packs(PackState::Condemned).unwrap());
        let objects = rows.iter().flat_map(|row| repository.store.objects(row.pack.name).unwrap());
        let keys = objects.map(|object| object.key).collect();
        Space { packs: rows.iter().map(|row| (row.pack.name, row.pack.bytes)).collect(), keys }
    }

    /// What the files say.
    fn bytes_on_disk(&self) -> u64 {
        let files = ["packs", "tmp"].map(|name| fs::read_dir(self.store().join(name)).unwrap());
        files.into_iter().flatten().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }
}
