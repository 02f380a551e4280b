//! Banned records: what was erased out of files does not come back in others.
//!
//! Here: the salted fingerprints of erased records, kept beside the plan of their erasure, and the
//! look at a file before any of it is stored.
//! Not here: what a fingerprint is (`table`). Invariant: no record is kept, only hashes of it.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Repository, Result};
use crate::format::canonical;
use crate::model::{FileId, Fingerprint, RepoPath};
use crate::table::{DETECT_BYTES, FingerprintSet, Format, Source, find_fingerprints};

const SCHEMA: &str = "stem.erase-prints/1";
const PLANS: &str = "plans";

/// The records of one erasure.
#[derive(Debug)]
pub(super) struct Ban {
    pub(super) certificate: String,
    set: FingerprintSet,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prints {
    schema: String,
    salt: String,
    records: Vec<Fingerprint>,
}

fn file_of(certificate: &str) -> String {
    format!("{certificate}.prints")
}

impl Ban {
    fn load(repository: &Repository, certificate: &str) -> Result<Option<Self>> {
        let Some(bytes) = repository.papers(PLANS).read(&file_of(certificate))? else {
            return Ok(None);
        };
        let lost = || Error::Lost { what: format!("the fingerprints of erasure {certificate}") };
        let Prints { salt, records, .. } =
            canonical::decode("fingerprints", &bytes).map_err(|_| lost())?;
        let salt = *salt.parse::<FileId>().map_err(|_| lost())?.as_bytes();
        let certificate = certificate.to_owned();
        Ok(Some(Self { certificate, set: FingerprintSet::new(salt, records, Vec::new()) }))
    }

    /// Refuses a table that holds one of these records.
    pub(super) fn look(
        &self,
        path: Option<&RepoPath>,
        format: Format,
        source: Source<'_>,
    ) -> Result<()> {
        // What cannot be read as records cannot be recognised either.
        let Ok(hits) = find_fingerprints(source, format, &self.set, 1) else { return Ok(()) };
        match hits.first.first() {
            None => Ok(()),
            Some(hit) => Err(Error::ErasedRecord {
                path: path.cloned(),
                row: hit.row,
                certificate: self.certificate.clone(),
            }),
        }
    }
}

/// Refuses bytes that hold a record of one of `bans`.
pub(super) fn admit(bans: &[Arc<Ban>], path: Option<&RepoPath>, bytes: &[u8]) -> Result<()> {
    let format = Format::detect(
        path.map_or(b"", RepoPath::as_bytes),
        &bytes[..bytes.len().min(DETECT_BYTES)],
    );
    for ban in bans {
        match format {
            Format::Other => {}
            Format::Parquet => {
                let source = Source::seekable(std::io::Cursor::new(bytes.to_vec()));
                ban.look(path, format, source)?;
            }
            _ => ban.look(path, format, Source::Stream(&mut &bytes[..]))?,
        }
    }
    Ok(())
}

/// Refuses a file that holds a record of one of `bans`.
pub(super) fn admit_file(
    bans: &[Arc<Ban>],
    path: &RepoPath,
    open: &dyn Fn() -> Result<std::fs::File>,
) -> Result<()> {
    let mut head = Vec::new();
    let io = |source| Error::Io { path: path.show().into(), source };
    open()?.take(DETECT_BYTES as u64).read_to_end(&mut head).map_err(io)?;
    let format = Format::detect(path.as_bytes(), &head);
    for ban in bans.iter().filter(|_| format != Format::Other) {
        ban.look(Some(path), format, Source::seekable(open()?))?;
    }
    Ok(())
}

impl Repository {
    /// Keeps the fingerprints of the records that an erasure removes, made under `salt`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn ban_records(
        &self,
        certificate: &str,
        salt: &[u8; 32],
        records: HashSet<Fingerprint>,
    ) -> Result<()> {
        let mut records: Vec<Fingerprint> = records.into_iter().collect();
        records.sort_unstable();
        let salt = FileId::from_bytes(*salt).to_hex();
        let bytes = canonical::encode(&Prints { schema: SCHEMA.into(), salt, records })?;
        self.papers(PLANS).write(&file_of(certificate), &bytes)?;
        Ok(())
    }

    /// The bans of these certificates, those at hand taken over.
    pub(super) fn bans(
        &self,
        certificates: &HashSet<&str>,
        known: &[Arc<Ban>],
    ) -> Result<Vec<Arc<Ban>>> {
        let mut bans = Vec::new();
        for certificate in certificates {
            match known.iter().find(|ban| ban.certificate == *certificate) {
                Some(ban) => bans.push(Arc::clone(ban)),
                None => bans.extend(Ban::load(self, certificate)?.map(Arc::new)),
            }
        }
        Ok(bans)
    }
}
