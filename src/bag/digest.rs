//! Both digests of a file, in one reading.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use sha2::Digest as _;

use crate::model::Progress;

/// What a file is, by two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// BLAKE3-256: for a payload file its `FileId`.
    pub blake3: [u8; 32],
    /// SHA-256.
    pub sha256: [u8; 32],
    /// Bytes.
    pub size: u64,
}

impl Digests {
    /// By the name that BagIt has for the function.
    pub(super) fn hex(&self, algorithm: &str) -> String {
        let bytes = if algorithm == "sha256" { &self.sha256 } else { &self.blake3 };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const BLOCK: usize = 1 << 20;

/// Reads `reader` to its end.
///
/// # Errors
///
/// The reader's.
pub fn digest(mut reader: impl Read) -> io::Result<Digests> {
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
    let mut buffer = vec![0; BLOCK];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                blake3.update(&buffer[..read]);
                sha256.update(&buffer[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Digests { blake3: blake3.finalize().into(), sha256: sha256.finalize().into(), size })
}

/// Reads files below `root` on several threads; the answers are in the order of the names.
pub(super) fn digest_all(
    root: &Path,
    names: &[&str],
    threads: usize,
    progress: &dyn Progress,
) -> Vec<io::Result<Digests>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(names.len()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Relaxed);
            let Some(name) = names.get(place) else { break };
            let answer = File::open(root.join(name)).and_then(digest);
            if let Ok(digests) = &answer {
                progress.advance(1, digests.size);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, answer));
        }
    };
    std::thread::scope(|scope| {
        let threads = threads.clamp(1, names.len().max(1));
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, answer)| answer).collect()
}
