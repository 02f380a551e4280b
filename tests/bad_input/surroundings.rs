//! Directories that go away, closed outputs, masks, missing variables.

use crate::place::{Place, check_document, put, ran};

#[test]
fn a_current_directory_that_was_deleted_is_told() {
    let place = Place::new();
    let ran = place.shell("mkdir gone && cd gone && rmdir ../gone && \"$STEM\" status");
    assert_eq!(ran.code, 10, "{ran:?}");
    let ran = place.shell("mkdir gone && cd gone && rmdir ../gone && \"$STEM\" --json add x");
    assert_eq!(ran.code, 10, "{ran:?}");
    check_document(&ran, "");
}

#[test]
fn closed_outputs_stop_nothing_that_was_begun() {
    let place = Place::new();
    place.write("a", b"changed");
    let ran = place.shell("\"$STEM\" commit -am closed >&-");
    assert!(matches!(ran.code, 0 | 13), "{ran:?}");
    assert_eq!(place.saved().0, 2);
    for verb in ["status", "log", "ls -r", "--json status", "diff"] {
        for closed in [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"] {
            let ran = place.shell(&format!("\"$STEM\" {verb} {closed}"));
            assert!(matches!(ran.code, 0 | 13), "{verb} {closed}: {ran:?}");
        }
        let ran = place.shell(&format!("\"$STEM\" {verb} | true"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{verb}");
        let ran = place.shell(&format!("\"$STEM\" {verb} > /dev/full"));
        assert!(ran.code == 0 && ran.out.is_empty() || ran.code == 18, "{verb}: {ran:?}");
    }
    // What is opened in the place of a closed output must never be written to by accident.
    place.write("a", b"again");
    let ran = place.shell("\"$STEM\" commit -am again <&- >&- 2>&-");
    assert!(matches!(ran.code, 0 | 13), "{ran:?}");
    assert_eq!(place.saved().0, 3);
    place.is_whole();
}

#[test]
fn a_mask_that_forbids_everything_loses_nothing() {
    let place = Place::new();
    place.write("a", b"changed");
    let script = "umask 777; \"$STEM\" commit -am masked; echo \"code $?\"; \"$STEM\" status";
    let Some(ran) = place.as_nobody("sh", &["-c", script]) else { return };
    assert!(!ran.out.contains("code 70"), "{ran:?}");
    // What was made under the mask is there, and can be read again by who may say so.
    let script = "chmod -R u+rwX .stem; \"$STEM\" commit -am after; \"$STEM\" fsck --read-data";
    let ran = place.as_nobody("sh", &["-c", script]).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.as_nobody("sh", &["-c", "\"$STEM\" cat HEAD:a"]).unwrap();
    assert_eq!(ran.out, "changed", "{ran:?}");
}

#[test]
fn the_locale_and_the_terminal_change_nothing() {
    let place = Place::new();
    place.write("\u{e9}", b"");
    let plain = place.good(&["status"]);
    for (name, value) in [("LC_ALL", "C"), ("LANG", "xx_YY.bogus"), ("TERM", "dumb")] {
        let other = ran(place.command(&["status"]).env(name, value));
        assert_eq!((other.code, &other.out), (0, &plain.out), "{name}");
    }
}

#[test]
fn without_home_and_author_it_says_how_to_name_one() {
    let place = Place::new();
    place.write("a", b"changed");
    for json in [false, true] {
        let mut command = place.command(&["commit", "-am", "x"]);
        if json {
            command.arg("--json");
        }
        let ran = ran(command.env_remove("HOME").env_remove("STEM_AUTHOR"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("no author is known"), "{ran:?}");
        assert!(ran.err.contains("STEM_AUTHOR"), "{ran:?}");
        if json {
            check_document(&ran, "no author is known");
        }
    }
    assert_eq!(place.saved().0, 1);
    let read = ran(place.command(&["status"]).env_remove("HOME").env_remove("STEM_AUTHOR"));
    assert_eq!(read.code, 0, "{read:?}");
    for bad in ["Ann", "<>", "Ann <a\nb>", "\u{1b}[31m"] {
        let ran = ran(place.command(&["commit", "-am", "x"]).env("STEM_AUTHOR", bad));
        assert_eq!(ran.code, 2, "{bad:?}: {ran:?}");
    }
    for bad in ["x", "-99999999999999", "1e9", "99999999999999999999"] {
        let ran = ran(place.command(&["commit", "-am", "x"]).env("SOURCE_DATE_EPOCH", bad));
        assert_eq!(ran.code, 2, "{bad:?}: {ran:?}");
        assert!(ran.err.contains("SOURCE_DATE_EPOCH"), "{ran:?}");
    }
    assert_eq!(place.saved().0, 1);
}

#[test]
fn a_clock_before_1970_or_that_goes_backwards_is_kept() {
    let place = Place::new();
    for (number, time) in ["-1", "0", "-62135596800"].iter().enumerate() {
        put(&place.top.join("a"), time.as_bytes());
        let ran = ran(place.command(&["commit", "-am", "x"]).env("SOURCE_DATE_EPOCH", time));
        assert_eq!(ran.code, 0, "{time}: {ran:?}");
        assert_eq!(place.saved().0, number + 2);
    }
    place.is_whole();
}

#[test]
fn ctrl_c_twice_ends_it_once_and_the_same_command_goes_on() {
    let place = Place::new();
    for name in 0..4 {
        place.write(format!("big{name}"), &crate::place::noise(8 << 20));
    }
    let script =
        "\"$STEM\" add -A & job=$!; sleep 0.2; kill -INT $job; kill -INT $job; wait $job; echo $?";
    let ran = place.shell(script);
    // Where the machine is fast enough to be done by then, nothing was interrupted.
    assert!(matches!(ran.out.lines().last(), Some("130" | "0")), "{ran:?}");
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "all"]);
    assert_eq!(place.good(&["status", "--porcelain"]).out, "");
    place.is_whole();
}

#[test]
fn a_repository_of_another_user_can_be_read_and_not_changed() {
    let place = Place::new();
    place.write("a", b"changed");
    let ran = place.shell("chmod 755 .. . && chmod -R a+rX .stem && id -u");
    if ran.out.trim() != "0" {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let other = |args: &[&str]| {
        use std::os::unix::process::CommandExt;
        let mut command = place.command(args);
        crate::place::ran(command.uid(crate::place::NOBODY).gid(crate::place::NOBODY))
    };
    if std::panic::catch_unwind(|| other(&["--version"])).is_err() {
        eprintln!("skipped: another user cannot run the program where it was built");
        return;
    }
    assert_eq!(other(&["cat", "HEAD:a"]).out, "one\n");
    assert_eq!(other(&["status", "--porcelain"]).out, " M a\n");
    assert_eq!(other(&["log", "--oneline"]).out.lines().count(), 1);
    for args in [&["add", "a"][..], &["commit", "-am", "x"], &["switch", "-b", "mine"], &["undo"]] {
        let ran = other(args);
        assert_eq!(ran.code, 12, "{args:?}: {ran:?}");
    }
    assert_eq!(place.saved().0, 1);
    place.is_whole();
}

/// A catalogue that somebody deletes while a command has it open: what was said to be done is there.
#[test]
fn a_catalogue_deleted_under_a_command_is_told_and_made_again() {
    let place = Place::new();
    place.write("big", &crate::place::noise(24 << 20));
    let script = "\"$STEM\" add big & job=$!; sleep 0.2; rm -f .stem/store/catalogue.db*; wait $job; echo $?";
    let ran = place.shell(script);
    assert!(!ran.out.trim().is_empty(), "{ran:?}");
    let ran = place.run(&["status"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    assert!(ran.err.contains("stem fsck --rebuild"), "{ran:?}");
    place.good(&["fsck", "--rebuild", "--read-data"]);
    assert_eq!(place.saved().0, 1);
    assert_eq!(place.good(&["cat", "HEAD:a"]).out, "one\n");
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "goes on"]);
    place.is_whole();
}
