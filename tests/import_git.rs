//! `stem import git` against the program `git` itself: every version has exactly the files of its
//! commit, however the history came in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stemmata::format::manifest;
use stemmata::model::{Entry, Mode, RefKind, VersionId};
use stemmata::repo::{Content, Environment, Repository};

/// A directory with a Git repository `git` and a worktree `data`.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self::empty();
        bench.init_git();
        bench
    }

    /// Without the Git repository.
    fn empty() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(bench.data()).unwrap();
        assert_eq!(bench.stem(["init", "."]).status.code(), Some(0));
        bench
    }

    fn init_git(&self) {
        std::fs::create_dir(self.git_path()).unwrap();
        self.git(["init", "-q", "-b", "main", "."]);
    }

    fn git_path(&self) -> PathBuf {
        self.directory.path().join("git")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.git_path()).env_clear().env("HOME", self.directory.path());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada")
                .env(format!("GIT_{who}_EMAIL"), "a@x.org");
            command.env(format!("GIT_{who}_DATE"), "1700000000 +0130");
        }
        command
    }

    fn run(&self, command: &mut Command, input: &[u8]) -> Vec<u8> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || pipe.write_all(input).ok());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{command:?}");
        output.stdout
    }

    /// What `git` prints.
    fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let printed = self.run(self.command().args(arguments), b"");
        String::from_utf8_lossy(&printed).trim_end().to_owned()
    }

    fn write(&self, path: &str, content: &[u8]) {
        put(&self.git_path().join(path), content);
    }

    /// Writes everything into a commit, at a minute of its own.
    fn commit(&self, minute: usize, message: &str) -> String {
        self.git(["add", "-A"]);
        let mut command = self.command();
        command.env("GIT_AUTHOR_DATE", format!("{} +0130", 1_700_000_000 + minute * 60));
        command.args(["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message]);
        self.run(&mut command, b"");
        self.git(["rev-parse", "HEAD"])
    }

    fn stem<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.current_dir(self.data()).env("HOME", self.directory.path());
        command.env("STEM_AUTHOR", "Ann Example <ann@example.org>");
        command.env("SOURCE_DATE_EPOCH", "1800000000").args(arguments);
        command.output().unwrap()
    }

    /// Imports, and gives the exit code and the answer.
    fn import(&self, more: &[&str]) -> (i32, Value) {
        let git = self.git_path();
        let words = ["--json", "import", "git", git.to_str().unwrap()];
        let output = self.stem(words.iter().chain(more));
        let code = output.status.code().unwrap();
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let mut answer: Value = serde_json::from_slice(text)
            .unwrap_or_else(|_| panic!("{code} {}", String::from_utf8_lossy(&output.stderr)));
        if answer.get("error").is_some() {
            return (code, answer["error"].take());
        }
        assert_eq!(answer["schema"], "stem.import/1");
        (code, answer["data"].take())
    }

    fn open(&self) -> Repository {
        Repository::open(&self.data(), Environment::default()).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "a file for the test")]
