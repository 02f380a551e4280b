//! Paths as people write them and as programs read them: from a subdirectory, with bytes that are
//! no text, with letters that mean something in a pattern.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::place::{Place, ran};

/// Names that a program must be able to give and to get back.
const ODD: &[&[u8]] =
    &[b"bad\xff\xfe", b"a\\b\xff", b"new\nline", b"tab\tand\x1b[31m", b"-dash", b"\\xff"];

fn with_odd_names() -> Place {
    let place = Place::new();
    for name in ODD {
        place.write(OsStr::from_bytes(name), name);
    }
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "odd"]);
    place
}

/// `HEAD:` with these bytes behind it.
fn in_head(name: &[u8]) -> std::ffi::OsString {
    std::ffi::OsString::from_vec([b"HEAD:", name].concat())
}

/// Text as it is; bytes that are no text as `\xNN`, and beside them a backslash as `\\`.
fn as_json_has_it(name: &[u8]) -> &str {
    match name {
        b"bad\xff\xfe" => "bad\\xff\\xfe",
        b"a\\b\xff" => "a\\\\b\\xff",
        text => std::str::from_utf8(text).unwrap(),
    }
}

#[test]
fn what_is_no_text_can_be_named_as_it_is_and_as_json_writes_it() {
    let place = with_odd_names();
    for name in ODD {
        let (given, shown) = (in_head(name), as_json_has_it(name));
        for target in [given.clone(), format!("HEAD:{shown}").into()] {
            for verb in ["cat", "show"] {
                let output = place.command(&[OsStr::new(verb), &target]).output().unwrap();
                assert_eq!(output.stdout, *name, "{verb} {target:?}: {output:?}");
            }
        }
        let path = OsStr::from_bytes(name);
        for args in [
            &[OsStr::new("ls"), &given][..],
            &["ls".as_ref(), "HEAD".as_ref(), "--".as_ref(), path],
            &["contains".as_ref(), "--".as_ref(), path],
            &["lineage".as_ref(), &given],
            &["note".as_ref(), "add".as_ref(), &given, "seen".as_ref()],
            &["erase".as_ref(), "plan".as_ref(), "--reason=r".as_ref(), "--path".as_ref(), path],
        ] {
            if name.starts_with(b"-") && args[0] == "erase" {
                continue;
            }
            let ran = ran(&mut place.command(args));
            assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        }
    }
}

#[test]
fn json_has_paths_as_they_are_wherever_they_stand() {
    let place = with_odd_names();
    let names: Vec<&str> = ODD.iter().map(|name| as_json_has_it(name)).collect();
    let told = |value: &serde_json::Value, verb: &str| {
        let text = value.to_string();
        for name in &names {
            let wanted = serde_json::Value::from(*name).to_string();
            assert!(text.contains(&wanted), "{verb} lacks {wanted}: {text}");
        }
    };
    told(&place.json(&["ls", "-r"]), "ls");
    told(&place.json(&["show"]), "show");
    told(
        &place.json(&["erase", "plan", "--path", "*", "--reason", "r", "--yes-all", "data"]),
        "plan",
    );
    for name in ODD {
        place.write(OsStr::from_bytes(name), b"changed");
    }
    told(&place.json(&["status"]), "status");
    told(&place.json(&["diff"]), "diff");
    let ran = place.run(&["--json", "reset", "--hard", "HEAD~1"]);
    assert_eq!(ran.code, 15, "{ran:?}");
    told(&serde_json::from_str(&ran.err).unwrap(), "the error");
    // On a terminal nothing of it moves the cursor.
    assert!(!place.run(&["reset", "--hard", "HEAD~1"]).err.contains('\x1b'));
}

