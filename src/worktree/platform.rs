//! What depends on the operating system: opening below a directory without following links.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat, openat2, statx};
use rustix::io::Errno;

/// What is asked of every file.
const WANTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::MODE)
    .union(StatxFlags::SIZE)
    .union(StatxFlags::MTIME)
    .union(StatxFlags::CTIME)
    .union(StatxFlags::INO);

/// Set once the kernel has said that it has no `openat2`.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// Opens `path` (relative, with `/`) below `top`; no link on the way is followed, nor at the end.
pub(super) fn open_below(
    top: impl AsFd,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    if !NO_OPENAT2.load(Relaxed) {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&top, path, flags, mode, resolve) {
            Err(Errno::NOSYS) => NO_OPENAT2.store(true, Relaxed),
            opened => return Ok(opened?),
        }
    }
    open_by_steps(top, path, flags, mode)
}

/// The same on kernels before 5.6: one component at a time.
pub(super) fn open_by_steps(
    top: impl AsFd,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    const STEP: OFlags =
        OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
    let mut directory: Option<OwnedFd> = None;
    let mut rest = path;
    while let Some(slash) = rest.iter().position(|&byte| byte == b'/') {
        let (name, after) = (&rest[..slash], &rest[slash + 1..]);
        let next = match &directory {
            Some(directory) => openat(directory, name, STEP, Mode::empty())?,
            None => openat(&top, name, STEP, Mode::empty())?,
        };
        directory = Some(next);
        rest = after;
    }
    Ok(match &directory {
        Some(directory) => openat(directory, rest, flags, mode)?,
        None => openat(&top, rest, flags, mode)?,
    })
}

/// How a name in a directory looks; a link itself, not what it leads to.
pub(super) fn statx_at(directory: impl AsFd, name: &CStr) -> Result<Statx, Errno> {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC, WANTED)
}

/// How an opened file looks.
pub(super) fn statx_of(file: impl AsFd) -> io::Result<Statx> {
    Ok(statx(file, c"", AtFlags::EMPTY_PATH, WANTED)?)
}

/// Whether an error says that nothing is there: nothing of that name, or a file or a link where a
/// directory would have to be.
pub(super) fn is_nothing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV)
    )
}
