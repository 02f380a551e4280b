//! Taking what the worktree has into the staged listing.

use std::collections::HashSet;

use crate::model::{FileRef, ManifestId, RepoPath};
use crate::repo::{
    self, Absent, Failed, Look, Looking, Outcome, Repository, Session, Wanted, ingest, look,
};
use crate::worktree::{Index, Odd, Record, Root};

use super::{Result, sides};

/// What was taken in. The index is written when the catalogue has accepted it.
pub struct Staged {
    /// The listing with it.
    pub manifest: ManifestId,
    /// Paths that were not tracked.
    pub added: Vec<RepoPath>,
    /// Paths with other content or mode.
    pub modified: Vec<RepoPath>,
    /// Paths that are gone.
    pub deleted: Vec<RepoPath>,
    /// Files that could not be read.
    pub failed: Vec<Failed>,
    /// What cannot be tracked.
    pub odd: Vec<Odd>,
    /// Bytes of the files that were read.
    pub bytes: u64,
    index: Index,
    as_of: i64,
    records: Vec<(RepoPath, Option<Record>)>,
}

/// Stores what differs from what is staged.
///
/// # Errors
///
/// The worktree's and the store's. A file that cannot be read is no error, but listed.
pub fn stage(session: &Session<'_>, looking: &Looking) -> Result<Staged, repo::Error> {
    let repository = session.repository();
    let Look { index, scan, as_of } = look(repository, looking)?;
    let mut known: Vec<Option<FileRef>> = Vec::new();
    let mut wanted: Vec<(Wanted, Option<FileRef>)> = Vec::new();
    let beside = sides::of(repository);
    let untracked = scan.untracked.into_iter().filter(|found| !beside.contains(&found.path));
    for found in scan.suspects.into_iter().chain(untracked) {
        wanted.push((Wanted { path: found.path, stat: found.stat }, found.known));
    }
    wanted.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let mut files = Vec::with_capacity(wanted.len());
    for (file, before) in wanted {
        files.push(file);
        known.push(before);
    }
    let root = Root::open(&repository.place.root)?;
    let outcome = ingest(session, &root, &files)?;
    refuse_erased(repository, &outcome, &scan.deleted)?;
    let mut staged = Staged {
        manifest: repository.state().staged,
        added: Vec::new(),
        modified: Vec::new(),
        deleted: with_covered(&index, &files, scan.deleted),
        failed: outcome.failed,
        odd: scan.odd,
        bytes: 0,
        index,
        as_of,
        records: Vec::new(),
    };
    let mut edits: Vec<(RepoPath, Option<FileRef>)> =
        staged.deleted.iter().map(|path| (path.clone(), None)).collect();
    let overlay = repository.overlay();
    for (place, mut ingested) in outcome.ingested {
        let path = &files[place].path;
        // The redacted copy of what is staged is no change.
        if let Some(before) = known[place].filter(|_| !overlay.is_empty())
            && overlay.delivered(&before).is_ok_and(|given| given == ingested.file)
        {
            ingested.file = before;
        }
        staged.bytes += ingested.file.size;
        if known[place] != Some(ingested.file) {
            edits.push((path.clone(), Some(ingested.file)));
            let list =
                if known[place].is_some() { &mut staged.modified } else { &mut staged.added };
            list.push(path.clone());
        }
        let record = Record { file: ingested.file, stat: ingested.stat };
        staged.records.push((path.clone(), Some(record)));
    }
    edits.sort_by(|a, b| a.0.cmp(&b.0));
    staged.records.extend(staged.deleted.iter().map(|path| (path.clone(), None)));
    staged.records.sort_by(|a, b| a.0.cmp(&b.0));
    staged.manifest = session.edit_manifest(&staged.manifest, &edits)?;
    Ok(staged)
}

/// Fails if there is nothing but content that must not come back.
fn refuse_erased(
    repository: &Repository,
    outcome: &Outcome,
    deleted: &[RepoPath],
) -> Result<(), repo::Error> {
    let overlay = repository.overlay();
    let refused = |failed: &Failed| match &failed.error {
        repo::Error::Erased { file, .. } => {
            let (path, presence) = (failed.path.clone(), overlay.get(file)?.clone());
            Some(Absent { path, file: *file, presence })
        }
        _ => None,
    };
    if let [only] = &outcome.failed[..]
        && outcome.ingested.is_empty()
        && deleted.is_empty()
        && let repo::Error::ErasedRecord { path, row, certificate } = &only.error
    {
        let (path, row, certificate) = (path.clone(), *row, certificate.clone());
        return Err(repo::Error::ErasedRecord { path, row, certificate });
    }
    let absent: Vec<Absent> = outcome.failed.iter().filter_map(refused).collect();
    let other = outcome.failed.len() > absent.len() || !outcome.ingested.is_empty();
    if absent.is_empty() || other || !deleted.is_empty() {
        return Ok(());
    }
    Err(repo::Error::AllAbsent { absent })
}

/// The deleted paths, and tracked files whose place a directory with new files has taken.
fn with_covered(index: &Index, files: &[Wanted], mut deleted: Vec<RepoPath>) -> Vec<RepoPath> {
    let mut seen: HashSet<&[u8]> = HashSet::new();
    for file in files {
        let mut directory = file.path.directory();
        while !directory.is_empty() && seen.insert(directory) {
            if let Ok(path) = RepoPath::new(directory)
                && index.get(&path).is_some()
            {
                deleted.push(path);
            }
            let slash = directory.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            directory = &directory[..slash];
        }
    }
    deleted.sort();
    deleted.dedup();
    deleted
}

impl Staged {
    /// Whether nothing differs from what was staged before.
    pub fn is_unchanged(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }

    /// Writes the index, once the catalogue has the listing.
    pub fn keep_index(&self, repository: &Repository) {
        if !self.records.is_empty() || self.index.base() != Some(self.manifest) {
            repository.keep_index(&self.index, &self.manifest, self.as_of, &self.records);
        }
    }
}
