//! Reading content out of the store leaves an entry, where one can be written.

use crate::place::Place;

#[test]
fn an_export_is_journaled_with_what_was_read_and_where_to() {
    let (place, _) = Place::with_key();
    let version = place.commit("first");
    let to = place.path("out").to_str().unwrap().to_owned();
    let before = place.json(&["audit", "verify"]).1["entries"].clone();
    place.ok(&["export", "HEAD", &to, "-n"]);
    assert_eq!(place.json(&["audit", "verify"]).1["entries"], before, "nothing was read");
    let (_, done) = place.json(&["export", "HEAD", &to]);
    assert_eq!(done["journaled"], true);
    let entry = place.json(&["audit", "log", "-n", "1"]).1["entries"][0].clone();
    assert_eq!(entry["action"], "export");
    assert_eq!(entry["subject"], format!("work@{version}"));
    let record = &entry["detail"]["changes"][0]["record"];
    assert_eq!((&record["kind"], &record["body"]["destination"]), (&"read".into(), &to.into()));
    place.ok(&["undo"]);
    assert_eq!(place.json(&["audit", "verify"]).0, 0, "an export is nothing to take back");
}

/// Mounts the worktree for reading, then exports. Needs the right to mount.
const READ_ONLY: &str = "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" || {
    echo skipped; exit 0; }
exec \"$STEM\" export HEAD \"$TO\"";

#[test]
fn a_store_that_can_only_be_read_is_read_with_a_warning() {
    let (place, _) = Place::with_key();
    place.commit("first");
    let mut command = std::process::Command::new("unshare");
    command.args(["-Urm", "sh", "-c", READ_ONLY]).current_dir(place.work());
    command.env("STEM", env!("CARGO_BIN_EXE_stem")).env("TO", place.path("out"));
    command.env("STEM_AUTHOR", crate::place::ANN).env("HOME", place.directory.path());
    let Ok(output) = command.output() else {
        eprintln!("skipped: `unshare` is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if out.contains("skipped") || said.contains("unshare") {
        eprintln!("skipped: no right to mount: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(said.contains("can only be read"), "{said}");
    assert_eq!(std::fs::read(place.path("out/file")).unwrap(), b"first");
}
