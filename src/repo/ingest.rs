//! Files in: read, cut, hash, compress, pack, on every thread at once.
//!
//! Each thread owns a whole pipeline and its own pack; what is shared is the set of known ids.
//! Small files are taken by the batch. A big file is a cursor that the threads share: whoever
//! holds it reads the next block, hashes it into the file's id and finds the cuts, which depend on
//! what came before; hashing, compressing and packing of the chunks happen outside.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::banned;
use super::session::Session;
use super::{Error, Result};
use crate::chunk::{self, PROFILE_BYTES, Profile};
use crate::format::frame::Key;
use crate::format::recipe::{ChunkRef, RecipeBuilder};
use crate::model::{ChunkId, FileId, FileRef, Mode, RepoPath};
use crate::store::Packer;
use crate::worktree::{self, Found, Root, Stat};

mod big;
mod splice;

pub use splice::{Joined, Load, Sink, Splice, Spliced};

/// A file that was taken in.
#[derive(Debug, Clone, Copy)]
pub struct Ingested {
    /// What a manifest says of it.
    pub file: FileRef,
    /// How it looked when it had been read.
    pub stat: Stat,
}

/// A file that could not be taken in.
#[derive(Debug)]
pub struct Failed {
    /// Which one.
    pub path: RepoPath,
    /// Why not.
    pub error: Error,
}

/// What became of the wanted files.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Those that are stored: their place in the list that was given, in order.
    pub ingested: Vec<(usize, Ingested)>,
    /// Those that could not be read, in path order.
    pub failed: Vec<Failed>,
}

/// From this size on the threads share a file.
const BIG_BYTES: u64 = 8 << 20;
/// Small files are taken by so many bytes or so many files.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_FILES: usize = 64;
/// A thread hands over what it has done when it is so much, so that a million are in one list only.
const NOTED: usize = 1024;

/// Stores the content of `wanted` (sorted by path), files below `root`.
///
/// A file that cannot be read, that changes while it is read, or whose content was erased and must
/// not come back, is reported; the others are taken.
///
/// # Errors
///
/// What concerns the store rather than one file.
pub fn ingest(session: &Session<'_>, root: &Root, wanted: &[Found]) -> Result<Outcome> {
    let repository = session.repository();
    let threads = repository.threads().min(wanted.len().max(1) * 64);
    let bytes = wanted.iter().map(|file| file.stat.size).sum();
    let progress = &*repository.environment.progress;
    progress.begin("adding", Some(wanted.len() as u64), Some(bytes));
    let queue = Queue::new(wanted);
    let ingested = Vec::with_capacity(wanted.len());
    let done = Mutex::new(Outcome { ingested, failed: Vec::new() });
    let shared = Shared { session, root, wanted, threads, queue, done };
    let result = std::thread::scope(|scope| {
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
    progress.end();
    for worker in result {
        worker?;
    }
    let mut done = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.ingested.sort_unstable_by_key(|(index, _)| *index);
    done.failed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(done)
}

/// Stores bytes that are not a file of the worktree.
///
/// # Errors
///
/// [`Error::Erased`] if it must not come back, [`Error::ErasedRecord`] if a line of it must not;
/// what format it has is not known here. The store's.
pub fn ingest_bytes(
    session: &Session<'_>,
    packer: &mut Packer,
    bytes: &[u8],
    mode: Mode,
) -> Result<FileRef> {
    ingest_bytes_of(session, packer, bytes, mode, None)
}

/// As [`ingest_bytes`], of a file with a path: by its name a table is known for one, and records
/// that were erased are recognised in it.
///
/// # Errors
///
/// As [`ingest_bytes`].
pub fn ingest_bytes_of(
    session: &Session<'_>,
    packer: &mut Packer,
    bytes: &[u8],
    mode: Mode,
    path: Option<&RepoPath>,
) -> Result<FileRef> {
    let file = FileId::of(bytes);
    session.repository().admit(&file)?;
    let overlay = session.repository().overlay();
    if overlay.bans_records() && mode != Mode::Symlink {
        banned::admit(overlay.bans(), path, bytes)?;
    }
    store_whole(session, packer, bytes, file)?;
    Ok(FileRef { mode, size: bytes.len() as u64, file })
}

/// Waits for a thread; its panic goes on in this one.
pub(super) fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether an error of reading one file leaves the others possible.
fn concerns_one_file(error: &Error) -> bool {
    matches!(
        error,
        Error::Worktree(_)
            | Error::Io { .. }
            | Error::Write(_)
            | Error::Erased { .. }
            | Error::ErasedRecord { .. }
    )
}

impl Shared<'_> {
    /// Whether a file of this length may be one that must not come back.
    fn may_refuse(&self, size: u64) -> bool {
        self.session.repository().overlay().may_refuse(size)
    }
}

struct Shared<'a> {
    session: &'a Session<'a>,
    root: &'a Root,
    wanted: &'a [Found],
    threads: usize,
    queue: Queue,
    done: Mutex<Outcome>,
}

