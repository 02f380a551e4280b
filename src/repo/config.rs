//! `.stem/config.toml`: which store and dataset a worktree belongs to, and the user's settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::model::DatasetName;

/// The settings of a worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Format of the directory `.stem`: 1.
    pub format: u32,
    /// The dataset that the worktree shows.
    pub dataset: DatasetName,
    /// The worktree's own id, in the catalogue's list of worktrees.
    pub worktree: String,
    /// The store's directory, absolute or relative to `.stem`.
    pub store: PathBuf,
    /// What the user has set, by dotted name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

impl Config {
    /// The file's name in `.stem`.
    pub(super) const FILE: &str = "config.toml";
    /// The settings there are, each with what it means.
    pub const KEYS: &[(&str, &str)] = &[
        ("commit.sign", "true to sign every new version and tag"),
        ("core.threads", "threads for long work; all cores if not set"),
        ("user.email", "mail address of the author of new versions"),
        ("user.name", "name of the author of new versions"),
        ("user.signingkey", "id of the key to sign with, or its file; the only one if not set"),
    ];

    /// Reads the settings in `dot`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, [`Error::Config`] if it is not understood.
    pub fn read(dot: &Path) -> Result<Self> {
        let path = dot.join(Self::FILE);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::Io { path: path.clone(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| Error::Config { path: path.clone(), problem: error.to_string() })?;
        if config.format != 1 {
            let problem = format!("format {} is not known to this stem, only 1", config.format);
            return Err(Error::Config { path, problem });
        }
        Ok(config)
    }

    /// Writes the settings to `dot`: whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, dot: &Path) -> Result<()> {
        use std::io::Write;
        let path = dot.join(Self::FILE);
        let io = |source| Error::Io { path: path.clone(), source };
        let text = toml::to_string(self)
            .map_err(|error| Error::Config { path: path.clone(), problem: error.to_string() })?;
        let temporary = dot.join(".config.toml.new");
        #[expect(clippy::disallowed_methods, reason = "the one place that writes the settings")]
        let mut file = std::fs::File::create(&temporary).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&temporary, &path).map_err(io)?;
        std::fs::File::open(dot).and_then(|dir| dir.sync_all()).map_err(io)
    }
}
