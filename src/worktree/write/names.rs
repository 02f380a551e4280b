//! Names and links that may not be written everywhere.

use std::collections::HashMap;

use super::hand::Writer;
use super::{LinkProblem, WriteError};
use crate::model::{PathProblem, RepoPath};

/// Whether a link may stand at `path`: relative, and, read as it is written, inside of the tree.
///
/// # Errors
///
/// [`WriteError::Link`].
pub fn check_link(path: &RepoPath, target: &[u8]) -> Result<(), WriteError> {
    match link_problem(path, target) {
        None => Ok(()),
        Some(problem) => {
            Err(WriteError::Link { path: path.clone(), target: target.to_vec(), problem })
        }
    }
}

fn link_problem(path: &RepoPath, target: &[u8]) -> Option<LinkProblem> {
    if target.is_empty() {
        return Some(LinkProblem::Empty);
    }
    if target[0] == b'/' {
        return Some(LinkProblem::Absolute);
    }
    if target.contains(&0) {
        return Some(LinkProblem::Nul);
    }
    if target.len() > 4095 {
        return Some(LinkProblem::TooLong);
    }
    let directory = path.directory();
    let mut place: Vec<&[u8]> =
        directory.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if place.pop().is_none() {
                    return Some(LinkProblem::Outside);
                }
            }
            part => place.push(part),
        }
    }
    place.first().is_some_and(|part| is_reserved(part)).then_some(LinkProblem::Reserved)
}

/// Whether a name stands for `.stem`, however it is written.
fn is_reserved(name: &[u8]) -> bool {
    RepoPath::new(name).is_err_and(|error| error.problem == PathProblem::Reserved)
}

impl Writer {
    /// The first two paths, or directories on the way to them, that some file systems take for one.
    pub fn clashes<'a>(paths: impl Iterator<Item = &'a RepoPath>) -> Option<(RepoPath, RepoPath)> {
        let mut seen: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for path in paths {
            let bytes = path.as_bytes();
            let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for end in ends.map(|(place, _)| place).chain([bytes.len()]) {
                let Ok(prefix) = RepoPath::new(&bytes[..end]) else { continue };
                let first =
                    seen.entry(prefix.folded()).or_insert_with(|| prefix.as_bytes().to_vec());
                if first.as_slice() != prefix.as_bytes()
                    && let Ok(first) = RepoPath::new(first.clone())
                {
                    return Some((first, prefix));
                }
            }
        }
        None
    }
}
