//! Git: who the user is, which files are ignored, how dates are written, and whole histories.
//!
//! Here: everything that asks Git's files or follows Git's rules; the only room that knows `gix`.
//! Not here: what a commit becomes (`ops::import_git`), walking a worktree (`worktree`).
//! Invariant: nothing here writes, and nothing runs the `git` program.

mod code;
mod commit;
mod date;
mod error;
mod history;
mod identity;
mod ignore;
mod object;
mod pattern;
mod range;
mod reader;
mod text;
mod tree;

pub use code::code;
pub use date::parse_date;
pub use error::Error;
pub use history::{Branch, History, LeftOut, Tag, TagNote};
pub use identity::identity;
pub use ignore::{DirectoryRules, IgnoreRules};
pub use object::GitId;
pub use pattern::Pattern;
pub use reader::{Commit, Reader, Signature};
pub use tree::{TreeChange, TreeChanges, TreeFile};

#[cfg(test)]
mod tests;
