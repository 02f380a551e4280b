//! What the model knows of a worktree and its branches, and what each operation makes of it.

use std::collections::{BTreeMap, BTreeSet};

use stemmata::model::Mode;
use stemmata::ops::operation::Doing;
use stemmata::ops::reset::Depth;

use crate::naive::*;

/// Stands for the version that an operation is about to make.
pub(crate) const FRESH: usize = usize::MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    Branch(String),
    Detached(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnderWay {
    pub(crate) doing: Doing,
    pub(crate) other: usize,
    pub(crate) conflicts: BTreeSet<String>,
    pub(crate) all: BTreeSet<String>,
}

/// What the catalogue keeps for a worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) staged: Tree,
    pub(crate) under_way: Option<UnderWay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) files: Tree,
    pub(crate) state: State,
    pub(crate) branches: BTreeMap<String, usize>,
}

/// What `undo` takes back.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) moves: Vec<(String, Option<usize>)>,
    pub(crate) state: Option<State>,
    pub(crate) files: bool,
}

/// What an operation should come to.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Nothing if it should refuse.
    pub(crate) model: Option<Model>,
    /// The version that it should make.
    pub(crate) fresh: Option<Version>,
    /// Whether it may also refuse.
    pub(crate) may_refuse: bool,
    /// Whether taking it back changes files.
    pub(crate) files: bool,
    /// Whether it takes something back itself.
    pub(crate) takes_back: bool,
}

impl Expected {
    pub(crate) fn refusal() -> Self {
        Self { model: None, fresh: None, may_refuse: true, files: false, takes_back: false }
    }

    fn done(model: Model) -> Self {
        Self { model: Some(model), may_refuse: false, ..Self::refusal() }
    }

    fn with_files(mut self) -> Self {
        self.files = true;
        self
    }
}

pub(crate) fn theirs(path: &str) -> String {
    format!("{path}.theirs")
}

/// The operations of the model; `versions` are those that were made so far.
pub(crate) struct Naive<'a> {
    pub(crate) model: &'a Model,
    pub(crate) versions: &'a [Version],
}