/// What is still to do: batches of small files, then big files, each open to every thread.
struct Queue {
    batches: Vec<std::ops::Range<usize>>,
    order: Vec<usize>,
    next: AtomicUsize,
    big: Vec<big::BigFile>,
}

impl Queue {
    fn new(wanted: &[Found]) -> Self {
        let is_big = |&index: &usize| {
            let stat = &wanted[index].stat;
            stat.mode != Mode::Symlink && stat.size >= BIG_BYTES
        };
        let (big, order): (Vec<_>, Vec<_>) = (0..wanted.len()).partition(is_big);
        let mut batches = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (at, &index) in order.iter().enumerate() {
            bytes += wanted[index].stat.size;
            if bytes >= BATCH_BYTES || at + 1 - start >= BATCH_FILES {
                batches.push(start..at + 1);
                (start, bytes) = (at + 1, 0);
            }
        }
        batches.push(start..order.len());
        let big = big.into_iter().map(big::BigFile::new).collect();
        Self { batches, order, next: AtomicUsize::new(0), big }
    }
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    packer: Packer,
    buffer: Vec<u8>,
    done: Outcome,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Result<Self> {
        Ok(Self {
            shared,
            packer: shared.session.packer()?,
            buffer: Vec::new(),
            done: Outcome::default(),
        })
    }

    /// Works until nothing is left. Big files come first, so that none is left to one thread: each
    /// thread begins with some of its own, and then helps with what others have begun.
    fn work(mut self, number: usize) -> Result<()> {
        let big = &self.shared.queue.big;
        for file in big.iter().skip(number).step_by(self.shared.threads).chain(big) {
            big::take_part(&mut self, file)?;
        }
        loop {
            let number = self.shared.queue.next.fetch_add(1, Relaxed);
            let Some(batch) = self.shared.queue.batches.get(number) else { break };
            for &index in &self.shared.queue.order[batch.clone()] {
                self.small(index)?;
            }
        }
        self.hand_over();
        self.shared.session.give_back(self.packer)
    }

    /// Gives what was noted to the list of all.
    fn hand_over(&mut self) {
        let mut all = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.ingested.append(&mut self.done.ingested);
        all.failed.append(&mut self.done.failed);
    }

    /// Notes what became of a file.
    fn finished(&mut self, index: usize, result: Result<Ingested>) {
        if self.done.ingested.len() >= NOTED {
            self.hand_over();
        }
        match result {
            Ok(ingested) => self.done.ingested.push((index, ingested)),
            Err(error) => {
                let path = self.shared.wanted[index].path.clone();
                self.done.failed.push(Failed { path, error });
            }
        }
    }

    fn small(&mut self, index: usize) -> Result<()> {
        let wanted = &self.shared.wanted[index];
        let result = match self.admitted(wanted) {
            Ok(stat) => {
                let file = FileId::of(&self.buffer);
                store_whole(self.shared.session, &mut self.packer, &self.buffer, file)?;
                let size = self.buffer.len() as u64;
                self.shared.session.repository().environment.progress.advance(1, size);
                Ok(Ingested { file: FileRef { mode: stat.mode, size, file }, stat })
            }
            Err(error) if concerns_one_file(&error) => Err(error),
            Err(error) => return Err(error),
        };
        self.finished(index, result);
        Ok(())
    }

