//! Versions held against the commits that they came from.

use std::collections::BTreeMap;

use stemmata::format::manifest;
use stemmata::model::{Entry, Mode, RefKind, VersionId};
use stemmata::repo::{Content, Repository};

use crate::bench::Bench;

/// Path, mode as Git writes it, and the id of the content that Git gives it.
pub(crate) type Tree = BTreeMap<Vec<u8>, (&'static str, String)>;

/// What Git has in a commit, submodules excepted.
fn tree_of_git(bench: &Bench, commit: &str) -> Tree {
    let printed = bench.run(bench.command().args(["ls-tree", "-r", "-z", commit]), b"");
    let lines = printed.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let mut tree = Tree::new();
    for line in lines {
        let tab = line.iter().position(|byte| *byte == b'\t').unwrap();
        let words = std::str::from_utf8(&line[..tab]).unwrap();
        let words: Vec<&str> = words.split(' ').collect();
        let mode = match words[0] {
            "100644" | "100664" => "100644",
            "100755" => "100755",
            "120000" => "120000",
            "160000" => continue,
            other => panic!("{other}"),
        };
        tree.insert(line[tab + 1..].to_vec(), (mode, words[2].to_owned()));
    }
    tree
}

/// What versions have, with the ids that Git gives to the content: read back from the store.
pub(crate) struct Stored<'a> {
    bench: &'a Bench,
    repository: &'a Repository,
    content: Content<'a>,
    ids: BTreeMap<String, String>,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(bench: &'a Bench, repository: &'a Repository) -> Self {
        let content = Content::new(repository).unwrap();
        Self { bench, repository, content, ids: BTreeMap::new() }
    }

    pub(crate) fn tree(&mut self, version: &VersionId) -> Tree {
        let manifest = self.repository.manifest_of(version).unwrap();
        let nodes = self.repository.nodes();
        let entries: Vec<Entry> =
            manifest::list(&nodes, &manifest, b"").unwrap().map(Result::unwrap).collect();
        let mut tree = Tree::new();
        for Entry { path, file } in entries {
            let mode = match file.mode {
                Mode::File => "100644",
                Mode::Executable => "100755",
                Mode::Symlink => "120000",
            };
            let known = self.ids.get(&file.file.to_hex()).cloned();
            let id = known.unwrap_or_else(|| {
                let bytes = self.content.whole(&file).unwrap();
                assert_eq!(bytes.len() as u64, file.size);
                let mut command = self.bench.command();
                let printed = self.bench.run(command.args(["hash-object", "--stdin"]), &bytes);
                let id = String::from_utf8(printed).unwrap().trim().to_owned();
                self.ids.insert(file.file.to_hex(), id.clone());
                id
            });
            tree.insert(path.as_bytes().to_vec(), (mode, id));
        }
        tree
    }
}

/// Every commit that a branch or tag reaches: the versions they have become, after comparing each
/// with `git`: files, modes, author, time, message, parents. `spared` names paths that are left out.
pub(crate) fn compare(bench: &Bench, spared: &[&[u8]]) -> BTreeMap<String, VersionId> {
    let repository = bench.open();
    let imported = repository.catalogue.imported("git").unwrap();
    let format = "--format=%H%x00%P%x00%an%x00%ae%x00%at";
    let log = bench.git(["log", "--branches", "--tags", "--topo-order", "--reverse", format]);
    let mut stored = Stored::new(bench, &repository);
    let mut versions = BTreeMap::new();
    for line in log.lines() {
        let fields: Vec<&str> = line.split('\0').collect();
        let commit = fields[0];
        let id = *imported.get(commit).unwrap_or_else(|| panic!("{commit} is missing"));
        let mut expected = tree_of_git(bench, commit);
        expected.retain(|path, _| !spared.contains(&path.as_slice()));
        let tree = stored.tree(&id);
        assert!(tree == expected, "{commit}: {:?} {:?}", tree.keys(), expected.keys());
        let row = repository.version(&id).unwrap();
        assert_eq!(row.files, expected.len() as u64);
        let parents: Vec<_> = fields[1].split(' ').filter(|word| !word.is_empty()).collect();
        let parents: Vec<_> = parents.iter().map(|parent| versions[*parent]).collect();
        assert_eq!(row.parents, parents, "{commit}");
        if !fields[2].is_empty() && !fields[2].contains('\u{fffd}') {
            assert_eq!(
                (row.author.name.as_str(), row.author.email.as_str()),
                (fields[2], fields[3])
            );
            assert_eq!(row.time.unix().to_string(), fields[4]);
        }
        let message = bench.git(["log", "-1", "--format=%B", commit]);
        assert_eq!(row.message, message.trim_end(), "{commit}");
        versions.insert(commit.to_owned(), id);
    }
    for kind in [RefKind::Branch, RefKind::Tag] {
        let place = if kind == RefKind::Branch { "refs/heads" } else { "refs/tags" };
        let listed = bench.git(["for-each-ref", "--format=%(refname:lstrip=2)", place]);
        for name in listed.lines().filter(|line| !line.is_empty()) {
            let commit = bench.git(["rev-parse", &format!("{place}/{name}^{{commit}}")]);
            let row = repository
                .catalogue
                .get_ref(repository.dataset(), kind, &name.parse().unwrap())
                .unwrap();
            assert_eq!(row.map(|row| row.version), Some(versions[&commit]), "{name}");
        }
    }
    versions
}
