//! The model: trees in memory, and every operation done the plain way.

use std::collections::{BTreeMap, BTreeSet};

use stemmata::model::Mode;

/// A file: what it is, and its bytes (of a link, where it leads).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    pub(crate) mode: Mode,
    pub(crate) bytes: Vec<u8>,
}

/// Files by path.
pub(crate) type Tree = BTreeMap<String, File>;

/// What a path was before and is afterwards.
pub(crate) type Changes = BTreeMap<String, (Option<File>, Option<File>)>;

/// Whether `path` lies below the directory `above`.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

pub(crate) fn is_in(path: &str, scope: &str) -> bool {
    scope.is_empty() || path == scope || is_below(path, scope)
}

/// Paths that cannot stand beside `path`.
pub(crate) fn clashing<'a>(tree: &'a Tree, path: &'a str) -> impl Iterator<Item = &'a String> {
    tree.keys().filter(move |other| is_below(other, path) || is_below(path, other))
}

pub(crate) fn has_clash(tree: &Tree) -> bool {
    tree.keys().any(|path| clashing(tree, path).next().is_some())
}

pub(crate) fn diff(from: &Tree, to: &Tree) -> Changes {
    let paths: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let pair = |path: &String| (from.get(path).cloned(), to.get(path).cloned());
    let all = paths.into_iter().map(|path| (path.clone(), pair(path)));
    all.filter(|(_, (old, new))| old != new).collect()
}

pub(crate) fn apply(tree: &mut Tree, changes: &Changes) {
    for (path, (_, new)) in changes {
        match new {
            Some(file) => drop(tree.insert(path.clone(), file.clone())),
            None => drop(tree.remove(path)),
        }
    }
}

/// The files after `changes`, or nothing if something that is not saved would be lost.
pub(crate) fn travel(files: &Tree, changes: &Changes, force: bool) -> Option<Tree> {
    let stays = |path: &String| changes.get(path).is_none_or(|(_, new)| new.is_some());
    for (path, (old, new)) in changes {
        if let Some(now) = files.get(path)
            && !force
            && Some(now) != old.as_ref()
            && Some(now) != new.as_ref()
        {
            return None;
        }
        if new.is_none() {
            continue;
        }
        // A file on the way is overwritten by force, a directory with strangers never is.
        let in_the_way = |other: &&String| {
            stays(other) && files.contains_key(*other) && !(force && is_below(path, other))
        };
        if clashing(files, path).any(|other| in_the_way(&other)) {
            return None;
        }
    }
    let mut after = files.clone();
    for (path, (_, new)) in changes {
        let gone: Vec<_> = clashing(files, path).cloned().collect();
        if new.is_some() {
            gone.iter().for_each(|other| drop(after.remove(other)));
        }
    }
    apply(&mut after, changes);
    Some(after)
}

/// A three-way merge: the changes against `ours`, and the paths in conflict.
pub(crate) fn combine(base: &Tree, ours: &Tree, theirs: &Tree) -> (Changes, BTreeSet<String>) {
    let (mut changes, mut conflicts) = (Changes::new(), BTreeSet::new());
    let paths: BTreeSet<_> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for path in paths {
        let (b, o, t) = (base.get(path), ours.get(path), theirs.get(path));
        if o == t || t == b {
            continue;
        }
        if o == b {
            changes.insert(path.clone(), (o.cloned(), t.cloned()));
        } else {
            conflicts.insert(path.clone());
        }
    }
    let is_gone = |path: &String| changes.get(path).is_some_and(|(_, new)| new.is_none());
    let clashes: Vec<String> = changes
        .iter()
        .filter(|(_, (old, new))| old.is_none() && new.is_some())
        .filter(|(path, _)| clashing(ours, path).any(|other| !is_gone(other)))
        .map(|(path, _)| path.clone())
        .collect();
    for path in clashes {
        changes.remove(&path);
        conflicts.insert(path);
    }
    (changes, conflicts)
}

/// Lets the other side win where there is a conflict, also over what is in its way.
pub(crate) fn favour_theirs(
    changes: &mut Changes,
    conflicts: BTreeSet<String>,
    ours: &Tree,
    theirs: &Tree,
) {
    for path in conflicts {
        if let Some(theirs) = theirs.get(&path) {
            for other in clashing(ours, &path) {
                changes.entry(other.clone()).or_insert((ours.get(other).cloned(), None));
            }
            changes.insert(path.clone(), (ours.get(&path).cloned(), Some(theirs.clone())));
        } else {
            changes.insert(path.clone(), (ours.get(&path).cloned(), None));
        }
    }
    changes.retain(|_, (old, new)| old != new);
}

#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) tree: Tree,
    pub(crate) parents: Vec<usize>,
}

/// All ancestors, with the version itself.
pub(crate) fn ancestors(versions: &[Version], of: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut stack = vec![of];
    while let Some(version) = stack.pop() {
        if seen.insert(version) {
            stack.extend(&versions[version].parents);
        }
    }
    seen
}

/// The common ancestors that are no ancestors of others.
pub(crate) fn merge_bases(versions: &[Version], a: usize, b: usize) -> Vec<usize> {
    let common: BTreeSet<_> =
        ancestors(versions, a).intersection(&ancestors(versions, b)).copied().collect();
    let is_best = |one: &usize| {
        !common.iter().any(|other| other != one && ancestors(versions, *other).contains(one))
    };
    common.iter().copied().filter(is_best).collect()
}
