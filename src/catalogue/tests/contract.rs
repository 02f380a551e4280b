//! What every implementation of the catalogue promises; `contract!` runs it on one of them.

use super::*;

/// Makes one test of each law, on a catalogue that `$open` gives; PostgreSQL joins with one line.
macro_rules! contract {
    ($place:expr, $($law:ident),* $(,)?) => {$(
        #[test]
        fn $law() {
            let place = $place;
            super::contract::laws::$law(&place.catalogue);
        }
    )*};
}

contract!(
    place(),
    a_new_catalogue_is_empty,
    what_is_applied_can_be_read,
    a_failed_changeset_leaves_nothing,
    a_reference_moves_only_from_where_it_was_seen,
    tags_keep_what_they_say,
    a_session_that_is_too_old_cannot_commit,
    packs_go_the_way_of_the_protocol,
    a_tombstone_needs_a_fence_and_its_own_condemnation,
    a_worktree_changes_only_from_the_state_that_was_seen,
    versions_in_use_are_not_forgotten,
    a_dataset_in_use_is_not_removed,
    a_state_follows_only_where_it_may,
    what_is_retired_stands_still,
    a_version_comes_back_without_parents_that_it_names,
    prefixes_find_versions,
    imports_are_remembered,
    adding_a_version_twice_is_as_once,
    quotes_and_odd_characters_are_kept,
    a_verdict_holds_only_while_the_policy_does,
);

mod laws {
    use super::*;

    pub(in super::super) fn a_verdict_holds_only_while_the_policy_does(catalogue: &Catalogue) {
        start(catalogue);
        let policy = |text: &str| {
            let mut record = crate::model::Record::new(crate::model::RecordKind::Policy);
            record.text = Some(text.into());
            changes(vec![Change::Recorded { record }])
        };
        let asked = |number| Changeset { policy: Some(number), ..changes(vec![created("other")]) };
        assert_eq!(catalogue.newest_record(crate::model::RecordKind::Policy).unwrap(), None);
        for text in ["first", "second"] {
            let before = catalogue.newest_record(crate::model::RecordKind::Policy).unwrap();
            let number = catalogue.apply(&policy(text)).unwrap().number;
            let found = catalogue.newest_record(crate::model::RecordKind::Policy).unwrap().unwrap();
            assert_eq!((found.number, found.record.text.as_deref()), (number, Some(text)));
            let late = asked(before.map_or(0, |row| row.number));
            let error = catalogue.apply(&late).unwrap_err();
            assert!(
                matches!(error, Error::Moved { ref what, .. } if what == THE_POLICY),
                "{error}"
            );
            assert!(!catalogue.has_dataset(&dataset("other")).unwrap());
        }
        let number = catalogue.journal_head().unwrap().number;
        catalogue.apply(&asked(number)).unwrap();
    }

    fn start(catalogue: &Catalogue) -> VersionId {
        catalogue.apply(&changes(vec![created("corpus")])).unwrap();
        let (id, changeset) = commit("first", None);
        catalogue.apply(&changeset).unwrap();
        id
    }

    fn state(dataset: &str, version: Option<VersionId>, state: &str) -> Change {
        let mut record = Record::new(RecordKind::State);
        record.dataset = Some(dataset.parse().unwrap());
        record.version = version;
        record.name = Some(state.to_owned());
        Change::Recorded { record }
    }

    pub(in super::super) fn a_state_follows_only_where_it_may(catalogue: &Catalogue) {
        let first = start(catalogue);
        for version in [None, Some(first)] {
            let set = |name: &str| catalogue.apply(&changes(vec![state("corpus", version, name)]));
            for wrong in ["active", "archived", "erased"] {
                assert!(matches!(set(wrong), Err(Error::Illegal { .. })), "{wrong}");
            }
            assert!(matches!(set("asleep"), Err(Error::BadRecord { .. })));
            set("deprecated").unwrap();
            set("retired").unwrap();
            assert!(matches!(set("active"), Err(Error::Illegal { .. })));
            set("archived").unwrap();
            set("erased").unwrap();
            for state in State::ALL {
                assert!(set(state.as_str()).is_err(), "{state} after the end");
            }
        }
    }

