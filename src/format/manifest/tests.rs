use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::edit::edit_shape;
use super::read::check_shape;
use super::shape::Shape;
use super::*;
use crate::format::bytes::put_varint;
use crate::model::{Entry, FileId, FileRef, Mode, RepoPath};

/// A few hundred entries make a tree of many levels, with nodes that end because they are full.
const FINE: Shape = Shape { leaf_bits: 2, inner_bits: 1, max_items: 8 };

type Files = BTreeMap<RepoPath, FileRef>;
type Edit = (RepoPath, Option<FileRef>);

/// Nodes in memory; counts what is read.
#[derive(Default)]
struct Memory {
    nodes: RefCell<HashMap<ManifestId, Arc<Node>>>,
    reads: Cell<usize>,
    written: Cell<usize>,
}

impl Memory {
    fn keep(&self, id: ManifestId, bytes: Vec<u8>) -> Result<(), Error> {
        assert_eq!(id, ManifestId::of(&bytes));
        self.written.set(self.written.get() + bytes.len());
        self.nodes.borrow_mut().insert(id, Arc::new(Node::decode(bytes)?));
        Ok(())
    }

    fn build(&self, shape: Shape, files: &Files) -> ManifestId {
        let mut builder = Builder::with_shape(shape, |id, bytes| self.keep(id, bytes));
        for (path, file) in files {
            builder.push(path, file).unwrap();
        }
        builder.finish().unwrap()
    }

    fn edit(&self, shape: Shape, root: &ManifestId, edits: &[Edit]) -> Result<ManifestId, Error> {
        edit_shape(self, root, edits, |id, bytes| self.keep(id, bytes), shape)
    }

    fn reset(&self) {
        self.reads.set(0);
        self.written.set(0);
    }
}

impl NodeSource for Memory {
    type Error = Error;

