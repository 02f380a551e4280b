//! What is told of errors of the outside world: worktrees, bags, Git repositories.

use std::io;

use stemmata::{bag, git, worktree};

use super::{Told, told};
use crate::cli::Exit;

/// Of files of a worktree.
pub(super) fn tell_worktree(error: &worktree::Error) -> Told {
    use worktree::Error as E;
    match error {
        E::Changing { .. } => {
            told(Exit::TRY_AGAIN, "changing", "try again when nothing writes to it")
        }
        E::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            told(Exit::NOT_FOUND, "not_found", "")
        }
        _ => told(Exit::DAMAGED, "worktree", ""),
    }
}

/// Of archives.
pub(super) fn tell_bag(error: &bag::Error) -> Told {
    use bag::Error as E;
    match error {
        E::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            told(Exit::NOT_FOUND, "not_found", "")
        }
        E::Io { .. } => told(Exit::DAMAGED, "io", ""),
        E::Exists { .. } => told(Exit::USAGE, "exists", "choose another name"),
        E::Occupied { .. } => {
            told(Exit::USAGE, "unfinished", "finish it, or remove the directory, then try again")
        }
        E::Changed { .. } => {
            told(Exit::TRY_AGAIN, "changing", "try again when nothing writes to it")
        }
        E::NoBag { .. } => told(Exit::NOT_FOUND, "no_archive", ""),
    }
}

/// Of Git repositories.
pub(super) fn tell_git(error: &git::Error) -> Told {
    use git::Error as E;
    match error {
        E::Open { .. } => told(
            Exit::NOT_FOUND,
            "no_git_repository",
            "name the top of a Git repository on this machine; `git clone --mirror` fetches one",
        ),
        E::Revision { .. } => told(Exit::NOT_FOUND, "no_revision", ""),
        E::NoDirectory { .. } => told(
            Exit::NOT_FOUND,
            "no_path",
            "`git log --all -- DIR` lists the commits that have it",
        ),
        E::Shallow { .. } => {
            told(Exit::NOT_FOUND, "shallow", "`git fetch --unshallow` fetches the rest")
        }
        E::Missing { .. } | E::Damaged { .. } => {
            told(Exit::DAMAGED, "git_damaged", "`git fsck` lists everything that is damaged")
        }
        E::Config { .. } | E::References { .. } | E::IgnoreFile { .. } | E::Status { .. } => {
            told(Exit::DAMAGED, "git", "")
        }
        E::Id { .. } => told(Exit::USAGE, "bad_id", ""),
        E::Date { .. } => told(Exit::USAGE, "bad_date", ""),
    }
}
