//! The list beside the payload: which file of the bag is which path of the version.

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::super::Result;
use crate::bag::Names;
use crate::format::manifest;
use crate::model::{FileId, FileRef, ManifestId, Mode, Presence, RepoPath};
use crate::repo::{self, Repository};

/// A path of the version, and where its content lies in the bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: RepoPath,
    pub(super) file: FileRef,
    /// Its name in the bag; none if its content was erased.
    pub(super) payload: Option<String>,
    /// What became of its content, if it is not what its id says.
    pub(super) presence: Option<Presence>,
}

impl Listed {
    /// What lies in the bag in its place: itself, or a redacted copy.
    pub(super) fn delivered(&self) -> FileRef {
        match &self.presence {
            Some(Presence::Replaced { by, by_size, .. }) => {
                FileRef { file: *by, size: *by_size, mode: self.file.mode }
            }
            _ => self.file,
        }
    }

    pub(super) fn payload_size(&self) -> u64 {
        self.delivered().size
    }
}

/// One line of the list, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The path, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Its bytes in hexadecimal, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    mode: Mode,
    size: u64,
    file: FileId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
}

/// Everything that a version lists, in path order, with names for the bag.
///
/// # Errors
///
/// [`crate::repo::Error::Archived`] if content lies in another archive.
pub(super) fn list(repository: &Repository, root: &ManifestId) -> Result<Vec<Listed>> {
    let (nodes, overlay) = (repository.nodes(), repository.overlay());
    let mut names = Names::default();
    let mut listed = Vec::new();
    for entry in manifest::list(&nodes, root, b"")? {
        let entry: crate::model::Entry = entry.map_err(|error: crate::repo::Error| error)?;
        let (path, file) = (entry.path, entry.file);
        let presence = match overlay.get(&file.file) {
            None => None,
            Some(Presence::Archived { .. }) => {
                overlay.delivered(&file)?;
                None
            }
            Some(Presence::Replaced { certificate, size, .. }) => {
                // A copy may have been replaced in its turn; the bag holds the last one.
                Some(match overlay.delivered(&file) {
                    Ok(last) => Presence::Replaced {
                        size: *size,
                        by: last.file,
                        by_size: last.size,
                        certificate: certificate.clone(),
                    },
                    Err(repo::Error::Archived { file, place }) if !Presence::is_nowhere(&place) => {
                        return Err(repo::Error::Archived { file, place }.into());
                    }
                    Err(_) => Presence::Erased { size: *size, certificate: certificate.clone() },
                })
            }
            Some(erased) => Some(erased.clone()),
        };
        let gone = matches!(presence, Some(Presence::Erased { .. }));
        let payload = (!gone).then(|| names.name(&path));
        listed.push(Listed { path, file, payload, presence });
    }
    Ok(listed)
}

/// The list as text.
pub(super) fn write(listed: &[Listed]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for one in listed {
        let plain = std::str::from_utf8(one.path.as_bytes()).ok().map(str::to_owned);
        let hex = || one.path.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let line = Line {
            path_hex: if plain.is_none() { Some(hex()) } else { None },
            path: plain,
            mode: one.file.mode,
            size: one.file.size,
            file: one.file.file,
            payload: one.payload.clone(),
            presence: one.presence.clone(),
        };
        super::describe::push_line(&mut text, &line)?;
    }
    Ok(text)
}

/// Reads the list; what is wrong in words.
pub(super) fn read(reader: impl Read) -> Result<Vec<Listed>, String> {
    let mut listed = Vec::new();
    for (line, number) in BufReader::new(reader).lines().zip(1..) {
        let at = |what: String| format!("line {number}: {what}");
        let line = line.map_err(|error| at(error.to_string()))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| at(error.to_string()))?;
        let bytes = match (&line.path, &line.path_hex) {
            (Some(path), None) => path.clone().into_bytes(),
            (None, Some(hex)) => unhex(hex).ok_or_else(|| at("no hexadecimal path".into()))?,
            _ => return Err(at("one path is needed".into())),
        };
        if line.presence.as_ref().and_then(Presence::certificate).is_some_and(|id| !is_id(id)) {
            return Err(at("no certificate is called so".into()));
        }
        listed.push(Listed {
            path: RepoPath::new(bytes).map_err(|error| at(error.to_string()))?,
            file: FileRef { mode: line.mode, size: line.size, file: line.file },
            payload: line.payload,
            presence: line.presence,
        });
    }
    Ok(listed)
}

/// Whether a certificate may be called so: files are named after it.
fn is_id(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(hex)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
