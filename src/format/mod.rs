//! Values ↔ bytes on disk.
//!
//! Here: every encoding of `docs/format.md`, checked completely when it is read.
//! Not here: files and directories (`store`), which bytes to keep (`repo`).
//! Invariant: what decodes has been checked, and encodes to the same bytes again; no input makes
//! a decoder panic, or allocate more than a small multiple of the input.

pub mod frame;
pub mod kind;
pub mod pack;
pub mod table;
