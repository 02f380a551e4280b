//! One big file, written by all threads in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Worker;
use super::former::Former;
use crate::format::recipe::ChunkRef;
use crate::model::Mode;
use crate::repo::Result;
use crate::repo::content::ChunkList;
use crate::worktree::Stat;
use crate::worktree::write::NewFile;

/// Chunks that a thread takes at a time.
const PIECE_CHUNKS: usize = 64;

/// A big file of the list.
pub(super) struct BigFile<'a> {
    index: usize,
    cursor: Mutex<Cursor<'a>>,
}

/// Where taking stands.
#[derive(Default)]
struct Cursor<'a> {
    open: Option<Open<'a>>,
    /// The file is written, or has failed: nothing more is to be taken.
    closed: bool,
}

struct Open<'a> {
    file: Arc<NewFile<'a>>,
    former: Option<Arc<Former>>,
    list: ChunkList,
    part: usize,
    chunks: std::vec::IntoIter<ChunkRef>,
    offset: u64,
    /// Pieces that threads are writing.
    pieces: usize,
}

/// Chunks that lie side by side in the file.
struct Piece<'a> {
    file: Arc<NewFile<'a>>,
    former: Option<Arc<Former>>,
    offset: u64,
    chunks: Vec<ChunkRef>,
}

impl<'a> BigFile<'a> {
    pub(super) fn new(index: usize) -> Self {
        Self { index, cursor: Mutex::default() }
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor<'a>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes pieces of `file` until none is left.
pub(super) fn take_part<'a>(worker: &mut Worker<'_, 'a>, file: &BigFile<'a>) -> Result<()> {
    loop {
        let outcome = match next_piece(worker, file) {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => write_piece(worker, piece).and_then(|()| give_back(file)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(stat)) => return worker.finished(file.index, Ok(stat)),
            Err(error) => {
                let mut cursor = file.cursor();
                cursor.open = None;
                let first = !std::mem::replace(&mut cursor.closed, true);
                drop(cursor);
                return if first { worker.finished(file.index, Err(error)) } else { Ok(()) };
            }
        }
    }
}

fn next_piece<'a>(worker: &mut Worker<'_, 'a>, file: &BigFile<'a>) -> Result<Option<Piece<'a>>> {
    let repository = worker.shared.repository;
    let mut cursor = file.cursor();
    if cursor.closed {
        return Ok(None);
    }
    if cursor.open.is_none() {
        cursor.open = Some(open(worker, file)?);
    }
    let Some(open) = cursor.open.as_mut() else { return Ok(None) };
    while open.chunks.len() == 0 {
        if open.part == open.list.part_count() {
            return Ok(None);
        }
        open.chunks = open.list.part(repository, open.part)?.into_iter();
        open.part += 1;
    }
    let chunks: Vec<_> = open.chunks.by_ref().take(PIECE_CHUNKS).collect();
    let offset = open.offset;
    open.offset += chunks.iter().map(|chunk| u64::from(chunk.len)).sum::<u64>();
    open.pieces += 1;
    let (file, former) = (Arc::clone(&open.file), open.former.clone());
    Ok(Some(Piece { file, former, offset, chunks }))
}

fn open<'a>(worker: &mut Worker<'_, 'a>, file: &BigFile<'a>) -> Result<Open<'a>> {
    let entry = &worker.shared.entries[file.index];
    let list = ChunkList::of(worker.shared.repository, &entry.file)?;
    let former = worker.shared.formers.open(worker.shared.repository, entry).map(Arc::new);
    let executable = entry.file.mode == Mode::Executable;
    let new = worker.hand.create(&entry.path, executable, entry.file.size)?;
    let chunks = Vec::new().into_iter();
    Ok(Open { file: Arc::new(new), former, list, part: 0, chunks, offset: 0, pieces: 0 })
}

fn write_piece(worker: &mut Worker<'_, '_>, piece: Piece<'_>) -> Result<()> {
    worker.gather.begin(piece.offset);
    for chunk in &piece.chunks {
        worker.copy(&piece.file, chunk, piece.former.as_deref())?;
    }
    Ok(worker.gather.flush(&piece.file)?)
}

/// Notes that a piece is written; the one who brings the last of them completes the file.
fn give_back(file: &BigFile<'_>) -> Result<Option<Stat>> {
    let mut cursor = file.cursor();
    let Some(open) = cursor.open.as_mut() else { return Ok(None) };
    open.pieces -= 1;
    let all_taken = open.chunks.len() == 0 && open.part == open.list.part_count();
    if open.pieces > 0 || !all_taken {
        return Ok(None);
    }
    cursor.closed = true;
    let finished = cursor.open.take().and_then(|open| Arc::into_inner(open.file));
    drop(cursor);
    finished.map(NewFile::finish).transpose().map_err(Into::into)
}