fn put(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Path, mode as Git writes it, and the id of the content that Git gives it.
type Tree = BTreeMap<Vec<u8>, (&'static str, String)>;

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
struct Stored<'a> {
    bench: &'a Bench,
    repository: &'a Repository,
    content: Content<'a>,
    ids: BTreeMap<String, String>,
}

impl<'a> Stored<'a> {
    fn new(bench: &'a Bench, repository: &'a Repository) -> Self {
        let content = Content::new(repository).unwrap();
        Self { bench, repository, content, ids: BTreeMap::new() }
    }

    fn tree(&mut self, version: &VersionId) -> Tree {
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
fn compare(bench: &Bench, spared: &[&[u8]]) -> BTreeMap<String, VersionId> {
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

/// Some 60 commits: merges of two and three, a second root, renames, modes, links, files that
/// become directories, odd names, empty commits, tags.
fn history(bench: &Bench) {
    bench.write("read me.txt", b"first\n");
    bench.write("deep/er/file", b"x");
    bench.write(".gitattributes", b"*.bin filter=lfs\n");
    bench.write("large.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    bench.commit(0, "first");
    bench.git(["tag", "v0"]);
    let lines = |number: usize| -> Vec<u8> {
        (0..4000)
            .flat_map(|line| format!("{} {number}\n", line * (1 + number / 20)).into_bytes())
            .collect()
    };
    for number in 1..=20 {
        bench.write(&format!("many/{:02}/{number}.txt", number % 7), &lines(number));
        bench.write("changing.txt", &lines(number));
        bench.commit(number, &format!("number {number}\n\nwith a body\n"));
    }
    bench.git(["switch", "-q", "-c", "side"]);
    for number in 21..=35 {
        bench.write(&format!("side/{number}"), format!("{number}").as_bytes());
        bench.commit(number, "on the side");
    }
    bench.git(["switch", "-q", "-c", "third", "side~5"]);
    bench.write("third", b"3");
    bench.commit(36, "third");
    bench.git(["switch", "-q", "main"]);
    odd_names(bench);
    bench.git(["merge", "-q", "--no-ff", "-m", "merge of two", "side~3"]);
    bench.git(["merge", "-q", "--no-ff", "-m", "merge of three", "side", "third"]);
    bench.git(["switch", "-q", "--orphan", "other/root"]);
    bench.write("alone", b"");
    bench.commit(50, "a second root");
    bench.git(["switch", "-q", "main"]);
    let root =
        ["merge", "-q", "--allow-unrelated-histories", "-m", "merge of a root", "other/root"];
    bench.git(root);
    bench.git(["tag", "-a", "-m", "the first release\n\nwith words", "v1", "side"]);
    for number in 51..=60 {
        bench.write("changing.txt", &lines(number));
        bench.commit(number, "");
    }
}

fn odd_names(bench: &Bench) {
    let root = bench.git_path();
    bench.write("-rf", b"a name like an option");
    bench.write("with\nnew line", b"1");
    bench.write("ünï/\u{1f680}", b"2");
    put(&root.join(OsStr::from_bytes(b"not \xff utf-8")), b"3");
    std::os::unix::fs::symlink("../many", root.join("deep/link")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    bench.commit(37, "odd names and links");
    bench.git(["update-index", "--chmod=+x", "changing.txt"]);
    bench.git(["commit", "-q", "-m", "a mode"]);
    bench.git(["checkout", "-q", "."]);
    bench.git(["mv", "deep/er/file", "deep/moved"]);
    bench.commit(38, "a file moved");
    bench.git(["rm", "-q", "dangling"]);
    bench.write("dangling/now/a directory", b"");
    bench.commit(39, "a link became a directory");
    bench.git(["rm", "-q", "-r", "dangling"]);
    bench.write("dangling", b"and a file again");
    bench.commit(40, "and a file");
    bench.commit(41, "nothing at all");
    bench.git(["rm", "-q", "-r", "ünï"]);
    bench.commit(42, "a directory less");
}

#[test]
fn every_version_has_the_files_of_its_commit() {
    let bench = Bench::new();
    history(&bench);
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 0, "{answer}");
    let versions = compare(&bench, &[]);
    assert!(versions.len() > 55);
    assert_eq!(answer["commits"], versions.len());
    assert_eq!((&answer["already"], &answer["cut"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(answer["branches"].as_array().unwrap().len(), 4);
    assert_eq!(answer["tags"].as_array().unwrap().len(), 2);
    assert_eq!(answer["left_out"], Value::Array(Vec::new()));
    // The worktree is on its branch, with its files.
    let head = bench.git(["rev-parse", "main"]);
    assert_eq!(answer["branch"], "main");
    assert_eq!(answer["head"], versions[&head].to_hex());
    let status = bench.stem(["status", "--porcelain", "--exit-code"]);
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    assert!(bench.data().join("changing.txt").is_file());
    assert_eq!(std::fs::read_link(bench.data().join("deep/link")).unwrap(), Path::new("../many"));
}

#[test]
fn a_version_says_where_it_comes_from() {
    let bench = Bench::new();
    bench.git(["remote", "add", "origin", "https://ann:secret@example.org/data.git"]);
    bench.write("a", b"1");
    bench.git(["add", "-A"]);
    let mut command = bench.command();
    command.env("GIT_COMMITTER_NAME", "Bob").env("GIT_COMMITTER_DATE", "1700000060 +0000");
    bench.run(command.args(["commit", "-q", "-m", "one"]), b"");
    bench.git(["tag", "-a", "-m", "said", "v1"]);
    let (_, answer) = bench.import(&[]);
    assert_eq!(answer["source"], "git:https://example.org/data.git");
    let commit = bench.git(["rev-parse", "HEAD"]);
    let repository = bench.open();
    let id = repository.catalogue.imported("git").unwrap()[&commit];
    let key = stemmata::format::frame::Key::version(&id);
    let bytes = repository.get(&key).unwrap();
    let version: Value = serde_json::from_slice(&bytes).unwrap();
    let expected = serde_json::json!([{
        "uri": "git:https://example.org/data.git",
        "revision": commit,
        "committer": "Bob <a@x.org>",
        "committed": "2023-11-14T22:14:20Z",
    }]);
    assert_eq!(version["provenance"]["sources"], expected);
    assert_eq!(version["time"], "2023-11-14T22:13:20Z");
    assert_eq!(version["utc_offset_minutes"], 90);
    let tag = "v1".parse().unwrap();
    let row = repository.catalogue.get_ref(repository.dataset(), RefKind::Tag, &tag).unwrap();
    let note = row.unwrap().annotation.unwrap();
    assert_eq!((note.message.as_str(), note.tagger.name.as_str()), ("said", "Ada"));
}

#[test]
fn the_same_import_again_takes_what_is_new_and_moves_the_files() {
    let bench = Bench::new();
    history(&bench);
    bench.import(&[]);
    let before = bench.open().catalogue.journal_head().unwrap().number;
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)));
    assert_eq!(bench.open().catalogue.journal_head().unwrap().number, before, "nothing to record");
    bench.write("changing.txt", b"new");
    bench.git(["rm", "-q", "-r", "many"]);
    bench.commit(70, "later");
    bench.git(["branch", "-f", "side", "main"]);
    bench.git(["branch", "newer", "main~2"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(1)), "{answer}");
    let change = |name: &str| {
        let mut branches = answer["branches"].as_array().unwrap().iter();
        branches.find(|branch| branch["name"] == name).unwrap()["change"].clone()
    };
    assert_eq!(change("main"), "forwarded");
    assert_eq!(change("newer"), "created");
    assert_eq!(change("third"), "unchanged");
    compare(&bench, &[]);
    assert!(!bench.data().join("many").exists());
    assert_eq!(std::fs::read(bench.data().join("changing.txt")).unwrap(), b"new");
    assert_eq!(bench.stem(["status", "--exit-code"]).status.code(), Some(0));
}

#[test]
fn a_repository_that_has_moved_is_still_the_same_history() {
    let bench = Bench::new();
    history(&bench);
    bench.import(&[]);
    bench.git(["remote", "add", "origin", "https://example.org/elsewhere.git"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)), "{answer}");
}

#[test]
fn the_worktree_goes_to_the_branch_that_git_is_on() {
    let bench = Bench::new();
    bench.write("a", b"1");
    bench.commit(1, "one");
    bench.git(["branch", "-m", "main", "master"]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["branch"]), (0, &Value::from("master")));
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"1");
    assert_eq!(bench.stem(["status", "--exit-code"]).status.code(), Some(0));
}

#[test]
fn unsaved_files_are_never_overwritten() {
    let bench = Bench::new();
    bench.write("a", b"theirs");
    bench.write("b", b"theirs");
    bench.commit(1, "one");
    put(&bench.data().join("a"), b"mine");
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 3, "{answer}");
    assert_eq!(answer["left_out"][0]["path"], "refs/heads/main");
    assert_eq!(answer["branches"][0]["change"], "kept");
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"mine");
    assert!(!bench.data().join("b").exists());
    assert_eq!(bench.open().head().unwrap(), None);
    // Out of the way, and the rest of the import is done.
    std::fs::remove_file(bench.data().join("a")).unwrap();
    put(&bench.data().join("mine"), b"beside");
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(0)), "{answer}");
    assert_eq!(std::fs::read(bench.data().join("a")).unwrap(), b"theirs");
    assert_eq!(std::fs::read(bench.data().join("mine")).unwrap(), b"beside");
    // The same when a branch goes on: a change here and one there.
    put(&bench.data().join("b"), b"my change");
    bench.write("b", b"their change");
    bench.commit(2, "two");
    assert_eq!(bench.import(&[]).0, 3);
    assert_eq!(std::fs::read(bench.data().join("b")).unwrap(), b"my change");
}

