//! Values ↔ bytes on disk.
//!
//! Here: every encoding of `docs/format.md`, checked completely when it is read.
//! Not here: files and directories (`store`), which bytes to keep (`repo`).
//! Invariant: what decodes has been checked, and encodes to the same bytes again; no input makes
//! a decoder panic, or allocate more than a small multiple of the input.

mod bytes;
pub mod canonical;
pub mod document;
mod error;
pub mod frame;
pub mod kind;
pub mod manifest;
pub mod pack;
pub mod recipe;
pub mod table;
pub mod version;

pub use error::Error;
