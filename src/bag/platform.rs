//! What is special to a platform: making a tree durable, and a rename that replaces nothing.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Makes every file and directory at and below `root` durable.
pub(super) fn sync_tree(root: &Path) -> io::Result<()> {
    let top = File::open(root)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&top)?;
    #[cfg(not(target_os = "linux"))]
    sync_each(root)?;
    // An error of the file system that concerns one file may be told for that file only.
    top.sync_all()
}

#[cfg(not(target_os = "linux"))]
fn sync_each(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_each(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}

/// Renames `from`, and fails if anything is called `to`; the directory that holds both is synced.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    File::open(above.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
