//! Looking for records in many files at once.
//!
//! Files share chunks, and a chunk of lines mostly holds whole records: so every chunk is looked at
//! once, in the order in which chunks lie in packs, and only files that have a chunk with a match
//! are looked at one by one.
//! Not here: what is done with one file (`copies`).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::copies::Outcome;
use super::plan::Plan;
use super::records::{Candidate, Rest, Search};
use super::select::Selected;
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, FileId, FileRef, Mode as FileMode};
use crate::ops::Result;
use crate::repo::{self, ChunkList, Marks, Recent, Repository, Reuse, Shelf, parallel};
use crate::store::Location;
use crate::table::{DETECT_BYTES, End, Format, LineSearch, Look};

/// All threads together keep so many bytes of chunks for the next file.
const KEPT_BYTES: usize = 160 << 20;
/// So many chunks are taken at a time.
const BATCH: usize = 64;
/// Changes whenever another search could find other records in the same files.
const RULES: &[u8] = b"stem erase search 1\n";

/// What most chunks are: no match, whole records.
const PLAIN: Look = Look { hit: false, end: End::Whole, end_inside: End::Whole };

/// How pieces of files are read; its number is part of what is known of a chunk.
pub(super) type Reading<'s> = (u32, Arc<LineSearch<'s>>);

/// How a file is looked at.
#[derive(Clone)]
pub(super) enum Shape<'s> {
    /// Lines: how the first piece is read, and how the others are.
    Lines {
        format: Format,
        first: Reading<'s>,
        rest: Reading<'s>,
    },
    Parquet,
    Other,
}

/// One thread's reader.
pub(super) type Hands<'a> = RefCell<Reuse<'a>>;

/// A search at work in one repository.
pub(super) struct Hunt<'s> {
    pub(super) repository: &'s Repository,
    pub(super) search: &'s Search,
    readings: Mutex<Vec<Reading<'s>>>,
    /// The readings of formats in which no header matters.
    plain: Mutex<Vec<(Format, Reading<'s>, Reading<'s>)>>,
    /// What is known of chunks that are not plain.
    looks: RwLock<HashMap<(u32, ChunkId), Look>>,
    looked: Marks,
    /// A chunk could not be read.
    failed: AtomicBool,
    shelf: Arc<Shelf>,
    /// Whether it is asked which files the files become, for which they have to be read whole.
    pub(super) with_ids: bool,
    /// What was found among the same files before.
    known: Mutex<Option<Known>>,
}

/// What was found, and among which files.
#[derive(Clone)]
pub(super) struct Known {
    searched: String,
    rests: BTreeMap<FileId, Rest>,
    unproven: Vec<String>,
    absent_keys: Vec<String>,
    /// The chunks of what the files become.
    kept: Arc<Marks>,
    /// Whether this was found here, and not only said by a plan.
    seen: bool,
}

/// A file of several chunks.
struct Big<'c, 's> {
    candidate: &'c Candidate,
    shape: Shape<'s>,
}

/// A chunk to look at.
struct Piece<'s> {
    place: Option<Location>,
    reading: Reading<'s>,
    chunk: ChunkRef,
}

/// What is to be done, sorted by how.
#[derive(Default)]
struct Work<'c, 's> {
    small: Vec<(Option<Location>, &'c Candidate)>,
    big: Vec<Big<'c, 's>>,
    pieces: Vec<Piece<'s>>,
}

impl<'s> Hunt<'s> {
    /// The search for a plan. Where something is erased already, what files become may be that.
    pub(super) fn new(repository: &'s Repository, search: &'s Search) -> Self {
        Self {
            with_ids: !repository.overlay().is_empty(),
            repository,
            search,
            readings: Mutex::default(),
            plain: Mutex::default(),
            looks: RwLock::default(),
            looked: Marks::default(),
            failed: AtomicBool::new(false),
            shelf: Arc::new(Shelf::new(KEPT_BYTES, repository.threads())),
            known: Mutex::default(),
        }
    }

    /// The search of a plan: as long as the files to be looked at are those of the plan, only what
    /// it has found is looked at again. What a file holds cannot change.
    pub(super) fn of_plan(repository: &'s Repository, search: &'s Search, plan: &Plan) -> Self {
        let hunt = Self { with_ids: true, ..Self::new(repository, search) };
        let rest = |target: &super::plan::Target| {
            let (chunks, by_size) = (target.by_chunks?, target.by_size?);
            let (path, records) = (Vec::new(), target.records?);
            let rest = Rest { path, by: None, by_size, records, chunks, met: 0 };
            Some((target.file, rest))
        };
        let known = plan.searched.as_ref().map(|searched| Known {
            searched: searched.clone(),
            rests: plan.found.targets.iter().filter_map(rest).collect(),
            unproven: plan.found.unproven.clone(),
            absent_keys: plan.found.absent_keys.clone(),
            kept: Arc::default(),
            seen: false,
        });
        *hunt.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        hunt
    }

