//! What is said of a version's origin: by flags, by files, by running commands; and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "provenance/bench.rs"]
mod bench;
#[path = "provenance/metadata.rs"]
mod metadata;
#[path = "provenance/run.rs"]
mod run;
