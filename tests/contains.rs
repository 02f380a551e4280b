//! `ops::contains` against a naive walk: in every history, every content is held by exactly the
//! versions whose listings have it, however often and whenever the index is brought up to date.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use stemmata::catalogue::Change;
use stemmata::model::{
    Entry, FileId, FileRef, FixedClock, Mode, Provenance, RefKind, RefName, RepoPath, Time,
    Version, VersionId,
};
use stemmata::ops::contains::{contains, drop_index, holders};
use stemmata::repo::{self, Environment, InitOptions, Repository, Transaction};

fn environment() -> Environment {
    Environment {
        clock: Arc::new(FixedClock(Time::from_unix(1_800_000_000).unwrap())),
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        threads: Some(2),
        ..Environment::default()
    }
}

type Tree = BTreeMap<String, u8>;

fn content(number: u8) -> FileId {
    FileId::of(&[number])
}

struct World {
    _directory: tempfile::TempDir,
    root: PathBuf,
    versions: Vec<(VersionId, Tree)>,
    serial: u32,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        repo::init(&root, &InitOptions::default(), environment()).unwrap();
        Self { _directory: directory, root, versions: Vec::new(), serial: 0 }
    }

    fn open(&self) -> Repository {
        Repository::open_to_write(&self.root, environment()).unwrap()
    }

    fn branch(&self, name: &str, old: Option<VersionId>, new: Option<VersionId>) -> Change {
        let dataset = self.open_dataset();
        let name: RefName = name.parse().unwrap();
        Change::RefMoved { dataset, kind: RefKind::Branch, name, old, new, annotation: None }
    }

    fn open_dataset(&self) -> stemmata::model::DatasetName {
        "data".parse().unwrap()
    }

    /// A version of `tree` that continues the versions with these numbers, on a branch of its own.
    fn commit(&mut self, parents: &[usize], tree: &Tree) {
        self.serial += 1;
        let repository = self.open();
        let ids: Vec<VersionId> = parents.iter().map(|at| self.versions[*at].0).collect();
        let message = format!("version {}", self.serial);
        let id = repository
            .transact("test", "test", None, |session| {
                let entries = tree.iter().map(|(path, number)| Entry {
                    path: RepoPath::new(path.as_bytes()).unwrap(),
                    file: FileRef { mode: Mode::File, size: 1, file: content(*number) },
                });
                let version = Version {
                    format: 1,
                    manifest: session.build_manifest(entries)?,
                    files: tree.len() as u64,
                    bytes: tree.len() as u64,
                    parents: ids.clone(),
                    author: repository.author()?,
                    time: repository.now(),
                    utc_offset_minutes: None,
                    message: message.clone(),
                    provenance: Provenance::default(),
                };
                let id = session.put_version(&version)?;
                let dataset = Some(self.open_dataset());
                let changes = vec![
                    Change::VersionAdded { version: id, dataset },
                    self.branch(&format!("v{}", self.serial), None, Some(id)),
                ];
                let versions = vec![(id, version)];
                Ok((Transaction { changes, versions, ..Transaction::default() }, id))
            })
            .unwrap();
        self.versions.push((id, tree.clone()));
    }

    /// Forgets the newest version, which nothing continues.
    fn forget_last(&mut self) {
        let Some((id, _)) = self.versions.pop() else { return };
        let repository = self.open();
        let name = repository
            .catalogue
            .all_refs()
            .unwrap()
            .into_iter()
            .find(|row| row.version == id)
            .map(|row| row.name.to_string())
            .unwrap();
        let changes = vec![
            self.branch(&name, Some(id), None),
            Change::VersionsForgotten { versions: vec![id] },
        ];
        let transaction = Transaction { changes, ..Transaction::default() };
        repository.change("test", "test", None, transaction).unwrap();
    }

    fn check(&self) {
        let repository = Repository::open(&self.root, environment()).unwrap();
        for number in 0..CONTENTS {
            let mut expected = BTreeSet::new();
            for (id, tree) in &self.versions {
                let paths = tree.iter().filter(|(_, held)| **held == number);
                expected.extend(paths.map(|(path, _)| (*id, path.clone().into_bytes())));
            }
            let found = holders(&repository, &content(number)).unwrap();
            let found: Vec<_> = found
                .iter()
                .flat_map(|holder| holder.versions.iter().map(|id| (*id, holder.path.clone())))
                .collect();
            assert_eq!(found.len(), expected.len(), "some twice");
            let found: BTreeSet<_> = found.into_iter().collect();
            assert_eq!(found, expected, "content {number}");
        }
    }
}

const CONTENTS: u8 = 5;

#[derive(Debug, Clone)]
enum Op {
    Put { path: u8, content: u8 },
    Remove { path: u8 },
    Rename { from: u8, to: u8 },
    Commit { parent: u8 },
    Merge { left: u8, right: u8, ours: bool },
    Ask,
    DropIndex,
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    let path = || 0_u8..6;
    prop_oneof![
        6 => (path(), 0..CONTENTS).prop_map(|(path, content)| Op::Put { path, content }),
        3 => path().prop_map(|path| Op::Remove { path }),
        3 => (path(), path()).prop_map(|(from, to)| Op::Rename { from, to }),
        6 => any::<u8>().prop_map(|parent| Op::Commit { parent }),
        3 => (any::<u8>(), any::<u8>(), any::<bool>())
            .prop_map(|(left, right, ours)| Op::Merge { left, right, ours }),
        2 => Just(Op::Ask),
        1 => Just(Op::DropIndex),
        1 => Just(Op::Forget),
    ]
}

fn path(number: u8) -> String {
    ["a", "b", "dir/a", "dir/b", "z", "zz"][usize::from(number)].to_owned()
}

