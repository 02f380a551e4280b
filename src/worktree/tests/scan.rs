//! The scan against a naive walk and a naive comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::model::{ManifestId, Scope};
use crate::worktree::root::path_of;
use crate::worktree::{Ignore, Index, OddKind, Scan, ScanOptions, scan};

/// Everything at or below a name `ign` is ignored.
pub(super) struct IgnoreIgn;

fn is_ignored(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|name| name == b"ign")
}

impl Ignore for IgnoreIgn {
    fn directory<'a>(&'a self, _: &[u8]) -> Box<dyn Fn(&[u8], bool) -> bool + 'a> {
        Box::new(|path, _| is_ignored(path))
    }
}

#[derive(Debug, Clone)]
enum Thing {
    File(u8, bool),
    Link(&'static str),
    Directory,
    Fifo,
    Worktree,
}

fn any_thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        6 => (any::<u8>(), any::<bool>()).prop_map(|(size, exec)| Thing::File(size, exec)),
        1 => proptest::sample::select(&["a", "../a", "/tmp", "nowhere"][..]).prop_map(Thing::Link),
        1 => Just(Thing::Directory),
        1 => Just(Thing::Fifo),
        1 => Just(Thing::Worktree),
    ]
}

/// What the index says of a path.
#[derive(Debug, Clone, Copy)]
enum Known {
    AsItIs,
    Otherwise,
    Racy,
}

pub(super) fn put(file: &Path, bytes: &[u8]) {
    use std::io::Write;
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true).open(file).unwrap().write_all(bytes).unwrap();
}

/// Makes a thing; where something is in the way, nothing happens.
fn make(top: &Path, at: &RepoPath, thing: &Thing) {
    let place = top.join(path_of(at.as_bytes()));
    if fs::create_dir_all(place.parent().unwrap()).is_err() || place.symlink_metadata().is_ok() {
        return;
    }
    match thing {
        Thing::File(size, executable) => {
            put(&place, &vec![b'x'; *size as usize]);
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        }
        Thing::Link(target) => symlink(target, &place).unwrap(),
        Thing::Directory => fs::create_dir(&place).unwrap(),
        Thing::Fifo => make_fifo(&place),
        Thing::Worktree => put(&place.join(".stem/config.toml"), b""),
    }
}

pub(super) fn make_fifo(place: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, place, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// How a file looks, by the standard library's word.
fn naive_stat(place: &Path) -> Option<Stat> {
    let found = place.symlink_metadata().ok()?;
    let mode = match found.file_type() {
        kind if kind.is_symlink() => Mode::Symlink,
        kind if kind.is_file() && found.mode() & 0o100 != 0 => Mode::Executable,
        kind if kind.is_file() => Mode::File,
        _ => return None,
    };
    Some(Stat {
        size: found.size(),
        mtime_ns: found.mtime() * 1_000_000_000 + found.mtime_nsec(),
        ctime_ns: found.ctime() * 1_000_000_000 + found.ctime_nsec(),
        inode: found.ino(),
        mode,
    })
}

/// What the scan has to say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    unchanged: u64,
    suspects: BTreeSet<RepoPath>,
    untracked: BTreeSet<RepoPath>,
    deleted: BTreeSet<RepoPath>,
    odd: BTreeMap<Vec<u8>, &'static str>,
}

impl Seen {
    fn of(scan: &Scan) -> Self {
        let kind = |why: &OddKind| match why {
            OddKind::Special(kind) => *kind,
            OddKind::Name(_) => "name",
            OddKind::Unreadable(_) => "unreadable",
            OddKind::OtherWorktree => "worktree",
        };
        let seen = Self {
            unchanged: scan.unchanged,
            suspects: scan.suspects.iter().map(|found| found.path.clone()).collect(),
            untracked: scan.untracked.iter().map(|found| found.path.clone()).collect(),
            deleted: scan.deleted.iter().cloned().collect(),
            odd: scan.odd.iter().map(|odd| (odd.path.clone(), kind(&odd.why))).collect(),
        };
        let lengths = (scan.suspects.len(), scan.untracked.len(), scan.deleted.len());
        let sets = (seen.suspects.len(), seen.untracked.len(), seen.deleted.len());
        assert_eq!(lengths, sets, "a path is listed twice");
        assert!(scan.untracked.iter().map(|found| found.path).is_sorted());
        assert!(scan.suspects.iter().map(|found| found.path).is_sorted());
        assert!(scan.deleted.is_sorted());
        seen
    }
}

struct Naive<'a> {
    top: &'a Path,
    map: &'a BTreeMap<RepoPath, Record>,
    as_of: i64,
    options: &'a ScanOptions<'a>,
    scope: &'a [Vec<u8>],
    seen: Seen,
    met: BTreeSet<RepoPath>,
    closed: Vec<Vec<u8>>,
}

