//! One big file, read by all threads in turn.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Ingested, Worker, concerns_one_file, finish_recipe, push};
use crate::chunk::{PROFILE_BYTES, Profile, next_cut};
use crate::format::frame::Key;
use crate::format::recipe::{ChunkRef, RecipeBuilder};
use crate::model::{ChunkId, FileId, FileRef};
use crate::repo::{Error, Result, banned, hash_file};
use crate::worktree::{self, Found, Stat};

/// How much is read under the cursor's lock. It is cut, hashed and packed while it lies in the
/// core's own cache.
const BLOCK_BYTES: usize = 1 << 20;

/// A big file of the queue.
pub(super) struct BigFile {
    /// Its place among all that are wanted.
    index: usize,
    wanted: Found,
    cursor: Mutex<Cursor>,
    whole: Mutex<Whole>,
    /// Tells that the next block may be hashed.
    hashed: Condvar,
    assembly: Mutex<Assembly>,
}

/// Where reading stands.
#[derive(Default)]
struct Cursor {
    open: Option<Open>,
    blocks: u64,
    done: bool,
}

struct Open {
    file: File,
    before: Stat,
    profile: Option<Profile>,
    carry: Vec<u8>,
    size: u64,
}

/// The hash of the whole file, as far as its blocks have come in.
#[derive(Default)]
struct Whole {
    hasher: blake3::Hasher,
    next: u64,
}

/// The recipe as far as its blocks have come in.
#[derive(Default)]
struct Assembly {
    recipe: Option<RecipeBuilder>,
    next: u64,
    waiting: BTreeMap<u64, Vec<ChunkRef>>,
    /// Set when reading has ended: how many blocks there are, and what the file is.
    end: Option<(u64, Ingested)>,
    /// The file failed or is complete.
    closed: bool,
}

/// A block of whole chunks, and the beginning of the next one.
struct Block {
    number: u64,
    profile: Profile,
    /// Before this the buffer has what the block before has left.
    fresh: usize,
    cuts: Vec<usize>,
    /// How the file looks, if it ends here.
    after: Option<Stat>,
}

