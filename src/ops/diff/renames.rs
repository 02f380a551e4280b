//! Which deleted and added paths are one file that got another name.

use std::collections::HashMap;

use super::{Kind, PathChange, Side};
use crate::model::{FileId, RepoPath};

/// Up to so many deleted paths of one content are looked through each time.
const FEW: usize = 8;

/// The deleted paths of one content, by their places in the list of changes.
#[derive(Default)]
struct Gone<'a> {
    all: Vec<usize>,
    /// Those before it are taken.
    next: usize,
    /// Where there are more than [`FEW`]: by name, the first in order last.
    named: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Gone<'a> {
    /// The path that became `name`: one of the same name, else the first that is left.
    fn take(&mut self, name: &[u8], changes: &'a [PathChange], taken: &[bool]) -> Option<usize> {
        let name_of = |place: usize| changes[place].path.name();
        let free = |place: &usize| !taken[*place];
        let same = if self.all.len() <= FEW {
            self.all.iter().copied().filter(free).find(|&place| name_of(place) == name)
        } else {
            if self.named.is_empty() {
                for &place in self.all.iter().rev() {
                    self.named.entry(name_of(place)).or_default().push(place);
                }
            }
            let places = self.named.get_mut(name);
            places.and_then(|places| std::iter::from_fn(|| places.pop()).find(free))
        };
        while self.all.get(self.next).is_some_and(|place| taken[*place]) {
            self.next += 1;
        }
        same.or_else(|| self.all.get(self.next).copied())
    }
}

/// Makes one renamed path of a deleted and an added one with the same content (not empty).
///
/// Where several could be meant, a path of the same name comes first, else the first in order.
pub fn find_renames(mut changes: Vec<PathChange>) -> Vec<PathChange> {
    let mut taken = vec![false; changes.len()];
    for (to, from, old) in renames(&changes, &mut taken) {
        let change = &mut changes[to];
        (change.change, change.from, change.old) = (Kind::Renamed, Some(from), old);
    }
    let mut taken = taken.into_iter();
    changes.retain(|_| !taken.next().unwrap_or_default());
    changes
}

/// The places of paths that were added and have the content of a deleted one, which is then taken:
/// its path and what was there.
fn renames(changes: &[PathChange], taken: &mut [bool]) -> Vec<(usize, RepoPath, Option<Side>)> {
    let mut gone: HashMap<FileId, Gone<'_>> = HashMap::new();
    for (place, change) in changes.iter().enumerate() {
        if let (Kind::Deleted, Some(old)) = (change.change, change.old)
            && old.size > 0
        {
            gone.entry(old.file).or_default().all.push(place);
        }
    }
    let mut found = Vec::new();
    for (to, change) in changes.iter().enumerate() {
        if let (Kind::Added, Some(new)) = (change.change, change.new)
            && let Some(gone) = gone.get_mut(&new.file)
            && let Some(from) = gone.take(change.path.name(), changes, taken)
        {
            taken[from] = true;
            found.push((to, changes[from].path.clone(), changes[from].old));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{FileRef, Mode};

    /// The same by looking through all deleted paths each time.
    fn slowly(changes: &[PathChange]) -> Vec<PathChange> {
        let mut left: Vec<PathChange> =
            changes.iter().filter(|change| change.change == Kind::Deleted).cloned().collect();
        let mut result = Vec::new();
        for change in changes.iter().filter(|change| change.change != Kind::Deleted) {
            let fits = |old: &PathChange| {
                change.change == Kind::Added
                    && old.old.is_some_and(|old| old.size > 0)
                    && old.old.map(|old| old.file) == change.new.map(|new| new.file)
            };
            let same =
                left.iter().position(|old| fits(old) && old.path.name() == change.path.name());
            let mut change = change.clone();
            if let Some(at) = same.or_else(|| left.iter().position(fits)) {
                let old = left.remove(at);
                change.change = Kind::Renamed;
                (change.from, change.old) = (Some(old.path), old.old);
            }
            result.push(change);
        }
        result.extend(left);
        result.sort_by(|a, b| a.path.cmp(&b.path));
        result
    }

    proptest! {
        #[test]
        fn renames_are_those_that_looking_through_everything_finds(
            wanted in proptest::collection::btree_map("[ab]/[cd]?/?[a-f]", (0u8..3, 0u8..3), 0..60),
        ) {
            let file = |content: u8| FileRef {
                mode: Mode::File,
                size: u64::from(content),
                file: FileId::of(&vec![b'x'; usize::from(content)]),
            };
            let changes: Vec<_> = wanted
                .iter()
                .filter_map(|(path, &(kind, content))| {
                    let path = RepoPath::new(path.as_bytes()).ok()?;
                    let (old, new) = (file(content), file((content + 1) % 3));
                    match kind {
                        0 => PathChange::new(path, Some(old), None),
                        1 => PathChange::new(path, None, Some(old)),
                        _ => PathChange::new(path, Some(old), Some(new)),
                    }
                })
                .collect();
            prop_assert_eq!(find_renames(changes.clone()), slowly(&changes));
        }
    }

    /// Looked through each time, these would take minutes.
    #[test]
    fn very_many_files_of_one_content_are_paired() {
        let file = FileRef { mode: Mode::File, size: 1, file: FileId::of(b"x") };
        let path = |top: &str, n: usize| RepoPath::new(format!("{top}/{n:06}").as_bytes());
        let mut changes = Vec::new();
        for (top, old, new) in [("a", Some(file), None), ("b", None, Some(file))] {
            changes.extend((0..200_000).filter_map(|n| {
                let number = if top == "a" { n } else { n + 100_000 };
                PathChange::new(path(top, number).ok()?, old, new)
            }));
        }
        let found = find_renames(changes);
        assert_eq!(found.len(), 200_000);
        assert!(found.iter().all(|change| change.change == Kind::Renamed));
        let first = found[0].from.as_ref().map(|from| from.as_bytes().to_vec());
        assert_eq!(first.as_deref(), Some(&b"a/100000"[..]));
    }
}
