//! Two worktrees of one store, and what is checked after each step.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use stemmata::model::{Clock, FileId, RefName, Time, VersionId};
use stemmata::ops::add::{AddOptions, add};
use stemmata::ops::archive;
use stemmata::ops::commit::{CommitOptions, commit};
use stemmata::ops::merge::{Favour, MergeOptions, merge};
use stemmata::ops::operation::Doing;
use stemmata::ops::reset::{Depth, reset};
use stemmata::ops::restore::{RestoreOptions, restore};
use stemmata::ops::rollback::rollback;
use stemmata::ops::switch::{SwitchOptions, switch};
use stemmata::ops::{self, keys, refs, remove, undo};
use stemmata::repo::{self, Environment, InitOptions, Repository};

use super::content::Content;
use super::oracle::Oracle;
use super::step::Step;

/// Erasures, those of records, crashes, holds that blocked, refusals of what was erased, collections
/// of something.
pub(crate) static ERASURES: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];

pub(super) fn count(which: usize) {
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

pub(super) type Listing = BTreeMap<String, FileId>;

pub(crate) struct World {
    /// The worktrees, the store and the key.
    pub(super) home: tempfile::TempDir,
    /// Archives: not the store's, so nobody erases there.
    outside: tempfile::TempDir,
    archives: Vec<PathBuf>,
    pub(super) oracle: Oracle,
    pub(super) versions: Vec<VersionId>,
    pub(super) listings: BTreeMap<VersionId, Listing>,
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

    pub(super) fn root(&self, at: u8) -> PathBuf {
        self.home.path().join(["data", "other"][usize::from(at % 2)])
    }

    pub(super) fn store(&self) -> PathBuf {
        self.home.path().join("data/.stem/store")
    }

    pub(super) fn environment(&self, crash: Option<u8>) -> Environment {
        let bomb = crash.map_or(-1, i64::from);
        Environment {
            clock: Arc::new(Bomb(AtomicI64::new(bomb))),
            author: Some("Ann Example <ann@example.org>".parse().unwrap()),
            threads: Some(2),
            keys: Some(self.home.path().join("keys")),
            ..Environment::default()
        }
    }

    pub(super) fn open(&self, at: u8, crash: Option<u8>) -> Repository {
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
        // Nothing to commit, or something erased that would come back.
        let work = |crash| drop(commit(&self.open(at, crash), &options));
        if crash.is_none() || !self.survives(|| work(crash)) {
            work(None);
        }
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

    fn archive(&mut self, at: u8, version: u8) {
        let Some(version) = self.version(version) else { return };
        let place = self.outside.path().join(self.archives.len().to_string());
        if self.oracle.needles.is_empty()
            && archive::create(&self.open(at, None), &version, &place, false).is_ok()
        {
            self.archives.push(place);
        }
    }

    pub(super) fn open_to_collect(&self, at: u8, crash: Option<u8>) -> Repository {
        Repository::open_to_collect(&self.root(at), self.environment(crash)).unwrap()
    }

    /// Does something that may end in the middle; whether it came to its end. Everything must still
    /// be readable then.
    pub(super) fn survives(&self, work: impl FnOnce()) -> bool {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(()) => return true,
            Err(cause) if cause.is::<Crash>() || is_echo(&cause) => count(2),
            Err(cause) => resume_unwind(cause),
        }
        self.sound();
        false
    }
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let more = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", more.unwrap_or_default())
}

/// A thread that ended so ends the one that waits for it.
fn is_echo(cause: &Box<dyn std::any::Any + Send>) -> bool {
    cause.downcast_ref::<&str>().is_some_and(|text| text.contains("scoped thread panicked"))
}
