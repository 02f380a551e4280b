//! Looking at the worktree: every name and its stat data, beside what the index knows.
//!
//! Every directory is a job; whoever is free takes the newest. A directory is listed, its names are
//! sorted and joined with the index's rows, and each file is asked for its stat data relative to
//! the opened directory, so no link is ever followed.

mod directory;
mod queue;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use directory::Walker;
use queue::Queue;

use super::{Error, FileList, Index, Result, Stat};
use crate::model::{FileRef, RepoPath, Scope};

/// Whether a path (from the top), which is a directory or not, is ignored.
pub type IsIgnored<'a> = Box<dyn Fn(&[u8], bool) -> bool + 'a>;

/// Which files are left out when they are not tracked.
pub trait Ignore: Sync {
    /// The rules for the names in a directory (without a slash at its end; empty for the top): from
    /// the full path of a name, and whether it is a directory, whether it is ignored.
    fn directory<'a>(&'a self, directory: &[u8]) -> IsIgnored<'a>;
}

/// What to look at.
pub struct ScanOptions<'a> {
    /// Which files are left out.
    pub ignore: &'a dyn Ignore,
    /// What part.
    pub scope: Scope,
    /// Look for files that are not tracked.
    pub untracked: bool,
    /// Take every tracked file for one that may have changed.
    pub distrust: bool,
    /// How many threads look.
    pub threads: usize,
}

/// A file that was seen.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub path: RepoPath,
    /// How it looks.
    pub stat: Stat,
    /// What is staged, if it is tracked.
    pub known: Option<FileRef>,
}

/// Why something cannot be tracked.
#[derive(Debug)]
pub enum OddKind {
    /// A fifo, a socket, a device.
    Special(&'static str),
    /// A name that a dataset cannot have.
    Name(crate::model::PathProblem),
    /// A directory that cannot be listed, or a file that cannot be looked at.
    Unreadable(std::io::Error),
    /// The top of another worktree.
    OtherWorktree,
}

impl fmt::Display for OddKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(kind) => write!(f, "it is a {kind}"),
            Self::Name(problem) => problem.fmt(f),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::OtherWorktree => f.write_str("it is another stem worktree"),
        }
    }
}

/// Something that cannot be tracked.
#[derive(Debug)]
pub struct Odd {
    /// Where.
    pub path: Vec<u8>,
    /// Why not.
    pub why: OddKind,
}

/// What was seen. Every list is in path order.
#[derive(Debug, Default)]
pub struct Scan {
    /// Tracked files that look as they did.
    pub unchanged: u64,
    /// Tracked files that do not, or that leave doubt.
    pub suspects: FileList<Found>,
    /// Files that are not tracked and not ignored.
    pub untracked: FileList<Found>,
    /// Tracked files that are not there.
    pub deleted: Vec<RepoPath>,
    /// What cannot be tracked.
    pub odd: Vec<Odd>,
    /// Names that were left out by the rules; what lies below a directory is not counted.
    pub ignored: u64,
}

/// What the threads share.
struct Shared<'a> {
    index: &'a Index,
    options: &'a ScanOptions<'a>,
    scope: &'a Scope,
    queue: Queue,
    /// The directories of the index that were listed, or that could not be.
    visited: Vec<AtomicBool>,
    unchanged: AtomicU64,
    ignored: AtomicU64,
}

/// Looks at everything below `root` that the options cover.
///
/// A directory that cannot be listed is reported, and nothing in it counts as deleted.
///
/// # Errors
///
/// [`Error::Io`] if the top itself cannot be opened.
pub fn scan(root: &Path, index: &Index, options: &ScanOptions<'_>) -> Result<Scan> {
    let failed = |source| Error::Io { path: root.to_path_buf(), source };
    let queue = Queue::starting_at(root).map_err(failed)?;
    let visited = (0..index.directories()).map(|_| AtomicBool::new(false)).collect();
    let scope = &options.scope;
    let (unchanged, ignored) = (AtomicU64::new(0), AtomicU64::new(0));
    let shared = Shared { index, options, scope, queue, visited, unchanged, ignored };
    let all = Mutex::new(Scan::default());
    std::thread::scope(|threads| {
        for _ in 0..options.threads.max(1) {
            threads.spawn(|| {
                let found = Walker::new(&shared).work();
                all.lock().unwrap_or_else(PoisonError::into_inner).absorb(found);
            });
        }
    });
    let mut seen = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.add_missing_directories(&mut seen);
    seen.unchanged = shared.unchanged.load(Relaxed);
    seen.ignored = shared.ignored.load(Relaxed);
    seen.sort();
    Ok(seen)
}

impl Shared<'_> {
    /// The files of directories that are not there any more are deleted.
    fn add_missing_directories(&self, seen: &mut Scan) {
        for (place, visited) in self.visited.iter().enumerate() {
            if visited.load(Relaxed) {
                continue;
            }
            let Some(rows) = self.index.rows(place) else { continue };
            for row in 0..rows.len() {
                let path = directory::child(rows.path(), rows.name(row));
                if self.scope.covers(&path)
                    && let Ok(path) = RepoPath::new(path)
                {
                    seen.deleted.push(path);
                }
            }
        }
    }
}

impl Scan {
    fn absorb(&mut self, other: Self) {
        self.suspects.append(other.suspects);
        self.untracked.append(other.untracked);
        self.deleted.extend(other.deleted);
        self.odd.extend(other.odd);
    }

    fn sort(&mut self) {
        self.deleted.sort_unstable();
        self.odd.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    }
}
