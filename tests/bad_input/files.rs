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
