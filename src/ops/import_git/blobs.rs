//! The content of Git's files: each read once, stored by several threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::git::{GitId, History};
use crate::model::{FileId, FileRef, Mode, RepoPath};
use crate::repo::{Result, Session, ingest_bytes_of};

/// So many blobs of either age are remembered: 20 MB.
const KEPT: usize = 200_000;
/// Every thread keeps 48 MB of Git's objects.
const MOST_THREADS: usize = 2;
/// So many blobs a thread takes at a time.
const SHARE: usize = 16;

/// What a blob has become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    file: FileId,
    size: u64,
}

impl Stored {
    /// As a file of a version.
    pub(super) fn with(self, mode: Mode) -> FileRef {
        FileRef { mode, size: self.size, file: self.file }
    }

    /// How many bytes it has.
    pub(super) fn size(self) -> u64 {
        self.size
    }
}

/// What the last few hundred thousand blobs have become. One that is forgotten is read again, and
/// found in the store.
#[derive(Default)]
pub(super) struct Blobs {
    young: HashMap<GitId, Stored>,
    old: HashMap<GitId, Stored>,
    epoch: u64,
}

impl Blobs {
    /// Forgets everything if a collector has begun its work: what is remembered may go.
    pub(super) fn since(&mut self, epoch: u64) {
        if self.epoch != epoch {
            *self = Self { epoch, ..Self::default() };
        }
    }

    /// What a blob has become, if that is remembered.
    pub(super) fn get(&mut self, id: &GitId) -> Option<Stored> {
        if let Some(stored) = self.young.get(id) {
            return Some(*stored);
        }
        let stored = self.old.get(id).copied()?;
        self.insert(*id, stored);
        Some(stored)
    }

    /// Remembers what a blob has become.
    pub(super) fn insert(&mut self, id: GitId, stored: Stored) {
        if self.young.len() >= KEPT {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, stored);
    }
}

/// Stores the content of blobs, each with a path that it has.
pub(super) fn store(
    session: &Session<'_>,
    history: &History,
    blobs: &[GitId],
    met_at: &[RepoPath],
) -> Result<Vec<Stored>> {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(vec![None; blobs.len()]);
    let work = || -> Result<()> {
        let reader = history.reader();
        let mut packer = session.packer()?;
        let mut content = Vec::new();
        let progress = &*session.repository().environment.progress;
        loop {
            let start = next.fetch_add(SHARE, Relaxed);
            let end = (start + SHARE).min(blobs.len());
            if start >= end {
                return session.give_back(packer);
            }
            let mut share = [None; SHARE];
            let met = blobs[start..end].iter().zip(&met_at[start..end]);
            for (place, (blob, path)) in share.iter_mut().zip(met) {
                reader.read_blob(*blob, &mut content)?;
                let file = ingest_bytes_of(session, &mut packer, &content, Mode::File, Some(path))?;
                progress.advance(1, file.size);
                *place = Some(Stored { file: file.file, size: file.size });
            }
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all[start..end].copy_from_slice(&share[..end - start]);
        }
    };
    let threads = session.repository().threads().min(MOST_THREADS).min(blobs.len().div_ceil(SHARE));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Result<Vec<()>>>()
    })?;
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(all.into_iter().flatten().collect())
}
