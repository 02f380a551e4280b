//! Version control for training data: every version exact, every version explained, every deletion
//! proven.
//!
//! The rooms, from the ground up; a room uses rooms on lower floors only (`tests/layering.rs`):
//! `model` (nouns), `chunk` (where to cut), `format` (values ↔ bytes) and `sign` (keys), then `store`,
//! `catalogue`, `worktree`, `git` and `bag` (the outside world), `repo` (one opened repository) and
//! `ops` (one file per thing a user can do).
//! `model` (nouns), `chunk` (where to cut) and `format` (values ↔ bytes), then `store`,
//! `catalogue`, `worktree`, `git` (the outside world) and `table` (records), `repo` (one opened
//! repository) and `ops` (one file per thing a user can do).

pub mod bag;
pub mod catalogue;
pub mod chunk;
pub mod format;
pub mod git;
pub mod model;
pub mod ops;
pub mod repo;
pub mod sign;
pub mod store;
pub mod table;
pub mod worktree;
