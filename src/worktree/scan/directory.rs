//! One directory: its names beside the index's rows.

use std::cmp::Ordering;
use std::ffi::{CStr, CString};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::{FileType, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;

use super::IsIgnored;
use super::queue::Job;
use super::{Found, Odd, OddKind, Scan, Shared};
use crate::model::{FileRef, RepoPath};
use crate::worktree::index::Rows;
use crate::worktree::{Stat, TEMPORARY, platform};

/// Directories with more names are looked at by several threads.
const BATCH: usize = 4096;
/// What one call lists into.
const LISTING_BYTES: usize = 64 << 10;

/// The names of a directory, sorted.
pub(super) struct Listing {
    directory: Arc<OwnedFd>,
    path: Vec<u8>,
    /// The names, each with a NUL at its end.
    text: Vec<u8>,
    names: Vec<Name>,
    /// Its place in the index, if it has tracked files of its own.
    place: Option<usize>,
}

#[derive(Clone, Copy)]
struct Name {
    start: u32,
    /// Without the NUL.
    length: u16,
    kind: FileType,
}

impl Listing {
    fn bytes(&self, name: &Name) -> &[u8] {
        let start = name.start as usize;
        &self.text[start..start + name.length as usize]
    }

    fn c_str(&self, name: &Name) -> &CStr {
        let start = name.start as usize;
        let end = start + name.length as usize + 1;
        CStr::from_bytes_with_nul(&self.text[start..end]).unwrap_or(c"")
    }
}

/// `directory/name`; just the name at the top.
pub(super) fn child(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    if !directory.is_empty() {
        path.extend_from_slice(directory);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The work of one thread.
pub(super) struct Walker<'a> {
    shared: &'a Shared<'a>,
    seen: Scan,
    unchanged: u64,
}

impl<'a> Walker<'a> {
    pub(super) fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, seen: Scan::default(), unchanged: 0 }
    }

    pub(super) fn work(mut self) -> Scan {
        while let Some(job) = self.shared.queue.next() {
            match job {
                Job::Directory { parent, name, path } => {
                    self.directory(parent.as_deref(), &name, path);
                }
                Job::Names { listing, range } => self.names(&listing, range),
            }
            self.shared.queue.done();
        }
        self.shared.unchanged.fetch_add(self.unchanged, Relaxed);
        self.seen
    }

    fn directory(&mut self, parent: Option<&OwnedFd>, name: &CStr, path: Vec<u8>) {
        let Some(parent) = parent else { return };
        match self.list(parent, name, &path) {
            Ok(Some(listing)) => self.take(Arc::new(listing)),
            Ok(None) => {
                self.odd(path.clone(), OddKind::OtherWorktree);
                self.visited_at_or_below(&path);
            }
            // It went away, or became something else, between two looks.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !path.is_empty() => {}
            Err(error) => {
                self.visited_at_or_below(&path);
                self.odd(path, OddKind::Unreadable(error.into()));
            }
        }
    }

    /// Lists a directory; none if it is the top of another worktree.
    fn list(&self, parent: &OwnedFd, name: &CStr, path: &[u8]) -> Result<Option<Listing>, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let directory = openat(parent, name, flags, Mode::empty())?;
        let (mut text, mut names) = (Vec::new(), Vec::new());
        let mut buffer: Vec<u8> = Vec::with_capacity(LISTING_BYTES);
        let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes_with_nul();
            match &name[..name.len() - 1] {
                b"." | b".." | b".git" => continue,
                b".stem" if path.is_empty() => continue,
                b".stem" if entry.file_type() == FileType::Directory => return Ok(None),
                name if name.starts_with(TEMPORARY.as_bytes()) => continue,
                _ => {}
            }
            let start = u32::try_from(text.len()).map_err(|_| Errno::OVERFLOW)?;
            let length = (name.len() - 1) as u16;
            text.extend_from_slice(name);
            names.push(Name { start, length, kind: entry.file_type() });
        }
        let bytes = |name: &Name| {
            let start = name.start as usize;
            &text[start..start + name.length as usize]
        };
        names.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
        let place = self.shared.index.find_directory(path);
        let path = path.to_vec();
        Ok(Some(Listing { directory: Arc::new(directory), path, text, names, place }))
    }

    /// Looks at a listed directory, or leaves parts of it to others.
    fn take(&mut self, listing: Arc<Listing>) {
        if let Some(place) = listing.place {
            self.shared.visited[place].store(true, Relaxed);
        }
        let count = listing.names.len();
        if count <= BATCH {
            self.names(&listing, 0..count);
            return;
        }
        let ranges = (0..count).step_by(BATCH).map(|start| start..(start + BATCH).min(count));
        let jobs = ranges.map(|range| Job::Names { listing: Arc::clone(&listing), range });
        self.shared.queue.push(jobs);
    }

    /// Joins a range of the sorted names with the rows that belong between them.
    fn names(&mut self, listing: &Arc<Listing>, range: Range<usize>) {
        let rows = listing.place.and_then(|place| self.shared.index.rows(place));
        let (mut row, end) = match &rows {
            Some(rows) => row_range(rows, listing, &range),
            None => (0, 0),
        };
        let mut rules = None;
        let mut jobs = Vec::new();
        for name in &listing.names[range] {
            let bytes = listing.bytes(name);
            let mut known = None;
            if let Some(rows) = &rows {
                while row < end && rows.name(row) < bytes {
                    self.deleted(rows, row);
                    row += 1;
                }
                if row < end && rows.name(row).cmp(bytes) == Ordering::Equal {
                    known = Some((*rows, row));
                    row += 1;
                }
            }
            self.name(listing, name, known, &mut rules, &mut jobs);
        }
        if let Some(rows) = &rows {
            (row..end).for_each(|row| self.deleted(rows, row));
        }
        self.shared.queue.push(jobs);
    }

    fn name(
        &mut self,
        listing: &Arc<Listing>,
        name: &Name,
        known: Option<(Rows<'a>, usize)>,
        rules: &mut Option<IsIgnored<'a>>,
        jobs: &mut Vec<Job>,
    ) {
        let bytes = listing.bytes(name);
        if known.is_none() && name.kind == FileType::RegularFile && !self.shared.options.untracked {
            return;
        }
        let mut kind = name.kind;
        let mut statx = None;
        if kind != FileType::Directory {
            match platform::statx_at(&*listing.directory, listing.c_str(name)) {
                Ok(found) => {
                    kind = FileType::from_raw_mode(u32::from(found.stx_mode));
                    statx = Some(found);
                }
                Err(Errno::NOENT) => {
                    known.iter().for_each(|(rows, row)| self.deleted(rows, *row));
                    return;
                }
                Err(error) => {
                    return self
                        .odd(child(&listing.path, bytes), OddKind::Unreadable(error.into()));
                }
            }
        }
        if kind == FileType::Directory {
            known.iter().for_each(|(rows, row)| self.deleted(rows, *row));
            return self.subdirectory(listing, bytes, rules, jobs);
        }
        let Some(statx) = statx else { return };
        match (Stat::from_statx(&statx), known) {
            (Ok(stat), Some((rows, row))) => self.tracked(&rows, row, stat),
            (Ok(stat), None) => self.untracked(listing, bytes, stat, rules),
            (Err(kind), known) => {
                known.iter().for_each(|(rows, row)| self.deleted(rows, *row));
                let path = child(&listing.path, bytes);
                if self.shared.scope.covers(&path) && !self.is_ignored(&listing.path, &path, rules)
                {
                    self.odd(path, OddKind::Special(kind));
                }
            }
        }
    }

    fn subdirectory(
        &mut self,
        listing: &Arc<Listing>,
        name: &[u8],
        rules: &mut Option<IsIgnored<'a>>,
        jobs: &mut Vec<Job>,
    ) {
        let path = child(&listing.path, name);
        if !self.shared.scope.reaches(&path) {
            return;
        }
        let index = self.shared.index;
        let tracked = index.find_directory(&path).is_some() || !index.below(&path).is_empty();
        if !tracked {
            if !self.shared.options.untracked {
                return;
            }
            let rules =
                rules.get_or_insert_with(|| self.shared.options.ignore.directory(&listing.path));
            if rules(&path, true) {
                self.shared.ignored.fetch_add(1, Relaxed);
                return;
            }
        }
        let Ok(name) = CString::new(name) else { return };
        let parent = Some(Arc::clone(&listing.directory));
        jobs.push(Job::Directory { parent, name, path });
    }

    fn tracked(&mut self, rows: &Rows<'_>, row: usize, stat: Stat) {
        let before = rows.stat(row);
        let trusted = !self.shared.options.distrust && !self.shared.index.is_racy(&before);
        if before == stat && trusted {
            self.unchanged += 1;
            return;
        }
        let path = child(rows.path(), rows.name(row));
        if !self.shared.scope.covers(&path) {
            return;
        }
        let known: Option<FileRef> = rows.file(row);
        if let Ok(path) = RepoPath::new(path) {
            self.seen.suspects.push(&Found { path, stat, known });
        }
    }

    fn untracked(
        &mut self,
        listing: &Listing,
        name: &[u8],
        stat: Stat,
        rules: &mut Option<IsIgnored<'a>>,
    ) {
        let path = child(&listing.path, name);
        if !self.shared.options.untracked || !self.shared.scope.covers(&path) {
            return;
        }
        if self.is_ignored(&listing.path, &path, rules) {
            self.shared.ignored.fetch_add(1, Relaxed);
            return;
        }
        match RepoPath::new(path) {
            Ok(path) => self.seen.untracked.push(&Found { path, stat, known: None }),
            Err(error) => self.odd(error.bytes, OddKind::Name(error.problem)),
        }
    }

    fn is_ignored(&self, directory: &[u8], path: &[u8], rules: &mut Option<IsIgnored<'a>>) -> bool {
        rules.get_or_insert_with(|| self.shared.options.ignore.directory(directory))(path, false)
    }

    fn deleted(&mut self, rows: &Rows<'_>, row: usize) {
        let path = child(rows.path(), rows.name(row));
        if self.shared.scope.covers(&path)
            && let Ok(path) = RepoPath::new(path)
        {
            self.seen.deleted.push(path);
        }
    }

    fn odd(&mut self, path: Vec<u8>, why: OddKind) {
        self.seen.odd.push(Odd { path, why });
    }

    fn visited_at_or_below(&self, path: &[u8]) {
        let own = self.shared.index.find_directory(path);
        for place in self.shared.index.below(path).chain(own) {
            self.shared.visited[place].store(true, Relaxed);
        }
    }
}

/// The rows that belong to a range of names: from its first name up to the first name after it.
fn row_range(rows: &Rows<'_>, listing: &Listing, range: &Range<usize>) -> (usize, usize) {
    let before = |name: &[u8]| {
        let (mut low, mut high) = (0, rows.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if rows.name(middle) < name { low = middle + 1 } else { high = middle }
        }
        low
    };
    let name_at = |place: usize| listing.names.get(place).map(|name| listing.bytes(name));
    let start = match range.start {
        0 => 0,
        start => name_at(start).map_or(rows.len(), before),
    };
    (start, name_at(range.end).map_or(rows.len(), before))
}
