//! Which files an erasure is about, and everything that lists them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hunt::Hunt;
use super::plan::{NamedRef, Selector, StagedIn, Target, TouchedVersion};
use super::records::{Candidate, Rest};
use crate::catalogue::VersionRow;
use crate::format::frame::Key;
use crate::format::manifest::{Node, NodeSource};
use crate::format::recipe::decode_recipe;
use crate::git::Pattern;
use crate::model::{
    DatasetName, FileId, FileRef, ManifestId, Mode, RefKind, RepoPath, Time, VersionId,
};
use crate::ops::{Error, Result};
use crate::repo::{self, Marks, Nodes, Overlay, Repository, parallel};

/// So many paths are named for each file.
pub(super) const MOST_PATHS: usize = 20;
/// So many listings that follow each other are walked through by one thread.
const ROOTS: usize = 16;
const SHARDS: usize = 64;

/// Everything that a repository lists, looked at for an erasure.
pub(super) struct Scope {
    /// The journal's last entry before anything was read.
    pub(super) journal: u64,
    pub(super) rows: Vec<VersionRow>,
    /// Listings that must be readable.
    pub(super) listings: Vec<ManifestId>,
    /// Listings that were staged or spoken of once, as far as they are there.
    pub(super) hoped_for: Vec<ManifestId>,
}

/// What was selected, and who lists it.
#[derive(Default, Clone)]
pub(super) struct Selected {
    pub(super) files: BTreeMap<FileId, FileRef>,
    pub(super) targets: Vec<Target>,
    pub(super) versions: Vec<TouchedVersion>,
    pub(super) branches: Vec<NamedRef>,
    pub(super) tags: Vec<NamedRef>,
    pub(super) staged: Vec<StagedIn>,
    /// Whether nothing else is left in what was looked at.
    pub(super) everything: bool,
    /// Where only records go: what the files become.
    pub(super) rests: BTreeMap<FileId, Rest>,
    /// What may hold such records, and cannot be read or rewritten.
    pub(super) unproven: Vec<String>,
    /// Tables without a column that a key names.
    pub(super) absent_keys: Vec<String>,
    /// Which files were looked at for records, as one hash.
    pub(super) searched: Option<String>,
    /// The chunks of what the files become.
    pub(super) kept: Arc<Marks>,
}

impl Scope {
    pub(super) fn of(repository: &Repository) -> Result<Self> {
        let since = Time::from_unix(0).ok();
        let retained = repository.retained(since)?;
        let rows = repository.catalogue.all_versions()?;
        // After the names: the packs of everything that they need are known by now.
        repository.refresh()?;
        // One state after the other, so that neighbours share the most; and those of versions that
        // nothing names any more, which can still be read by their ids.
        let mut known = HashSet::new();
        let all = rows.iter().map(|row| row.manifest).chain(retained.listings);
        let listings: Vec<ManifestId> = all.filter(|id| known.insert(*id)).collect();
        let hoped_for = retained.hoped_for.difference(&known).copied().collect();
        Ok(Self { journal: retained.journal, rows, listings, hoped_for })
    }

    /// The listings that a selection by path looks at.
    fn of_dataset(
        &self,
        repository: &Repository,
        dataset: Option<&DatasetName>,
    ) -> Result<Vec<ManifestId>> {
        let Some(dataset) = dataset else {
            return Ok(self.listings.iter().chain(&self.hoped_for).copied().collect());
        };
        if !repository.catalogue.has_dataset(dataset)? {
            return Err(repo::Error::NoDataset(dataset.clone()).into());
        }
        let reach = repository.reach_of(dataset)?;
        let rows = self.rows.iter().filter(|row| reach.contains(&row.id));
        let mut listings: HashSet<ManifestId> = rows.map(|row| row.manifest).collect();
        let worktrees = repository.catalogue.worktrees()?.into_iter();
        let here = worktrees.filter(|row| row.state.dataset == *dataset);
        listings.extend(here.map(|row| row.state.staged));
        Ok(listings.into_iter().collect())
    }
}

