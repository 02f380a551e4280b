//! The real file system, and all that is special to a platform in this room.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{INDEX, Mapped, Medium, MediumFile, MediumRead, PACKS, TMP};

/// A directory of a file system.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The store in the directory `root`, whose directories must be there.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the directories of a store below `root`, where they are missing, and syncs them.
    ///
    /// # Errors
    ///
    /// When one cannot be made or synced.
    pub fn create(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        for directory in [TMP, PACKS, INDEX] {
            match fs::create_dir(root.join(directory)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync_directory(&root.join(directory))?,
            }
        }
        sync_directory(&root)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory(parent)?;
        }
        Ok(Self { root })
    }

    /// The directory of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Medium for Disk {
    fn create_new(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.root.join(name))?;
        Ok(Box::new(Writing { file }))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        rename_new(&self.root.join(from), &self.root.join(to))
    }

    fn sync_dir(&self, directory: &str) -> io::Result<()> {
        sync_directory(&self.root.join(directory))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumRead>> {
        let file = open_regular(&self.root.join(name))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Arc::new(Reading { file }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        fs::read_dir(self.root.join(directory))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(name))
    }
}

#[derive(Debug)]
struct Writing {
    file: File,
}

impl MediumFile for Writing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[derive(Debug)]
struct Reading {
    file: File,
}

impl MediumRead for Reading {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn map(&self, range: Range<u64>) -> io::Result<Mapped> {
        if range.start > range.end || range.end > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match usize::try_from(range.end - range.start) {
            Ok(0) => Ok(Mapped::Read(Vec::new())),
            Ok(len) => map(&self.file, range.start, len),
            Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }
}

#[allow(unsafe_code, reason = "packs and index tables are never changed once they have their name")]
fn map(file: &File, offset: u64, len: usize) -> io::Result<Mapped> {
    // SAFETY: the file is immutable by the rules of the store; every access is through a slice of
    // bytes, for which any content is valid, and its length was checked.
    let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file)? };
    Ok(Mapped::Map(map))
}

#[cfg(unix)]
fn open_regular(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // Non-blocking: opening a fifo would otherwise wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn open_regular(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    File::open(path)
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_by_link(from, to),
        result => Ok(result?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_by_link(from, to)
}

/// A hard link never replaces anything. Where there are none, looking first has to do: names are
/// random, so nobody else can be about to use this one.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => match fs::symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
            Err(error) => Err(error),
        },
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Directories cannot be synced here; renames are journalled by the file system.
#[cfg(not(unix))]
fn sync_directory(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}
