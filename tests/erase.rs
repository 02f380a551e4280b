//! Erasing files from every version: that it is gone, that nothing else is, and that whoever says so
//! without its being so is caught.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error fails")]
#![allow(clippy::disallowed_methods, reason = "it plants files as a bug would")]
#![allow(clippy::too_many_lines, reason = "a list of changes is as long as it is")]

#[path = "erase/beside.rs"]
mod beside;
#[path = "erase/certificates.rs"]
mod certificates;
#[path = "erase/dice.rs"]
mod dice;
#[path = "erase/fields.rs"]
mod fields;
#[path = "erase/full.rs"]
mod full;
#[path = "erase/garble.rs"]
mod garble;
#[path = "erase/histories.rs"]
mod histories;
#[path = "erase/holders.rs"]
mod holders;
#[path = "erase/imported.rs"]
mod imported;
#[path = "erase/journal.rs"]
mod journal;
#[path = "erase/lies.rs"]
mod lies;
#[path = "erase/mutants.rs"]
mod mutants;
#[path = "erase/mutate.rs"]
mod mutate;
#[path = "erase/paths.rs"]
mod paths;
#[path = "erase/place.rs"]
mod place;
#[path = "erase/records.rs"]
mod records;
#[path = "erase/refusals.rs"]
mod refusals;
#[path = "erase/screens.rs"]
mod screens;