    pub(in super::super) fn what_is_retired_stands_still(catalogue: &Catalogue) {
        let first = start(catalogue);
        let (_, next) = commit("second", Some(first));
        catalogue.apply(&changes(vec![state("corpus", Some(first), "retired")])).unwrap();
        catalogue.refuse_frozen(&"corpus".parse().unwrap()).unwrap();
        catalogue.apply(&changes(vec![state("corpus", None, "retired")])).unwrap();
        let before = catalogue.all_refs().unwrap();
        assert!(matches!(catalogue.apply(&next), Err(Error::Frozen { .. })));
        assert_eq!(catalogue.all_refs().unwrap(), before);
        // Together with what thaws it, a move is fine.
        let mut thawed = next.clone();
        thawed.changes.insert(0, state("corpus", None, "deprecated"));
        catalogue.apply(&thawed).unwrap();
    }

    pub(in super::super) fn a_version_comes_back_without_parents_that_it_names(
        catalogue: &Catalogue,
    ) {
        let (unknown, _) = commit("never here", None);
        let (id, mut changeset) = commit("child", Some(unknown));
        let restored = |absent: Vec<VersionId>| Change::VersionRestored {
            version: id,
            dataset: "corpus".parse().unwrap(),
            absent,
        };
        catalogue.apply(&changes(vec![created("corpus")])).unwrap();
        changeset.changes = vec![restored(Vec::new())];
        assert!(matches!(catalogue.apply(&changeset), Err(Error::Unknown { .. })));
        changeset.changes = vec![restored(vec![unknown])];
        for _ in 0..2 {
            catalogue.apply(&changeset).unwrap();
            let row = catalogue.version(&id).unwrap().unwrap();
            assert_eq!((row.parents, row.generation), (Vec::new(), 1));
        }
    }

    pub(in super::super) fn a_new_catalogue_is_empty(catalogue: &Catalogue) {
        assert_eq!(catalogue.root().unwrap(), Root { epoch: 0, min_epoch: 0 });
        assert!(catalogue.datasets().unwrap().is_empty());
        assert!(catalogue.all_refs().unwrap().is_empty());
        assert!(catalogue.all_packs().unwrap().is_empty());
        assert!(catalogue.worktrees().unwrap().is_empty());
        assert_eq!(catalogue.journal_head().unwrap().number, 0);
        let report = catalogue.verify_journal().unwrap();
        assert!(report.is_ok() && report.entries == 0);
    }

    pub(in super::super) fn what_is_applied_can_be_read(catalogue: &Catalogue) {
        let first = start(catalogue);
        let (second, mut changeset) = commit("second", Some(first));
        changeset.changes.push(Change::PacksAdded { packs: vec![pack(1), pack(2)] });
        let applied = catalogue.apply(&changeset).unwrap();
        assert_eq!((applied.number, applied.copy_problem), (3, None));
        assert_eq!(catalogue.journal_head().unwrap().hash, applied.hash);

        let row = catalogue.version(&second).unwrap().unwrap();
        assert_eq!((row.parents, row.generation), (vec![first], 2));
        assert_eq!((row.author, row.utc_offset_minutes), (ada(), Some(60)));
        assert_eq!((row.files, row.bytes, row.message.as_str()), (3, 4096, "second"));
        let branch = catalogue.get_ref(&dataset("corpus"), RefKind::Branch, &name("main"));
        assert_eq!(branch.unwrap().unwrap().version, second);
        let view = catalogue.session_view().unwrap();
        assert_eq!(view.live, [pack(1), pack(2)]);
        assert_eq!((view.epoch, view.condemned.len()), (0, 0));

        let log = catalogue.ref_log(&dataset("corpus"), RefKind::Branch, &name("main"), 9).unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!((log[0].old, log[0].new, log[0].number), (Some(first), Some(second), 3));
        assert_eq!(log[0].message.as_deref(), Some("second"));
        let mut logged = catalogue.logged_since(time(0)).unwrap();
        logged.sort_unstable();
        let mut both = vec![first, second];
        both.sort_unstable();
        assert_eq!(logged, both);
        assert!(catalogue.logged_since(time(1)).unwrap().is_empty());
        assert_eq!(catalogue.all_version_ids().unwrap(), both);
        assert_eq!(catalogue.all_versions().unwrap().len(), 2);
        assert_eq!(catalogue.parents(&both).unwrap()[&second], [first]);
    }

