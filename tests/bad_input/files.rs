//! Files that are odd, unreadable, or do not hold still.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::place::{Place, noise, put};

const ODD: [&[u8]; 9] = [
    b"new\nline",
    b"\xff\xfe",
    b"-rf",
    b"--",
    b" ",
    b"esc\x1b[31m",
    b"\"quo'te\\",
    "e\u{301}".as_bytes(),
    "\u{e9}".as_bytes(),
];

#[test]
fn odd_names_are_kept_exactly_and_never_reach_a_terminal_raw() {
    let place = Place::new();
    for (number, name) in ODD.iter().enumerate() {
        place.write(OsStr::from_bytes(name), format!("{number}\n").as_bytes());
    }
    let ran = place.run(&["status"]);
    assert!(!ran.out.contains('\x1b') && ran.out.contains("new\\nline"), "{ran:?}");
    let status = place.command(&["status", "-z"]).output().unwrap().stdout;
    let mut seen: Vec<_> =
        status.split(|&byte| byte == 0).filter(|line| !line.is_empty()).collect();
    let mut expected: Vec<_> = ODD.iter().map(|name| [b"?? ", *name].concat()).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "odd"]);
    for name in ODD {
        fs::remove_file(place.top.join(OsStr::from_bytes(name))).unwrap();
    }
    place.good(&["restore", "."]);
    for (number, name) in ODD.iter().enumerate() {
        let bytes = fs::read(place.top.join(OsStr::from_bytes(name))).unwrap();
        assert_eq!(bytes, format!("{number}\n").as_bytes());
    }
    let args = [OsStr::new("rm"), OsStr::new("--"), OsStr::from_bytes(b"\xff\xfe")];
    assert_eq!(place.run(&args).code, 0);
    assert_eq!(place.json(&["status"])["staged"].as_array().unwrap().len(), 1);
    place.is_whole();
}

#[test]
fn a_fifo_or_socket_is_listed_and_the_rest_is_staged() {
    let place = Place::new();
    assert_eq!(place.shell("mkfifo fifo").code, 0);
    let _socket = std::os::unix::net::UnixListener::bind(place.top.join("socket")).unwrap();
    place.write("z", b"fine");
    let ran = place.run(&["add", "-A"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("it is a fifo") && ran.err.contains("it is a socket"), "{ran:?}");
    let staged = place.json(&["status"])["staged"].clone();
    assert_eq!(staged[0]["path"], "z");
    assert_eq!(staged.as_array().unwrap().len(), 1);
    // In the place of a tracked file it is not opened, nor removed without being asked.
    fs::remove_file(place.top.join("a")).unwrap();
    assert_eq!(place.shell("mkfifo a").code, 0);
    place.refused(&["restore", "a"], 15, "would be lost");
    place.good(&["restore", "--force", "a"]);
    assert_eq!(fs::read(place.top.join("a")).unwrap(), b"one\n");
}

#[test]
fn an_unreadable_file_in_the_middle_is_listed_and_the_rest_is_staged() {
    let place = Place::new();
    for name in ["m", "n", "o"] {
        place.write(name, name.as_bytes());
    }
    fs::set_permissions(place.top.join("n"), fs::Permissions::from_mode(0o000)).unwrap();
    let stem = crate::place::STEM;
    let Some(ran) = place.as_nobody(stem, &["add", "-A"]) else { return };
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("n: cannot read"), "{ran:?}");
    let ran = place.as_nobody(stem, &["status", "--porcelain"]).unwrap();
    assert_eq!(ran.out, "A  m\n?? n\nA  o\n");
}

#[test]
fn an_unreadable_directory_is_listed_and_nothing_in_it_is_deleted() {
    let place = Place::new();
    place.write("a", b"changed");
    let directory = place.top.join("d");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    let stem = crate::place::STEM;
    let Some(ran) = place.as_nobody(stem, &["add", "-A"]) else { return };
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("d: it cannot be read"), "{ran:?}");
    place.write("a", b"again");
    let ran = place.as_nobody(stem, &["commit", "-am", "second"]).unwrap();
    assert_eq!(ran.code, 3, "{ran:?}");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = place.as_nobody(stem, &["ls", "-r"]).unwrap();
    assert!(ran.out.contains("d/b"), "{ran:?}");
    let ran = place.as_nobody(stem, &["status", "--porcelain"]).unwrap();
    assert_eq!(ran.out, "");
}

