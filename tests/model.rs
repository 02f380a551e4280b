//! The whole of version control against a model in memory.
//!
//! Random sequences of what users do are done twice: through the library in a real directory, and
//! naively in memory. After every step the files, what is staged, the branches and the status must
//! agree, and every version ever made must read back byte for byte. What is refused must leave
//! everything as it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "model/disk.rs"]
mod disk;
#[path = "model/naive.rs"]
mod naive;
#[path = "model/once.rs"]
mod once;
#[path = "model/op.rs"]
mod op;
#[path = "model/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use disk::{get, put, remove_empty, walkdir};
use naive::{File, Tree, Version, clashing, diff};
use op::{BRANCHES, Op, PATHS, SCOPES, files, versions};
use proptest::prelude::*;
use stemmata::catalogue;
use stemmata::format::manifest;
use stemmata::model::{FileId, FileRef, FixedClock, RefKind, RefName, Time, VersionId};
use stemmata::ops::add::{AddOptions, add};
use stemmata::ops::commit::{CommitOptions, commit};
use stemmata::ops::diff::Kind;
use stemmata::ops::merge::{Favour, MergeOptions, abort, merge};
use stemmata::ops::operation::{Doing, Operation};
use stemmata::ops::reset::{Depth, reset};
use stemmata::ops::restore::{RestoreOptions, restore};
use stemmata::ops::rollback::rollback;
use stemmata::ops::status::{StatusOptions, status};
use stemmata::ops::switch::{SwitchOptions, switch};
use stemmata::ops::{self, refs, remove, undo};
use stemmata::repo::{self, Content, Environment, InitOptions, Repository};
use world::{Entry, Expected, FRESH, Head, Model, Naive, State};

fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

fn pick<T: Copy>(from: &[T], number: u8) -> T {
    from[number as usize % from.len()]
}