    fn node(&self, id: &ManifestId) -> Result<Arc<Node>, Error> {
        self.reads.set(self.reads.get() + 1);
        let problem = "it is not there";
        self.nodes.borrow().get(id).cloned().ok_or(Error::Misplaced { id: *id, problem })
    }
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn file(number: u64) -> FileRef {
    let mode = [Mode::File, Mode::Executable, Mode::Symlink][number as usize % 3];
    FileRef { mode, size: number * number, file: FileId::of(&number.to_le_bytes()) }
}

fn list_all(nodes: &Memory, root: &ManifestId, prefix: &[u8]) -> Vec<Entry> {
    list(nodes, root, prefix).unwrap().map(Result::unwrap).collect()
}

fn apply(files: &mut Files, edits: &[Edit]) {
    for (path, file) in edits {
        match file {
            Some(file) => files.insert(path.clone(), *file),
            None => files.remove(path),
        };
    }
}

/// Whether a path of `files` lies below another.
fn clashes(files: &Files) -> bool {
    files.keys().any(|path| {
        let bytes = path.as_bytes();
        memchr::memchr_iter(b'/', bytes).any(|slash| files.contains_key(&bytes[..slash]))
    })
}

/// Paths that are close to each other and to the ends of directories, and never clash: files have
/// a name that no directory has.
fn any_path() -> impl Strategy<Value = RepoPath> {
    let directory = prop::sample::select(vec!["a", "a-", "a.b", "b", "aa", "c0"]);
    let name = prop_oneof![
        prop::sample::select(vec!["x", "x-", "x.y", "xx", "\u{e9}x"]).prop_map(String::from),
        (0..60u32).prop_map(|number| format!("x{number}")),
    ];
    (prop::collection::vec(directory, 0..3), name).prop_map(|(mut parts, name)| {
        parts.push(&name);
        path(&parts.join("/"))
    })
}

fn any_files(most: usize) -> impl Strategy<Value = Files> {
    prop::collection::btree_map(any_path(), (0..50u64).prop_map(file), 0..most)
}

fn any_edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let file = prop::option::weighted(0.5, (0..50u64).prop_map(file));
    prop::collection::btree_map(any_path(), file, 0..most)
        .prop_map(|edits| edits.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever way leads to a set of entries, its root is the same.
    #[test]
    fn equal_entries_have_equal_roots(
        mut files in any_files(300),
        rounds in prop::collection::vec(any_edits(40), 1..5),
    ) {
        let nodes = Memory::default();
        let mut root = nodes.build(FINE, &files);
        for edits in rounds {
            apply(&mut files, &edits);
            root = nodes.edit(FINE, &root, &edits).unwrap();
            prop_assert_eq!(root, Memory::default().build(FINE, &files));
        }
        let totals = check_shape(&nodes, &root, FINE).unwrap();
        prop_assert_eq!(totals.files, files.len() as u64);
        prop_assert_eq!(totals.bytes, files.values().map(|file| file.size).sum::<u64>());
    }

    /// Taking out nearly everything, up to everything, makes the tree low again.
    #[test]
    fn a_manifest_shrinks_to_what_is_left(files in any_files(300), from in 0..300usize, keep in 0..4usize) {
        let nodes = Memory::default();
        let root = nodes.build(FINE, &files);
        let kept: Files =
            files.iter().skip(from).take(keep).map(|(path, file)| (path.clone(), *file)).collect();
        let edits: Vec<Edit> =
            files.keys().filter(|path| !kept.contains_key(*path)).map(|path| (path.clone(), None)).collect();
        let edited = nodes.edit(FINE, &root, &edits).unwrap();
        prop_assert_eq!(edited, Memory::default().build(FINE, &kept));
    }

    /// What a node lists, alone, has the root that it would have had without the rest.
    #[test]
    fn a_manifest_shrinks_to_any_of_its_nodes(files in any_files(200)) {
        let nodes = Memory::default();
        let root = nodes.build(FINE, &files);
        let mut all = Vec::new();
        walk(&nodes, &root, |id, _| {
            all.push(*id);
            true
        }).unwrap();
        for id in all {
            let kept: Files =
                list_all(&nodes, &id, b"").into_iter().map(|entry| (entry.path, entry.file)).collect();
            let edits: Vec<Edit> = files
                .keys()
                .filter(|path| !kept.contains_key(*path))
                .map(|path| (path.clone(), None))
                .collect();
            let edited = nodes.edit(FINE, &root, &edits).unwrap();
            prop_assert_eq!(edited, Memory::default().build(FINE, &kept));
        }
    }

    #[test]
    fn every_entry_is_found_and_nothing_else(files in any_files(300), others in any_files(50)) {
        let nodes = Memory::default();
        let root = nodes.build(FINE, &files);
        let mut finder = Finder::new(&nodes, root).unwrap();
        let mut backwards = Finder::new(&nodes, root).unwrap();
        for wanted in files.keys().chain(others.keys()) {
            let expected = files.get(wanted).copied();
            prop_assert_eq!(get(&nodes, &root, wanted.as_bytes()).unwrap(), expected);
            prop_assert_eq!(finder.find(wanted.as_bytes()).unwrap(), expected);
            let next = files.range(wanted.clone()..).next();
            let found = finder.seek(wanted.as_bytes()).unwrap();
            prop_assert_eq!(found.map(|entry| entry.path), next.map(|(path, _)| path.as_bytes()));
        }
        for wanted in files.keys().rev() {
            prop_assert_eq!(backwards.find(wanted.as_bytes()).unwrap(), files.get(wanted).copied());
        }
    }

    #[test]
    fn a_directory_is_listed_and_added_up(files in any_files(300), other in any_path()) {
        let nodes = Memory::default();
        let root = nodes.build(FINE, &files);
        let mut prefixes: BTreeSet<Vec<u8>> = files
            .keys()
            .flat_map(|path| [path.directory().to_vec(), path.as_bytes().to_vec()])
            .collect();
        prefixes.extend([vec![], other.as_bytes().to_vec(), b"a".to_vec(), b"zz".to_vec()]);
        for prefix in prefixes {
            let expected: Vec<Entry> = files
                .iter()
                .filter(|(path, _)| path.is_at_or_below(&prefix))
                .map(|(path, file)| Entry { path: path.clone(), file: *file })
                .collect();
            let totals = summary_below(&nodes, &root, &prefix).unwrap();
            prop_assert_eq!(totals.files, expected.len() as u64);
            prop_assert_eq!(totals.bytes, expected.iter().map(|entry| entry.file.size).sum::<u64>());
            prop_assert_eq!(list_all(&nodes, &root, &prefix), expected);
        }
    }

    #[test]
    fn the_difference_is_exactly_what_differs(
        old in any_files(300), edits in any_edits(40), strangers in prop::option::of(any_files(300)),
    ) {
        let mut new = strangers.unwrap_or_else(|| old.clone());
        apply(&mut new, &edits);
        let nodes = Memory::default();
        let (a, b) = (nodes.build(FINE, &old), nodes.build(FINE, &new));
        let expected: Vec<Change> = old
            .keys()
            .chain(new.keys())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|path| Change {
                path: path.clone(),
                old: old.get(path).copied(),
                new: new.get(path).copied(),
            })
            .filter(|change| change.old != change.new)
            .collect();
        let found: Vec<Change> = diff(&nodes, &a, &b).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(found, expected);
    }

