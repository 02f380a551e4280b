//! Making a repository, or attaching a worktree to a store.

use std::path::{Path, PathBuf};

use super::{Config, Environment, Error, Place, Repository, Result};
use crate::catalogue::{Catalogue, Change, Changeset, Head, WorktreeId, WorktreeState};
use crate::format::manifest;
use crate::model::{Author, DatasetName, RefKind, RefName};
use crate::store::medium::Disk;

/// What `init` is asked for.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// A store outside of the worktree, shared by several.
    pub store: Option<PathBuf>,
    /// The dataset; named after the directory if not given.
    pub dataset: Option<DatasetName>,
}

/// What `init` has made, or found.
#[derive(Debug)]
pub struct Initialised {
    /// The repository.
    pub repository: Repository,
    /// Whether it was there already.
    pub existed: bool,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("root", &self.place.root).finish_non_exhaustive()
    }
}

/// Makes `directory` a worktree, with a store of its own or attached to `options.store`.
///
/// A store that is not there is made. The same call again changes nothing. The settings are
/// written last, so that a directory is a worktree only when all of it is there.
///
/// # Errors
///
/// [`Error::Exists`] if the directory belongs to another store or dataset.
pub fn init(
    directory: &Path,
    options: &InitOptions,
    environment: Environment,
) -> Result<Initialised> {
    let io = |source| Error::Io { path: directory.to_path_buf(), source };
    std::fs::create_dir_all(directory).map_err(io)?;
    let root = directory.canonicalize().map_err(io)?;
    if root.join(super::place::DOT).join(Config::FILE).is_file() {
        return existing(&root, options, environment);
    }
    let dataset = match &options.dataset {
        Some(dataset) => dataset.clone(),
        None => named_after(&root),
    };
    let config = Config {
        format: 1,
        dataset,
        worktree: WorktreeId::random().map_err(io)?.as_str().to_owned(),
        store: shared_store(options)?.unwrap_or_else(|| PathBuf::from("store")),
        settings: Default::default(),
    };
    let place = Place::at(&root, &config);
    make(&place, &config, &environment)?;
    hide_from_git(&place).map_err(io)?;
    config.write(&place.dot)?;
    Ok(Initialised { repository: Repository::open(&root, environment)?, existed: false })
}

/// What [`init`] would make.
#[derive(Debug, Clone)]
pub struct InitPlan {
    /// The top of the worktree.
    pub root: PathBuf,
    /// The store's directory.
    pub store: PathBuf,
    /// The dataset.
    pub dataset: DatasetName,
    /// Whether all of it is there already.
    pub existed: bool,
    /// How many files it would write, because the dataset has versions already.
    pub files: u64,
}

/// What [`init`] would do, without doing it: nothing is written.
///
/// # Errors
///
/// As [`init`], as far as they can be foreseen.
pub fn plan_init(
    directory: &Path,
    options: &InitOptions,
    environment: Environment,
) -> Result<InitPlan> {
    let io = |source| Error::Io { path: directory.to_path_buf(), source };
    let root = match directory.canonicalize() {
        Ok(root) => root,
        Err(_) => std::path::absolute(directory).map_err(io)?,
    };
    if root.join(super::place::DOT).join(Config::FILE).is_file() {
        let found = existing(&root, options, environment)?.repository;
        let (store, dataset) = (found.place.store.clone(), found.dataset().clone());
        return Ok(InitPlan { root, store, dataset, existed: true, files: 0 });
    }
    if root.exists() && !root.is_dir() {
        return Err(io(std::io::ErrorKind::NotADirectory.into()));
    }
    let dataset = options.dataset.clone().unwrap_or_else(|| named_after(&root));
    let store = shared_store(options)?;
    let store = store.unwrap_or_else(|| root.join(super::place::DOT).join("store"));
    let files = match Catalogue::open(&store.join("catalogue.db")) {
        Err(crate::catalogue::Error::Missing { .. }) => 0,
        opened => newest_files(&opened?, &dataset)?,
    };
    Ok(InitPlan { root, store, dataset, existed: false, files })
}

