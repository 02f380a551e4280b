//! Which state of which code is in a directory.

use std::path::Path;

use gix::bstr::{BString, ByteSlice};
use gix::status::index_worktree::Item as Beside;
use gix::status::{Item, UntrackedFiles};

use super::{Error, text};
use crate::model::Code;

/// The state of the Git repository that `directory` lies in; none if it lies in none.
///
/// `dirty` is what `git status --untracked-files=no` has anything to say about, submodules left
/// out; `untracked` is how many files it lists with `--untracked-files=all`. The remote is the
/// branch's, else `origin`, without passwords. No program is run: filters that a configuration
/// names are passed over, so a file that needs one counts as changed once its stat data differs.
///
/// # Errors
///
/// [`Error::Status`] if there is a repository that cannot be read.
pub fn code(directory: &Path) -> Result<Option<Code>, Error> {
    let Ok(mut repository) = gix::discover(directory) else { return Ok(None) };
    let failed =
        |source: gix::Error| Error::Status { path: directory.into(), source: source.into() };
    forget_filters(&mut repository);
    let branch = repository.head_name().map_err(failed)?;
    let branch = branch.map(|name| name.shorten().to_str_lossy().into_owned());
    let commit = repository.head_id().ok().map(|id| id.to_string());
    let remote = remote(&repository, branch.as_deref());
    let (dirty, untracked) = if repository.workdir().is_some() {
        changes(&repository).map_err(failed)?
    } else {
        (false, 0)
    };
    Ok(Some(Code { remote, commit, branch, dirty, untracked, ..Code::default() }))
}

/// What a repository's configuration would have run is not run.
fn forget_filters(repository: &mut gix::Repository) {
    let mut config = repository.config_snapshot_mut();
    let is_filter = |name: &[u8]| name.eq_ignore_ascii_case(b"filter");
    let found: Vec<_> = config
        .sections_and_ids()
        .filter(|(section, _)| is_filter(section.header().name()))
        .map(|(_, id)| id)
        .collect();
    for id in found {
        config.remove_section_by_id(id);
    }
}

fn remote(repository: &gix::Repository, branch: Option<&str>) -> Option<String> {
    let config = repository.config_snapshot();
    let own = branch.and_then(|branch| config.string(&format!("branch.{branch}.remote")));
    let name = own.map_or_else(|| "origin".to_owned(), |name| name.to_str_lossy().into_owned());
    let url = config.string(&format!("remote.{name}.url"))?;
    Some(text::without_secrets(&url.to_str_lossy()))
}

/// Whether tracked files differ from the commit, and how many files are not tracked.
fn changes(repository: &gix::Repository) -> Result<(bool, u64), gix::Error> {
    let status = repository
        .status(gix::progress::Discard)?
        .untracked_files(UntrackedFiles::Files)
        .index_worktree_submodules(None)
        .index_worktree_rewrites(None);
    // From the top, wherever the program was started.
    let items = status.into_iter([BString::from(":/")])?;
    let (mut dirty, mut untracked) = (false, 0);
    for item in items {
        match item? {
            Item::IndexWorktree(Beside::DirectoryContents { entry, .. }) => {
                untracked += u64::from(entry.status == gix::dir::entry::Status::Untracked);
            }
            Item::IndexWorktree(beside) => dirty |= beside.summary().is_some(),
            Item::TreeIndex(_) => dirty = true,
        }
    }
    Ok((dirty, untracked))
}
