//! The writer and the reader against what lies in their way.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::scan::{make_fifo, put};
use super::*;
use crate::worktree::platform;
use crate::worktree::write::{LinkProblem, WriteError, Writer, check_link, rename};
use crate::worktree::{Error, Root};

/// A worktree beside a directory that nothing may touch.
struct Place {
    _dir: tempfile::TempDir,
    top: PathBuf,
    outside: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (top, outside) = (dir.path().join("top"), dir.path().join("outside"));
        fs::create_dir(&top).unwrap();
        put(&outside.join("b"), b"not ours");
        Self { _dir: dir, top, outside }
    }

    fn writer(&self) -> Writer {
        Writer::open(&self.top).unwrap()
    }

    fn write(&self, name: &[u8], executable: bool, bytes: &[u8]) -> Result<Stat, WriteError> {
        let writer = self.writer();
        let mut file = writer.hand().create(&path(name), executable, bytes.len() as u64)?;
        file.write_all(bytes)?;
        file.finish()
    }

    /// Nothing outside has changed, and no temporary file is left inside.
    fn check(&self) {
        assert_eq!(fs::read(self.outside.join("b")).unwrap(), b"not ours");
        assert_eq!(fs::read_dir(&self.outside).unwrap().count(), 1);
        for entry in walkdir::WalkDir::new(&self.top) {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            assert!(!name.contains("stem-tmp"), "{name} is left");
        }
    }
}

/// Short files are written in their place, long ones beside it.
const SIZES: [usize; 3] = [0, 5, (1 << 20) + 1];

fn in_the_way<T>(result: Result<T, WriteError>) -> bool {
    matches!(result, Err(WriteError::InTheWay { .. }))
}

#[test]
fn a_file_is_written_whole_with_its_mode_and_replaces_what_was_there() {
    for size in SIZES {
        for executable in [false, true] {
            let place = Place::new();
            for round in 0..2 {
                let bytes = vec![b'0' + round; size];
                let stat = place.write(b"d/e/f", executable, &bytes).unwrap();
                let file = place.top.join("d/e/f");
                assert_eq!(fs::read(&file).unwrap(), bytes);
                let mode = if executable { Mode::Executable } else { Mode::File };
                assert_eq!((stat.mode, stat.size), (mode, size as u64));
                assert_eq!(stat.inode, file.metadata().unwrap().ino());
                assert_eq!(Root::open(&place.top).unwrap().stat(&path(*b"d/e/f")).unwrap(), {
                    Some(stat)
                });
            }
            place.check();
        }
    }
}

#[test]
fn zeros_become_holes_and_are_zeros_again() {
    let place = Place::new();
    let mut bytes = vec![0; 3 << 20];
    bytes[1 << 20] = 1;
    let writer = place.writer();
    let file = writer.hand().create(&path(*b"f"), false, bytes.len() as u64).unwrap();
    for (number, piece) in bytes.chunks(64 << 10).enumerate().rev() {
        file.write_at((number * (64 << 10)) as u64, piece).unwrap();
    }
    file.finish().unwrap();
    assert!(fs::read(place.top.join("f")).unwrap() == bytes);
    assert!(place.top.join("f").metadata().unwrap().blocks() * 512 < 1 << 20);
}

#[test]
fn a_file_that_is_not_finished_goes_away_and_leaves_what_was_there() {
    for size in SIZES {
        for there in [false, true] {
            let place = Place::new();
            if there {
                put(&place.top.join("f"), b"before");
            }
            let writer = place.writer();
            let mut file = writer.hand().create(&path(*b"f"), false, size as u64).unwrap();
            file.write_all(b"part").unwrap();
            drop(file);
            assert_eq!(fs::read(place.top.join("f")).ok(), there.then(|| b"before".to_vec()));
            place.check();
        }
    }
}

