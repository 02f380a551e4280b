//! What a run will be, before anything happens.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::RunOptions;
use super::scene::{code, environment};
use crate::catalogue::Head;
use crate::format::manifest;
use crate::model::{DataRef, ManifestId, Provenance, RepoPath, Scope, Step, VersionId};
use crate::ops::ask::{Coming, Draft, ask_here};
use crate::ops::commit::subject;
use crate::ops::operation::Operation;
use crate::ops::provenance::{gather, reference};
use crate::ops::signature::must_be_ready;
use crate::ops::travel::differences;
use crate::ops::{Error, Result};
use crate::repo::{self, Looking, Repository, survey};
use crate::worktree::Stat;

/// The field of a step that says in which directory below the top it ran, if not at the top.
pub(super) const DIRECTORY: &str = "x_directory";

/// What is known before the command runs.
pub(super) struct Plan {
    /// Where the command runs: where the user stands.
    pub(super) directory: PathBuf,
    /// What the journal says it is about.
    pub(super) subject: String,
    /// Where the worktree was.
    pub(super) head: Head,
    /// The version that it continued.
    pub(super) before: Option<VersionId>,
    /// Paths of this worktree that are read.
    pub(super) reads: Vec<Vec<u8>>,
    /// Paths that are written.
    pub(super) outputs: Vec<Vec<u8>>,
    /// What the version will say.
    pub(super) message: String,
    /// The step as far as it is known.
    pub(super) step: Step,
    /// What else is said of the version.
    pub(super) provenance: Provenance,
    /// What could not be found out.
    pub(super) warnings: Vec<String>,
    /// What was not as staged before; none for a path that was not there.
    seen: BTreeMap<RepoPath, Option<Stat>>,
}

impl Plan {
    /// Looks at everything that can be known, and at everything that can be wrong.
    pub(super) fn make(repository: &Repository, options: &RunOptions) -> Result<Self> {
        if let Some(operation) = Operation::of(repository)? {
            return Err(Error::UnderWay { doing: operation.doing.as_str() });
        }
        // What would keep the version from being made must not come out after an hour's work.
        must_be_ready(repository)?;
        let author = repository.author()?;
        let command = words(&options.command)?;
        let (outputs, shown) = outputs(repository, &options.outputs)?;
        let (inputs, reads) = inputs(repository, &options.inputs)?;
        let unsaved = unsaved(repository, &reads)?;
        if !unsaved.is_empty() && !options.force {
            return Err(Error::UnsavedInputs { paths: unsaved });
        }
        let name = options.name.clone().or_else(|| program_name(&command));
        let mut warnings = Vec::new();
        let mut step = Step {
            name: name.unwrap_or_default(),
            command,
            parameters: options.parameters.clone(),
            inputs,
            outputs: shown,
            code: code(repository, &mut warnings),
            operator: Some(author.to_string()),
            decided: options.decided,
            ..Step::default()
        };
        let place = &repository.place;
        let directory = place.root.join(OsStr::from_bytes(&place.prefix));
        step.environment = environment(&directory, &options.command, &options.variables);
        if !place.prefix.is_empty() {
            step.other.insert(DIRECTORY.into(), text_of(&place.prefix)?.into());
        }
        if !unsaved.is_empty() {
            let paths: Vec<_> = unsaved.iter().map(|path| path.show()).collect();
            step.other.insert("inputs_unsaved".into(), paths.into());
        }
        let message = options.message.clone().filter(|message| !message.trim().is_empty());
        let message = message.unwrap_or_else(|| format!("Run {}", step.command.join(" ")));
        Ok(Self {
            directory,
            subject: subject(repository),
            head: repository.state().head,
            before: repository.head()?,
            reads,
            outputs,
            message: message.trim().to_owned(),
            step,
            provenance: gather(repository, &options.given)?,
            warnings,
            seen: state_of(repository)?,
        })
    }

    /// Asks the policy about the version, as if the command had ended well.
    pub(super) fn ask(&self, repository: &Repository, dry_run: bool) -> Result<()> {
        let mut step = self.step.clone();
        (step.started, step.ended) = (Some(repository.now()), Some(repository.now()));
        step.exit_code = Some(0);
        let mut provenance = self.provenance.clone();
        provenance.steps.push(step);
        let parents = self.before.into_iter().collect();
        let draft = Draft::new(repository, parents, &self.message, &provenance)?;
        Ok(ask_here(repository, "run", Coming::Made(draft), dry_run)?)
    }

    /// The paths that have changed since, and are not among the outputs.
    pub(super) fn changed_outside(&self, repository: &Repository) -> Result<Vec<RepoPath>> {
        let now = state_of(repository)?;
        let paths: BTreeSet<&RepoPath> = self.seen.keys().chain(now.keys()).collect();
        let changed = paths.into_iter().filter(|path| self.seen.get(*path) != now.get(*path));
        let outputs = Scope::of(&self.outputs);
        Ok(changed.filter(|path| !outputs.covers(path.as_bytes())).cloned().collect())
    }
}

