//! One opened repository: a store and its catalogue brought together, and the worktree in front.
//!
//! Here: finding and opening, sessions that write, ingest, extract, revisions, reachability.
//! Not here: what a user asks for (`ops`), how it is printed (`cli`).
//! Invariant: bytes are durable before anything names them, names are withdrawn before bytes are
//! deleted; every change of the catalogue goes through [`Repository::transact`].

mod banned;
mod bare;
mod checkpoints;
mod config;
mod content;
mod counts;
mod error;
mod extract;
mod find;
mod hold;
mod ingest;
mod init;
mod keys;
mod later;
mod lock;
mod maintain;
mod marks;
mod nearest;
mod nodes;
mod open;
pub mod papers;
pub mod parallel;
mod pin;
mod place;
pub mod policy;
mod presence;
mod process;
mod reach;
mod rebuild;
mod retain;
mod reuse;
mod revision;
mod session;
mod sha256;
pub mod signature;
mod surroundings;
mod survey;
mod trace;
mod update;
mod worktrees;

pub use bare::Bare;
pub use checkpoints::CheckpointFile;
pub use config::Config;
pub use content::{ChunkList, Content};
pub use error::{Error, Result};
pub use extract::{Extracted, Sums, extract, extract_listing};
pub use hold::{Doomed, DoomedFile, Hold, Holds, Release};
pub use ingest::{
    Assembler, Failed, Ingested, Joined, Load, Sink, Splice, Spliced, ingest, ingest_bytes,
    ingest_bytes_of,
};
pub use init::{InitOptions, InitPlan, Initialised, init, plan_init};
pub use keys::{
    KeyError, KeyRing, KeyRole, KeyRoleError, OwnKey, Revocation, Signer, TrustedKey, trusted_keys,
};
pub use later::hash_any;
pub use lock::Lock;
pub use maintain::{maintain, measure_sweep, pack_info, pack_record, sweep, sweep_strangers};
pub use marks::{FirstBytes, Marks, Recent};
pub use nearest::nearest;
pub use nodes::Nodes;
pub use open::{Environment, Repository};
pub use papers::{Ground, Papers};
pub use pin::{Pin, PinError};
pub use place::Place;
pub use presence::{Absent, Overlay};
pub use process::{Ended, TAIL_BYTES, run_command};
pub use reach::Reach;
pub use rebuild::{Rebuilt, rebuild, rehearse_rebuild};
pub use retain::Retained;
pub use reuse::{ChunkStream, Reuse, Shelf, StoredFile};
pub use revision::{Revision, or_head, split_path};
pub use session::{NodeSink, Session, Transaction};
pub use sha256::{ANALYSERS, sha256};
pub use surroundings::{
    Machine, author_and_origin, careless_git, folds_case, free_space, hash_of, machine,
};
pub use survey::{
    Look, Looking, Modified, Survey, files_below, hash_file, hash_stream, look, survey,
};
pub use trace::{Fault, Traced, Tracer};
pub use update::{Updated, check, update};
pub use worktrees::{Worktree, worktrees};
