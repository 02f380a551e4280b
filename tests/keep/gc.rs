//! `gc`: what is needed stays, what is not goes, whoever else is at work and whenever it is killed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use stemmata::catalogue::Catalogue;

use crate::place::{Place, noise, overwrite, stem};

fn bytes_on_disk(place: &Place) -> u64 {
    place.packs().iter().map(|pack| pack.metadata().unwrap().len()).sum()
}

/// Whether any pack holds these bytes, which do not compress.
fn is_stored(place: &Place, bytes: &[u8]) -> bool {
    place
        .packs()
        .iter()
        .any(|pack| std::fs::read(pack).unwrap().windows(64).any(|window| window == &bytes[..64]))
}

fn cat(place: &Place, what: &str) -> Vec<u8> {
    let output = place.run(&["cat", what]);
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `main` with one file, and a branch with one more that is deleted again.
fn with_a_deleted_branch() -> (Place, String) {
    let place = Place::new();
    place.write("shared.bin", &noise(1, 5000));
    place.commit("shared");
    place.ok(&["switch", "-b", "side"]);
    place.write("side.bin", &noise(2, 3000));
    let side = place.commit("side");
    place.ok(&["switch", "main"]);
    place.ok(&["branch", "-D", "side"]);
    (place, side)
}

#[test]
fn a_deleted_branch_takes_its_own_bytes_along_and_leaves_the_shared_ones() {
    let (place, side) = with_a_deleted_branch();
    let before = bytes_on_disk(&place);
    let (exit, data) = place.json(&["gc", "--grace", "0s", "-y"]);
    assert_eq!(exit, 0, "{data:#}");
    assert_eq!(data["removed"]["chunks"], 1, "{data:#}");
    assert_eq!(data["kept"]["chunks"], 1);
    assert_eq!(data["dry_run"], false);
    assert_eq!(data["forgotten"], serde_json::json!([side]));
    assert_eq!(data["kept"]["bytes"], bytes_on_disk(&place));
    assert_eq!(data["removed"]["bytes"], before - bytes_on_disk(&place));
    assert!(!is_stored(&place, &noise(2, 3000)) && is_stored(&place, &noise(1, 5000)));
    assert_eq!(cat(&place, "main:shared.bin"), noise(1, 5000));
    assert_eq!(place.run(&["show", &side]).status.code(), Some(10));
    place.assert_sound();
    let (_, again) = place.json(&["gc", "--grace", "0s", "-y"]);
    assert_eq!(again["removed"], serde_json::json!({"chunks": 0, "bytes": 0, "packs": 0}));
}

#[test]
fn the_grace_keeps_what_was_let_go_of_a_moment_ago() {
    let (place, side) = with_a_deleted_branch();
    let (_, data) = place.json(&["gc", "-y"]);
    assert_eq!(data["removed"]["chunks"], 0, "{data:#}");
    assert_eq!(cat(&place, &format!("{side}:side.bin")), noise(2, 3000));
    let mut later = stem(&place.work(), &["gc", "-y", "--grace", "12h", "--json"]);
    later.env("SOURCE_DATE_EPOCH", (1_795_443_000 + 13 * 3600).to_string());
    let output = later.output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["data"]["removed"]["chunks"], 1, "{document:#}");
    place.assert_sound();
}