impl World {
    fn step(&mut self, op: &Op, tree: &mut Tree) {
        match *op {
            Op::Put { path: at, content } => drop(tree.insert(path(at), content)),
            Op::Remove { path: at } => drop(tree.remove(&path(at))),
            Op::Rename { from, to } => {
                if let Some(held) = tree.remove(&path(from)) {
                    tree.insert(path(to), held);
                }
            }
            Op::Commit { parent } => {
                // Mostly in a line, now and then from an older version, or from none.
                let last = self.versions.len();
                let parents: Vec<usize> = match (last, parent % 8) {
                    (0, _) | (_, 7) => vec![],
                    (_, 0..=4) => vec![last - 1],
                    _ => vec![usize::from(parent) % last],
                };
                self.commit(&parents, &tree.clone());
            }
            Op::Merge { left, right, ours } if self.versions.len() > 1 => {
                let many = self.versions.len();
                let (left, right) = (usize::from(left) % many, usize::from(right) % many);
                if left == right {
                    return;
                }
                let mut merged = self.versions[right].1.clone();
                if ours {
                    merged.extend(self.versions[left].1.clone());
                }
                self.commit(&[left, right], &merged);
                *tree = merged;
            }
            Op::Merge { .. } => {}
            Op::Ask => self.check(),
            Op::DropIndex => {
                drop_index(&Repository::open(&self.root, environment()).unwrap()).unwrap();
            }
            Op::Forget => {
                let last = self.versions.len().wrapping_sub(1);
                let is_leaf = self.versions.last().is_some_and(|(id, _)| {
                    let repository = self.open();
                    let ids = repository.catalogue.all_version_ids().unwrap();
                    let parents = repository.catalogue.parents(&ids).unwrap();
                    !parents.values().flatten().any(|parent| parent == id)
                });
                if is_leaf && last > 0 {
                    self.forget_last();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_index_agrees_with_a_walk_over_every_version(
        ops in prop::collection::vec(op(), 1..50),
    ) {
        let mut world = World::new();
        let mut tree = Tree::new();
        for op in &ops {
            world.step(op, &mut tree);
        }
        world.check();
    }
}

#[test]
fn damage_and_strangers_are_replaced() {
    let mut world = World::new();
    let tree: Tree = (0..40).map(|n| (format!("f{n}"), n % CONTENTS)).collect();
    world.commit(&[], &tree);
    world.commit(&[0], &Tree::new());
    world.check();
    let index = world.root.join(".stem/store/contains.db");
    let good = std::fs::read(&index).unwrap();
    // Not a database, nothing, cut off, another's, and every page after the first overwritten.
    let mut torn = good.clone();
    torn[4096..].fill(0xa5);
    for bytes in [&b"not a database"[..], b"", &good[..good.len() / 2], &torn] {
        put(&index, bytes);
        world.check();
    }
    std::fs::remove_file(&index).unwrap();
    let made = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute('CREATE TABLE version (x)'); d.commit()"])
        .arg(&index)
        .status();
    if made.is_ok_and(|status| status.success()) {
        world.check();
    }
}

#[expect(clippy::disallowed_methods, reason = "the damage")]
fn put(path: &std::path::Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

/// Two that ask at once bring the index up to date together.
#[test]
fn askers_do_not_disturb_each_other() {
    let mut world = World::new();
    for number in 0..30_u8 {
        let tree: Tree = (0..20).map(|n| (format!("f{n}"), (n + number) % CONTENTS)).collect();
        let parents: Vec<usize> = usize::from(number).checked_sub(1).into_iter().collect();
        world.commit(&parents, &tree);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| world.check());
        }
    });
}

#[test]
fn the_first_digits_of_an_id_must_mean_one_content() {
    let mut world = World::new();
    // Enough contents that some begin with the same four digits.
    let mut by_digits: BTreeMap<String, Vec<FileId>> = BTreeMap::new();
    let mut many = Vec::new();
    for number in 0..2000_u32 {
        let id = FileId::of(&number.to_le_bytes());
        by_digits.entry(id.to_hex()[..4].to_owned()).or_default().push(id);
        many.push((format!("f{number:04}"), id));
    }
    let (digits, ids) = by_digits.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    world.commit(&[], &Tree::new());
    let repository = world.open();
    repository
        .transact("test", "test", None, |session| {
            let entries = many.iter().map(|(path, id)| Entry {
                path: RepoPath::new(path.as_bytes()).unwrap(),
                file: FileRef { mode: Mode::File, size: 1, file: *id },
            });
            let mut version = repository.read_version(&world.versions[0].0)?;
            version.manifest = session.build_manifest(entries)?;
            version.parents = vec![world.versions[0].0];
            let id = session.put_version(&version)?;
            let changes = vec![Change::VersionAdded { version: id, dataset: None }];
            let versions = vec![(id, version)];
            Ok((Transaction { changes, versions, ..Transaction::default() }, ()))
        })
        .unwrap();
    let error = contains(&repository, &world.root, &[digits.clone()]).unwrap_err();
    assert_eq!(error.to_string(), format!("several contents begin with `{digits}`"));
    let whole = [ids[0].to_hex(), ids[1].to_hex()[..20].to_owned()];
    let answer = contains(&repository, &world.root, &whole).unwrap();
    assert!(answer.found);
    assert_eq!(answer.versions.len(), 2);
    // Nothing says where that version was made: it is looked for in the worktree's dataset.
    assert_eq!(answer.versions[0].dataset, *repository.dataset());
    let none = contains(&repository, &world.root, &["ab".repeat(32)]).unwrap();
    assert!(!none.found && none.versions.is_empty());
}
