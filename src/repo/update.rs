//! The worktree changed from one listing to another, without losing what nobody has saved.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use self::moves::Moves;
use self::writing::Writing;
use super::content::Content;
use super::extract::extract_over;
use super::extract::former::FormerFiles;
use super::ingest::{Failed, join};
use super::survey::hash_file;
use super::{Absent, Error, Repository, Result};
use crate::format::manifest::Change;
use crate::model::{Entry, FileRef, RepoPath};
use crate::worktree::write::{Hand, NewFile, Writer};
use crate::worktree::{self, Index, Record, Root, Stat, file_time};

mod moves;
mod writing;

/// What an update has done.
#[derive(Debug, Default)]
pub struct Updated {
    /// What the index is to know, in path order.
    pub records: Vec<(RepoPath, Option<Record>)>,
    /// The file system's moment after the last write.
    pub as_of: i64,
    /// Files written.
    pub written: u64,
    /// Files removed.
    pub removed: u64,
    /// Files that are not written, because their content is gone by design.
    pub absent: Vec<Absent>,
}

/// How a path stands before it is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Standing {
    /// Nothing there, or the beginning of what will be there.
    Free,
    /// What was recorded.
    Recorded(Stat),
    /// A directory; if it is not empty once the removals are done, it stays in the way.
    Directory,
    /// It is already what it shall become.
    Done(Stat),
    /// It would be lost.
    Unsaved,
}

/// Makes the files of `changes` (sorted by path) in the worktree what they shall be.
///
/// A file that is there and is neither the old content nor the new stops everything before the
/// first write, unless `force` is set; files in a directory whose place is needed do so even then. A
/// file that is missing is no obstacle, nor is one that a killed update has half written. Of a file
/// that was replaced, the redacted copy is written; where content is gone, what was there before
/// goes, nothing is written, and the index knows the file as one that is not there.
///
/// # Errors
///
/// [`Error::Unsaved`] with every file that would be lost; [`Error::Clash`] where the file system
/// takes two names for one; [`Error::Content`] if stored content cannot be read: the other files
/// have been changed then, and the same call goes on.
pub fn update(
    repository: &Repository,
    index: &Index,
    changes: &[Change],
    force: bool,
) -> Result<Updated> {
    if repository.overlay().is_empty() {
        return update_present(repository, index, changes, force);
    }
    let mut updated = update_present(repository, index, &given(repository, changes), force)?;
    let listed: HashMap<&RepoPath, Option<FileRef>> =
        changes.iter().map(|change| (&change.path, change.new)).collect();
    for (path, record) in &mut updated.records {
        let Some(file) = listed.get(path).copied().flatten() else { continue };
        match record {
            Some(record) => record.file = file,
            None => *record = Some(Record { file, stat: Stat::UNKNOWN }),
        }
    }
    let absent = |change: &Change| repository.absence(&change.path, &change.new?);
    updated.absent = changes.iter().filter_map(absent).collect();
    Ok(updated)
}

/// The changes as the disk sees them: redacted copies in the place of what was replaced, nothing in
/// the place of what is gone.
fn given(repository: &Repository, changes: &[Change]) -> Vec<Change> {
    let overlay = repository.overlay();
    let on_disk = |file: FileRef| overlay.delivered(&file).ok();
    changes
        .iter()
        .map(|change| Change {
            path: change.path.clone(),
            // What was erased may still lie there: then it is what was recorded, and may go.
            old: change.old.map(|file| on_disk(file).unwrap_or(file)),
            new: change.new.and_then(on_disk),
        })
        .collect()
}

