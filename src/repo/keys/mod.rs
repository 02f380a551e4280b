//! Keys: the private ones of a user, and the public ones that a store trusts.
//!
//! Private keys are files of one person and never come near a store. What a store says of public
//! keys are records of its catalogue, so who was trusted, when and by whom stands in the journal.

mod error;
mod ring;
mod trusted;

pub use error::KeyError;
pub use ring::{KeyRing, OwnKey, Signer};
pub use trusted::{KeyRole, KeyRoleError, Revocation, TrustedKey, trusted_keys};
