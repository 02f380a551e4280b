//! The database beside the store: names, history, states and the journal of every change.
//!
//! Here: one writing method ([`Catalogue::apply`]), many reading ones, the journal with its chain
//! of hashes and its copy, and how a catalogue is made, opened and checked.
//! Not here: objects (`store`), what a change is good for (`repo`, `ops`).
//! Invariant: every change is one transaction with one row of the journal, and applying the
//! journal to an empty catalogue gives the same tables again.

mod apply;
mod change;
mod check;
mod contents;
mod effects;
mod error;
mod folded;
mod history;
mod journal;
mod lineage;
mod open;
mod platform;
mod presence;
mod query;
mod raw;
mod read;
mod records;
mod replay;
mod roots;
mod rows;
mod shadow;
mod sql;
#[cfg(test)]
mod tests;
mod versions;
mod words;

pub use apply::THE_POLICY;
pub use change::{
    Annotation, Applied, Change, Changeset, Head, PackKind, PackRecord, PackState, WorktreeId,
    WorktreeIdError, WorktreeState,
};
pub use contents::{ContentIndex, Held, Holder};
pub use error::{Error, Result};
pub use history::History;
pub use journal::{
    JournalEntry, JournalFilter, JournalHead, JournalReport, copied_after, copy_of, read_copy,
    replace_copy,
};
pub use lineage::{KnownVersion, Link, Linked, Seeds, Toward, Walked};
pub use open::Catalogue;
pub use platform::unsafe_file_system;
pub use presence::PresenceRow;
pub use query::{Answer, QueryLimits};
pub use raw::RawFile;
pub use read::{DatasetRow, RefLogRow, RefRow, WorktreeRow};
pub use records::{
    ConsumerRow, Found, MadeFrom, MetricFilter, MetricRow, RecordFilter, RecordRow, UseRow,
};
pub use roots::{PackRow, Root, SessionView};
pub use shadow::{Difference, Differences};
pub use versions::VersionRow;
