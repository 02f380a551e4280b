//! The nodes of manifests, read from the store and kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::session::Written;
use super::{Error, Repository, Result};
use crate::format::frame::Key;
use crate::format::manifest::{Node, NodeSource, empty};
use crate::model::ManifestId;
use crate::store;

/// How many nodes are kept; a leaf is a few KiB.
const KEPT: usize = 2048;

/// A source of manifest nodes.
pub struct Nodes<'a> {
    repository: &'a Repository,
    written: Option<&'a Written>,
    kept: Mutex<HashMap<ManifestId, Arc<Node>>>,
}

impl<'a> Nodes<'a> {
    /// The nodes in `repository`.
    pub fn new(repository: &'a Repository) -> Self {
        Self { repository, written: None, kept: Mutex::default() }
    }

    /// The nodes in `repository` and those that a session has `written`.
    pub(super) fn with_written(repository: &'a Repository, written: &'a Written) -> Self {
        Self { repository, written: Some(written), kept: Mutex::default() }
    }

    fn load(&self, id: &ManifestId) -> Result<Node> {
        let (empty_id, empty_node) = empty();
        if *id == empty_id {
            return Ok(Node::decode(empty_node)?);
        }
        if let Some(written) = self.written
            && let Some(bytes) = written.lock().unwrap_or_else(PoisonError::into_inner).get(id)
        {
            return Ok(Node::decode(bytes.clone())?);
        }
        match self.repository.get(&Key::node(id)) {
            Ok(bytes) => Ok(Node::decode(bytes)?),
            Err(Error::Store(store::Error::NotFound { .. })) => {
                Err(Error::Lost { what: format!("manifest node {id}") })
            }
            Err(error) => Err(error),
        }
    }
}

impl NodeSource for Nodes<'_> {
    type Error = Error;

    fn node(&self, id: &ManifestId) -> Result<Arc<Node>> {
        if let Some(node) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(self.load(id)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(*id, Arc::clone(&node));
        Ok(node)
    }
}
