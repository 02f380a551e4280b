//! A file made of another one: chunks that are kept as they are, and bytes written in the place of
//! others.
//!
//! Invariant: the chunks are those that the new file has when it is read from its beginning. A cut
//! depends on what follows it, up to the length of the longest chunk and on where the file ends, so
//! a chunk of the other file counts only once so much behind its beginning is known to be kept.

use std::collections::VecDeque;
use std::io;

use crate::chunk::{PROFILE_BYTES, Profile, next_cut};
use crate::format::recipe::ChunkRef;
use crate::model::{ChunkId, FileId};
use crate::repo::Result;

/// A chunk of the new file.
#[derive(Debug)]
pub enum Spliced<'c> {
    /// One that the other file has too.
    Kept(ChunkRef),
    /// A new one, and its bytes.
    New(ChunkRef, &'c [u8]),
}

/// Gives the bytes of a chunk of the other file, behind what is in the buffer already.
pub type Load<'s> = dyn FnMut(&ChunkRef, &mut Vec<u8>) -> Result<()> + 's;
/// Takes the chunks of the new file, in order.
pub type Sink<'s> = dyn FnMut(Spliced<'_>) -> Result<()> + 's;

/// What has been spliced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// The new file, if it was asked for.
    pub file: Option<FileId>,
    /// Its length in bytes.
    pub size: u64,
}

/// Makes a file. Memory does not grow with it, but with the longest chunk.
pub struct Splice<'s> {
    load: &'s mut Load<'s>,
    sink: &'s mut Sink<'s>,
    hasher: Option<Hasher>,
    size: u64,
    /// The profile of the other file.
    old: Profile,
    /// The profile of this one, once its first chunk is cut.
    profile: Option<Profile>,
    /// Chunks that are kept, if nothing behind them is changed. Used while `raw` is empty.
    pending: VecDeque<ChunkRef>,
    pending_bytes: usize,
    /// What has to be cut anew.
    raw: Vec<u8>,
    /// Where in `raw` chunks of the other file begin.
    starts: VecDeque<(usize, ChunkRef)>,
    /// Behind this place in `raw` there is nothing but chunks of the other file.
    changed: usize,
    /// The bytes of one chunk.
    buffer: Vec<u8>,
}

impl<'s> Splice<'s> {
    /// Begins a file that is made of one of profile `old`. With `with_id` it is hashed, and every
    /// byte of it read.
    pub fn new(
        old: Profile,
        with_id: bool,
        load: &'s mut Load<'s>,
        sink: &'s mut Sink<'s>,
    ) -> Self {
        Self {
            load,
            sink,
            hasher: with_id.then(Hasher::default),
            size: 0,
            old,
            profile: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            raw: Vec::new(),
            starts: VecDeque::new(),
            changed: 0,
            buffer: Vec::new(),
        }
    }

    /// The next bytes are a chunk of the other file.
    ///
    /// # Errors
    ///
    /// What loading and storing fail with.
    pub fn keep(&mut self, chunk: &ChunkRef) -> Result<()> {
        self.size += u64::from(chunk.len);
        if self.hasher.is_some() || !self.raw.is_empty() {
            self.buffer.clear();
            (self.load)(chunk, &mut self.buffer)?;
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buffer);
        }
        if self.raw.is_empty() {
            self.pending.push_back(*chunk);
            self.pending_bytes += chunk.len as usize;
            return self.release(false);
        }
        self.starts.push_back((self.raw.len(), *chunk));
        self.raw.extend_from_slice(&self.buffer);
        self.cut(false)
    }

    /// The next bytes are these.
    ///
    /// # Errors
    ///
    /// As [`Splice::keep`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.change()?;
        self.size += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.raw.extend_from_slice(bytes);
        self.changed = self.raw.len();
        self.cut(false)
    }

    /// Here something of the other file is left out, or put in.
    ///
    /// # Errors
    ///
    /// As [`Splice::keep`].
    pub fn change(&mut self) -> Result<()> {
        for chunk in std::mem::take(&mut self.pending) {
            self.starts.push_back((self.raw.len(), chunk));
            (self.load)(&chunk, &mut self.raw)?;
        }
        self.pending_bytes = 0;
        self.changed = self.raw.len();
        Ok(())
    }

    /// The file ends here.
    ///
    /// # Errors
    ///
    /// As [`Splice::keep`].
    pub fn finish(mut self) -> Result<Joined> {
        self.cut(true)?;
        self.release(true)?;
        let file = self.hasher.map(Hasher::finish);
        Ok(Joined { file, size: self.size })
    }

    /// Gives out the kept chunks that no change behind them can touch any more.
    fn release(&mut self, at_end: bool) -> Result<()> {
        while let Some(chunk) = self.pending.front().copied() {
            if !at_end && self.pending_bytes < self.old.sizes().max {
                return Ok(());
            }
            self.pending.pop_front();
            self.pending_bytes -= chunk.len as usize;
            self.profile = Some(self.old);
            (self.sink)(Spliced::Kept(chunk))?;
        }
        Ok(())
    }

    /// Cuts what has to be cut, as far as that can be said.
    fn cut(&mut self, at_end: bool) -> Result<()> {
        if self.profile.is_none() && (at_end || self.raw.len() >= PROFILE_BYTES) {
            self.profile = Some(Profile::of(&self.raw[..self.raw.len().min(PROFILE_BYTES)]));
        }
        let Some(profile) = self.profile else { return Ok(()) };
        let mut at = 0;
        while let Some(length) = next_cut(&self.raw[at..], profile, at_end) {
            let bytes = &self.raw[at..at + length];
            let chunk = ChunkRef { id: ChunkId::of(bytes), len: length as u32 };
            (self.sink)(Spliced::New(chunk, bytes))?;
            at += length;
            while self.starts.front().is_some_and(|(start, _)| *start < at) {
                self.starts.pop_front();
            }
            let meets = self.starts.front().is_some_and(|(start, _)| *start == at);
            if meets && at >= self.changed && profile == self.old {
                self.pending = self.starts.drain(..).map(|(_, chunk)| chunk).collect();
                self.pending_bytes = self.raw.len() - at;
                self.raw.clear();
                self.changed = 0;
                return self.release(false);
            }
        }
        self.raw.drain(..at);
        self.starts.iter_mut().for_each(|(start, _)| *start -= at);
        self.changed = self.changed.saturating_sub(at);
        Ok(())
    }
}