impl Naive<'_> {
    pub(crate) fn head(&self) -> Option<usize> {
        match &self.model.state.head {
            Head::Branch(name) => self.model.branches.get(name).copied(),
            Head::Detached(version) => Some(*version),
        }
    }

    pub(crate) fn head_tree(&self) -> Tree {
        self.head().map(|version| self.versions[version].tree.clone()).unwrap_or_default()
    }

    fn staged(&self) -> &Tree {
        &self.model.state.staged
    }

    /// The other side's files beside the conflicts.
    fn sides(&self, under_way: &UnderWay) -> Tree {
        let other = &self.versions[under_way.other];
        let tree = match under_way.doing {
            Doing::Revert => other.parents.first().map(|parent| &self.versions[*parent].tree),
            Doing::Merge | Doing::CherryPick => Some(&other.tree),
        };
        let side = |path: &String| Some((theirs(path), tree?.get(path)?.clone()));
        under_way.all.iter().filter_map(side).collect()
    }

    fn remove_sides(&self, files: &mut Tree, under_way: &UnderWay) {
        for (path, side) in self.sides(under_way) {
            if files.get(&path) == Some(&side) {
                files.remove(&path);
            }
        }
    }

    /// What is staged once the files at or below `scope` are.
    fn stage(&self, scope: &str, update: bool) -> Tree {
        let mut staged = self.staged().clone();
        let sides = self.model.state.under_way.as_ref().map(|op| &op.all);
        let is_side =
            |path: &String| sides.is_some_and(|all| all.iter().any(|p| theirs(p) == *path));
        staged.retain(|path, _| !is_in(path, scope) || self.model.files.contains_key(path));
        for (path, file) in self.model.files.iter().filter(|(path, _)| is_in(path, scope)) {
            let tracked = self.staged().contains_key(path);
            if tracked || (!update && !is_side(path)) {
                staged.retain(|other, _| !is_below(path, other) && !is_below(other, path));
                staged.insert(path.clone(), file.clone());
            }
        }
        staged
    }

    pub(crate) fn add(&self, scope: &str, update: bool) -> Expected {
        let known = |tree: &Tree| tree.keys().any(|path| is_in(path, scope));
        if !scope.is_empty() && !known(&self.model.files) && !known(self.staged()) {
            return Expected::refusal();
        }
        let mut model = self.model.clone();
        model.state.staged = self.stage(scope, update);
        if let Some(under_way) = &mut model.state.under_way {
            under_way.conflicts.retain(|path| !is_in(path, scope));
        }
        Expected::done(model)
    }

    pub(crate) fn remove(&self, scope: &str, cached: bool, force: bool) -> Expected {
        let gone = self.staged().iter().filter(|(path, _)| is_in(path, scope));
        let changes: Changes =
            gone.map(|(path, file)| (path.clone(), (Some(file.clone()), None))).collect();
        let mut model = self.model.clone();
        if changes.is_empty() {
            return Expected::refusal();
        }
        if !cached {
            match travel(&model.files, &changes, force) {
                Some(files) => model.files = files,
                None => return Expected::refusal(),
            }
        }
        apply(&mut model.state.staged, &changes);
        if let Some(under_way) = &mut model.state.under_way {
            under_way.conflicts.retain(|path| !is_in(path, scope));
        }
        let done = Expected::done(model);
        if cached { done } else { done.with_files() }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Expected {
        let files = &self.model.files;
        let is_directory = files.keys().any(|path| is_below(path, to));
        let name = from.rsplit('/').next().unwrap_or(from);
        let to = if is_directory { format!("{to}/{name}") } else { to.to_owned() };
        let is_moved = |path: &&String| is_in(path, from);
        let on_way =
            |tree: &Tree| tree.keys().any(|path| is_below(&to, path) && !is_in(path, from));
        let taken = |tree: &Tree| tree.keys().any(|path| is_in(path, &to));
        if !self.staged().keys().any(|path| is_moved(&path))
            || !files.keys().any(|path| is_moved(&path))
            || is_in(&to, from)
            || taken(files)
            || taken(self.staged())
            || on_way(files)
            || on_way(self.staged())
        {
            return Expected::refusal();
        }
        let new = |path: &String| format!("{to}{}", &path[from.len()..]);
        let moved = |tree: &Tree| {
            let pair = |(path, file): (&String, &File)| {
                (if is_in(path, from) { new(path) } else { path.clone() }, file.clone())
            };
            tree.iter().map(pair).collect::<Tree>()
        };
        let mut model = self.model.clone();
        (model.files, model.state.staged) = (moved(files), moved(self.staged()));
        let mut done = Expected::done(model).with_files();
        // `d/x` to `d`: the directory is still there when the name is needed.
        done.may_refuse = is_below(from, &to);
        done
    }

    fn record(&self, mut model: Model, tree: Tree, second: Option<usize>) -> Expected {
        let parents = self.head().into_iter().chain(second).collect();
        match &mut model.state.head {
            Head::Branch(name) => drop(model.branches.insert(name.clone(), FRESH)),
            Head::Detached(version) => *version = FRESH,
        }
        model.state.under_way = None;
        let fresh = Some(Version { tree, parents });
        Expected { fresh, ..Expected::done(model) }
    }

    pub(crate) fn commit(&self, all: bool, allow_empty: bool) -> Expected {
        let under_way = self.model.state.under_way.as_ref();
        let mut model = self.model.clone();
        if under_way.is_some_and(|op| !op.conflicts.is_empty()) && !all {
            return Expected::refusal();
        }
        if all {
            model.state.staged = self.stage("", true);
        }
        let tree = model.state.staged.clone();
        if tree == self.head_tree() && !allow_empty && under_way.is_none() {
            return Expected::refusal();
        }
        let second = under_way.filter(|op| op.doing == Doing::Merge).map(|op| op.other);
        if let Some(under_way) = under_way {
            self.remove_sides(&mut model.files, under_way);
        }
        self.record(model, tree, second)
    }

    /// What changes on the way to `target`, and what is staged then.
    fn journey(&self, target: &Tree, force: bool) -> Option<(Changes, Tree)> {
        let staged = self.staged();
        if force {
            let mut changes = diff(staged, target);
            for path in staged.keys() {
                if self.model.files.get(path) != staged.get(path) {
                    let goal = target.get(path).cloned();
                    changes.entry(path.clone()).or_insert((goal.clone(), goal));
                }
            }
            return Some((changes, target.clone()));
        }
        let mut changes = Changes::new();
        for (path, (old, new)) in diff(&self.head_tree(), target) {
            let now = staged.get(&path).cloned();
            if now != old && now != new {
                return None;
            }
            if now != new {
                changes.insert(path, (now, new));
            }
        }
        let mut goal = staged.clone();
        apply(&mut goal, &changes);
        if has_clash(&goal) { None } else { Some((changes, goal)) }
    }

    pub(crate) fn switch(
        &self,
        head: Head,
        created: bool,
        version: Option<usize>,
        force: bool,
    ) -> Expected {
        let mut model = self.model.clone();
        if model.state.under_way.is_some() && !force {
            return Expected::refusal();
        }
        if let (Head::Branch(name), true) = (&head, created) {
            if model.branches.contains_key(name) {
                return Expected::refusal();
            }
            if let Some(version) = version {
                model.branches.insert(name.clone(), version);
            }
        }
        let target = version.map(|version| self.versions[version].tree.clone());
        let target = target.unwrap_or_else(|| self.head_tree());
        let Some((changes, goal)) = self.journey(&target, force) else {
            return Expected::refusal();
        };
        let Some(files) = travel(&model.files, &changes, force) else {
            return Expected::refusal();
        };
        model.files = files;
        model.state = State { head, staged: goal, under_way: None };
        Expected::done(model).with_files()
    }

    pub(crate) fn reset(&self, depth: Depth, version: usize, force: bool) -> Expected {
        let mut model = self.model.clone();
        let target = &self.versions[version].tree;
        if depth == Depth::Hard {
            let Some((changes, _)) = self.journey(target, true) else {
                return Expected::refusal();
            };
            match travel(&model.files, &changes, force) {
                Some(files) => model.files = files,
                None => return Expected::refusal(),
            }
        }
        match &mut model.state.head {
            Head::Branch(name) => drop(model.branches.insert(name.clone(), version)),
            Head::Detached(head) => *head = version,
        }
        if depth != Depth::Soft {
            (model.state.staged, model.state.under_way) = (target.clone(), None);
        }
        let done = Expected::done(model);
        if depth == Depth::Hard { done.with_files() } else { done }
    }

    pub(crate) fn restore(
        &self,
        scope: &str,
        source: Option<usize>,
        (to_stage, to_files): (bool, bool),
        force: bool,
    ) -> Expected {
        let mut model = self.model.clone();
        let staged = self.staged();
        let from = match source {
            Some(version) => self.versions[version].tree.clone(),
            None if to_stage => self.head_tree(),
            None => staged.clone(),
        };
        let known = |tree: &Tree| tree.keys().any(|path| is_in(path, scope));
        if !scope.is_empty() && !known(&from) && !known(staged) {
            return Expected::refusal();
        }
        let mut changes = diff(staged, &from);
        changes.retain(|path, _| is_in(path, scope));
        if to_stage {
            apply(&mut model.state.staged, &changes);
        }
        if to_files || !to_stage {
            for path in staged.keys().filter(|path| is_in(path, scope)) {
                if self.model.files.get(path) != staged.get(path) {
                    let goal = from.get(path).cloned();
                    changes.entry(path.clone()).or_insert((goal.clone(), goal));
                }
            }
            match travel(&model.files, &changes, force) {
                Some(files) => model.files = files,
                None => return Expected::refusal(),
            }
        }
        if has_clash(&model.state.staged) { Expected::refusal() } else { Expected::done(model) }
    }

    pub(crate) fn bring(
        &self,
        doing: Doing,
        other: usize,
        favour: Option<bool>,
        (no_fast_forward, base): (bool, impl Fn(Vec<usize>) -> Option<usize>),
    ) -> Expected {
        let model = self.model.clone();
        let head_tree = self.head_tree();
        if model.state.under_way.is_some() || *self.staged() != head_tree {
            return Expected::refusal();
        }
        let is_merge = doing == Doing::Merge;
        let Some(ours) = self.head() else {
            return if is_merge { self.fast_forward(other) } else { Expected::refusal() };
        };
        if is_merge && ancestors(self.versions, ours).contains(&other) {
            return Expected::done(model);
        }
        if is_merge && !no_fast_forward && ancestors(self.versions, other).contains(&ours) {
            return self.fast_forward(other);
        }
        let tree = |version: Option<usize>| {
            version.map(|version| self.versions[version].tree.clone()).unwrap_or_default()
        };
        let parent = tree(self.versions[other].parents.first().copied());
        let (base, theirs) = match doing {
            Doing::Merge => {
                (tree(base(merge_bases(self.versions, ours, other))), tree(Some(other)))
            }
            Doing::CherryPick => (parent, tree(Some(other))),
            Doing::Revert => (tree(Some(other)), parent),
        };
        let (mut changes, mut conflicts) = combine(&base, &head_tree, &theirs);
        match favour {
            Some(true) => {
                favour_theirs(&mut changes, std::mem::take(&mut conflicts), &head_tree, &theirs);
            }
            Some(false) => conflicts.clear(),
            None => {}
        }
        if changes.is_empty() && conflicts.is_empty() && !is_merge {
            return Expected::done(model);
        }
        self.brought(doing, other, changes, conflicts)
    }

    fn fast_forward(&self, other: usize) -> Expected {
        let mut model = self.model.clone();
        let target = self.versions[other].tree.clone();
        let changes = diff(self.staged(), &target);
        let Some(files) = travel(&model.files, &changes, false) else {
            return Expected::refusal();
        };
        (model.files, model.state.staged) = (files, target);
        match &mut model.state.head {
            Head::Branch(name) => drop(model.branches.insert(name.clone(), other)),
            Head::Detached(version) => *version = other,
        }
        Expected::done(model).with_files()
    }

    fn brought(
        &self,
        doing: Doing,
        other: usize,
        changes: Changes,
        conflicts: BTreeSet<String>,
    ) -> Expected {
        let mut model = self.model.clone();
        let Some(files) = travel(&model.files, &changes, false) else {
            return Expected::refusal();
        };
        model.files = files;
        apply(&mut model.state.staged, &changes);
        if conflicts.is_empty() {
            let second = (doing == Doing::Merge).then_some(other);
            let tree = model.state.staged.clone();
            return self.record(model, tree, second).with_files();
        }
        let unsaved = |path: &String| {
            let now = self.model.files.get(path);
            self.staged().contains_key(path) && now.is_some() && now != self.staged().get(path)
        };
        if conflicts.iter().any(unsaved) {
            return Expected::refusal();
        }
        let under_way = UnderWay { doing, other, all: conflicts.clone(), conflicts };
        let sides = self.sides(&under_way);
        let differs = |(path, side): (&String, &File)| files_differ(&model.files, path, side);
        if sides.iter().any(differs) {
            return Expected::refusal();
        }
        // Names that end in `.theirs` may also be the user's.
        let may_refuse = sides.keys().any(|side| {
            model.files.contains_key(side) || clashing(&model.files, side).next().is_some()
        });
        model.files.extend(sides);
        model.state.under_way = Some(under_way);
        Expected { may_refuse, ..Expected::done(model).with_files() }
    }

    pub(crate) fn abort(&self, doing: Doing) -> Expected {
        let mut model = self.model.clone();
        let Some(under_way) = model.state.under_way.take().filter(|op| op.doing == doing) else {
            return Expected::refusal();
        };
        let head = self.head_tree();
        self.remove_sides(&mut model.files, &under_way);
        let changes = diff(self.staged(), &head);
        // What is not part of the conflicts must be saved.
        let others = |path: &String| !under_way.all.contains(path);
        let saved: Changes = changes.clone().into_iter().filter(|(path, _)| others(path)).collect();
        let mut all = changes;
        for path in &under_way.all {
            let goal = head.get(path).cloned();
            all.entry(path.clone()).or_insert((goal.clone(), goal));
        }
        let may_refuse = travel(&model.files, &saved, false).is_none();
        let Some(files) = travel(&model.files, &all, true) else { return Expected::refusal() };
        (model.files, model.state.staged) = (files, head);
        if may_refuse {
            return Expected::refusal();
        }
        Expected::done(model).with_files()
    }

    pub(crate) fn rollback(&self, name: &str, version: usize) -> Expected {
        let mut model = self.model.clone();
        let Some(from) = model.branches.get(name).copied() else { return Expected::refusal() };
        if model.state.under_way.is_some() {
            return Expected::refusal();
        }
        let tree = self.versions[version].tree.clone();
        if model.state.head == Head::Branch(name.into()) {
            let Some((changes, goal)) = self.journey(&tree, false) else {
                return Expected::refusal();
            };
            let Some(files) = travel(&model.files, &changes, false) else {
                return Expected::refusal();
            };
            (model.files, model.state.staged) = (files, goal);
        }
        model.branches.insert(name.into(), FRESH);
        let fresh = Some(Version { tree, parents: vec![from] });
        Expected { fresh, ..Expected::done(model).with_files() }
    }

    pub(crate) fn create_branch(&self, name: &str, version: usize, force: bool) -> Expected {
        let mut model = self.model.clone();
        let is_current = model.state.head == Head::Branch(name.into());
        if (model.branches.contains_key(name) && !force) || is_current {
            return Expected::refusal();
        }
        model.branches.insert(name.into(), version);
        Expected::done(model)
    }

    pub(crate) fn undo(&self, last: Option<&Entry>, force: bool) -> Expected {
        let Some(Entry { moves, state, files }) = last else { return Expected::refusal() };
        let mut model = self.model.clone();
        for (name, old) in moves {
            match old {
                Some(version) => drop(model.branches.insert(name.clone(), *version)),
                None => drop(model.branches.remove(name)),
            }
        }
        let takes_back = true;
        let Some(state) = state else { return Expected { takes_back, ..Expected::done(model) } };
        if *files {
            let changes = diff(self.staged(), &state.staged);
            match travel(&model.files, &changes, force) {
                Some(files) => model.files = files,
                None => return Expected::refusal(),
            }
        }
        if let (Some(under_way), None) = (&model.state.under_way, &state.under_way) {
            self.remove_sides(&mut model.files, under_way);
        }
        model.state = state.clone();
        Expected { takes_back, ..Expected::done(model) }
    }
}

fn files_differ(files: &Tree, path: &str, side: &File) -> bool {
    files.get(path).is_some_and(|file| file != side)
}

/// A file with some content.
pub(crate) fn file(content: u8, mode: u8) -> File {
    let contents: [&[u8]; 5] = [b"one\n", b"two\n", b"three", b"", b"four\nfive\n"];
    match mode % 6 {
        0 => File { mode: Mode::Executable, bytes: contents[content as usize % 5].to_vec() },
        1 => File { mode: Mode::Symlink, bytes: [b'a' + content % 5].to_vec() },
        2 if content > 200 => File { mode: Mode::File, bytes: long(content) },
        _ => File { mode: Mode::File, bytes: contents[content as usize % 5].to_vec() },
    }
}

/// Several chunks of lines that do not repeat.
fn long(content: u8) -> Vec<u8> {
    let line = |number: u32| format!("{number} {}\n", number.wrapping_mul(2_654_435_761));
    (0..6000 + u32::from(content)).flat_map(|number| line(number).into_bytes()).collect()
}
