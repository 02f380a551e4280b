//! One file that may hold records to be erased: what it holds, and what it becomes.
//!
//! A file of lines is read in stretches: chunks of it that begin and end where records do. Only
//! stretches in which something may be found are read; the others are kept as they are.

use std::io::{self, Write};
use std::sync::mpsc;

use super::hunt::{Hands, Hunt, Reading, Shape};
use super::records::{Candidate, Rest, note};
use crate::chunk::{PROFILE_BYTES, Profile};
use crate::format::frame::Key;
use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, FileId, FileRef, RepoPath};
use crate::repo::{self, ChunkList, ChunkStream, Joined, Marks, Splice, Spliced, StoredFile};
use crate::table::{self, End, Format, LineSearch, Mode, Rewritten, Source, Unreadable, Want};

/// So many pieces of a rewritten Parquet file wait to be cut.
const WAITING: usize = 4;
const PIECE: usize = 256 << 10;

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) unproven: Vec<String>,
    pub(super) absent_keys: Vec<String>,
    pub(super) rest: Option<Rest>,
}

impl Outcome {
    pub(super) fn is_empty(&self) -> bool {
        self.unproven.is_empty() && self.absent_keys.is_empty() && self.rest.is_none()
    }
}

/// Chunks of a file that are read as one.
pub(super) struct Stretch<'c, 'h, 's> {
    pub(super) chunks: &'c [ChunkRef],
    pub(super) reading: &'h Reading<'s>,
    /// Whether the file begins here.
    pub(super) first: bool,
    /// Whether there may be something in it.
    pub(super) hit: bool,
}

/// A file that is made of another one.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) file: Option<FileId>,
    pub(super) size: u64,
    matched: u64,
    changed: u64,
    unreadable: u64,
}

impl Copied {
    fn add(&mut self, done: &Rewritten) {
        self.matched += done.matched;
        self.changed += done.changed;
        self.unreadable += done.unreadable.count;
    }

    /// How many records went, or were changed.
    fn records(&self, mode: &Mode) -> u64 {
        match mode {
            Mode::Drop => self.matched,
            Mode::Redact { .. } => self.changed,
        }
    }
}

/// What a table says of a store: that it cannot be read. Anything else does not happen to lines.
pub(super) fn stored(error: table::Error) -> repo::Error {
    match error {
        table::Error::Read(error) | table::Error::Write(error) => {
            match error.downcast::<repo::Error>() {
                Ok(error) => error,
                Err(error) => repo::Error::Lost { what: super::chain(&error) },
            }
        }
        error => repo::Error::Lost { what: super::chain(&error) },
    }
}

impl<'s> Hunt<'s> {
    /// Looks at a file.
    pub(super) fn file(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        shape: &Shape<'s>,
        kept: &Marks,
    ) -> repo::Result<Outcome> {
        match shape {
            Shape::Other => self.other(hands, candidate),
            Shape::Parquet => self.parquet(hands, candidate, kept),
            Shape::Lines { format, first, rest } => {
                let columns = matches!(format, Format::Csv { .. });
                self.lines(hands, candidate, (first, rest), columns, kept)
            }
        }
    }

    /// A file without records: whether the text stands in it.
    fn other(&self, hands: &Hands<'_>, candidate: &Candidate) -> repo::Result<Outcome> {
        let mut outcome = Outcome::default();
        let Some(text) = self.search.text.as_ref().map(String::as_bytes) else {
            return Ok(outcome);
        };
        let finder = memchr::memmem::Finder::new(text);
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let mut buffer: Vec<u8> = Vec::new();
        for number in 0..list.part_count() {
            for chunk in list.part(self.repository, number)? {
                // The text may lie across two chunks.
                buffer.drain(..buffer.len().saturating_sub(text.len() - 1));
                hands.borrow_mut().load(&chunk, &mut buffer)?;
                if finder.find(&buffer).is_some() {
                    let (shown, id) = (shown(candidate), candidate.file.file.to_hex());
                    let what = "holds the text, in a format without records: not rewritten";
                    outcome.unproven.push(format!("{shown} ({id:.12}) {what}"));
                    return Ok(outcome);
                }
            }
        }
        Ok(outcome)
    }

