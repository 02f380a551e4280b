//! An erasure, and what the oracle expects of it.

use std::collections::BTreeSet;

use stemmata::model::{FileId, ManifestId, VersionId};
use stemmata::ops::erase::{self, Asked, PlanOptions, RunOptions, Selector};
use stemmata::ops::{self, hold};
use stemmata::repo::Repository;

use super::check::listing;
use super::content::{PEOPLE, mail, secret_path};
use super::oracle::Fate;
use super::step::What;
use super::world::{World, chain, count};

impl World {
    pub(super) fn erase(&mut self, at: u8, what: What, held: bool, crash: Option<u8>) {
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
        let (versions, space) = (self.catalogued(), self.space());
        if held && let What::Secret(secret) = what {
            // Another dataset's content goes, hold or not.
            self.held(at, &planned.id, secret);
        }
        let run = RunOptions { plan: planned.id.clone(), ..RunOptions::default() };
        let work = |crash| {
            let done = erase::run(&self.open_to_collect(at, crash), &run);
            let done = done.unwrap_or_else(|error| panic!("run: {}", chain(&error)));
            self.freed(&space, &planned, &done);
        };
        if crash.is_none() || !self.survives(|| work(crash)) {
            work(None);
        }
        assert_eq!(self.catalogued(), versions, "an erasure changed the versions");
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
        let repository = self.open_to_collect(at, None);
        let run = RunOptions { plan: plan.to_owned(), ..RunOptions::default() };
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
