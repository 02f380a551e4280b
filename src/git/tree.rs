//! What changed between two trees.

use gix::objs::tree::{EntryKind, name_order};
use gix::objs::{Kind, TreeRefIter};

use crate::model::{Mode, PathError, PathProblem, RepoPath};

use super::{Error, GitId, Reader};

/// A file of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeFile {
    /// Regular, executable or link.
    pub mode: Mode,
    /// The blob with its content, or the target of the link.
    pub blob: GitId,
}

/// A path at which two trees differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// Where, below the directory that was asked for.
    pub path: RepoPath,
    /// What the newer tree has there; `None` if the file is gone.
    pub new: Option<TreeFile>,
}

/// How two trees differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeChanges {
    /// The files that came, went or changed, in the order of their paths, each path once.
    pub files: Vec<TreeChange>,
    /// Submodules that came or changed: where, and the commit there. Their files are elsewhere.
    pub submodules: Vec<(RepoPath, GitId)>,
    /// Files that came or changed whose names a dataset cannot keep.
    pub unusable: Vec<PathError>,
}

#[derive(Clone, Copy)]
struct Item<'a> {
    name: &'a [u8],
    kind: EntryKind,
    id: GitId,
}

impl Item<'_> {
    fn is_tree(&self) -> bool {
        self.kind == EntryKind::Tree
    }

    fn file(&self) -> Option<TreeFile> {
        let mode = match self.kind {
            EntryKind::Blob => Mode::File,
            EntryKind::BlobExecutable => Mode::Executable,
            EntryKind::Link => Mode::Symlink,
            EntryKind::Tree | EntryKind::Commit => return None,
        };
        Some(TreeFile { mode, blob: self.id })
    }
}

impl Reader {
    /// What has to happen to the files of `old` so that they become those of `new`, in the
    /// directory that the history was opened with. `None` is a tree without files.
    ///
    /// Reads only the directories that differ. A path is where it was: nothing is taken for renamed.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Damaged`], the latter also for a tree with entries in the
    /// wrong order, twice, or with `/` in a name.
    pub fn changes(&self, old: Option<GitId>, new: Option<GitId>) -> Result<TreeChanges, Error> {
        let mut changes = TreeChanges::default();
        let (old, new) = (self.subtree(old)?, self.subtree(new)?);
        if old != new {
            self.compare(old, new, &mut Vec::new(), 1, &mut changes)?;
        }
        Ok(changes)
    }

    /// Fails unless one of `commits` has the directory that the history was opened with. Looks at the
    /// last ones first.
    ///
    /// # Errors
    ///
    /// [`Error::NoDirectory`]; [`Error::Missing`] or [`Error::Damaged`].
    pub fn must_have_directory(&mut self, commits: &[GitId]) -> Result<(), Error> {
        for &commit in commits.iter().rev() {
            let tree = self.commit(commit)?.tree;
            if self.subtree(Some(tree))?.is_some() {
                return Ok(());
            }
        }
        let directory = crate::model::RepoPath::show_bytes(&self.directory);
        Err(Error::NoDirectory { directory, path: self.path.clone() })
    }

    /// The tree of the directory that the history was opened with, if `root` has it.
    fn subtree(&self, root: Option<GitId>) -> Result<Option<GitId>, Error> {
        let Some(mut tree) = root else { return Ok(None) };
        let mut buffer = Vec::new();
        for component in self.directory.split(|&byte| byte == b'/').filter(|c| !c.is_empty()) {
            let items = self.items(Some(tree), &mut buffer)?;
            let found = items.iter().find(|item| item.is_tree() && item.name == component);
            let Some(found) = found else { return Ok(None) };
            tree = found.id;
        }
        Ok(Some(tree))
    }

    fn compare(
        &self,
        old: Option<GitId>,
        new: Option<GitId>,
        path: &mut Vec<u8>,
        depth: usize,
        changes: &mut TreeChanges,
    ) -> Result<(), Error> {
        let (mut old_bytes, mut new_bytes) = (Vec::new(), Vec::new());
        let old = self.items(old, &mut old_bytes)?;
        let new = self.items(new, &mut new_bytes)?;
        let (mut old, mut new) = (old.as_slice(), new.as_slice());
        while let Some((before, after)) = next_pair(&mut old, &mut new) {
            if before.map(|item| (item.kind, item.id)) == after.map(|item| (item.kind, item.id)) {
                continue;
            }
            let Some(item) = after.or(before) else { continue };
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(item.name);
            if !item.is_tree() {
                record(path, before, after, changes);
            } else if depth < RepoPath::MAX_DEPTH {
                let (before, after) = (before.map(|item| item.id), after.map(|item| item.id));
                self.compare(before, after, path, depth + 1, changes)?;
            } else if after.is_some() {
                let (bytes, problem) = (path.clone(), PathProblem::TooDeep);
                changes.unusable.push(PathError { bytes, problem });
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// The entries of a tree, in Git's order, which is that of the paths below it.
    fn items<'a>(
        &self,
        tree: Option<GitId>,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Vec<Item<'a>>, Error> {
        let Some(id) = tree else { return Ok(Vec::new()) };
        self.read(id, Kind::Tree, buffer)?;
        let mut items: Vec<Item<'a>> = Vec::new();
        for entry in TreeRefIter::from_bytes(buffer, id.0.kind()) {
            let entry = entry.map_err(|source| self.damaged(id, "tree", source))?;
            let (name, kind) = (entry.filename.as_ref(), entry.mode.kind());
            let item = Item { name, kind, id: GitId(entry.oid.to_owned()) };
            let follows = items.last().is_none_or(|last| order(last, &item).is_lt());
            if !follows || name.is_empty() || name.contains(&b'/') {
                return Err(self.damaged(id, "tree", "its entries are not in order"));
            }
            if item.is_tree() && has_file(&items, name) {
                return Err(self.damaged(id, "tree", "a file and a directory have one name"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

fn order(a: &Item<'_>, b: &Item<'_>) -> std::cmp::Ordering {
    name_order(a.name, a.is_tree(), b.name, b.is_tree())
}

fn has_file(items: &[Item<'_>], name: &[u8]) -> bool {
    items.binary_search_by(|item| name_order(item.name, item.is_tree(), name, false)).is_ok()
}

/// The next entry of either list, or of both if they have it in common.
fn next_pair<'a>(
    old: &mut &[Item<'a>],
    new: &mut &[Item<'a>],
) -> Option<(Option<Item<'a>>, Option<Item<'a>>)> {
    let order = match (old.first(), new.first()) {
        (None, None) => return None,
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(old), Some(new)) => order(old, new),
    };
    let before = if order.is_le() { old.split_off_first().copied() } else { None };
    let after = if order.is_ge() { new.split_off_first().copied() } else { None };
    Some((before, after))
}

/// Notes what became of a path that is no directory on either side.
fn record(
    path: &[u8],
    before: Option<Item<'_>>,
    after: Option<Item<'_>>,
    changes: &mut TreeChanges,
) {
    let old = before.and_then(|item| item.file());
    let new = after.and_then(|item| item.file());
    let submodule = after.filter(|item| item.kind == EntryKind::Commit);
    match RepoPath::new(path) {
        Ok(path) => {
            if let Some(item) = submodule {
                changes.submodules.push((path.clone(), item.id));
            }
            if old != new {
                changes.files.push(TreeChange { path, new });
            }
        }
        Err(error) if new.is_some() => changes.unusable.push(error),
        // What could not be kept does not have to go either.
        Err(_) => {}
    }
}
