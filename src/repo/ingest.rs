//! Files in: read, cut, hash, compress, pack, on every thread at once.
//!
//! Each thread owns a whole pipeline and its own pack; what is shared is the set of known ids.
//! Small files are taken by the batch. A big file is a cursor that the threads share: whoever
//! holds it reads the next block and finds the cuts, which depend on what came before; hashing it
//! into the file's id is a second such step, while the next block is read; hashing, compressing and
//! packing of the chunks happen outside of both.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::banned;
use super::session::Session;
use super::{Error, Result};
use crate::chunk::{self, PROFILE_BYTES, Profile};
use crate::format::frame::Key;
use crate::format::recipe::{ChunkRef, RecipeBuilder};
use crate::model::{ChunkId, FileId, FileRef, Mode, RepoPath};
use crate::store::Packer;
use crate::worktree::{self, FileList, Found, IntoFiles, Root, Stat};

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

/// From this size on the threads share a file.
const BIG_BYTES: u64 = 8 << 20;
/// Small files are taken by so many bytes or so many files.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_FILES: usize = 64;
/// Stores the content of `wanted`, files below `root`, and gives each that is stored to `sink`, in path
/// order and as soon as may be. Those that are not are returned, in path order.
///
/// A file that cannot be read, that changes while it is read, or whose content was erased and must
/// not come back, is not stored; the others are taken.
///
/// # Errors
///
/// What concerns the store rather than one file, and what `sink` returns.
pub fn ingest(
    session: &Session<'_>,
    root: &Root,
    wanted: FileList<Found>,
    sink: &mut (dyn FnMut(Found, Ingested) -> Result<()> + Send),
) -> Result<Vec<Failed>> {
    let repository = session.repository();
    let threads = repository.threads().min(wanted.len().max(1) * 64);
    let bytes = wanted.values().map(|(stat, _)| stat.size).sum();
    let progress = &*repository.environment.progress;
    progress.begin("adding", Some(wanted.len() as u64), Some(bytes));
    let big = Queue::big(&wanted);
    let queue = Mutex::new(Queue::new(wanted));
    let done = Mutex::new(Done { next: 0, waiting: BTreeMap::new(), failed: Vec::new(), sink });
    let shared = Shared { session, root, threads, big, queue, done };
    let result = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn({
                    let shared = &shared;
                    move || {
                        let worked = Worker::new(shared).and_then(|worker| worker.work(number));
                        worked.inspect_err(|_| lock(&shared.queue).stop())
                    }
                })
            })
            .collect();
        workers.into_iter().map(join).collect::<Vec<_>>()
    });
    progress.end();
    for worker in result {
        worker?;
    }
    let mut failed = shared.done.into_inner().unwrap_or_else(PoisonError::into_inner).failed;
    failed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(failed)
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

impl Shared<'_, '_> {
    /// Whether a file of this length may be one that must not come back.
    fn may_refuse(&self, size: u64) -> bool {
        self.session.repository().overlay().may_refuse(size)
    }
}

struct Shared<'a, 's> {
    session: &'a Session<'a>,
    root: &'a Root,
    threads: usize,
    /// Big files, each open to every thread.
    big: Vec<big::BigFile>,
    queue: Mutex<Queue>,
    done: Mutex<Done<'s>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Small files that are still to do, in path order.
struct Queue {
    files: IntoFiles<Found>,
    /// The place of the next among all that are wanted.
    next: usize,
}

/// Whether the threads share a file.
fn is_big(stat: &Stat) -> bool {
    stat.mode != Mode::Symlink && stat.size >= BIG_BYTES
}

impl Queue {
    fn new(wanted: FileList<Found>) -> Self {
        Self { files: wanted.into_iter(), next: 0 }
    }

    fn big(wanted: &FileList<Found>) -> Vec<big::BigFile> {
        if !wanted.values().any(|(stat, _)| is_big(&stat)) {
            return Vec::new();
        }
        let all = wanted.iter().enumerate();
        all.filter(|(_, found)| is_big(&found.stat)).map(big::BigFile::new).collect()
    }

    /// Takes some files that follow each other, and the place of the first.
    fn take(&mut self, batch: &mut Vec<Found>) -> usize {
        batch.clear();
        let (mut first, mut bytes) = (self.next, 0);
        for found in &mut self.files {
            self.next += 1;
            if is_big(&found.stat) {
                if batch.is_empty() {
                    first = self.next;
                    continue;
                }
                break;
            }
            bytes += found.stat.size;
            batch.push(found);
            if bytes >= BATCH_BYTES || batch.len() >= BATCH_FILES {
                break;
            }
        }
        first
    }

