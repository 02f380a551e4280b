//! The nouns: ids, paths, entries, versions, references, time, progress.
//!
//! Here: values that every room speaks of, and the rules that make one valid.
//! Not here: how a value looks on disk (`format`), where it is kept (`store`, `catalogue`).
//! Invariant: a value of one of these types is valid; what is not cannot be built.

mod author;
mod class;
mod clock;
mod entry;
mod id;
mod path;
mod presence;
mod profile;
mod progress;
mod provenance;
mod record;
mod refname;
mod scope;
mod version;

pub use author::{Author, AuthorError};
pub use class::{Class, State, WordError};
pub use clock::{Clock, FixedClock, SystemClock, Time, TimeError};
pub use entry::{Entry, FileRef, Mode};
pub use id::{ChunkId, FileId, Fingerprint, IdError, ManifestId, PackName, VersionId};
pub use path::{PathError, PathProblem, RepoPath, exact_path, exact_path_if_any, exact_paths};
pub use presence::Presence;
pub use profile::Profile;
pub use progress::{Progress, Silent};
pub use provenance::{
    Code, DataRef, DataRefError, DatasetKind, Decided, Derivation, Metric, Provenance, Source, Step,
};
pub use record::{Record, RecordKind};
pub use refname::{DatasetName, NameError, RefKind, RefName};
pub use scope::Scope;
pub use version::Version;
