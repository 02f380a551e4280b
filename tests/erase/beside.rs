//! One command beside another: each runs to its end at every moment of the other, and beside one
//! that was killed there.
//!
//! A moment is a look at the clock: every change of the catalogue has one just before it, so all
//! phases of a collector (mark, condemn, fence, mark again, bury, sweep) and of an erasure lie
//! between two of them. The commands that would wait for the collector's lock are called without
//! it: the lock saves work, and what keeps content is the protocol.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use stemmata::catalogue::PackState;
use stemmata::format::frame::Key;
use stemmata::model::{Clock, FileId, FileRef, Mode, Time};
use stemmata::ops;
use stemmata::ops::erase::{self, Asked, PlanOptions, RunOptions, Selector};
use stemmata::ops::gc::{GcOptions, gc};
use stemmata::repo::{self, ChunkList, Environment, Repository, pack_info};
use stemmata::store;

use super::place::Place;

/// The record that goes.
const RECORD: &str = "\"id\":2345,";

/// What another command does meanwhile.
type Meanwhile<'m> = Box<dyn FnOnce() + Send + 'm>;

/// A clock that stands still. At one look at it something else happens.
struct Moment {
    left: AtomicI64,
    then: Mutex<Option<Meanwhile<'static>>>,
}

impl Clock for Moment {
    fn now(&self) -> Time {
        if self.left.fetch_sub(1, Relaxed) == 0 {
            let then = self.then.lock().unwrap().take();
            then.expect("it happens once")();
        }
        Time::from_unix(1_767_323_045).unwrap()
    }
}

/// The program ends here.
struct Killed;

fn environment(place: &Place, clock: Arc<dyn Clock>) -> Environment {
    Environment {
        clock,
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        threads: Some(2),
        keys: Some(place.top().join(".config/stem/keys")),
        ..Environment::default()
    }
}

/// Opens the repository without the collector's lock.
fn open(place: &Place) -> Repository {
    let still = Moment { left: AtomicI64::new(-1), then: Mutex::default() };
    Repository::open_to_write(&place.data(), environment(place, Arc::new(still))).unwrap()
}

/// Whole lines that stand nowhere else, enough for several chunks.
fn lines(of: &str, count: u64) -> String {
    let line = |id: u64| {
        let hash = FileId::of(format!("{of} {id}").as_bytes());
        format!("{{\"id\":{id},\"hash\":\"{hash}\"}}\n")
    };
    (0..count).map(line).collect()
}

fn table() -> String {
    lines("table", 3000)
}

/// The table without the record.
fn rest() -> String {
    table().split_inclusive('\n').filter(|line| !line.contains(RECORD)).collect()
}

fn lost() -> String {
    lines("lost", 2000)
}

/// A place that can be made again as it was. It lies where it lay, since the store knows where its
/// worktrees are.
struct Bench {
    place: Arc<Place>,
    saved: tempfile::TempDir,
}

impl Bench {
    /// `main` has a table, the second half of which came later, and a secret, in packs of which
    /// half is staged no more: a collector condemns them. The record is in the second half. A
    /// branch with a file that is in packs of its own was deleted; an archive and a Git repository
    /// have that file too.
    fn new() -> Self {
        let place = Place::in_memory();
        let write = |name: &str, text: &str| std::fs::write(place.top().join(name), text).unwrap();
        write("table", &table());
        write("rest", &rest());
        write("lost", &lost());
        write("secret", &lines("secret", 1500));
        write("half", &lines("table", 1500));
        write("passing", &lines("passing", 4000));
        write("more", &lines("more", 4000));
        place.must(
            "stem init -q && stem key generate > /dev/null && echo base > base.txt \
             && stem add -q -A && stem commit -q -m base && stem switch -q -b side \
             && cp ../lost lost.jsonl && stem add -q -A && stem commit -q -m side \
             && stem archive create -q side ../archive && stem switch -q main \
             && stem branch -q -D side && cp ../half t.jsonl && cp ../passing p.jsonl \
             && stem add -q -A && stem rm -q --cached p.jsonl && stem commit -q -m half \
             && cp ../table t.jsonl && cp ../secret s.jsonl && cp ../more p.jsonl \
             && stem add -q -A && stem rm -q --cached p.jsonl && rm p.jsonl \
             && stem commit -q -m tables && git init -q -b theirs ../git \
             && cp ../lost ../git/lost.jsonl && cd ../git && git add -A \
             && git -c user.name=A -c user.email=a@b.c commit -q -m theirs",
        );
        let saved = tempfile::tempdir().unwrap();
        let (top, to) = (place.top().display(), saved.path().display());
        place.must(&format!("cp -a {top}/. {to}/"));
        Self { place: Arc::new(place), saved }
    }

