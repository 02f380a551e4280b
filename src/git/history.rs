//! A whole history: its commits in order, its branches and tags.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use gix::objs::Kind;

use super::commit::Parts;
use super::range::Range;
use super::{Error, GitId, Reader, Signature};

/// A branch and the commit that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name without `refs/heads/`.
    pub name: String,
    /// Where it points.
    pub commit: GitId,
}

/// A tag and the commit that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name without `refs/tags/`.
    pub name: String,
    /// Where it leads, through any number of tag objects.
    pub commit: GitId,
    /// What an annotated tag says; `None` for a lightweight one.
    pub note: Option<TagNote>,
}

/// What an annotated tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagNote {
    /// The message with its line ends, without a cryptographic signature.
    pub message: String,
    /// Who made it, and when, if it says so.
    pub tagger: Option<Signature>,
}

/// A branch or tag that leads to no commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its full name; bytes that are not UTF-8 are escaped.
    pub name: String,
    /// Why it is left out.
    pub reason: String,
}

/// The history of a Git repository, or a part of it, as it was when it was opened.
///
/// May be shared by threads; each makes its own [`Reader`].
pub struct History {
    repository: gix::ThreadSafeRepository,
    path: PathBuf,
    directory: Vec<u8>,
    commits: Vec<GitId>,
    branches: Vec<Branch>,
    tags: Vec<Tag>,
    left_out: Vec<LeftOut>,
    head: Option<String>,
}

impl History {
    /// Opens the repository at `path`: a worktree or a bare repository.
    ///
    /// With `range`, in the words of `git rev-list` (`main`, `v1..v2`, `main ^old`), the history
    /// has only the commits in it, and the branches and tags that point to one of them; without, all
    /// commits that a local branch or a tag reaches. With `directory`, changes are those below it.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], [`Error::References`], [`Error::Revision`]; [`Error::Shallow`] if the
    /// history goes on beyond what a shallow clone has; [`Error::Missing`] and [`Error::Damaged`].
    pub fn open(path: &Path, range: Option<&str>, directory: Option<&[u8]>) -> Result<Self, Error> {
        let opened = gix::ThreadSafeRepository::open(path);
        let repository =
            opened.map_err(|source| Error::Open { path: path.into(), source: source.into() })?;
        let mut history = Self {
            repository,
            path: path.into(),
            directory: directory.unwrap_or_default().into(),
            commits: Vec::new(),
            branches: Vec::new(),
            tags: Vec::new(),
            left_out: Vec::new(),
            head: None,
        };
        let mut reader = history.reader();
        history.read_references(&reader)?;
        let range = match range {
            Some(text) => Range::parse(&mut reader, text)?,
            None => Range { wanted: history.tips(), hidden: Vec::new() },
        };
        history.commits = in_order(&reader, &range)?;
        let kept: HashSet<GitId> = history.commits.iter().copied().collect();
        history.branches.retain(|branch| kept.contains(&branch.commit));
        history.tags.retain(|tag| kept.contains(&tag.commit));
        Ok(history)
    }

    /// The commits, each after its parents, otherwise the older first. The order depends only on
    /// the commits.
    pub fn commits(&self) -> &[GitId] {
        &self.commits
    }

    /// The local branches, by name.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The tags, by name.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The branches and tags that lead to no commit, such as a tag on a file.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The name of the branch that is checked out, or would be after a clone, even if it has no
    /// commit; `None` if HEAD is a commit.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// Where the repository was cloned from, without passwords; `None` if it does not say.
    pub fn origin(&self) -> Option<String> {
        let repository = self.repository.to_thread_local();
        let url = repository.config_snapshot().string("remote.origin.url")?;
        Some(super::text::without_secrets(&String::from_utf8_lossy(&url)))
    }

    /// A reader of this history's objects, for one thread.
    pub fn reader(&self) -> Reader {
        Reader::new(self.repository.to_thread_local(), &self.path, &self.directory)
    }

    fn tips(&self) -> Vec<GitId> {
        let branches = self.branches.iter().map(|branch| branch.commit);
        branches.chain(self.tags.iter().map(|tag| tag.commit)).collect()
    }

    fn read_references(&mut self, reader: &Reader) -> Result<(), Error> {
        let path = self.path.clone();
        let failed = |source: gix::Error| Error::References { path, source: source.into() };
        let pointers = pointers(&reader.repository).map_err(failed)?;
        for (full_name, target) in pointers {
            let leave_out = |reason: &str| {
                let name = crate::model::RepoPath::show_bytes(&full_name);
                LeftOut { name, reason: reason.into() }
            };
            let Some(id) = target else {
                self.left_out.push(leave_out("it points to nothing"));
                continue;
            };
            let Ok(text) = std::str::from_utf8(&full_name) else {
                self.left_out.push(leave_out("its name is not UTF-8"));
                continue;
            };
            let (commit, kind, note) = reader.follow_tags(id)?;
            if kind != Kind::Commit {
                self.left_out.push(leave_out(&format!("it leads to a {kind}, not to a commit")));
            } else if let Some(name) = text.strip_prefix(HEADS) {
                self.branches.push(Branch { name: name.into(), commit });
            } else if let Some(name) = text.strip_prefix(TAGS) {
                self.tags.push(Tag { name: name.into(), commit, note });
            }
        }
        let head = reader.repository.head_name().ok().flatten();
        self.head = head.and_then(|name| String::from_utf8(name.shorten().to_vec()).ok());
        Ok(())
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("History");
        shown.field("path", &self.path).field("commits", &self.commits.len());
        shown.finish_non_exhaustive()
    }
}

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// The full name of a reference, and what it points to; `None` if that does not exist.
type Pointer = (Vec<u8>, Option<GitId>);