#[test]
fn a_branch_with_versions_of_its_own_is_not_moved() {
    let bench = Bench::new();
    bench.write("a", b"1");
    bench.commit(1, "one");
    bench.import(&[]);
    put(&bench.data().join("own"), b"own");
    bench.stem(["add", "own"]);
    assert_eq!(bench.stem(["commit", "-m", "own"]).status.code(), Some(0));
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["branches"][0]["change"]), (0, &Value::from("ahead")));
    bench.write("a", b"2");
    bench.commit(2, "two");
    let versions = bench.open().catalogue.all_version_ids().unwrap().len();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (15, &Value::from("diverged")));
    assert!(error["message"].as_str().unwrap().contains("`main`"), "{error}");
    assert_eq!(bench.open().catalogue.all_version_ids().unwrap().len(), versions);
}

#[test]
fn what_a_dataset_cannot_have_is_left_out_and_listed() {
    let bench = Bench::new();
    bench.write("good", b"1");
    bench.write("replaced", b"a file first");
    bench.write(".stem/config", b"not ours");
    bench.commit(1, "one");
    std::fs::remove_file(bench.git_path().join("replaced")).unwrap();
    for (name, target) in [("replaced", "/etc/passwd"), ("out", "../../x")] {
        std::os::unix::fs::symlink(target, bench.git_path().join(name)).unwrap();
    }
    let other = "160000,1111111111111111111111111111111111111111,module";
    bench.git(["update-index", "--add", "--cacheinfo", other]);
    bench.git(["add", "replaced", "out"]);
    bench.git(["commit", "-q", "-m", "two"]);
    let blob = bench.git(["hash-object", "-w", "good"]);
    bench.git(["tag", "on-a-file", &blob]);
    let (code, answer) = bench.import(&[]);
    assert_eq!(code, 3, "{answer}");
    let left: Vec<_> = answer["left_out"].as_array().unwrap().iter().collect();
    let has = |what: &str, path: &str| {
        left.iter().any(|left| left["what"] == what && left["path"] == path)
    };
    assert!(has("name", ".stem/config") && has("submodule", "module"), "{answer}");
    assert!(has("link", "replaced") && has("link", "out"), "{answer}");
    assert!(has("reference", "refs/tags/on-a-file"), "{answer}");
    assert_eq!(left.len(), 5);
    let repository = bench.open();
    let mut stored = Stored::new(&bench, &repository);
    let tree = stored.tree(&repository.head().unwrap().unwrap());
    assert_eq!(tree.keys().collect::<Vec<_>>(), [&b"good".to_vec()]);
    assert_eq!(bench.import(&[]).1["commits"], 0);
}