    /// No path becomes both a file and a directory, and no lawful edit is refused.
    #[test]
    fn edits_that_clash_are_refused(
        files in prop::collection::btree_map("[ab](/[ab.]x?){0,3}", 0..50u64, 0..12),
        edits in prop::collection::btree_map("[ab](/[ab.]x?){0,3}", prop::option::of(0..50u64), 1..6),
    ) {
        let parse = |text: &String| RepoPath::new(text.as_bytes()).ok();
        let mut lawful = Files::new();
        for (text, number) in &files {
            if let Some(path) = parse(text) {
                lawful.insert(path.clone(), file(*number));
                if clashes(&lawful) {
                    lawful.remove(&path);
                }
            }
        }
        let edits: BTreeMap<RepoPath, Option<FileRef>> =
            edits.iter().filter_map(|(text, number)| Some((parse(text)?, number.map(file)))).collect();
        let edits: Vec<Edit> = edits.into_iter().collect();
        let nodes = Memory::default();
        let root = nodes.build(FINE, &lawful);
        let mut after = lawful;
        apply(&mut after, &edits);
        nodes.reset();
        match nodes.edit(FINE, &root, &edits) {
            Ok(root) => {
                prop_assert!(!clashes(&after));
                prop_assert_eq!(root, Memory::default().build(FINE, &after));
            }
            Err(Error::Clash { file, below }) => {
                prop_assert!(clashes(&after));
                prop_assert!(after.contains_key(&file) && after.contains_key(&below));
                prop_assert!(below != file && below.is_at_or_below(file.as_bytes()));
                prop_assert_eq!(nodes.written.get(), 0);
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }

    /// What is accepted is the only encoding of what it means.
    #[test]
    fn a_node_that_decodes_encodes_to_the_same_bytes(
        files in any_files(12), at: prop::sample::Index, byte: u8, cut in prop::option::of(0..400usize),
    ) {
        let nodes = Memory::default();
        let root = nodes.build(Shape::STANDARD, &files);
        let mut bytes = nodes.node(&root).unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.unwrap_or(usize::MAX));
        if let Ok(node) = Node::decode(bytes.clone()) && node.level() == 0 {
            prop_assert_eq!(encode_by_hand(&node), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(body: Vec<u8>, level in 0..3u8, count in 0..5u8) {
        let _ = Node::decode(body.clone());
        if let Ok(node) = Node::decode([&[0xe5, b'N', 1, level, count][..], &body].concat()) {
            let mut entries = node.entries();
            while entries.next_entry().is_some() {}
            let mut children = node.children();
            while children.next_child().is_some() {}
        }
    }
}

/// A leaf by the words of `docs/format.md`.
fn encode_by_hand(node: &Node) -> Vec<u8> {
    let mut bytes = vec![0xe5, b'N', 1, 0];
    put_varint(&mut bytes, node.count().into());
    let mut before = Vec::new();
    let mut entries = node.entries();
    while let Some(entry) = entries.next_entry() {
        let shared = entry.path.iter().zip(&before).take_while(|(new, old)| new == old).count();
        put_varint(&mut bytes, shared as u64);
        put_varint(&mut bytes, (entry.path.len() - shared) as u64);
        bytes.extend(&entry.path[shared..]);
        bytes.push(match entry.file.mode {
            Mode::File => 0,
            Mode::Executable => 1,
            Mode::Symlink => 2,
        });
        put_varint(&mut bytes, entry.file.size);
        bytes.extend(entry.file.file.as_bytes());
        before = entry.path.to_vec();
    }
    bytes
}

/// Where a level is complete and something arrives from below, two nodes go up at once: the second
/// may begin a node, which then is no place for a whole node of the old tree.
#[test]
fn a_node_is_taken_over_only_where_one_would_begin() {
    let files: Files = [
        "a.b/c0/x-",
        "a.b/x15",
        "a.b/x6",
        "a/a.b/x7",
        "aa/a.b/x.y",
        "aa/aa/x.y",
        "aa/c0/xx",
        "aa/x52",
        "b/a-/x-",
        "b/a-/x.y",
        "x",
    ]
    .map(|name| (path(name), file(0)))
    .into();
    let edits = [(path("aa/a.b/x3"), Some(file(34))), (path("aa/x"), None), (path("aa/xx"), None)];
    let nodes = Memory::default();
    let edited = nodes.edit(FINE, &nodes.build(FINE, &files), &edits).unwrap();
    let mut wanted = files;
    apply(&mut wanted, &edits);
    assert_eq!(edited, nodes.build(FINE, &wanted));
}

#[test]
fn the_empty_manifest_is_an_empty_leaf() {
    let nodes = Memory::default();
    let root = nodes.build(Shape::STANDARD, &Files::new());
    assert_eq!((root, vec![0xe5, b'N', 1, 0, 0]), empty());
    assert_eq!(list_all(&nodes, &root, b""), []);
    assert_eq!(get(&nodes, &root, b"a").unwrap(), None);
    assert_eq!(check(&nodes, &root).unwrap(), Totals::default());
    let with_one = nodes.edit(Shape::STANDARD, &root, &[(path("a"), Some(file(1)))]).unwrap();
    assert_eq!(nodes.edit(Shape::STANDARD, &with_one, &[(path("a"), None)]).unwrap(), root);
}

#[test]
fn entries_out_of_order_twice_or_both_file_and_directory_are_refused() {
    let build = |paths: &[&str]| {
        let entries = paths.iter().map(|text| Entry { path: path(text), file: file(1) });
        super::build(entries, |_, _| Ok::<(), Error>(()))
    };
    assert!(build(&["a", "a-b/c", "a.b", "a0", "b/c", "b/d/e"]).is_ok());
    assert!(matches!(build(&["b", "a"]), Err(Error::Unsorted { .. })));
    assert!(matches!(build(&["a", "a"]), Err(Error::Unsorted { .. })));
    for clash in
        [&["a", "a/b"][..], &["a", "a-b", "a.c", "a/b/c"], &["x/a", "x/a!", "x/a!b", "x/a/b"]]
    {
        assert!(matches!(build(clash), Err(Error::Clash { .. })), "{clash:?}");
    }
    let nodes = Memory::default();
    let (root, bytes) = empty();
    nodes.keep(root, bytes).unwrap();
    let edits = [(path("b"), None), (path("a"), None)];
    assert!(matches!(nodes.edit(FINE, &root, &edits), Err(Error::Unsorted { .. })));
}

fn many(count: u64) -> Files {
    (0..count).map(|n| (path(&format!("train/{:03}/image-{n:07}.png", n / 100)), file(n))).collect()
}

#[test]
fn few_nodes_are_read_and_written_for_few_paths() {
    let mut files = many(20_000);
    let nodes = Memory::default();
    let root = nodes.build(Shape::STANDARD, &files);
    assert_eq!(check(&nodes, &root).unwrap().files, 20_000);
    let edits: Vec<Edit> =
        files.keys().step_by(2001).map(|path| (path.clone(), Some(file(7)))).collect();
    assert_eq!(edits.len(), 10);
    nodes.reset();
    let changed = nodes.edit(Shape::STANDARD, &root, &edits).unwrap();
    assert!(nodes.written.get() < 120_000, "{} bytes written", nodes.written.get());
    apply(&mut files, &edits);
    assert_eq!(changed, Memory::default().build(Shape::STANDARD, &files));

    nodes.reset();
    assert_eq!(diff(&nodes, &root, &changed).unwrap().count(), 10);
    assert!(nodes.reads.get() <= 100, "{} nodes read to compare", nodes.reads.get());
    nodes.reset();
    assert_eq!(list(&nodes, &root, b"train/077").unwrap().count(), 100);
    assert!(nodes.reads.get() <= 16, "{} nodes read to list", nodes.reads.get());
    nodes.reset();
    assert_eq!(summary_below(&nodes, &root, b"train").unwrap().files, 20_000);
    assert!(nodes.reads.get() <= 8, "{} nodes read to add up", nodes.reads.get());
    nodes.reset();
    let mut seen = 0;
    walk(&nodes, &root, |_, node| {
        seen += 1;
        node.level() > 1
    })
    .unwrap();
    assert_eq!(seen, nodes.reads.get());
}

/// An edit of a path list of which each path ends its node, or none does.
#[test]
fn extreme_paths_make_no_extreme_nodes() {
    let flat = Shape { leaf_bits: 64, ..Shape::STANDARD };
    let steep = Shape { leaf_bits: 0, inner_bits: 64, max_items: 512 };
    for (shape, most) in [(flat, 512), (steep, 1)] {
        let mut files = many(2000);
        let nodes = Memory::default();
        let root = nodes.build(shape, &files);
        walk(&nodes, &root, |_, node| {
            assert!(node.level() > 0 || node.count() <= most);
            assert!(node.count() <= 512);
            true
        })
        .unwrap();
        let edits = [(path("train/000/image-0000003"), Some(file(1))), (path("z"), Some(file(2)))];
        apply(&mut files, &edits);
        let edited = nodes.edit(shape, &root, &edits).unwrap();
        assert_eq!(edited, Memory::default().build(shape, &files));
    }
}

/// A node above the leaves that says whatever is given.
fn parent(level: u8, children: &[(&str, ManifestId, u64, u64)]) -> Vec<u8> {
    let mut bytes = vec![0xe5, b'N', 1, level];
    put_varint(&mut bytes, children.len() as u64);
    let mut before = "";
    for (last, id, files, size) in children {
        let shared = last.bytes().zip(before.bytes()).take_while(|(new, old)| new == old).count();
        put_varint(&mut bytes, shared as u64);
        put_varint(&mut bytes, (last.len() - shared) as u64);
        bytes.extend(&last.as_bytes()[shared..]);
        bytes.extend(id.as_bytes());
        put_varint(&mut bytes, *files);
        put_varint(&mut bytes, *size);
        before = last;
    }
    bytes
}

#[test]
fn nodes_that_do_not_fit_together_are_found_by_every_reader() {
    let nodes = Memory::default();
    let leaf = |texts: &[&str]| {
        nodes.build(FLAT, &texts.iter().map(|text| (path(text), file(2))).collect())
    };
    const FLAT: Shape = Shape { leaf_bits: 64, inner_bits: 64, max_items: 512 };
    let (ab, cd) = (leaf(&["a", "b"]), leaf(&["c", "d"]));
    let keep = |bytes: Vec<u8>| {
        let id = ManifestId::of(&bytes);
        nodes.keep(id, bytes).unwrap();
        id
    };
    let good = keep(parent(1, &[("b", ab, 2, 8), ("d", cd, 2, 8)]));
    assert_eq!(list_all(&nodes, &good, b"").len(), 4);
    let none = leaf(&[]);
    let wrong = [
        parent(1, &[("b", ab, 3, 8), ("d", cd, 2, 8)]),
        parent(1, &[("b", ab, 2, 9), ("d", cd, 2, 8)]),
        parent(1, &[("bb", ab, 2, 8), ("d", cd, 2, 8)]),
        parent(1, &[("c", cd, 2, 8), ("d", cd, 2, 8)]),
        parent(1, &[("b", ab, 2, 8), ("d", ab, 2, 8)]),
        parent(2, &[("b", ab, 2, 8), ("d", cd, 2, 8)]),
        parent(1, &[("b", ManifestId::of(b"?"), 2, 8), ("d", cd, 2, 8)]),
    ];
    for bytes in wrong {
        let id = keep(bytes);
        assert!(list(&nodes, &id, b"").unwrap().any(|entry| entry.is_err()));
        assert!(walk(&nodes, &id, |_, _| true).is_err());
        assert!(check(&nodes, &id).is_err());
        assert!(diff(&nodes, &none, &id).unwrap().any(|change| change.is_err()));
        let ends = [(path("a"), None), (path("d"), None)];
        assert!(nodes.edit(FLAT, &id, &ends).is_err());
    }
    // Whole and in order, but these leaves are not where their paths put them.
    assert!(matches!(check(&nodes, &good), Err(Error::Misplaced { .. })));
}

#[test]
fn a_node_that_breaks_a_rule_is_refused() {
    let id = [7; 32];
    let leaf = |count: u8, items: &[&[u8]]| {
        Node::decode([&[0xe5, b'N', 1, 0, count][..], &items.concat()].concat())
    };
    let entry = |shared: u8, rest: &[u8], mode: u8| {
        [&[shared, rest.len() as u8][..], rest, &[mode, 0], &id].concat()
    };
    assert!(leaf(2, &[&entry(0, b"ab", 0), &entry(1, b"c", 2)]).is_ok());
    let wrong: &[(u8, &[&[u8]])] = &[
        (1, &[&entry(1, b"a", 0)]),
        (1, &[&entry(0, b"", 0)]),
        (1, &[&entry(0, b"a", 3)]),
        (2, &[&entry(0, b"a", 0)]),
        (0, &[&entry(0, b"a", 0)]),
        (2, &[&entry(0, b"b", 0), &entry(0, b"a", 0)]),
        (2, &[&entry(0, b"b", 0), &entry(0, b"b", 0)]),
        (2, &[&entry(0, b"ab", 0), &entry(0, b"ac", 0)]),
        (2, &[&entry(0, b"ab", 0), &entry(3, b"c", 0)]),
        (1, &[&[0, 0x81, 0], b"a", &[0, 0], &id]),
    ];
    for (index, (count, items)) in wrong.iter().enumerate() {
        assert!(leaf(*count, items).is_err(), "{index}");
    }
    assert!(matches!(Node::decode(vec![0xe5, b'N', 2, 0, 0]), Err(Error::UnknownFormat { .. })));
    for bytes in [&[0xe5, b'P', 1, 0, 0][..], &[0xe5, b'N', 1, 1, 0], &[0xe5, b'N', 1, 32, 0], b""]
    {
        assert!(Node::decode(bytes.to_vec()).is_err());
    }
    assert!(Node::decode([&[0xe5, b'N', 1, 0][..], &[0x81, 0x04]].concat()).is_err(), "513 items");
    assert!(Node::decode(vec![0; MAX_NODE_BYTES + 1]).is_err());
    let full =
        parent(1, &[("a", ManifestId::of(b""), 1, u64::MAX), ("b", ManifestId::of(b""), 1, 1)]);
    assert!(Node::decode(full).is_err(), "totals beyond 64 bits");
    assert!(Node::decode(parent(1, &[("a", ManifestId::of(b""), 0, 0)])).is_err());
}

#[test]
fn a_listed_path_that_is_none_is_refused_when_it_is_used() {
    let bytes = [&[0xe5, b'N', 1, 0, 1, 0, 4][..], b"../x", &[0, 0], &[7; 32]].concat();
    let nodes = Memory::default();
    let id = ManifestId::of(&bytes);
    nodes.keep(id, bytes).unwrap();
    assert!(matches!(list(&nodes, &id, b"").unwrap().next(), Some(Err(Error::Path(_)))));
    assert!(check(&nodes, &id).is_err());
    let (none, bytes) = empty();
    nodes.keep(none, bytes).unwrap();
    assert!(matches!(diff(&nodes, &none, &id).unwrap().next(), Some(Err(Error::Path(_)))));
}
