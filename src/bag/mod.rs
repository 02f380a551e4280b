//! Bags: directories that say of every file in them what it must be (BagIt 1.0, RFC 8493).
//!
//! Here: making a bag whole and durable, and reading every byte of one back.
//! Not here: what the files mean (`ops::archive`).
//! Invariant: a bag appears under its name complete and durable, or not at all.

mod check;
mod digest;
mod error;
mod manifest;
mod names;
mod platform;
mod write;

pub use check::{Checked, Problem, check};
pub use digest::{Digests, digest};
pub use error::{Error, Result};
pub use names::Names;
pub use write::{Draft, Sealed, destroy};

/// Where the payload lies in a bag.
pub const PAYLOAD: &str = "data";

/// What the first file of every bag says.
const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// The two digests that every file has, and their names in BagIt.
const ALGORITHMS: [&str; 2] = ["blake3", "sha256"];
