//! What can be changed, and what a change says of itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{
    Author, DatasetName, FileId, ManifestId, PackName, Presence, Record, RefKind, RefName, Time,
    Version, VersionId,
};

/// One transaction: who does what, and the changes that make it up.
#[derive(Debug, Clone, PartialEq)]
pub struct Changeset {
    /// Who does it.
    pub actor: Author,
    /// When.
    pub time: Time,
    /// The verb, such as `commit`.
    pub action: String,
    /// What it is done to, such as `corpus:main`.
    pub subject: String,
    /// In the user's words, if there are any.
    pub message: Option<String>,
    /// The epoch that the writer's session has read; `None` for what adds no reference to packs.
    pub session_epoch: Option<u64>,
    /// The number that the journal's last entry must have; `None` for what checks by itself
    /// everything that it relies on.
    pub after: Option<u64>,
    /// The number of the entry that set the newest policy, 0 for none; `None` for what no policy
    /// was asked about.
    pub policy: Option<u64>,
    /// In this order.
    pub changes: Vec<Change>,
    /// The records of every version that [`Change::VersionAdded`] and
    /// [`Change::VersionRestored`] name. They are objects of the
    /// store, so the journal names them only.
    pub versions: Vec<(VersionId, Version)>,
}

impl Changeset {
    /// A changeset without message, session and changes.
    pub fn new(
        actor: &Author,
        time: Time,
        action: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        Self {
            actor: actor.clone(),
            time,
            action: action.into(),
            subject: subject.into(),
            message: None,
            session_epoch: None,
            after: None,
            policy: None,
            changes: Vec::new(),
            versions: Vec::new(),
        }
    }
}

/// What [`Catalogue::apply`](super::Catalogue::apply) has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number of the journal's new entry.
    pub number: u64,
    /// Its hash, the new head of the journal: 64 hexadecimal digits.
    pub hash: String,
    /// Why the copy of the journal beside the database could not be extended. The change itself
    /// is kept; the next one extends the copy by both.
    pub copy_problem: Option<String>,
}

/// One change of the catalogue. As JSON it stands in the journal, so fields may only be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A dataset that did not exist.
    DatasetCreated {
        /// Its name.
        dataset: DatasetName,
    },
    /// A dataset without branches, tags and worktrees goes.
    DatasetRemoved {
        /// Its name.
        dataset: DatasetName,
    },
    /// A branch or tag is made (`old` is none), moved, or removed (`new` is none).
    RefMoved {
        /// The dataset it belongs to.
        dataset: DatasetName,
        /// Branch or tag.
        kind: RefKind,
        /// Its name.
        name: RefName,
        /// The version it must have now.
        old: Option<VersionId>,
        /// The version it gets.
        new: Option<VersionId>,
        /// What the tag says. With a removal: what it said, so that it can be brought back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        annotation: Option<Annotation>,
    },
    /// A version whose objects are durable; its parents are known already. Twice is as once.
    VersionAdded {
        /// Its id.
        version: VersionId,
        /// The dataset that it was made in; entries of the first release do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dataset: Option<DatasetName>,
    },
    /// A version that comes back from an archive; its objects are durable. Twice is as once.
    VersionRestored {
        /// Its id.
        version: VersionId,
        /// The dataset that it comes back to.
        dataset: DatasetName,
        /// Parents that need not be known here: history ends before them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        absent: Vec<VersionId>,
    },
    /// Something was learnt or decided later. Nothing takes it back but another record.
    Recorded {
        /// What it says.
        record: Record,
    },
    /// Versions that nothing names any more leave the index.
    VersionsForgotten {
        /// Their ids; parents and children may stand in any order.
        versions: Vec<VersionId>,
    },
    /// New packs, durable under their names.
    PacksAdded {
        /// What they hold.
        packs: Vec<PackRecord>,
    },
    /// *Mark*: a new epoch begins, in which nobody relies on these packs any more.
    PacksCondemned {
        /// Live packs.
        packs: Vec<PackName>,
        /// The epoch that begins: the present one plus one.
        epoch: u64,
    },
    /// *Fence*: sessions that began before the epoch can't commit any more.
    Fenced {
        /// The least epoch that may still commit.
        epoch: u64,
    },
    /// Condemned packs that turned out to be needed live again.
    PacksSpared {
        /// Packs condemned in that epoch.
        packs: Vec<PackName>,
        /// The epoch of their condemnation.
        epoch: u64,
    },
    /// Condemned packs that nothing needs, found so after the fence, are dead for ever.
    PacksTombstoned {
        /// Packs condemned in that epoch.
        packs: Vec<PackName>,
        /// The epoch of their condemnation, at or below the fence.
        epoch: u64,
    },
    /// The whole content of live packs lies in new ones.
    PacksMerged {
        /// The new packs.
        added: Vec<PackRecord>,
        /// The packs they replace; dead for ever.
        removed: Vec<PackName>,
    },
    /// The files of dead packs are gone. Twice is as once.
    PacksDropped {
        /// Packs with a tombstone.
        packs: Vec<PackName>,
    },
    /// A worktree is made, changed or forgotten.
    WorktreeChanged {
        /// Which one.
        id: WorktreeId,
        /// The whole state it must have now.
        old: Option<WorktreeState>,
        /// The whole state it gets.
        new: Option<WorktreeState>,
    },
    /// Records of another system are now versions.
    Imported {
        /// Where they came from.
        origin: String,
        /// The id there, and the version that it became.
        pairs: Vec<(String, VersionId)>,
    },
    /// The content of a file is erased, replaced, archived, or (`new` is none) present again.
    PresenceChanged {
        /// The file.
        file: FileId,
        /// What it must be now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old: Option<Presence>,
        /// What it becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new: Option<Presence>,
    },
    /// The other changes of this entry take back an earlier one.
    Undone {
        /// The number of the entry that is taken back.
        number: u64,
    },
}

