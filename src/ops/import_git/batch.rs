//! A batch of commits: what changed, the new content, listings and versions, one change of the
//! catalogue.
//!
//! Between two batches nothing names the newest versions but the journal, whose recent entries the
//! collector of garbage takes for roots. If it has no patience (`gc --grace 0`), their children are
//! refused by the catalogue, and the next import makes them again.

use std::collections::{HashMap, HashSet};

use super::blobs::{self, Blobs, Stored};
use super::follow::current_branch;
use super::plan::{Known, New, Plan, origin};
use super::references::Intended;
use super::{Import, LeftOut, Omitted};
use crate::catalogue::Change;
use crate::format::manifest;
use crate::git::{Commit, GitId, History, Reader, TreeChanges, TreeFile};
use crate::model::{
    ManifestId, Mode, PathError, Provenance, RefKind, RepoPath, Source, Version, VersionId,
};
use crate::repo::{Repository, Result, Session, Transaction};
use crate::worktree::write::{LinkProblem, WriteError, check_link};

/// A batch ends with so many commits,
const COMMITS: usize = 1000;
/// or so many bytes of new content,
const CONTENT_BYTES: u64 = 256 << 20;
/// or so many changed paths,
const PATHS: usize = 200_000;
/// or so many bytes of listings.
const NODE_BYTES: u64 = 48 << 20;
/// The longest target that a link may have.
const LINK_BYTES: u64 = 4095;

/// The content of a changed path.
#[derive(Clone, Copy)]
enum Content {
    Stored(Stored),
    /// The place in the batch's list of new blobs.
    New(usize),
}

/// A commit, read and compared with its first parent.
struct Prepared {
    commit: Commit,
    whole: bool,
    /// Those parents that are versions, or will be with this batch.
    parents: Vec<GitId>,
    edits: Vec<(RepoPath, Option<(Mode, Content)>)>,
    left_out: Vec<LeftOut>,
    /// How many of the batch's new blobs it and those before it need.
    blobs: usize,
}

/// What commits need, read and not yet written.
#[derive(Default)]
struct Reading {
    commits: Vec<Prepared>,
    blobs: Vec<GitId>,
    /// Where each of them was met first: a table is known by its name.
    met_at: Vec<RepoPath>,
    places: HashMap<GitId, usize>,
    bytes: u64,
    paths: usize,
}

/// What a batch has made.
#[derive(Default)]
struct Made {
    versions: Vec<(GitId, Known)>,
    blobs: Vec<(GitId, Stored)>,
    left_out: Vec<LeftOut>,
    new_bytes: u64,
}

/// The batches of one import.
pub(super) struct Batches<'a> {
    repository: &'a Repository,
    history: &'a History,
    directory: Option<&'a RepoPath>,
    blobs: Blobs,
    told: HashSet<(Omitted, String)>,
}

impl<'a> Batches<'a> {
    /// Batches from `history` into `repository`.
    pub(super) fn new(
        repository: &'a Repository,
        history: &'a History,
        directory: Option<&'a RepoPath>,
    ) -> Self {
        let (blobs, told) = (Blobs::default(), HashSet::new());
        Self { repository, history, directory, blobs, told }
    }

    /// Makes every new commit a version, and moves all branches and tags but the current branch.
    pub(super) fn run(
        &mut self,
        plan: &mut Plan,
        intended: &[Intended],
        done: &mut Import,
    ) -> Result<()> {
        let subject = format!("{} from {}", self.repository.dataset(), done.source);
        let mut at = 0;
        while at < plan.new.len() {
            let what = format!("importing, {at} of {} commits done", plan.new.len());
            self.repository.environment.progress.begin(&what, None, None);
            let made = self.repository.transact("import-git", &subject, None, |session| {
                self.batch(session, plan, at, intended, &done.source)
            });
            self.repository.environment.progress.end();
            let made = made?;
            at += made.versions.len();
            self.take(plan, made, done);
        }
        if done.commits == 0 {
            let changes = self.moves(plan, &HashMap::new(), intended);
            let transaction = Transaction { changes, ..Transaction::default() };
            self.repository.change("import-git", &subject, None, transaction)?;
        }
        Ok(())
    }

    /// Takes note of what the catalogue has accepted.
    fn take(&mut self, plan: &mut Plan, made: Made, done: &mut Import) {
        done.commits += made.versions.len() as u64;
        done.files += made.blobs.len() as u64;
        done.bytes += made.blobs.iter().map(|(_, stored)| stored.size()).sum::<u64>();
        done.new_bytes += made.new_bytes;
        plan.known.extend(made.versions);
        for (id, stored) in made.blobs {
            self.blobs.insert(id, stored);
        }
        for left in made.left_out {
            if self.told.insert((left.what, left.path.clone())) {
                done.left_out.push(left);
            }
        }
    }

