//! Keys and what is signed with them: bytes in, bytes out.
//!
//! Here: Ed25519 keys and their text forms, DSSE envelopes, SSH signatures, signed notes and
//! checkpoints, Merkle trees over the journal.
//! Not here: where keys lie and who is trusted (`repo::keys`), what is signed and why (`ops`).
//! Invariant: nothing unsigned comes out of an `open` or `verify`; what is not exactly of its format
//! is refused, never repaired.
//!
//! Only the curve, the hashes and base64 are packages. The formats are 40 to 100 lines each, and what
//! matters in them here is what they refuse; `docs/format.md`, "Keys and signatures", describes them.

pub mod checkpoint;
pub mod commitment;
pub mod dsse;
mod error;
mod key;
pub mod note;
mod openssh;
pub mod sshsig;
pub mod tlog;
mod wire;

pub use error::Error;
pub use key::{KeyId, KeyIdError, PublicKey, SIGNATURE_BYTES, SecretKey};

/// The result of this room's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;