    fn lines(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        (first, rest): (&Reading<'s>, &Reading<'s>),
        columns: bool,
        kept: &Marks,
    ) -> repo::Result<Outcome> {
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let (mut outcome, mut matched, mut unreadable) = (Outcome::default(), 0, 0);
        self.stretches(hands, &list, (first, rest), &mut |stretch| {
            if !stretch.hit {
                return Ok(());
            }
            let mut stream = ChunkStream::new(hands, stretch.chunks);
            let seen = stretch.reading.1.scan(&mut stream, Want::Places, &mut |_| {});
            let seen = seen.map_err(stored)?;
            matched += seen.matched;
            unreadable += seen.unreadable.count;
            if stretch.first && columns {
                let named = |key| format!("{}: {key}", shown(candidate));
                outcome.absent_keys.extend(seen.absent_keys.into_iter().map(named));
            }
            Ok(())
        })?;
        if matched > 0 {
            let mut chunks = Listed::default();
            let sink = &mut |chunk: Spliced<'_>| chunks.keep(kept, &chunk);
            let copied = self.splice(hands, &list, (first, rest), self.with_ids, sink)?;
            unreadable = copied.unreadable;
            outcome.rest = Some(self.rest(candidate, &copied, &chunks));
        }
        if unreadable > 0 {
            let mode = (matched > 0).then_some(&self.search.mode);
            let rows = self.rows(hands, &list, &first.1, mode)?;
            note(&rows, &shown(candidate), &mut outcome.unproven);
        }
        Ok(outcome)
    }

    fn rest(&self, candidate: &Candidate, copied: &Copied, chunks: &Listed) -> Rest {
        let (path, records) = (candidate.path.clone(), copied.records(&self.search.mode));
        let (by, by_size, chunks) = (copied.file, copied.size, chunks.0);
        Rest { path, by, by_size, records, chunks, met: candidate.met }
    }

    /// The rows of a whole file that cannot be read, with their numbers.
    fn rows(
        &self,
        hands: &Hands<'_>,
        list: &ChunkList,
        search: &LineSearch<'_>,
        mode: Option<&Mode>,
    ) -> repo::Result<Unreadable> {
        let chunks = self.chunks(list)?;
        let mut stream = ChunkStream::new(hands, &chunks);
        match mode {
            None => search
                .scan(&mut stream, Want::Places, &mut |_| {})
                .map(|seen| seen.unreadable)
                .map_err(stored),
            Some(mode) => search
                .rewrite(&mut stream, &mut io::sink(), (mode, Want::Places), &mut |_| {})
                .map(|done| done.unreadable)
                .map_err(stored),
        }
    }

    fn chunks(&self, list: &ChunkList) -> repo::Result<Vec<ChunkRef>> {
        let mut chunks = Vec::new();
        for number in 0..list.part_count() {
            chunks.extend(list.part(self.repository, number)?);
        }
        Ok(chunks)
    }

