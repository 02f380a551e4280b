//! The worktree beside what is staged: which files differ, looked at once and hashed where needed.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::ingest::join;
use super::{Error, Repository, Result};
use crate::format::manifest;
use crate::git::{self, IgnoreRules};
use crate::model::{Entry, FileId, FileRef, ManifestId, Mode, RepoPath, Scope};
use crate::worktree::{
    self, Changes, FileList, Found, Ignore, Index, IsIgnored, Odd, Record, Root, ScanOptions, Stat,
    file_time, scan,
};

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Looking {
    /// What part.
    pub scope: Scope,
    /// Leave out the search for files that are not tracked.
    pub tracked_only: bool,
    /// Take ignored files for untracked ones.
    pub ignored_too: bool,
    /// Read every file, whatever its stat says.
    pub distrust: bool,
}

/// A tracked file that is not as staged.
#[derive(Debug, Clone)]
pub struct Modified {
    /// Where it lies.
    pub path: RepoPath,
    /// What is staged.
    pub staged: FileRef,
    /// How it looks now.
    pub stat: Stat,
}

/// The worktree beside what is staged. Every list is in path order.
#[derive(Debug, Default)]
pub struct Survey {
    /// Tracked files with other content or mode.
    pub modified: Vec<Modified>,
    /// Tracked files that are not there.
    pub deleted: Vec<RepoPath>,
    /// Files that are not tracked, and not ignored.
    pub untracked: FileList<Found>,
    /// What cannot be tracked.
    pub odd: Vec<Odd>,
    /// Files as staged whose stat data has changed.
    pub touched: Vec<(RepoPath, Record)>,
    /// The file system's moment before the first look.
    pub as_of: i64,
}

/// A worktree's index, known to agree with what is staged, and what a scan with it saw.
pub struct Look {
    /// The stat data.
    pub index: Index,
    /// What differs from it.
    pub scan: worktree::Scan,
    /// The file system's moment before the first look.
    pub as_of: i64,
}

/// `.stemignore`, for the scan.
struct Rules(IgnoreRules);

impl Ignore for Rules {
    fn directory<'a>(&'a self, directory: &[u8]) -> IsIgnored<'a> {
        let rules = self.0.directory(directory);
        Box::new(move |path, is_dir| rules.is_ignored(path, is_dir))
    }
}

/// No file is ignored.
struct NoRules;

impl Ignore for NoRules {
    fn directory<'a>(&'a self, _: &[u8]) -> IsIgnored<'a> {
        Box::new(|_, _| false)
    }
}

/// Looks at the worktree: names and stat data, no content.
///
/// # Errors
///
/// The worktree's and the store's; a `.stemignore` that cannot be read.
pub fn look(repository: &Repository, looking: &Looking) -> Result<Look> {
    let index = repository.index()?;
    let as_of = file_time(&repository.place.dot)?;
    let rules = Rules(IgnoreRules::new(&repository.place.root));
    let ignore: &dyn Ignore = if looking.ignored_too { &NoRules } else { &rules };
    let options = ScanOptions {
        ignore,
        scope: looking.scope.clone(),
        untracked: !looking.tracked_only,
        distrust: looking.distrust,
        threads: repository.threads(),
    };
    let mut scan = scan(&repository.place.root, &index, &options)?;
    let overlay = repository.overlay();
    if !overlay.is_empty() {
        // What is gone by design was not deleted here.
        let is_here =
            |path: &RepoPath| !index.get(path).is_some_and(|record| overlay.is_gone(&record.file));
        scan.deleted.retain(is_here);
    }
    if let Some(problem) = rules.0.take_problems().into_iter().next() {
        return Err(problem.into());
    }
    Ok(Look { index, scan, as_of })
}