#[test]
fn commits_that_git_itself_finds_odd_are_versions() {
    let bench = Bench::new();
    bench.write("a", b"1");
    let first = bench.commit(1, "one");
    let tree = bench.git(["rev-parse", "HEAD^{tree}"]);
    let odd = |text: String| {
        let mut command = bench.command();
        command.args(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"]);
        String::from_utf8(bench.run(&mut command, text.as_bytes())).unwrap().trim().to_owned()
    };
    let mut last = first;
    for author in
        ["no brackets at all", "<> 0 +0000", "A <a@x> 99999999999999999999 +9999", "B <b> x y"]
    {
        let person = format!("author {author}\ncommitter C <c@x.org> 1700000000 -0800");
        last = odd(format!("tree {tree}\nparent {last}\n{person}\n\nodd\n"));
    }
    // The same parent twice.
    let person = "author A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000";
    last = odd(format!("tree {tree}\nparent {last}\nparent {last}\n{person}\n\ntwice\n"));
    bench.git(["update-ref", "refs/heads/main", &last]);
    let (code, answer) = bench.import(&[]);
    assert_eq!((code, &answer["commits"]), (0, &Value::from(6)), "{answer}");
    let repository = bench.open();
    let row = repository.version(&repository.head().unwrap().unwrap()).unwrap();
    assert_eq!((row.parents.len(), row.generation), (1, 6));
    let heads = [repository.head().unwrap().unwrap()];
    let history = repository.catalogue.history(&heads).unwrap();
    let names: BTreeMap<u64, String> =
        history.map(|row| row.unwrap()).map(|row| (row.generation, row.author.name)).collect();
    let names: Vec<_> = names.into_values().collect();
    assert_eq!(names, ["Ada", "no brackets at all", "unknown", "A", "B", "A"]);
}

#[test]
fn a_range_and_a_directory_are_imported_beside_the_whole() {
    let bench = Bench::new();
    history(&bench);
    let (code, answer) = bench.import(&["--rev", "main~4..main"]);
    assert_eq!((code, &answer["commits"], &answer["cut"]), (0, &4.into(), &1.into()), "{answer}");
    // What comes later continues it.
    bench.write("changing.txt", b"later");
    bench.commit(80, "later");
    let (_, answer) = bench.import(&["--rev", "main~5..main"]);
    assert_eq!((&answer["commits"], &answer["already"]), (&1.into(), &4.into()), "{answer}");
    // The whole history is another one; here it would not continue what is there.
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (15, &Value::from("diverged")), "{error}");
    // A directory of the repository in another dataset of the same store.
    let store = bench.data().join(".stem/store");
    let part = Bench { directory: tempfile::tempdir_in(bench.directory.path()).unwrap() };
    std::fs::create_dir(part.data()).unwrap();
    let words = ["init", "--dataset", "part", "--store", store.to_str().unwrap(), "."];
    assert_eq!(part.stem(words).status.code(), Some(0));
    let git = bench.git_path();
    let words = ["--json", "import", "git", git.to_str().unwrap(), "--path", "./many/03/"];
    let output = part.stem(words);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let names: Vec<_> =
        std::fs::read_dir(part.data()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.iter().filter(|name| *name != ".stem").count(), 3, "{names:?}");
    assert!(part.data().join("17.txt").is_file());
}

