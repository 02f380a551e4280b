//! Windows of what was erased, looked for in every byte of a file or device.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

use super::canary::{Canaries, WINDOW, Window};
use super::residue::hash;
use crate::catalogue::RawFile;
use crate::model::FileId;

/// So much of a stream is looked at at once.
const PIECE: usize = 1 << 20;

/// What stands in the bytes of a file.
pub(super) struct Probed {
    pub(super) windows: HashSet<Window>,
    pub(super) bytes: u64,
    pub(super) file: Option<FileId>,
}

/// Looks for windows in all bytes of a file or device.
pub(super) fn probe(path: &Path, canaries: &Canaries) -> io::Result<Probed> {
    let mut probed = Probed { windows: HashSet::new(), bytes: 0, file: None };
    let mut file = RawFile::open(path)?;
    let mut held = Vec::with_capacity(PIECE + WINDOW);
    loop {
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut held)?;
        probed.bytes += read as u64;
        probed.windows.extend(canaries.find(&held));
        if read == 0 {
            return Ok(probed);
        }
        // A window may lie across two pieces.
        held.drain(..held.len().saturating_sub(WINDOW - 1));
    }
}

/// As [`probe`], and says which file it is. What is `known` by that is not looked through.
pub(super) fn probe_file(
    path: &Path,
    canaries: &Canaries,
    known: impl Fn(&FileId) -> bool,
) -> io::Result<Probed> {
    let bytes = path.metadata()?.len();
    let file = hash(path)?;
    if known(&file) {
        return Ok(Probed { windows: HashSet::new(), bytes, file: Some(file) });
    }
    Ok(Probed { file: Some(file), ..probe(path, canaries)? })
}