    /// Reads a whole file into the buffer, and says how it looked; once more if it changed.
    fn read_small(&mut self, wanted: &Found) -> Result<Stat> {
        if wanted.stat.mode == Mode::Symlink {
            self.buffer = self.shared.root.read_link(&wanted.path)?;
            worktree::write::check_link(&wanted.path, &self.buffer)?;
            return Ok(wanted.stat);
        }
        Ok(self.shared.root.read_whole(&wanted.path, &mut self.buffer)?)
    }

    /// Refuses content that was erased, before any of it is stored.
    fn admitted(&mut self, wanted: &Found) -> Result<Stat> {
        let stat = self.read_small(wanted)?;
        if self.shared.may_refuse(self.buffer.len() as u64) {
            self.shared.session.repository().admit(&FileId::of(&self.buffer))?;
        }
        let overlay = self.shared.session.repository().overlay();
        if overlay.bans_records() && wanted.stat.mode != Mode::Symlink {
            banned::admit(overlay.bans(), Some(&wanted.path), &self.buffer)?;
        }
        Ok(stat)
    }
}

/// Stores the chunks of a file that lies in memory, and its recipe where it has several.
fn store_whole(
    session: &Session<'_>,
    packer: &mut Packer,
    bytes: &[u8],
    file: FileId,
) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let profile = Profile::of(&bytes[..bytes.len().min(PROFILE_BYTES)]);
    let mut recipe = RecipeBuilder::new(profile);
    for range in chunk::split(bytes, profile) {
        let piece = &bytes[range];
        let whole = piece.len() == bytes.len();
        let id = if whole { file.into() } else { ChunkId::of(piece) };
        session.put_chunk(packer, &Key::chunk(&id), piece)?;
        push(session, &mut recipe, ChunkRef { id, len: piece.len() as u32 })?;
    }
    finish_recipe(session, recipe, file)
}

/// Stores files whose chunks come one after the other, for one thread.
pub struct Assembler<'s, 'a> {
    session: &'s Session<'a>,
    packer: Packer,
    recipe: Option<RecipeBuilder>,
}

impl<'s, 'a> Assembler<'s, 'a> {
    /// An assembler that must come back through [`Assembler::end`].
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn new(session: &'s Session<'a>) -> Result<Self> {
        Ok(Self { session, packer: session.packer()?, recipe: None })
    }

    /// The next chunk of the file, and its bytes.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn push(&mut self, chunk: ChunkRef, bytes: &[u8]) -> Result<()> {
        // A first chunk has as many bytes as decide on the profile, or is the whole file.
        let profile = || Profile::of(&bytes[..bytes.len().min(PROFILE_BYTES)]);
        let recipe = self.recipe.get_or_insert_with(|| RecipeBuilder::new(profile()));
        self.session.put_chunk(&mut self.packer, &Key::chunk(&chunk.id), bytes)?;
        push(self.session, recipe, chunk)
    }

    /// All chunks of `file` have come; the next file may begin.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn finish_file(&mut self, file: FileId) -> Result<()> {
        match self.recipe.take() {
            Some(recipe) => finish_recipe(self.session, recipe, file),
            None => Ok(()),
        }
    }

    /// Ends the work of the thread.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn end(self) -> Result<()> {
        self.session.give_back(self.packer)
    }
}

fn push(session: &Session<'_>, recipe: &mut RecipeBuilder, chunk: ChunkRef) -> Result<()> {
    match recipe.push(chunk) {
        Some((id, bytes)) => session.put_meta(&Key::recipe_part(id), &bytes),
        None => Ok(()),
    }
}

fn finish_recipe(session: &Session<'_>, recipe: RecipeBuilder, file: FileId) -> Result<()> {
    let finished = recipe.finish()?;
    session.stored(&file);
    for (id, bytes) in &finished.parts {
        session.put_meta(&Key::recipe_part(*id), bytes)?;
    }
    match finished.recipe {
        Some(bytes) => session.put_meta(&Key::recipe(&file), &bytes),
        None => Ok(()),
    }
}
