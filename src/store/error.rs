//! What can go wrong in the store.

use std::io;

use crate::format::frame::Key;
use crate::format::frame::codec::EncodeError;
use crate::format::pack::{PackDamage, PackKind};
use crate::model::PackName;

/// What failed, and on which file or object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The medium refused.
    #[error("cannot {action} {name}")]
    Io {
        /// What was tried: `read`, `sync`, …
        action: &'static str,
        /// The file or directory, relative to the store.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A pack is not there: merged or collected since the list of packs was read, or lost.
    #[error("pack {pack} is not there")]
    Missing {
        /// Its name.
        pack: PackName,
    },
    /// No pack holds the object.
    #[error("the store does not hold {key}")]
    NotFound {
        /// What was asked for.
        key: Key,
    },
    /// A pack is not what was written.
    #[error("pack {pack} is damaged")]
    Damaged {
        /// Its name.
        pack: PackName,
        /// In what way.
        source: PackDamage,
    },
    /// An object cannot be written.
    #[error("cannot store {key}")]
    Encode {
        /// Which object.
        key: Key,
        /// Why not.
        source: EncodeError,
    },
    /// Chunks go to data packs, all else to meta packs.
    #[error("{key} does not belong in a {} pack", match pack { PackKind::Data => "data", PackKind::Meta => "meta" })]
    Misplaced {
        /// Which object.
        key: Key,
        /// The kind of pack.
        pack: PackKind,
    },
    /// An earlier error ended the session, or a packer was dropped with objects in it.
    #[error("the session has failed before; nothing it wrote counts")]
    Poisoned,
    /// A file was removed, and is there.
    #[error("{name} is still there after it was removed")]
    StillPresent {
        /// The file, relative to the store.
        name: String,
    },
}

/// Names the file in an error of the medium.
pub(super) fn io_at(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Io { action, name, source }
}

/// Says which pack is damaged.
pub(super) fn damaged(pack: PackName) -> impl FnOnce(PackDamage) -> Error {
    move |source| Error::Damaged { pack, source }
}
