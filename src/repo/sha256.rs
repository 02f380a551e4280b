//! SHA-256 of stored files, for the standards that ask for it: computed once, kept as a fact.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::parallel::each;
use super::{Content, Repository, Result};
use crate::model::{FileId, FileRef};

/// The name and version of this analyser, by which facts are kept.
const ANALYSER: (&str, u32) = ("sha256", 1);
/// Every analyser by whose name facts are kept: what looks for facts that must be gone looks for
/// these.
pub const ANALYSERS: &[&str] = &[ANALYSER.0];
/// How many files are hashed before what was found is kept.
const BATCH: usize = 4096;

/// The SHA-256 of the content of each file, in hexadecimal. What was not known is computed, and
/// kept if `keep` says so and the catalogue can be written. A file whose content cannot be read has none.
///
/// # Errors
///
/// The catalogue's and the store's.
pub fn sha256(
    repository: &Repository,
    files: &[FileRef],
    keep: bool,
) -> Result<HashMap<FileId, String>> {
    let (name, version) = ANALYSER;
    let ids: Vec<FileId> = files.iter().map(|file| file.file).collect();
    let mut known = repository.catalogue.facts(name, version, &ids)?;
    let mut missing: Vec<FileRef> =
        files.iter().filter(|file| !known.contains_key(&file.file)).copied().collect();
    missing.sort_by_key(|file| file.file);
    missing.dedup_by_key(|file| file.file);
    for batch in missing.chunks(BATCH) {
        let found = Mutex::new(Vec::with_capacity(batch.len()));
        each(
            repository.threads(),
            batch,
            || Content::new(repository),
            |content, file| {
                let mut hasher = Sha256::new();
                let read = content.range(file, 0, file.size, &mut |piece| {
                    hasher.update(piece);
                    Ok(())
                });
                if read.is_ok() {
                    let hex: String =
                        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                    found.lock().unwrap_or_else(PoisonError::into_inner).push((file.file, hex));
                }
                Ok(())
            },
        )?;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if keep && repository.catalogue.is_writable() {
            repository.catalogue.keep_facts(name, version, &found)?;
        }
        known.extend(found);
    }
    Ok(known)
}