    /// Everything is again as it was.
    fn again(&self) -> &Arc<Place> {
        let (top, from) = (self.place.top().display(), self.saved.path().display());
        let command = format!("find {top} -mindepth 2 -delete; cp -a {from}/. {top}/");
        self.place.must(&command);
        &self.place
    }
}

/// What is done beside another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    EraseRecord,
    EraseFile,
    Save,
    Restore,
    Import,
    Rebuild,
    Collect,
}

impl Deed {
    /// Does it. `alone` says whether no other command is at work.
    fn run(self, place: &Place, alone: bool) {
        match self {
            Self::EraseRecord | Self::EraseFile => self.erase(place, open(place), alone),
            Self::Save => {
                let save =
                    "cp ../lost lost.jsonl && stem add -q lost.jsonl && stem commit -q -m save";
                drop(place.must(save));
            }
            Self::Restore => drop(place.must("stem archive restore -q ../archive")),
            Self::Import => drop(place.must("stem import git -q ../git")),
            Self::Rebuild if alone => drop(place.must("stem fsck -q --rebuild")),
            Self::Rebuild => drop(place.ends(11, "stem fsck -q --rebuild")),
            Self::Collect => collect(&open(place)),
        }
    }

    /// Plans and runs. Beside others: again, if somebody was faster, and with another plan if what
    /// was planned is something else by then.
    fn erase(self, place: &Place, mut repository: Repository, alone: bool) {
        let mut plan = None;
        for _ in 0..3 {
            let run = |plan: &mut Option<String>| {
                let id = match plan.take() {
                    Some(id) => id,
                    None => erase::plan(&repository, &self.asked())?.id,
                };
                let id = plan.insert(id).clone();
                erase::run(&repository, &RunOptions { plan: id, ..RunOptions::default() })
            };
            match run(&mut plan) {
                Err(ops::Error::OutOfDate(_)) if !alone => plan = None,
                Err(error) if !alone && is_overtaken(&error) => {}
                done => return assert_eq!(done.unwrap().erased.files, 1),
            }
            drop(repository);
            repository = open(place);
        }
        panic!("others are at work once only");
    }

    fn asked(self) -> PlanOptions {
        let record = Asked { keys: vec!["id=2345".into()], ..Asked::default() };
        let paths = vec!["t.jsonl".into()];
        let whole = Selector { paths: vec!["s.jsonl".into()], ..Selector::default() };
        let (selector, records) = match self {
            Self::EraseFile => (whole, None),
            _ => (Selector { paths, ..Selector::default() }, Some(record)),
        };
        PlanOptions { selector, records, reason: "request".into(), ..PlanOptions::default() }
    }

    /// The revisions and files that must be readable afterwards, and those that must not be.
    fn leaves(self) -> Vec<(&'static str, Option<&'static str>)> {
        let table = if self == Self::EraseRecord { "rest" } else { "table" };
        let secret = Some("secret").filter(|_| self != Self::EraseFile);
        let mut all = vec![("main:t.jsonl", Some(table)), ("main:s.jsonl", secret)];
        match self {
            Self::Save => all.push(("main:lost.jsonl", Some("lost"))),
            Self::Restore => all.push(("$(stem tag | cut -d' ' -f1):lost.jsonl", Some("lost"))),
            Self::Import => all.push(("theirs:lost.jsonl", Some("lost"))),
            _ => {}
        }
        all
    }