/// The files at or below `scope` that a worktree at `root` would track, read and hashed, in path
/// order; what `.stemignore` leaves out there is left out. Needs no repository at `root`.
///
/// # Errors
///
/// The worktree's; a file that cannot be read.
pub fn files_below(root: &Path, scope: &Scope, threads: usize) -> Result<Vec<Entry>> {
    let rules = Rules(IgnoreRules::new(root));
    let options = ScanOptions {
        ignore: &rules,
        scope: scope.clone(),
        untracked: true,
        distrust: false,
        threads,
    };
    let found = scan(root, &Index::empty(), &options)?.untracked;
    if let Some(problem) = rules.0.take_problems().into_iter().next() {
        return Err(problem.into());
    }
    let top = Root::open(root)?;
    let mut buffer = Vec::new();
    let mut entries = Vec::with_capacity(found.len());
    for Found { path, stat, .. } in found {
        let (stat, file) = hash_file(&top, &path, stat.mode, &mut buffer)?;
        let file = FileRef { file, size: stat.size, mode: stat.mode };
        entries.push(Entry { path, file });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Compares the worktree with what is staged; reads the files whose stat data leaves doubt.
///
/// # Errors
///
/// As [`look`].
pub fn survey(repository: &Repository, looking: &Looking) -> Result<Survey> {
    let Look { scan, as_of, .. } = look(repository, looking)?;
    let mut survey = Survey {
        deleted: scan.deleted,
        untracked: scan.untracked,
        odd: scan.odd,
        as_of,
        ..Survey::default()
    };
    let root = Root::open(&repository.place.root)?;
    let overlay = repository.overlay();
    let given = |file: FileRef| overlay.delivered(&file).unwrap_or(file);
    let (doubtful, plain): (Vec<_>, Vec<_>) = scan.suspects.into_iter().partition(|found| {
        let known = found.known.map(given);
        known.is_some_and(|file| file.size == found.stat.size && file.mode == found.stat.mode)
    });
    for found in plain {
        if let Some(staged) = found.known {
            survey.modified.push(Modified { path: found.path, staged, stat: found.stat });
        }
    }
    let hashes = hash_all(repository, &root, &doubtful)?;
    for (found, hash) in doubtful.into_iter().zip(hashes) {
        let Some(staged) = found.known else { continue };
        match hash {
            Some((stat, file)) if file == given(staged).file && stat.mode == staged.mode => {
                survey.touched.push((found.path, Record { file: staged, stat }));
            }
            Some((stat, _)) => {
                survey.modified.push(Modified { path: found.path, staged, stat });
            }
            None => survey.modified.push(Modified { path: found.path, staged, stat: found.stat }),
        }
    }
    survey.modified.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(survey)
}

/// The files' hashes, each with the stat data it belongs to; none for a file that cannot be read
/// or keeps changing.
fn hash_all(
    repository: &Repository,
    root: &Root,
    files: &[Found],
) -> Result<Vec<Option<(Stat, FileId)>>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![None; files.len()]);
    let bytes = files.iter().map(|file| file.stat.size).sum();
    let progress = &*repository.environment.progress;
    progress.begin("reading", Some(files.len() as u64), Some(bytes));
    let work = || {
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Relaxed);
            let Some(file) = files.get(number) else { return };
            let hash = hash_file(root, &file.path, file.stat.mode, &mut buffer).ok();
            progress.advance(1, file.stat.size);
            results.lock().unwrap_or_else(PoisonError::into_inner)[number] = hash;
        }
    };
    std::thread::scope(|scope| {
        let threads = repository.threads().min(files.len());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(join);
    });
    progress.end();
    Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Files up to this size are read in one piece.
const WHOLE_BYTES: u64 = 4 << 20;

/// Reads a file of the worktree and hashes it.
///
/// # Errors
///
/// [`worktree::Error::Changing`] if it does not hold still; otherwise as reading fails.
pub fn hash_file(
    root: &Root,
    path: &RepoPath,
    mode: Mode,
    buffer: &mut Vec<u8>,
) -> Result<(Stat, FileId)> {
    if mode == Mode::Symlink {
        let gone = || Error::from(worktree::Error::Changing { path: path.clone() });
        let stat = root.stat(path)?.ok_or_else(gone)?;
        return Ok((stat, FileId::of(&root.read_link(path)?)));
    }
    let (mut file, before) = root.open_file(path)?;
    if before.size <= WHOLE_BYTES {
        let stat = root.read_whole(path, buffer)?;
        return Ok((stat, FileId::of(buffer)));
    }
    let io = |source| Error::Io { path: root.path().join(path.show()), source };
    let mut hasher = blake3::Hasher::new();
    buffer.resize(WHOLE_BYTES as usize / 4, 0);
    loop {
        match std::io::Read::read(&mut file, buffer).map_err(io)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        };
    }
    if Stat::of_file(&file).map_err(io)? != before {
        return Err(worktree::Error::Changing { path: path.clone() }.into());
    }
    Ok((before, FileId::from_bytes(*hasher.finalize().as_bytes())))
}