/// As in Git: paths in a revision begin at the top, or with `./` and `../` where the user stands.
#[test]
fn a_path_in_a_revision_can_begin_here() {
    let place = Place::new();
    place.write("d/e/c", b"three\n");
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "second"]);
    let below = place.top.join("d");
    let within = |args: &[&str]| ran(place.command(args).current_dir(&below));
    for (args, out) in [
        (&["cat", "HEAD:./b"][..], "two\n"),
        (&["cat", "HEAD:../a"], "one\n"),
        (&["cat", "HEAD:d/b"], "two\n"),
        (&["show", "HEAD:./e"], "d/e/c\n"),
        (&["ls", "."], "d/b\nd/e/\n"),
        (&["ls", "HEAD", "./e"], "d/e/c\n"),
        (&["ls", "e"], "d/e/c\n"),
        (&["ls", "a"], "a\n"),
        (&["ls", "HEAD:.."], "a\nd/\n"),
    ] {
        let ran = within(args);
        assert_eq!((ran.code, ran.out.as_str()), (0, out), "{args:?}: {ran:?}");
    }
    for args in [&["lineage", "HEAD:./b"][..], &["note", "add", "HEAD:./b", "seen"]] {
        assert_eq!(within(args).code, 0, "{args:?}");
    }
    let ran = within(&["cat", "HEAD:b"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    assert!(ran.err.contains("did you mean `HEAD:d/b`?"), "{ran:?}");
    assert_eq!(within(&["cat", "HEAD:../../a"]).code, 10);
    assert_eq!(within(&["cat", "HEAD:."]).code, 10);
}

/// A place that the user may name can be named in the answer: one document, and what was done is not
/// told as an error.
#[test]
fn a_place_that_is_no_text_is_written_to_and_told() {
    let place = Place::new();
    let odd = |name: &str| std::ffi::OsString::from_vec([b"../\xff", name.as_bytes()].concat());
    let (out, pin, journal, tour) = (odd("out"), odd("pin"), odd("journal"), odd("tour"));
    let lines: &[(&[&str], &OsStr, &str)] = &[
        (&["export", "HEAD"], &out, "directory"),
        (&["git-pin", "-o"], &pin, "path"),
        (&["audit", "export", "-o"], &journal, "file"),
        (&["tour", "-n"], &tour, "directory"),
    ];
    for (args, name, field) in lines {
        let args: Vec<&OsStr> =
            ["--json"].iter().chain(*args).map(OsStr::new).chain([*name]).collect();
        let ran = ran(&mut place.command(&args));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}: {ran:?}");
        let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let told = document["data"][field].as_str().unwrap();
        assert!(told.contains("\\xff"), "{args:?}: {told}");
    }
    // The journal and certificates name archives in text.
    let archive = odd("archive");
    let create = [OsStr::new("archive"), "create".as_ref(), "HEAD".as_ref(), &archive];
    place.refused(&create, 2, "is not UTF-8");
}

#[test]
fn keys_are_made_where_the_user_says_whatever_its_name() {
    let place = Place::new();
    let keys = place.dir.path().join(OsStr::from_bytes(b"keys\xff"));
    let mut command = place.command(&["--json", "key", "generate"]);
    let ran = ran(command.env("STEM_KEYS", &keys));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 2);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(document["data"]["directory"].as_str().unwrap().ends_with("keys\\xff"));
}

/// Nobody else is named in the place of somebody whose name cannot be read.
#[test]
fn an_author_that_is_no_text_is_not_passed_over() {
    let place = Place::new();
    place.good(&["config", "set", "user.name", "Somebody Else"]);
    place.good(&["config", "set", "user.email", "else@example.org"]);
    for (name, value) in
        [("STEM_AUTHOR", &b"Jos\xe9 <jose@example.org>"[..]), ("SOURCE_DATE_EPOCH", b"\xff")]
    {
        let mut command = place.command(&["note", "add", "HEAD", "text"]);
        let ran = ran(command.env(name, OsStr::from_bytes(value)));
        assert_eq!(ran.code, 2, "{name}: {ran:?}");
        assert!(ran.err.contains(&format!("{name} is not UTF-8")), "{ran:?}");
    }
}
