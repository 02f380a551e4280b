//! Random changesets: whatever happens, the journal makes the same tables again.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A change in terms of small numbers, to be filled in from the state it meets.
#[derive(Debug, Clone)]
enum Wish {
    Dataset(u8),
    DatasetGone(u8),
    Commit { branch: u8, parent: u8 },
    Branch { branch: u8, version: u8 },
    Tag { name: u8, version: u8 },
    BranchGone(u8),
    Forget(u8),
    Pack(u8),
    Merge(u8, u8),
    Condemn(u8),
    Fence,
    Spare(u8),
    Bury(u8),
    Drop(u8),
    Worktree { id: u8, branch: u8 },
    Detach { id: u8, version: u8 },
    WorktreeGone(u8),
    Import { id: u8, version: u8 },
    Undo(u8),
    Record { kind: u8, version: u8 },
    Presence { file: u8, state: u8 },
}

fn wish() -> impl Strategy<Value = Wish> {
    let n = || 0_u8..6;
    prop_oneof![
        2 => n().prop_map(Wish::Dataset),
        1 => n().prop_map(Wish::DatasetGone),
        6 => (n(), any::<u8>()).prop_map(|(branch, parent)| Wish::Commit { branch, parent }),
        3 => (n(), any::<u8>()).prop_map(|(branch, version)| Wish::Branch { branch, version }),
        2 => (n(), any::<u8>()).prop_map(|(name, version)| Wish::Tag { name, version }),
        3 => n().prop_map(Wish::BranchGone),
        4 => any::<u8>().prop_map(Wish::Forget),
        3 => n().prop_map(Wish::Pack),
        1 => (n(), n()).prop_map(|(a, b)| Wish::Merge(a, b)),
        2 => n().prop_map(Wish::Condemn),
        2 => Just(Wish::Fence),
        1 => n().prop_map(Wish::Spare),
        2 => n().prop_map(Wish::Bury),
        1 => n().prop_map(Wish::Drop),
        2 => (n(), n()).prop_map(|(id, branch)| Wish::Worktree { id, branch }),
        2 => (n(), any::<u8>()).prop_map(|(id, version)| Wish::Detach { id, version }),
        1 => n().prop_map(Wish::WorktreeGone),
        2 => (n(), any::<u8>()).prop_map(|(id, version)| Wish::Import { id, version }),
        1 => n().prop_map(Wish::Undo),
        4 => (n(), any::<u8>()).prop_map(|(kind, version)| Wish::Record { kind, version }),
        2 => (n(), n()).prop_map(|(file, state)| Wish::Presence { file, state }),
    ]
}

/// Knows every record ever made, as the store would, and fills in wishes.
struct World<'a> {
    catalogue: &'a Catalogue,
    records: HashMap<VersionId, Version>,
    serial: u32,
}