impl Naive<'_> {
    fn covers(&self, path: &[u8]) -> bool {
        self.scope.is_empty() || self.scope.iter().any(|prefix| below(path, prefix))
    }

    fn reaches(&self, path: &[u8]) -> bool {
        self.covers(path) || self.scope.iter().any(|scope| below(scope, path))
    }

    fn walk(&mut self, directory: &[u8]) {
        let place = self.top.join(path_of(directory));
        if !directory.is_empty() && place.join(".stem").is_dir() {
            let inside = |path: &&RepoPath| is_inside(path.as_bytes(), directory);
            let tracked = self.map.keys().any(|path| inside(&path));
            let looked = tracked || (self.options.untracked && !is_ignored(directory));
            if self.reaches(directory) && looked {
                self.seen.odd.insert(directory.to_vec(), "worktree");
            }
            self.closed.push(directory.to_vec());
            return;
        }
        for entry in fs::read_dir(place).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_vec();
            if name == b".git" || (directory.is_empty() && name == b".stem") {
                continue;
            }
            let path = [directory, &name].join(&b'/');
            let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => self.walk(&path),
                kind => self.leaf(path, kind.is_fifo()),
            }
        }
    }

    fn leaf(&mut self, bytes: Vec<u8>, is_fifo: bool) {
        let path = path(bytes.clone());
        if is_fifo {
            if self.covers(&bytes) && !is_ignored(&bytes) && self.options.untracked {
                self.seen.odd.insert(bytes, "fifo");
            }
            return;
        }
        self.met.insert(path.clone());
        let stat = naive_stat(&self.top.join(path_of(&bytes))).unwrap();
        let covered = self.covers(&bytes);
        match self.map.get(&path) {
            Some(record) => {
                let trusted = !self.options.distrust && record.stat.ctime_ns < self.as_of;
                if record.stat == stat && trusted {
                    // Outside of the scope, what is on the way may count or not.
                    self.seen.unchanged += u64::from(covered);
                } else if covered {
                    self.seen.suspects.insert(path);
                }
            }
            None if self.options.untracked && covered && !is_ignored(&bytes) => {
                self.seen.untracked.insert(path);
            }
            None => {}
        }
    }

    fn finish(mut self) -> Seen {
        self.walk(b"");
        for path in self.map.keys() {
            let bytes = path.as_bytes();
            let closed = self.closed.iter().any(|directory| is_inside(bytes, directory));
            if !self.met.contains(path) && self.covers(bytes) && !closed {
                self.seen.deleted.insert(path.clone());
            }
        }
        self.seen
    }
}

fn below(path: &[u8], prefix: &[u8]) -> bool {
    path == prefix || prefix.is_empty() || path.starts_with(&[prefix, b"/"].concat())
}

fn is_inside(path: &[u8], directory: &[u8]) -> bool {
    path != directory && below(path, directory)
}

/// The records of an index, made of what is there; no file in it lies below another.
fn records(
    top: &Path,
    known: &BTreeMap<RepoPath, Known>,
    as_of: i64,
) -> BTreeMap<RepoPath, Record> {
    let mut map = BTreeMap::new();
    for (path, known) in known {
        let clash = known_above(&map, path);
        if clash {
            continue;
        }
        let there = naive_stat(&top.join(path_of(path.as_bytes())));
        let nothing = Stat { size: 1, mtime_ns: 2, ctime_ns: 3, inode: 4, mode: Mode::File };
        let mut stat = there.unwrap_or(nothing);
        match known {
            Known::AsItIs => {}
            Known::Otherwise => stat.mtime_ns -= 1,
            Known::Racy => stat.ctime_ns = as_of,
        }
        let file = FileRef { mode: stat.mode, size: stat.size, file: FileId::of(b"x") };
        map.insert(path.clone(), Record { file, stat });
    }
    map
}

fn known_above(map: &BTreeMap<RepoPath, Record>, path: &RepoPath) -> bool {
    map.keys().any(|other| path.is_at_or_below(other.as_bytes()))
        || map.keys().any(|other| other.is_at_or_below(path.as_bytes()))
}