    /// What is new by it, and must not lie in condemned packs alone.
    fn makes(self) -> Option<String> {
        match self {
            Self::EraseRecord => Some(rest()),
            Self::Save | Self::Restore | Self::Import => Some(lost()),
            _ => None,
        }
    }

    /// Everything is there and right, and what was erased is not.
    fn check(self, place: &Place) {
        place.must("stem fsck -q --read-files");
        for (what, expected) in self.leaves() {
            match expected {
                Some(file) => drop(place.must(&format!("stem cat {what} | cmp - ../{file}"))),
                None => drop(place.ends(19, &format!("stem cat {what}"))),
            }
        }
        let gone = match self {
            Self::EraseRecord => table().lines().nth(2345).unwrap().to_owned(),
            Self::EraseFile => lines("secret", 1500).lines().nth(700).unwrap().to_owned(),
            _ => return,
        };
        let found = super::place::places(&place.store(), gone.as_bytes());
        assert!(found.is_empty(), "{found:?}");
    }

    /// A collector may come to bury every condemned pack: new content must not rely on one.
    fn check_live(self, place: &Place) {
        let Some(text) = self.makes() else { return };
        let repository = open(place);
        let (size, file) = (text.len() as u64, FileId::of(text.as_bytes()));
        let list = ChunkList::of(&repository, &FileRef { mode: Mode::File, size, file }).unwrap();
        assert!(list.part_count() > 0);
        let parts: Vec<_> =
            (0..list.part_count()).map(|part| list.part(&repository, part).unwrap()).collect();
        let live = repository.catalogue.packs(PackState::Live).unwrap();
        repository.store.set_live(live.iter().map(|row| pack_info(&row.pack)).collect());
        assert!(repository.store.contains(&Key::recipe(&file)).unwrap(), "the recipe is condemned");
        let chunks: Vec<_> = parts.iter().flatten().collect();
        assert!(chunks.len() > 3, "too few chunks to tell them apart");
        for chunk in chunks {
            let there = repository.store.contains(&Key::chunk(&chunk.id)).unwrap();
            assert!(there, "chunk {} lies in condemned packs only", chunk.id);
        }
    }
}

const EVERYTHING: GcOptions = GcOptions { grace_seconds: 0, dry_run: false };

/// Whether somebody was faster, or took packs away that were being read; trying again helps.
fn is_overtaken(error: &ops::Error) -> bool {
    match error {
        ops::Error::Repo(repo::Error::Catalogue(error)) => error.is_lost_race(),
        ops::Error::Repo(repo::Error::Store(error)) => {
            matches!(error, store::Error::Missing { .. })
        }
        _ => false,
    }
}

/// Collects everything, unless somebody is faster.
fn collect(repository: &Repository) {
    match gc(repository, &EVERYTHING) {
        Err(error) if is_overtaken(&error) => {}
        done => drop(done.unwrap()),
    }
}

/// Runs `first`, and at its look at the clock number `look` what `then` does. Whether it came to
/// that look, and whether it came to its end.
fn interrupt(
    place: &Place,
    look: i64,
    then: Meanwhile<'static>,
    first: impl FnOnce(Repository),
) -> (bool, bool) {
    let moment = Arc::new(Moment { left: AtomicI64::new(look), then: Mutex::new(Some(then)) });
    let clock: Arc<dyn Clock> = Arc::clone(&moment) as Arc<dyn Clock>;
    let repository = Repository::open_to_collect(&place.data(), environment(place, clock)).unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| first(repository)));
    let met = moment.left.load(Relaxed) < 0;
    match ended {
        Ok(()) => (met, true),
        Err(cause) if cause.is::<Killed>() => (met, false),
        Err(cause) => resume_unwind(cause),
    }
}

/// Every place and its looks, as long as the first command has another one.
fn every_moment(mut attempt: impl FnMut(&Arc<Place>, i64) -> bool) -> i64 {
    let bench = Bench::new();
    for look in 0.. {
        if !attempt(bench.again(), look) {
            return look;
        }
    }
    unreachable!("a command ends")
}

