//! Histories, compared with what Git says of them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::Sandbox;
use crate::git::{Error, GitId, History, TreeFile};
use crate::model::{Mode, PathProblem};

/// Each file of a tree.
type Listing = BTreeMap<Vec<u8>, TreeFile>;

fn open(repository: &Path) -> History {
    History::open(repository, None, None).unwrap()
}

fn id(text: &str) -> GitId {
    text.parse().unwrap()
}

/// What `git ls-tree -r` says, without submodules.
fn git_listing(sandbox: &Sandbox, repository: &Path, tree: &str) -> Listing {
    let said = sandbox.git(repository, ["ls-tree", "-r", "-z", "--full-tree", tree]);
    let mut listing = Listing::new();
    for line in said.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        let tab = line.iter().position(|&byte| byte == b'\t').unwrap();
        let fields = std::str::from_utf8(&line[..tab]).unwrap();
        let mode = match &fields[..6] {
            "100755" => Mode::Executable,
            "120000" => Mode::Symlink,
            "160000" => continue,
            _ => Mode::File,
        };
        let blob = id(fields.split(' ').nth(2).unwrap());
        listing.insert(line[tab + 1..].to_vec(), TreeFile { mode, blob });
    }
    listing
}

/// Applies every commit's changes to its first parent's files; each result must be Git's listing.
/// Returns how many commits that were.
fn compare_with_git(sandbox: &Sandbox, repository: &Path) -> usize {
    let history = open(repository);
    let mut reader = history.reader();
    let mut listings: HashMap<GitId, Listing> = HashMap::new();
    let mut trees: HashMap<GitId, GitId> = HashMap::new();
    let mut content = Vec::new();
    for &id in history.commits() {
        let commit = reader.commit(id).unwrap();
        compare_fields(sandbox, repository, &commit);
        let first = commit.parents.first();
        let mut listing = first.map(|parent| listings[parent].clone()).unwrap_or_default();
        let old = first.map(|parent| trees[parent]);
        let changes = reader.changes(old, Some(commit.tree)).unwrap();
        assert!(changes.files.is_sorted_by(|a, b| a.path < b.path));
        for change in changes.files {
            let path = change.path.as_bytes().to_vec();
            match change.new {
                None => assert!(listing.remove(&path).is_some()),
                Some(file) => {
                    reader.read_blob(file.blob, &mut content).unwrap();
                    let name = file.blob.to_string();
                    assert_eq!(content, sandbox.git(repository, ["cat-file", "blob", &name]));
                    assert_eq!(reader.blob_size(file.blob).unwrap(), content.len() as u64);
                    assert_ne!(listing.insert(path, file), Some(file));
                }
            }
        }
        assert_eq!(listing, git_listing(sandbox, repository, &id.to_string()), "{id}");
        listings.insert(id, listing);
        trees.insert(id, commit.tree);
    }
    let known = sandbox.text(repository, ["rev-list", "--branches", "--tags", "--count"]);
    assert_eq!(known, history.commits().len().to_string());
    history.commits().len()
}

fn compare_fields(sandbox: &Sandbox, repository: &Path, commit: &crate::git::Commit) {
    let format = "--format=%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x00";
    let name = commit.id.to_string();
    let said = sandbox.git(repository, ["show", "-s", "--encoding=UTF-8", format, &name]);
    let parents: Vec<String> = commit.parents.iter().map(GitId::to_string).collect();
    let mut ours = vec![commit.tree.to_string(), parents.join(" ")];
    for who in [&commit.author, &commit.committer] {
        ours.extend([who.author.name.clone(), who.author.email.clone()]);
        ours.push(who.time.unix().to_string());
    }
    // Git drops the line ends around a message when it shows one.
    ours.push(commit.message.trim_end().to_owned());
    let said = String::from_utf8_lossy(&said).into_owned();
    let said: Vec<&str> = said.split('\0').map(str::trim_end).collect();
    assert_eq!(said[..ours.len()], ours, "{name}");
}