/// Finds what `selector` means, in every version, and who lists it.
pub(super) fn select(
    repository: &Repository,
    scope: &Scope,
    selector: &Selector,
    hunt: Option<&Hunt<'_>>,
) -> Result<Selected> {
    let mut selected = Selected::default();
    if !selector.paths.is_empty() {
        by_path(repository, scope, selector, &mut selected)?;
    }
    by_ids(repository, scope, &selector.files, &mut selected.files)?;
    let empty = selected.files.remove(&FileId::of(b"")).is_some();
    if let Some(hunt) = hunt {
        with_records(repository, scope, selector, hunt, &mut selected)?;
        if selected.files.is_empty() && !selected.unproven.is_empty() {
            return Err(Error::Unproven(selected.unproven));
        }
        if selected.files.is_empty() {
            return Err(Error::NoRecord);
        }
    }
    if selected.files.is_empty() {
        let words = selector.paths.iter().map(|path| path.clone().into_bytes());
        let ids = selector.files.iter().map(|file| file.to_hex().into_bytes());
        let named = words.chain(ids).collect();
        return Err(if empty { Error::OnlyEmpty(named) } else { Error::NoMatch(named) });
    }
    let overlay = repository.overlay();
    if let Some(gone) = selected.files.keys().find(|file| overlay.get(file).is_some()) {
        return Err(repository.admit(gone).err().map_or_else(
            || Error::Refused(format!("{gone} is archived: bring it back first")),
            Into::into,
        ));
    }
    touched(repository, scope, &mut selected)?;
    Ok(selected)
}

fn by_path(
    repository: &Repository,
    scope: &Scope,
    selector: &Selector,
    selected: &mut Selected,
) -> Result<()> {
    let wanted: Vec<_> = selector.paths.iter().map(|text| Wanted::new(text)).collect();
    let overlay = repository.overlay();
    let roots = scope.of_dataset(repository, selector.dataset.as_ref())?;
    let others = AtomicBool::new(false);
    walk_all(repository, &roots, &Mutex::default(), &|_, path, file| {
        // A redacted copy may have to go, too.
        let Ok(file) = overlay.delivered(file) else { return };
        let hits = wanted.iter().filter(|one| one.fits(path, file));
        if hits.count() == 0 {
            others.store(true, Relaxed);
        }
    })?;
    let mut others = others.into_inner();
    for one in wanted {
        let (chosen, passed_over) = one.chosen()?;
        selected.files.extend(chosen);
        others |= passed_over.iter().any(|file| !selected.files.contains_key(file));
    }
    selected.everything = !others;
    Ok(())
}

/// What `--path` was given: a path where one is called so, otherwise a pattern.
struct Wanted<'a> {
    text: &'a str,
    /// What it can mean, the likeliest first, with the files that fit.
    ways: Vec<(Way, Mutex<BTreeMap<FileId, FileRef>>)>,
}

enum Way {
    Path(Vec<u8>),
    Pattern(Pattern),
}

impl Way {
    fn fits(&self, path: &[u8]) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(path),
            Self::Path(wanted) => path
                .strip_prefix(&wanted[..])
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/'),
        }
    }
}

impl<'a> Wanted<'a> {
    fn new(text: &'a str) -> Self {
        // From the top, unless it begins with a star: a name alone must not match anywhere.
        let rooted =
            if text.starts_with(['*', '/']) { text.to_owned() } else { format!("/{text}") };
        let pattern = Pattern::parse(&rooted).map(Way::Pattern);
        let path = text.trim_start_matches('/').trim_end_matches('/').as_bytes().to_vec();
        let path = Some(Way::Path(path)).filter(|_| !Pattern::is_plain(text));
        let bytes = RepoPath::from_exact(text).map(Way::Path);
        let ways = [path, bytes, pattern].into_iter().flatten();
        Self { text, ways: ways.map(|way| (way, Mutex::default())).collect() }
    }

    /// Whether a file fits, in one way or the other.
    fn fits(&self, path: &[u8], file: FileRef) -> bool {
        let mut fits = false;
        for (_, files) in self.ways.iter().filter(|(way, _)| way.fits(path)) {
            lock(files).insert(file.file, file);
            fits = true;
        }
        fits
    }