/// What an annotated tag says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The text.
    pub message: String,
    /// Who says it.
    pub tagger: Author,
    /// When it was said.
    pub time: Time,
}

/// What the objects of a pack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackKind {
    /// Chunks.
    Data,
    /// Manifest nodes, recipes, versions.
    Meta,
}

/// Whether a pack may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackState {
    /// Readers and writers use it.
    Live,
    /// Readers use it, writers must not rely on it.
    Condemned,
    /// Nobody uses it; its file may be gone, its name is never used again.
    Tombstone,
}

/// A pack as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackRecord {
    /// Its name.
    pub name: PackName,
    /// What it holds.
    pub kind: PackKind,
    /// Length of its file in bytes.
    pub bytes: u64,
    /// How many objects it holds.
    pub objects: u64,
    /// The epoch of the session that wrote it.
    pub epoch: u64,
}

/// What a worktree works on, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorktreeState {
    /// Where it lies, for people; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// The dataset it shows.
    pub dataset: DatasetName,
    /// What the next version will continue.
    pub head: Head,
    /// The manifest of what is staged.
    pub staged: ManifestId,
    /// A merge or another operation in progress, in the words of whoever began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<serde_json::Value>,
}

/// What a worktree has checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Head {
    /// A branch, which may not have a version yet.
    Branch {
        /// Its name.
        name: RefName,
        /// The version of it that what is staged continues; none before the first. The branch is
        /// elsewhere once another worktree has moved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<VersionId>,
    },
    /// A version, and no branch.
    Detached {
        /// Its id.
        version: VersionId,
    },
}

/// The random id of a worktree: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorktreeId(String);

/// Text that is not the id of a worktree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not 32 lower-case hexadecimal digits", .0.escape_debug())]
pub struct WorktreeIdError(pub String);

impl WorktreeId {
    /// An id that no other worktree has.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorktreeId {
    type Err = WorktreeIdError;

    fn from_str(text: &str) -> Result<Self, WorktreeIdError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for WorktreeId {
    type Error = WorktreeIdError;

    fn try_from(text: String) -> Result<Self, WorktreeIdError> {
        let valid =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text)) } else { Err(WorktreeIdError(text)) }
    }
}

impl From<WorktreeId> for String {
    fn from(id: WorktreeId) -> Self {
        id.0
    }
}

impl fmt::Display for WorktreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PackKind {
    /// `data` or `meta`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Meta => "meta",
        }
    }

    /// The kind that is written so.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        [Self::Data, Self::Meta].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl PackState {
    /// `live`, `condemned` or `tombstone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Condemned => "condemned",
            Self::Tombstone => "tombstone",
        }
    }

    /// The state that is written so.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        [Self::Live, Self::Condemned, Self::Tombstone]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}
