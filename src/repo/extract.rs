//! Files out: fetch, check, decompress, write, on every thread at once.
//!
//! Small files are taken by the batch, in path order, which is near to the order they lie in. A big
//! file is shared: whoever is free takes its next chunks and writes them where they belong.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use self::former::{Former, FormerFiles};
use self::gather::Gather;
use super::content::{ChunkList, Content};
use super::ingest::{Failed, join};
use super::{Error, Repository, Result};
use crate::format::manifest::Totals;
use crate::format::recipe::ChunkRef;
use crate::model::{Entry, Mode};
use crate::worktree::Stat;
use crate::worktree::write::{Hand, NewFile, Writer};

mod big;
pub(super) mod former;
mod gather;

/// What became of the files.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Those that are written: their place in the list that was given, in order, and how they look.
    pub written: Vec<(usize, Stat)>,
    /// Those that are not, in path order.
    pub failed: Vec<Failed>,
}

/// What became of files of which nobody wants to know each.
#[derive(Debug, Default)]
pub struct Sums {
    /// So many are written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that are not, in path order.
    pub failed: Vec<Failed>,
}

/// So many files of a listing are in memory at a time.
const LISTED_FILES: usize = 1 << 16;
/// From this size on the threads share a file.
const BIG_BYTES: u64 = 8 << 20;
/// A batch of small files has at least so many, as long as there are more.
const BATCH_FILES: usize = 32;
/// No batch has more.
const MOST_BATCH_FILES: usize = 1 << 10;
/// A batch with so many bytes gets no more files.
const BATCH_BYTES: u64 = 8 << 20;
/// Every thread finds so many batches if there are enough files, so that all end together.
const BATCHES: usize = 8;

/// Writes `entries` (sorted by path) below the top of `writer`.
///
/// A file whose content cannot be read whole and right is not written, and is reported; the others
/// are written. Of a file that was replaced, its redacted copy is written.
///
/// # Errors
///
/// What concerns the repository rather than one file.
pub fn extract(repository: &Repository, writer: &Writer, entries: &[Entry]) -> Result<Extracted> {
    extract_over(repository, writer, entries, &FormerFiles::default())
}

/// As [`extract`], of a whole listing that is read on the way: `totals` says how much it has.
/// Memory does not grow with it.
///
/// # Errors
///
/// As [`extract`].
pub fn extract_listing(
    repository: &Repository,
    writer: &Writer,
    totals: &Totals,
    entries: impl Iterator<Item = Result<Entry>>,
) -> Result<Sums> {
    let mut sums = Sums::default();
    let mut entries = entries.fuse();
    writing(repository, totals.files, totals.bytes, || {
        loop {
            let part = entries.by_ref().take(LISTED_FILES).collect::<Result<Vec<_>>>()?;
            if part.is_empty() {
                return Ok(());
            }
            let done = extract_delivered(repository, writer, &part, &FormerFiles::default())?;
            sums.files += done.written.len() as u64;
            sums.bytes +=
                done.written.iter().map(|(number, _)| part[*number].file.size).sum::<u64>();
            sums.failed.extend(done.failed);
        }
    })?;
    Ok(sums)
}

/// Does `work` as one phase, in which so many files are written.
fn writing<T>(
    repository: &Repository,
    files: u64,
    bytes: u64,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let progress = &*repository.environment.progress;
    progress.begin("writing", Some(files), Some(bytes));
    let done = work();
    progress.end();
    done
}

/// As [`extract`]; what new files have in common with those they replace is taken from these.
///
/// # Errors
///
/// As [`extract`].
pub(super) fn extract_over(
    repository: &Repository,
    writer: &Writer,
    entries: &[Entry],
    formers: &FormerFiles<'_>,
) -> Result<Extracted> {
    let bytes = entries.iter().map(|entry| entry.file.size).sum();
    writing(repository, entries.len() as u64, bytes, || {
        extract_delivered(repository, writer, entries, formers)
    })
}

