//! Windows of what was erased, looked for in every byte of a file or device.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::canary::{Canaries, WINDOW, Window};
use crate::model::FileId;
use crate::repo;

/// So much of a stream is looked at at once.
const PIECE: usize = 1 << 20;

/// What stands in the bytes of a file.
pub(super) struct Probed {
    pub(super) windows: HashSet<Window>,
    pub(super) bytes: u64,
    pub(super) file: Option<FileId>,
}

/// Looks for windows in all bytes of a file or device, and says with `with_id` which file it is.
pub(super) fn probe(path: &Path, canaries: &Canaries, with_id: bool) -> io::Result<Probed> {
    let probed = Probed { windows: HashSet::new(), bytes: 0, file: None };
    let file = io::BufReader::with_capacity(PIECE, File::open(path)?);
    let mut tee = Tee { file, canaries, held: Vec::new(), probed };
    let id = match with_id {
        true => Some(repo::hash_stream(&mut tee)?),
        false => io::copy(&mut tee, &mut io::sink()).map(|_| None)?,
    };
    tee.look();
    Ok(Probed { file: id, ..tee.probed })
}

/// A file in whose bytes windows are looked for while they are read.
struct Tee<'a> {
    file: io::BufReader<File>,
    canaries: &'a Canaries,
    held: Vec<u8>,
    probed: Probed,
}

impl Tee<'_> {
    fn look(&mut self) {
        self.probed.windows.extend(self.canaries.find(&self.held));
        // A window may lie across two pieces.
        let done = self.held.len().saturating_sub(WINDOW - 1);
        self.held.drain(..done);
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.probed.bytes += read as u64;
        self.held.extend_from_slice(&out[..read]);
        if self.held.len() >= PIECE {
            self.look();
        }
        Ok(read)
    }
}
