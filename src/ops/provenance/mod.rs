//! What users say of a version's origin: by flags, in a file, or taken from the last version.
//!
//! Here: the shape of the metadata (one table, of which the checks and the JSON Schema are made),
//! the words of flags, what a version's metadata is with all that was recorded later.
//! Not here: running a command and taking it down (`ops::run`), records of other kinds.
//! Invariant: what passes can be committed, and is read back as it was given.

mod check;
mod fields;
mod gather;
mod licence;
pub mod meta;
mod pairs;
mod schema;
mod shape;
pub mod step;

pub use check::Flaw;
pub use gather::{Given, gather, reference};
pub use schema::{TEMPLATE, schema};

#[cfg(test)]
mod tests;