/// A repository with one of everything.
fn rich() -> (Sandbox, PathBuf) {
    let (sandbox, repository) = Sandbox::with_repository("rich");
    let git = |arguments: &[&str]| sandbox.text(&repository, arguments);
    sandbox.write(&repository.join("data/train.jsonl"), b"{\"a\":1}\n");
    sandbox.write(&repository.join("data/big.bin"), &vec![7; 300_000]);
    sandbox.write(&repository.join("x"), b"file, later a directory");
    sandbox.write(&repository.join("x.txt"), b"between x and x/ in byte order");
    std::os::unix::fs::symlink("data/train.jsonl", repository.join("link")).unwrap();
    sandbox.commit(&repository, "first\n\nwith a body");
    git(&["update-index", "--chmod=+x", "data/train.jsonl"]);
    git(&["commit", "-q", "-m", "executable"]);
    git(&["reset", "-q", "--hard"]);
    sandbox.commit(&repository, "empty commit");
    for branch in ["a", "b", "feature/数据"] {
        git(&["checkout", "-q", "-b", branch, "main"]);
        sandbox.write(&repository.join(format!("{branch}.txt")), branch.as_bytes());
        sandbox.commit(&repository, branch);
    }
    git(&["checkout", "-q", "main"]);
    sandbox.write(&repository.join("main.txt"), b"main");
    sandbox.commit(&repository, "main goes on");
    git(&["merge", "-q", "-m", "octopus", "a", "b", "feature/数据"]);
    std::fs::remove_file(repository.join("x")).unwrap();
    sandbox.write(&repository.join("x/inside"), b"now a directory");
    sandbox.commit(&repository, "a file becomes a directory");
    git(&["tag", "light"]);
    git(&["tag", "-a", "-m", "annotated ü", "v1"]);
    git(&["tag", "-a", "-m", "tag of a tag", "nested", "v1"]);
    git(&["tag", "tree-tag", "HEAD^{tree}"]);
    let odd = std::ffi::OsStr::new("odd \n");
    let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe");
    for name in [odd, bytes] {
        sandbox.write(&repository.join("names").join(name), b"odd");
    }
    sandbox.commit(&repository, "odd names");
    git(&["rm", "-q", "-r", "x", "data/big.bin"]);
    sandbox.commit(&repository, "gone");
    (sandbox, repository)
}

#[test]
fn a_history_is_what_git_says_it_is() {
    let (sandbox, repository) = rich();
    assert_eq!(compare_with_git(&sandbox, &repository), 11);
    sandbox.git(&repository, ["gc", "-q"]);
    assert_eq!(compare_with_git(&sandbox, &repository), 11);
}

#[test]
fn branches_and_tags_are_listed_with_what_they_say() {
    let (sandbox, repository) = rich();
    sandbox.git(&repository, ["pack-refs", "--all"]);
    sandbox.git(&repository, ["tag", "unpacked", "a"]);
    let history = open(&repository);
    let at =
        |name: &str| id(&sandbox.text(&repository, ["rev-parse", &format!("{name}^{{commit}}")]));
    let branches: Vec<_> =
        history.branches().iter().map(|branch| (branch.name.as_str(), branch.commit)).collect();
    let expected = ["a", "b", "feature/数据", "main"].map(|name| (name, at(name)));
    assert_eq!(branches, expected);
    let tags: Vec<_> = history
        .tags()
        .iter()
        .map(|tag| {
            let message = tag.note.as_ref().map(|note| note.message.as_str());
            (tag.name.as_str(), tag.commit, message)
        })
        .collect();
    let expected = [
        ("light", at("light"), None),
        ("nested", at("v1"), Some("tag of a tag\n")),
        ("unpacked", at("a"), None),
        ("v1", at("v1"), Some("annotated ü\n")),
    ];
    assert_eq!(tags, expected);
    let tagger = history.tags()[3].note.clone().unwrap().tagger.unwrap();
    assert_eq!(
        (tagger.author.to_string().as_str(), tagger.utc_offset_minutes),
        ("Ada <a@x.org>", 90)
    );
    let left_out: Vec<_> = history.left_out().iter().map(|left| left.name.as_str()).collect();
    assert_eq!(left_out, ["refs/tags/tree-tag"]);
    assert_eq!(history.head(), Some("main"));
}

#[test]
fn a_range_has_the_commits_that_git_gives_it() {
    let (sandbox, repository) = rich();
    for range in ["main", "a..main", "main ^b", "a...b", "main~1^!", "v1", "HEAD^@", "a b ^main"] {
        let history = History::open(&repository, Some(range), None).unwrap();
        let mut arguments = vec!["rev-list"];
        arguments.extend(range.split(' '));
        let said = sandbox.text(&repository, arguments);
        let mut expected: Vec<GitId> = said.lines().map(id).collect();
        let mut ours = history.commits().to_vec();
        expected.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, expected, "{range}");
    }
    let history = History::open(&repository, Some("a..main"), None).unwrap();
    assert!(history.branches().iter().all(|branch| branch.name != "a"));
    for wrong in ["nope", "^main", "", "tree-tag", "main..nope", "-x"] {
        let error = History::open(&repository, Some(wrong), None).unwrap_err();
        assert!(matches!(error, Error::Revision { .. }), "{wrong}: {error}");
    }
}

