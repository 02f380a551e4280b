//! A catalogue that is none, a store that cannot be written, a disk that is full.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::place::{Place, check_document, noise, put};

fn catalogue(place: &Place) -> PathBuf {
    place.top.join(".stem/store/catalogue.db")
}

/// With other bytes at an offset of the catalogue, every verb says so, and changes nothing.
fn with_catalogue(change: impl Fn(&mut Vec<u8>), words: &str) {
    let place = Place::new();
    let file = catalogue(&place);
    let good = fs::read(&file).unwrap();
    let mut bad = good.clone();
    change(&mut bad);
    put(&file, &bad);
    for args in [&["status"][..], &["log"], &["add", "-A"], &["commit", "-m", "x"], &["undo"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 13, "{args:?}: {ran:?}");
        assert!(ran.err.contains(words), "{args:?}: {ran:?}");
        let ran = place.run(&[&["--json"], args].concat());
        check_document(&ran, words);
    }
    assert!(fs::read(&file).unwrap() == bad, "the file was changed");
    put(&file, &good);
    assert_eq!(place.saved().0, 1);
    place.is_whole();
}

#[test]
fn a_random_file_is_no_catalogue() {
    with_catalogue(|bytes| *bytes = noise(8192), "catalogue");
    with_catalogue(|bytes| *bytes = b"hello\n".to_vec(), "catalogue");
}

#[test]
fn another_applications_database_is_no_catalogue() {
    with_catalogue(|bytes| bytes[68..72].copy_from_slice(&7_u32.to_be_bytes()), "catalogue");
}

#[test]
fn a_catalogue_of_a_newer_program_is_left_alone() {
    with_catalogue(|bytes| bytes[60..64].copy_from_slice(&99_u32.to_be_bytes()), "newer");
}

#[test]
fn a_catalogue_that_is_gone_is_named_and_not_made_anew() {
    let place = Place::new();
    fs::rename(catalogue(&place), place.dir.path().join("kept")).unwrap();
    for args in [&["status"][..], &["add", "-A"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 10, "{ran:?}");
        assert!(!catalogue(&place).exists());
    }
    fs::rename(place.dir.path().join("kept"), catalogue(&place)).unwrap();
    place.is_whole();
}

#[test]
fn a_settings_file_that_is_not_understood_is_named() {
    let place = Place::new();
    let file = place.top.join(".stem/config.toml");
    let good = fs::read_to_string(&file).unwrap();
    for bad in ["", "format = 2\n", "\u{0}", &good.replace("format = 1", "format = 9")] {
        put(&file, bad.as_bytes());
        let ran = place.run(&["status"]);
        assert_eq!(ran.code, 13, "{bad:?}: {ran:?}");
        assert!(ran.err.contains("config.toml"), "{ran:?}");
    }
    put(&file, good.as_bytes());
    place.is_whole();
}

#[test]
fn an_index_that_is_damaged_costs_time_and_no_data() {
    let place = Place::new();
    let index = place.top.join(".stem/index");
    let good = fs::read(&index).unwrap();
    place.write("a", b"changed");
    let expected = place.good(&["status", "-z"]).out;
    for bad in [Vec::new(), b"STEMINDX".to_vec(), noise(500), good[..good.len() - 1].to_vec()] {
        put(&index, &bad);
        assert_eq!(place.good(&["status", "-z"]).out, expected);
    }
    fs::remove_file(&index).unwrap();
    place.good(&["commit", "-am", "second"]);
    place.is_whole();
}

#[test]
fn a_store_that_may_not_be_written_is_refused_and_can_be_read() {
    let place = Place::new();
    place.write("a", b"changed");
    let store = place.top.join(".stem/store");
    place.give_away();
    let mut closed = vec![store.clone()];
    let below = |dir: &PathBuf| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    closed.extend(below(&store).filter(|path| path.is_dir()).collect::<Vec<_>>());
    let set = |mode: u32| {
        for dir in &closed {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0o555);
    let stem = crate::place::STEM;
    let Some(ran) = place.as_nobody(stem, &["add", "-A"]) else { return };
    assert_eq!(ran.code, 12, "{ran:?}");
    let ran = place.as_nobody(stem, &["--json", "commit", "-am", "x"]).unwrap();
    assert_eq!(ran.code, 12, "{ran:?}");
    check_document(&ran, "");
    set(0o755);
    let ran = place.as_nobody(stem, &["commit", "-am", "x"]).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// The whole test, inside of a mount namespace of its own.
const FULL: &str = r#"
set -u
mount -t tmpfs -o size=3m tmpfs "$FULL" || { echo skipped: no tmpfs; exit 0; }
rm -rf .stem
"$STEM" init --store "$FULL/store" --dataset full || exit 21
"$STEM" add a && "$STEM" commit -m first || exit 22
"$STEM" add big 2> err
code=$?
test $code = 18 || { cat err; echo "add ended with $code"; exit 23; }
grep -q "free some space" err || exit 24
"$STEM" --json add big 2> err
test $? = 18 && grep -q '"no_space"' err || exit 25
"$STEM" fsck --read-data || exit 26
"$STEM" commit -m none && exit 27
rm big
echo small > small
"$STEM" add small && "$STEM" commit -m second || exit 28
# Now to the last byte: what is refused is refused, what was said to be done is there.
cat /dev/zero > "$FULL/filler" 2> /dev/null
n=0
while test $n -lt 12; do
    echo "$n" > small
    "$STEM" commit -am "full $n" > out 2> err
    code=$?
    case $code in
        0) echo done ;;
        18) echo full ;;
        *) cat err; echo "commit ended with $code"; exit 29 ;;
    esac
    n=$((n + 1))
done
rm "$FULL/filler"
"$STEM" fsck --read-data || exit 30
echo last > small
"$STEM" commit -am last || exit 31
test "$("$STEM" cat HEAD:small)" = last || exit 32
test "$("$STEM" cat HEAD:a)" = one || exit 33
echo passed
"#;

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let place = Place::new();
    let full = place.dir.path().join("full");
    fs::create_dir(&full).unwrap();
    place.write("big", &noise(6 << 20));
    let mut command = place.around("unshare", &["-Urm", "sh", "-c", FULL]);
    let ran = crate::place::ran(command.env("FULL", &full));
    if ran.out.contains("skipped") || ran.err.contains("unshare") {
        eprintln!("skipped: no mount namespace here: {ran:?}");
        return;
    }
    assert!(ran.code == 0 && ran.out.contains("passed"), "{ran:?}");
}