    fn batch(
        &mut self,
        session: &Session<'_>,
        plan: &Plan,
        at: usize,
        intended: &[Intended],
        source: &str,
    ) -> Result<(Transaction, Made)> {
        session.keep_nodes();
        self.blobs.since(self.repository.catalogue.root()?.epoch);
        let reading = self.read(plan, &plan.new[at..])?;
        let stored = blobs::store(session, self.history, &reading.blobs, &reading.met_at)?;
        let mut writing = Writing {
            batches: self,
            session,
            plan,
            source,
            stored: &stored,
            made: HashMap::new(),
            transaction: Transaction::default(),
        };
        let mut result = Made::default();
        let mut used = 0;
        for prepared in reading.commits {
            if session.node_bytes() > NODE_BYTES && !result.versions.is_empty() {
                break;
            }
            let version = writing.write(&prepared)?;
            let known = Known { version, whole: prepared.whole };
            result.versions.push((prepared.commit.id, known));
            result.left_out.extend(prepared.left_out);
            used = prepared.blobs;
        }
        let Writing { made, mut transaction, .. } = writing;
        result.blobs = reading.blobs.into_iter().zip(stored).take(used).collect();
        result.new_bytes = session.counts().0;
        transaction.changes.extend(self.mappings(&result.versions));
        if at + result.versions.len() == plan.new.len() {
            transaction.changes.extend(self.moves(plan, &made, intended));
        }
        Ok((transaction, result))
    }

    /// Reads commits until the batch is full.
    fn read(&mut self, plan: &Plan, new: &[New]) -> Result<Reading> {
        let mut reader = self.history.reader();
        let mut reading = Reading::default();
        let mut here: HashMap<GitId, GitId> = HashMap::new();
        for &New { commit, whole } in new {
            let is_full = reading.commits.len() >= COMMITS
                || reading.bytes >= CONTENT_BYTES
                || reading.paths >= PATHS;
            if is_full {
                break;
            }
            let commit = reader.commit(commit)?;
            let mut parents: Vec<GitId> = Vec::with_capacity(commit.parents.len());
            for parent in &commit.parents {
                let is_version = here.contains_key(parent) || plan.known.contains_key(parent);
                if is_version && !parents.contains(parent) {
                    parents.push(*parent);
                }
            }
            let base = match parents.first() {
                Some(parent) => match here.get(parent) {
                    Some(tree) => Some(*tree),
                    None => Some(reader.commit(*parent)?.tree),
                },
                None => None,
            };
            here.insert(commit.id, commit.tree);
            let changes = reader.changes(base, Some(commit.tree))?;
            let mut prepared = Prepared {
                commit,
                whole,
                parents,
                edits: Vec::with_capacity(changes.files.len()),
                left_out: Vec::new(),
                blobs: 0,
            };
            self.sort_out(&reader, changes, &mut prepared, &mut reading)?;
            prepared.blobs = reading.blobs.len();
            reading.paths += prepared.edits.len();
            reading.commits.push(prepared);
        }
        Ok(reading)
    }

    /// Tells what can be kept from what cannot, and known content from new.
    fn sort_out(
        &mut self,
        reader: &Reader,
        changes: TreeChanges,
        prepared: &mut Prepared,
        reading: &mut Reading,
    ) -> Result<()> {
        let commit = Some(prepared.commit.id.to_string());
        let mut leave_out = |what, path: String, why: String| {
            prepared.left_out.push(LeftOut { what, path, commit: commit.clone(), why });
        };
        for (path, at) in changes.submodules {
            let why = format!("it is another Git repository, at commit {at}");
            leave_out(Omitted::Submodule, path.show(), why);
        }
        for PathError { bytes, problem } in changes.unusable {
            leave_out(Omitted::Name, RepoPath::show_bytes(&bytes), problem.to_string());
        }
        for change in changes.files {
            let mut new = change.new;
            if let Some(TreeFile { mode: Mode::Symlink, blob }) = new
                && let Some(problem) = link_problem(reader, &change.path, blob)?
            {
                leave_out(Omitted::Link, change.path.show(), problem);
                new = None;
            }
            let content = match new {
                Some(file) => {
                    Some((file.mode, self.content(reader, file.blob, &change.path, reading)?))
                }
                None => None,
            };
            prepared.edits.push((change.path, content));
        }
        Ok(())
    }

    fn content(
        &mut self,
        reader: &Reader,
        blob: GitId,
        path: &RepoPath,
        reading: &mut Reading,
    ) -> Result<Content> {
        if let Some(place) = reading.places.get(&blob) {
            return Ok(Content::New(*place));
        }
        if let Some(stored) = self.blobs.get(&blob) {
            return Ok(Content::Stored(stored));
        }
        reading.bytes += reader.blob_size(blob)?;
        let place = reading.blobs.len();
        reading.blobs.push(blob);
        reading.met_at.push(path.clone());
        reading.places.insert(blob, place);
        Ok(Content::New(place))
    }

