//! What can keep a key from being used.

use std::path::{Path, PathBuf};

use crate::sign::{self, KeyId};

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing says where private keys lie.
    #[error(
        "nothing says where your keys lie: neither STEM_KEYS nor XDG_CONFIG_HOME nor HOME is set"
    )]
    NoDirectory,
    /// There is no key to sign with.
    #[error("{}", no_key(wanted, directory))]
    Missing {
        /// What was asked for; empty if nothing was.
        wanted: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// Nobody said which key to sign with.
    #[error("you have several keys: {}", show_keys(ids))]
    Several {
        /// Their ids.
        ids: Vec<KeyId>,
    },
    /// A private key that others may read.
    #[error("others than you may use the private key {} (its mode is {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file of a key that is not one.
    #[error("cannot use the key in {}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: sign::Error,
    },
}

fn show_keys(ids: &[KeyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn no_key(wanted: &str, directory: &Path) -> String {
    match wanted {
        "" => format!("you have no key in {}", directory.display()),
        wanted => format!("you have no key `{}`", wanted.escape_debug()),
    }
}
