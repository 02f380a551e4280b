//! The top directory, and reading files below it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, readlinkat};
use walkdir::WalkDir;

use super::stat::Stat;
use super::{Error, Result, TEMPORARY, platform};
use crate::model::RepoPath;

/// The opened top directory of a worktree; threads share it.
#[derive(Debug)]
pub struct Root {
    top: OwnedFd,
    path: PathBuf,
}

/// How often a file that changes is read again.
const TRIES: u32 = 2;

impl Root {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let top = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|source| Error::Io { path: path.to_path_buf(), source: source.into() })?;
        Ok(Self { top, path: path.to_path_buf() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, path: &RepoPath) -> impl Fn(io::Error) -> Error {
        let path = self.path.join(path_of(path.as_bytes()));
        move |source| Error::Io { path: path.clone(), source }
    }

    /// Opens a regular file to read it. Never waits for a fifo, never follows a link.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`], [`Error::Io`].
    pub fn open_file(&self, path: &RepoPath) -> Result<(File, Stat)> {
        let failed = self.failed(path);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = platform::open_below(&self.top, path.as_bytes(), flags, Mode::empty());
        let file = File::from(opened.map_err(&failed)?);
        let statx = platform::statx_of(&file).map_err(&failed)?;
        let stat = Stat::from_statx(&statx)
            .map_err(|kind| Error::NotAFile { path: path.clone(), kind })?;
        Ok((file, stat))
    }

    /// What a symbolic link leads to, as it is written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn read_link(&self, path: &RepoPath) -> Result<Vec<u8>> {
        let failed = self.failed(path);
        let flags = OFlags::PATH;
        let link = platform::open_below(&self.top, path.as_bytes(), flags, Mode::empty());
        let target = readlinkat(link.map_err(&failed)?, c"", Vec::new());
        Ok(target.map_err(|error| failed(error.into()))?.into_bytes())
    }

    /// Reads a whole file into `buffer`, and says how it looked.
    ///
    /// # Errors
    ///
    /// [`Error::Changing`] if it was changed twice while it was read; as [`Root::open_file`].
    pub fn read_whole(&self, path: &RepoPath, buffer: &mut Vec<u8>) -> Result<Stat> {
        let failed = self.failed(path);
        for _ in 0..TRIES {
            let (mut file, before) = self.open_file(path)?;
            buffer.clear();
            read_to_end(&mut file, before.size, buffer).map_err(&failed)?;
            let after = Stat::of_file(&file).map_err(&failed)?;
            if after == before && after.size == buffer.len() as u64 {
                return Ok(after);
            }
        }
        Err(Error::Changing { path: path.clone() })
    }

    /// How a path looks; none if nothing is there, or if a link or file stands where one of its
    /// directories should be.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`], [`Error::Io`].
    pub fn stat(&self, path: &RepoPath) -> Result<Option<Stat>> {
        let flags = OFlags::PATH;
        let found = platform::open_below(&self.top, path.as_bytes(), flags, Mode::empty());
        let statx = match found.and_then(platform::statx_of) {
            Ok(statx) => statx,
            Err(error) if platform::is_nothing(&error) => return Ok(None),
            Err(error) => return Err(self.failed(path)(error)),
        };
        match Stat::from_statx(&statx) {
            Ok(stat) => Ok(Some(stat)),
            Err(kind) => Err(Error::NotAFile { path: path.clone(), kind }),
        }
    }
}

/// Reads a file that should have `size` bytes with as few calls as that allows.
fn read_to_end(file: &mut File, size: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    // One byte more than expected, so that a single call sees the end.
    let expected = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
    buffer.reserve(expected);
    buffer.resize(expected, 0);
    let mut filled = 0;
    while filled < expected {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled == expected - 1 {
            // What was expected is there; whether there is more, the stat data will say.
            break;
        }
    }
    buffer.truncate(filled);
    Ok(())
}

pub(super) fn path_of(bytes: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

/// The present moment by the clock that the file system under `directory` uses, in nanoseconds
/// since 1970: the ctime of a file made for it. Where this process may not make one, a moment before
/// all others, by which nothing counts as looked at after its last change; who may not write there
/// keeps no index either.
///
/// # Errors
///
/// [`Error::Io`] if no file can be made there for another reason.
pub fn file_time(directory: &Path) -> Result<i64> {
    let path = directory.join(format!("{TEMPORARY}clock-{}", std::process::id()));
    let io = |source| Error::Io { path: path.clone(), source };
    let mut options = File::options();
    let file = match options.write(true).create(true).truncate(true).open(&path) {
        Err(error) if is_forbidden(&error) => return Ok(i64::MIN),
        opened => opened.map_err(io)?,
    };
    let stat = Stat::of_file(&file).map_err(io)?;
    std::fs::remove_file(&path).map_err(io)?;
    Ok(stat.ctime_ns)
}

fn is_forbidden(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// The files below a directory, in order, links not followed; what cannot be listed is left out.
pub fn files_below(root: &Root, directory: &RepoPath) -> Vec<RepoPath> {
    let top = root.path.join(path_of(directory.as_bytes()));
    let relative = |entry: walkdir::DirEntry| {
        let rest = entry.path().strip_prefix(&root.path).ok()?.as_os_str().to_owned();
        RepoPath::new(std::os::unix::ffi::OsStringExt::into_vec(rest)).ok()
    };
    WalkDir::new(top)
        .follow_links(false)
        .sort_by_file_name()
        .into_iter()
        .filter_map(|entry| entry.ok().filter(|entry| !entry.file_type().is_dir()))
        .filter_map(relative)
        .collect()
}