impl World<'_> {
    fn pick(&self, number: u8) -> VersionId {
        let ids = self.catalogue.all_version_ids().unwrap();
        match ids.len() {
            0 => VersionId::of(b"nothing"),
            len => ids[usize::from(number) % len],
        }
    }

    fn find(&self, kind: RefKind, branch: u8) -> Option<VersionId> {
        let row = self.catalogue.get_ref(&dataset("corpus"), kind, &name(&format!("b{branch}")));
        row.unwrap().map(|row| row.version)
    }

    fn to(&self, kind: RefKind, branch: u8, new: Option<VersionId>) -> Change {
        let annotation = (kind == RefKind::Tag).then(|| Annotation {
            message: format!("tag {branch}"),
            tagger: ada(),
            time: time(i64::from(branch)),
        });
        Change::RefMoved {
            dataset: dataset("corpus"),
            kind,
            name: name(&format!("b{branch}")),
            old: self.find(kind, branch),
            new,
            annotation,
        }
    }

    fn worktree(&self, id: u8, head: Option<Head>) -> Change {
        let id: WorktreeId = format!("{id:032x}").parse().unwrap();
        let old = self.catalogue.worktree(&id).unwrap().map(|row| row.state);
        let new = head.map(|head| WorktreeState {
            head,
            operation: Some(serde_json::json!({"serial": self.serial, "half": 0.5})),
            ..worktree_state("unused", &self.serial.to_string())
        });
        Change::WorktreeChanged { id, old, new }
    }

    fn commit(&mut self, branch: u8, parent: u8) -> Changeset {
        self.serial += 1;
        let mut parents = vec![self.pick(parent)];
        parents.extend(self.find(RefKind::Branch, branch));
        parents.retain(|id| self.records.contains_key(id));
        parents.dedup();
        let (id, record) = version(&format!("version {}", self.serial), &parents);
        let record = Version { provenance: self.provenance(parent), ..record };
        self.records.insert(id, record.clone());
        let mut changeset = changes(vec![
            Change::VersionAdded { version: id, dataset: None },
            self.to(RefKind::Branch, branch, Some(id)),
        ]);
        changeset.versions.push((id, record));
        changeset.session_epoch = Some(u64::from(parent % 4));
        changeset
    }

    fn provenance(&self, seed: u8) -> Provenance {
        let from = DataRef { dataset: dataset("corpus"), version: self.pick(seed), path: None };
        let mut provenance = Provenance::default();
        if seed.is_multiple_of(2) {
            provenance.sources.push(Source { uri: format!("u:{seed}"), ..Source::default() });
            provenance.metrics.push(Metric { name: "m".into(), value: 0.5, ..Metric::default() });
        }
        if seed.is_multiple_of(3) {
            let inputs = vec![from.clone(), from.clone()];
            provenance.steps.push(Step { name: "s".into(), inputs, ..Step::default() });
            let how = "cherry-pick".into();
            let other = serde_json::Map::new();
            provenance.derived_from.push(Derivation { from, how, other });
        }
        provenance
    }

    fn record(&self, kind: u8, version: VersionId) -> Record {
        let data = format!("corpus@{version}");
        let (kind, body) = match kind {
            0 => (RecordKind::Metric, json!({"name": "later", "value": 2.0, "sample_size": 3})),
            1 => (RecordKind::Step, json!({"name": "s", "inputs": [data], "command": ["a", "b"]})),
            2 => (RecordKind::Source, json!({"uri": "x:y", "retrieved": "2026-01-01T00:00:00Z"})),
            3 => (RecordKind::Derivation, json!({"from": data, "how": "inferred"})),
            4 => {
                let used = json!([{"data": data, "role": "train"}, {"data": data, "role": "eval"}]);
                (RecordKind::Consumer, json!({"kind": "model", "uri": null, "used": used}))
            }
            _ => (RecordKind::Note, json!({})),
        };
        let mut record = Record::new(kind);
        record.body = body.as_object().unwrap().clone();
        record.version = (kind != RecordKind::Consumer).then_some(version);
        record.name = Some(format!("n{}", self.serial % 3));
        record.text = Some("in words".into());
        record.value = Some(0.25);
        record
    }

    fn change(&self, wish: &Wish) -> Change {
        let root = self.catalogue.root().unwrap();
        let one = |seed: u8| vec![pack(seed).name];
        let branch = |branch: u8| name(&format!("b{branch}"));
        match *wish {
            Wish::Dataset(0) => created("corpus"),
            Wish::Dataset(n) => created(&format!("d{n}")),
            Wish::DatasetGone(n) => Change::DatasetRemoved { dataset: dataset(&format!("d{n}")) },
            Wish::Branch { branch, version } => {
                self.to(RefKind::Branch, branch, Some(self.pick(version)))
            }
            Wish::Tag { name, version } => self.to(RefKind::Tag, name, Some(self.pick(version))),
            Wish::BranchGone(branch) => self.to(RefKind::Branch, branch, None),
            Wish::Forget(version) => {
                Change::VersionsForgotten { versions: vec![self.pick(version)] }
            }
            Wish::Pack(seed) => Change::PacksAdded { packs: vec![pack(seed)] },
            Wish::Merge(a, b) => Change::PacksMerged { added: vec![pack(a + 10)], removed: one(b) },
            Wish::Condemn(seed) => {
                Change::PacksCondemned { packs: one(seed), epoch: root.epoch + 1 }
            }
            Wish::Fence => Change::Fenced { epoch: root.epoch },
            Wish::Spare(seed) => Change::PacksSpared { packs: one(seed), epoch: root.epoch },
            Wish::Bury(seed) => Change::PacksTombstoned { packs: one(seed), epoch: root.epoch },
            Wish::Drop(seed) => Change::PacksDropped { packs: one(seed) },
            Wish::Worktree { id, branch: b } => {
                self.worktree(id, Some(Head::Branch { name: branch(b), at: None }))
            }
            Wish::Detach { id, version } => {
                self.worktree(id, Some(Head::Detached { version: self.pick(version) }))
            }
            Wish::WorktreeGone(id) => self.worktree(id, None),
            Wish::Import { id, version } => Change::Imported {
                origin: "git".into(),
                pairs: vec![(format!("commit {id}"), self.pick(version))],
            },
            Wish::Undo(number) => Change::Undone { number: u64::from(number) },
            Wish::Record { kind, version } => {
                Change::Recorded { record: self.record(kind, self.pick(version)) }
            }
            Wish::Presence { file, state } => {
                let (file, size) = (FileId::of(&[file]), u64::from(file));
                let rows = self.catalogue.presence().unwrap();
                let old = rows.into_iter().find(|row| row.file == file).map(|row| row.presence);
                let certificate = "c".to_owned();
                let new = match state {
                    0 => None,
                    1 => Some(Presence::Archived { size, place: "there".into() }),
                    2 => {
                        let by = FileId::of(b"copy");
                        Some(Presence::Replaced { size, by, by_size: 4, certificate })
                    }
                    _ => Some(Presence::Erased { size, certificate }),
                };
                // One in six expects what is not so.
                let old = if state == 5 { new.clone() } else { old };
                Change::PresenceChanged { file, old, new }
            }
            Wish::Commit { .. } => Change::Undone { number: 0 },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Each changeset happens whole or not at all; the journal, replayed, gives equal tables.
    #[test]
    fn the_journal_makes_the_same_catalogue_again(
        wishes in prop::collection::vec(prop::collection::vec(wish(), 1..4), 1..60),
    ) {
        let place = place();
        let mut world = World { catalogue: &place.catalogue, records: HashMap::new(), serial: 0 };
        place.catalogue.apply(&changes(vec![created("corpus")])).unwrap();
        for group in &wishes {
            let before = place.catalogue.dump().unwrap();
            let changeset = match &group[0] {
                Wish::Commit { branch, parent } => world.commit(*branch, *parent),
                _ => changes(group.iter().map(|wish| world.change(wish)).collect()),
            };
            match place.catalogue.apply(&changeset) {
                Ok(applied) => prop_assert_eq!(applied.copy_problem, None),
                Err(Error::Database { doing, source }) => panic!("{doing}: {source}"),
                Err(_) => prop_assert_eq!(place.catalogue.dump().unwrap(), before),
            }
        }
        let report = place.catalogue.verify_journal().unwrap();
        prop_assert!(report.is_ok());
        let copy = read_copy(&place.catalogue.journal_copy_path()).unwrap();
        prop_assert_eq!(copy.len() as u64, report.entries);

        // Following the journal in memory comes to the same tables.
        let mut read = |id: &VersionId| world.records.get(id).cloned().ok_or("lost".to_owned());
        let (_, found) = place.catalogue.audit(&mut |_| (), &mut read).unwrap();
        prop_assert_eq!(found, Differences::default());

        let again = super::place();
        let load = |id: &VersionId| world.records.get(id).cloned().ok_or("lost");
        again.catalogue.replay(&copy, load).unwrap();
        prop_assert_eq!(again.catalogue.dump().unwrap(), place.catalogue.dump().unwrap());
    }

    /// What was forgotten can't be loaded any more; a replay does not ask for it.
    #[test]
    fn a_replay_needs_only_what_is_left(
        wishes in prop::collection::vec(wish(), 1..80),
    ) {
        let place = place();
        let mut world = World { catalogue: &place.catalogue, records: HashMap::new(), serial: 0 };
        place.catalogue.apply(&changes(vec![created("corpus")])).unwrap();
        for wish in &wishes {
            let changeset = match wish {
                Wish::Commit { branch, parent } => {
                    Changeset { session_epoch: None, ..world.commit(*branch, *parent) }
                }
                _ => changes(vec![world.change(wish)]),
            };
            let _ = place.catalogue.apply(&changeset);
        }
        let left = place.catalogue.all_version_ids().unwrap();
        let load = |id: &VersionId| {
            world.records.get(id).filter(|_| left.contains(id)).cloned().ok_or("forgotten")
        };
        let entries = place.catalogue.journal(1, u64::MAX, u64::MAX).unwrap();
        let again = super::place();
        again.catalogue.replay(&entries, load).unwrap();
        prop_assert_eq!(again.catalogue.dump().unwrap(), place.catalogue.dump().unwrap());
    }
}