fn update_present(
    repository: &Repository,
    index: &Index,
    changes: &[Change],
    force: bool,
) -> Result<Updated> {
    let writer = Writer::open(&repository.place.root)?;
    let root = Root::open(&repository.place.root)?;
    check_names(&writer, changes)?;
    let standings = stand(repository, &root, index, changes)?;
    let losses = Losses::of(&root, changes, &standings);
    losses.refuse(force)?;
    let mut updated = Updated::default();
    let writing = Writing::begin(&repository.place.dot)?;
    let mut hand = writer.hand();
    let aliases = has_aliases(changes);
    let moves = if aliases { Moves::default() } else { Moves::of(changes, &standings) };
    let moved = moves.make(&mut hand, changes);
    updated.written = moved.len() as u64;
    updated.removed = updated.written;
    let (entries, places) = wanted(changes, &standings, &moved, &mut updated);
    let formers = FormerFiles::new(&root, formers(changes, &standings, &places));
    // What is removed first may be in the way of new files, which are then slow on some file systems:
    // ext4 looks long for a place among files that were removed a moment ago.
    let last = !aliases && !losses.obstruct() && has_room(repository, &entries);
    if !last {
        remove(&mut hand, changes, &mut updated)?;
    }
    for path in &losses.on_the_way {
        hand.remove(path)?;
    }
    for (entry, &place) in entries.iter().zip(&places) {
        if standings[place] == Standing::Directory {
            hand.remove_empty_directory(&entry.path)?;
        }
    }
    drop(standings);
    let extracted = extract_over(repository, &writer, &entries, &formers)?;
    if last {
        remove(&mut hand, changes, &mut updated)?;
    }
    updated.written += extracted.written.len() as u64;
    drop(entries);
    updated.records.reserve_exact(extracted.written.len());
    for (number, stat) in extracted.written {
        let change = &changes[places[number]];
        let record = change.new.map(|file| Record { file, stat });
        updated.records.push((change.path.clone(), record));
    }
    if let Some(Failed { path, error }) = extracted.failed.into_iter().next() {
        return Err(Error::Content { path, source: Box::new(error) });
    }
    writing.end()?;
    updated.records.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    updated.as_of = file_time(&repository.place.dot)?;
    Ok(updated)
}

/// Whether an update would lose something; changes nothing.
///
/// # Errors
///
/// As [`update`] before its first write.
pub fn check(repository: &Repository, index: &Index, changes: &[Change]) -> Result<()> {
    let changes = &given(repository, changes);
    let writer = Writer::open(&repository.place.root)?;
    let root = Root::open(&repository.place.root)?;
    check_names(&writer, changes)?;
    let standings = stand(repository, &root, index, changes)?;
    Losses::of(&root, changes, &standings).refuse(false)
}

fn check_names(writer: &Writer, changes: &[Change]) -> Result<()> {
    let new = || changes.iter().filter(|change| change.new.is_some()).map(|change| &change.path);
    if new().next().is_none() || !writer.folds_names()? {
        return Ok(());
    }
    match Writer::clashes(new()) {
        Some(pair) => Err(Error::Clash(Box::new(pair))),
        None => Ok(()),
    }
}