#[test]
fn a_dry_run_changes_nothing() {
    let bench = Bench::new();
    history(&bench);
    let before = bench.open().catalogue.journal_head().unwrap().number;
    let (code, answer) = bench.import(&["--dry-run"]);
    assert_eq!((code, &answer["dry_run"]), (0, &true.into()));
    assert!(answer["commits"].as_u64().unwrap() > 55);
    assert_eq!(bench.open().catalogue.journal_head().unwrap().number, before);
    assert!(!bench.data().join("changing.txt").exists());
}

#[test]
fn what_is_no_whole_git_repository_is_refused() {
    let bench = Bench::empty();
    std::fs::create_dir(bench.git_path()).unwrap();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (10, &Value::from("no_git_repository")));
    bench.git(["init", "-q", "-b", "main", "."]);
    bench.write("a", b"content");
    bench.commit(1, "one");
    let (code, error) = bench.import(&["--rev", "nothing"]);
    assert_eq!((code, &error["code"]), (10, &Value::from("no_revision")));
    let blob = bench.git(["rev-parse", "HEAD:a"]);
    let path = bench.git_path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(path).unwrap();
    let (code, error) = bench.import(&[]);
    assert_eq!((code, &error["code"]), (13, &Value::from("git_damaged")));
    assert_eq!(bench.open().head().unwrap(), None);
}

/// Imports the repository that `STEM_REAL_GIT` names, and compares every version.
#[test]
#[ignore = "needs STEM_REAL_GIT=path of a Git repository"]
fn a_real_repository_is_imported_byte_for_byte() {
    let path = std::env::var_os("STEM_REAL_GIT").expect("STEM_REAL_GIT");
    let bench = Bench::empty();
    std::os::unix::fs::symlink(Path::new(&path).canonicalize().unwrap(), bench.git_path()).unwrap();
    let (_, answer) = bench.import(&[]);
    let unkept: Vec<Vec<u8>> = answer["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|left| left["what"] != "reference")
        .map(|left| left["path"].as_str().unwrap().as_bytes().to_vec())
        .collect();
    let spared: Vec<&[u8]> = unkept.iter().map(Vec::as_slice).collect();
    let versions = compare(&bench, &spared);
    assert_eq!(answer["commits"], versions.len());
}
