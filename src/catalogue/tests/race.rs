//! Several writers at once, each through a connection of its own.

use std::sync::Barrier;
use std::thread;

use super::*;

#[test]
fn of_writers_who_race_for_a_branch_exactly_one_wins() {
    let (place, ids) = with_versions(1);
    let path = place.path();
    for round in 0..8 {
        let seen = place.catalogue.get_ref(&dataset("corpus"), RefKind::Branch, &name("main"));
        let seen = seen.unwrap().unwrap().version;
        let barrier = Barrier::new(4);
        let race = |writer: usize| {
            let catalogue = Catalogue::open(&path).unwrap();
            let (_, changeset) = commit(&format!("{round} {writer}"), Some(seen));
            barrier.wait();
            catalogue.apply(&changeset)
        };
        let results: Vec<Result<Applied>> = thread::scope(|scope| {
            let race = &race;
            let threads: Vec<_> = (0..4).map(|writer| scope.spawn(move || race(writer))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for result in results {
            match result {
                Ok(applied) => assert_eq!(applied.copy_problem, None),
                Err(error) => assert!(error.is_lost_race(), "{error}"),
            }
        }
    }
    assert_eq!(place.catalogue.all_versions().unwrap().len(), ids.len() + 8);
    assert_eq!(place.catalogue.verify_journal().unwrap().entries, 2 + 8);
    let copy = read_copy(&place.catalogue.journal_copy_path()).unwrap();
    assert_eq!(copy, place.catalogue.journal(1, 99, 99).unwrap());
}

#[test]
fn writers_of_different_things_all_win_and_the_journal_has_one_order() {
    let (place, ids) = with_versions(1);
    let path = place.path();
    thread::scope(|scope| {
        for writer in 0..4 {
            let (path, first) = (&path, ids[0]);
            scope.spawn(move || {
                let catalogue = Catalogue::open(path).unwrap();
                for at in 0..10 {
                    let change = moved(&format!("b{writer}-{at}"), None, Some(first));
                    catalogue.apply(&changes(vec![change])).unwrap();
                }
            });
        }
    });
    let report = place.catalogue.verify_journal().unwrap();
    assert!(report.is_ok());
    assert_eq!(report.entries, 2 + 40);
    let copy = read_copy(&place.catalogue.journal_copy_path()).unwrap();
    assert_eq!(copy.len(), 42);
}

#[test]
fn threads_share_one_catalogue() {
    let (place, ids) = with_versions(3);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(place.catalogue.all_versions().unwrap().len(), ids.len());
                    assert!(place.catalogue.session_view().unwrap().live.is_empty());
                }
            });
        }
    });
}