#[test]
fn no_link_is_followed_on_the_way_to_a_file() {
    for size in SIZES {
        for target in ["outside", "inside"] {
            let place = Place::new();
            put(&place.top.join("inside/b"), b"ours");
            let to = if target == "outside" { place.outside.clone() } else { "inside".into() };
            symlink(to, place.top.join("link")).unwrap();
            let bytes = vec![b'x'; size];
            assert!(in_the_way(place.write(b"link/b", false, &bytes)));
            assert!(in_the_way(place.write(b"link/new/b", false, &bytes)));
            let writer = place.writer();
            let mut hand = writer.hand();
            assert!(in_the_way(hand.symlink(&path(*b"link/c"), b"b")));
            assert!(!hand.remove(&path(*b"link/b")).unwrap());
            hand.prune(b"link").unwrap();
            assert!(in_the_way(hand.remove_empty_directory(&path(*b"link"))));
            assert_eq!(fs::read(place.top.join("inside/b")).unwrap(), b"ours");
            assert!(place.top.join("link").is_symlink());
            let root = Root::open(&place.top).unwrap();
            assert!(root.open_file(&path(*b"link/b")).is_err());
            assert!(root.read_whole(&path(*b"link/b"), &mut Vec::new()).is_err());
            assert_eq!(root.stat(&path(*b"link/b")).unwrap(), None);
            place.check();
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
    for size in SIZES {
        let place = Place::new();
        symlink(place.outside.join("b"), place.top.join("f")).unwrap();
        place.write(b"f", false, &vec![b'x'; size]).unwrap();
        assert!(place.top.join("f").symlink_metadata().unwrap().is_file());
        place.check();
    }
}

#[test]
fn a_link_planted_while_directories_are_open_is_not_followed() {
    let place = Place::new();
    let writer = place.writer();
    let mut hand = writer.hand();
    let write = |hand: &mut crate::worktree::write::Hand<'_>, name: &[u8]| {
        let mut file = hand.create(&path(name), false, 1)?;
        file.write_all(b"x")?;
        file.finish()
    };
    write(&mut hand, b"d/a").unwrap();
    fs::rename(place.top.join("d"), place.top.join("moved")).unwrap();
    symlink(&place.outside, place.top.join("d")).unwrap();
    // The opened directory is still the one that was moved: inside.
    write(&mut hand, b"d/b").unwrap();
    assert!(place.top.join("moved/b").is_file());
    assert!(in_the_way(write(&mut writer.hand(), b"d/c")));
    place.check();
}

#[test]
fn the_way_without_openat2_follows_no_link_either() {
    use rustix::fs::{Mode, OFlags};
    let place = Place::new();
    symlink(&place.outside, place.top.join("link")).unwrap();
    put(&place.top.join("d/f"), b"");
    symlink("d/f", place.top.join("file")).unwrap();
    let top = fs::File::open(&place.top).unwrap();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |path: &[u8]| platform::open_by_steps(&top, path, flags, Mode::empty());
    assert!(open(b"d/f").is_ok());
    for bad in [&b"link/b"[..], b"file", b"d/f/g"] {
        assert!(platform::is_nothing(&open(bad).unwrap_err()), "{}", RepoPath::show_bytes(bad));
        let below = platform::open_below(&top, bad, flags, Mode::empty());
        assert!(platform::is_nothing(&below.unwrap_err()));
    }
}

#[test]
fn a_directory_where_a_file_must_be_and_the_reverse_are_in_the_way() {
    for size in SIZES {
        let place = Place::new();
        put(&place.top.join("d/f"), b"kept");
        let bytes = vec![b'x'; size];
        assert!(in_the_way(place.write(b"d", false, &bytes)));
        assert!(in_the_way(place.write(b"d/f/g", false, &bytes)));
        assert!(in_the_way(place.write(b"d/f/g/h", false, &bytes)));
        let writer = place.writer();
        let mut hand = writer.hand();
        assert!(in_the_way(hand.symlink(&path(*b"d"), b"x")));
        assert!(in_the_way(hand.symlink(&path(*b"d/f/g"), b"x")));
        assert!(!hand.remove(&path(*b"d")).unwrap(), "a directory is not removed");
        assert!(!hand.remove(&path(*b"d/f/g")).unwrap());
        assert!(in_the_way(hand.remove_empty_directory(&path(*b"d"))));
        assert_eq!(fs::read(place.top.join("d/f")).unwrap(), b"kept");
        place.check();
    }
}

#[test]
fn a_fifo_or_socket_on_the_way_never_makes_it_wait() {
    let place = Place::new();
    make_fifo(&place.top.join("fifo"));
    let root = Root::open(&place.top).unwrap();
    let open = root.open_file(&path(*b"fifo"));
    assert!(matches!(open, Err(Error::NotAFile { kind: "fifo", .. })));
    assert!(matches!(root.stat(&path(*b"fifo")), Err(Error::NotAFile { kind: "fifo", .. })));
    assert!(in_the_way(place.write(b"fifo/f", false, b"x")));
    let _socket = std::os::unix::net::UnixListener::bind(place.top.join("socket")).unwrap();
    assert!(root.open_file(&path(*b"socket")).is_err());
    assert!(place.top.join("fifo").symlink_metadata().unwrap().file_type().is_fifo());
}

#[test]
fn a_file_with_set_uid_and_other_bits_is_replaced_by_one_without() {
    let place = Place::new();
    let file = place.top.join("f");
    for mode in [0o4755, 0o2755, 0o1777] {
        put(&file, b"old");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let root = Root::open(&place.top).unwrap();
        assert_eq!(root.stat(&path(*b"f")).unwrap().unwrap().mode, Mode::Executable);
        place.write(b"f", true, b"new").unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7000, 0);
        assert_ne!(file.metadata().unwrap().mode() & 0o100, 0);
    }
}

