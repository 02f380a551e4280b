//! Combining two listings that have grown from one: a path is a unit, and its bytes are compared,
//! never mixed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Result;
use super::travel::differences;
use crate::format::manifest::{self, Change};
use crate::model::{Entry, FileRef, ManifestId, RepoPath};
use crate::repo::{Nodes, Repository};

/// A path that both sides have changed, each otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: RepoPath,
    /// What it was before both.
    pub base: Option<FileRef>,
    /// What it is here.
    pub ours: Option<FileRef>,
    /// What it is there.
    pub theirs: Option<FileRef>,
}

/// What there is to do here so that both sides' changes are in.
#[derive(Debug, Default)]
pub struct Combined {
    /// Changes against ours, in path order.
    pub changes: Vec<Change>,
    /// What cannot be decided, in path order.
    pub conflicts: Vec<Conflict>,
}

impl Combined {
    /// Decides every conflict for the other side: what is here in the place of its files, or of
    /// their directories, goes.
    ///
    /// # Errors
    ///
    /// What keeps the listing of `ours` from being read.
    pub fn take_theirs(&mut self, repository: &Repository, ours: &ManifestId) -> Result<()> {
        let nodes = repository.nodes();
        let all = std::mem::take(&mut self.changes).into_iter();
        let mut changes: BTreeMap<RepoPath, Change> =
            all.map(|change| (change.path.clone(), change)).collect();
        for conflict in std::mem::take(&mut self.conflicts) {
            let Conflict { path, ours: old, theirs: new, .. } = conflict;
            for entry in in_the_way(&nodes, ours, &path)?.into_iter().filter(|_| new.is_some()) {
                let gone = Change { path: entry.path.clone(), old: Some(entry.file), new: None };
                changes.entry(entry.path).or_insert(gone);
            }
            changes.insert(path.clone(), Change { path, old, new });
        }
        self.changes = changes.into_values().filter(|change| change.old != change.new).collect();
        Ok(())
    }
}

/// The files that cannot stand beside a file at `path`: in the place of its directories, or below.
fn in_the_way(nodes: &Nodes<'_>, listing: &ManifestId, path: &RepoPath) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let bytes = path.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    for prefix in ends.filter_map(|end| RepoPath::new(&bytes[..end]).ok()) {
        if let Some(file) = manifest::get(nodes, listing, prefix.as_bytes())? {
            found.push(Entry { path: prefix, file });
        }
    }
    for entry in manifest::list(nodes, listing, bytes)? {
        found.extend(Some(entry?).filter(|entry| entry.path != *path));
    }
    Ok(found)
}

/// Takes what `theirs` has changed since `base` over to `ours`.
///
/// A path that only one side has changed is taken from it; one that both have changed in the same
/// way is so; everything else is a conflict, also a file in the place of the other side's directory.
///
/// # Errors
///
/// What keeps the listings from being read.
pub fn combine(
    repository: &Repository,
    base: &ManifestId,
    ours: &ManifestId,
    theirs: &ManifestId,
) -> Result<Combined> {
    let here = differences(repository, base, ours)?;
    let there = differences(repository, base, theirs)?;
    let mut combined = Combined::default();
    let (mut here, mut there) = (here.into_iter().peekable(), there.into_iter().peekable());
    while let Some(change) = there.next_if(|_| true) {
        while here.next_if(|mine| mine.path < change.path).is_some() {}
        match here.peek().map(|mine| mine.path.cmp(&change.path)) {
            Some(Ordering::Equal) => {
                let Some(mine) = here.next() else { continue };
                if mine.new != change.new {
                    combined.conflicts.push(Conflict {
                        path: change.path,
                        base: change.old,
                        ours: mine.new,
                        theirs: change.new,
                    });
                }
            }
            _ => combined.changes.push(change),
        }
    }
    separate_clashes(repository, ours, &mut combined)?;
    Ok(combined)
}

/// Makes conflicts of new files whose place is a directory here, or the other way round.
fn separate_clashes(
    repository: &Repository,
    ours: &ManifestId,
    combined: &mut Combined,
) -> Result<()> {
    let gone: BTreeSet<RepoPath> = combined
        .changes
        .iter()
        .filter(|change| change.new.is_none())
        .map(|change| change.path.clone())
        .collect();
    let nodes = repository.nodes();
    let mut checked: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut blocked: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut clashes = BTreeSet::new();
    for change in combined.changes.iter().filter(|change| change.old.is_none()) {
        for end in 1..change.path.as_bytes().len() {
            let prefix = &change.path.as_bytes()[..end];
            if change.path.as_bytes()[end] != b'/' {
                continue;
            }
            if checked.insert(prefix.to_vec()) {
                let file = manifest::get(&nodes, ours, prefix)?;
                if file.is_some() && !gone.iter().any(|path| path.as_bytes() == prefix) {
                    blocked.insert(prefix.to_vec());
                }
            }
            if blocked.contains(prefix) {
                clashes.insert(change.path.clone());
            }
        }
        for entry in manifest::list(&nodes, ours, change.path.as_bytes())? {
            if !gone.contains(&entry?.path) {
                clashes.insert(change.path.clone());
                break;
            }
        }
    }
    if clashes.is_empty() {
        return Ok(());
    }
    let (clashing, clean): (Vec<_>, Vec<_>) = std::mem::take(&mut combined.changes)
        .into_iter()
        .partition(|change| clashes.contains(&change.path));
    combined.changes = clean;
    combined.conflicts.extend(clashing.into_iter().map(|change| Conflict {
        path: change.path,
        base: change.old,
        ours: None,
        theirs: change.new,
    }));
    combined.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}
