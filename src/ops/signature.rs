//! Signatures of versions and tags; what they are and are worth is decided in `repo`, whose gate asks
//! for them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Result, outfile};
use crate::model::VersionId;
use crate::repo::Repository;

pub use crate::repo::signature::{
    Judge, SignatureStatus, Signing, TAG_TYPE, VERSION_TYPE, Verdict, is_signed, must_be_ready,
    of_tag, of_version, signer, status,
};

/// The signatures of a version.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The version.
    pub version: VersionId,
    /// Whether at least one signature is good and none is bad.
    pub ok: bool,
    /// All of them, oldest first.
    pub signatures: Vec<SignatureStatus>,
    /// The files that were written, or would be, for `ssh-keygen -Y verify`: of each signature what
    /// it signs, and itself.
    #[serde(serialize_with = "crate::model::exact_paths")]
    pub written: Vec<PathBuf>,
}

/// Judges the signatures of the version that `revision` names, and writes them to `directory`, or
/// only says which files that would make.
///
/// # Errors
///
/// [`NoRevision`](crate::repo::Error::NoRevision) and its like; a file that cannot be written or is
/// there already.
pub fn verify(
    repository: &Repository,
    revision: &str,
    directory: Option<&Path>,
    dry_run: bool,
) -> Result<Verified> {
    let version = repository.resolve(revision)?.version;
    let signatures = status(repository, &version)?;
    let mut written = Vec::new();
    if let Some(directory) = directory {
        let mut folder = outfile::Folder::new(directory, dry_run)?;
        for one in &signatures {
            folder.put(&format!("{}.statement", one.number), one.statement.as_bytes())?;
            folder.put(&format!("{}.sig", one.number), one.signature.as_bytes())?;
        }
        written = folder.written;
    }
    Ok(Verified { version, ok: is_signed(&signatures), signatures, written })
}