/// A real worktree beside the model of it.
struct World {
    _dir: tempfile::TempDir,
    root: PathBuf,
    model: Model,
    versions: Vec<Version>,
    ids: Vec<VersionId>,
    history: Vec<Entry>,
    /// The content of every version has been read back up to this one.
    read: usize,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data");
        repo::init(&root, &InitOptions::default(), environment()).unwrap();
        let head = Head::Branch("main".into());
        let state = State { head, staged: Tree::new(), under_way: None };
        let model = Model { files: Tree::new(), state, branches: BTreeMap::new() };
        let (versions, ids, history) = Default::default();
        Self { _dir: dir, root, model, versions, ids, history, read: 0 }
    }

    fn naive(&self) -> Naive<'_> {
        Naive { model: &self.model, versions: &self.versions }
    }

    fn version(&self, number: u8) -> usize {
        number as usize % self.versions.len()
    }

    fn revision(&self, version: usize) -> String {
        self.ids[version].to_hex()
    }

    /// Does one step, and checks everything; a dry run of it first must change nothing.
    fn step(&mut self, op: &Op, dry_first: bool) {
        match op {
            Op::Write(path, content, mode) => {
                return self.write(pick(&PATHS, *path), world::file(*content, *mode));
            }
            Op::Delete(path) => return self.delete(pick(&PATHS, *path)),
            Op::Save(path, content, mode) => {
                let place = pick(&PATHS, *path);
                let way: Vec<_> = clashing(&self.model.files, place).cloned().collect();
                way.iter().for_each(|path| self.delete(path));
                self.write(place, world::file(*content, *mode));
                self.step(&Op::Add { scope: 0, update: false }, false);
                return self.step(&Op::Commit { all: true, allow_empty: false }, dry_first);
            }
            _ => {}
        }
        let needs_version = !matches!(
            op,
            Op::Add { .. }
                | Op::Remove { .. }
                | Op::Rename(..)
                | Op::Commit { .. }
                | Op::Abort(_)
                | Op::Undo { .. }
                | Op::SwitchNew { version: None, .. }
                | Op::Restore { source: None, .. }
        );
        if needs_version && self.versions.is_empty() {
            return;
        }
        let expected = self.expected(op);
        if dry_first {
            let dry = self.run(op, true);
            if expected.model.is_some() && !expected.may_refuse {
                dry.unwrap_or_else(|error| panic!("a dry run is refused: {error}"));
            }
            self.check();
        }
        let result = self.run(op, false);
        self.settle(expected, result);
        self.check();
    }

    fn write(&mut self, path: &str, file: File) {
        if clashing(&self.model.files, path).next().is_some() {
            return;
        }
        let place = self.root.join(path);
        let _ = fs::remove_file(&place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        put(&place, &file);
        self.model.files.insert(path.into(), file);
    }

    fn delete(&mut self, path: &str) {
        if self.model.files.remove(path).is_some() {
            fs::remove_file(self.root.join(path)).unwrap();
            remove_empty(&self.root);
        }
    }

    fn expected(&self, op: &Op) -> Expected {
        let naive = self.naive();
        match op {
            Op::Write(..) | Op::Delete(_) | Op::Save(..) => Expected::refusal(),
            Op::Add { scope, update } => naive.add(pick(&SCOPES, *scope), *update),
            Op::Remove { scope, cached, force } => {
                naive.remove(pick(&SCOPES, *scope), *cached, *force)
            }
            Op::Rename(from, to) => naive.rename(pick(&PATHS, *from), pick(&PATHS, *to)),
            Op::Commit { all, allow_empty } => naive.commit(*all, *allow_empty),
            Op::SwitchTo { branch, force } => {
                let branch = pick(&BRANCHES, *branch);
                let version = self.model.branches.get(branch).copied();
                let head = Head::Branch(branch.into());
                if version.is_none() && self.model.state.head != head {
                    return Expected::refusal();
                }
                naive.switch(head, false, version, *force)
            }
            Op::SwitchNew { branch, version, force } => {
                let head = Head::Branch(pick(&BRANCHES, *branch).into());
                let version = version.map(|version| self.version(version)).or(naive.head());
                naive.switch(head, true, version, *force)
            }
            Op::Detach { version, force } => {
                let version = self.version(*version);
                naive.switch(Head::Detached(version), false, Some(version), *force)
            }
            Op::Reset { depth, version, force } => {
                naive.reset(depth_of(*depth), self.version(*version), *force)
            }
            Op::Restore { scope, source, staged, worktree, force } => {
                let source = source.map(|version| self.version(version));
                naive.restore(pick(&SCOPES, *scope), source, (*staged, *worktree), *force)
            }
            Op::Bring { doing, version, favour, no_fast_forward } => {
                let least = |bases: Vec<usize>| bases.into_iter().min_by_key(|at| self.ids[*at]);
                let other = self.version(*version);
                naive.bring(doing_of(*doing), other, *favour, (*no_fast_forward, least))
            }
            Op::Abort(doing) => naive.abort(doing_of(*doing)),
            Op::Rollback { branch, version } => {
                naive.rollback(pick(&BRANCHES, *branch), self.version(*version))
            }
            Op::Branch { name, version, force } => {
                naive.create_branch(pick(&BRANCHES, *name), self.version(*version), *force)
            }
            Op::Undo { force } => naive.undo(self.history.last(), *force),
        }
    }

    /// Does it in the directory; gives the version that was made.
    fn run(&self, op: &Op, dry_run: bool) -> ops::Result<Option<VersionId>> {
        let repository = Repository::open_to_write(&self.root, environment())?;
        let bytes = |scope: u8| pick(&SCOPES, scope).as_bytes().to_vec();
        let path = |path: u8| pick(&PATHS, path).as_bytes();
        match op {
            Op::Write(..) | Op::Delete(_) | Op::Save(..) => {}
            Op::Add { scope, update } => {
                let (paths, update) = (vec![bytes(*scope)], *update);
                let done = add(&repository, &AddOptions { paths, update, force: false, dry_run })?;
                assert!(done.failed.is_empty(), "{:?}", done.failed);
            }
            Op::Remove { scope, cached, force } => {
                drop(remove::remove(&repository, &[bytes(*scope)], *cached, *force, dry_run)?);
            }
            Op::Rename(from, to) => {
                drop(remove::move_path(&repository, path(*from), path(*to), dry_run)?);
            }
            Op::Commit { all, allow_empty } => {
                let options = CommitOptions {
                    message: "words".into(),
                    all: *all,
                    allow_empty: *allow_empty,
                    dry_run,
                    ..CommitOptions::default()
                };
                return Ok(commit(&repository, &options)?.version);
            }
            Op::SwitchTo { .. } | Op::SwitchNew { .. } | Op::Detach { .. } => {
                drop(switch(&repository, &self.switch_options(op, dry_run))?);
            }
            Op::Reset { depth, version, force } => {
                let revision = self.revision(self.version(*version));
                drop(reset(&repository, &revision, depth_of(*depth), *force, dry_run)?);
            }
            Op::Restore { scope, source, staged, worktree, force } => {
                let options = RestoreOptions {
                    paths: vec![bytes(*scope)],
                    source: source.map(|version| self.revision(self.version(version))),
                    staged: *staged,
                    worktree: *worktree,
                    force: *force,
                    dry_run,
                };
                drop(restore(&repository, &options)?);
            }
            Op::Bring { .. } => return self.bring(&repository, op, dry_run),
            Op::Abort(doing) => drop(abort(&repository, doing_of(*doing), false, dry_run)?),
            Op::Rollback { branch, version } => {
                let branch = name(pick(&BRANCHES, *branch));
                let revision = self.revision(self.version(*version));
                return Ok(rollback(&repository, &branch, &revision, "so", false, dry_run)?.version);
            }
            Op::Branch { name: branch, version, force } => {
                let branch = name(pick(&BRANCHES, *branch));
                let revision = self.revision(self.version(*version));
                drop(refs::create_branch(&repository, &branch, &revision, *force, dry_run)?);
            }
            Op::Undo { force } => drop(undo::undo(&repository, *force, dry_run)?),
        }
        Ok(None)
    }

    fn switch_options(&self, op: &Op, dry_run: bool) -> SwitchOptions {
        let revision = |version: u8| self.revision(self.version(version));
        let (target, create, force) = match op {
            Op::SwitchTo { branch, force } => (Some(pick(&BRANCHES, *branch).into()), None, force),
            Op::SwitchNew { branch, version, force } => {
                (version.map(revision), Some(name(pick(&BRANCHES, *branch))), force)
            }
            Op::Detach { version, force } => (Some(revision(*version)), None, force),
            _ => unreachable!(),
        };
        SwitchOptions { target, create, force: *force, dry_run }
    }

    fn bring(
        &self,
        repository: &Repository,
        op: &Op,
        dry_run: bool,
    ) -> ops::Result<Option<VersionId>> {
        let Op::Bring { doing, version, favour, no_fast_forward } = op else { unreachable!() };
        let options = MergeOptions {
            doing: doing_of(*doing),
            revision: self.revision(self.version(*version)),
            message: Some("brought".into()),
            favour: favour.map(|theirs| if theirs { Favour::Theirs } else { Favour::Ours }),
            no_fast_forward: *no_fast_forward,
            force: false,
            dry_run,
        };
        let done = merge(repository, &options)?;
        let made = done.ended == ops::merge::Ended::Committed && !dry_run;
        Ok(done.version.filter(|_| made))
    }

    /// Compares what came of it with what should have.
    fn settle(&mut self, expected: Expected, result: ops::Result<Option<VersionId>>) {
        let made = match result {
            Err(error) => {
                assert!(expected.may_refuse, "refused: {error}");
                return;
            }
            Ok(made) => made,
        };
        let mut model = expected.model.expect("what should have been refused was done");
        assert_eq!(made.is_some(), expected.fresh.is_some(), "whether a version was made");
        if let (Some(id), Some(version)) = (made, expected.fresh) {
            let at = self.ids.iter().position(|known| *known == id).unwrap_or(self.ids.len());
            if at == self.ids.len() {
                self.ids.push(id);
                self.versions.push(version);
            } else {
                assert_eq!(self.versions[at].tree, version.tree);
                assert_eq!(self.versions[at].parents, version.parents);
            }
            model.branches.values_mut().filter(|head| **head == FRESH).for_each(|head| *head = at);
            if let Head::Detached(version) = &mut model.state.head
                && *version == FRESH
            {
                *version = at;
            }
        }
        let before = std::mem::replace(&mut self.model, model);
        if expected.takes_back {
            self.history.pop();
        } else {
            self.remember(before, expected.files);
        }
    }

    /// Notes what `undo` would take back.
    fn remember(&mut self, before: Model, files: bool) {
        let (old, new) = (&before.branches, &self.model.branches);
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let moved = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
        let moves: Vec<_> = moved.map(|name| (name.clone(), old.get(name).copied())).collect();
        let state = (before.state != self.model.state).then_some(before.state);
        if !moves.is_empty() || state.is_some() {
            self.history.push(Entry { moves, state, files });
        }
    }

    /// Everything agrees.
    fn check(&mut self) {
        self.check_files();
        let repository = Repository::open(&self.root, environment()).unwrap();
        assert_eq!(
            listed(&repository, &repository.state().staged),
            refs_of(&self.model.state.staged)
        );
        let head = match repository.state().head {
            catalogue::Head::Branch { name, .. } => Head::Branch(name.to_string()),
            catalogue::Head::Detached { version } => Head::Detached(self.at(&version)),
        };
        assert_eq!(head, self.model.state.head);
        let rows = repository.catalogue.refs(repository.dataset(), RefKind::Branch).unwrap();
        let branches: BTreeMap<_, _> =
            rows.iter().map(|row| (row.name.to_string(), self.at(&row.version))).collect();
        assert_eq!(branches, self.model.branches);
        self.check_status(&repository);
        for at in self.read..self.ids.len() {
            self.check_version(&repository, at);
        }
        self.read = self.ids.len();
    }

    fn at(&self, version: &VersionId) -> usize {
        self.ids.iter().position(|id| id == version).expect("a version that was made")
    }

    fn check_files(&self) {
        let mut found = Tree::new();
        for entry in walkdir(&self.root) {
            let path = entry.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned();
            found.insert(path, get(&entry));
        }
        assert_eq!(found, self.model.files, "the files");
        remove_empty(&self.root);
    }

    fn check_status(&self, repository: &Repository) {
        let seen = status(repository, &StatusOptions::default()).unwrap();
        let mut staged = BTreeMap::new();
        for change in &seen.staged {
            staged.insert(change.path.show(), letter(change.change));
            if let Some(from) = &change.from {
                staged.insert(change.path.show(), 'A');
                staged.insert(from.show(), 'D');
            }
        }
        let changes = |from: &Tree, to: &Tree| -> BTreeMap<String, char> {
            let letter = |(old, new): &(Option<File>, Option<File>)| match (old, new) {
                (None, _) => 'A',
                (_, None) => 'D',
                _ => 'M',
            };
            diff(from, to).iter().map(|(path, pair)| (path.clone(), letter(pair))).collect()
        };
        let state = &self.model.state;
        assert_eq!(staged, changes(&self.naive().head_tree(), &state.staged), "what is staged");
        let all = changes(&state.staged, &self.model.files);
        let list = |changed: &[ops::status::Changed]| -> BTreeMap<String, char> {
            changed.iter().map(|one| (one.path.show(), letter(one.change))).collect()
        };
        let (untracked, changed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, letter)| *letter == 'A');
        assert_eq!(list(&seen.changed), changed, "what is changed");
        assert_eq!(list(&seen.untracked), untracked, "what is not tracked");
        let conflicts: BTreeSet<_> = seen.conflicts.iter().map(|path| path.show()).collect();
        let under_way = state.under_way.as_ref();
        assert_eq!(conflicts, under_way.map(|op| op.conflicts.clone()).unwrap_or_default());
        assert_eq!(seen.operation, under_way.map(|op| op.doing));
        let operation = Operation::of(repository).unwrap();
        assert_eq!(operation.map(|op| self.at(&op.other)), under_way.map(|op| op.other));
        let clean = staged.is_empty() && changed.is_empty() && untracked.is_empty();
        assert_eq!(seen.clean, clean && under_way.is_none());
    }

    fn check_version(&self, repository: &Repository, at: usize) {
        let row = repository.version(&self.ids[at]).unwrap();
        let parents: Vec<_> = row.parents.iter().map(|parent| self.at(parent)).collect();
        assert_eq!(parents, self.versions[at].parents);
        let listed = listed(repository, &row.manifest);
        assert_eq!(listed, refs_of(&self.versions[at].tree), "version {at}");
        let mut content = Content::new(repository).unwrap();
        for (path, file) in &listed {
            let bytes = content.whole(file).unwrap();
            assert!(bytes == self.versions[at].tree[path].bytes, "{path} of version {at}");
        }
    }
}

