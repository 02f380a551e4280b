//! What is special to an operating system: kinds of file systems, names that are not reused,
//! and locks that go when a file is closed.

use std::fs::File;
use std::io;
use std::path::Path;

/// The kind of file system that `path` lies on, if SQLite's log is not safe there.
///
/// # Errors
///
/// When the operating system does not tell.
#[cfg(target_os = "linux")]
pub fn unsafe_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    let found = rustix::fs::statfs(path)?;
    #[expect(clippy::allow_attributes, reason = "the type differs between architectures")]
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, clippy::cast_possible_truncation)]
    let kind = found.f_type as u32;
    Ok(unsafe_kind(kind))
}

/// No other system says it in the same way; the caller is trusted there.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
pub fn unsafe_file_system(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// By the magic numbers of statfs(2): file systems whose locks or shared memory do not reach
/// every program that may have the file open.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(super) fn unsafe_kind(magic: u32) -> Option<&'static str> {
    match magic {
        0x0000_6969 => Some("NFS"),
        0x0000_517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x6573_5546 => Some("FUSE"),
        0x00c3_6400 => Some("Ceph"),
        0x5346_414f => Some("AFS"),
        _ => None,
    }
}

/// Whether this process may write to `path`.
#[cfg(unix)]
pub(super) fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether `path` is not marked as read-only.
#[cfg(not(unix))]
pub(super) fn is_writable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| !data.permissions().readonly())
}

/// Gives `from` the name `to`, which must not exist, and makes that durable.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    rename_new(from, to)?;
    match to.parent() {
        Some(directory) => sync_directory(directory),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => rename_by_link(from, to),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_by_link(from, to)
}

/// A second name fails where one exists; then the first is taken away.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file that stays open as long as the process: closing it would take away the locks that
/// the process has on it.
#[cfg(unix)]
pub(super) fn open_for_good(path: &Path) -> io::Result<&'static File> {
    use std::collections::BTreeMap;
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::sync::{Mutex, PoisonError};
    /// By device and inode: that of a file which is open is not used for another one.
    static OPEN: Mutex<BTreeMap<(u64, u64), &'static File>> = Mutex::new(BTreeMap::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let id = |data: &Metadata| (data.dev(), data.ino());
    if let Some(file) = open.get(&id(&path.metadata()?)) {
        return Ok(file);
    }
    let file: &'static File = Box::leak(Box::new(File::open(path)?));
    open.insert(id(&file.metadata()?), file);
    Ok(file)
}

/// Elsewhere a lock belongs to the handle that it was taken by, so this is only the same again.
#[cfg(not(unix))]
pub(super) fn open_for_good(path: &Path) -> io::Result<&'static File> {
    Ok(Box::leak(Box::new(File::open(path)?)))
}

/// Reads a file at a place.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Reads a file at a place; nobody else reads it at the same time.
#[cfg(not(unix))]
pub(super) fn read_at(mut file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read(buffer)
}