    /// A reader for one thread.
    pub(super) fn hands(&self) -> repo::Result<Hands<'s>> {
        Ok(RefCell::new(Reuse::new(self.repository, Arc::clone(&self.shelf))?))
    }

    /// Finds the files that hold such records, among `files`, which are sorted by their ids.
    pub(super) fn files(&self, files: &[Candidate], selected: &mut Selected) -> Result<()> {
        let searched = fingerprint(files);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|known| known.searched == searched);
        let known = match known {
            Some(known) if known.seen => known,
            Some(said) => match self.confirmed(files, said)? {
                Some(known) => known,
                None => self.found(files, searched)?,
            },
            None => self.found(files, searched)?,
        };
        for (id, rest) in &known.rests {
            rest.by.map_or(Ok(()), |by| self.repository.admit(&by))?;
            if let Ok(place) = files.binary_search_by_key(id, |candidate| candidate.file.file) {
                selected.files.insert(*id, files[place].file);
                selected.rests.insert(*id, rest.clone());
            }
        }
        selected.unproven.extend(known.unproven.iter().cloned());
        selected.absent_keys.extend(known.absent_keys.iter().cloned());
        selected.searched = Some(known.searched.clone());
        selected.kept = Arc::clone(&known.kept);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(())
    }

    /// What a plan says it has found, if looking at these files alone says the same.
    fn confirmed(&self, files: &[Candidate], said: Known) -> Result<Option<Known>> {
        let of_plan = |one: &&Candidate| said.rests.contains_key(&one.file.file);
        let mine: Vec<Candidate> = files.iter().filter(of_plan).cloned().collect();
        let outcomes = self.outcomes(&mine, false, &said.kept)?;
        let mut rests = BTreeMap::new();
        for (id, outcome) in outcomes {
            rests.extend(outcome.rest.map(|rest| (id, rest)));
        }
        let same = |rest: &Rest| (rest.chunks, rest.by_size, rest.records);
        let agrees = rests.len() == said.rests.len()
            && rests.iter().all(|(id, rest)| said.rests.get(id).map(same) == Some(same(rest)));
        Ok(agrees.then_some(Known { rests, seen: true, ..said }))
    }

    fn found(&self, files: &[Candidate], searched: String) -> Result<Known> {
        let (rests, unproven, absent_keys) = (BTreeMap::new(), Vec::new(), Vec::new());
        let kept = Arc::new(Marks::default());
        let outcomes = self.outcomes(files, true, &kept)?;
        let mut known = Known { searched, rests, unproven, absent_keys, kept, seen: true };
        for (id, outcome) in outcomes {
            known.unproven.extend(outcome.unproven);
            known.absent_keys.extend(outcome.absent_keys);
            // What a redaction finds empty already stays as it is.
            let rest = outcome.rest.filter(|rest| rest.records > 0);
            known.rests.extend(rest.map(|rest| (id, rest)));
        }
        Ok(known)
    }

    /// What comes of each file in which there is anything, by content. Where few are likely to have
    /// nothing, they are not looked at by chunks before.
    fn outcomes(
        &self,
        files: &[Candidate],
        by_chunks: bool,
        kept: &Marks,
    ) -> Result<Vec<(FileId, Outcome)>> {
        let Work { mut small, big, mut pieces } = self.sorted(files)?;
        pieces.sort_by_key(|piece| (piece.place, piece.reading.0));
        let bytes = pieces.iter().map(|piece| u64::from(piece.chunk.len)).sum();
        let progress = &repository_progress(self.repository);
        progress.begin("Searching", Some(files.len() as u64), Some(bytes));
        if by_chunks {
            self.look_at(&pieces)?;
        }
        drop(pieces);
        small.sort_by_key(|(place, candidate)| (*place, candidate.file.file));
        let found = Mutex::new(Vec::new());
        let add = |candidate: &Candidate, outcome: repo::Result<Outcome>| {
            progress.advance(1, 0);
            let outcome = match outcome {
                Ok(outcome) => outcome,
                // Of listings that were staged long ago, which need not be there.
                Err(_) if !candidate.must_be_there => return Ok(()),
                Err(error) => return Err(error),
            };
            if !outcome.is_empty() {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.push((candidate.file.file, outcome));
            }
            Ok(())
        };
        let threads = self.repository.threads();
        let batches: Vec<_> = small.chunks(BATCH).collect();
        parallel::each(
            threads,
            &batches,
            || self.hands(),
            |hands, batch| {
                hands.borrow_mut().next_file();
                for (_, candidate) in *batch {
                    add(candidate, self.small(hands, candidate, kept))?;
                }
                Ok(())
            },
        )?;
        parallel::each(
            threads,
            &big,
            || self.hands(),
            |hands, Big { candidate, shape }| {
                hands.borrow_mut().next_file();
                let is_plain = by_chunks.then(|| self.is_plain(candidate, shape));
                let outcome = match is_plain.unwrap_or(Ok(false)) {
                    Ok(true) => Ok(Outcome::default()),
                    Ok(false) => self.file(hands, candidate, shape, kept),
                    Err(error) => Err(error),
                };
                add(candidate, outcome)
            },
        )?;
        progress.end();
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(id, _)| *id);
        Ok(found)
    }

    /// Sorts files into small ones and big ones, and gathers the chunks of these, each once.
    fn sorted<'c>(&self, files: &'c [Candidate]) -> Result<Work<'c, 's>> {
        let batches: Vec<_> = files.chunks(BATCH).collect();
        let (all, queued) = (Mutex::new(Work::default()), Marks::default());
        parallel::each(
            self.repository.threads(),
            &batches,
            || Ok((self.hands()?, Recent::default())),
            |(hands, recent), batch| {
                let mut mine = Work::default();
                for candidate in *batch {
                    match self.sort(hands, candidate, (&queued, recent), &mut mine) {
                        Err(_) if !candidate.must_be_there => {}
                        done => done?,
                    }
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.small.append(&mut mine.small);
                all.big.append(&mut mine.big);
                all.pieces.append(&mut mine.pieces);
                Ok(())
            },
        )?;
        let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        // One state of a file after the other: neighbours share the most.
        all.big.sort_by_key(|big| (&big.candidate.path, big.candidate.met));
        Ok(all)
    }

    fn sort<'c>(
        &self,
        hands: &Hands<'_>,
        candidate: &'c Candidate,
        (queued, recent): (&Marks, &mut Recent),
        work: &mut Work<'c, 's>,
    ) -> repo::Result<()> {
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let head = if list.part_count() == 1 { list.part(self.repository, 0)? } else { Vec::new() };
        if let [chunk] = head[..] {
            work.small.push((self.place(&chunk), candidate));
            return Ok(());
        }
        let shape = self.shape(hands, candidate, &list)?;
        if let Shape::Lines { first, rest, .. } = &shape {
            let mut reading = first;
            for number in 0..list.part_count() {
                for chunk in list.part(self.repository, number)? {
                    let mark = mark(reading.0, &chunk);
                    if !recent.meets(&mark) && queued.add(&mark) {
                        let (place, reading) = (self.place(&chunk), reading.clone());
                        work.pieces.push(Piece { place, reading, chunk });
                    }
                    reading = rest;
                }
            }
        }
        work.big.push(Big { candidate, shape });
        Ok(())
    }

    fn place(&self, chunk: &ChunkRef) -> Option<Location> {
        self.repository.store.locate(&Key::chunk(&chunk.id)).ok().flatten()
    }

    /// How a file is looked at.
    pub(super) fn shape(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        list: &ChunkList,
    ) -> repo::Result<Shape<'s>> {
        if candidate.file.mode == FileMode::Symlink || list.part_count() == 0 {
            return Ok(Shape::Other);
        }
        let (part, mut head) = (list.part(self.repository, 0)?, Vec::new());
        for chunk in &part {
            if head.len() < DETECT_BYTES {
                hands.borrow_mut().load(chunk, &mut head)?;
            }
        }
        let format = Format::detect(&candidate.path, &head[..head.len().min(DETECT_BYTES)]);
        let plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, first, rest)) = plain.iter().find(|(known, ..)| *known == format) {
            let (first, rest) = (first.clone(), rest.clone());
            return Ok(Shape::Lines { format, first, rest });
        }
        drop(plain);
        match LineSearch::new(&self.search.selector, format) {
            None if format == Format::Parquet => Ok(Shape::Parquet),
            None => Ok(Shape::Other),
            Some(first) => {
                let mut stream = repo::ChunkStream::new(hands, &part);
                let rest = first.behind(&mut stream).map_err(super::copies::stored)?;
                let (first, rest) = (self.reading(first), self.reading(rest));
                if !matches!(format, Format::Csv { .. }) {
                    let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
                    plain.push((format, first.clone(), rest.clone()));
                }
                Ok(Shape::Lines { format, first, rest })
            }
        }
    }

    /// The number of a way to read.
    fn reading(&self, search: LineSearch<'s>) -> Reading<'s> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = readings.iter().find(|(_, known)| known.is_same(&search)) {
            return known.clone();
        }
        let reading = (readings.len() as u32, Arc::new(search));
        readings.push(reading.clone());
        reading
    }

    /// Looks at chunks in the order in which they lie.
    fn look_at(&self, pieces: &[Piece<'s>]) -> Result<()> {
        let batches: Vec<_> = pieces.chunks(BATCH).collect();
        let reader = || repo::Content::new(self.repository);
        parallel::each(self.repository.threads(), &batches, reader, |content, batch| {
            for Piece { reading, chunk, place } in *batch {
                let seen = content.chunk_at(chunk, *place, |bytes| {
                    self.note(reading, chunk, bytes);
                });
                // Whoever needs it is told when its file is looked at.
                if seen.is_err() {
                    self.failed.store(true, Relaxed);
                }
                repository_progress(self.repository).advance(0, u64::from(chunk.len));
            }
            Ok(())
        })?;
        Ok(())
    }

    fn note(&self, (number, search): &Reading<'s>, chunk: &ChunkRef, bytes: &[u8]) -> Look {
        let look = search.look(bytes);
        if look != PLAIN {
            let mut looks = self.looks.write().unwrap_or_else(PoisonError::into_inner);
            looks.insert((*number, chunk.id), look);
        }
        self.looked.add(&mark(*number, chunk));
        look
    }

    /// What is known of a chunk; it is looked at if nothing is.
    pub(super) fn look(
        &self,
        hands: &Hands<'_>,
        reading: &Reading<'s>,
        chunk: &ChunkRef,
    ) -> repo::Result<Look> {
        if self.looked.contains(&mark(reading.0, chunk)) {
            let looks = self.looks.read().unwrap_or_else(PoisonError::into_inner);
            return Ok(looks.get(&(reading.0, chunk.id)).copied().unwrap_or(PLAIN));
        }
        let mut bytes = Vec::with_capacity(chunk.len as usize);
        hands.borrow_mut().load(chunk, &mut bytes)?;
        Ok(self.note(reading, chunk, &bytes))
    }

    /// Whether all chunks of a file are plain.
    fn is_plain(&self, candidate: &Candidate, shape: &Shape<'s>) -> repo::Result<bool> {
        let Shape::Lines { first, rest, .. } = shape else { return Ok(false) };
        if self.failed.load(Relaxed) {
            return Ok(false);
        }
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let mut number = first.0;
        for part in 0..list.part_count() {
            let chunks = list.part(self.repository, part)?;
            let looks = self.looks.read().unwrap_or_else(PoisonError::into_inner);
            for chunk in chunks {
                if looks.contains_key(&(number, chunk.id)) {
                    return Ok(false);
                }
                number = rest.0;
            }
        }
        Ok(true)
    }

    /// A file of one chunk.
    fn small(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        kept: &Marks,
    ) -> repo::Result<Outcome> {
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let shape = self.shape(hands, candidate, &list)?;
        self.file(hands, candidate, &shape, kept)
    }
}

