//! Checking, collecting and switching: what is damaged is named, what is needed stays, what is not goes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![allow(clippy::print_stderr, reason = "a long test says how much it has tried")]

#[path = "keep/add.rs"]
mod add;
#[path = "keep/catalogue.rs"]
mod catalogue;
#[path = "keep/doctor.rs"]
mod doctor;
#[path = "keep/fsck.rs"]
mod fsck;
#[path = "keep/gc.rs"]
mod gc;
#[path = "keep/matrix.rs"]
mod matrix;
#[path = "keep/merge.rs"]
mod merge;
#[path = "keep/place.rs"]
mod place;
#[path = "keep/switch.rs"]
mod switch;