/// A collector that stands still while something else is done whole, then goes on.
fn beside_a_collector(deed: Deed) {
    let looks = every_moment(|place, look| {
        let here = Arc::clone(place);
        let then = Box::new(move || {
            deed.run(&here, false);
            deed.check(&here);
            deed.check_live(&here);
        });
        let (met, ended) = interrupt(place, look, then, |repository| {
            collect(&repository);
        });
        assert!(ended);
        if met {
            deed.check(place);
            place.must("stem gc -q --grace 0s --yes");
            deed.check(place);
        }
        met
    });
    assert!(looks > 5, "a collector has more phases than {looks} looks at the clock");
}

/// A collector that was killed; something else is done; another collector goes on.
fn after_a_collector(deed: Deed) {
    let (mut condemned, mut looks) = (0, 0);
    every_moment(|place, look| {
        let then = Box::new(|| resume_unwind(Box::new(Killed)));
        let (met, ended) = interrupt(place, look, then, |repository| {
            collect(&repository);
        });
        assert_eq!(met, !ended);
        if met {
            let rows = open(place).catalogue.packs(PackState::Condemned).unwrap();
            condemned += u32::from(!rows.is_empty());
            looks += 1;
            deed.run(place, true);
            deed.check(place);
            deed.check_live(place);
            place.must("stem gc -q --grace 0s --yes");
            deed.check(place);
        }
        met
    });
    assert!(looks > 5 && condemned > 1, "of {looks} only {condemned} left packs condemned");
}

#[test]
fn records_are_erased_beside_a_collector_in_every_phase() {
    beside_a_collector(Deed::EraseRecord);
}

#[test]
fn records_are_erased_after_a_collector_was_killed_in_any_phase() {
    after_a_collector(Deed::EraseRecord);
}

#[test]
fn files_are_erased_beside_a_collector_in_every_phase() {
    beside_a_collector(Deed::EraseFile);
    after_a_collector(Deed::EraseFile);
}

#[test]
fn what_was_let_go_of_is_saved_again_beside_a_collector_in_every_phase() {
    beside_a_collector(Deed::Save);
    after_a_collector(Deed::Save);
}

#[test]
fn an_archive_comes_back_beside_a_collector_in_every_phase() {
    beside_a_collector(Deed::Restore);
    after_a_collector(Deed::Restore);
}

#[test]
fn a_history_of_git_comes_in_beside_a_collector_in_every_phase() {
    beside_a_collector(Deed::Import);
    after_a_collector(Deed::Import);
}

#[test]
fn a_catalogue_is_made_again_after_a_collector_was_killed_and_not_beside_one() {
    beside_a_collector(Deed::Rebuild);
    after_a_collector(Deed::Rebuild);
}

/// An erasure that stands still while something else is done whole, then goes on.
fn beside_an_erasure(erasure: Deed, deed: Deed) {
    let looks = every_moment(|place, look| {
        let here = Arc::clone(place);
        let then = Box::new(move || {
            deed.run(&here, false);
            deed.check_live(&here);
        });
        let (met, ended) = interrupt(place, look, then, |repository| {
            erasure.erase(place, repository, false);
        });
        assert!(ended);
        if met {
            erasure.check(place);
            place.must("stem gc -q --grace 0s --yes");
            erasure.check(place);
            let made = deed.leaves().into_iter().skip(2);
            for (what, file) in made {
                place.must(&format!("stem cat {what} | cmp - ../{}", file.unwrap()));
            }
        }
        met
    });
    assert!(looks > 5, "an erasure has more phases than {looks} looks at the clock");
}

#[test]
fn everything_is_collected_beside_an_erasure_in_every_phase() {
    beside_an_erasure(Deed::EraseRecord, Deed::Collect);
    beside_an_erasure(Deed::EraseFile, Deed::Collect);
}

#[test]
fn files_are_saved_beside_an_erasure_in_every_phase() {
    beside_an_erasure(Deed::EraseRecord, Deed::Save);
    beside_an_erasure(Deed::EraseFile, Deed::Restore);
}