/// Looks at every path that will change, on all threads; only after an update that was killed may a
/// file be half written.
fn stand(
    repository: &Repository,
    root: &Root,
    index: &Index,
    changes: &[Change],
) -> Result<Vec<Standing>> {
    const BATCH: usize = 64;
    let was_killed = Writing::was_killed(&repository.place.dot);
    let next = AtomicUsize::new(0);
    let all = Mutex::new(vec![Standing::Free; changes.len()]);
    let work = || -> Result<()> {
        let mut content = was_killed.then(|| Content::new(repository)).transpose()?;
        let mut buffer = Vec::new();
        loop {
            let start = next.fetch_add(BATCH, Relaxed);
            let end = (start + BATCH).min(changes.len());
            if start >= end {
                return Ok(());
            }
            let mut found = Vec::with_capacity(end - start);
            for change in &changes[start..end] {
                found.push(stand_one(root, index, change, content.as_mut(), &mut buffer)?);
            }
            all.lock().unwrap_or_else(PoisonError::into_inner)[start..end].copy_from_slice(&found);
        }
    };
    let threads = repository.threads().min(changes.len().div_ceil(BATCH));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(join).collect::<Result<Vec<()>>>()
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn stand_one(
    root: &Root,
    index: &Index,
    change: &Change,
    content: Option<&mut Content<'_>>,
    buffer: &mut Vec<u8>,
) -> Result<Standing> {
    let stat = match root.stat(&change.path) {
        Ok(None) => return Ok(Standing::Free),
        Ok(Some(stat)) => stat,
        Err(worktree::Error::NotAFile { kind: "directory", .. }) => {
            return Ok(Standing::Directory);
        }
        Err(worktree::Error::NotAFile { .. }) => return Ok(Standing::Unsaved),
        Err(error) => return Err(error.into()),
    };
    if let Some(record) = index.get(&change.path)
        && record.stat == stat
        && !index.is_racy(&stat)
    {
        if change.new == Some(record.file) {
            return Ok(Standing::Done(stat));
        }
        if change.old == Some(record.file) {
            return Ok(Standing::Recorded(stat));
        }
    }
    let Ok((stat, file)) = hash_file(root, &change.path, stat.mode, buffer) else {
        return Ok(Standing::Unsaved);
    };
    let now = FileRef { mode: stat.mode, size: stat.size, file };
    if change.new == Some(now) {
        return Ok(Standing::Done(stat));
    }
    if change.old == Some(now) {
        return Ok(Standing::Recorded(stat));
    }
    let begun = content.is_some_and(|content| is_beginning(root, change, stat, content, buffer));
    Ok(if begun { Standing::Free } else { Standing::Unsaved })
}

/// Whether the file is what an update leaves that was stopped while it wrote the new content.
fn is_beginning(
    root: &Root,
    change: &Change,
    stat: Stat,
    content: &mut Content<'_>,
    buffer: &mut Vec<u8>,
) -> bool {
    let Some(new) = change.new else { return false };
    if new.size > NewFile::IN_PLACE_BYTES || stat.size >= new.size || stat.mode != new.mode {
        return false;
    }
    root.read_whole(&change.path, buffer).is_ok()
        && content.whole(&new).is_ok_and(|whole| whole.starts_with(buffer))
}

/// What a change of the files would lose.
#[derive(Default)]
struct Losses {
    /// Files with other content than was recorded.
    unsaved: Vec<RepoPath>,
    /// Files where a directory must be.
    on_the_way: Vec<RepoPath>,
    /// Files in a directory where a file must be.
    strangers: Vec<RepoPath>,
    /// Something that will be removed stands where a file or a directory must be.
    obstructed: bool,
}

impl Losses {
    fn of(root: &Root, changes: &[Change], standings: &[Standing]) -> Self {
        let mut losses = Self::default();
        let gone = changes.iter().filter(|change| change.new.is_none()).map(|change| &change.path);
        let removed: HashSet<&RepoPath> = gone.collect();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for (change, standing) in changes.iter().zip(standings) {
            if *standing == Standing::Unsaved {
                losses.unsaved.push(change.path.clone());
            }
            if change.new.is_none() {
                continue;
            }
            let mut directory = change.path.directory();
            while !directory.is_empty() && seen.insert(directory) {
                let Ok(path) = RepoPath::new(directory) else { break };
                if removed.contains(&path) {
                    losses.obstructed = true;
                } else if is_no_directory(root, &path) {
                    losses.on_the_way.push(path.clone());
                }
                directory = match directory.iter().rposition(|&byte| byte == b'/') {
                    Some(slash) => &directory[..slash],
                    None => b"",
                };
            }
            if *standing == Standing::Directory {
                losses.obstructed = true;
                losses.strangers.extend(strangers(root, &change.path, &removed));
            }
        }
        losses
    }

    /// Whether new files can only be written once others are gone.
    fn obstruct(&self) -> bool {
        self.obstructed || !self.on_the_way.is_empty()
    }

    /// Fails with every path that would be lost; with `force`, that must not be overwritten.
    fn refuse(&self, force: bool) -> Result<()> {
        let mut paths = self.strangers.clone();
        if !force {
            paths.extend(self.unsaved.iter().chain(&self.on_the_way).cloned());
        }
        if paths.is_empty() {
            return Ok(());
        }
        paths.sort();
        paths.dedup();
        Err(Error::Unsaved { paths })
    }
}

/// Whether something stands there that is no directory.
fn is_no_directory(root: &Root, path: &RepoPath) -> bool {
    match root.stat(path) {
        Ok(found) => found.is_some(),
        Err(worktree::Error::NotAFile { kind, .. }) => kind != "directory",
        Err(_) => false,
    }
}

/// Files below a directory whose place is needed, which will not be removed themselves.
fn strangers(root: &Root, directory: &RepoPath, removed: &HashSet<&RepoPath>) -> Vec<RepoPath> {
    let files = worktree::files_below(root, directory);
    files.into_iter().filter(|path| !removed.contains(path)).collect()
}

/// Whether some file system takes the name of a file that goes for that of one that comes.
fn has_aliases(changes: &[Change]) -> bool {
    let (gone, come): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.new.is_none());
    if gone.is_empty() || come.is_empty() {
        return false;
    }
    let gone: HashSet<Vec<u8>> = gone.iter().map(|change| change.path.folded()).collect();
    come.iter().any(|change| gone.contains(&change.path.folded()))
}

