//! Where a file is cut into chunks.
//!
//! Here: which profile a file gets, and the cut points of each profile.
//! Not here: hashing and storing the pieces (`store`), the list of them (`format::recipe`).
//! Invariant: cut points depend on nothing but the bytes of the file; `fixtures/vectors/chunk.json`
//! holds them still. They are part of the format (`docs/format.md`, "Chunks").

mod cut;
mod profile;

pub use crate::model::Profile;
pub use cut::{next_cut, split};
pub use profile::{ChunkSizes, PROFILE_BYTES};
