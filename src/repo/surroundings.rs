//! What a repository stands on: its file system, the space that is left, who the user is.

use std::io;
use std::path::{Path, PathBuf};

use super::{Config, Environment, Result};
use crate::git;
use crate::model::{Author, FileId};

/// The space of a file system that this user may still fill, in bytes.
///
/// # Errors
///
/// When the operating system does not tell.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether names that differ only in case are one name in the directory of `existing`.
pub fn folds_case(existing: &Path) -> bool {
    let Some(name) = existing.file_name().and_then(|name| name.to_str()) else { return false };
    let other = existing.with_file_name(name.to_uppercase());
    other != existing && other.symlink_metadata().is_ok()
}

/// The author of new versions, and where that was said.
///
/// # Errors
///
/// When Git's settings cannot be understood.
pub fn author_and_origin(
    directory: &Path,
    config: Option<&Config>,
    environment: &Environment,
) -> Result<Option<(Author, &'static str)>> {
    if let Some(author) = &environment.author {
        return Ok(Some((author.clone(), "STEM_AUTHOR")));
    }
    let setting = |key: &str| config.and_then(|config| config.settings.get(key).cloned());
    if let (Some(name), Some(email)) = (setting("user.name"), setting("user.email")) {
        return Ok(Some((Author { name, email }, "the settings of this worktree")));
    }
    Ok(git::identity(directory)?.map(|author| (author, "Git's settings")))
}

/// The Git repository that `root` lies in, if it would take `.stem` for its own.
pub fn careless_git(root: &Path) -> Option<PathBuf> {
    let top = root.ancestors().find(|directory| directory.join(".git").exists())?;
    let between = root.ancestors().take_while(|directory| directory.starts_with(top));
    let mut rules = between
        .map(|directory| directory.join(".gitignore"))
        .chain([top.join(".git/info/exclude"), root.join(".stem/.gitignore")]);
    let names = [".stem", ".stem/", "/.stem", "/.stem/", "**/.stem", "**/.stem/", "*"];
    let ignores = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| names.contains(&line.trim()))
    };
    (!rules.any(ignores)).then(|| top.to_path_buf())
}

/// What a program runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Such as `linux`.
    pub system: &'static str,
    /// Such as `x86_64`.
    pub architecture: &'static str,
    /// The kernel's release.
    pub kernel: String,
}

/// What this program runs on; the machine's name is not in it.
pub fn machine() -> Machine {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    Machine { system: std::env::consts::OS, architecture: std::env::consts::ARCH, kernel }
}

/// The hash of a file anywhere on this machine, links followed.
///
/// # Errors
///
/// When it cannot be read.
pub fn hash_of(path: &Path) -> io::Result<FileId> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(io::BufReader::with_capacity(1 << 20, std::fs::File::open(path)?))?;
    Ok(FileId::from_bytes(*hasher.finalize().as_bytes()))
}