#[test]
fn empty_directories_are_pruned_up_to_the_first_that_is_not_empty() {
    let place = Place::new();
    put(&place.top.join("a/keep"), b"");
    put(&place.top.join("a/b/c/f"), b"");
    let writer = place.writer();
    let mut hand = writer.hand();
    assert!(hand.remove(&path(*b"a/b/c/f")).unwrap());
    assert!(!hand.remove(&path(*b"a/b/c/f")).unwrap(), "it is gone already");
    hand.prune(b"a/b/c").unwrap();
    assert!(!place.top.join("a/b").exists() && place.top.join("a/keep").exists());
    hand.prune(b"not/there").unwrap();
    hand.prune(b"").unwrap();
    assert!(place.top.exists());
    put(&place.top.join("e/f/x"), b"");
    fs::remove_file(place.top.join("e/f/x")).unwrap();
    for _ in 0..2 {
        hand.remove_empty_directory(&path(*b"e")).unwrap();
        assert!(!place.top.join("e").exists());
    }
}

#[test]
fn a_directory_made_again_after_it_was_pruned_is_the_new_one() {
    let place = Place::new();
    let writer = place.writer();
    let mut hand = writer.hand();
    for _ in 0..3 {
        hand.create(&path(*b"d/e/f"), false, 0).unwrap().finish().unwrap();
        assert!(place.top.join("d/e/f").exists());
        hand.remove(&path(*b"d/e/f")).unwrap();
        hand.prune(b"d/e").unwrap();
        assert!(!place.top.join("d").exists());
    }
}

#[test]
fn links_stay_inside_of_the_tree() {
    use LinkProblem::*;
    let long = vec![b'x'; 4096];
    let cases: &[(&str, &[u8], Option<LinkProblem>)] = &[
        ("a", b"b", None),
        ("d/a", b"../b", None),
        ("d/a", b"./../d/b", None),
        ("a", b"", Some(Empty)),
        ("a", b"/etc/passwd", Some(Absolute)),
        ("a", b"../b", Some(Outside)),
        ("d/a", b"../../b", Some(Outside)),
        ("d/a", b"x/../../../d/b", Some(Outside)),
        ("a", b"b\0c", Some(Nul)),
        ("a", b".stem", Some(Reserved)),
        ("d/a", b"../.STEM/config.toml", Some(Reserved)),
        ("d/a", b"../d/../.stem/index", Some(Reserved)),
        ("d/a", ".ste\u{200c}m".as_bytes(), None),
        ("a", ".st\u{200c}em/x".as_bytes(), Some(Reserved)),
        ("a", b".stem. /x", Some(Reserved)),
        ("a", &long, Some(TooLong)),
    ];
    for (name, target, problem) in cases {
        let found = match check_link(&path(*name), target) {
            Ok(()) => None,
            Err(WriteError::Link { problem, .. }) => Some(problem),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, *problem, "{name} -> {}", RepoPath::show_bytes(target));
        let place = Place::new();
        let made = place.writer().hand().symlink(&path(*name), target);
        assert_eq!(made.is_ok(), problem.is_none());
        assert_eq!(place.top.join(name).is_symlink(), problem.is_none());
    }
}