#[test]
fn without_yes_nothing_changes() {
    let (place, _) = with_a_deleted_branch();
    let dump = || Catalogue::open(&place.store().join("catalogue.db")).unwrap().dump().unwrap();
    let (packs, catalogue) = (place.packs(), dump());
    for flags in [&["gc", "--grace", "0s"][..], &["gc", "--grace", "0s", "-n", "-y"]] {
        let (exit, data) = place.json(flags);
        assert_eq!((exit, &data["dry_run"]), (0, &true.into()));
        assert_eq!(data["removed"]["chunks"], 1, "{data:#}");
        assert!(data["removed"]["bytes"].as_u64().unwrap() > 3000);
        assert_eq!((place.packs(), dump()), (packs.clone(), catalogue.clone()));
    }
    let output = place.run(&["gc", "--grace", "0s"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
    assert_eq!(place.run(&["gc", "--grace", "soon"]).status.code(), Some(2));
}

#[test]
fn what_is_only_staged_stays_until_it_is_staged_no_more() {
    let place = Place::new();
    place.write("first.bin", &noise(1, 500));
    place.commit("first");
    place.write("staged.bin", &noise(2, 500));
    place.ok(&["add", "staged.bin"]);
    place.ok(&["gc", "--grace", "0s", "-y"]);
    place.assert_sound();
    std::fs::remove_file(place.work().join("staged.bin")).unwrap();
    place.ok(&["restore", "staged.bin"]);
    assert_eq!(std::fs::read(place.work().join("staged.bin")).unwrap(), noise(2, 500));
    place.ok(&["rm", "--cached", "staged.bin"]);
    place.ok(&["gc", "--grace", "0s", "-y"]);
    assert!(!is_stored(&place, &noise(2, 500)));
    place.assert_sound();
}

#[test]
fn a_detached_head_a_tag_and_other_worktrees_keep_what_they_need() {
    let (place, side) = with_a_deleted_branch();
    place.ok(&["tag", "keep", &side]);
    let other = place.directory.path().join("other");
    let store = place.store();
    let attach = ["init", other.to_str().unwrap(), "--store", store.to_str().unwrap()];
    place.ok(&[&attach[..], &["--dataset", "second"]].concat());
    std::fs::copy(place.work().join("shared.bin"), other.join("copy.bin")).unwrap();
    crate::place::overwrite(&other.join("own.bin"), &noise(3, 700));
    assert!(stem(&other, &["add", "."]).status().unwrap().success());
    place.ok(&["gc", "--grace", "0s", "-y"]);
    assert!(is_stored(&place, &noise(2, 3000)) && is_stored(&place, &noise(3, 700)));
    place.ok(&["switch", &side]);
    place.ok(&["tag", "-d", "keep"]);
    place.ok(&["gc", "--grace", "0s", "-y"]);
    assert_eq!(cat(&place, "HEAD:side.bin"), noise(2, 3000));
    place.ok(&["switch", "main"]);
    place.ok(&["gc", "--grace", "0s", "-y"]);
    assert!(!is_stored(&place, &noise(2, 3000)) && is_stored(&place, &noise(3, 700)));
    place.assert_sound();
}

#[test]
fn nothing_goes_while_a_listing_cannot_be_followed() {
    let (place, _) = with_a_deleted_branch();
    let bad = place.packs().into_iter().find(|pack| {
        let bytes = std::fs::read(pack).unwrap();
        !bytes.windows(64).any(|window| window == &noise(1, 64)[..])
            && !bytes.windows(64).any(|window| window == &noise(2, 64)[..])
    });
    let bad = bad.unwrap();
    let whole = std::fs::read(&bad).unwrap();
    std::fs::remove_file(&bad).unwrap();
    let left = place.packs();
    assert_eq!(place.run(&["gc", "--grace", "0s", "-y"]).status.code(), Some(13));
    assert_eq!(place.packs(), left);
    crate::place::overwrite(&bad, &whole);
    place.ok(&["gc", "--grace", "0s", "-y"]);
    place.assert_sound();
}

#[test]
fn what_killed_commands_left_goes_and_foreign_files_stay() {
    let place = Place::new();
    place.write("a.bin", &noise(1, 500));
    place.commit("first");
    let packs = place.packs();
    crate::place::overwrite(&place.store().join("tmp/0-0123456789abcdef0123456789abcdef"), b"x");
    let foreign = place.store().join("packs/0123456789abcdef0123456789abcdef");
    crate::place::overwrite(&foreign, b"not a pack of ours");
    let (_, data) = place.json(&["gc", "-y"]);
    assert_eq!(data["leftovers"], 1, "{data:#}");
    assert_eq!(std::fs::read_dir(place.store().join("tmp")).unwrap().count(), 0);
    assert!(foreign.exists());
    std::fs::remove_file(foreign).unwrap();
    assert_eq!(place.packs(), packs);
    place.assert_sound();
}

/// Adds, commits and now and then lets a branch go, as often as it is told to.
fn write_versions(directory: &Path, seed: u64, rounds: u64) -> Vec<(String, Vec<u8>)> {
    let mut kept = Vec::new();
    let run = |arguments: &[&str]| {
        for _ in 0..60 {
            let output = stem(directory, arguments).output().unwrap();
            match output.status.code() {
                Some(0) => return String::from_utf8(output.stdout).unwrap(),
                // Another command was faster: try again, as the program says.
                Some(11) => std::thread::sleep(Duration::from_millis(20)),
                code => {
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    panic!("{arguments:?} ended with {code:?}: {text}");
                }
            }
        }
        panic!("{arguments:?} never got through");
    };
    for round in 0..rounds {
        // The same content comes again after it was let go of, and so may be condemned by then.
        let bytes = noise(seed + round % 3, 4000);
        crate::place::overwrite(&directory.join("file.bin"), &bytes);
        crate::place::overwrite(&directory.join("round.txt"), format!("{seed} {round}").as_bytes());
        if round % 2 == 0 {
            run(&["switch", "-b", "passing"]);
        }
        run(&["add", "."]);
        let answer = run(&["commit", "-m", "round", "--json"]);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let version = answer["data"]["version"].as_str().unwrap().to_owned();
        if round % 2 == 0 {
            run(&["switch", "main"]);
            run(&["branch", "-D", "passing"]);
        } else {
            kept.push((version, bytes));
        }
    }
    kept
}

#[test]
fn collecting_beside_writers_loses_nothing() {
    let place = Place::new();
    place.write("base.bin", &noise(99, 1000));
    place.commit("base");
    let store = place.store();
    let others: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let directory = place.directory.path().join(name);
            let attach = ["init", directory.to_str().unwrap(), "--store", store.to_str().unwrap()];
            place.ok(&[&attach[..], &["--dataset", name]].concat());
            crate::place::overwrite(&directory.join("base.bin"), &noise(99, 1000));
            assert!(stem(&directory, &["add", "."]).status().unwrap().success());
            assert!(stem(&directory, &["commit", "-m", "base"]).status().unwrap().success());
            directory
        })
        .collect();
    let stop = AtomicBool::new(false);
    let (kept, collected) = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collected = 0;
            while !stop.load(Relaxed) {
                let output = place.run(&["gc", "--grace", "0s", "-y", "--json"]);
                let code = output.status.code();
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(matches!(code, Some(0 | 11)), "{code:?}: {text}");
                if code == Some(0) {
                    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                    collected += answer["data"]["removed"]["packs"].as_u64().unwrap();
                }
            }
            collected
        });
        let writers: Vec<_> = others
            .iter()
            // Both write the same contents, so each may find the other's in the store.
            .map(|directory| scope.spawn(move || write_versions(directory, 10, 12)))
            .collect();
        let kept: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        stop.store(true, Relaxed);
        (kept, collector.join().unwrap())
    });
    for (directory, kept) in others.iter().zip(kept) {
        for (version, bytes) in kept.unwrap() {
            let name = format!("{version}:file.bin");
            let output = stem(directory, &["cat", &name]).output().unwrap();
            assert!(output.stdout == bytes, "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(collected > 0, "the collector never met anything to collect");
    place.assert_sound();
    place.ok(&["gc", "--grace", "0s", "-y"]);
    place.assert_sound();
}

#[test]
fn a_collector_killed_at_any_moment_is_finished_by_the_next() {
    let mut interrupted = 0;
    for round in 0..12 {
        let (place, _) = with_a_deleted_branch();
        place.write("mixed.bin", &noise(4, 2000));
        place.commit("more");
        let mut child = stem(&place.work(), &["gc", "--grace", "0s", "-y", "-q"]);
        let mut child = child.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + 4 * round));
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());
        place.assert_sound();
        place.ok(&["gc", "--grace", "0s", "-y"]);
        assert!(!is_stored(&place, &noise(2, 3000)), "round {round}");
        assert_eq!(cat(&place, "main:shared.bin"), noise(1, 5000));
        assert_eq!(cat(&place, "main:mixed.bin"), noise(4, 2000));
        place.assert_sound();
        let (_, data) = place.json(&["fsck"]);
        assert_eq!(data["strangers"], serde_json::json!([]), "round {round}");
        let rows = Catalogue::open(&place.store().join("catalogue.db")).unwrap();
        let condemned = rows.packs(stemmata::catalogue::PackState::Condemned).unwrap();
        assert!(condemned.is_empty(), "round {round}");
    }
    assert!(interrupted > 2, "only {interrupted} were killed in time");
}

