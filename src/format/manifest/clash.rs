//! No path is both a file and a directory.

use crate::format::Error;
use crate::model::{FileRef, ManifestId, RepoPath};

use super::NodeSource;
use super::find::Finder;

/// The paths of a manifest in order, checked one by one.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    previous: Vec<u8>,
    /// The lengths of those paths so far whose bytes `previous` begins with, itself included.
    begins_with: Vec<usize>,
}

impl Sequence {
    /// Lets `path` follow.
    ///
    /// # Errors
    ///
    /// [`Error::Unsorted`], and [`Error::Clash`] if a directory that holds `path` came as a file.
    pub(super) fn enter(&mut self, path: &RepoPath) -> Result<(), Error> {
        let bytes = path.as_bytes();
        if bytes <= self.previous.as_slice() {
            let after = RepoPath::new(self.previous.as_slice())?;
            return Err(Error::Unsorted { path: path.clone(), after });
        }
        let shared = self.previous.iter().zip(bytes).take_while(|(old, new)| old == new).count();
        while self.begins_with.pop_if(|length| *length > shared).is_some() {}
        // The bytes of `path` at the smaller lengths were already looked at: they are shared.
        if self.begins_with.last() == Some(&shared) && bytes[shared] == b'/' {
            let file = RepoPath::new(&bytes[..shared])?;
            return Err(Error::Clash { file, below: path.clone() });
        }
        self.previous.truncate(shared);
        self.previous.extend_from_slice(&bytes[shared..]);
        self.begins_with.push(bytes.len());
        Ok(())
    }
}

/// Sorted edits: what is to lie where, or nothing.
pub type Edits<'a> = &'a [(RepoPath, Option<FileRef>)];

/// Refuses edits that are not sorted, or after which a path would be a file and a directory, without
/// making them.
///
/// # Errors
///
/// [`Error::Unsorted`], [`Error::Clash`]; what keeps nodes from being read.
pub fn check_edits<S: NodeSource>(
    nodes: &S,
    root: &ManifestId,
    edits: Edits<'_>,
) -> Result<(), S::Error> {
    if let Some(pair) = edits.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        let (path, after) = (pair[1].0.clone(), pair[0].0.clone());
        return Err(Error::Unsorted { path, after }.into());
    }
    let mut sequence = Sequence::default();
    for (path, file) in edits {
        if file.is_some() {
            sequence.enter(path)?;
        }
    }
    let mut finder = Finder::new(nodes, *root)?;
    if finder.is_empty() {
        return Ok(());
    }
    let mut directory: &[u8] = b"";
    for (path, _) in edits.iter().filter(|(_, file)| file.is_some()) {
        if path.directory() != directory {
            directory = path.directory();
            no_directory_is_a_file(&mut finder, edits, path)?;
        }
        nothing_lies_below(&mut finder, edits, path)?;
    }
    Ok(())
}

fn edit_of<'a>(edits: Edits<'a>, path: &[u8]) -> Option<&'a Option<FileRef>> {
    let place = edits.binary_search_by(|(edited, _)| edited.as_bytes().cmp(path)).ok()?;
    Some(&edits[place].1)
}

/// Refuses `path` if a directory above it is a file that stays. (Files among the edits were
/// looked at before.)
fn no_directory_is_a_file<S: NodeSource>(
    finder: &mut Finder<S>,
    edits: Edits<'_>,
    path: &RepoPath,
) -> Result<(), S::Error> {
    for slash in memchr::memchr_iter(b'/', path.as_bytes()) {
        let directory = &path.as_bytes()[..slash];
        if finder.find(directory)?.is_some() && edit_of(edits, directory).is_none() {
            let file = RepoPath::new(directory).map_err(Error::from)?;
            return Err(Error::Clash { file, below: path.clone() }.into());
        }
    }
    Ok(())
}

/// Refuses `path` if a file below it stays.
fn nothing_lies_below<S: NodeSource>(
    finder: &mut Finder<S>,
    edits: Edits<'_>,
    path: &RepoPath,
) -> Result<(), S::Error> {
    let bytes = path.as_bytes();
    let below = |found: &[u8]| found.starts_with(bytes) && found.get(bytes.len()) == Some(&b'/');
    let mut target = bytes.to_vec();
    loop {
        let Some(found) = finder.seek(&target)? else { return Ok(()) };
        if found.path == bytes {
            return Ok(());
        }
        if below(found.path) {
            if edit_of(edits, found.path).is_none() {
                let below = RepoPath::new(found.path).map_err(Error::from)?;
                return Err(Error::Clash { file: path.clone(), below }.into());
            }
            // It is removed: look behind it.
            target = [found.path, b"\0"].concat();
        } else if target == bytes {
            target.push(b'/');
            if found.path > target.as_slice() {
                return Ok(());
            }
        } else {
            return Ok(());
        }
    }
}