#[test]
fn a_file_that_shrinks_and_grows_while_it_is_read_is_stored_whole_or_not_at_all() {
    let place = Place::new();
    let (stop, file) = (AtomicBool::new(false), place.top.join("moving"));
    let bytes = noise(3 << 20);
    put(&file, &bytes);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let handle = fs::File::options().write(true).open(&file).unwrap();
            for round in 0.. {
                if stop.load(Relaxed) {
                    return;
                }
                handle.set_len(if round % 2 == 0 { 1000 } else { 3 << 20 }).unwrap();
            }
        });
        for _ in 0..10 {
            let ran = place.run(&["add", "-A"]);
            assert!(matches!(ran.code, 0 | 3), "{ran:?}");
            assert!(ran.code == 0 || ran.err.contains("changes while it is read"), "{ran:?}");
        }
        stop.store(true, Relaxed);
    });
    let ran = place.run(&["commit", "-m", "moving"]);
    assert!(matches!(ran.code, 0 | 1), "{ran:?}");
    place.is_whole();
}

#[test]
fn a_set_uid_file_comes_back_without_that_bit() {
    let place = Place::new();
    let file = place.top.join("a");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    place.good(&["commit", "-am", "executable"]);
    fs::remove_file(&file).unwrap();
    place.good(&["restore", "a"]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7100, 0o100);
}

#[test]
fn empty_and_sparse_files_and_empty_directories_do_no_harm() {
    let place = Place::new();
    place.write("empty", b"");
    fs::create_dir(place.top.join("nothing")).unwrap();
    fs::File::create_new(place.top.join("sparse")).unwrap().set_len(64 << 20).unwrap();
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "more"]);
    fs::remove_file(place.top.join("sparse")).unwrap();
    place.good(&["restore", "sparse"]);
    let file = place.top.join("sparse").metadata().unwrap();
    assert_eq!(file.len(), 64 << 20);
    place.is_whole();
}

#[test]
fn links_that_lead_in_circles_are_kept_as_links() {
    let place = Place::new();
    for (name, target) in [("x", "y"), ("y", "x"), ("d/self", "."), ("d/up", "../d"), ("me", "me")]
    {
        std::os::unix::fs::symlink(target, place.top.join(name)).unwrap();
    }
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "circles"]);
    assert_eq!(place.json(&["ls", "-r"])["entries"].as_array().unwrap().len(), 7);
    place.good(&["export", "HEAD", "../out"]);
    assert_eq!(fs::read_link(place.dir.path().join("out/d/self")).unwrap().as_os_str(), ".");
    place.good(&["rm", "x", "d/self"]);
    assert!(place.top.join("y").symlink_metadata().is_ok());
    place.is_whole();
}

#[test]
fn a_path_written_in_another_way_is_the_same_path() {
    let place = Place::new();
    for (number, path) in ["d//b", "./d/b", "d/./b", "d/../d/b", "../data/d/b"].iter().enumerate() {
        place.write("d/b", format!("{number}").as_bytes());
        place.good(&["add", path]);
        assert_eq!(place.json(&["status"])["staged"][0]["path"], "d/b", "{path}");
        place.good(&["commit", "-m", path]);
    }
}

/// A file that no disk could hold is read for as long as somebody waits, and costs no memory.
#[test]
fn a_terabyte_of_holes_can_be_interrupted_and_costs_no_memory() {
    let place = Place::new();
    let huge = fs::File::create_new(place.top.join("huge")).unwrap();
    if huge.set_len(1 << 40).is_err() {
        eprintln!("skipped: the file system has no sparse files of a terabyte");
        return;
    }
    let script = "\"$STEM\" add -A & job=$!; sleep 3; \
        grep VmHWM /proc/$job/status | tr -dc 0-9; kill -INT $job; wait $job; echo \" $?\"";
    let ran = place.shell(script);
    let (kilobytes, code) = ran.out.trim().split_once(' ').unwrap();
    assert_eq!(code, "130", "{ran:?}");
    assert!(kilobytes.parse::<u64>().unwrap() < 300_000, "{ran:?}");
    fs::remove_file(place.top.join("huge")).unwrap();
    assert_eq!(place.good(&["status", "--porcelain"]).out, "");
    place.good(&["gc", "--yes", "--grace", "0s"]);
    place.is_whole();
}

#[test]
fn of_many_files_that_cannot_be_kept_a_person_reads_twenty() {
    let place = Place::new();
    for number in 0..30 {
        std::os::unix::fs::symlink("/etc/passwd", place.top.join(format!("l{number}"))).unwrap();
    }
    let ran = place.run(&["add", "-A"]);
    assert_eq!((ran.code, ran.err.lines().count()), (3, 21), "{ran:?}");
    assert!(ran.err.contains("and 10 more of this kind"), "{ran:?}");
    let ran = place.run(&["add", "-A", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["data"]["failed"].as_array().unwrap().len(), 30);
}
