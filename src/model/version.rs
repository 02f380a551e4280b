//! The immutable record of one state of a dataset.

use serde::{Deserialize, Serialize};

use super::{Author, ManifestId, Provenance, Time, VersionId};

/// One state of a dataset, and everything that was known about it when it was committed.
///
/// Its id is the hash of its canonical JSON (`format::version`), so nothing here can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Format of the record: 1.
    pub format: u32,
    /// The root of the listing.
    pub manifest: ManifestId,
    /// How many files the manifest lists.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// The versions that this one continues; the first is the branch it was committed on.
    pub parents: Vec<VersionId>,
    /// Who made it.
    pub author: Author,
    /// When it was made.
    pub time: Time,
    /// Minutes that the author's clock was ahead of UTC, where known and not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_minutes: Option<i32>,
    /// What its author says of it.
    pub message: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}