/// A second worktree of the same store, with something staged that nobody else has.
fn second_worktree(place: &Place) -> std::path::PathBuf {
    let other = place.directory.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let store = place.store().to_str().unwrap().to_owned();
    let must = |arguments: &[&str]| {
        let output = stem(&other, arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    must(&["init", "--store", &store, "--dataset", "second"]);
    overwrite(&other.join("staged.bin"), &noise(9, 3000));
    must(&["add", "staged.bin"]);
    other
}

#[test]
fn a_worktree_that_was_removed_keeps_what_it_staged_until_it_is_forgotten() {
    let place = Place::new();
    place.write("a.bin", &noise(1, 100));
    place.commit("first");
    let other = second_worktree(&place);
    let shown = other.to_str().unwrap();
    let gc = |more: &[&str]| place.json(&[&["gc", "--grace", "0s"], more].concat());
    let (_, data) = gc(&[]);
    assert_eq!(data["lost_worktrees"], serde_json::json!([]));
    let refused = place.run(&["gc", "--forget", shown, "-y"]);
    assert_eq!(refused.status.code(), Some(2), "it is there");
    std::fs::remove_dir_all(&other).unwrap();
    let (exit, data) = gc(&["-y"]);
    assert_eq!((exit, &data["lost_worktrees"]), (0, &serde_json::json!([shown])));
    assert!(is_stored(&place, &noise(9, 3000)));
    assert_eq!(place.run(&["gc", "--forget", "nowhere"]).status.code(), Some(10));
    let (_, data) = gc(&["--forget", "../other", "-n", "-y"]);
    assert_eq!(data["forgotten_worktrees"], serde_json::json!([shown]));
    assert!(place.ok(&["doctor"]).contains("gc --forget"), "nothing was done");
    let (exit, data) = gc(&["--forget", "../other", "-y"]);
    assert_eq!((exit, &data["forgotten_worktrees"]), (0, &serde_json::json!([shown])));
    assert_eq!(data["lost_worktrees"], serde_json::json!([]));
    assert!(!is_stored(&place, &noise(9, 3000)));
    assert!(place.ok(&["doctor"]).contains("all there"));
    place.ok(&["fsck", "--rebuild"]);
    place.ok(&["audit", "verify"]);
    place.assert_sound();
}

#[test]
fn a_worktree_that_was_moved_says_where_it_lies_as_soon_as_it_is_used() {
    let place = Place::new();
    let other = second_worktree(&place);
    let moved = place.directory.path().join("moved");
    std::fs::rename(&other, &moved).unwrap();
    let lost = || place.json(&["gc"]).1["lost_worktrees"].as_array().unwrap().len();
    assert_eq!(lost(), 1);
    let commit = stem(&moved, &["commit", "-m", "from elsewhere"]).output().unwrap();
    assert!(commit.status.success(), "{}", String::from_utf8_lossy(&commit.stderr));
    assert_eq!(lost(), 0);
    // Another worktree where it lay is not this one.
    let undone = stem(&moved, &["undo"]).output().unwrap();
    assert!(undone.status.success(), "{}", String::from_utf8_lossy(&undone.stderr));
    assert_eq!(lost(), 0, "going back is no move");
}

/// Commits so many packs of different lengths that a table over many packs is made, and leaves its
/// rows as a power cut may: their blocks were never written.
fn with_an_empty_table(place: &Place) {
    for (tier, len) in [20_000, 200_000, 1_500_000].into_iter().enumerate() {
        for number in 0..7 {
            let seed = 100 + tier as u64 * 10 + number;
            place.write(&format!("{tier}/{number}.bin"), &noise(seed, len));
            place.commit("more");
        }
    }
    place.ok(&["gc", "-y"]);
    let tables: Vec<_> = std::fs::read_dir(place.store().join("index")).unwrap().collect();
    assert!(!tables.is_empty(), "{} packs", place.packs().len());
    for table in tables {
        let path = table.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let packs = u32::from_le_bytes(*bytes[16..].first_chunk().unwrap()) as usize;
        let rows_at = 64 + packs * 16 + (8 << bytes[10]);
        bytes[rows_at..].fill(0);
        overwrite(&path, &bytes);
    }
}

#[test]
fn a_table_over_many_packs_that_lost_its_rows_takes_nothing_along() {
    let place = Place::new();
    with_an_empty_table(&place);
    let all_there = || {
        for (tier, len) in [20_000, 200_000, 1_500_000].into_iter().enumerate() {
            for number in 0..7 {
                let bytes = noise(100 + tier as u64 * 10 + number, len);
                assert!(
                    cat(&place, &format!("main:{tier}/{number}.bin")) == bytes,
                    "{tier}/{number}"
                );
            }
        }
    };
    all_there();
    place.ok(&["gc", "--grace", "0s", "-y"]);
    all_there();
    place.assert_sound();
}
