//! Keys, signatures and the journal: what was changed behind the program's back is found, and what
//! is signed convinces people who do not have the program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

#[path = "audit/journal.rs"]
mod journal;
#[path = "audit/nonsense.rs"]
mod nonsense;
#[path = "audit/place.rs"]
mod place;
#[path = "audit/proof.rs"]
mod proof;
#[path = "audit/reads.rs"]
mod reads;
#[path = "audit/signatures.rs"]
mod signatures;
