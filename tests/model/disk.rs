//! The model's files in a real directory.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use stemmata::model::Mode;

use crate::naive::File;

pub(crate) fn put(place: &Path, file: &File) {
    if file.mode == Mode::Symlink {
        symlink(std::ffi::OsStr::from_bytes(&file.bytes), place).unwrap();
        return;
    }
    use std::io::Write;
    let mut options = fs::File::options();
    let mut out = options.write(true).create_new(true).open(place).unwrap();
    out.write_all(&file.bytes).unwrap();
    let mode = if file.mode == Mode::Executable { 0o755 } else { 0o644 };
    out.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn get(place: &Path) -> File {
    let found = place.symlink_metadata().unwrap();
    if found.is_symlink() {
        let target = fs::read_link(place).unwrap();
        return File { mode: Mode::Symlink, bytes: target.as_os_str().as_bytes().to_vec() };
    }
    let executable = found.permissions().mode() & 0o100 != 0;
    let mode = if executable { Mode::Executable } else { Mode::File };
    File { mode, bytes: fs::read(place).unwrap() }
}

/// The files below a directory, without the repository's own.
pub(crate) fn walkdir(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".stem" => {}
            true => files.extend(walkdir(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

/// Directories mean nothing to the model.
pub(crate) fn remove_empty(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() && entry.file_name() != ".stem" {
            remove_empty(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}