/// How many files the first branch of a dataset has, if it is there.
fn newest_files(catalogue: &Catalogue, dataset: &DatasetName) -> Result<u64> {
    let at = catalogue.get_ref(dataset, RefKind::Branch, &first_branch())?;
    let row = at.map(|row| catalogue.version(&row.version)).transpose()?.flatten();
    Ok(row.map_or(0, |row| row.files))
}

fn existing(root: &Path, options: &InitOptions, environment: Environment) -> Result<Initialised> {
    let repository = Repository::open(root, environment)?;
    let differs = |problem: String| Error::Exists { path: root.to_path_buf(), problem };
    if let Some(dataset) = &options.dataset
        && dataset != repository.dataset()
    {
        return Err(differs(format!("it shows the dataset `{}`", repository.dataset())));
    }
    if let Some(store) = shared_store(options)?
        && store.canonicalize().ok() != repository.place.store.canonicalize().ok()
    {
        let has = repository.place.store.display();
        return Err(differs(format!("its store is {has}")));
    }
    Ok(Initialised { repository, existed: true })
}

fn shared_store(options: &InitOptions) -> Result<Option<PathBuf>> {
    let absolute = |store: &PathBuf| {
        std::path::absolute(store).map_err(|source| Error::Io { path: store.clone(), source })
    };
    options.store.as_ref().map(absolute).transpose()
}

/// A dataset's name made of a directory's: what a name must not have becomes `-`.
fn named_after(root: &Path) -> DatasetName {
    let name = root.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if let Ok(dataset) = name.parse() {
        return dataset;
    }
    let safe: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .take(24)
        .collect();
    let safe = safe.trim_matches('-').to_owned();
    safe.parse().unwrap_or_else(|_| default_dataset())
}

fn default_dataset() -> DatasetName {
    #[expect(clippy::unwrap_used, reason = "a constant that the tests parse")]
    "dataset".parse().unwrap()
}

/// The branch that every dataset begins with.
pub(super) fn first_branch() -> RefName {
    #[expect(clippy::unwrap_used, reason = "a constant that the tests parse")]
    "main".parse().unwrap()
}

/// Keeps a Git repository around the worktree from taking `.stem` for its own.
fn hide_from_git(place: &Place) -> std::io::Result<()> {
    use std::io::Write;
    let path = place.dot.join(".gitignore");
    std::fs::File::options().create(true).truncate(true).write(true).open(path)?.write_all(b"*\n")
}

fn make(place: &Place, config: &Config, environment: &Environment) -> Result<()> {
    let io = |source| Error::Io { path: place.dot.clone(), source };
    std::fs::create_dir_all(&place.dot).map_err(io)?;
    Disk::create(&place.store).map_err(|source| Error::Io { path: place.store.clone(), source })?;
    let database = place.catalogue();
    let catalogue = match Catalogue::open(&database) {
        Err(crate::catalogue::Error::Missing { .. }) => Catalogue::create(&database)?,
        opened => opened?,
    };
    let mut changes = Vec::new();
    if !catalogue.has_dataset(&config.dataset)? {
        changes.push(Change::DatasetCreated { dataset: config.dataset.clone() });
    }
    let id: WorktreeId = config.worktree.parse().map_err(|_| Error::Config {
        path: place.dot.clone(),
        problem: "the worktree has no id".into(),
    })?;
    let at = catalogue.get_ref(&config.dataset, RefKind::Branch, &first_branch())?;
    let at = at.map(|row| row.version);
    let row = at.map(|version| catalogue.version(&version)).transpose()?.flatten();
    let staged = row.map(|row| row.manifest);
    let staged = staged.unwrap_or_else(|| manifest::empty().0);
    let state = WorktreeState {
        path: place.root.to_string_lossy().into_owned(),
        dataset: config.dataset.clone(),
        head: Head::Branch { name: first_branch(), at },
        staged,
        operation: None,
    };
    changes.push(Change::WorktreeChanged { id, old: None, new: Some(state) });
    let actor = environment.author.clone().or(crate::git::identity(&place.root)?);
    let actor = actor.unwrap_or_else(|| Author { name: "unknown".into(), email: String::new() });
    let now = environment.clock.now();
    let mut changeset = Changeset::new(&actor, now, "init", config.dataset.as_str());
    changeset.changes = changes;
    catalogue.apply(&changeset)?;
    Ok(())
}
