//! Two worktrees of one store, and what is checked after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use stemmata::format::frame::Key;
use stemmata::format::{manifest, version};
use stemmata::model::{Clock, Entry, FileId, FileRef, ManifestId, RefName, Time, VersionId};
use stemmata::ops::add::{AddOptions, add};
use stemmata::ops::archive;
use stemmata::ops::commit::{CommitOptions, commit};
use stemmata::ops::erase::{self, Asked, PlanOptions, RunOptions, Selector};
use stemmata::ops::fsck::{Depth as FsckDepth, fsck};
use stemmata::ops::gc::{GcOptions, gc};
use stemmata::ops::merge::{Favour, MergeOptions, merge};
use stemmata::ops::operation::Doing;
use stemmata::ops::reset::{Depth, reset};
use stemmata::ops::restore::{RestoreOptions, restore};
use stemmata::ops::rollback::rollback;
use stemmata::ops::switch::{SwitchOptions, switch};
use stemmata::ops::{self, hold, keys, refs, remove, undo};
use stemmata::repo::{self, Content as Reader, Environment, InitOptions, Repository};

use super::content::{Content, PEOPLE, mail, secret_path};
use super::oracle::{Fate, Oracle};
use super::place::frames;
use super::step::{Step, What};

/// Erasures, those of records, crashes, holds that blocked, refusals of what was erased.
pub(crate) static ERASURES: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

fn count(which: usize) {
    ERASURES[which].fetch_add(1, Ordering::Relaxed);
}

/// The program ends here.
struct Crash;

/// A clock that ends the program when it has been looked at so often. It stands still, so that what
/// shrinks stays the same.
struct Bomb(AtomicI64);

impl Clock for Bomb {
    fn now(&self) -> Time {
        if self.0.fetch_sub(1, Ordering::Relaxed) == 0 {
            // No message: it is meant.
            resume_unwind(Box::new(Crash));
        }
        Time::from_unix(1_800_000_000).unwrap()
    }
}

type Listing = BTreeMap<String, FileId>;

pub(crate) struct World {
    /// The worktrees, the store and the key.
    home: tempfile::TempDir,
    /// Archives: not the store's, so nobody erases there.
    outside: tempfile::TempDir,
    archives: Vec<PathBuf>,
    oracle: Oracle,
    versions: Vec<VersionId>,
    listings: BTreeMap<VersionId, Listing>,
}

impl World {
    /// In memory, where that can be, because thousands of histories would wait for the disk alone.
    pub(crate) fn new(on_disk: bool) -> Self {
        let memory = Path::new("/dev/shm");
        let directory = || match on_disk || !memory.is_dir() {
            true => tempfile::tempdir().unwrap(),
            false => tempfile::tempdir_in(memory).unwrap(),
        };
        let (home, outside) = (directory(), directory());
        let world = Self {
            home,
            outside,
            archives: Vec::new(),
            oracle: Oracle::default(),
            versions: Vec::new(),
            listings: BTreeMap::new(),
        };
        let init = |at, store, dataset: &str| {
            let options = InitOptions { store, dataset: Some(dataset.parse().unwrap()) };
            repo::init(&world.root(at), &options, world.environment(None)).unwrap();
        };
        init(0, None, "data");
        init(1, Some(world.store()), "other");
        keys::generate(&world.environment(None), "", false).unwrap();
        world
    }

    fn root(&self, at: u8) -> PathBuf {
        self.home.path().join(["data", "other"][usize::from(at % 2)])
    }

    fn store(&self) -> PathBuf {
        self.home.path().join("data/.stem/store")
    }

    fn environment(&self, crash: Option<u8>) -> Environment {
        let bomb = crash.map_or(-1, i64::from);
        Environment {
            clock: Arc::new(Bomb(AtomicI64::new(bomb))),
            author: Some("Ann Example <ann@example.org>".parse().unwrap()),
            threads: Some(2),
            keys: Some(self.home.path().join("keys")),
            ..Environment::default()
        }
    }

    fn open(&self, at: u8, crash: Option<u8>) -> Repository {
        Repository::open_to_write(&self.root(at), self.environment(crash)).unwrap()
    }