proptest! {
    #[test]
    fn a_scan_sees_what_a_naive_walk_sees(
        things in proptest::collection::vec((any_path(), any_thing()), 0..30),
        known in proptest::collection::btree_map(any_path(), proptest::sample::select(
            &[Known::AsItIs, Known::AsItIs, Known::Otherwise, Known::Racy][..]), 0..30),
        tracked in proptest::collection::vec(any::<bool>(), 30),
        scope in proptest::collection::vec(any_path(), 0..3),
        (untracked, distrust, threads) in (any::<bool>(), any::<bool>(), 1..4_usize),
        later in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (top, file) = (dir.path().join("top"), dir.path().join("index"));
        fs::create_dir(&top).unwrap();
        put(&top.join(".stem/config.toml"), b"");
        put(&top.join("d/.git"), b"gitdir: elsewhere");
        let mut known = known;
        for ((path, thing), tracked) in things.iter().zip(&tracked) {
            make(&top, path, thing);
            if *tracked {
                known.insert(path.clone(), Known::AsItIs);
            }
        }
        let as_of = if later { i64::MAX } else { 10 };
        let map = records(&top, &known, as_of);
        Index::build(&file, ManifestId::from_bytes([0; 32]), as_of, map.clone()).unwrap();
        let index = Index::load(&file).unwrap().unwrap();
        let paths: Vec<_> = scope.iter().map(|path| path.as_bytes().to_vec()).collect();
        let scope = Scope::of(&paths);
        let options = ScanOptions { ignore: &IgnoreIgn, scope, untracked, distrust, threads };
        let found = scan(&top, &index, &options).unwrap();
        for file in found.suspects.iter() {
            prop_assert_eq!(file.known, Some(map[&file.path].file));
        }
        let (met, closed, seen) = Default::default();
        let (options, scope) = (&options, &paths[..]);
        let naive = Naive { top: &top, map: &map, as_of, options, scope, seen, met, closed };
        let (mut seen, expected) = (Seen::of(&found), naive.finish());
        if !untracked {
            // A directory without tracked files is not looked into, so this is found by chance.
            seen.odd.retain(|_, kind| *kind != "fifo");
        }
        if !scope.is_empty() && seen.unchanged > expected.unchanged {
            seen.unchanged = expected.unchanged;
        }
        prop_assert_eq!(seen, expected);
    }
}

fn everything(ignore: &dyn Ignore) -> ScanOptions<'_> {
    ScanOptions { ignore, scope: Scope::default(), untracked: true, distrust: false, threads: 2 }
}

#[test]
fn a_directory_of_many_files_is_joined_with_its_rows_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (top, file) = (dir.path().join("top"), dir.path().join("index"));
    let name = |number: u32| format!("d/{number:05}");
    let mut map = BTreeMap::new();
    for number in 0..9000 {
        let place = top.join(name(number));
        if number % 10 != 3 {
            put(&place, b"");
        }
        if number % 10 != 5 {
            let unknown = Stat { inode: 1, ..Stat::UNKNOWN };
            let stat = naive_stat(&place).unwrap_or(unknown);
            let file = FileRef { mode: Mode::File, size: 0, file: FileId::of(b"") };
            map.insert(path(name(number)), Record { file, stat });
        }
    }
    Index::build(&file, ManifestId::from_bytes([0; 32]), i64::MAX, map).unwrap();
    let index = Index::load(&file).unwrap().unwrap();
    let found = scan(&top, &index, &everything(&IgnoreIgn)).unwrap();
    assert_eq!(found.unchanged, 7200);
    assert!(found.suspects.is_empty());
    assert_eq!(found.deleted, (0..900).map(|n| path(name(n * 10 + 3))).collect::<Vec<_>>());
    let untracked: Vec<_> = found.untracked.into_iter().map(|found| found.path).collect();
    assert_eq!(untracked, (0..900).map(|n| path(name(n * 10 + 5))).collect::<Vec<_>>());
}

#[test]
fn sockets_devices_and_names_that_no_dataset_has_are_odd() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
    put(&top.join("ends in return\r"), b"");
    put(&top.join("below/.STEM"), b"");
    put(&top.join("file"), b"");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    let device = rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("device"),
        rustix::fs::FileType::CharacterDevice,
        mode,
        rustix::fs::makedev(1, 3),
    );
    let found = scan(top, &Index::empty(), &everything(&IgnoreIgn)).unwrap();
    let mut expected = vec![
        (b"below/.STEM".to_vec(), "name"),
        (b"ends in return\r".to_vec(), "name"),
        (b"socket".to_vec(), "socket"),
    ];
    match device {
        Ok(()) => expected.push((b"device".to_vec(), "device")),
        Err(error) => eprintln!("no device is tried: {error}"),
    }
    let seen = Seen::of(&found);
    assert_eq!(seen.odd, expected.into_iter().collect());
    assert_eq!(seen.untracked, [path(*b"file")].into());
}

#[test]
fn a_link_to_a_directory_is_a_link_and_nothing_behind_it_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (top, outside) = (dir.path().join("top"), dir.path().join("outside"));
    put(&outside.join("secret"), b"");
    fs::create_dir(&top).unwrap();
    symlink(&outside, top.join("link")).unwrap();
    symlink("loop", top.join("loop")).unwrap();
    let found = scan(&top, &Index::empty(), &everything(&IgnoreIgn)).unwrap();
    let seen = Seen::of(&found);
    assert_eq!(seen.untracked, [path(*b"link"), path(*b"loop")].into());
    assert!(found.untracked.iter().all(|found| found.stat.mode == Mode::Symlink));
    assert!(top.join("link").as_os_str().as_bytes().starts_with(b"/"));
}

#[test]
fn a_top_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    assert!(scan(&none, &Index::empty(), &everything(&IgnoreIgn)).is_err());
}
