//! Where a repository lies: the worktree's top, its `.stem`, its store.

use std::path::{Path, PathBuf};

use super::{Config, Error, Result};

/// The directory of a worktree's own data.
pub(super) const DOT: &str = ".stem";

/// The paths of one opened repository.
#[derive(Debug, Clone)]
pub struct Place {
    /// The top of the worktree.
    pub root: PathBuf,
    /// `.stem` in it.
    pub dot: PathBuf,
    /// The store's directory.
    pub store: PathBuf,
    /// Where the command was started, relative to the top; empty at the top.
    pub prefix: Vec<u8>,
}

impl Place {
    /// Finds the worktree that `start` lies in, looking upwards.
    ///
    /// # Errors
    ///
    /// [`Error::NoRepository`] if there is none; [`Error::Io`] if a directory cannot be looked at.
    pub fn find(start: &Path) -> Result<(Self, Config)> {
        let absolute = start
            .canonicalize()
            .map_err(|source| Error::Io { path: start.to_path_buf(), source })?;
        for root in absolute.ancestors() {
            let dot = root.join(DOT);
            let found = match dot.join(Config::FILE).metadata() {
                Err(source) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err(Error::Io { path: dot, source });
                }
                found => found.is_ok_and(|found| found.is_file()),
            };
            if found {
                let config = Config::read(&dot)?;
                let store = store_dir(&dot, &config);
                let prefix = relative_bytes(root, &absolute);
                return Ok((Self { root: root.to_path_buf(), dot, store, prefix }, config));
            }
        }
        Err(Error::NoRepository { start: absolute })
    }

    /// The place of a worktree whose top is `root`, which is where the command starts.
    pub(super) fn at(root: &Path, config: &Config) -> Self {
        let dot = root.join(DOT);
        let store = store_dir(&dot, config);
        Self { root: root.to_path_buf(), dot, store, prefix: Vec::new() }
    }

    /// The catalogue's database.
    pub fn catalogue(&self) -> PathBuf {
        self.store.join("catalogue.db")
    }

    /// The index of contents, which can be made again from the store.
    pub fn contents(&self) -> PathBuf {
        self.store.join("contains.db")
    }

    /// The worktree's index.
    pub fn index(&self) -> PathBuf {
        self.dot.join("index")
    }

    /// A path given on the command line, relative to where the command was started, as bytes
    /// relative to the top; empty for the top itself.
    ///
    /// # Errors
    ///
    /// [`Error::Outside`] if it leaves the worktree.
    pub fn inside(&self, given: &Path) -> Result<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        let outside = || Error::Outside { path: given.to_path_buf(), root: self.root.clone() };
        let start: Vec<&[u8]> = if given.is_absolute() {
            Vec::new()
        } else {
            self.prefix.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect()
        };
        let resolved;
        let rest = if given.is_absolute() {
            resolved = self.strip_root(given).ok_or_else(outside)?;
            resolved.as_path()
        } else {
            given
        };
        let mut parts = start;
        for component in rest.components() {
            match component {
                std::path::Component::CurDir => {}
                // Out and in again by the top's own name, as in `../data/a`, is inside.
                std::path::Component::ParentDir if parts.is_empty() && !given.is_absolute() => {
                    return self.around(given).ok_or_else(outside);
                }
                std::path::Component::ParentDir => {
                    parts.pop().ok_or_else(outside)?;
                }
                std::path::Component::Normal(name) => parts.push(name.as_bytes()),
                _ => return Err(outside()),
            }
        }
        Ok(parts.join(&b'/'))
    }

    /// A relative path that goes out of the worktree, if it comes back into it.
    fn around(&self, given: &Path) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        let start = self.root.join(std::ffi::OsStr::from_bytes(&self.prefix));
        let mut whole = PathBuf::new();
        for component in start.join(given).components() {
            match component {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir => {
                    whole.pop();
                }
                other => whole.push(other),
            }
        }
        Some(whole.strip_prefix(&self.root).ok()?.as_os_str().as_bytes().to_vec())
    }

    /// What follows the top in an absolute path, whether the path is written as the top is or
    /// reaches it through links.
    fn strip_root(&self, given: &Path) -> Option<PathBuf> {
        if let Ok(rest) = given.strip_prefix(&self.root) {
            return Some(rest.to_path_buf());
        }
        let parent = given.parent()?.canonicalize().ok()?;
        let rest = parent.strip_prefix(&self.root).ok()?.to_path_buf();
        Some(rest.join(given.file_name()?))
    }
}

pub(super) fn store_dir(dot: &Path, config: &Config) -> PathBuf {
    dot.join(&config.store)
}

fn relative_bytes(root: &Path, path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.strip_prefix(root).map(|rest| rest.as_os_str().as_bytes().to_vec()).unwrap_or_default()
}