    /// The files that are meant, and those that it would have meant in other ways.
    fn chosen(self) -> Result<(BTreeMap<FileId, FileRef>, Vec<FileId>)> {
        let means = |(way, files): &(Way, Mutex<BTreeMap<_, _>>)| {
            matches!(way, Way::Pattern(_)) || !lock(files).is_empty()
        };
        if !self.ways.iter().any(means) {
            let text = format!("`{}` is not a pattern over paths", self.text.escape_debug());
            return Err(Error::Refused(text));
        }
        let files = |(_, files): (Way, Mutex<_>)| files.into_inner();
        let files =
            self.ways.into_iter().map(files).map(|all| all.unwrap_or_else(PoisonError::into_inner));
        let mut found = files.filter(|one: &BTreeMap<_, _>| !one.is_empty());
        let chosen = found.next().unwrap_or_default();
        Ok((chosen, found.flat_map(BTreeMap::into_keys).collect()))
    }
}

/// Leaves of what is selected, or of everything if nothing is, the files that hold such records.
fn with_records(
    repository: &Repository,
    scope: &Scope,
    selector: &Selector,
    hunt: &Hunt<'_>,
    selected: &mut Selected,
) -> Result<()> {
    let all = selector.paths.is_empty() && selector.files.is_empty();
    let chosen = std::mem::take(&mut selected.files);
    selected.everything = false;
    let overlay = repository.overlay();
    let found = Candidates::default();
    let roots = scope.of_dataset(repository, selector.dataset.as_ref())?;
    let strict: HashSet<&ManifestId> = scope.listings.iter().collect();
    let (strict, lenient): (Vec<ManifestId>, Vec<ManifestId>) =
        roots.into_iter().partition(|id| strict.contains(id));
    let seen = Mutex::default();
    for (roots, must_be_there) in [(strict, true), (lenient, false)] {
        walk_all(repository, &roots, &seen, &|met, path, file| {
            let Ok(file) = overlay.delivered(file) else { return };
            if file.size > 0 && (all || chosen.contains_key(&file.file)) {
                found.add(file, path, must_be_there, met);
            }
        })?;
    }
    hunt.files(&found.sorted(), selected)
}

/// Files that may hold records. Filled by many threads.
struct Candidates {
    shards: Vec<Mutex<HashMap<FileId, Candidate>>>,
}

impl Default for Candidates {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Candidates {
    fn add(&self, file: FileRef, path: &[u8], must_be_there: bool, met: usize) {
        let mut shard = lock(&self.shards[usize::from(file.file.as_bytes()[0]) % SHARDS]);
        let new = || Candidate { file, path: path.to_vec(), must_be_there, met };
        let known = shard.entry(file.file).or_insert_with(new);
        known.met = known.met.min(met);
        // The first path of all, whichever listing comes first.
        if *path < *known.path {
            known.path = path.to_vec();
        }
    }

