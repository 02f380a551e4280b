//! Bad input and bad surroundings, tried on the program itself: the exit code and the words that
//! are promised, nothing lost, and never a panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "bad_input/arguments.rs"]
mod arguments;
#[path = "bad_input/crowd.rs"]
mod crowd;
#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/place.rs"]
mod place;
#[path = "bad_input/store.rs"]
mod store;
#[path = "bad_input/surroundings.rs"]
mod surroundings;
