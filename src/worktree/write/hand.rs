//! Directories below the top, and what is done in them.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, symlinkat,
    unlinkat,
};
use rustix::io::Errno;

use super::file::{NewFile, Place};
use super::{WriteError, check_link};
use crate::model::RepoPath;
use crate::worktree::{Stat, TEMPORARY, platform};

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// So many directories are kept open by each thread.
const KEPT: usize = 64;

/// The opened top directory; threads share it.
#[derive(Debug)]
pub struct Writer {
    top: Arc<OwnedFd>,
    path: PathBuf,
    folds: OnceLock<bool>,
    serial: AtomicU64,
}

impl Writer {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`].
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let top = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|source| WriteError::Io { path: path.to_path_buf(), source: source.into() })?;
        let (folds, serial) = (OnceLock::new(), AtomicU64::new(0));
        Ok(Self { top: Arc::new(top), path: path.to_path_buf(), folds, serial })
    }

    /// What one thread writes with.
    pub fn hand(&self) -> Hand<'_> {
        Hand { writer: self, open: HashMap::new() }
    }

    /// Whether the file system takes names for one that differ in case: found out by trying.
    ///
    /// # Errors
    ///
    /// [`WriteError::Io`] if nothing can be written here.
    pub fn folds_names(&self) -> Result<bool, WriteError> {
        if let Some(folds) = self.folds.get() {
            return Ok(*folds);
        }
        let name = self.temporary();
        let path = self.path.join(&name);
        let failed = |error: Errno| WriteError::Io { path, source: error.into() };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&*self.top, name.as_str(), flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
        let other = name.to_ascii_uppercase();
        let found = rustix::fs::statat(&*self.top, other.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        // It is only a temporary file: what is left of it is ignored.
        let _ = unlinkat(&*self.top, name.as_str(), AtFlags::empty());
        Ok(*self.folds.get_or_init(|| found.is_ok()))
    }

    /// A name that nothing else has.
    fn temporary(&self) -> String {
        let serial = self.serial.fetch_add(1, Relaxed);
        format!("{TEMPORARY}{}-{serial}", std::process::id())
    }

    pub(super) fn failed(&self, path: &RepoPath, error: Errno) -> WriteError {
        match error {
            Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NOTEMPTY | Errno::XDEV => {
                WriteError::InTheWay { path: path.clone() }
            }
            error => {
                let path = self.path.join(super::super::root::path_of(path.as_bytes()));
                WriteError::Io { path, source: error.into() }
            }
        }
    }
}

/// What one thread writes with: it keeps directories open.
#[derive(Debug)]
pub struct Hand<'a> {
    writer: &'a Writer,
    open: HashMap<Vec<u8>, Arc<OwnedFd>>,
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn c_name(path: &RepoPath) -> CString {
    // A path has no NUL, so there is always a name.
    CString::new(path.name()).unwrap_or_default()
}

impl<'a> Hand<'a> {
    /// A directory that is there.
    fn existing(&mut self, directory: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        if directory.is_empty() {
            return Ok(Arc::clone(&self.writer.top));
        }
        if let Some(open) = self.open.get(directory) {
            return Ok(Arc::clone(open));
        }
        let opened = platform::open_below(&*self.writer.top, directory, DIRECTORY, Mode::empty());
        let opened = Arc::new(opened.map_err(|error| errno(&error))?);
        self.keep(directory, &opened);
        Ok(opened)
    }

    fn keep(&mut self, directory: &[u8], opened: &Arc<OwnedFd>) {
        if self.open.len() >= KEPT {
            self.open.clear();
        }
        self.open.insert(directory.to_vec(), Arc::clone(opened));
    }

    /// A directory, made with those above it where they are not there.
    fn directory(&mut self, directory: &[u8]) -> Result<Arc<OwnedFd>, Errno> {
        match self.existing(directory) {
            Err(Errno::NOENT) => {}
            opened => return opened,
        }
        let (above, name) = match directory.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&directory[..slash], &directory[slash + 1..]),
            None => (&b""[..], directory),
        };
        let parent = self.directory(above)?;
        match mkdirat(&*parent, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let opened = Arc::new(openat(&*parent, name, DIRECTORY, Mode::empty())?);
        self.keep(directory, &opened);
        Ok(opened)
    }

    fn parent(&mut self, path: &RepoPath) -> Result<Arc<OwnedFd>, WriteError> {
        self.directory(path.directory()).map_err(|error| self.writer.failed(path, error))
    }

    /// Begins a file of `size` bytes. What is there now is replaced when it is finished; a small
    /// file where nothing is there is written in its place, so that a crash may leave its beginning.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn create(
        &mut self,
        path: &RepoPath,
        executable: bool,
        size: u64,
    ) -> Result<NewFile<'a>, WriteError> {
        let directory = self.parent(path)?;
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC;
        let name = c_name(path);
        let place = |temporary| Place {
            writer: self.writer,
            directory: Arc::clone(&directory),
            name: name.clone(),
            temporary,
            path: path.clone(),
        };
        if size <= NewFile::IN_PLACE_BYTES {
            match openat(&*directory, &name, flags, mode) {
                Ok(file) => return Ok(NewFile::new(file, place(None), size)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(self.writer.failed(path, error)),
            }
        }
        loop {
            let temporary = CString::new(self.writer.temporary()).unwrap_or_default();
            match openat(&*directory, &temporary, flags, mode) {
                Ok(file) => return Ok(NewFile::new(file, place(Some(temporary)), size)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(self.writer.failed(path, error)),
            }
        }
    }

    /// Makes a symbolic link; what is there now, if it is no directory, is replaced.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn symlink(&mut self, path: &RepoPath, target: &[u8]) -> Result<Stat, WriteError> {
        check_link(path, target)?;
        let directory = self.parent(path)?;
        let failed = |error| self.writer.failed(path, error);
        let name = c_name(path);
        match symlinkat(target, &*directory, &name) {
            Err(Errno::EXIST) => {
                let temporary = self.writer.temporary();
                symlinkat(target, &*directory, temporary.as_str()).map_err(failed)?;
                if let Err(error) = renameat(&*directory, temporary.as_str(), &*directory, &name) {
                    let _ = unlinkat(&*directory, temporary.as_str(), AtFlags::empty());
                    return Err(failed(error));
                }
            }
            made => made.map_err(failed)?,
        }
        let statx = platform::statx_at(&*directory, &name).map_err(failed)?;
        Stat::from_statx(&statx).map_err(|_| WriteError::InTheWay { path: path.clone() })
    }

    /// Gives a file that looks as `was` another name, and says how it looks then; `None` if it does
    /// not look so, or something speaks against the name: nothing is done then, and whoever needs
    /// the file there writes it. [`Stat::UNKNOWN`] if it was changed while it got the name.
    pub fn take_over(&mut self, from: &RepoPath, to: &RepoPath, was: &Stat) -> Option<Stat> {
        let source = self.existing(from.directory()).ok()?;
        let look = |directory: &OwnedFd, path| {
            let statx = platform::statx_at(directory, &c_name(path)).ok()?;
            Stat::from_statx(&statx).ok()
        };
        if look(&source, from)? != *was {
            return None;
        }
        let destination = self.directory(to.directory()).ok()?;
        let flags = RenameFlags::NOREPLACE;
        renameat_with(&*source, from.name(), &*destination, to.name(), flags).ok()?;
        match look(&destination, to) {
            Some(stat) if stat == (Stat { ctime_ns: stat.ctime_ns, ..*was }) => Some(stat),
            _ => Some(Stat::UNKNOWN),
        }
    }

    /// Removes a file or a link; whether there was one. A directory stays.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn remove(&mut self, path: &RepoPath) -> Result<bool, WriteError> {
        let directory = match self.existing(path.directory()) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(error) => return Err(self.writer.failed(path, error)),
        };
        match unlinkat(&*directory, path.name(), AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::ISDIR) => Ok(false),
            Err(error) => Err(self.writer.failed(path, error)),
        }
    }

    /// Removes a directory that has become empty, and those above it that have, not the top.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn prune(&mut self, directory: &[u8]) -> Result<(), WriteError> {
        let Ok(path) = RepoPath::new(directory) else { return Ok(()) };
        self.open.remove(directory);
        let parent = match self.existing(path.directory()) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(error) => return Err(self.writer.failed(&path, error)),
        };
        match unlinkat(&*parent, path.name(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => self.prune(path.directory()),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => Ok(()),
            Err(error) => Err(self.writer.failed(&path, error)),
        }
    }

    /// Removes a directory that has only empty directories in it, where a file must be. None is
    /// left if what was in it has been removed before.
    ///
    /// # Errors
    ///
    /// [`WriteError::InTheWay`] if there is a file in it.
    pub fn remove_empty_directory(&mut self, path: &RepoPath) -> Result<(), WriteError> {
        self.open.clear();
        match self.existing(path.as_bytes()) {
            Ok(_) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.writer.failed(path, error)),
        }
        self.open.clear();
        let mut directories = vec![path.clone()];
        let top = self.writer.path.join(super::super::root::path_of(path.as_bytes()));
        for entry in walkdir::WalkDir::new(&top).min_depth(1).follow_links(false) {
            let entry = entry.map_err(|_| WriteError::InTheWay { path: path.clone() })?;
            let below = entry.path().strip_prefix(&self.writer.path).map(Path::to_path_buf);
            let bytes = below
                .map(|below| std::os::unix::ffi::OsStringExt::into_vec(below.into_os_string()));
            match bytes.ok().and_then(|bytes| RepoPath::new(bytes).ok()) {
                Some(below) if entry.file_type().is_dir() => directories.push(below),
                _ => return Err(WriteError::InTheWay { path: path.clone() }),
            }
        }
        for directory in directories.iter().rev() {
            let failed = |error| self.writer.failed(path, error);
            let parent = self.existing(directory.directory()).map_err(failed)?;
            unlinkat(&*parent, directory.name(), AtFlags::REMOVEDIR).map_err(failed)?;
        }
        self.open.clear();
        Ok(())
    }
}

/// Renames a file or directory below the top of `writer`; directories above are made and pruned.
///
/// # Errors
///
/// [`WriteError::InTheWay`] if the destination is there already.
pub fn rename(writer: &Writer, from: &RepoPath, to: &RepoPath) -> Result<(), WriteError> {
    let mut hand = writer.hand();
    let source = hand.existing(from.directory()).map_err(|error| writer.failed(from, error))?;
    // Looked for first, so that no directory is made for nothing.
    platform::statx_at(&*source, &c_name(from)).map_err(|error| writer.failed(from, error))?;
    let destination = hand.parent(to)?;
    let flags = RenameFlags::NOREPLACE;
    let renamed = renameat_with(&*source, from.name(), &*destination, to.name(), flags);
    match renamed {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(WriteError::InTheWay { path: to.clone() }),
        Err(Errno::INVAL | Errno::NOSYS) => {
            renameat(&*source, from.name(), &*destination, to.name())
                .map_err(|error| writer.failed(to, error))?;
        }
        Err(error) => return Err(writer.failed(to, error)),
    }
    hand.prune(from.directory())
}
