//! Taking what the worktree has into the staged listing.

use std::collections::HashSet;

use crate::format::manifest;
use crate::model::{Entry, FileRef, ManifestId, RepoPath};
use crate::repo::{
    self, Absent, Failed, Ingested, Look, Looking, Outcome, Repository, Session, ingest, look,
};
use crate::worktree::{Found, Index, Odd, Record, Root};

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
    let Look { index, mut scan, as_of } = look(repository, looking)?;
    let beside = sides::of(repository);
    scan.untracked.retain(|found| !beside.contains(&found.path));
    let found = in_order(scan.suspects, scan.untracked);
    let root = Root::open(&repository.place.root)?;
    let outcome = ingest(session, &root, &found)?;
    refuse_erased(repository, &outcome, &scan.deleted)?;
    let mut staged = Staged {
        manifest: repository.state().staged,
        added: Vec::new(),
        modified: Vec::new(),
        deleted: with_covered(&index, &found, scan.deleted),
        failed: outcome.failed,
        odd: scan.odd,
        bytes: 0,
        index,
        as_of,
        records: Vec::new(),
    };
    if staged.manifest == manifest::empty().0 && staged.deleted.is_empty() {
        staged.take(repository, found, outcome.ingested, &mut |_, _| {});
        let entry = |(path, record): &(RepoPath, Option<Record>)| {
            record.map(|record| Entry { path: path.clone(), file: record.file })
        };
        staged.manifest = session.build_manifest(staged.records.iter().filter_map(entry))?;
        return Ok(staged);
    }
    let mut edits: Vec<_> = staged.deleted.iter().map(|path| (path.clone(), None)).collect();
    let mut edit = |path: &RepoPath, file| edits.push((path.clone(), Some(file)));
    staged.take(repository, found, outcome.ingested, &mut edit);
    edits.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    staged.manifest = session.edit_manifest(&staged.manifest, &edits)?;
    Ok(staged)
}

/// Both lists as one, in path order.
fn in_order(mut some: Vec<Found>, mut others: Vec<Found>) -> Vec<Found> {
    if some.is_empty() {
        return others;
    }
    some.append(&mut others);
    some.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    some
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
fn with_covered(index: &Index, files: &[Found], mut deleted: Vec<RepoPath>) -> Vec<RepoPath> {
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
    /// Notes what was taken in of `found`, and gives to `edit` what changes in the listing.
    fn take(
        &mut self,
        repository: &Repository,
        found: Vec<Found>,
        ingested: Vec<(usize, Ingested)>,
        edit: &mut dyn FnMut(&RepoPath, FileRef),
    ) {
        let overlay = repository.overlay();
        let mut ingested = ingested.into_iter().peekable();
        let mut take = |(place, found): (usize, Found)| {
            let (_, mut taken) = ingested.next_if(|(at, _)| *at == place)?;
            // The redacted copy of what is staged is no change.
            if let Some(before) = found.known.filter(|_| !overlay.is_empty())
                && overlay.delivered(&before).is_ok_and(|given| given == taken.file)
            {
                taken.file = before;
            }
            self.bytes += taken.file.size;
            if found.known != Some(taken.file) {
                edit(&found.path, taken.file);
                let list = if found.known.is_some() { &mut self.modified } else { &mut self.added };
                list.push(found.path.clone());
            }
            Some((found.path, Some(Record { file: taken.file, stat: taken.stat })))
        };
        // A record is as long as what was found, so that a million of them need no second list.
        self.records = found.into_iter().enumerate().filter_map(&mut take).collect();
        if !self.deleted.is_empty() {
            self.records.extend(self.deleted.iter().map(|path| (path.clone(), None)));
            self.records.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
    }

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
