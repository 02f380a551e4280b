//! Holds, states and dates: what they forbid stays forbidden, whatever verb is tried.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::disallowed_methods, reason = "it leaves a file as a killed command would")]

#[allow(dead_code, reason = "shared with tests/keep")]
#[path = "keep/place.rs"]
mod place;

use place::{Place, noise};
use serde_json::Value;

/// `main` with one file, and a branch with one more that is deleted again.
fn with_a_deleted_branch() -> (Place, String) {
    let place = Place::new();
    place.write("shared.bin", &noise(1, 5000));
    place.commit("shared");
    place.ok(&["switch", "-b", "side"]);
    place.write("side.bin", &noise(2, 3000));
    let side = place.commit("side");
    place.ok(&["switch", "main"]);
    (place, side)
}

fn hold(place: &Place, target: &str) -> String {
    let arguments = ["hold", "place", target, "--case", "2026-17", "--reason", "claim"];
    let (exit, data) = place.json(&arguments);
    assert_eq!(exit, 0, "{target}");
    data["hold"]["id"].as_str().unwrap().to_owned()
}

/// Whatever is held (the version, its dataset, a path in it, a content), `gc` keeps it when nothing
/// names it any more, and lets it go once the hold is released.
#[test]
fn gc_keeps_what_is_held_however_it_is_held() {
    let file = blake3_of(&noise(2, 3000));
    for target in ["work@side", "work", "work:side.bin", "work@side:*.bin", file.as_str()] {
        let (place, side) = with_a_deleted_branch();
        let id = hold(&place, target);
        place.ok(&["branch", "-D", "side"]);
        place.ok(&["gc", "--grace", "0s", "-y"]);
        let kept = place.run(&["cat", &format!("{side}:side.bin")]);
        assert!(kept.status.success(), "{target}: {}", String::from_utf8_lossy(&kept.stderr));
        assert_eq!(kept.stdout, noise(2, 3000));
        place.assert_sound();
        place.ok(&["fsck", "--rebuild"]);
        place.ok(&["gc", "--grace", "0s", "-y"]);
        assert!(place.run(&["cat", &format!("{side}:side.bin")]).status.success(), "{target}");
        place.ok(&["hold", "release", &id, "--reason", "settled"]);
        let (_, data) = place.json(&["gc", "--grace", "0s", "-y"]);
        assert_eq!(data["forgotten"], serde_json::json!([side]), "{target}");
        place.assert_sound();
    }
}

/// As `b3sum` prints it.
fn blake3_of(bytes: &[u8]) -> String {
    stemmata::model::FileId::of(bytes).to_hex()
}

#[test]
fn a_retired_dataset_moves_for_no_verb_and_loses_nothing() {
    let (place, _) = with_a_deleted_branch();
    place.ok(&["tag", "v1"]);
    place.ok(&["state", "set", "work", "retired", "--reason", "over"]);
    let refs = |place: &Place| (place.ok(&["branch"]), place.ok(&["tag"]));
    let before = refs(&place);
    let log = place.ok(&["audit", "log", "--json"]);
    place.write("shared.bin", b"not saved");
    for arguments in [
        &["commit", "-a", "-m", "more"][..],
        &["tag", "v2"],
        &["tag", "-d", "v1"],
        &["tag", "-f", "v1", "side"],
        &["branch", "new"],
        &["branch", "-D", "side"],
        &["branch", "-m", "side", "other"],
        &["merge", "side"],
        &["cherry-pick", "side"],
        &["revert", "HEAD"],
        &["reset", "--hard", "side", "--force"],
        &["rollback", "main", "side", "-m", "back"],
        &["switch", "-b", "new"],
    ] {
        let output = place.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(14), "{arguments:?}: {said}");
        assert_eq!(refs(&place), before, "{arguments:?}");
        let now = std::fs::read(place.work().join("shared.bin")).unwrap();
        assert_eq!(now, b"not saved", "{arguments:?}");
    }
    assert_eq!(place.ok(&["audit", "log", "--json"]), log, "nothing was recorded");
    place.ok(&["state", "set", "work", "deprecated", "--reason", "needed"]);
    place.ok(&["commit", "-a", "-m", "more"]);
}