fn repository_progress(repository: &Repository) -> Arc<dyn crate::model::Progress> {
    Arc::clone(&repository.environment.progress)
}

/// What marks a chunk that is read in some way.
fn mark(reading: u32, chunk: &ChunkRef) -> Key {
    let mut id = *chunk.id.as_bytes();
    for (byte, other) in id.iter_mut().zip(reading.to_le_bytes()) {
        *byte ^= other;
    }
    Key::new(Kind::Chunk, id)
}

/// Says which files were looked at and how they were read, so that looking again would be in vain.
fn fingerprint(files: &[Candidate]) -> String {
    let mut bytes = RULES.to_vec();
    let mut hasher = Vec::new();
    for Candidate { file, path, must_be_there, .. } in files {
        let FileRef { mode, size, file } = file;
        hasher.extend_from_slice(file.as_bytes());
        hasher.extend_from_slice(&size.to_le_bytes());
        hasher.extend_from_slice(&[u8::from(*mode == FileMode::Symlink), u8::from(*must_be_there)]);
        hasher.extend_from_slice(&(path.len() as u64).to_le_bytes());
        hasher.extend_from_slice(path);
        if hasher.len() > 1 << 20 {
            bytes.extend_from_slice(ChunkId::of(&hasher).as_bytes());
            hasher.clear();
        }
    }
    bytes.extend_from_slice(&hasher);
    ChunkId::of(&bytes).to_hex()
}
