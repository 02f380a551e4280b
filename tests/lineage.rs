//! The lineage graph: its laws, and what outside validators say of the documents made of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "lineage/documents.rs"]
mod documents;
#[path = "lineage/gone.rs"]
mod gone;
#[path = "lineage/laws.rs"]
mod laws;