/// Whether the file system has room for all new files beside those that will go.
fn has_room(repository: &Repository, entries: &[Entry]) -> bool {
    /// Stays free, for directories and whatever else is written meanwhile.
    const SPARE: u64 = 64 << 20;
    let bytes = entries.iter().map(|entry| entry.file.size).fold(SPARE, u64::saturating_add);
    super::free_space(&repository.place.root).is_ok_and(|free| free > bytes)
}

/// Removes what shall not be there any more.
fn remove(hand: &mut Hand<'_>, changes: &[Change], updated: &mut Updated) -> Result<()> {
    let mut directories: Vec<&[u8]> = Vec::new();
    for change in changes.iter().filter(|change| change.new.is_none()) {
        if hand.remove(&change.path)? {
            updated.removed += 1;
        }
        updated.records.push((change.path.clone(), None));
        if directories.last() != Some(&change.path.directory()) {
            directories.push(change.path.directory());
        }
    }
    for directory in directories.iter().rev() {
        hand.prune(directory)?;
    }
    Ok(())
}

/// The files to write, each with its place in `changes`; notes those that are there already, and
/// those that were moved there.
fn wanted(
    changes: &[Change],
    standings: &[Standing],
    moved: &HashMap<usize, Stat>,
    updated: &mut Updated,
) -> (Vec<Entry>, Vec<usize>) {
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    for (place, (change, standing)) in changes.iter().zip(standings).enumerate() {
        let Some(file) = change.new else { continue };
        if let Some(&stat) = moved.get(&place) {
            updated.records.push((change.path.clone(), Some(Record { file, stat })));
            continue;
        }
        match standing {
            Standing::Done(stat) => {
                updated.records.push((change.path.clone(), Some(Record { file, stat: *stat })));
            }
            Standing::Free | Standing::Recorded(_) | Standing::Directory | Standing::Unsaved => {
                entries.push(Entry { path: change.path.clone(), file });
                places.push(place);
            }
        }
    }
    (entries, places)
}

/// The files that lie as they were recorded where others will be written.
fn formers<'a>(
    changes: &'a [Change],
    standings: &[Standing],
    places: &[usize],
) -> impl Iterator<Item = (&'a RepoPath, FileRef)> {
    let lies = |&&place: &&usize| matches!(standings[place], Standing::Recorded(_));
    let file = |&place: &usize| Some((&changes[place].path, changes[place].old?));
    places.iter().filter(lies).filter_map(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileId, Mode};

    /// There the new file would be removed as the old one, were it written first.
    #[test]
    fn names_that_some_file_systems_take_for_one_are_aliases() {
        let file = FileRef { mode: Mode::File, size: 1, file: FileId::of(b"x") };
        let change = |path: &str, old: bool, new: bool| Change {
            path: RepoPath::new(path.as_bytes()).unwrap(),
            old: old.then_some(file),
            new: new.then_some(file),
        };
        let changes =
            |gone: &str, come: &str| [change(gone, true, false), change(come, false, true)];
        for (gone, come) in
            [("README", "Readme"), ("d/A", "D/a"), ("\u{e9}", "e\u{301}"), ("s/x", "S/x")]
        {
            assert!(has_aliases(&changes(gone, come)), "{gone} and {come}");
        }
        assert!(!has_aliases(&changes("a", "b")) && !has_aliases(&changes("d/a", "e/a")));
        assert!(!has_aliases(&[change("A", true, true), change("a", true, true)]), "none goes");
    }
}