/// The verification reads the files of the database, which must not take the locks away that keep
/// others from removing its log.
#[test]
fn what_others_record_beside_an_erasure_in_every_phase_is_kept() {
    let looks = every_moment(|place, look| {
        let here = Arc::clone(place);
        let then = Box::new(move || {
            // Each opens the database and closes it again.
            for word in ["one", "two", "three"] {
                here.must(&format!("stem commit -q --allow-empty -m {word}"));
            }
        });
        let (met, ended) = interrupt(place, look, then, |repository| {
            Deed::EraseFile.erase(place, repository, false);
        });
        assert!(ended);
        if met {
            let log = place.must("stem log --oneline");
            for word in ["one", "two", "three"] {
                assert!(log.contains(word), "at look {look} {word} was lost: {log}");
            }
            place.must("stem audit verify");
            Deed::EraseFile.check(place);
        }
        met
    });
    assert!(looks > 5);
}

/// An archive that is being made is known to nobody: what an erasure takes away meanwhile must not
/// stay in it.
#[test]
fn an_archive_is_made_beside_an_erasure_in_every_phase() {
    let secret = lines("secret", 1500).lines().nth(700).unwrap().to_owned();
    let (mut made, mut destroyed) = (0, 0);
    every_moment(|place, look| {
        let here = Arc::clone(place);
        let then = Box::new(move || Deed::EraseFile.run(&here, false));
        let new = place.top().join("new");
        let (met, ended) = interrupt(place, look, then, |repository| {
            match ops::archive::create(&repository, "main", &new, false) {
                Err(error) if is_overtaken(&error) => {}
                done => drop(done.unwrap()),
            }
        });
        assert!(ended);
        if met {
            Deed::EraseFile.check(place);
            let mut left = super::place::places(place.top(), secret.as_bytes());
            left.retain(|path| !path.ends_with("/secret"));
            assert!(left.is_empty(), "look {look}: {left:?}");
            let unfinished = place.top().join(".new.unfinished-archive");
            assert!(!unfinished.exists());
            match new.exists() {
                true => drop(place.must("stem archive verify -q ../new")),
                false => destroyed += 1,
            }
            made += 1;
        }
        met
    });
    assert!(destroyed > 2 && made > 3, "{destroyed} of {made} were destroyed");
}

/// Whatever is committed while a dataset is retired is archived with it, or keeps it from being retired,
/// or is refused.
#[test]
fn nothing_is_committed_unseen_beside_a_retirement_in_every_phase() {
    let (mut kept_out, mut too_late) = (0, 0);
    every_moment(|place, look| {
        place.must("stem classify -q data core --reason x --reviewer Bo");
        let plan = "stem retire plan data --core-to ../kept --aux keep --json";
        let plan: serde_json::Value = serde_json::from_str(&place.must(plan)).unwrap();
        let plan = plan["data"]["plan"].as_str().unwrap().to_owned();
        let here = Arc::clone(place);
        let save = "cp ../lost lost.jsonl && stem add -q lost.jsonl && stem commit -q -m save";
        let then = Box::new(move || drop(here.run(save)));
        let (met, ended) = interrupt(place, look, then, |repository| {
            let options = ops::retire::RunOptions { plan, ..ops::retire::RunOptions::default() };
            match ops::retire::run(&repository, &options) {
                Err(ops::Error::OutOfDate(_)) => {}
                Err(error) if is_overtaken(&error) => {}
                done => drop(done.unwrap()),
            }
        });
        assert!(ended);
        if met {
            let is_saved = place.run("stem cat main:lost.jsonl").status.success();
            let is_retired = place.must("stem datasets").contains("[retired]");
            assert!(!(is_saved && is_retired), "look {look}: retired without what was committed");
            assert!(is_saved || is_retired, "look {look}: neither of them was done");
            kept_out += u32::from(is_saved);
            too_late += u32::from(is_retired);
        }
        met
    });
    assert!(kept_out > 0 && too_late > 0, "{kept_out} were faster, {too_late} came too late");
}
