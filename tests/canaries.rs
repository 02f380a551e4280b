//! Planted strings: whatever happened before and whatever happens after, what was erased is nowhere,
//! and all else is what it was.
//!
//! Random histories of two datasets in one store, through the library: commits, branches, merges,
//! shared chunks, holds, gc, archives, crashes; erasures of files and of records in between; then all
//! that could bring something back. The oracle knows the bytes of every file that was ever written,
//! by their hash. What gc, `du --reclaimable` and an erasure's plan say that goes is, to the byte, what
//! becomes of the files. `STEM_HISTORIES` says how many histories; some two hundred by default, in memory
//! unless `STEM_HISTORIES_ON_DISK` is set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "it says how much was tried")]
#![allow(clippy::disallowed_methods, reason = "it writes files as a user would")]

#[path = "canaries/check.rs"]
mod check;
#[path = "canaries/content.rs"]
mod content;
#[path = "canaries/erasing.rs"]
mod erasing;
#[path = "canaries/oracle.rs"]
mod oracle;
#[allow(dead_code, reason = "shared with tests/erase")]
#[path = "erase/place.rs"]
mod place;
#[path = "canaries/space.rs"]
mod space;
#[path = "canaries/step.rs"]
mod step;
#[path = "canaries/world.rs"]
mod world;

use std::sync::atomic::Ordering;

use proptest::test_runner::{Config, TestRunner};
use step::{Step, steps};
use world::{ERASURES, World};

fn run(steps: &[Step], on_disk: bool) {
    let mut world = World::new(on_disk);
    for step in steps {
        world.step(step);
    }
    world.check();
}

fn cases() -> u32 {
    std::env::var("STEM_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[test]
fn what_was_erased_is_nowhere_whatever_happened_before_and_after() {
    let on_disk = std::env::var_os("STEM_HISTORIES_ON_DISK").is_some();
    let config = Config {
        cases: cases(),
        max_shrink_iters: 2000,
        source_file: Some(file!()),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        run(&steps, on_disk);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let [erased, records, crashed, blocked, refused, collected] =
        [0, 1, 2, 3, 4, 5].map(|which| ERASURES[which].load(Ordering::Relaxed));
    eprintln!(
        "{} histories: {erased} erasures, {records} of them of records; {crashed} crashes, {blocked} \
         holds that blocked, {refused} times that something erased was refused, {collected} \
         collections of something",
        cases()
    );
    let least = u64::from(cases() / 4);
    assert!(erased >= least && records >= least / 4, "too little was erased");
    // Some of these are rare: a bound near what is usual would fail by chance.
    assert!(crashed >= least / 8, "too little was interrupted");
    assert!(collected >= least / 16 && refused > 0, "too little was tried");
}

/// Histories that once went wrong, and one of each kind that must never be left out.
#[test]
fn what_went_wrong_once_goes_right() {
    for (number, steps) in step::fixed().into_iter().enumerate() {
        eprintln!("{steps:?}");
        run(&steps, number % 16 == 0);
    }
}
