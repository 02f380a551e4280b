//! Looking at what a repository stands on, and saying what to do about it.

use std::path::Path;

use serde::Serialize;

use super::Result;
use super::add::in_one_line;
use super::gc::lost_worktrees;
use crate::catalogue::{self, Catalogue, PackState, read_copy};
use crate::repo::{self, Environment, Place, Repository};
use crate::repo::{author_and_origin, careless_git, folds_case, free_space};
use crate::worktree::Index;

/// Less than this leaves no room for a pack.
const TOO_LITTLE: u64 = 128 << 20;
/// Less than this is soon used up.
const LITTLE: u64 = 2 << 30;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warning,
    /// Does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub name: &'static str,
    /// How it stands.
    pub status: Standing,
    /// What was found.
    pub detail: String,
    /// What to do about it; nothing if it is as it should be.
    pub advice: String,
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub struct Doctor {
    /// One by one.
    pub checks: Vec<Finding>,
    /// Whether nothing is a problem.
    pub ok: bool,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Standing::Ok, detail.into(), "");
    }

    fn warning(&mut self, name: &'static str, detail: impl Into<String>, advice: &str) {
        self.add(name, Standing::Warning, detail.into(), advice);
    }

    fn problem(&mut self, name: &'static str, detail: impl Into<String>, advice: &str) {
        self.add(name, Standing::Problem, detail.into(), advice);
    }

    fn add(&mut self, name: &'static str, status: Standing, detail: String, advice: &str) {
        self.0.push(Finding { name, status, detail, advice: advice.into() });
    }
}

/// Looks at everything around `start`, inside of a repository or not. Changes nothing.
///
/// # Errors
///
/// None so far; what is wrong is in the answer.
pub fn doctor(start: &Path, environment: &Environment) -> Result<Doctor> {
    let mut found = Findings::default();
    let version = env!("CARGO_PKG_VERSION");
    found.ok("program", format!("stem {version}; packs 1, manifests 1, catalogue 1, index 1"));
    let config = match Place::find(start) {
        Ok((place, config)) => {
            let (root, store) = (place.root.display(), place.store.display());
            let detail = format!("{root}, dataset `{}`, store {store}", config.dataset);
            found.ok("repository", detail);
            inside(&place, start, environment, &mut found);
            Some(config)
        }
        Err(repo::Error::NoRepository { .. }) => {
            let detail = "this directory lies in no repository";
            found.warning("repository", detail, "`stem init` makes one here");
            None
        }
        Err(error) => {
            found.problem("repository", in_one_line(&error), "correct .stem/config.toml");
            None
        }
    };
    match author_and_origin(start, config.as_ref(), environment) {
        Ok(Some((author, origin))) => found.ok("author", format!("{author}, from {origin}")),
        Ok(None) => found.problem(
            "author",
            "nobody said who you are, so nothing can be committed",
            "set STEM_AUTHOR='Name <mail>', or `stem config set user.name` and `user.email`",
        ),
        Err(error) => found.problem("author", in_one_line(&error), "correct Git's settings"),
    }
    let ok = found.0.iter().all(|finding| finding.status != Standing::Problem);
    Ok(Doctor { checks: found.0, ok })
}

fn inside(place: &Place, start: &Path, environment: &Environment, found: &mut Findings) {
    file_system(place, found);
    space(place, found);
    catalogue(place, found);
    index(place, found);
    match Repository::open(start, environment.clone()) {
        Ok(repository) => {
            if let Err(error) = upkeep(&repository, found) {
                found.problem("store", in_one_line(&error), "`stem fsck` says what is damaged");
            }
        }
        Err(error) => {
            let advice = "`stem fsck --rebuild` makes the catalogue again";
            found.problem("worktree", in_one_line(&error), advice);
        }
    }
    match careless_git(&place.root) {
        None => found.ok("git", "no Git repository takes .stem for its own"),
        Some(top) => found.warning(
            "git",
            format!("the Git repository {} does not ignore .stem", top.display()),
            "add a line `.stem/` to its .gitignore",
        ),
    }
}

