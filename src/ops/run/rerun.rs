//! Repeating a recorded step somewhere else, and comparing what comes of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::plan::DIRECTORY;
use super::scene::{environment, otherwise};
use super::{Attendance, take_down};
use crate::catalogue::WorktreeId;
use crate::format::manifest;
use crate::model::{DatasetName, Entry, FileRef, ManifestId, RepoPath, Scope, Step, VersionId};
use crate::ops::provenance::step::{StepInfo, list};
use crate::ops::{Error, Result};
use crate::repo::{self, Repository, extract, files_below, run_command};
use crate::worktree::write::Writer;

/// What to repeat.
#[derive(Debug, Clone, Default)]
pub struct RerunOptions {
    /// The version whose step it is.
    pub revision: String,
    /// Which of its steps; not needed where one has a command.
    pub step: Option<u64>,
    /// A directory that stays, with all that the step has made; must be empty or absent.
    pub keep: Option<PathBuf>,
    /// Only say what would be run.
    pub dry_run: bool,
}

/// A path that has come out otherwise.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Which one.
    pub path: RepoPath,
    /// `missing`, `extra` or `differs`.
    pub what: &'static str,
    /// What the version has.
    pub recorded: Option<crate::model::FileId>,
    /// What has come out.
    pub produced: Option<crate::model::FileId>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Rerun {
    /// The version.
    pub version: VersionId,
    /// The number of the step.
    pub n: u64,
    /// The step as it is recorded.
    pub step: Step,
    /// What the command ended with now; none if it was not run.
    pub exit_code: Option<i32>,
    /// Whether every output is bit for bit as recorded; none if it was not run.
    pub identical: Option<bool>,
    /// How many files were compared.
    pub compared: u64,
    /// Outputs that are not as recorded.
    pub differences: Vec<Difference>,
    /// What of the environment is not as recorded.
    pub environment: Vec<String>,
    /// Where it was repeated, if that stays.
    #[serde(serialize_with = "crate::model::exact_path_if_any")]
    pub directory: Option<PathBuf>,
    /// The end of what the command has printed now.
    pub output_tail: Option<String>,
    /// Whether nothing was run.
    pub dry_run: bool,
}

/// Repeats a step of a version in a directory of its own: the files of the version's parent under
/// the dataset's name, and beside it, each under the name of its dataset, what else it has read.
/// Nothing of this worktree is read or changed.
///
/// # Errors
///
/// [`Error::Refused`] if no step has a command and outputs, or several have and none is named; what
/// keeps the inputs from being written; [`Error::Command`]; [`Error::Interrupted`].
pub fn rerun(
    repository: &Repository,
    options: &RerunOptions,
    attendance: &Attendance<'_>,
) -> Result<Rerun> {
    let all = list(repository, &options.revision)?;
    let (dataset, version) = (all.dataset, all.version);
    let StepInfo { n, step, .. } = choose(all.steps, options)?;
    let mut done = Rerun {
        version,
        n,
        step,
        exit_code: None,
        identical: None,
        compared: 0,
        differences: Vec::new(),
        environment: Vec::new(),
        directory: None,
        output_tail: None,
        dry_run: options.dry_run,
    };
    if options.dry_run {
        return Ok(done);
    }
    let place = Scratch::make(options.keep.as_deref())?;
    let top = lay_out(repository, &place.path, &dataset, &version, &done.step)?;
    let here = ran_in(&top, &done.step)?;
    let words: Vec<OsString> = done.step.command.iter().map(OsString::from).collect();
    done.environment = otherwise(&done.step.environment, &environment(&here, &words, &[]));
    (attendance.tell)(&format!("running in {}", here.display()));
    let ended = run_command(&words, &here, attendance.interrupted, attendance.live)
        .map_err(|source| Error::Command { program: done.step.command[0].clone(), source })?;
    if ended.interrupted {
        return Err(Error::Interrupted);
    }
    let mut now = Step::default();
    take_down(&mut now, &ended);
    (done.exit_code, done.output_tail) = (now.exit_code, now.output_tail);
    compare(repository, &top, &mut done)?;
    done.directory = options.keep.is_some().then(|| place.path.clone());
    Ok(done)
}

/// The step that is meant.
fn choose(steps: Vec<StepInfo>, options: &RerunOptions) -> Result<StepInfo> {
    let refused = |text: String| Err(Error::Refused(text));
    let revision = &options.revision;
    let mut able: Vec<StepInfo> = steps
        .into_iter()
        .filter(|info| options.step.is_none_or(|number| info.n == number))
        .filter(|info| !info.step.command.is_empty() && !info.step.outputs.is_empty())
        .collect();
    match (able.len(), options.step) {
        (1, _) => Ok(able.swap_remove(0)),
        (0, Some(number)) => {
            refused(format!("`{revision}` has no step {number} with a command and outputs"))
        }
        (0, None) => refused(format!("no step of `{revision}` has a command and outputs")),
        (count, _) => refused(format!("`{revision}` has {count} steps to repeat: name one")),
    }
}