    /// What the commits have become, for the next import.
    fn mappings(&self, versions: &[(GitId, Known)]) -> Vec<Change> {
        let of = |wanted: bool| {
            let pairs: Vec<_> = versions
                .iter()
                .filter(|(_, known)| known.whole == wanted)
                .map(|(id, known)| (id.to_string(), known.version))
                .collect();
            let origin = origin(self.directory, wanted);
            (!pairs.is_empty()).then_some(Change::Imported { origin, pairs })
        };
        [of(true), of(false)].into_iter().flatten().collect()
    }

    /// The moves of branches and tags, without the branch that the worktree is on.
    fn moves(
        &self,
        plan: &Plan,
        made: &HashMap<GitId, (VersionId, ManifestId)>,
        intended: &[Intended],
    ) -> Vec<Change> {
        let current = current_branch(self.repository);
        let moves = intended
            .iter()
            .filter(|one| one.kind != RefKind::Branch || current.as_ref() != Some(&one.name));
        moves
            .filter_map(|one| {
                let here = made.get(&one.commit).map(|(version, _)| *version);
                let version = here.or_else(|| plan.version(&one.commit))?;
                one.change(self.repository, version)
            })
            .collect()
    }
}

/// Why a link cannot be kept, if it cannot.
fn link_problem(reader: &Reader, path: &RepoPath, blob: GitId) -> Result<Option<String>> {
    if reader.blob_size(blob)? > LINK_BYTES {
        return Ok(Some(LinkProblem::TooLong.to_string()));
    }
    let mut target = Vec::new();
    reader.read_blob(blob, &mut target)?;
    Ok(match check_link(path, &target) {
        Ok(()) => None,
        Err(WriteError::Link { problem, .. }) => Some(problem.to_string()),
        Err(other) => Some(other.to_string()),
    })
}

/// The second half of a batch: listings and versions.
struct Writing<'b, 'a> {
    batches: &'b Batches<'a>,
    session: &'b Session<'b>,
    plan: &'b Plan,
    source: &'b str,
    stored: &'b [Stored],
    made: HashMap<GitId, (VersionId, ManifestId)>,
    transaction: Transaction,
}

impl Writing<'_, '_> {
    /// Makes a commit a version.
    fn write(&mut self, prepared: &Prepared) -> Result<VersionId> {
        let mut parents = Vec::with_capacity(prepared.parents.len());
        for parent in &prepared.parents {
            let here = self.made.get(parent).map(|(version, _)| *version);
            parents.extend(here.or_else(|| self.plan.version(parent)));
        }
        let base = match (prepared.parents.first(), parents.first()) {
            (Some(commit), Some(version)) => match self.made.get(commit) {
                Some((_, manifest)) => *manifest,
                None => self.batches.repository.manifest_of(version)?,
            },
            _ => manifest::empty().0,
        };
        let file = |(mode, content): &(Mode, Content)| match content {
            Content::Stored(stored) => stored.with(*mode),
            Content::New(place) => self.stored[*place].with(*mode),
        };
        let edits: Vec<_> = prepared
            .edits
            .iter()
            .map(|(path, new)| (path.clone(), new.as_ref().map(file)))
            .collect();
        let manifest = self.session.edit_manifest(&base, &edits)?;
        let version = self.describe(&prepared.commit, manifest, parents)?;
        let id = self.session.put_version(&version)?;
        self.made.insert(prepared.commit.id, (id, manifest));
        self.transaction.changes.push(Change::VersionAdded {
            version: id,
            dataset: Some(self.batches.repository.dataset().clone()),
        });
        self.transaction.versions.push((id, version));
        Ok(id)
    }

    fn describe(
        &self,
        commit: &Commit,
        manifest: ManifestId,
        parents: Vec<VersionId>,
    ) -> Result<Version> {
        let totals = manifest::summary(&self.session.nodes(), &manifest)?;
        let offset = commit.author.utc_offset_minutes;
        Ok(Version {
            format: 1,
            manifest,
            files: totals.files,
            bytes: totals.bytes,
            parents,
            author: commit.author.author.clone(),
            time: commit.author.time,
            utc_offset_minutes: Some(offset).filter(|minutes| *minutes != 0),
            message: commit.message.trim_end().to_owned(),
            provenance: provenance(self.source, self.batches.directory, commit),
        })
    }
}

/// The commit; who committed it and when, if that is not the author; the directory.
pub(super) fn provenance(
    source: &str,
    directory: Option<&RepoPath>,
    commit: &Commit,
) -> Provenance {
    let mut other = serde_json::Map::new();
    let mut say = |key: &str, value: String| other.insert(key.into(), value.into());
    if let Some(directory) = directory {
        say("directory", directory.show());
    }
    if commit.committer.author != commit.author.author {
        say("committer", commit.committer.author.to_string());
    }
    if commit.committer.time != commit.author.time {
        say("committed", commit.committer.time.to_string());
    }
    let revision = Some(commit.id.to_string());
    let source = Source { uri: source.to_owned(), revision, other, ..Source::default() };
    Provenance { sources: vec![source], ..Provenance::default() }
}