#[test]
fn the_order_is_parents_first_and_the_older_before_the_younger() {
    let (sandbox, repository) = rich();
    let history = open(&repository);
    let mut reader = history.reader();
    let place: HashMap<GitId, usize> =
        history.commits().iter().enumerate().map(|(place, id)| (*id, place)).collect();
    for id in history.commits() {
        for parent in reader.commit(*id).unwrap().parents {
            assert!(place[&parent] < place[id]);
        }
    }
    // The same commits from other tips come in the same order.
    sandbox.git(&repository, ["branch", "-D", "-q", "b"]);
    sandbox.git(
        &repository,
        ["branch", "zzz", "b^{}"].map(|a| if a == "b^{}" { "main~3" } else { a }),
    );
    let other = open(&repository);
    assert_eq!(other.commits(), history.commits());
}

#[test]
fn a_directory_is_a_history_of_its_own() {
    let (sandbox, repository) = rich();
    for directory in ["data", "data/", "names", "no/such", "x"] {
        let history = History::open(&repository, Some("main"), Some(directory.as_bytes())).unwrap();
        let mut reader = history.reader();
        let mut listing = Listing::new();
        let mut tree = None;
        for &id in history.commits() {
            let commit = reader.commit(id).unwrap();
            for change in reader.changes(tree, Some(commit.tree)).unwrap().files {
                let path = change.path.as_bytes().to_vec();
                match change.new {
                    Some(file) => listing.insert(path, file),
                    None => listing.remove(&path),
                };
            }
            tree = Some(commit.tree);
            let all = git_listing(&sandbox, &repository, &id.to_string());
            let prefix = format!("{}/", directory.trim_end_matches('/')).into_bytes();
            let expected: Listing = all
                .into_iter()
                .filter_map(|(path, file)| Some((path.strip_prefix(&prefix[..])?.to_vec(), file)))
                .collect();
            assert_eq!(listing, expected, "{directory} {id}");
        }
    }
}

#[test]
fn submodules_are_told_apart_from_files() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.write(&repository.join("was-file"), b"x");
    let first = sandbox.commit(&repository, "a file");
    let info = format!("160000,{first},");
    for path in ["sub", "was-file"] {
        let info = info.clone() + path;
        sandbox.git(&repository, ["update-index", "--add", "--cacheinfo", &info]);
    }
    sandbox.git(&repository, ["commit", "-q", "-m", "submodules"]);
    let history = open(&repository);
    let mut reader = history.reader();
    let trees: Vec<GitId> =
        history.commits().iter().map(|id| reader.commit(*id).unwrap().tree).collect();
    let changes = reader.changes(Some(trees[0]), Some(trees[1])).unwrap();
    let submodules: Vec<_> =
        changes.submodules.iter().map(|(path, commit)| (path.show(), commit.to_string())).collect();
    assert_eq!(submodules, [("sub".to_owned(), first.clone()), ("was-file".to_owned(), first)]);
    let files: Vec<_> = changes.files.iter().map(|c| (c.path.show(), c.new)).collect();
    assert_eq!(files, [("was-file".to_owned(), None)]);
    let back = reader.changes(Some(trees[1]), Some(trees[0])).unwrap();
    assert!(back.submodules.is_empty());
    assert_eq!(back.files.len(), 1);
}

#[test]
fn a_message_is_read_in_the_encoding_it_says() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.git(&repository, ["config", "i18n.commitEncoding", "ISO-8859-1"]);
    let mut command = sandbox.command(&repository);
    command.args(["commit", "-q", "--allow-empty", "-F", "-"]);
    sandbox.run(&mut command, b"caf\xe9\n");
    sandbox.git(&repository, ["config", "i18n.commitEncoding", "Shift_JIS"]);
    let mut command = sandbox.command(&repository);
    command.args(["commit", "-q", "--allow-empty", "-F", "-"]);
    sandbox.run(&mut command, b"\x93\xfa\x96\x7b\n");
    let history = open(&repository);
    let mut reader = history.reader();
    let message = |id: &GitId| reader.commit(*id).unwrap().message;
    let messages: Vec<String> = history.commits().iter().map(message).collect();
    assert_eq!(messages, ["café\n", "日本\n"]);
}