/// Packs of which a part is needed become one, and what killed commands left goes too.
#[test]
fn what_gc_would_delete_is_foreseen_where_packs_become_one() {
    let place = Place::new();
    place.write("shared.bin", &noise(1, 5000));
    place.commit("shared");
    for number in 0..3_u8 {
        let (common, branch) = (noise(10 + u64::from(number), 400_000), format!("side{number}"));
        place.ok(&["switch", "-b", &branch]);
        place.write("gone.bin", &[&common[..], &noise(20 + u64::from(number), 300_000)].concat());
        place.commit("gone");
        place.ok(&["switch", "main"]);
        place.write(&format!("kept{number}.bin"), &common);
        place.commit("kept");
        place.ok(&["branch", "-D", &branch]);
    }
    let store = place.work().join(".stem/store");
    std::fs::write(store.join("tmp/0-left"), [0; 1234]).unwrap();
    let on_disk = || -> u64 {
        let files = ["packs", "tmp"].map(|name| std::fs::read_dir(store.join(name)).unwrap());
        files.into_iter().flatten().map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    let before = on_disk();
    let (_, du) = place.json(&["du", "--reclaimable", "--grace", "0s"]);
    let (_, dry) = place.json(&["gc", "-n", "--grace", "0s"]);
    assert_eq!(on_disk(), before);
    let (_, gone) = place.json(&["gc", "-y", "--grace", "0s"]);
    assert_eq!(du["reclaimable"], gone["removed"]);
    for field in ["removed", "kept", "forgotten", "leftovers"] {
        assert_eq!(dry[field], gone[field], "{field}");
    }
    assert_eq!(gone["leftovers"], 1);
    assert_eq!(gone["removed"]["bytes"], before - on_disk());
    let removed = gone["removed"]["packs"].as_u64().unwrap();
    assert!(removed >= 2, "several packs have become one: {gone}");
    place.assert_sound();
}

#[test]
fn du_says_to_the_byte_what_gc_would_delete() {
    let (place, _) = with_a_deleted_branch();
    place.ok(&["branch", "-D", "side"]);
    let (_, du) = place.json(&["du", "--reclaimable", "--grace", "0s"]);
    let (_, dry) = place.json(&["gc", "-n", "--grace", "0s"]);
    assert_eq!(du["reclaimable"], dry["removed"]);
    let (_, gone) = place.json(&["gc", "-y", "--grace", "0s"]);
    assert_eq!(du["reclaimable"], gone["removed"], "whole packs go, so this is exact");
    assert!(du["reclaimable"]["bytes"].as_u64().unwrap() > 3000);
    let (_, nothing) = place.json(&["du", "--reclaimable"]);
    assert_eq!(nothing["reclaimable"]["bytes"], 0);
}

#[test]
fn a_retention_run_meets_what_is_over_and_what_stands_against_it() {
    let place = Place::new();
    for (name, seed) in [("old.bin", 1), ("held.bin", 2), ("kept.bin", 3), ("young.bin", 4)] {
        place.write(name, &noise(seed, 1000));
    }
    place.commit("one");
    let classify = |target: &str, dates: &[&str]| {
        let decision = ["classify", target, "auxiliary", "--reason", "r", "--reviewer", "b"];
        place.ok(&[&decision, dates].concat());
    };
    // The clock of the tests stands in November 2026.
    classify("work:o*.bin", &["--destroy-by", "2026-01-01"]);
    classify("work:held.bin", &["--destroy-by", "2026-01-01"]);
    classify("work:kept.bin", &["--destroy-by", "2026-01-01"]);
    classify("work:young.bin", &["--destroy-by", "2027-01-01"]);
    classify("work:k*", &["--keep-until", "2027-01-01"]);
    let id = hold(&place, "work@main:held.bin");
    let (_, data) = place.json(&["retention", "simulate"]);
    let files = |what: &str| data[what]["files"].as_u64().unwrap();
    assert_eq!([files("due"), files("free"), files("held"), files("kept")], [3, 1, 1, 1]);
    assert_eq!(data["blocked_by"][format!("hold {id}")], Value::from(1));
    assert_eq!(data["contents"][2]["path"], "old.bin");
    let (_, list) = place.json(&["classify", "--list"]);
    assert_eq!(list["datasets"][0]["conflicts"][0]["path"], "kept.bin", "floor above ceiling");
}