/// Everything that is not as staged, and how it looks.
fn state_of(repository: &Repository) -> Result<BTreeMap<RepoPath, Option<Stat>>> {
    let seen = survey(repository, &Looking::default())?;
    let modified = seen.modified.into_iter().map(|file| (file.path, Some(file.stat)));
    let untracked = seen.untracked.into_iter().map(|found| (found.path, Some(found.stat)));
    let deleted = seen.deleted.into_iter().map(|path| (path, None));
    Ok(modified.chain(untracked).chain(deleted).collect())
}

/// The command as text: a record that is not exact would be worth nothing.
fn words(command: &[OsString]) -> Result<Vec<String>> {
    let text = |word: &OsString| word.to_str().map(str::to_owned);
    let words: Option<Vec<_>> = command.iter().map(text).collect();
    let refused = || Error::Refused("the command is not UTF-8, so it could not be recorded".into());
    words.filter(|words| !words.is_empty()).ok_or_else(refused)
}

fn program_name(command: &[String]) -> Option<String> {
    let name = Path::new(command.first()?).file_name()?;
    name.to_str().map(str::to_owned)
}

fn text_of(path: &[u8]) -> Result<String> {
    let text = String::from_utf8(path.to_vec());
    text.map_err(|_| {
        let shown = RepoPath::show_bytes(path);
        Error::Refused(format!("`{shown}` is not UTF-8, so the step could not name it"))
    })
}

/// The outputs as paths below the top, and as they are recorded.
fn outputs(repository: &Repository, given: &[PathBuf]) -> Result<(Vec<Vec<u8>>, Vec<String>)> {
    let rules = repository.ignore_rules();
    let mut paths = Vec::new();
    for path in given {
        let bytes = repository.place.inside(path)?;
        if bytes.is_empty() {
            let text = "the top of the worktree cannot be an output: name what is written";
            return Err(Error::Refused(text.into()));
        }
        let path = RepoPath::new(bytes.clone())?;
        let is_tracked = repository.index()?.get(&path).is_some();
        if !is_tracked && rules.is_ignored(&bytes, false) {
            return Err(Error::Ignored(vec![path]));
        }
        paths.push(bytes);
    }
    let shown = paths.iter().map(|path| text_of(path)).collect::<Result<_>>()?;
    Ok((paths, shown))
}

/// The inputs as references, and those of them that are paths of this worktree.
fn inputs(repository: &Repository, given: &[PathBuf]) -> Result<(Vec<DataRef>, Vec<Vec<u8>>)> {
    let (mut references, mut reads) = (Vec::new(), Vec::new());
    for path in given {
        let inside = repository.place.inside(path).ok();
        let there = inside.as_ref().is_some_and(|bytes| {
            let at = repository.place.root.join(OsStr::from_bytes(bytes));
            bytes.is_empty() || at.symlink_metadata().is_ok()
        });
        let text = path.to_str().unwrap_or_default();
        let names_revision = text.contains(['@', ':', '~', '^']);
        let bytes = match inside {
            Some(bytes) if there || !names_revision => bytes,
            None if !names_revision => repository.place.inside(path)?,
            _ => {
                references.push(reference(repository, text)?);
                continue;
            }
        };
        references.push(in_head(repository, &bytes)?);
        reads.push(bytes);
    }
    Ok((references, reads))
}

/// A path of the worktree, in the version that the worktree continues.
fn in_head(repository: &Repository, bytes: &[u8]) -> Result<DataRef> {
    let dataset = repository.dataset().clone();
    let none = || repo::Error::NoVersionYet { name: "HEAD".into() };
    let version = repository.head()?.ok_or_else(none)?;
    let path = text_of(bytes)?;
    if !bytes.is_empty() {
        let nodes = repository.nodes();
        let root: ManifestId = repository.manifest_of(&version)?;
        let first = manifest::list(&nodes, &root, bytes)?.next().transpose()?;
        let revision = "the version that the worktree continues".to_owned();
        first.ok_or(repo::Error::NoPath { path: path.clone(), revision, here: None })?;
    }
    Ok(DataRef { dataset, version, path: Some(path).filter(|path| !path.is_empty()) })
}

/// Files below `reads` that are not as the version has them.
fn unsaved(repository: &Repository, reads: &[Vec<u8>]) -> Result<Vec<RepoPath>> {
    if reads.is_empty() {
        return Ok(Vec::new());
    }
    let within = Scope::of(reads);
    let looking = Looking { scope: within.clone(), ..Looking::default() };
    let seen = survey(repository, &looking)?;
    let staged = differences(repository, &repository.head_manifest()?, &repository.state().staged)?;
    let staged = staged.into_iter().map(|change| change.path);
    let mut paths: Vec<RepoPath> = staged.filter(|path| within.covers(path.as_bytes())).collect();
    paths.extend(seen.modified.into_iter().map(|file| file.path));
    paths.extend(seen.deleted);
    paths.extend(seen.untracked.into_iter().map(|found| found.path));
    paths.sort();
    paths.dedup();
    Ok(paths)
}