/// Writes what is delivered in the place of each file: itself, or its redacted copy.
fn extract_delivered(
    repository: &Repository,
    writer: &Writer,
    entries: &[Entry],
    formers: &FormerFiles<'_>,
) -> Result<Extracted> {
    let overlay = repository.overlay();
    if overlay.is_empty() {
        return extract_present(repository, writer, entries, formers);
    }
    let (mut given, mut places, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (place, entry) in entries.iter().enumerate() {
        let path = entry.path.clone();
        match overlay.delivered(&entry.file) {
            Ok(file) => {
                given.push(Entry { path, file });
                places.push(place);
            }
            Err(error) => gone.push(Failed { path, error }),
        }
    }
    let mut done = extract_present(repository, writer, &given, formers)?;
    for (number, _) in &mut done.written {
        *number = places[*number];
    }
    done.failed.extend(gone);
    done.failed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(done)
}

fn extract_present(
    repository: &Repository,
    writer: &Writer,
    entries: &[Entry],
    formers: &FormerFiles<'_>,
) -> Result<Extracted> {
    let threads = repository.threads().min(entries.len().max(1) * 64);
    let is_big = |&index: &usize| {
        let file = &entries[index].file;
        file.mode != Mode::Symlink && file.size >= BIG_BYTES
    };
    let (big, small): (Vec<_>, Vec<_>) = (0..entries.len()).partition(is_big);
    let big = big.into_iter().map(big::BigFile::new).collect();
    let batches = batches(entries, &small, threads);
    let (next, done) = Default::default();
    let shared =
        Shared { repository, writer, threads, entries, formers, big, small, batches, next, done };
    let results = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn({
                    let shared = &shared;
                    move || Worker::new(shared)?.work(number)
                })
            })
            .collect();
        workers.into_iter().map(join).collect::<Vec<_>>()
    });
    results.into_iter().collect::<Result<()>>()?;
    let mut done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.written.sort_unstable_by_key(|(index, _)| *index);
    done.failed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(done)
}

/// Cuts the list of small files into batches: where directories end, as far as that leaves enough
/// for every thread, because two that make files in one directory wait for each other.
fn batches(entries: &[Entry], small: &[usize], threads: usize) -> Vec<Range<usize>> {
    let most_files = (small.len() / (threads * BATCHES)).clamp(BATCH_FILES, MOST_BATCH_FILES);
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, &index) in small.iter().enumerate() {
        let Entry { path, file } = &entries[index];
        let files = place - start;
        let is_enough = files >= most_files || bytes >= BATCH_BYTES;
        let may_end = files >= BATCH_FILES;
        let begins = || path.directory() != entries[small[place - 1]].path.directory();
        if is_enough || may_end && begins() {
            batches.push(start..place);
            (start, bytes) = (place, 0);
        }
        bytes += file.size;
    }
    if start < small.len() {
        batches.push(start..small.len());
    }
    batches
}

struct Shared<'a> {
    repository: &'a Repository,
    writer: &'a Writer,
    threads: usize,
    entries: &'a [Entry],
    formers: &'a FormerFiles<'a>,
    big: Vec<big::BigFile<'a>>,
    small: Vec<usize>,
    /// Pieces of `small`.
    batches: Vec<Range<usize>>,
    next: AtomicUsize,
    done: Mutex<Extracted>,
}

struct Worker<'s, 'a> {
    shared: &'s Shared<'a>,
    hand: Hand<'a>,
    content: Content<'a>,
    /// What was read from a file that is replaced.
    buffer: Vec<u8>,
    gather: Gather,
    done: Extracted,
}

impl<'s, 'a> Worker<'s, 'a> {
    fn new(shared: &'s Shared<'a>) -> Result<Self> {
        let hand = shared.writer.hand();
        let content = Content::new(shared.repository)?;
        let (buffer, gather, done) = Default::default();
        Ok(Self { shared, hand, content, buffer, gather, done })
    }

