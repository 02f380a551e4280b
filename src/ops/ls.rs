//! What a version lists.

use serde::Serialize;

use super::Result;
use super::state::States;
use crate::format::manifest::{self, List};
use crate::model::{FileId, FileRef, ManifestId, Mode, Presence, RepoPath, State, VersionId};
use crate::repo::{self, Nodes, Repository, Revision, split_path};

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A regular file that may be executed.
    Executable,
    /// A symbolic link.
    Symlink,
    /// A directory: it is there because of the files below it.
    Directory,
}

/// A file or directory of a version.
#[derive(Debug, Clone, Serialize)]
pub struct LsEntry {
    /// Where it lies.
    pub path: RepoPath,
    /// What it is.
    pub kind: EntryKind,
    /// Its bytes; of a directory, those of all files below.
    pub size: u64,
    /// Its id; none for a directory.
    pub file: Option<FileId>,
    /// Whether its content can be read: `present`, `erased`, `replaced` or `archived`.
    pub presence: &'static str,
    /// The certificate of its erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The redacted copy that is given out in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<FileId>,
}

/// A part of a version's listing.
#[derive(Debug, Serialize)]
pub struct Ls {
    /// The version.
    pub version: VersionId,
    /// The stage of its life that it is in, or its dataset where that has come further.
    pub state: State,
    /// Its files and directories, in path order.
    pub entries: Vec<LsEntry>,
}

impl From<Mode> for EntryKind {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::File => Self::File,
            Mode::Executable => Self::Executable,
            Mode::Symlink => Self::Symlink,
        }
    }
}

/// Lists what lies at `path` (a file or a directory; the empty path is the top), with everything
/// below if `recursive`.
///
/// # Errors
///
/// [`repo::Error::NoPath`] if the version has nothing there.
pub fn ls(repository: &Repository, revision: &str, path: &str, recursive: bool) -> Result<Ls> {
    let Revision { dataset, version, .. } = repository.resolve(revision)?;
    let path = &repository.path_in(&version, revision, path)?[..];
    let states = States::load(repository)?;
    let state = states.version(&version).max(states.dataset(&dataset));
    let root = repository.manifest_of(&version)?;
    let nodes = repository.nodes();
    let mut list = manifest::list(&nodes, &root, path)?;
    let mut entries = if recursive { all(&mut list)? } else { folded(&mut list, path)? };
    overlay(repository, &mut entries);
    Ok(Ls { version, state, entries })
}

/// Notes what became of content.
fn overlay(repository: &Repository, entries: &mut [LsEntry]) {
    let overlay = repository.overlay();
    for entry in entries.iter_mut().filter(|_| !overlay.is_empty()) {
        let Some(presence) = entry.file.and_then(|file| overlay.get(&file)) else { continue };
        entry.presence = presence.as_str();
        entry.certificate = presence.certificate().map(str::to_owned);
        if let Presence::Replaced { by, .. } = presence {
            entry.replaced_by = Some(*by);
        }
    }
}

fn leaf(path: &[u8], file: FileRef) -> Result<LsEntry> {
    Ok(LsEntry {
        path: RepoPath::new(path)?,
        kind: file.mode.into(),
        size: file.size,
        file: Some(file.file),
        presence: "present",
        certificate: None,
        replaced_by: None,
    })
}

fn all(list: &mut List<&Nodes<'_>>) -> Result<Vec<LsEntry>> {
    let mut entries = Vec::new();
    while let Some(entry) = list.next_entry()? {
        entries.push(leaf(entry.path, entry.file)?);
    }
    Ok(entries)
}

/// Files right below `path`, and directories with the sums of what lies below them.
fn folded(list: &mut List<&Nodes<'_>>, path: &[u8]) -> Result<Vec<LsEntry>> {
    let start = if path.is_empty() { 0 } else { path.len() + 1 };
    let mut entries: Vec<LsEntry> = Vec::new();
    while let Some(entry) = list.next_entry()? {
        let below = entry.path.get(start..).unwrap_or_default();
        let Some(slash) = below.iter().position(|&byte| byte == b'/') else {
            entries.push(leaf(entry.path, entry.file)?);
            continue;
        };
        let directory = &entry.path[..start + slash];
        match entries.last_mut() {
            Some(last) if last.path.as_bytes() == directory => last.size += entry.file.size,
            _ => entries.push(LsEntry {
                path: RepoPath::new(directory)?,
                kind: EntryKind::Directory,
                size: entry.file.size,
                file: None,
                presence: "present",
                certificate: None,
                replaced_by: None,
            }),
        }
    }
    // `a.b` sorts between `a` and `a/…`, so a directory may have come in several pieces.
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|second, first| {
        let same = first.path == second.path;
        if same {
            first.size += second.size;
        }
        same
    });
    Ok(entries)
}

/// The file that `REV:PATH` names.
///
/// # Errors
///
/// [`repo::Error::NoPath`] if the version has no such file.
pub fn find_file(repository: &Repository, text: &str) -> Result<(Revision, RepoPath, FileRef)> {
    let (revision, path) = split_path(text);
    let found = repository.resolve(revision)?;
    let given = path.unwrap_or_default();
    let bytes = repository.path_in(&found.version, revision, given)?;
    let root: ManifestId = repository.manifest_of(&found.version)?;
    // The top is no file, nor is what is written as a directory.
    let is_file = !bytes.is_empty() && !given.ends_with('/');
    let file = if is_file { manifest::get(&repository.nodes(), &root, &bytes)? } else { None };
    let none = || repo::Error::NoPath {
        path: RepoPath::show_bytes(&bytes),
        revision: if revision.is_empty() { "HEAD" } else { revision }.to_owned(),
        here: None,
    };
    let file = file.ok_or_else(none)?;
    Ok((found, RepoPath::new(bytes)?, file))
}