#[test]
fn a_person_without_name_or_date_does_not_stop_a_history() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    let tree = sandbox.text(&repository, ["mktree"]);
    let bad =
        format!("tree {tree}\nauthor  <> 99999999999999999 +0000\ncommitter X <x@y> 12 +0000\n\nm");
    let mut command = sandbox.command(&repository);
    command.args(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"]);
    let commit = String::from_utf8(sandbox.run(&mut command, bad.as_bytes())).unwrap();
    sandbox.git(&repository, ["update-ref", "refs/heads/main", commit.trim()]);
    let history = open(&repository);
    let author = history.reader().commit(history.commits()[0]).unwrap().author;
    assert_eq!(author.author.to_string(), "unknown <>");
    assert_eq!(author.time.unix(), 0);
}

/// Mode, name and object of an entry of a tree.
type RawEntry<'a> = (&'a str, &'a [u8], &'a str);

/// Writes a tree object whose entries are these, as they are.
fn raw_tree(sandbox: &Sandbox, repository: &Path, entries: &[RawEntry<'_>]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, object) in entries {
        bytes.extend_from_slice(format!("{mode} ").as_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        let digits = object.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        bytes.extend(digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
    }
    let mut command = sandbox.command(repository);
    command.args(["hash-object", "-t", "tree", "-w", "--stdin", "--literally"]);
    String::from_utf8(sandbox.run(&mut command, &bytes)).unwrap().trim().into()
}

#[test]
fn a_tree_that_no_git_would_write_is_damage_and_names_that_do_harm_are_named() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.write(&repository.join("f"), b"x");
    sandbox.commit(&repository, "c");
    let blob = sandbox.text(&repository, ["rev-parse", "HEAD:f"]);
    let tree = sandbox.text(&repository, ["rev-parse", "HEAD^{tree}"]);
    let reader = open(&repository).reader();
    let changes = |entries: &[RawEntry<'_>]| {
        reader.changes(None, Some(id(&raw_tree(&sandbox, &repository, entries))))
    };
    let file = |name: &'static [u8]| -> RawEntry<'_> { ("100644", name, &blob) };
    let damaged: [&[RawEntry<'_>]; 5] = [
        &[file(b"b"), file(b"a")],
        &[file(b"a"), file(b"a")],
        &[file(b"a/b")],
        &[file(b"")],
        &[file(b"d"), file(b"d.x"), ("40000", b"d", &tree)],
    ];
    for entries in damaged {
        let error = changes(entries).expect_err("damage");
        assert!(matches!(error, Error::Damaged { kind: "tree", .. }), "{error}");
    }
    for (name, problem) in
        [(&b".."[..], PathProblem::DotComponent), (b".stem", PathProblem::Reserved)]
    {
        let changes = changes(&[file(name)]).unwrap();
        assert_eq!(changes.unusable[0].problem, problem);
        assert!(changes.files.is_empty());
    }
    let old_mode = changes(&[("100664", b"f", &blob)]).unwrap();
    assert_eq!(old_mode.files[0].new.unwrap().mode, Mode::File);
    let mut deep = tree;
    for _ in 0..200 {
        deep = raw_tree(&sandbox, &repository, &[("40000", b"d", &deep)]);
    }
    let changes = reader.changes(None, Some(id(&deep))).unwrap();
    assert_eq!(changes.unusable[0].problem, PathProblem::TooDeep);
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.write(&repository.join("f"), b"some content");
    sandbox.commit(&repository, "c");
    let blob = sandbox.text(&repository, ["rev-parse", "HEAD:f"]);
    let object = |id: &str| repository.join(".git/objects").join(&id[..2]).join(&id[2..]);
    let mut content = vec![1];
    // Another object's file under this one's name.
    let tree = sandbox.text(&repository, ["hash-object", "-w", ".git/HEAD"]);
    std::fs::remove_file(object(&blob)).unwrap();
    std::fs::copy(object(&tree), object(&blob)).unwrap();
    let error = open(&repository).reader().read_blob(id(&blob), &mut content).unwrap_err();
    assert!(matches!(error, Error::Damaged { kind: "blob", .. }), "{error}");
    assert!(content.is_empty());
    std::fs::remove_file(object(&blob)).unwrap();
    let error = open(&repository).reader().read_blob(id(&blob), &mut content).unwrap_err();
    assert!(matches!(error, Error::Missing { kind: "blob", .. }), "{error}");
    let commit = sandbox.text(&repository, ["rev-parse", "HEAD"]);
    std::fs::remove_file(object(&commit)).unwrap();
    let error = History::open(&repository, None, None).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

#[test]
fn a_shallow_clone_is_refused_where_its_history_ends() {
    let (sandbox, repository) = rich();
    let url = format!("file://{}", repository.display());
    sandbox.git(sandbox.path(), ["clone", "-q", "--depth", "2", &url, "shallow"]);
    let shallow = sandbox.path().join("shallow");
    let error = History::open(&shallow, None, None).unwrap_err();
    assert!(matches!(error, Error::Shallow { .. }), "{error}");
    let history = History::open(&shallow, Some("HEAD~1..HEAD"), None).unwrap();
    assert_eq!(history.commits().len(), 1);
}

#[test]
fn what_is_no_repository_is_refused_and_an_empty_one_has_no_commits() {
    let sandbox = Sandbox::new();
    let error = History::open(sandbox.path(), None, None).unwrap_err();
    assert!(matches!(error, Error::Open { .. }));
    let (_sandbox, repository) = Sandbox::with_repository("empty");
    let history = open(&repository);
    assert!(history.commits().is_empty());
    assert_eq!(history.head(), Some("main"));
}

#[test]
fn bare_repositories_worktrees_alternates_and_sha_256_are_repositories_too() {
    let (sandbox, repository) = rich();
    let expected = open(&repository).commits().to_vec();
    let path = repository.to_str().unwrap();
    sandbox.git(sandbox.path(), ["clone", "-q", "--mirror", path, "bare"]);
    sandbox.git(sandbox.path(), ["clone", "-q", "--bare", "--shared", path, "shared"]);
    sandbox.git(&repository, ["worktree", "add", "-q", "../linked", "a"]);
    for name in ["bare", "shared", "linked"] {
        assert_eq!(open(&sandbox.path().join(name)).commits(), expected, "{name}");
    }
    assert_eq!(open(&sandbox.path().join("linked")).head(), Some("a"));
    sandbox.git(sandbox.path(), ["init", "-q", "-b", "main", "--object-format=sha256", "new"]);
    let new = sandbox.path().join("new");
    sandbox.write(&new.join("d/f"), b"x");
    sandbox.commit(&new, "sha-256");
    assert_eq!(compare_with_git(&sandbox, &new), 1);
}

#[test]
fn replaced_objects_do_not_change_what_an_id_means() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    sandbox.write(&repository.join("f"), b"original");
    sandbox.commit(&repository, "c");
    let blob = sandbox.text(&repository, ["rev-parse", "HEAD:f"]);
    sandbox.write(&repository.join("g"), b"replacement");
    let other = sandbox.text(&repository, ["hash-object", "-w", "g"]);
    sandbox.git(&repository, ["replace", &blob, &other]);
    let mut content = Vec::new();
    open(&repository).reader().read_blob(id(&blob), &mut content).unwrap();
    assert_eq!(content, b"original");
}

/// Writes `commits` commits with merges in one go, each changing three of 1,000 files.
fn generate(sandbox: &Sandbox, repository: &Path, commits: u32) {
    use std::fmt::Write;
    let mut stream = String::new();
    for number in 1..=commits {
        let (text, time) = (format!("commit {number}\n"), 1_700_000_000 + number);
        write!(stream, "commit refs/heads/main\nmark :{number}\n").unwrap();
        writeln!(stream, "committer A <a@x> {time} +0000\ndata {}\n{text}", text.len()).unwrap();
        if number > 1 {
            writeln!(stream, "from :{}", number - 1).unwrap();
        }
        if number % 10 == 0 {
            writeln!(stream, "merge :{}", number - 7).unwrap();
        }
        for step in 0..3 {
            let file = (number * 7919 + step * 104_729) % 1000;
            let content = format!("{number} {step}\n").repeat(20);
            let path = format!("d{}/s{}/{file}", file % 10, file % 7);
            writeln!(stream, "M 644 inline {path}\ndata {}\n{content}", content.len()).unwrap();
        }
    }
    let mut command = sandbox.command(repository);
    sandbox.run(command.args(["fast-import", "--quiet"]), stream.as_bytes());
}

#[test]
fn a_packed_history_is_read_by_several_threads() {
    let (sandbox, repository) = Sandbox::with_repository("r");
    generate(&sandbox, &repository, 60);
    assert_eq!(compare_with_git(&sandbox, &repository), 60);
    let history = open(&repository);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut reader = history.reader();
                for id in history.commits() {
                    reader.commit(*id).unwrap();
                }
            });
        }
    });
}
