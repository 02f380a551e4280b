//! What a user names: revisions, paths, files, sources, consumers, steps.

use std::collections::BTreeSet;

use super::NodeId;
use crate::format::manifest;
use crate::model::{FileId, ManifestId, VersionId};
use crate::ops::contains::holders;
use crate::ops::{Error, Result};
use crate::repo::{self, Nodes, Repository, split_path};

/// The nodes that `text` names.
///
/// Tried in this order: `consumer:NAME`, `source:URI`, a step, 64 digits (a version, else a file's
/// content), the URI of a source, `rev:path`, a revision, the name of a consumer.
///
/// # Errors
///
/// [`Error::NoNode`] if nothing is called so, or what is wrong with the revision.
pub(super) fn find(repository: &Repository, text: &str) -> Result<Vec<NodeId>> {
    let catalogue = &repository.catalogue;
    let none = || Error::NoNode(text.to_owned());
    if let Some(name) = text.strip_prefix("consumer:") {
        let found = catalogue.has_consumer(name)?.then(|| NodeId::Consumer(name.to_owned()));
        return found.map(|node| vec![node]).ok_or_else(none);
    }
    if let Some(uri) = text.strip_prefix("source:") {
        let found = catalogue.has_source(uri)?.then(|| NodeId::Source(uri.to_owned()));
        return found.map(|node| vec![node]).ok_or_else(none);
    }
    if let Some(step) = NodeId::parse_step(text) {
        return Ok(vec![step]);
    }
    if let Ok(id) = text.parse::<VersionId>() {
        return by_digits(repository, id, text);
    }
    if catalogue.has_source(text)? {
        return Ok(vec![NodeId::Source(text.to_owned())]);
    }
    let (revision, path) = split_path(text);
    match repository.resolve(revision) {
        Ok(found) => {
            let within = |path| repository.path_in(&found.version, revision, path);
            let path = path.map(within).transpose()?.filter(|path| !path.is_empty());
            let version = match path {
                None => found.version,
                Some(path) => origin_of_path(repository, found.version, &path)?,
            };
            Ok(vec![NodeId::Version(version)])
        }
        Err(_) if catalogue.has_consumer(text)? => Ok(vec![NodeId::Consumer(text.to_owned())]),
        // Nothing says that a version was meant rather than a consumer or a source.
        Err(repo::Error::NoRevision { .. }) if !text.contains(['@', ':', '~', '^']) => Err(none()),
        Err(_) if text.contains("://") => Err(none()),
        Err(error) => Err(error.into()),
    }
}

fn by_digits(repository: &Repository, id: VersionId, text: &str) -> Result<Vec<NodeId>> {
    if repository.catalogue.has_version(&id)? {
        return Ok(vec![NodeId::Version(id)]);
    }
    let found = introducers(repository, &FileId::from_bytes(*id.as_bytes()))?;
    if found.is_empty() {
        return Err(Error::NoNode(text.to_owned()));
    }
    Ok(found.into_iter().map(NodeId::Version).collect())
}

/// The versions that have this content and whose parents do not.
fn introducers(repository: &Repository, file: &FileId) -> Result<Vec<VersionId>> {
    let holders: BTreeSet<VersionId> =
        holders(repository, file)?.into_iter().flat_map(|holder| holder.versions).collect();
    let ids: Vec<VersionId> = holders.iter().copied().collect();
    let parents = repository.catalogue.parents(&ids)?;
    let brought = |id: &VersionId| {
        parents.get(id).is_none_or(|parents| !parents.iter().any(|one| holders.contains(one)))
    };
    Ok(ids.into_iter().filter(brought).collect())
}

/// The listing of a version's first parent; the empty one where there is none.
pub(super) fn first_parent(
    repository: &Repository,
    parent: Option<&VersionId>,
) -> Result<ManifestId> {
    match parent {
        Some(parent) => Ok(repository.manifest_of(parent)?),
        None => Ok(manifest::empty().0),
    }
}

/// The version that brought what `version` has at `path`: as long as a parent has the same there,
/// that one does.
fn origin_of_path(repository: &Repository, version: VersionId, path: &[u8]) -> Result<VersionId> {
    let nodes = repository.nodes();
    let mut row = repository.version(&version)?;
    'back: loop {
        for parent in &row.parents {
            let before = repository.version(parent)?;
            if same_at(&nodes, &before.manifest, &row.manifest, path)? {
                row = before;
                continue 'back;
            }
        }
        return Ok(row.id);
    }
}

/// Whether two listings have the same at a path, which may be a directory.
fn same_at(nodes: &Nodes<'_>, one: &ManifestId, other: &ManifestId, path: &[u8]) -> Result<bool> {
    let mut left = manifest::list(nodes, one, path)?;
    let mut right = manifest::list(nodes, other, path)?;
    loop {
        let (left, right) = (left.next_entry()?, right.next_entry()?);
        let same = match (&left, &right) {
            (None, None) => return Ok(true),
            (Some(left), Some(right)) => left.path == right.path && left.file == right.file,
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
}