fn environment() -> Environment {
    Environment {
        clock: Arc::new(FixedClock(Time::from_unix(1_800_000_000).unwrap())),
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        threads: Some(2),
        ..Environment::default()
    }
}

fn depth_of(number: u8) -> Depth {
    pick(&[Depth::Soft, Depth::Mixed, Depth::Hard], number)
}

fn doing_of(number: u8) -> Doing {
    pick(&[Doing::Merge, Doing::Merge, Doing::CherryPick, Doing::Revert], number)
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Added | Kind::Renamed => 'A',
        Kind::Modified => 'M',
        Kind::Deleted => 'D',
    }
}

fn listed(repository: &Repository, id: &stemmata::model::ManifestId) -> BTreeMap<String, FileRef> {
    let nodes = repository.nodes();
    let entries = manifest::list(&nodes, id, b"").unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.path.show(), entry.file)).collect()
}

fn refs_of(tree: &Tree) -> BTreeMap<String, FileRef> {
    let refer = |file: &File| FileRef {
        mode: file.mode,
        size: file.bytes.len() as u64,
        file: FileId::of(&file.bytes),
    };
    tree.iter().map(|(path, file)| (path.clone(), refer(file))).collect()
}

fn run(steps: &[(Op, bool)]) {
    let mut world = World::new();
    for (op, dry_first) in steps {
        world.step(op, *dry_first);
    }
    world.read = 0;
    world.check();
}

/// Sequences that once went wrong.
#[test]
fn what_went_wrong_once_goes_right() {
    for sequence in once::with_files().into_iter().chain(once::with_merges()) {
        println!("{sequence:?}");
        run(&sequence.into_iter().map(|op| (op, false)).collect::<Vec<_>>());
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn version_control_does_what_the_model_does(
        steps in proptest::collection::vec(
            (prop_oneof![3 => files(), 2 => versions()], proptest::bool::weighted(0.1)), 1..30),
    ) {
        run(&steps);
    }
}