    /// Gives no more files.
    fn stop(&mut self) {
        self.files = FileList::default().into_iter();
    }
}

/// Files that follow each other, and what became of them: none for those that failed.
type Finished = Vec<(Found, Option<Ingested>)>;

/// What is done: given on in path order.
struct Done<'a> {
    /// The place of the next file that is to be given on.
    next: usize,
    /// What came before its turn, by the place of its first file.
    waiting: BTreeMap<usize, Finished>,
    failed: Vec<Failed>,
    sink: &'a mut (dyn FnMut(Found, Ingested) -> Result<()> + Send),
}

impl Done<'_> {
    fn take(&mut self, first: usize, files: Finished) -> Result<()> {
        self.waiting.insert(first, files);
        while let Some(files) = self.waiting.remove(&self.next) {
            self.next += files.len();
            for (found, ingested) in files {
                if let Some(ingested) = ingested {
                    (self.sink)(found, ingested)?;
                }
            }
        }
        Ok(())
    }
}

struct Worker<'a, 's> {
    shared: &'a Shared<'a, 's>,
    packer: Packer,
    buffer: Vec<u8>,
}

impl<'a, 's> Worker<'a, 's> {
    fn new(shared: &'a Shared<'a, 's>) -> Result<Self> {
        Ok(Self { shared, packer: shared.session.packer()?, buffer: Vec::new() })
    }

    /// Works until nothing is left. Big files come first, so that none is left to one thread: each
    /// thread begins with some of its own, and then helps with what others have begun.
    fn work(mut self, number: usize) -> Result<()> {
        let big = &self.shared.big;
        for file in big.iter().skip(number).step_by(self.shared.threads).chain(big) {
            big::take_part(&mut self, file)?;
        }
        let mut batch = Vec::new();
        loop {
            let first = lock(&self.shared.queue).take(&mut batch);
            if batch.is_empty() {
                break;
            }
            let mut finished = Finished::with_capacity(batch.len());
            for wanted in batch.drain(..) {
                let result = self.small(&wanted)?;
                finished.push(self.noted(wanted, result));
            }
            lock(&self.shared.done).take(first, finished)?;
        }
        self.shared.session.give_back(self.packer)
    }

    /// What became of a file, once it is known who failed.
    fn noted(&self, wanted: Found, result: Result<Ingested>) -> (Found, Option<Ingested>) {
        let ingested = result.map_err(|error| {
            let path = wanted.path.clone();
            lock(&self.shared.done).failed.push(Failed { path, error });
        });
        (wanted, ingested.ok())
    }

    /// Notes what became of the big file at a place among all.
    fn finished(&mut self, at: usize, wanted: Found, result: Result<Ingested>) -> Result<()> {
        let finished = vec![self.noted(wanted, result)];
        lock(&self.shared.done).take(at, finished)
    }

    /// Stores a file that is not big; what is wrong with this file alone is the inner result.
    fn small(&mut self, wanted: &Found) -> Result<Result<Ingested>> {
        let stat = match self.admitted(wanted) {
            Ok(stat) => stat,
            Err(error) if concerns_one_file(&error) => return Ok(Err(error)),
            Err(error) => return Err(error),
        };
        let file = FileId::of(&self.buffer);
        store_whole(self.shared.session, &mut self.packer, &self.buffer, file)?;
        let size = self.buffer.len() as u64;
        self.shared.session.repository().environment.progress.advance(1, size);
        Ok(Ok(Ingested { file: FileRef { mode: stat.mode, size, file }, stat }))
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

    /// The next chunk of the file, whose bytes `load` gives if they are wanted.
    ///
    /// # Errors
    ///
    /// The store's, and what `load` fails with.
    pub fn keep(
        &mut self,
        chunk: ChunkRef,
        load: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        if let Some(recipe) = &mut self.recipe
            && self.packer.knows(&Key::chunk(&chunk.id))
        {
            return push(self.session, recipe, chunk);
        }
        let mut bytes = Vec::with_capacity(chunk.len as usize);
        load(&mut bytes)?;
        self.push(chunk, &bytes)
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