impl BigFile {
    pub(super) fn new((index, wanted): (usize, Found)) -> Self {
        let (cursor, whole, hashed, assembly) = Default::default();
        Self { index, wanted, cursor, whole, hashed, assembly }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes blocks of `file` until none is left.
pub(super) fn take_part(worker: &mut Worker<'_, '_>, file: &BigFile) -> Result<()> {
    loop {
        let next = read_block(worker, file).and_then(|block| {
            let Some(block) = block else { return Ok(None) };
            let end = hash_block(worker, file, &block)?;
            Ok(Some((block, end)))
        });
        let (block, end) = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(()),
            Err(error) if concerns_one_file(&error) => {
                lock(&file.cursor).done = true;
                let mut assembly = lock(&file.assembly);
                if !assembly.closed {
                    assembly.closed = true;
                    worker.finished(file.index, file.wanted.clone(), Err(error))?;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let chunks = store_block(worker, &block)?;
        assemble(worker, file, &block, end, chunks)?;
    }
}

/// Hashes a block into the file's id when all before it have been, which other threads do as soon as
/// they have read them. Reading the next block goes on meanwhile. With the last one comes what the
/// file is, if it may come in: it may be another one than was looked at before.
fn hash_block(worker: &Worker<'_, '_>, file: &BigFile, block: &Block) -> Result<Option<Ingested>> {
    let comes_later = |whole: &mut Whole| whole.next != block.number;
    let whole = file.hashed.wait_while(lock(&file.whole), comes_later);
    let mut whole = whole.unwrap_or_else(PoisonError::into_inner);
    whole.hasher.update(&worker.buffer[block.fresh..]);
    whole.next += 1;
    file.hashed.notify_all();
    let Some(stat) = block.after else { return Ok(None) };
    let file = FileId::from_bytes(*whole.hasher.finalize().as_bytes());
    worker.shared.session.repository().admit(&file)?;
    Ok(Some(Ingested { file: FileRef { mode: stat.mode, size: stat.size, file }, stat }))
}

/// Reads the next block into the worker's buffer, and cuts it.
fn read_block(worker: &mut Worker<'_, '_>, file: &BigFile) -> Result<Option<Block>> {
    let mut cursor = lock(&file.cursor);
    if cursor.done {
        return Ok(None);
    }
    let wanted = &file.wanted;
    if cursor.open.is_none() {
        // Chunks go into packs long before the whole is known, so what may have to be refused is
        // read twice.
        if worker.shared.may_refuse(wanted.stat.size) {
            let mut buffer = Vec::new();
            let (_, file) =
                hash_file(worker.shared.root, &wanted.path, wanted.stat.mode, &mut buffer)?;
            worker.shared.session.repository().admit(&file)?;
        }
        let overlay = worker.shared.session.repository().overlay();
        if overlay.bans_records() {
            let open = || Ok(worker.shared.root.open_file(&wanted.path)?.0);
            banned::admit_file(overlay.bans(), &wanted.path, &open)?;
        }
        let (handle, before) = worker.shared.root.open_file(&wanted.path)?;
        cursor.open =
            Some(Open { file: handle, before, profile: None, carry: Vec::new(), size: 0 });
    }
    let number = cursor.blocks;
    let Some(open) = cursor.open.as_mut() else { return Ok(None) };
    let buffer = &mut worker.buffer;
    let io =
        |source| Error::Io { path: worker.shared.root.path().join(wanted.path.show()), source };
    buffer.clear();
    buffer.append(&mut open.carry);
    let fresh = buffer.len();
    let read = (&open.file).take(BLOCK_BYTES as u64).read_to_end(buffer).map_err(io)?;
    open.size += read as u64;
    let at_end = read < BLOCK_BYTES;
    let profile = *open
        .profile
        .get_or_insert_with(|| Profile::of(&buffer[..buffer.len().min(PROFILE_BYTES)]));
    let cuts = cut(buffer, profile, at_end);
    let used = cuts.last().copied().unwrap_or(0);
    open.carry.extend_from_slice(&buffer[used..]);
    let after = if at_end { Some(ended(open, wanted)?) } else { None };
    cursor.blocks += 1;
    cursor.done = at_end;
    if at_end {
        cursor.open = None;
    }
    worker.shared.session.repository().environment.progress.advance(u64::from(at_end), read as u64);
    Ok(Some(Block { number, profile, fresh, cuts, after }))
}

/// How the file looks, if it did not change while it was read.
fn ended(open: &Open, wanted: &Found) -> Result<Stat> {
    let after = Stat::of_file(&open.file)
        .map_err(|source| Error::Io { path: wanted.path.show().into(), source })?;
    if after != open.before || after.size != open.size {
        return Err(worktree::Error::Changing { path: wanted.path.clone() }.into());
    }
    Ok(after)
}

/// The ends of the chunks that lie whole in `data`.
fn cut(data: &[u8], profile: Profile, at_end: bool) -> Vec<usize> {
    let mut cuts = Vec::with_capacity(data.len() / profile.sizes().min);
    let mut start = 0;
    while start < data.len() {
        let Some(length) = next_cut(&data[start..], profile, at_end) else { break };
        start += length;
        cuts.push(start);
    }
    cuts
}

fn store_block(worker: &mut Worker<'_, '_>, block: &Block) -> Result<Vec<ChunkRef>> {
    let mut chunks = Vec::with_capacity(block.cuts.len());
    let mut start = 0;
    for &end in &block.cuts {
        let piece = &worker.buffer[start..end];
        let id = ChunkId::of(piece);
        worker.shared.session.put_chunk(&mut worker.packer, &Key::chunk(&id), piece)?;
        chunks.push(ChunkRef { id, len: piece.len() as u32 });
        start = end;
    }
    Ok(chunks)
}

/// Adds a block's chunks to the recipe, in order; the last one to come completes it.
fn assemble(
    worker: &mut Worker<'_, '_>,
    file: &BigFile,
    block: &Block,
    end: Option<Ingested>,
    chunks: Vec<ChunkRef>,
) -> Result<()> {
    let session = worker.shared.session;
    let mut assembly = lock(&file.assembly);
    let assembly = &mut *assembly;
    if let Some(ingested) = end {
        assembly.end = Some((block.number + 1, ingested));
    }
    assembly.waiting.insert(block.number, chunks);
    let recipe = assembly.recipe.get_or_insert_with(|| RecipeBuilder::new(block.profile));
    while let Some(chunks) = assembly.waiting.remove(&assembly.next) {
        assembly.next += 1;
        for chunk in chunks {
            push(session, recipe, chunk)?;
        }
    }
    match assembly.end {
        Some((blocks, ingested)) if blocks == assembly.next && !assembly.closed => {
            assembly.closed = true;
            if let Some(recipe) = assembly.recipe.take() {
                finish_recipe(session, recipe, ingested.file.file)?;
            }
            worker.finished(file.index, file.wanted.clone(), Ok(ingested))?;
        }
        _ => {}
    }
    Ok(())
}
