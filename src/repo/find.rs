//! Where a content lies.

use std::collections::HashSet;

use super::{Repository, Result};
use crate::format::manifest::{self, Node};
use crate::model::{FileId, FileRef, ManifestId, RepoPath, VersionId};

impl Repository {
    /// The first of `versions` that lists a file of this content, and a path of it. Each node of
    /// their listings is read once.
    ///
    /// # Errors
    ///
    /// What keeps listings from being read.
    pub fn find_file_in(
        &self,
        versions: &[VersionId],
        file: &FileId,
    ) -> Result<Option<(VersionId, RepoPath)>> {
        let Some((version, path)) = self.find_entry(versions, |_, entry| entry.file == *file)?
        else {
            return Ok(None);
        };
        let path = RepoPath::new(path).map_err(crate::format::Error::from)?;
        Ok(Some((version, path)))
    }

    /// Hands on every file that any of these listings has; each of their nodes is read once, so what
    /// several share is handed on for the first of them only.
    ///
    /// # Errors
    ///
    /// What keeps listings from being read.
    pub fn each_file_in(
        &self,
        roots: impl IntoIterator<Item = ManifestId>,
        mut see: impl FnMut(&FileRef),
    ) -> Result<()> {
        let (nodes, mut seen) = (self.nodes(), HashSet::new());
        for root in roots {
            manifest::walk(&nodes, &root, |id: &ManifestId, node: &Node| {
                if !seen.insert(*id) {
                    return false;
                }
                let mut entries = node.entries();
                while let Some(entry) = entries.next_entry() {
                    see(&entry.file);
                }
                true
            })?;
        }
        Ok(())
    }

    /// The first of `versions` with an entry that fits, and its path. Each node of their listings
    /// is read once, so nodes that several share are looked at for the first of them only.
    ///
    /// # Errors
    ///
    /// What keeps listings from being read.
    pub fn find_entry(
        &self,
        versions: &[VersionId],
        mut fits: impl FnMut(&[u8], &FileRef) -> bool,
    ) -> Result<Option<(VersionId, Vec<u8>)>> {
        let mut seen: HashSet<ManifestId> = HashSet::new();
        let nodes = self.nodes();
        for version in versions {
            let root = self.manifest_of(version)?;
            let mut found = None;
            manifest::walk(&nodes, &root, |id: &ManifestId, node: &Node| {
                if found.is_some() || !seen.insert(*id) {
                    return false;
                }
                let mut entries = node.entries();
                while let Some(entry) = entries.next_entry() {
                    if fits(entry.path, &entry.file) {
                        found = Some(entry.path.to_vec());
                        return false;
                    }
                }
                true
            })?;
            if let Some(path) = found {
                return Ok(Some((*version, path)));
            }
        }
        Ok(None)
    }
}
