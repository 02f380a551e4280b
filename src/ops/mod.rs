//! What a user can do: one file for each thing.
//!
//! Here: the steps of every verb over an opened repository, and the answer as data.
//! Not here: arguments, screens and exit codes (`cli`), how objects are kept (`repo` and below).
//! Invariant: an operation either ends in one change of the catalogue or leaves it as it was.

pub mod add;
pub mod archive;
mod ask;
pub mod audit;
pub mod bisect;
pub mod card;
pub mod cat;
pub mod classify;
pub mod combine;
pub mod commit;
pub mod config;
pub mod consumer;
pub mod contains;
pub mod diff;
pub mod doctor;
pub mod du;
pub mod erase;
mod error;
pub mod export;
pub mod fsck;
pub mod gc;
pub mod hold;
pub mod import_git;
pub mod init;
pub mod keys;
mod label;
pub mod lineage;
pub mod log;
pub mod ls;
pub mod merge;
pub mod metric;
pub mod note;
pub mod operation;
pub mod outfile;
pub mod pin;
pub mod policy;
pub mod provenance;
pub mod query;
pub mod refs;
pub mod remove;
pub mod reset;
pub mod restore;
pub mod retention;
pub mod retire;
pub mod review;
pub mod rollback;
pub mod run;
pub mod show;
pub mod sides;
pub mod signature;
pub mod sniff;
pub mod stage;
pub mod state;
pub mod status;
pub mod switch;
pub mod target;
pub mod travel;
pub mod undo;

pub use error::{Error, Result};
