//! What is learnt of a version, or decided about it, after it was committed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DatasetName, FileId, VersionId};

/// A dated, attributed statement that is added and never changed. Who made it and when stand in the
/// entry of the journal that added it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it says something about, and how `body` reads.
    pub kind: RecordKind,
    /// The dataset it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    /// The version it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// The path or pattern it is about, as people write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The content it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileId>,
    /// What it is called: the metric, the consumer, the key, the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A finite number, of a metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The rest of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub body: Map<String, Value>,
}

impl Record {
    /// A record of `kind` about nothing yet.
    pub fn new(kind: RecordKind) -> Self {
        let (dataset, version, path, file) = (None, None, None, None);
        let (name, value, text, body) = (None, None, None, Map::new());
        Self { kind, dataset, version, path, file, name, value, text, body }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        /// What a [`Record`] is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RecordKind {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl RecordKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

kinds! {
    /// A [`Metric`](super::Metric) measured later; `body` is the whole of it.
    Metric = "metric",
    /// A [`Step`](super::Step) told of later; `body` is the whole of it.
    Step = "step",
    /// A [`Source`](super::Source) told of later; `body` is the whole of it.
    Source = "source",
    /// Another version that a version was made from: a [`Derivation`](super::Derivation).
    Derivation = "derivation",
    /// A field of the metadata told of later: `name`, and `value` in `body`.
    Meta = "meta",
    /// Knowledge: `name` is problem, solution, practice, decision or incident.
    Note = "note",
    /// Somebody has looked at it.
    Review = "review",
    /// A command that failed, and what it was to make.
    FailedRun = "failed_run",
    /// A model, evaluation or export, and what it has used.
    Consumer = "consumer",
    /// Content was read out of the repository.
    Read = "read",
    /// A gate was asked, and what it said.
    Verdict = "verdict",
    /// The rules of the store were changed.
    Policy = "policy",
    /// A public key is trusted.
    Key = "key",
    /// A public key is trusted no more.
    KeyRevoked = "key_revoked",
    /// A signature of a version or tag.
    Signature = "signature",
    /// The head of the journal was signed.
    Checkpoint = "checkpoint",
    /// Core, auxiliary or unclassified.
    Class = "class",
    /// A reason why something must not be deleted.
    Hold = "hold",
    /// The end of a hold.
    HoldReleased = "hold_released",
    /// Active, deprecated, retired, archived or erased.
    State = "state",
    /// An archive was made, checked, or its content dropped online.
    Archive = "archive",
    /// A plan of a deletion was made, approved, begun or ended.
    Plan = "plan",
    /// Content was erased or replaced under a certificate.
    Erasure = "erasure",
    /// An erasure was lifted.
    Lifted = "lifted",
}