/// The branches and tags, sorted by name.
fn pointers(repository: &gix::Repository) -> Result<Vec<Pointer>, gix::Error> {
    let all = repository.references()?;
    let mut found = Vec::new();
    for reference in all.local_branches()?.chain(all.tags()?) {
        found.push(reference?.detach());
    }
    let mut names = Vec::with_capacity(found.len());
    for reference in found {
        let name = reference.name.as_bstr().to_vec();
        let mut reference = gix::Reference { inner: reference, repo: repository };
        names.push((name, reference.follow_to_object().ok().map(|id| GitId(id.detach()))));
    }
    names.sort();
    Ok(names)
}

struct Node {
    id: GitId,
    time: i64,
    /// Parents that are in the history and have not come yet.
    waiting: usize,
    children: Vec<usize>,
}

/// The commits of `range`, parents first, among those that could come next the oldest.
fn in_order(reader: &Reader, range: &Range) -> Result<Vec<GitId>, Error> {
    let mut nodes = collect(reader, range)?;
    let ready = nodes.iter().enumerate().filter(|(_, node)| node.waiting == 0);
    let mut ready: BinaryHeap<_> =
        ready.map(|(index, node)| Reverse((node.time, node.id, index))).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse((_, id, index))) = ready.pop() {
        order.push(id);
        for child in std::mem::take(&mut nodes[index].children) {
            nodes[child].waiting -= 1;
            if nodes[child].waiting == 0 {
                ready.push(Reverse((nodes[child].time, nodes[child].id, child)));
            }
        }
    }
    Ok(order)
}

/// The commits that the wanted ones reach and the hidden ones do not.
fn collect(reader: &Reader, range: &Range) -> Result<Vec<Node>, Error> {
    let mut links = Links::new(reader)?;
    let hidden = links.reachable(&range.hidden)?;
    let mut nodes: Vec<Node> = Vec::new();
    let mut known: HashMap<GitId, usize> = HashMap::new();
    let mut parents_of: Vec<Vec<GitId>> = Vec::new();
    let mut open: Vec<GitId> = range.wanted.clone();
    while let Some(id) = open.pop() {
        if hidden.contains(&id) || known.contains_key(&id) {
            continue;
        }
        let (time, mut parents) = links.of(id)?;
        parents.retain(|parent| !hidden.contains(parent));
        if links.is_cut(id) && !parents.is_empty() {
            return Err(Error::Shallow { path: reader.path.clone(), commit: id });
        }
        // Git allows the same parent twice; for the order it is one.
        parents.sort_unstable();
        parents.dedup();
        known.insert(id, nodes.len());
        nodes.push(Node { id, time, waiting: parents.len(), children: Vec::new() });
        open.extend(&parents);
        parents_of.push(parents);
    }
    for (child, parents) in parents_of.iter().enumerate() {
        for parent in parents {
            nodes[known[parent]].children.push(child);
        }
    }
    Ok(nodes)
}

/// Reads which commits are the parents of which.
struct Links<'a> {
    reader: &'a Reader,
    /// Commits whose parents a shallow clone has not.
    cut: HashSet<GitId>,
    buffer: Vec<u8>,
}

impl<'a> Links<'a> {
    fn new(reader: &'a Reader) -> Result<Self, Error> {
        let path = reader.path.clone();
        let failed = |source: gix::Error| Error::Open { path, source: source.into() };
        let shallow = reader.repository.shallow_commits().map_err(failed)?;
        let cut = shallow.iter().flat_map(|ids| ids.iter()).map(|id| GitId(*id)).collect();
        Ok(Self { reader, cut, buffer: Vec::new() })
    }

    fn is_cut(&self, id: GitId) -> bool {
        self.cut.contains(&id)
    }

    /// When a commit was committed, in seconds since 1970, and its parents.
    fn of(&mut self, id: GitId) -> Result<(i64, Vec<GitId>), Error> {
        self.reader.read(id, Kind::Commit, &mut self.buffer)?;
        let parsed = Parts::of(&self.buffer, id.0.kind());
        let commit = parsed.map_err(|problem| self.reader.damaged(id, "commit", problem))?;
        Ok((commit.seconds(), commit.parents.into_iter().map(GitId).collect()))
    }

    /// Everything that `tips` reach, as far as a shallow clone has it.
    fn reachable(&mut self, tips: &[GitId]) -> Result<HashSet<GitId>, Error> {
        let mut found = HashSet::new();
        let mut open = tips.to_vec();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                let parents = self.of(id)?.1;
                if !self.is_cut(id) {
                    open.extend(parents);
                }
            }
        }
        Ok(found)
    }
}
