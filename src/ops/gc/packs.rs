//! How much of each pack is needed.

use std::sync::{Mutex, PoisonError};

use super::{PackInfo, PackState, pack_info};
use crate::format::kind::Kind;
use crate::format::table::ENTRY_LEN;
use crate::ops::Result;
use crate::repo::{Marks, Repository, parallel};

/// A pack, and how much of it was marked.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) info: PackInfo,
    /// The epoch of its condemnation.
    pub(super) condemned: Option<u64>,
    /// Chunks in it.
    pub(super) chunks: u64,
    /// Bytes of frames and table entries of what is not needed.
    pub(super) dead_bytes: u64,
    /// Bytes of frames and table entries of what is needed.
    living_bytes: u64,
}

/// What should become of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// What is needed of it should be copied.
    Rewrite,
    Bury,
}

impl Measured {
    /// Less than half of a pack needed, or, to be thorough, not all of it, is worth a copy.
    pub(super) fn verdict(&self, thorough: bool) -> Verdict {
        let worth_it = self.living_bytes < self.dead_bytes || (thorough && self.dead_bytes > 0);
        match self.living_bytes {
            0 => Verdict::Bury,
            _ if worth_it => Verdict::Rewrite,
            _ => Verdict::Keep,
        }
    }
}

/// Compares the tables of all packs that are not dead with what is marked.
pub(super) fn measure(repository: &Repository, marks: &Marks) -> Result<Vec<Measured>> {
    let mut rows = repository.catalogue.packs(PackState::Live)?;
    rows.extend(repository.catalogue.packs(PackState::Condemned)?);
    let measured = Mutex::new(Vec::with_capacity(rows.len()));
    parallel::each(
        repository.threads(),
        &rows,
        || Ok(()),
        |(), row| {
            let condemned = row.condemned_epoch.filter(|_| row.state == PackState::Condemned);
            let mut pack = Measured {
                info: pack_info(&row.pack),
                condemned,
                chunks: 0,
                dead_bytes: 0,
                living_bytes: 0,
            };
            for object in repository.store.objects(row.pack.name)? {
                let bytes = u64::from(object.frame_len) + ENTRY_LEN as u64;
                let chunk = u64::from(object.key.kind == Kind::Chunk);
                let needed = marks.contains(&object.key);
                pack.chunks += chunk;
                *(if needed { &mut pack.living_bytes } else { &mut pack.dead_bytes }) += bytes;
            }
            measured.lock().unwrap_or_else(PoisonError::into_inner).push(pack);
            Ok(())
        },
    )?;
    let mut measured = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
    measured.sort_by_key(|pack| pack.info.name);
    Ok(measured)
}
