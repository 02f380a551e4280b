//! What a run does with files of which records go: it stores what they become, and takes windows
//! and fingerprints of what goes.

use std::collections::HashSet;
use std::sync::Mutex;

use super::canary::Canaries;
use super::copies::Stretch;
use super::hunt::{Hands, Hunt, Shape};
use super::records::Candidate;
use super::select::Selected;
use crate::model::{ChunkId, FileId, FileRef, Fingerprint};
use crate::ops::Result;
use crate::repo::{
    self, Assembler, ChunkList, ChunkStream, Session, Spliced, StoredFile, parallel,
};
use crate::sign::commitment::Salt;
use crate::table::{self, Format, Match, Mode, Source, Want};

/// So many windows of records are looked for.
const MOST_WINDOWS: usize = 400_000;
/// A longer stretch of a file is not held in memory to take windows of it: then they are taken of
/// its records in canonical form.
const MOST_HELD: u64 = 64 << 20;

/// Takes a record as it stands and in canonical form.
type Visit<'v> = dyn FnMut(&[u8], &[u8]) + 'v;

impl Hunt<'_> {
    /// Stores what the files become. Nothing refers to it yet.
    pub(super) fn store(&self, session: &Session<'_>, selected: &Selected) -> repo::Result<()> {
        let files = candidates(selected);
        let idle: Mutex<Vec<Assembler<'_, '_>>> = Mutex::default();
        let lock = || idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        parallel::each(
            self.repository.threads(),
            &files,
            || self.hands(),
            |hands, (one, by)| {
                hands.borrow_mut().next_file();
                let spare = lock().pop();
                let mut out = spare.map_or_else(|| Assembler::new(session), Ok)?;
                let rest = selected.rests.get(&one.file.file);
                let expected = rest.map_or_else(|| ChunkId::of(b""), |rest| rest.chunks);
                let made = self.copy(hands, one, &expected, &mut |chunk| match chunk {
                    Spliced::New(chunk, bytes) => out.push(chunk, bytes),
                    Spliced::Kept(chunk) => {
                        out.keep(chunk, |bytes| hands.borrow_mut().load(&chunk, bytes))
                    }
                })?;
                if !made {
                    let what = format!("{} without records is another file now", one.file.file);
                    return Err(repo::Error::Lost { what });
                }
                out.finish_file(*by)?;
                lock().push(out);
                Ok(())
            },
        )?;
        let idle = idle.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        idle.into_iter().try_for_each(Assembler::end)
    }

    /// Takes windows of the records that go, and gives the fingerprints of these.
    pub(super) fn watch(
        &self,
        selected: &Selected,
        salt: &Salt,
        canaries: &mut Canaries,
    ) -> Result<(HashSet<Fingerprint>, u64)> {
        let hands = self.hands()?;
        let (mut prints, mut met, mut unwatched) = (HashSet::new(), HashSet::new(), 0);
        let files = candidates(selected);
        for (one, _) in &files {
            self.records(&hands, one, &mut met, &mut |record, canonical| {
                prints.insert(table::fingerprint(salt.as_bytes(), canonical));
                let full = canaries.len() > MOST_WINDOWS;
                unwatched += u64::from(full || !canaries.sample_record(record));
            })?;
        }
        if self.search.mode != Mode::Drop {
            // A record that was redacted may be found again by the same selection.
            for (one, by) in &files {
                let size = selected.rests.get(&one.file.file).map_or(0, |rest| rest.by_size);
                let file = FileRef { mode: one.file.mode, size, file: *by };
                let copy = Candidate { file, ..one.clone() };
                self.records(&hands, &copy, &mut met, &mut |_, canonical| {
                    prints.remove(&table::fingerprint(salt.as_bytes(), canonical));
                })?;
            }
        }
        Ok((prints, unwatched))
    }

    /// Shows the records that are meant in a file, without those in stretches that were met.
    fn records(
        &self,
        hands: &Hands<'_>,
        candidate: &Candidate,
        met: &mut HashSet<Vec<[u8; 32]>>,
        visit: &mut Visit<'_>,
    ) -> repo::Result<()> {
        let list = ChunkList::of(self.repository, &candidate.file)?;
        let (first, rest) = match self.shape(hands, candidate, &list)? {
            Shape::Lines { first, rest, .. } => (first, rest),
            Shape::Parquet => return self.of_parquet(candidate, visit),
            Shape::Other => return Ok(()),
        };
        self.stretches(hands, &list, (&first, &rest), &mut |stretch| {
            let mut name: Vec<[u8; 32]> =
                stretch.chunks.iter().map(|chunk| *chunk.id.as_bytes()).collect();
            name.push(*FileId::of(&stretch.reading.0.to_le_bytes()).as_bytes());
            if stretch.hit && met.insert(name) {
                show(hands, &stretch, visit)?;
            }
            Ok(())
        })
    }

    fn of_parquet(&self, candidate: &Candidate, visit: &mut Visit<'_>) -> repo::Result<()> {
        let source = Source::seekable(StoredFile::open(self.repository, &candidate.file)?);
        let mut found = |one: Match| {
            let canonical = one.canonical.unwrap_or_default();
            visit(&canonical, &canonical);
        };
        let (selector, want) = (&self.search.selector, Want::Records);
        table::scan(source, Format::Parquet, selector, want, &mut found)
            .map_err(super::copies::stored)?;
        Ok(())
    }
}

fn show(
    hands: &Hands<'_>,
    stretch: &Stretch<'_, '_, '_>,
    visit: &mut Visit<'_>,
) -> repo::Result<()> {
    let length: u64 = stretch.chunks.iter().map(|chunk| u64::from(chunk.len)).sum();
    let mut bytes = Vec::new();
    if length <= MOST_HELD {
        for chunk in stretch.chunks {
            hands.borrow_mut().load(chunk, &mut bytes)?;
        }
    }
    let mut found = |one: Match| {
        let canonical = one.canonical.unwrap_or_default();
        let range = one.bytes.map(|range| range.start as usize..range.end as usize);
        visit(range.and_then(|range| bytes.get(range)).unwrap_or(&canonical), &canonical);
    };
    let mut stream = ChunkStream::new(hands, stretch.chunks);
    let seen = stretch.reading.1.scan(&mut stream, Want::Records, &mut found);
    seen.map_err(super::copies::stored)?;
    Ok(())
}

/// The files of which records go, and what they become; states of one file one after the other.
fn candidates(selected: &Selected) -> Vec<(Candidate, FileId)> {
    let mut files: Vec<(Candidate, FileId)> = selected
        .rests
        .iter()
        .filter_map(|(id, rest)| {
            let file = *selected.files.get(id)?;
            let (path, met) = (rest.path.clone(), rest.met);
            Some((Candidate { file, path, must_be_there: true, met }, rest.by?))
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| (&a.path, a.met).cmp(&(&b.path, b.met)));
    files
}
