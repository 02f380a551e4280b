//! Erasing files from every version: that it is gone, that nothing else is, and that whoever says so
//! without its being so is caught.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "erase/certificates.rs"]
mod certificates;
#[path = "erase/histories.rs"]
mod histories;
#[path = "erase/lies.rs"]
mod lies;
#[path = "erase/place.rs"]
mod place;
#[path = "erase/refusals.rs"]
mod refusals;
#[path = "erase/screens.rs"]
mod screens;