/// So many bytes are hashed at once: fewer do not fill the wide registers.
const HASHED_BYTES: usize = 64 << 10;

/// Hashes a file that comes in pieces, a large piece at a time.
#[derive(Default)]
struct Hasher {
    hasher: blake3::Hasher,
    held: Vec<u8>,
}

impl Hasher {
    fn update(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let whole = self.held.len() - self.held.len() % HASHED_BYTES;
        self.hasher.update(&self.held[..whole]);
        self.held.drain(..whole);
    }

    fn finish(mut self) -> FileId {
        self.hasher.update(&self.held);
        FileId::from_bytes(*self.hasher.finalize().as_bytes())
    }
}

impl io::Write for Splice<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Splice::write(self, bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::chunk::split;

    /// The chunks of `data`, and their bytes.
    fn chunks(data: &[u8]) -> Vec<(ChunkRef, Vec<u8>)> {
        let profile = Profile::of(&data[..data.len().min(PROFILE_BYTES)]);
        let chunk = |range: std::ops::Range<usize>| {
            let bytes = data[range].to_vec();
            (ChunkRef { id: ChunkId::of(&bytes), len: bytes.len() as u32 }, bytes)
        };
        split(data, profile).map(chunk).collect()
    }

    /// Lines, some of them so long that chunks are cut inside of them or before them.
    fn lines(lengths: &[u32], seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut data = Vec::new();
        for length in lengths {
            for _ in 0..*length {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                data.push(b'a' + (state >> 40) as u8 % 26);
            }
            data.push(b'\n');
        }
        data
    }

    fn lengths() -> impl Strategy<Value = Vec<u32>> {
        let length = prop_oneof![20 => 0_u32..400, 4 => 400_u32..9000, 1 => 9000_u32..150_000];
        proptest::collection::vec(length, 1..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Whatever becomes of which chunks, the file has the chunks that it has when it is read.
        #[test]
        fn a_spliced_file_is_cut_as_one_that_is_read(
            lengths in lengths(),
            seed: u64,
            whats in proptest::collection::vec((0_usize..200, 0_u8..4), 0..6),
            with_id: bool,
        ) {
            let old = lines(&lengths, seed);
            let pieces = chunks(&old);
            let known: HashMap<ChunkId, Vec<u8>> =
                pieces.iter().map(|(chunk, bytes)| (chunk.id, bytes.clone())).collect();
            let mut load = |chunk: &ChunkRef, out: &mut Vec<u8>| {
                out.extend_from_slice(&known[&chunk.id]);
                Ok(())
            };
            let mut given = Vec::new();
            let mut sink = |chunk: Spliced<'_>| {
                given.push(match chunk {
                    Spliced::Kept(chunk) => chunk,
                    Spliced::New(chunk, bytes) => {
                        assert_eq!(ChunkId::of(bytes), chunk.id);
                        chunk
                    }
                });
                Ok(())
            };
            let mut new = Vec::new();
            let mut splice = Splice::new(Profile::of(&old), with_id, &mut load, &mut sink);
            for (number, (chunk, bytes)) in pieces.iter().enumerate() {
                let what = whats.iter().find(|(at, _)| at % pieces.len() == number);
                let becomes = match what.map(|(_, what)| what) {
                    None => {
                        splice.keep(chunk).unwrap();
                        new.extend_from_slice(bytes);
                        continue;
                    }
                    Some(0) => Vec::new(),
                    Some(1) => bytes[bytes.len() / 3..].to_vec(),
                    Some(2) => [&bytes[..bytes.len() / 2], b"\0more\n"].concat(),
                    Some(_) => bytes.clone(),
                };
                splice.change().unwrap();
                becomes.chunks(1000).for_each(|part| splice.write(part).unwrap());
                new.extend_from_slice(&becomes);
            }
            let joined = splice.finish().unwrap();
            prop_assert_eq!(joined.size, new.len() as u64);
            prop_assert_eq!(joined.file, with_id.then(|| FileId::of(&new)));
            let expected: Vec<ChunkRef> = chunks(&new).into_iter().map(|(chunk, _)| chunk).collect();
            prop_assert_eq!(given, expected);
        }
    }
}
