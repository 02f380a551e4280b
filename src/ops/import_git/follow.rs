//! The worktree after an import: it goes on with its branch, or to the one that Git is on.

use super::plan::Plan;
use super::references::{Intended, Kept};
use super::{Import, LeftOut, Omitted};
use crate::catalogue::{Change, Head};
use crate::format::manifest;
use crate::git::History;
use crate::model::{RefKind, RefName, VersionId};
use crate::ops::travel::Journey;
use crate::ops::{Error, Result};
use crate::repo::{self, Repository, Transaction};

/// The branch that the worktree is on.
pub(super) fn current_branch(repository: &Repository) -> Option<RefName> {
    match repository.state().head {
        Head::Branch { name, .. } => Some(name),
        Head::Detached { .. } => None,
    }
}

/// Moves the current branch with the files, as far as nothing is lost. A worktree without any
/// version, whose branch is not in the Git repository, goes to the branch that Git is on.
pub(super) fn follow(
    repository: &Repository,
    history: &History,
    plan: &Plan,
    intended: &mut [Intended],
    done: &mut Import,
) -> Result<()> {
    let Some(current) = current_branch(repository) else { return Ok(()) };
    let is_branch =
        |one: &Intended, name: &RefName| one.kind == RefKind::Branch && one.name == *name;
    if let Some(one) = intended.iter_mut().find(|one| is_branch(one, &current)) {
        let Some(version) = plan.version(&one.commit) else { return Ok(()) };
        let Some(change) = one.change(repository, version) else { return Ok(()) };
        if let Some(lost) = go(repository, &current, version, Some(change), done)? {
            one.kept = Kept::InTheWay;
            let why = format!("it is the current branch, and {lost} here would be lost");
            let path = format!("refs/heads/{current}");
            done.left_out.push(LeftOut { what: Omitted::Reference, path, commit: None, why });
        }
        return Ok(());
    }
    let is_unborn = repository.head()?.is_none();
    if !is_unborn || repository.state().staged != manifest::empty().0 {
        return Ok(());
    }
    let mut branches = intended.iter().filter(|one| one.kind == RefKind::Branch);
    let there = branches.clone().find(|one| Some(one.name.as_str()) == history.head());
    let only = branches.next().filter(|_| branches.next().is_none());
    if let Some(one) = there.or(only)
        && let Some(row) =
            repository.catalogue.get_ref(repository.dataset(), RefKind::Branch, &one.name)?
    {
        // Where files are in the way the worktree stays as it is, and its branch has no version.
        go(repository, &one.name, row.version, None, done)?;
    }
    Ok(())
}

/// Goes to a version on a branch; changes nothing and says what if something would be lost.
fn go(
    repository: &Repository,
    branch: &RefName,
    version: VersionId,
    change: Option<Change>,
    done: &mut Import,
) -> Result<Option<String>> {
    let target = repository.manifest_of(&version)?;
    let journey = Journey::to(repository, &target, false);
    let updated = journey.and_then(|journey| Ok((journey.go(repository, false)?, journey)));
    let (updated, journey) = match updated {
        Ok(gone) => gone,
        Err(Error::Repo(repo::Error::Unsaved { paths })) => {
            let first = paths.first().map(|path| path.show()).unwrap_or_default();
            return Ok(Some(match paths.len() {
                1 => format!("`{first}`"),
                number => format!("{number} files, such as `{first}`"),
            }));
        }
        Err(error) => return Err(error),
    };
    let subject = format!("{}:{branch}", repository.dataset());
    repository.transact("import-git", &subject, None, |session| {
        let mut state = repository.state();
        state.staged = journey.goal(session)?;
        state.head = Head::Branch { name: branch.clone(), at: Some(version) };
        let changes = change.clone().into_iter().collect();
        Ok((Transaction { changes, state: Some(state), ..Transaction::default() }, ()))
    })?;
    journey.keep_index(repository, &updated);
    (done.written, done.removed) = (updated.written, updated.removed);
    Ok(None)
}