#[test]
fn names_that_some_file_systems_take_for_one_are_reported() {
    let clash = |names: &[&str]| {
        let paths: Vec<_> = names.iter().map(|name| path(*name)).collect();
        Writer::clashes(paths.iter()).map(|(a, b)| (a.show(), b.show()))
    };
    let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
    assert_eq!(clash(&["a", "b", "d/a", "d/b"]), None);
    assert_eq!(clash(&["A", "a"]), pair("A", "a"));
    assert_eq!(clash(&["D/a", "d/b"]), pair("D", "d"));
    assert_eq!(clash(&["x/e\u{301}", "x/\u{e9}"]), pair("x/e\u{301}", "x/\u{e9}"));
    assert_eq!(clash(&["d", "D/a"]), pair("d", "D"));
    assert!(!Place::new().writer().folds_names().unwrap() || cfg!(not(target_os = "linux")));
}

#[test]
fn a_rename_replaces_nothing_and_stays_below() {
    let place = Place::new();
    put(&place.top.join("d/a"), b"a");
    put(&place.top.join("b"), b"b");
    symlink(&place.outside, place.top.join("link")).unwrap();
    let writer = place.writer();
    let run = |from: &str, to: &str| rename(&writer, &path(from), &path(to));
    assert!(in_the_way(run("d/a", "b")));
    assert!(in_the_way(run("d/a", "link/b")));
    assert!(in_the_way(run("d/a", "b/c")));
    assert!(run("link/b", "c").is_err());
    assert!(run("none", "new/c").is_err());
    assert!(!place.top.join("new").exists(), "nothing is made for a rename that fails");
    run("d/a", "x/y/a").unwrap();
    assert!(!place.top.join("d").exists());
    assert_eq!(fs::read(place.top.join("x/y/a")).unwrap(), b"a");
    run("x", "z").unwrap();
    assert_eq!(fs::read(place.top.join("z/y/a")).unwrap(), b"a");
    assert_eq!(fs::read(place.top.join("b")).unwrap(), b"b");
    place.check();
}

/// Whoever needs the file writes it, where a name cannot just be given.
#[test]
fn a_file_is_taken_over_only_as_it_was_and_where_nothing_is() {
    let place = Place::new();
    let writer = place.writer();
    let mut hand = writer.hand();
    let stat = place.write(b"here/a", true, b"one").unwrap();
    put(&place.top.join("taken"), b"theirs");
    let (here, there) = (path(b"here/a"), path(b"new/there"));
    for other in [Stat { size: 4, ..stat }, Stat { mtime_ns: 1, ..stat }, Stat { inode: 1, ..stat }]
    {
        assert_eq!(hand.take_over(&here, &there, &other), None);
    }
    for bad in [&b"taken"[..], b"taken/below", b"here"] {
        assert_eq!(hand.take_over(&here, &path(bad), &stat), None);
    }
    symlink(&place.outside, place.top.join("out")).unwrap();
    assert_eq!(hand.take_over(&here, &path(b"out/a"), &stat), None);
    assert_eq!(hand.take_over(&path(b"not/there"), &there, &stat), None);
    assert_eq!(fs::read(place.top.join("taken")).unwrap(), b"theirs");
    assert_eq!(fs::read(place.top.join("here/a")).unwrap(), b"one");
    let moved = hand.take_over(&here, &there, &stat).unwrap();
    assert_eq!(moved, Stat { ctime_ns: moved.ctime_ns, ..stat });
    assert_eq!(fs::read(place.top.join("new/there")).unwrap(), b"one");
    assert!(!place.top.join("here/a").exists());
    place.check();
}

#[test]
fn a_file_that_changes_while_it_is_read_is_noticed() {
    let place = Place::new();
    let file = place.top.join("f");
    put(&file, &vec![b'0'; 1 << 16]);
    let (stop, root) = (std::sync::atomic::AtomicBool::new(false), Root::open(&place.top).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u8;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                round = round.wrapping_add(1);
                let length = (1 << 16) - usize::from(round) * 64;
                swap(&file, &vec![round; length]);
            }
        });
        let mut buffer = Vec::new();
        for _ in 0..500 {
            match root.read_whole(&path(*b"f"), &mut buffer) {
                Ok(stat) => {
                    assert_eq!(stat.size, buffer.len() as u64);
                    assert!(buffer.iter().all(|byte| *byte == buffer[0]), "two contents in one");
                }
                Err(Error::Changing { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// Gives a file other content in its place: shorter or longer, never seen half done by size alone.
fn swap(file: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut options = fs::File::options();
    options.write(true).truncate(true).open(file).unwrap().write_all(bytes).unwrap();
}
