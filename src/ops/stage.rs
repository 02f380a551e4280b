//! Taking what the worktree has into the staged listing.

use std::collections::HashSet;

use crate::model::{FileRef, ManifestId, RepoPath};
use crate::repo::{
    self, Absent, Failed, Ingested, Look, Looking, Repository, Session, ingest, look,
};
use crate::worktree::{Changes, FileList, Found, Index, Odd, Record, Root};

use super::{Result, sides};

mod listing;

/// What was taken in. The index is written when the catalogue has accepted it.
pub struct Staged {
    /// The listing with it.
    pub manifest: ManifestId,
    /// Paths that were not tracked.
    pub added: FileList<RepoPath>,
    /// Paths with other content or mode.
    pub modified: FileList<RepoPath>,
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
    records: FileList<(RepoPath, Record)>,
}

/// Stores what differs from what is staged. Files go through in path order: as soon as one is stored it
/// stands in the new listing, so that a million of them are in no list of edits.
///
/// # Errors
///
/// The worktree's and the store's. A file that cannot be read is no error, but listed.
pub fn stage(session: &Session<'_>, looking: &Looking) -> Result<Staged, repo::Error> {
    let repository = session.repository();
    let Look { index, scan, as_of } = look(repository, looking)?;
    let mut found = scan.suspects;
    found.append(without(scan.untracked, &sides::of(repository)));
    let root = Root::open(&repository.place.root)?;
    let deleted = with_covered(&index, &found, scan.deleted.clone());
    let mut staged = Staged {
        manifest: repository.state().staged,
        added: FileList::default(),
        modified: FileList::default(),
        deleted: Vec::new(),
        failed: Vec::new(),
        odd: scan.odd,
        bytes: 0,
        index,
        as_of,
        records: FileList::default(),
    };
    let mut listing = listing::begin(session, staged.manifest, &deleted, found.len())?;
    let mut sink = |found: Found, ingested: Ingested| match staged.take(repository, found, ingested)
    {
        Some((path, file)) => listing.put(&path, file),
        None => Ok(()),
    };
    let failed = ingest(session, &root, found, &mut sink)?;
    refuse_erased(repository, &failed, staged.records.is_empty() && scan.deleted.is_empty())?;
    staged.manifest = listing.finish()?;
    staged.failed = failed;
    staged.deleted = deleted;
    Ok(staged)
}

/// The files that do not lie at `paths`.
pub(super) fn without(found: FileList<Found>, paths: &[RepoPath]) -> FileList<Found> {
    if paths.is_empty() {
        return found;
    }
    let paths: HashSet<&RepoPath> = paths.iter().collect();
    found.into_iter().filter(|found| !paths.contains(&found.path)).collect()
}

/// Fails if there is nothing but content that must not come back.
fn refuse_erased(
    repository: &Repository,
    failed: &[Failed],
    nothing_else: bool,
) -> Result<(), repo::Error> {
    if !nothing_else {
        return Ok(());
    }
    let overlay = repository.overlay();
    let refused = |failed: &Failed| match &failed.error {
        repo::Error::Erased { file, .. } => {
            let (path, presence) = (failed.path.clone(), overlay.get(file)?.clone());
            Some(Absent { path, file: *file, presence })
        }
        _ => None,
    };
    if let [only] = failed
        && let repo::Error::ErasedRecord { path, row, certificate } = &only.error
    {
        let (path, row, certificate) = (path.clone(), *row, certificate.clone());
        return Err(repo::Error::ErasedRecord { path, row, certificate });
    }
    let absent: Vec<Absent> = failed.iter().filter_map(refused).collect();
    if absent.is_empty() || failed.len() > absent.len() {
        return Ok(());
    }
    Err(repo::Error::AllAbsent { absent })
}

/// The deleted paths, and tracked files whose place a directory with new files has taken.
fn with_covered(
    index: &Index,
    files: &FileList<Found>,
    mut deleted: Vec<RepoPath>,
) -> Vec<RepoPath> {
    let mut seen: HashSet<&[u8]> = HashSet::new();
    for mut directory in files.directories().filter(|_| !index.is_empty()) {
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
    /// Notes a file that was taken in, and tells what changes in the listing.
    fn take(
        &mut self,
        repository: &Repository,
        found: Found,
        Ingested { mut file, stat }: Ingested,
    ) -> Option<(RepoPath, FileRef)> {
        let overlay = repository.overlay();
        // The redacted copy of what is staged is no change.
        if let Some(before) = found.known.filter(|_| !overlay.is_empty())
            && overlay.delivered(&before).is_ok_and(|given| given == file)
        {
            file = before;
        }
        self.bytes += file.size;
        let record = (found.path, Record { file, stat });
        self.records.push(&record);
        if found.known == Some(file) {
            return None;
        }
        let list = if found.known.is_some() { &mut self.modified } else { &mut self.added };
        list.push(&record.0);
        Some((record.0, file))
    }

    /// Whether nothing differs from what was staged before.
    pub fn is_unchanged(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }

    /// Writes the index, once the catalogue has the listing.
    pub fn keep_index(&self, repository: &Repository) {
        let unchanged = self.records.is_empty() && self.deleted.is_empty();
        if !unchanged || self.index.base() != Some(self.manifest) {
            let changes = Changes::Many(&self.records, &self.deleted);
            repository.keep_changes(&self.index, &self.manifest, self.as_of, changes);
        }
    }
}