    /// All of them, by their ids.
    fn sorted(self) -> Vec<Candidate> {
        let shards = self.shards.into_iter();
        let mut all: Vec<Candidate> = shards
            .flat_map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
            .map(|(_, candidate)| candidate)
            .collect();
        all.sort_unstable_by_key(|candidate| candidate.file.file);
        all
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives every entry below `roots` to `visit`, each node once, with the number of a root that leads
/// to it; on all threads, and roots in their order, more or less.
fn walk_all(
    repository: &Repository,
    roots: &[ManifestId],
    seen: &Mutex<HashSet<ManifestId>>,
    visit: &(dyn Fn(usize, &[u8], &FileRef) + Sync),
) -> Result<()> {
    let nodes = repository.nodes();
    let batches: Vec<_> = roots.chunks(ROOTS).enumerate().collect();
    parallel::each(
        repository.threads(),
        &batches,
        || Ok(()),
        |(), (number, roots)| {
            let numbered = roots.iter().zip(number * ROOTS..);
            let mut each = numbered.map(|(root, number)| {
                walk(&nodes, root, seen, &mut |path, file| visit(number, path, file))
            });
            each.try_for_each(|done| done)
        },
    )?;
    Ok(())
}

/// Gives every entry below `id` to `visit`, each node once. What cannot be read of listings that
/// were staged long ago is not there any more.
fn walk(
    nodes: &Nodes<'_>,
    id: &ManifestId,
    seen: &Mutex<HashSet<ManifestId>>,
    visit: &mut dyn FnMut(&[u8], &FileRef),
) -> repo::Result<()> {
    if !lock(seen).insert(*id) || *id == crate::format::manifest::empty().0 {
        return Ok(());
    }
    let node = match nodes.node(id) {
        Ok(node) => node,
        Err(repo::Error::Lost { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut entries = node.entries();
    while let Some(entry) = entries.next_entry() {
        visit(entry.path, &entry.file);
    }
    for child in children(&node) {
        walk(nodes, &child, seen, visit)?;
    }
    Ok(())
}

fn children(node: &Node) -> Vec<ManifestId> {
    let (mut ids, mut children) = (Vec::new(), node.children());
    while let Some(child) = children.next_child() {
        ids.push(child.id);
    }
    ids
}

/// Files by their ids: as some listing has them, or as the store has them although no listing does.
fn by_ids(
    repository: &Repository,
    scope: &Scope,
    wanted: &[FileId],
    files: &mut BTreeMap<FileId, FileRef>,
) -> Result<()> {
    let mut wanted: HashSet<FileId> =
        wanted.iter().copied().filter(|file| !files.contains_key(file)).collect();
    let (nodes, seen) = (repository.nodes(), Mutex::default());
    for root in scope.listings.iter().chain(&scope.hoped_for) {
        if wanted.is_empty() {
            return Ok(());
        }
        walk(&nodes, root, &seen, &mut |_, entry| {
            if wanted.remove(&entry.file) {
                files.insert(entry.file, *entry);
            }
        })?;
    }
    for file in wanted {
        if let Some(found) = stored(repository, &file)? {
            files.insert(file, found);
        }
    }
    Ok(())
}

/// A file that no listing has, as the store has it.
fn stored(repository: &Repository, file: &FileId) -> Result<Option<FileRef>> {
    let recipe = Key::recipe(file);
    let chunk = Key::new(crate::format::kind::Kind::Chunk, *file.as_bytes());
    let size = if repository.has(&recipe)? {
        decode_recipe(&repository.get(&recipe)?)?.size
    } else if repository.has(&chunk)? {
        repository.get(&chunk)?.len() as u64
    } else {
        return Ok(None);
    };
    Ok(Some(FileRef { mode: Mode::File, size, file: *file }))
}

/// How often each node lists a target, itself or below.
struct Counter<'a> {
    nodes: Nodes<'a>,
    overlay: Arc<Overlay>,
    files: &'a BTreeMap<FileId, FileRef>,
    known: Mutex<HashMap<ManifestId, u64>>,
    paths: Mutex<HashMap<FileId, BTreeSet<Vec<u8>>>>,
}

impl<'a> Counter<'a> {
    fn new(repository: &'a Repository, files: &'a BTreeMap<FileId, FileRef>) -> Self {
        let (nodes, overlay) = (repository.nodes(), repository.overlay());
        Self { nodes, overlay, files, known: Mutex::default(), paths: Mutex::default() }
    }

    /// How often each of these listings lists a target; on all threads.
    fn count_all(&self, repository: &Repository, roots: &[ManifestId]) -> Result<Vec<u64>> {
        let counts: Vec<AtomicU64> = roots.iter().map(|_| AtomicU64::new(0)).collect();
        let pairs: Vec<_> = roots.iter().zip(&counts).collect();
        let batches: Vec<_> = pairs.chunks(ROOTS).collect();
        parallel::each(
            repository.threads(),
            &batches,
            || Ok(()),
            |(), batch| {
                for (root, count) in *batch {
                    count.store(self.count(root)?, Relaxed);
                }
                Ok(())
            },
        )?;
        Ok(counts.into_iter().map(AtomicU64::into_inner).collect())
    }

    fn count(&self, id: &ManifestId) -> repo::Result<u64> {
        if let Some(count) = lock(&self.known).get(id) {
            return Ok(*count);
        }
        let mut count = 0;
        if *id != crate::format::manifest::empty().0 {
            let node = match self.nodes.node(id) {
                Ok(node) => node,
                Err(repo::Error::Lost { .. }) => return Ok(0),
                Err(error) => return Err(error),
            };
            let mut entries = node.entries();
            while let Some(entry) = entries.next_entry() {
                let Ok(file) = self.overlay.delivered(&entry.file) else { continue };
                if self.files.contains_key(&file.file) {
                    count += 1;
                    let mut paths = lock(&self.paths);
                    let paths = paths.entry(file.file).or_default();
                    // The least of them, whichever listing comes first.
                    if paths.insert(entry.path.to_vec()) && paths.len() > MOST_PATHS {
                        paths.pop_last();
                    }
                }
            }
            for child in children(&node) {
                count += self.count(&child)?;
            }
        }
        lock(&self.known).insert(*id, count);
        Ok(count)
    }
}

/// The versions that list any of `files`, and by how many paths.
pub(super) fn listing_any(
    repository: &Repository,
    scope: &Scope,
    files: &BTreeSet<FileId>,
) -> Result<Vec<TouchedVersion>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let file = |id: &FileId| (*id, FileRef { mode: Mode::File, size: 0, file: *id });
    let files = files.iter().map(file).collect();
    let counter = Counter::new(repository, &files);
    let roots: Vec<ManifestId> = scope.rows.iter().map(|row| row.manifest).collect();
    let mut found = Vec::new();
    for (row, files) in scope.rows.iter().zip(counter.count_all(repository, &roots)?) {
        if files > 0 {
            found.push(TouchedVersion { version: row.id, files });
        }
    }
    found.sort_by_key(|touched| touched.version);
    Ok(found)
}

/// Finds who lists the targets.
fn touched(repository: &Repository, scope: &Scope, selected: &mut Selected) -> Result<()> {
    let files = selected.files.clone();
    let counter = Counter::new(repository, &files);
    let roots: Vec<ManifestId> = scope.rows.iter().map(|row| row.manifest).collect();
    // A reference is touched if anything that it leads to is.
    let mut leads: HashSet<VersionId> = HashSet::new();
    for (row, files) in scope.rows.iter().zip(counter.count_all(repository, &roots)?) {
        if files > 0 {
            selected.versions.push(TouchedVersion { version: row.id, files });
        }
        if files > 0 || row.parents.iter().any(|parent| leads.contains(parent)) {
            leads.insert(row.id);
        }
    }
    selected.versions.sort_by_key(|touched| touched.version);
    for one in repository.worktrees()? {
        let files = counter.count(&one.row.state.staged)?;
        if files > 0 {
            let (worktree, path) = (one.row.id.to_string(), one.path.display().to_string());
            selected.staged.push(StagedIn { worktree, path, files });
        }
    }
    for listing in &scope.hoped_for {
        counter.count(listing)?;
    }
    for row in repository.catalogue.all_refs()? {
        if leads.contains(&row.version) {
            let name = row.name.as_str().to_owned();
            let named = NamedRef { dataset: row.dataset, name, version: row.version };
            match row.kind {
                RefKind::Branch => selected.branches.push(named),
                RefKind::Tag => selected.tags.push(named),
            }
        }
    }
    let show = |path: &Vec<u8>| RepoPath::exact_bytes(path);
    for (id, file) in &files {
        let paths = lock(&counter.paths).get(id).map(|paths| paths.iter().map(show).collect());
        let paths = paths.unwrap_or_default();
        let rest = selected.rests.get(id);
        selected.targets.push(Target {
            file: *id,
            size: file.size,
            paths,
            records: rest.map(|rest| rest.records),
            by: None,
            by_size: rest.map(|rest| rest.by_size),
            by_chunks: rest.map(|rest| rest.chunks),
        });
    }
    Ok(())
}