    /// Works until nothing is left. Each thread begins with big files of its own, because two that
    /// write one file wait for each other, and then helps with what others have begun.
    fn work(mut self, number: usize) -> Result<()> {
        let big = &self.shared.big;
        for file in big.iter().skip(number).step_by(self.shared.threads).chain(big) {
            big::take_part(&mut self, file)?;
        }
        loop {
            let number = self.shared.next.fetch_add(1, Relaxed);
            let Some(batch) = self.shared.batches.get(number) else { break };
            for &index in &self.shared.small[batch.clone()] {
                let result = self.small(&self.shared.entries[index]);
                self.finished(index, result)?;
            }
        }
        let mut all = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.written.extend(self.done.written);
        all.failed.extend(self.done.failed);
        Ok(())
    }

    /// Notes what became of a file; passes on what is wrong with more than the file.
    fn finished(&mut self, index: usize, result: Result<Stat>) -> Result<()> {
        match result {
            Err(error @ (Error::Catalogue(_) | Error::Git(_))) => return Err(error),
            Ok(stat) => {
                self.shared.repository.environment.progress.advance(1, stat.size);
                self.done.written.push((index, stat));
            }
            Err(error) => {
                let path = self.shared.entries[index].path.clone();
                self.done.failed.push(Failed { path, error });
            }
        }
        Ok(())
    }

    fn small(&mut self, entry: &Entry) -> Result<Stat> {
        let Entry { path, file } = entry;
        if file.mode == Mode::Symlink {
            let target = self.content.whole(file)?;
            return Ok(self.hand.symlink(path, &target)?);
        }
        let executable = file.mode == Mode::Executable;
        let list = ChunkList::of(self.shared.repository, file)?;
        let former = self.shared.formers.open(self.shared.repository, entry);
        let new = self.hand.create(path, executable, file.size)?;
        self.gather.begin(0);
        for number in 0..list.part_count() {
            for chunk in list.part(self.shared.repository, number)? {
                self.copy(&new, &chunk, former.as_ref())?;
            }
        }
        self.gather.flush(&new)?;
        Ok(new.finish()?)
    }

    /// Writes the next chunk of a file.
    fn copy(&mut self, new: &NewFile<'_>, chunk: &ChunkRef, former: Option<&Former>) -> Result<()> {
        let bytes = match former.and_then(|former| former.chunk(chunk, &mut self.buffer)) {
            Some(bytes) => bytes,
            None => self.content.chunk(chunk)?,
        };
        Ok(self.gather.put(new, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileId, FileRef, RepoPath};

    fn entries(directories: usize, files: usize, size: u64) -> Vec<Entry> {
        let file = FileRef { mode: Mode::File, size, file: FileId::of(b"") };
        let all = (0..directories).flat_map(|directory| (0..files).map(move |at| (directory, at)));
        let path = |(directory, at)| RepoPath::new(format!("d{directory:03}/{at:05}")).unwrap();
        all.map(|place| Entry { path: path(place), file }).collect()
    }

    fn lengths(entries: &[Entry], threads: usize) -> Vec<usize> {
        let small: Vec<usize> = (0..entries.len()).collect();
        let batches = batches(entries, &small, threads);
        let all: Vec<usize> = batches.iter().cloned().flatten().collect();
        assert_eq!(all, small);
        batches.iter().map(Range::len).collect()
    }

    /// Two threads that make files in one directory wait for each other.
    #[test]
    fn a_batch_of_many_files_ends_with_its_directory() {
        assert_eq!(lengths(&entries(200, 500, 1_000), 2), [500; 200]);
        assert_eq!(lengths(&entries(1_000, 10, 1_000), 2), [40; 250]);
        assert_eq!(lengths(&entries(1, 100_000, 1_000), 2)[..2], [1_024; 2]);
    }

    #[test]
    fn there_is_something_to_do_for_every_thread() {
        assert_eq!(lengths(&entries(1, 100, 1_000), 2), [32, 32, 32, 4]);
        assert_eq!(lengths(&entries(1, 6, 5 << 20), 2), [2, 2, 2]);
        assert_eq!(lengths(&[], 2), [0; 0]);
    }
}
