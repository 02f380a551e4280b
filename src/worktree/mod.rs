//! The user's files: what they look like, how they are read, how they are written.
//!
//! Here: the index (a cache of stat data), the scan, safe opening, safe writing.
//! Not here: what the files mean to a version (`repo`), which are ignored (`git`).
//! Invariants: nothing outside of the top directory is read or written, whatever links there are;
//! an index that cannot be trusted costs time, never data.

mod error;
mod index;
mod list;
mod platform;
mod root;
mod scan;
mod stat;
#[cfg(test)]
mod tests;
pub mod write;

pub use error::{Error, Result};
pub use index::{Changes, Index, Record};
pub use list::{FileList, IntoFiles, Listed};
pub use root::{Root, file_time, files_below};
pub use scan::{Found, Ignore, IsIgnored, Odd, OddKind, Scan, ScanOptions, scan};
pub use stat::Stat;

/// Names that the program gives to files it has not completed; never taken for the user's.
pub(crate) const TEMPORARY: &str = ".stem-tmp-";
