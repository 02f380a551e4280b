//! The listing of a version: a search tree over paths whose shape depends on the paths alone.
//!
//! Here: nodes ↔ bytes, building, editing, finding, listing, comparing and checking manifests.
//! Not here: where nodes are kept; a [`NodeSource`] reads them, a sink receives new ones.
//! Invariant: equal sets of entries have equal roots, whatever was done to get there. See
//! `docs/format.md`, "Manifests".

mod build;
mod clash;
mod diff;
mod edit;
mod find;
mod node;
mod read;
mod shape;

use std::sync::Arc;

use crate::model::ManifestId;

use super::Error;

pub use build::{Builder, build, empty};
pub use clash::{Edits, check_edits};
pub use diff::{Change, Diff, diff};
pub use edit::edit;
pub use find::{Finder, get};
pub use node::{Child, Children, Entries, EntryRef, MAX_NODE_BYTES, Node, Totals};
pub use read::{List, check, list, summary, summary_below, walk};
pub use shape::MAX_ITEMS;

/// Where the nodes of manifests are read.
pub trait NodeSource {
    /// What can go wrong in reading; wide enough for damage that is found in a node.
    type Error: From<Error>;

    /// The node that `id` names. The caller relies on its bytes having that hash.
    ///
    /// # Errors
    ///
    /// If it is not there, cannot be read or does not decode.
    fn node(&self, id: &ManifestId) -> Result<Arc<Node>, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn node(&self, id: &ManifestId) -> Result<Arc<Node>, Self::Error> {
        (**self).node(id)
    }
}

#[cfg(test)]
mod tests;