    fn version(&self, number: u8) -> Option<String> {
        let all = &self.versions;
        (!all.is_empty()).then(|| all[usize::from(number) % all.len()].to_hex())
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Save { at, content, crash } => {
                self.write(*at, &content.path(), *content);
                self.stage(*at);
                self.commit(*at, false, *crash);
            }
            Step::Stage { at, content } => {
                self.write(*at, &content.path(), *content);
                self.stage(*at);
            }
            Step::Copy { at, content, how } => self.copy(*at, *content, *how),
            Step::CommitAll { at } => self.commit(*at, true, None),
            Step::Collect { crash } => self.collect(*crash),
            Step::Rebuild => {
                let done = repo::rebuild(&self.root(0), &self.environment(None));
                done.unwrap_or_else(|error| panic!("it cannot be made again: {error}"));
            }
            Step::Archive { at, version } => self.archive(*at, *version),
            Step::Unarchive { at, archive } => {
                let Some(place) = self.archives.get(usize::from(*archive)) else { return };
                let done = archive::restore(&self.open(*at, None), place, None, false);
                done.unwrap_or_else(|error| panic!("an archive does not come back: {error}"));
            }
            Step::Erase { at, what, held, crash } => self.erase(*at, *what, *held, *crash),
            _ => self.move_about(step),
        }
        self.learn();
        self.tidy();
        if !self.oracle.needles.is_empty() {
            self.scan();
        }
    }

    /// Steps that may be refused; then they change nothing.
    fn move_about(&self, step: &Step) {
        let name = |name: u8| -> RefName { format!("b{}", name % 3).parse().unwrap() };
        let done = match step {
            Step::Remove { at, content } => {
                let path = content.path().into_bytes();
                remove::remove(&self.open(*at, None), &[path], false, true, false).map(drop)
            }
            Step::Branch { at, name: branch } => {
                let repository = self.open(*at, None);
                refs::create_branch(&repository, &name(*branch), "HEAD", true, false).map(drop)
            }
            Step::Switch { at, name: branch } => {
                let target = Some(name(*branch).to_string());
                let options = SwitchOptions { target, create: None, force: true, dry_run: false };
                switch(&self.open(*at, None), &options).map(drop)
            }
            Step::Merge { at, name: branch, theirs } => {
                self.bring(*at, Doing::Merge, name(*branch).to_string(), *theirs)
            }
            Step::Pick { at, version } => match self.version(*version) {
                Some(version) => self.bring(*at, Doing::CherryPick, version, true),
                None => Ok(()),
            },
            Step::Reset { at, version, depth } => {
                let Some(version) = self.version(*version) else { return };
                let depth = [Depth::Soft, Depth::Mixed, Depth::Hard][usize::from(*depth % 3)];
                reset(&self.open(*at, None), &version, depth, true, false).map(drop)
            }
            Step::Rollback { at, version } => {
                let Some(version) = self.version(*version) else { return };
                let main = "main".parse().unwrap();
                rollback(&self.open(*at, None), &main, &version, "so", true, false).map(drop)
            }
            Step::Restore { at, version } => {
                let Some(version) = self.version(*version) else { return };
                let options = RestoreOptions {
                    paths: vec![Vec::new()],
                    source: Some(version),
                    staged: true,
                    worktree: true,
                    force: true,
                    dry_run: false,
                };
                restore(&self.open(*at, None), &options).map(drop)
            }
            Step::Undo { at } => undo::undo(&self.open(*at, None), true, false).map(drop),
            _ => unreachable!(),
        };
        // What cannot be done is refused; what was left by that, the scan sees.
        drop(done);
    }

    fn bring(&self, at: u8, doing: Doing, revision: String, theirs: bool) -> ops::Result<()> {
        let options = MergeOptions {
            doing,
            revision,
            message: Some("brought".into()),
            favour: Some(if theirs { Favour::Theirs } else { Favour::Ours }),
            no_fast_forward: false,
            force: false,
            dry_run: false,
        };
        merge(&self.open(at, None), &options).map(drop)
    }

    fn write(&mut self, at: u8, path: &str, content: Content) {
        let place = self.root(at).join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let bytes = content.bytes();
        fs::write(place, &bytes).unwrap();
        self.oracle.learn(bytes);
    }

    /// Adds everything. What was erased, or holds a record that was, must be refused.
    fn stage(&self, at: u8) {
        let options =
            AddOptions { paths: vec![Vec::new()], update: false, force: false, dry_run: false };
        let gone = self.files_below(at).into_iter().any(|(_, bytes)| {
            self.oracle.is_gone(&FileId::of(&bytes)) || self.oracle.holds_erased(&bytes)
        });
        match add(&self.open(at, None), &options) {
            Ok(done) if done.failed.is_empty() => assert!(!gone, "erased content was taken"),
            Ok(_) => {
                assert!(gone, "something was refused for nothing");
                count(4);
            }
            Err(error) if gone => {
                let said = chain(&error);
                assert!(said.contains("erased") || said.contains("gone by design"), "{said}");
                count(4);
            }
            Err(error) => panic!("it cannot be added: {error}"),
        }
    }

    fn commit(&self, at: u8, all: bool, crash: Option<u8>) {
        let options = CommitOptions { message: "words".into(), all, ..CommitOptions::default() };
        self.crashing(at, crash, false, |repository| {
            // Nothing to commit, or something erased that would come back.
            drop(commit(repository, &options));
        });
    }

    fn copy(&mut self, at: u8, content: Content, how: u8) {
        let there = fs::read(self.root(at).join(content.path())).ok();
        // Only what the store knows: a loose copy of anything else is nobody's business.
        let Some(bytes) = there.filter(|bytes| self.is_known(&FileId::of(bytes))) else { return };
        let name = format!("copy-of-{}", content.path().replace('/', "-"));
        fs::write(self.root(at).join(name), bytes).unwrap();
        if how % 3 < 2 {
            self.stage(at);
        }
        if how.is_multiple_of(3) {
            self.commit(at, false, None);
        }
    }

    fn is_known(&self, file: &FileId) -> bool {
        !self.oracle.is_gone(file)
            && self.listings.values().any(|listing| listing.values().any(|known| known == file))
    }

    fn collect(&self, crash: Option<u8>) {
        self.crashing(0, crash, true, |repository| {
            let options = GcOptions { grace_seconds: 0, dry_run: false };
            gc(repository, &options).unwrap_or_else(|error| panic!("gc: {error}"));
        });
    }

    fn archive(&mut self, at: u8, version: u8) {
        let Some(version) = self.version(version) else { return };
        let place = self.outside.path().join(self.archives.len().to_string());
        if self.oracle.needles.is_empty()
            && archive::create(&self.open(at, None), &version, &place, false).is_ok()
        {
            self.archives.push(place);
        }
    }

    /// Does something that may end in the middle; then everything must still be readable.
    fn crashing(&self, at: u8, crash: Option<u8>, collect: bool, work: impl Fn(&Repository)) {
        let open = |crash| match collect {
            true => Repository::open_to_collect(&self.root(at), self.environment(crash)).unwrap(),
            false => self.open(at, crash),
        };
        if crash.is_some() {
            let tried = catch_unwind(AssertUnwindSafe(|| work(&open(crash))));
            match tried {
                Ok(()) => return,
                Err(cause) if cause.is::<Crash>() || is_echo(&cause) => count(2),
                Err(cause) => resume_unwind(cause),
            }
            self.sound();
        }
        work(&open(None));
    }

    fn erase(&mut self, at: u8, what: What, held: bool, crash: Option<u8>) {
        let expected = self.expected(what);
        let repository = self.open(at, None);
        let planned = match erase::plan(&repository, &options(what, &repository)) {
            Err(ops::Error::NoMatch(_) | ops::Error::NoRecord) => {
                assert!(expected.is_empty(), "a plan overlooks {expected:?}");
                return;
            }
            planned => planned.unwrap_or_else(|error| panic!("it cannot be planned: {error}")),
        };
        let targets: BTreeSet<FileId> =
            planned.plan.found().targets.iter().map(|one| one.file).collect();
        assert!(expected.is_subset(&targets), "of {expected:?} a plan finds {targets:?} only");
        drop(repository);
        if held && let What::Secret(secret) = what {
            self.held(at, &planned.id, secret);
        }
        let run = RunOptions { plan: planned.id.clone(), key: None, device: None };
        let before = self.catalogued();
        self.crashing(at, crash, true, |repository| {
            erase::run(repository, &run).unwrap_or_else(|error| panic!("run: {}", chain(&error)));
        });
        assert_eq!(self.catalogued(), before, "an erasure changed the versions");
        self.note(what, &targets);
        self.check();
        self.confirm(at, &planned.id);
    }

    /// A hold on the path blocks the run, which changes nothing.
    fn held(&self, at: u8, plan: &str, secret: u8) {
        let repository = self.open(at, None);
        let target = format!("{}:{}", repository.dataset(), secret_path(secret));
        let Ok(placed) = hold::place(&repository, &target, "C-1", "court", false) else { return };
        drop(repository);
        let repository =
            Repository::open_to_collect(&self.root(at), self.environment(None)).unwrap();
        let run = RunOptions { plan: plan.to_owned(), key: None, device: None };
        match erase::run(&repository, &run) {
            Err(ops::Error::Blocked(_)) => count(3),
            // It holds a path of one dataset, and what goes may be another's.
            Err(error) => panic!("a hold: {error}"),
            Ok(_) => return,
        }
        drop(repository);
        self.check();
        hold::release(&self.open(at, None), &placed.id, "over", false).unwrap();
    }

    /// The contents that a plan must find, by the oracle alone.
    fn expected(&self, what: What) -> BTreeSet<FileId> {
        let mut found = BTreeSet::new();
        for (path, file) in self.listed() {
            let Some((now, bytes)) = self.oracle.given(&file) else { continue };
            match what {
                What::Secret(secret) if path == secret_path(secret) => drop(found.insert(now)),
                What::Record { person, by_text: true, .. } => {
                    let text = mail(PEOPLE[usize::from(person)]);
                    if memchr::memmem::find(bytes, text.as_bytes()).is_some() {
                        found.insert(now);
                    }
                }
                What::Record { person, redact, .. } => {
                    let id = PEOPLE[usize::from(person)];
                    if self.oracle.without(&now, id, fate(redact)).is_some() {
                        found.insert(now);
                    }
                }
                What::Secret(_) => {}
            }
        }
        found
    }

    fn note(&mut self, what: What, targets: &BTreeSet<FileId>) {
        count(0);
        match what {
            What::Secret(_) => self.oracle.erase(targets),
            What::Record { person, redact, .. } => {
                count(1);
                let id = PEOPLE[usize::from(person)];
                for file in targets {
                    let bytes = self.oracle.without(file, id, fate(redact));
                    let bytes = bytes.expect("a target has the record");
                    self.oracle.replace(*file, bytes);
                }
                self.oracle.record_is_gone(id);
            }
        }
    }

    /// Looks again, as an auditor would.
    fn confirm(&self, at: u8, plan: &str) {
        let repository = self.open(at, None);
        let keys = erase::certifiers(&repository).unwrap();
        let file = erase::find(&repository, plan).unwrap();
        let store = Some(self.store());
        let checked = erase::check(&erase::CheckOptions { file, store, device: None }, &keys);
        let checked = checked.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
    }

    fn catalogued(&self) -> BTreeSet<VersionId> {
        self.open(0, None).catalogue.all_version_ids().unwrap().into_iter().collect()
    }

    /// Every path and content that a version or a worktree lists.
    fn listed(&self) -> Vec<(String, FileId)> {
        let repository = self.open(0, None);
        let mut roots: Vec<ManifestId> = Vec::new();
        for row in repository.catalogue.all_versions().unwrap() {
            roots.push(row.manifest);
        }
        for row in repository.catalogue.worktrees().unwrap() {
            roots.push(row.state.staged);
        }
        roots
            .iter()
            .flat_map(|root| listing(&repository, root))
            .map(|(path, file)| (path, file.file))
            .collect()
    }

    /// Takes down what versions there are now.
    fn learn(&mut self) {
        let repository = self.open(0, None);
        let known: BTreeSet<VersionId> = self.listings.keys().copied().collect();
        let now = repository.catalogue.all_versions().unwrap();
        for row in now.iter().filter(|row| !known.contains(&row.id)) {
            let files = listing(&repository, &row.manifest);
            let files = files.into_iter().map(|(path, file)| (path, file.file)).collect();
            self.listings.insert(row.id, files);
        }
        self.versions = now.iter().map(|row| row.id).collect();
        self.versions.sort();
    }

    /// What a user would throw away after a refusal.
    fn tidy(&self) {
        for at in 0..2 {
            for (path, bytes) in self.files_below(at) {
                if self.oracle.is_gone(&FileId::of(&bytes)) || self.oracle.holds_erased(&bytes) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }

    fn files_below(&self, at: u8) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.root(at)];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with(".stem") {
                    open.push(path);
                } else if path.is_file() {
                    let bytes = fs::read(&path).unwrap();
                    found.push((path, bytes));
                }
            }
        }
        found
    }

    /// Nothing erased stands in any byte of store, worktrees or database, nor in any frame.
    fn scan(&self) {
        let mut open = vec![self.home.path().to_path_buf()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                self.clean_of(&path, &bytes);
                for (offset, object) in frames(&bytes) {
                    self.clean_of(&path.join(format!("at {offset}")), &object);
                }
            }
        }
    }

    fn clean_of(&self, place: &Path, bytes: &[u8]) {
        for needle in &self.oracle.needles {
            let found = memchr::memmem::find(bytes, needle.as_bytes());
            assert!(found.is_none(), "{needle} stands in {}", place.display());
        }
    }

    /// Everything: what was erased is nowhere, all else is what it was, and ids are the same.
    pub(crate) fn check(&self) {
        self.tidy();
        self.scan();
        self.sound();
        let repository = self.open(0, None);
        let mut reader = Reader::new(&repository).unwrap();
        let mut read: BTreeSet<FileId> = BTreeSet::new();
        for row in repository.catalogue.all_versions().unwrap() {
            let bytes = repository.get(&Key::version(&row.id)).unwrap();
            assert_eq!(version::id(&bytes), row.id, "a version's record has another hash");
            let files = listing(&repository, &row.manifest);
            let now: Listing = files.iter().map(|(path, file)| (path.clone(), file.file)).collect();
            assert_eq!(self.listings.get(&row.id).unwrap_or(&now), &now, "a version lists others");
            for (path, file) in files {
                if read.insert(file.file) {
                    self.same(&repository, &mut reader, &path, &file);
                }
            }
        }
    }

    /// A file reads as the oracle says.
    fn same(&self, repository: &Repository, reader: &mut Reader<'_>, path: &str, file: &FileRef) {
        let given = repository.delivered(file);
        match (self.oracle.given(&file.file), given) {
            (None, Err(repo::Error::Erased { .. })) => {}
            (Some((id, bytes)), Ok(given)) => {
                assert_eq!(given.file, id, "{path} is given out as another file");
                let whole = reader.whole(&given).unwrap();
                assert!(whole == bytes, "{path} ({}) is not what it was", file.file);
            }
            (expected, given) => panic!(
                "{path} ({}): {given:?}, but it should be {:?}",
                file.file,
                expected.map(|(id, _)| id)
            ),
        }
    }

    /// Every byte of the store is sound, and nothing that is needed is missing.
    fn sound(&self) {
        let seen = fsck(&self.open(0, None), FsckDepth::ReadData).unwrap();
        assert!(seen.ok, "damaged {:?}, missing {:?}", seen.damaged, seen.missing);
    }
}

