//! The fuzzers' checks without a fuzzer: on every input that is kept, and on changes of each.
//!
//! `fixtures/fuzz/TARGET` has files to begin with, and whatever a fuzzer has broken something with.
//! `STEM_FUZZ_ROUNDS=1000000` goes on for as long as it takes.

use std::path::Path;

#[path = "../fuzz/checks.rs"]
mod checks;

/// How many changes of each input are tried.
fn rounds() -> usize {
    std::env::var("STEM_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
}

/// Cuts, flips, doubled and dropped pieces, large numbers: the same ones every time.
fn changed(good: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ good.len() as u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below.max(1)
    };
    (0..rounds()).map(move |round| {
        let mut bad = good.to_vec();
        for _ in 0..1 + round % 3 {
            let at = next(bad.len());
            let to = (at + next(40)).min(bad.len());
            match next(6) {
                0 => bad.truncate(at),
                1 => drop(bad.drain(at..to)),
                2 => {
                    drop(bad.splice(at..at, good[at.min(good.len())..to.min(good.len())].to_vec()))
                }
                3 => drop(bad.splice(at..to, vec![0xff; to - at])),
                4 => bad.insert(at, next(256) as u8),
                _ => bad.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (round % 8)),
            }
        }
        bad
    })
}

fn run(target: &str, check: fn(&[u8])) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target);
    let files = std::fs::read_dir(&kept).expect("there are inputs to begin with");
    let mut seen = 0;
    for file in files {
        let bytes = std::fs::read(file.expect("it can be listed").path()).expect("it can be read");
        check(&bytes);
        changed(&bytes).for_each(|bad| check(&bad));
        seen += 1;
    }
    assert!(seen > 0, "{target} has no inputs");
    check(b"");
}

#[test]
fn versions() {
    run("version", checks::check_version);
}

#[test]
fn manifest_nodes() {
    run("manifest", checks::check_manifest);
}

#[test]
fn recipes() {
    run("recipe", checks::check_recipe);
}

#[test]
fn worktree_indexes() {
    run("index", checks::check_index);
}

#[test]
fn packs() {
    run("pack", checks::check_pack);
}
