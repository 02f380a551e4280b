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

/// Each of the two is right alone; together they would say that a version was made from itself.
#[test]
fn records_at_once_never_close_a_circle() {
    let place = place();
    place.catalogue.apply(&changes(vec![created("corpus")])).unwrap();
    let path = place.path();
    for round in 0..8 {
        let mut first = changes(Vec::new());
        let mut ids = Vec::new();
        for which in ["one", "two"] {
            let (id, record) = version(&format!("{which} {round}"), &[]);
            first.changes.push(Change::VersionAdded { version: id, dataset: None });
            first.versions.push((id, record));
            ids.push(id);
        }
        place.catalogue.apply(&first).unwrap();
        let before = place.catalogue.dump().unwrap();
        let barrier = Barrier::new(2);
        let tell = |made: VersionId, from: VersionId, kind: RecordKind| {
            let from = format!("corpus@{from}");
            let body = match kind {
                RecordKind::Step => serde_json::json!({"name": "s", "inputs": [from]}),
                _ => serde_json::json!({"from": from, "how": "by hand"}),
            };
            let mut record = Record::new(kind);
            (record.version, record.body) = (Some(made), body.as_object().unwrap().clone());
            let catalogue = Catalogue::open(&path).unwrap();
            barrier.wait();
            catalogue.apply(&changes(vec![Change::Recorded { record }]))
        };
        let [one, two] = ids[..] else { panic!("two") };
        let kind = if round % 2 == 0 { RecordKind::Derivation } else { RecordKind::Step };
        let results = thread::scope(|scope| {
            let here = scope.spawn(|| tell(one, two, RecordKind::Step));
            let there = scope.spawn(|| tell(two, one, kind));
            [here.join().unwrap(), there.join().unwrap()]
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            let Error::Cycle { cycle } = error else { panic!("{error}") };
            assert!(cycle.len() == 3 && cycle[0] == cycle[2] && cycle[0] != cycle[1], "{cycle:?}");
        }
        assert_ne!(place.catalogue.dump().unwrap(), before);
    }
    assert!(place.catalogue.verify_journal().unwrap().is_ok());
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

/// What [`processes_race_as_threads_do`] runs in other processes; without its variable, nothing.
#[test]
fn one_racing_process() {
    let Some(path) = std::env::var_os("STEM_TEST_RACE_AT") else { return };
    let catalogue = Catalogue::open(std::path::Path::new(&path)).unwrap();
    let main = catalogue.get_ref(&dataset("corpus"), RefKind::Branch, &name("main"));
    let seen = main.unwrap().unwrap().version;
    let target = catalogue.all_version_ids().unwrap().into_iter().find(|id| *id != seen).unwrap();
    let gone = path.to_string_lossy().into_owned() + ".go";
    while !std::path::Path::new(&gone).exists() {
        thread::sleep(std::time::Duration::from_millis(1));
    }
    // Everyone moves `race` from none, so whoever comes second must lose.
    let result = catalogue.apply(&changes(vec![moved("race", None, Some(target))]));
    let code = match result {
        Ok(_) => 40,
        Err(Error::Moved { .. }) => 41,
        Err(_) => 42,
    };
    drop(catalogue);
    std::process::exit(code);
}

#[test]
fn processes_race_as_threads_do() {
    let (place, _) = with_versions(2);
    let path = place.path();
    let children: Vec<_> = (0..4)
        .map(|_| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "catalogue::tests::race::one_racing_process"])
                .env("STEM_TEST_RACE_AT", &path)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    thread::sleep(std::time::Duration::from_millis(200));
    std::fs::create_dir(path.with_file_name("catalogue.db.go")).unwrap();
    let mut codes: Vec<_> =
        children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [40, 41, 41, 41]);
    assert!(place.catalogue.verify_journal().unwrap().is_ok());
}

#[test]
fn a_writer_waits_for_another_programs_transaction() {
    let (place, ids) = with_versions(1);
    let path = place.path();
    let held = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let catalogue = Catalogue::open(&path).unwrap();
            let hold = catalogue.write(async |_| {
                held.wait();
                thread::sleep(std::time::Duration::from_millis(300));
                Ok(())
            });
            hold.unwrap();
        });
        held.wait();
        let begun = std::time::Instant::now();
        assert_eq!(place.catalogue.all_versions().unwrap().len(), 1, "readers do not wait");
        let (_, changeset) = commit("second", ids.last().copied());
        place.catalogue.apply(&changeset).unwrap();
        assert!(begun.elapsed() >= std::time::Duration::from_millis(200));
    });
}