fn options(what: What, repository: &Repository) -> PlanOptions {
    let (selector, records) = match what {
        What::Secret(secret) => {
            (Selector { paths: vec![secret_path(secret)], ..Selector::default() }, None)
        }
        What::Record { person, by_text, redact } => {
            let id = PEOPLE[usize::from(person)];
            let asked = Asked {
                keys: if by_text { Vec::new() } else { vec![format!("id={id}")] },
                containing: by_text.then(|| mail(id)),
                redact: redact.then(|| vec!["mail".into()]),
                record: None,
            };
            (Selector::default(), Some(asked))
        }
    };
    PlanOptions {
        selector,
        records,
        reason: "request".into(),
        yes_all: Some(repository.dataset().to_string()),
        ..PlanOptions::default()
    }
}

fn fate(redact: bool) -> Fate {
    if redact { Fate::Redacted } else { Fate::Dropped }
}

fn listing(repository: &Repository, root: &ManifestId) -> Vec<(String, FileRef)> {
    let nodes = repository.nodes();
    let entries = manifest::list(&nodes, root, b"").unwrap();
    let each = entries.map(|entry: Result<Entry, repo::Error>| {
        let entry = entry.unwrap();
        (entry.path.show(), entry.file)
    });
    each.collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let more = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", more.unwrap_or_default())
}

/// A thread that ended so ends the one that waits for it.
fn is_echo(cause: &Box<dyn std::any::Any + Send>) -> bool {
    cause.downcast_ref::<&str>().is_some_and(|text| text.contains("scoped thread panicked"))
}