    /// Shows a file of lines to `visit`, stretch by stretch.
    pub(super) fn stretches(
        &self,
        hands: &Hands<'_>,
        list: &ChunkList,
        (first, rest): (&Reading<'s>, &Reading<'s>),
        visit: &mut dyn FnMut(Stretch<'_, '_, 's>) -> repo::Result<()>,
    ) -> repo::Result<()> {
        let (mut open, mut hit, mut end) = (Vec::new(), false, End::Whole);
        let mut is_first = true;
        for number in 0..list.part_count() {
            for chunk in list.part(self.repository, number)? {
                let alone = open.is_empty();
                let reading = if is_first && alone { first } else { rest };
                let look = self.look(hands, reading, &chunk)?;
                open.push(chunk);
                // Records that lie across chunks have not been looked at by chunks.
                hit = if alone { look.hit } else { true };
                end = match end {
                    End::Whole => look.end,
                    End::Inside => look.end_inside,
                    End::Unknown => End::Unknown,
                };
                if end == End::Whole {
                    let reading = if is_first { first } else { rest };
                    visit(Stretch { chunks: &open, reading, first: is_first, hit })?;
                    open.clear();
                    is_first = false;
                }
            }
        }
        if !open.is_empty() {
            let reading = if is_first { first } else { rest };
            visit(Stretch { chunks: &open, reading, first: is_first, hit })?;
        }
        Ok(())
    }

    /// Makes of a file of lines what it becomes, and gives its chunks to `sink`.
    fn splice(
        &self,
        hands: &Hands<'_>,
        list: &ChunkList,
        readings: (&Reading<'s>, &Reading<'s>),
        with_id: bool,
        sink: &mut repo::Sink<'_>,
    ) -> repo::Result<Copied> {
        let mut head = Vec::new();
        if let Some(chunk) = list.part(self.repository, 0)?.first() {
            hands.borrow_mut().load(chunk, &mut head)?;
        }
        let old = Profile::of(&head[..head.len().min(PROFILE_BYTES)]);
        let mut load = |chunk: &ChunkRef, out: &mut Vec<u8>| hands.borrow_mut().load(chunk, out);
        let mut splice = Splice::new(old, with_id, &mut load, sink);
        let mut copied = Copied::default();
        self.stretches(hands, list, readings, &mut |stretch| {
            if !stretch.hit {
                return stretch.chunks.iter().try_for_each(|chunk| splice.keep(chunk));
            }
            splice.change()?;
            let mut stream = ChunkStream::new(hands, stretch.chunks);
            let how = (&self.search.mode, Want::Places);
            let done = stretch.reading.1.rewrite(&mut stream, &mut splice, how, &mut |_| {});
            copied.add(&done.map_err(stored)?);
            Ok(())
        })?;
        let Joined { file, size } = splice.finish()?;
        Ok(Copied { file, size, ..copied })
    }

    fn parquet(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        kept: &Marks,
    ) -> repo::Result<Outcome> {
        let mut outcome = Outcome::default();
        self.check(hands, &candidate.file)?;
        let shown = shown(candidate);
        let bad = |error: table::Error| {
            let id = candidate.file.file.to_hex();
            format!("{shown} ({id:.12}): {}", super::chain(&error))
        };
        let source = Source::seekable(StoredFile::open(self.repository, &candidate.file)?);
        let (selector, want) = (&self.search.selector, Want::Places);
        let seen = match table::scan(source, Format::Parquet, selector, want, &mut |_| {}) {
            Ok(seen) => seen,
            Err(error) => {
                outcome.unproven.push(bad(error));
                return Ok(outcome);
            }
        };
        outcome.absent_keys =
            seen.absent_keys.iter().map(|key| format!("{shown}: {key}")).collect();
        if seen.matched == 0 {
            note(&seen.unreadable, &shown, &mut outcome.unproven);
            return Ok(outcome);
        }
        let mut chunks = Listed::default();
        let sink = &mut |chunk: Spliced<'_>| chunks.keep(kept, &chunk);
        match self.rewritten(&candidate.file, self.with_ids, sink)? {
            Ok((copied, unreadable)) => {
                note(&unreadable, &shown, &mut outcome.unproven);
                outcome.rest = Some(self.rest(candidate, &copied, &chunks));
            }
            Err(error) => outcome.unproven.push(bad(error)),
        }
        Ok(outcome)
    }

    /// The whole of a file must be what its id says: a reader of Parquet cannot tell a store that
    /// cannot be read from a file that is damaged.
    fn check(&self, hands: &Hands<'_>, file: &FileRef) -> repo::Result<()> {
        let chunks = self.chunks(&ChunkList::of(self.repository, file)?)?;
        let id = repo::hash_stream(&mut ChunkStream::new(hands, &chunks))
            .map_err(|error| stored(table::Error::Read(error)))?;
        if id != file.file {
            let problem = "its chunks make another file".to_owned();
            return Err(repo::Error::DamagedFile { file: file.file, problem });
        }
        Ok(())
    }

    /// Makes of a Parquet file what it becomes, and gives its chunks to `sink`.
    fn rewritten(
        &self,
        file: &FileRef,
        with_id: bool,
        sink: &mut repo::Sink<'_>,
    ) -> repo::Result<Result<(Copied, Unreadable), table::Error>> {
        let stored = StoredFile::open(self.repository, file)?;
        let mut load = |_: &ChunkRef, _: &mut Vec<u8>| Ok(());
        let mut splice = Splice::new(Profile::Bytes, with_id, &mut load, sink);
        let (sender, pieces) = mpsc::sync_channel(WAITING);
        let how = (&self.search.selector, &self.search.mode, Want::Places);
        // The writer of Parquet wants to be moved between threads, and what cuts cannot be.
        let done = std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let mut out = io::BufWriter::with_capacity(PIECE, Pipe(sender));
                let source = Source::seekable(stored);
                let done = table::rewrite(source, &mut out, Format::Parquet, how, &mut |_| {})?;
                out.flush().map_err(table::Error::Write)?;
                Ok(done)
            });
            let cut = pieces.into_iter().try_for_each(|piece: Vec<u8>| splice.write(&piece));
            let done = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            cut.map(|()| done)
        })?;
        let done = match done {
            Ok(done) => done,
            Err(error) => return Ok(Err(error)),
        };
        let Joined { file, size } = splice.finish()?;
        let mut copied = Copied { file, size, ..Copied::default() };
        copied.add(&done);
        Ok(Ok((copied, done.unreadable)))
    }

    /// Makes what a file becomes once more, and gives its chunks to `sink`; whether they are those
    /// that were found to make it.
    pub(super) fn copy(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        expected: &ChunkId,
        sink: &mut repo::Sink<'_>,
    ) -> repo::Result<bool> {
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let mut chunks = Listed::default();
        let sink = &mut |chunk: Spliced<'_>| {
            chunks.add(&chunk);
            sink(chunk)
        };
        match self.shape(hands, candidate, &list)? {
            Shape::Lines { first, rest, .. } => {
                // They are hashed no second time: no other bytes have the same chunks.
                self.splice(hands, &list, (&first, &rest), false, sink)?;
            }
            Shape::Parquet => {
                self.rewritten(&candidate.file, false, sink)?.map_err(stored)?;
            }
            Shape::Other => return Ok(false),
        }
        Ok(chunks.0 == *expected)
    }
}

/// Sends what is written to another thread.
struct Pipe(mpsc::SyncSender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody listens any more once something has failed there.
        self.0.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The chunks of what a file becomes, in their order, as one hash.
struct Listed(ChunkId);

impl Default for Listed {
    fn default() -> Self {
        Self(ChunkId::of(b""))
    }
}

impl Listed {
    fn add(&mut self, chunk: &Spliced<'_>) -> Key {
        let (Spliced::Kept(chunk) | Spliced::New(chunk, _)) = chunk;
        let (before, length) = (*self.0.as_bytes(), chunk.len.to_le_bytes());
        self.0 = ChunkId::of(&[&before, &chunk.id.as_bytes()[..], &length].concat());
        Key::chunk(&chunk.id)
    }

    fn keep(&mut self, kept: &Marks, chunk: &Spliced<'_>) -> repo::Result<()> {
        kept.add(&self.add(chunk));
        Ok(())
    }
}

fn shown(candidate: &Candidate) -> String {
    RepoPath::show_bytes(&candidate.path)
}
