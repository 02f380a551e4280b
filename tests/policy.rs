//! Policies and pins: what is refused changes nothing and is journaled, whatever verb was used; what
//! passes has its verdict beside it; a hostile file is an error that names its place.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

#[path = "policy/crowd.rs"]
mod crowd;
#[path = "policy/pins.rs"]
mod pins;
#[path = "policy/place.rs"]
mod place;
#[path = "policy/table.rs"]
mod table;
#[path = "policy/texts.rs"]
mod texts;
#[path = "policy/verbs.rs"]
mod verbs;