    pub(in super::super) fn a_failed_changeset_leaves_nothing(catalogue: &Catalogue) {
        let first = start(catalogue);
        let before = catalogue.dump().unwrap();
        let (_, mut changeset) = commit("second", Some(first));
        changeset.changes.insert(0, created("other"));
        changeset.changes.push(created("corpus"));
        assert!(matches!(catalogue.apply(&changeset), Err(Error::Taken { .. })));
        let unknown = VersionId::of(b"unknown");
        for (wrong, words) in [
            (moved("b", None, Some(unknown)), "no version"),
            (Change::VersionAdded { version: unknown, dataset: None }, "not given"),
            (Change::Imported { origin: "git".into(), pairs: vec![("a".into(), unknown)] }, "no v"),
            (Change::PacksDropped { packs: vec![pack(9).name] }, "no pack"),
            (Change::DatasetRemoved { dataset: dataset("nope") }, "no dataset"),
        ] {
            let error = catalogue.apply(&changes(vec![created("other"), wrong])).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!(catalogue.dump().unwrap(), before);
    }

    pub(in super::super) fn a_reference_moves_only_from_where_it_was_seen(catalogue: &Catalogue) {
        let first = start(catalogue);
        let (second, changeset) = commit("second", Some(first));
        catalogue.apply(&changeset).unwrap();
        let is_lost = |change| {
            let error = catalogue.apply(&changes(vec![change])).unwrap_err();
            assert!(matches!(error, Error::Moved { .. }) && error.is_lost_race(), "{error}");
        };
        is_lost(moved("main", Some(first), Some(second)));
        is_lost(moved("main", None, Some(second)));
        is_lost(moved("main", Some(first), None));
        is_lost(moved("main", None, None));
        is_lost(moved("absent", Some(first), Some(second)));
        catalogue.apply(&changes(vec![moved("main", Some(second), Some(first))])).unwrap();
        catalogue.apply(&changes(vec![moved("main", Some(first), None)])).unwrap();
        assert!(catalogue.all_refs().unwrap().is_empty());
        let log = catalogue.ref_log(&dataset("corpus"), RefKind::Branch, &name("main"), 2).unwrap();
        assert_eq!(log.iter().map(|row| row.new).collect::<Vec<_>>(), [None, Some(first)]);
    }

    pub(in super::super) fn tags_keep_what_they_say(catalogue: &Catalogue) {
        let first = start(catalogue);
        let annotation = Annotation { message: "The first\n".into(), tagger: ada(), time: time(5) };
        let tag = |old, new| Change::RefMoved {
            dataset: dataset("corpus"),
            kind: RefKind::Tag,
            name: name("main"),
            old,
            new,
            annotation: Some(annotation.clone()),
        };
        catalogue.apply(&changes(vec![tag(None, Some(first))])).unwrap();
        let tags = catalogue.refs(&dataset("corpus"), RefKind::Tag).unwrap();
        assert_eq!(tags[0].annotation, Some(annotation.clone()));
        assert_eq!(catalogue.refs(&dataset("corpus"), RefKind::Branch).unwrap().len(), 1);
        catalogue.apply(&changes(vec![tag(Some(first), None)])).unwrap();
        assert!(catalogue.refs(&dataset("corpus"), RefKind::Tag).unwrap().is_empty());
    }

    pub(in super::super) fn a_session_that_is_too_old_cannot_commit(catalogue: &Catalogue) {
        let first = start(catalogue);
        let condemn = Change::PacksCondemned { packs: vec![], epoch: 1 };
        catalogue.apply(&changes(vec![condemn])).unwrap();
        let (second, mut changeset) = commit("second", Some(first));
        changeset.session_epoch = Some(0);
        catalogue.apply(&changeset).expect("no fence yet");
        catalogue.apply(&changes(vec![Change::Fenced { epoch: 1 }])).unwrap();
        let (_, mut changeset) = commit("third", Some(second));
        changeset.session_epoch = Some(0);
        let error = catalogue.apply(&changeset).unwrap_err();
        assert!(matches!(error, Error::Fenced { session: 0, least: 1 }));
        changeset.session_epoch = Some(1);
        catalogue.apply(&changeset).unwrap();
    }

    pub(in super::super) fn packs_go_the_way_of_the_protocol(catalogue: &Catalogue) {
        let names = |packs: &[u8]| packs.iter().map(|&seed| pack(seed).name).collect::<Vec<_>>();
        let apply = |change| catalogue.apply(&changes(vec![change]));
        apply(Change::PacksAdded { packs: (1..=6).map(pack).collect() }).unwrap();
        apply(Change::PacksCondemned { packs: names(&[1, 2]), epoch: 1 }).unwrap();
        let view = catalogue.session_view().unwrap();
        assert_eq!((view.epoch, view.live.len(), view.condemned.len()), (1, 4, 2));
        apply(Change::Fenced { epoch: 1 }).unwrap();
        apply(Change::PacksSpared { packs: names(&[1]), epoch: 1 }).unwrap();
        apply(Change::PacksTombstoned { packs: names(&[2]), epoch: 1 }).unwrap();
        apply(Change::PacksMerged { added: vec![pack(7)], removed: names(&[3, 4]) }).unwrap();
        apply(Change::PacksDropped { packs: names(&[2, 3]) }).unwrap();
        apply(Change::PacksDropped { packs: names(&[2, 3]) }).expect("twice is as once");
        let dead = catalogue.packs(PackState::Tombstone).unwrap();
        let dropped: Vec<bool> = dead.iter().map(|row| row.dropped).collect();
        assert_eq!(dropped, [true, true, false]);
        assert_eq!(catalogue.packs(PackState::Live).unwrap().len(), 4);
        let again = apply(Change::PacksAdded { packs: vec![pack(2)] });
        assert!(matches!(again, Err(Error::Taken { .. })), "a name is never used again");
        for wrong in [
            Change::PacksSpared { packs: names(&[2]), epoch: 1 },
            Change::PacksDropped { packs: names(&[5]) },
            Change::PacksMerged { added: vec![], removed: names(&[2]) },
            Change::PacksCondemned { packs: names(&[2]), epoch: 2 },
            Change::PacksCondemned { packs: names(&[5]), epoch: 1 },
            Change::PacksCondemned { packs: names(&[5]), epoch: 3 },
            Change::Fenced { epoch: 2 },
        ] {
            let result = apply(wrong.clone());
            assert!(matches!(result, Err(Error::Moved { .. })), "{wrong:?}: {result:?}");
        }
    }

    pub(in super::super) fn a_tombstone_needs_a_fence_and_its_own_condemnation(
        catalogue: &Catalogue,
    ) {
        let one = vec![pack(1).name];
        let apply = |change| catalogue.apply(&changes(vec![change]));
        apply(Change::PacksAdded { packs: vec![pack(1)] }).unwrap();
        apply(Change::PacksCondemned { packs: one.clone(), epoch: 1 }).unwrap();
        let early = apply(Change::PacksTombstoned { packs: one.clone(), epoch: 1 });
        assert!(matches!(early, Err(Error::NotFenced { epoch: 1, least: 0 })));
        apply(Change::Fenced { epoch: 1 }).unwrap();
        apply(Change::PacksSpared { packs: one.clone(), epoch: 1 }).unwrap();
        apply(Change::PacksCondemned { packs: one.clone(), epoch: 2 }).unwrap();
        apply(Change::Fenced { epoch: 2 }).unwrap();
        let other = apply(Change::PacksTombstoned { packs: one.clone(), epoch: 1 });
        assert!(matches!(other, Err(Error::Moved { .. })), "it was another collector's mark");
        apply(Change::Fenced { epoch: 1 }).unwrap();
        assert_eq!(catalogue.root().unwrap().min_epoch, 2, "a fence never goes back");
        apply(Change::PacksTombstoned { packs: one, epoch: 2 }).unwrap();
    }

    pub(in super::super) fn a_worktree_changes_only_from_the_state_that_was_seen(
        catalogue: &Catalogue,
    ) {
        let first = start(catalogue);
        let id = WorktreeId::random().unwrap();
        let change = |old: Option<&WorktreeState>, new: Option<&WorktreeState>| {
            let change =
                Change::WorktreeChanged { id: id.clone(), old: old.cloned(), new: new.cloned() };
            catalogue.apply(&changes(vec![change]))
        };
        let one = worktree_state("main", "one");
        let mut two = worktree_state("main", "two");
        two.operation = Some(serde_json::json!({"merge": {"conflicts": ["a", 1.0]}}));
        let mut three = two.clone();
        three.head = Head::Detached { version: first };
        change(None, Some(&one)).unwrap();
        assert!(matches!(change(None, Some(&two)), Err(Error::Moved { .. })));
        change(Some(&one), Some(&two)).unwrap();
        assert!(matches!(change(Some(&one), Some(&two)), Err(Error::Moved { .. })));
        change(Some(&two), Some(&three)).unwrap();
        let row = catalogue.worktree(&id).unwrap().unwrap();
        assert_eq!((&row.state.head, row.generation), (&three.head, 3));
        assert_eq!(catalogue.worktrees().unwrap(), std::slice::from_ref(&row));
        change(Some(&row.state), None).unwrap();
        assert_eq!(catalogue.worktree(&id).unwrap(), None);
        assert!(matches!(change(Some(&three), None), Err(Error::Moved { .. })));
        let mut lost = one.clone();
        lost.dataset = dataset("nope");
        assert!(matches!(change(None, Some(&lost)), Err(Error::Unknown { .. })));
        lost = one;
        lost.head = Head::Detached { version: VersionId::of(b"unknown") };
        assert!(matches!(change(None, Some(&lost)), Err(Error::Unknown { .. })));
    }

    pub(in super::super) fn versions_in_use_are_not_forgotten(catalogue: &Catalogue) {
        let first = start(catalogue);
        let (second, changeset) = commit("second", Some(first));
        catalogue.apply(&changeset).unwrap();
        let forget = |versions: &[VersionId]| {
            let change = Change::VersionsForgotten { versions: versions.to_vec() };
            catalogue.apply(&changes(vec![change]))
        };
        assert!(matches!(forget(&[second]), Err(Error::InUse { .. })), "a branch names it");
        catalogue.apply(&changes(vec![moved("main", Some(second), None)])).unwrap();
        assert!(matches!(forget(&[first]), Err(Error::InUse { .. })), "a child names it");
        forget(&[first, second]).unwrap();
        assert!(catalogue.all_version_ids().unwrap().is_empty());
        assert!(!catalogue.has_version(&first).unwrap());
        forget(&[first]).expect("twice is as once");
    }

    pub(in super::super) fn a_dataset_in_use_is_not_removed(catalogue: &Catalogue) {
        let first = start(catalogue);
        let remove = || {
            let change = Change::DatasetRemoved { dataset: dataset("corpus") };
            catalogue.apply(&changes(vec![change]))
        };
        assert!(matches!(remove(), Err(Error::InUse { .. })));
        catalogue.apply(&changes(vec![moved("main", Some(first), None)])).unwrap();
        remove().unwrap();
        assert!(catalogue.datasets().unwrap().is_empty());
        assert!(catalogue.has_version(&first).unwrap());
    }

    pub(in super::super) fn prefixes_find_versions(catalogue: &Catalogue) {
        let first = start(catalogue);
        let hex = first.to_hex();
        assert_eq!(catalogue.versions_by_prefix(&hex[..4], 3).unwrap(), [first]);
        assert_eq!(catalogue.versions_by_prefix(&hex, 3).unwrap(), [first]);
        assert_eq!(catalogue.versions_by_prefix("", 3).unwrap(), [first]);
        assert!(catalogue.versions_by_prefix("", 0).unwrap().is_empty());
        for wrong in ["%", "g", "F", "' OR 1=1", &format!("{hex}0")] {
            assert!(catalogue.versions_by_prefix(wrong, 3).unwrap().is_empty(), "{wrong}");
        }
    }

    pub(in super::super) fn imports_are_remembered(catalogue: &Catalogue) {
        let first = start(catalogue);
        let import = |pairs: &[&str]| {
            let pairs = pairs.iter().map(|&id| (id.to_owned(), first)).collect();
            let change = Change::Imported { origin: "git:/r".into(), pairs };
            catalogue.apply(&changes(vec![change])).unwrap();
        };
        import(&["a", "b"]);
        import(&["b", "c"]);
        assert_eq!(catalogue.imported("git:/r").unwrap().len(), 3);
        assert!(catalogue.imported("git:/other").unwrap().is_empty());
    }

    pub(in super::super) fn adding_a_version_twice_is_as_once(catalogue: &Catalogue) {
        let first = start(catalogue);
        let (id, record) = version("first", &[]);
        assert_eq!(id, first);
        let mut again = changes(vec![Change::VersionAdded { version: id, dataset: None }]);
        again.versions.push((id, record));
        catalogue.apply(&again).unwrap();
        assert_eq!(catalogue.all_version_ids().unwrap(), [first]);
    }

    pub(in super::super) fn quotes_and_odd_characters_are_kept(catalogue: &Catalogue) {
        let odd = "'; DROP TABLE journal; -- \"`\\ \u{7f}\u{1}\n\t🚀 数据 $1 ?1 %_";
        start(catalogue);
        let mut state = worktree_state("main", odd);
        state.path = odd.into();
        state.operation = Some(serde_json::json!({ odd: odd }));
        let id = WorktreeId::random().unwrap();
        let mut changeset = changes(vec![Change::WorktreeChanged {
            id: id.clone(),
            old: None,
            new: Some(state.clone()),
        }]);
        changeset.actor = Author { name: odd.into(), email: odd.into() };
        changeset.action = odd.into();
        changeset.subject = odd.into();
        changeset.message = Some(odd.into());
        catalogue.apply(&changeset).unwrap();
        assert_eq!(catalogue.worktree(&id).unwrap().unwrap().state, state);
        let entry = catalogue.journal_before(u64::MAX, 1).unwrap().remove(0);
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), (odd, odd));
        assert_eq!(entry.message().unwrap().as_deref(), Some(odd));
        assert!(catalogue.verify_journal().unwrap().is_ok());
    }
}
