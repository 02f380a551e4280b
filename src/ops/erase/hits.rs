//! Windows that were met outside of what stays, and which of them stand in what stays as well.
//!
//! Most of what a store holds stays, and may hold any window: it is not looked through for them. Only
//! if windows were met elsewhere are the chunks that stay read once more, for these alone: what
//! stands there too proves nothing.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::canary::{Canaries, Window};
use super::frames::{self, Needed};
use crate::format::frame::Key;
use crate::format::frame::codec::Decoder;
use crate::ops::Result;
use crate::repo::{self, parallel};

/// Windows that stand in one place.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) place: Place,
    /// None of them means that the place counts whatever its windows are.
    pub(super) windows: Vec<Window>,
}

/// Where something was met.
#[derive(Debug)]
pub(super) enum Place {
    /// A chunk, and the pack that has it.
    Chunk(Key, String),
    /// A file, and the row of the table of residue that it belongs to.
    File(&'static str, PathBuf),
    /// A file of an archive, in words.
    Archive(PathBuf, String),
}

/// Of the windows that are `wanted` those that stand in chunks of `packs` that are needed.
pub(super) fn common(
    packs: &[PathBuf],
    wanted: &Canaries,
    needed: &Needed,
    threads: usize,
) -> Result<HashSet<Window>> {
    let common: Mutex<HashSet<Window>> = Mutex::default();
    let lock = || common.lock().unwrap_or_else(PoisonError::into_inner);
    let reader = || {
        let at = |source| repo::Error::Io { path: "zstd".into(), source };
        Ok((Decoder::new().map_err(at)?, wanted.clone()))
    };
    parallel::each(threads, packs, reader, |(decoder, left), path| {
        left.remove(&lock().iter().copied().collect::<Vec<_>>());
        if left.len() > 0 {
            let at = |source| repo::Error::Io { path: path.clone(), source };
            let found = frames::common(decoder, path, left, needed).map_err(at)?;
            lock().extend(found);
        }
        Ok(())
    })?;
    Ok(common.into_inner().unwrap_or_else(PoisonError::into_inner))
}