fn file_system(place: &Place, found: &mut Findings) {
    match catalogue::unsafe_file_system(&place.store) {
        Ok(None) => found.ok("file system", "safe for a database that several programs use"),
        Ok(Some(kind)) => found.problem(
            "file system",
            format!("the store lies on {kind}, where a database of several programs is not safe"),
            "keep the store on a local disk: `stem init --store DIR`",
        ),
        Err(error) => found.problem("file system", error.to_string(), "is the store mounted?"),
    }
    match folds_case(&place.dot) {
        false => found.ok("letter case", "`a` and `A` are two names"),
        true => found.warning(
            "letter case",
            "`a` and `A` are one name to this file system",
            "versions that have both cannot be checked out here",
        ),
    }
}

fn space(place: &Place, found: &mut Findings) {
    let advice = "free some space; `stem gc` shows what it would free";
    match free_space(&place.store) {
        Ok(bytes) => {
            let detail = format!("{} MiB are free for the store", bytes >> 20);
            match bytes {
                0..TOO_LITTLE => found.problem("space", detail, advice),
                TOO_LITTLE..LITTLE => found.warning("space", detail, advice),
                _ => found.ok("space", detail),
            }
        }
        Err(error) => found.problem("space", error.to_string(), advice),
    }
}

fn catalogue(place: &Place, found: &mut Findings) {
    let rebuild = "`stem fsck --rebuild` makes it again from packs and journal";
    let opened = Catalogue::open(&place.catalogue());
    let catalogue = match opened {
        Ok(catalogue) => catalogue,
        Err(error) => return found.problem("catalogue", in_one_line(&error), rebuild),
    };
    let head = match catalogue.journal_head() {
        Ok(head) => head.number,
        Err(error) => return found.problem("catalogue", in_one_line(&error), rebuild),
    };
    let writable = if catalogue.is_writable() { "" } else { ", for reading only" };
    found.ok("catalogue", format!("{head} changes; WAL, synchronous, secure delete{writable}"));
    let advice = "the next commit adds what it lacks; if it does not, move the file away";
    match read_copy(&catalogue.journal_copy_path()) {
        Ok(copy) if copy.len() as u64 == head => found.ok("journal copy", "complete"),
        Ok(copy) => {
            let detail = format!("it has {} of {head} entries", copy.len());
            found.warning("journal copy", detail, advice);
        }
        Err(error) => found.warning("journal copy", in_one_line(&error), advice),
    }
}

fn index(place: &Place, found: &mut Findings) {
    let advice = "the next `stem status` makes it again";
    match Index::load(&place.index()) {
        Ok(Some(_)) => found.ok("index", "readable"),
        Ok(None) => found.ok("index", "none yet"),
        Err(error) => found.warning("index", in_one_line(&error), advice),
    }
}

/// What gc would see to, and worktrees that have gone.
fn upkeep(repository: &Repository, found: &mut Findings) -> Result<()> {
    let catalogue = &repository.catalogue;
    let condemned = catalogue.packs(PackState::Condemned)?.len();
    let dead = catalogue.packs(PackState::Tombstone)?.iter().filter(|row| !row.dropped).count();
    let live = catalogue.packs(PackState::Live)?.len();
    let detail = format!("{live} in use, {condemned} condemned, {dead} to be removed");
    match condemned + dead {
        0 => found.ok("packs", detail),
        _ => found.warning("packs", detail, "a `stem gc --yes` was stopped; run it again"),
    }
    match repository.store.list_tmp()?.len() {
        0 => found.ok("temporary files", "none"),
        files => found.warning(
            "temporary files",
            format!("{files}, of commands that run or were killed"),
            "if no command runs, `stem gc --yes` removes them",
        ),
    }
    let worktrees = catalogue.worktrees()?.len();
    let lost = lost_worktrees(repository)?;
    let lost: Vec<_> = lost.iter().map(|path| path.display().to_string()).collect();
    match lost.is_empty() {
        true => found.ok("worktrees", format!("{worktrees} of this store, all there")),
        false => found.warning(
            "worktrees",
            format!("not there any more: {}", lost.join(", ")),
            "what they had staged is kept; `stem gc --forget DIR` lets it go",
        ),
    }
    Ok(())
}