/// The id of everything that `stream` gives, read piece by piece.
///
/// # Errors
///
/// As reading fails.
pub fn hash_stream(stream: &mut impl std::io::Read) -> std::io::Result<FileId> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(stream)?;
    Ok(FileId::from_bytes(*hasher.finalize().as_bytes()))
}

impl Repository {
    /// The worktree's stat data, in agreement with what is staged: where the file is missing,
    /// damaged or of another listing, it is mended.
    ///
    /// # Errors
    ///
    /// The worktree's and the store's.
    pub fn index(&self) -> Result<Index> {
        let staged = self.state().staged;
        let path = self.place.index();
        let index = match Index::load(&path) {
            Ok(Some(index)) => index,
            Ok(None) | Err(worktree::Error::IndexDamaged { .. }) => Index::empty(),
            Err(error) => return Err(error.into()),
        };
        if index.base() == Some(staged) {
            return Ok(index);
        }
        if !self.bring_to(&index, &staged)? {
            let nodes = self.nodes();
            let entries = manifest::list(&nodes, &staged, b"")?.collect::<Result<Vec<Entry>>>()?;
            let unknown =
                |entry: Entry| (entry.path, Record { file: entry.file, stat: Stat::UNKNOWN });
            Index::build(&path, staged, 0, entries.into_iter().map(unknown))?;
        }
        let missing = || Error::Lost { what: "the worktree's index".into() };
        Index::load(&path)?.ok_or_else(missing)
    }

    /// Whether an index of another listing could be brought to this one.
    fn bring_to(&self, index: &Index, staged: &ManifestId) -> Result<bool> {
        let Some(base) = index.base() else { return Ok(false) };
        let nodes = self.nodes();
        let changes: Result<Vec<manifest::Change>> =
            manifest::diff(&nodes, &base, staged).and_then(Iterator::collect);
        let Ok(changes) = changes else { return Ok(false) };
        let unknown = |change: manifest::Change| {
            let record = change.new.map(|file| Record { file, stat: Stat::UNKNOWN });
            (change.path, record)
        };
        let changes: Vec<_> = changes.into_iter().map(unknown).collect();
        index.update(&self.place.index(), *staged, index.as_of(), Changes::Some(&changes))?;
        Ok(true)
    }

    /// Writes the index after a change: it is a cache, so failing costs only time later.
    pub fn keep_index(
        &self,
        index: &Index,
        staged: &ManifestId,
        as_of: i64,
        changes: &[(RepoPath, Option<Record>)],
    ) {
        self.keep_changes(index, staged, as_of, Changes::Some(changes));
    }

    /// As [`Repository::keep_index`], of many files.
    pub fn keep_changes(
        &self,
        index: &Index,
        staged: &ManifestId,
        as_of: i64,
        changes: Changes<'_>,
    ) {
        let path = self.place.index();
        if index.update(&path, *staged, as_of, changes).is_err() {
            // An index that does not agree is seen by its listing's id, and mended.
            let _ = std::fs::remove_file(&path);
        }
    }

    /// Notes the stat data of files that were read and found as staged, if no other command is at
    /// work, so that they need not be read again.
    pub fn remember(&self, seen: &Survey) {
        if seen.touched.is_empty() {
            return;
        }
        let Ok(Some(_lock)) = super::lock::attempt(&self.place.dot.join("lock")) else { return };
        let staged = self.state().staged;
        let Ok(index) = self.index() else { return };
        let records: Vec<_> =
            seen.touched.iter().map(|(path, record)| (path.clone(), Some(*record))).collect();
        self.keep_index(&index, &staged, seen.as_of, &records);
    }

    /// The rules of `.stemignore` in this worktree.
    pub fn ignore_rules(&self) -> git::IgnoreRules {
        IgnoreRules::new(&self.place.root)
    }
}