/// The directory below `top` that the step ran in.
fn ran_in(top: &Path, step: &Step) -> Result<PathBuf> {
    let Some(recorded) = step.other.get(DIRECTORY).and_then(Value::as_str) else {
        return Ok(top.to_path_buf());
    };
    // What a version says is not trusted: it must not lead out.
    let inside = RepoPath::new(recorded)?;
    let here = top.join(OsStr::from_bytes(inside.as_bytes()));
    let io = |source| repo::Error::Io { path: here.clone(), source };
    std::fs::create_dir_all(&here).map_err(io)?;
    let real = here.canonicalize().map_err(io)?;
    if !real.starts_with(top.canonicalize().map_err(io)?) {
        return Err(Error::Refused(format!("`{recorded}` leads out of the dataset")));
    }
    Ok(here)
}

/// Puts what the step has read where it looks for it; the directory that it ran in.
fn lay_out(
    repository: &Repository,
    place: &Path,
    dataset: &DatasetName,
    version: &VersionId,
    step: &Step,
) -> Result<PathBuf> {
    let top = place.join(dataset.as_str());
    let parent = repository.version(version)?.parents.first().copied();
    let root = match &parent {
        Some(parent) => repository.manifest_of(parent)?,
        None => manifest::empty().0,
    };
    write(repository, &top, entries(repository, &root, b"")?)?;
    for input in &step.inputs {
        if input.dataset == *dataset && parent == Some(input.version) {
            continue;
        }
        let path = input.path.as_deref().unwrap_or_default().as_bytes();
        let found = entries(repository, &repository.manifest_of(&input.version)?, path)?;
        write(repository, &place.join(input.dataset.as_str()), found)?;
    }
    Ok(top)
}

fn entries(repository: &Repository, root: &ManifestId, path: &[u8]) -> Result<Vec<Entry>> {
    let nodes = repository.nodes();
    Ok(manifest::list(&nodes, root, path)?.collect::<Result<_, repo::Error>>()?)
}

fn write(repository: &Repository, directory: &Path, entries: Vec<Entry>) -> Result<()> {
    let io = |source| repo::Error::Io { path: directory.to_path_buf(), source };
    std::fs::create_dir_all(directory).map_err(io)?;
    let writer = Writer::open(directory)?;
    let failed = extract(repository, &writer, &entries)?.failed;
    match failed.into_iter().next() {
        Some(first) => {
            let (path, source) = (first.path, Box::new(first.error));
            Err(repo::Error::Content { path, source }.into())
        }
        None => Ok(()),
    }
}

/// What the step has made now beside what the version has.
fn compare(repository: &Repository, top: &Path, done: &mut Rerun) -> Result<()> {
    let root = repository.manifest_of(&done.version)?;
    let scope: Vec<Vec<u8>> =
        done.step.outputs.iter().map(|path| path.as_bytes().to_vec()).collect();
    let mut both: BTreeMap<RepoPath, [Option<FileRef>; 2]> = BTreeMap::new();
    for path in &scope {
        for entry in entries(repository, &root, path)? {
            both.entry(entry.path).or_default()[0] = Some(entry.file);
        }
    }
    for entry in files_below(top, &Scope::of(&scope), repository.threads())? {
        both.entry(entry.path).or_default()[1] = Some(entry.file);
    }
    done.compared = both.len() as u64;
    for (path, [recorded, produced]) in both {
        let what = match (&recorded, &produced) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(_), Some(_)) => "differs",
            (Some(_), None) => "missing",
            (None, _) => "extra",
        };
        let (recorded, produced) = (recorded.map(|file| file.file), produced.map(|file| file.file));
        done.differences.push(Difference { path, what, recorded, produced });
    }
    let same_end = done.exit_code == Some(done.step.exit_code.unwrap_or(0));
    done.identical = Some(done.differences.is_empty() && same_end);
    Ok(())
}

/// A directory that goes when it is no longer needed, unless the user wants it.
struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    fn make(keep: Option<&Path>) -> Result<Self> {
        if let Some(path) = keep {
            let io = |source| repo::Error::Io { path: path.to_path_buf(), source };
            std::fs::create_dir_all(path).map_err(io)?;
            if std::fs::read_dir(path).map_err(io)?.next().is_some() {
                return Err(Error::Refused(format!("{} is not empty", path.display())));
            }
            let path = path.canonicalize().map_err(io)?;
            return Ok(Self { path, keep: true });
        }
        let base = std::env::temp_dir();
        let io = |source| repo::Error::Io { path: base.clone(), source };
        let name = WorktreeId::random().map_err(io)?;
        let path = base.join(format!("stem-rerun-{}", name.as_str()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(io)?;
        Ok(Self { path: path.canonicalize().map_err(io)?, keep: false })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // What the command has made unreadable stays in the system's temporary directory.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
