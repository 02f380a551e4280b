//! Archives: others can read them, every damage is named, and what comes back is what went in.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop"
)]

#[allow(dead_code, reason = "shared with tests/keep")]
#[path = "keep/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use place::{Place, noise, overwrite, stem};

fn files_below(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_path_buf();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Two versions with every kind of file and name.
fn filled() -> (Place, String) {
    let place = Place::new();
    place.write("a.csv", b"id\n1\n2\n");
    place.write("d/e/with space.txt", b"text\n");
    place.write("d/per%cent.txt", b"odd\n");
    place.write("d/new\nline", b"odder\n");
    place.write("empty", b"");
    place.write("big.bin", &noise(5, 300_000));
    std::os::unix::fs::symlink("a.csv", place.work().join("link")).unwrap();
    place.commit("first");
    place.write("a.csv", b"id\n1\n2\n3\n");
    let version = place.commit("second");
    (place, version)
}

fn archived() -> (Place, String, PathBuf) {
    let (place, version) = filled();
    let bag = place.directory.path().join("bag");
    let (exit, data) = place.json(&["archive", "create", "main", bag.to_str().unwrap()]);
    assert_eq!(exit, 0);
    assert_eq!(data["version"], version);
    assert_eq!(data["files"], 7);
    (place, version, bag)
}

fn verify(bag: &Path) -> (i32, Value) {
    // Beside the bag lies no repository.
    let output = stem(bag.parent().unwrap(), &["archive", "verify", "--json"]).arg(bag).output();
    let output = output.unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), document["data"].clone())
}

fn problems(data: &Value) -> Vec<&str> {
    let all = data["problems"].as_array().unwrap();
    all.iter().map(|one| one["path"].as_str().unwrap()).collect()
}

fn python(bag: &Path, arguments: &[&str]) -> Output {
    Command::new("python3").args(arguments).current_dir(bag).output().unwrap()
}

#[test]
fn an_archive_is_read_by_those_who_have_only_python() {
    let (place, version, bag) = archived();
    let (exit, data) = verify(&bag);
    assert_eq!((exit, &data["ok"], &data["files"]), (0, &Value::Bool(true), &7.into()), "{data:#}");
    for arguments in [&["verify.py"][..], &["verify.py", "--blake3"]] {
        let output = python(&bag, arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert_eq!(text, format!("{version}: 0 problems\n"));
    }
    assert_eq!(std::fs::read(bag.join("data/files/a.csv")).unwrap(), b"id\n1\n2\n3\n");
    // A change is seen by the script too, and by the right name.
    overwrite(&bag.join("data/files/a.csv"), b"id\n1\n2\n4\n");
    let output = python(&bag, &["verify.py"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("data/files/a.csv: "));
    place.assert_sound();
}

/// `STEM_VENV` names a virtual environment with PyPI's `bagit` (`tests/run`).
#[test]
fn an_archive_is_a_valid_bag_to_the_library_of_congress() {
    let has_bagit = |venv: &PathBuf| {
        let tried = Command::new(venv.join("bin/python")).args(["-c", "import bagit"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let venv = std::env::var_os("STEM_VENV").map(PathBuf::from).filter(has_bagit);
    let Some(venv) = venv else {
        let needed = std::env::var_os("STEM_NEED_VALIDATORS").is_some();
        assert!(!needed, "STEM_VENV names no virtual environment with bagit");
        eprintln!("skipped: STEM_VENV names no virtual environment with bagit");
        return;
    };
    let script = "import bagit, sys; bag = bagit.Bag(sys.argv[1]); bag.validate(); \
        print(bag.info['External-Identifier'])";
    let ask = |bag: &Path| {
        let mut command = Command::new(venv.join("bin/python"));
        command.args(["-c", script]).arg(bag).output().unwrap()
    };
    let (_place, version, bag) = archived();
    let output = ask(&bag);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), version);
    overwrite(&bag.join("data/files/empty"), b"!");
    assert!(!ask(&bag).status.success(), "the harness must see damage");
}

#[test]
fn every_flipped_cut_missing_or_added_file_is_named() {
    let (_place, _, bag) = archived();
    for (name, bytes) in files_below(&bag) {
        let (path, name) = (bag.join(&name), name.to_str().unwrap().to_owned());
        let places = [0, bytes.len() / 2, bytes.len().saturating_sub(1)];
        for at in places.into_iter().filter(|at| *at < bytes.len()) {
            for bit in [0, 5, 7] {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                overwrite(&path, &other);
                let (exit, data) = verify(&bag);
                let named = problems(&data).contains(&name.as_str());
                assert!(exit == 13 && named, "{name} {at} {bit}: {data:#}");
            }
        }
        overwrite(&path, &bytes[..bytes.len() / 2]);
        let expected = if bytes.is_empty() { 0 } else { 13 };
        let (exit, data) = verify(&bag);
        assert_eq!(exit, expected, "{name} cut: {data:#}");
        std::fs::remove_file(&path).unwrap();
        // Without `bagit.txt` it is no bag at all.
        if name == "bagit.txt" {
            let output = stem(&bag, &["archive", "verify", "."]).output().unwrap();
            assert_eq!(output.status.code(), Some(10));
        } else {
            let (exit, data) = verify(&bag);
            assert!(exit == 13 && problems(&data).contains(&name.as_str()), "{name}: {data:#}");
        }
        overwrite(&path, &bytes);
    }
    for added in ["data/files/more", "stem/more", "more", "tagmanifest-md5.txt"] {
        overwrite(&bag.join(added), b"more\n");
        let (exit, data) = verify(&bag);
        assert!(exit == 13 && problems(&data).contains(&added), "{added}: {data:#}");
        std::fs::remove_file(bag.join(added)).unwrap();
    }
    let (real, link) = (bag.join("data/files/a.csv"), bag.join("data/files/elsewhere"));
    std::fs::rename(&real, &link).unwrap();
    std::os::unix::fs::symlink("elsewhere", &real).unwrap();
    assert_eq!(problems(&verify(&bag).1).first(), Some(&"data/files/a.csv"));
}

/// Makes every digest right again after files were changed, as a forger would.
const RESEAL: &str = r#"
import sys
sys.argv = ["verify.py"]
exec(open("verify.py").read().split("def main")[0])
for kind in ("manifest", "tagmanifest"):
    for algorithm, at in (("sha256", 0), ("blake3", 1)):
        name = "%s-%s.txt" % (kind, algorithm)
        lines = read_manifest(name)
        with open(name, "w") as file:
            for one in sorted(lines):
                digests = sha256(open(one, "rb")), blake3_python(open(one, "rb"))
                file.write("%s  %s\n" % (digests[at], one))
"#;

/// Changes of what an archive says of the journal, each with every hash made right again.
const FORGED: [&str; 4] = [
    r#"
import io, json
exec(open("verify.py").read().split("def main")[0])
lines = open("stem/journal.jsonl").read().splitlines()
changed = []
for line in lines:
    known = json.loads(line)["hash"]
    line = line.replace('"subject":"', '"subject":"other ', 1)
    plain = line.replace(',"hash":"%s"' % known, "", 1).encode()
    changed.append(line.replace(known, blake3_python(io.BytesIO(plain)), 1))
assert changed != lines
open("stem/journal.jsonl", "w").write("".join(one + "\n" for one in changed))
"#,
    r#"
lines = open("stem/journal-proofs.jsonl").read().splitlines()
open("stem/journal-proofs.jsonl", "w").write("".join(one + "\n" for one in lines[1:] + lines[:1]))
"#,
    r#"
lines = open("stem/journal.jsonl").read().splitlines()
open("stem/journal.jsonl", "w").write("".join(one + "\n" for one in lines[1:]))
"#,
    r#"
text = open("stem/checkpoint.note").read().split("\n")
text[1] = str(int(text[1]) * 2)
open("stem/checkpoint.note", "w").write("\n".join(text))
"#,
];

#[test]
fn the_journal_in_an_archive_is_proven_to_be_part_of_the_whole() {
    let (place, _, unsigned) = archived();
    let (_, data) = verify(&unsigned);
    assert_eq!((&data["journal"]["key"], data["journal"]["size"].is_u64()), (&Value::Null, true));
    // With a key the checkpoint is signed.
    let (_, made) = place.json(&["key", "generate"]);
    let id = made["key"]["id"].as_str().unwrap().to_owned();
    let (key, bag) = (place.ok(&["key", "export", &id]), place.directory.path().join("signed"));
    place.ok(&["archive", "create", "main", bag.to_str().unwrap()]);
    let (exit, data) = verify(&bag);
    assert_eq!((exit, data["journal"]["key"].as_str()), (0, Some(id.as_str())), "{data:#}");
    assert!(data["journal"]["entries"].as_u64().unwrap() >= 2, "{data:#}");
    let by = |key: &str| {
        let command = &["archive", "verify", bag.to_str().unwrap(), "--key", key];
        stem(place.directory.path(), command).output().unwrap().status.code()
    };
    assert_eq!(by(key.trim()), Some(0));
    let stranger = stemmata::sign::SecretKey::from_seed(&[1; 32]).public().to_line("");
    assert_eq!(by(&stranger), Some(13));
    let names = ["stem/journal.jsonl", "stem/journal-proofs.jsonl", "stem/checkpoint.note"];
    let before = names.map(|name| std::fs::read(bag.join(name)).unwrap());
    for change in FORGED {
        for script in [change, RESEAL] {
            let output = python(&bag, &["-c", script]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let (exit, data) = verify(&bag);
        assert_eq!(exit, 13, "{change}");
        assert!(problems(&data).iter().all(|one| names.contains(one)), "{data:#}");
        let output = python(&bag, &["verify.py"]);
        assert_eq!(output.status.code(), Some(1), "{change}: the script sees it as well");
        for (name, bytes) in names.iter().zip(&before) {
            overwrite(&bag.join(name), bytes);
        }
    }
    assert!(python(&bag, &["-c", RESEAL]).status.success());
    assert_eq!(verify(&bag).0, 0, "as it was");
}

/// Who changes a file and every digest of it has still another version.
#[test]
fn a_forgery_with_right_digests_is_not_the_version() {
    let (place, _, bag) = archived();
    let forge = r#"
import hashlib, subprocess, sys
sys.argv = ["verify.py"]
source = open("verify.py").read()
exec(source.split("def main")[0])
path = "data/files/a.csv"
old = open(path, "rb").read()
open(path, "wb").write(old.replace(b"3", b"4"))
def digests(name):
    return sha256(open(name, "rb")), blake3_python(open(name, "rb"))
for kind in ("manifest", "tagmanifest"):
    for algorithm, at in (("sha256", 0), ("blake3", 1)):
        name = "%s-%s.txt" % (kind, algorithm)
        lines = read_manifest(name)
        with open(name, "w") as file:
            for one in sorted(lines):
                file.write("%s  %s\n" % (digests(one)[at], one))
"#;
    let output = python(&bag, &["-c", forge]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (exit, data) = verify(&bag);
    assert_eq!((exit, problems(&data)), (13, vec!["data/files/a.csv"]), "{data:#}");
    let output = place.run(&["archive", "restore", bag.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(13));
}

#[test]
fn what_comes_back_is_the_same_version_in_any_store() {
    let (place, version, bag) = archived();
    let bag = bag.to_str().unwrap();
    let before = place.ok(&["ls", "-r", "-l", &version]);
    let other = Place::new();
    let (exit, data) = other.json(&["archive", "restore", bag, "--dataset", "back"]);
    assert_eq!((exit, &data["version"]), (0, &Value::from(version.as_str())), "{data:#}");
    assert_eq!(data["absent_parents"].as_array().unwrap().len(), 1);
    assert_eq!(other.ok(&["ls", "-r", "-l", "back@main"]), before);
    let (_, log) = other.json(&["log", "back@main"]);
    assert_eq!(log["versions"].as_array().unwrap().len(), 1, "history begins here");
    other.assert_sound();
    other.ok(&["gc", "-y", "--grace", "0s"]);
    other.assert_sound();
    other.ok(&["fsck", "--rebuild"]);
    other.assert_sound();
    let exported = other.directory.path().join("out");
    other.ok(&["export", "back@main", exported.to_str().unwrap()]);
    let plain = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
        files.retain(|path, _| !path.starts_with(".stem"));
        files
    };
    assert_eq!(plain(files_below(&exported)), plain(files_below(&place.work())));
    // Again, and back where it came from, changes nothing that counts.
    other.ok(&["archive", "restore", bag, "--dataset", "back"]);
    place.ok(&["archive", "restore", bag]);
    assert_eq!(place.ok(&["ls", "-r", "-l", &version]), before);
    place.assert_sound();
}

#[test]
fn what_was_dropped_is_gone_here_and_comes_back_whole() {
    let (place, version, bag) = archived();
    let bag = bag.to_str().unwrap();
    assert_eq!(place.run(&["archive", "drop", "main", "--archive", bag]).status.code(), Some(2));
    place.ok(&["state", "set", "work", "retired", "--reason", "over"]);
    place.ok(&["hold", "place", "work:a.csv", "--case", "17", "--reason", "claim"]);
    let held = place.run(&["archive", "drop", "main", "--archive", bag]);
    assert_eq!(held.status.code(), Some(15));
    assert!(String::from_utf8_lossy(&held.stderr).contains("case 17"));
    let (_, holds) = place.json(&["hold", "list"]);
    let id = holds["holds"][0]["id"].as_str().unwrap().to_owned();
    place.ok(&["hold", "release", &id, "--reason", "settled"]);
    let wrong = place.run(&["archive", "drop", "main~1", "--archive", bag]);
    assert_eq!(wrong.status.code(), Some(13), "another version's archive");
    let (exit, data) = place.json(&["archive", "drop", "main", "--archive", bag]);
    assert_eq!((exit, &data["files"], &data["kept_files"]), (0, &1.into(), &5.into()), "{data:#}");
    place.ok(&["gc", "-y", "--grace", "0s"]);
    place.assert_sound();
    let gone = place.run(&["cat", "main:a.csv"]);
    assert_eq!(gone.status.code(), Some(19));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("archive restore"));
    assert_eq!(place.ok(&["cat", "main~1:a.csv"]), "id\n1\n2\n");
    let (_, log) = place.json(&["log", "-n", "1"]);
    assert_eq!(
        (&log["versions"][0]["state"], &log["versions"][0]["version"]),
        (&"archived".into(), &version.as_str().into())
    );
    place.ok(&["archive", "restore", bag]);
    assert_eq!(place.ok(&["cat", "main:a.csv"]), "id\n1\n2\n3\n");
    assert_eq!(place.json(&["state", "show", "main"]).1["state"], "retired");
    place.assert_sound();
}

/// Killed at any moment, nothing has the archive's name that is not whole, and the same command
/// goes on to the same end.
#[test]
fn an_archive_is_there_whole_or_not_at_all_however_its_making_is_killed() {
    let (place, _) = filled();
    for number in 0..40 {
        place.write(&format!("more/{number}.bin"), &noise(number + 50, 100_000));
    }
    place.commit("more");
    let bag = place.directory.path().join("bag");
    let command = || stem(&place.work(), &["archive", "create", "main", bag.to_str().unwrap()]);
    let mut killed = 0;
    for number in 0..14_u64 {
        let mut child = command().stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(4 + number * 13));
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        child.wait().unwrap();
        if bag.exists() {
            let (exit, data) = verify(&bag);
            assert_eq!(exit, 0, "{data:#}");
            std::fs::remove_dir_all(&bag).unwrap();
        }
        place.assert_sound();
    }
    assert!(killed > 3, "only {killed} kills");
    assert!(command().status().unwrap().success());
    assert_eq!(verify(&bag).0, 0);
    let beside: Vec<_> = std::fs::read_dir(place.directory.path()).unwrap().collect();
    assert_eq!(beside.len(), 2, "nothing unfinished is left: {beside:?}");
}

#[test]
fn what_is_in_the_way_stays_untouched() {
    let (place, _, bag) = archived();
    let before = files_below(&bag);
    let again = place.run(&["archive", "create", "main~1", bag.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(files_below(&bag), before);
    let unfinished = place.directory.path().join(".new.unfinished-archive");
    std::fs::create_dir_all(unfinished.join("bag")).unwrap();
    overwrite(&unfinished.join("bag/mine"), b"mine");
    let new = place.directory.path().join("new");
    let refused = place.run(&["archive", "create", "main", new.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(unfinished.join("bag/mine").exists() && !new.exists());
}

/// Makes every digest of a bag right again, after a change of its list of entries.
const RELIST: &str = r#"
import json, sys
source = open("verify.py").read()
sys.argv = ["verify.py"]
exec(source.split("def main")[0])
lines = [json.loads(line) for line in open("stem/entries.jsonl", encoding="utf-8")]
for line in lines:
    if line.get("path") == "a.csv":
        line["presence"] = {"state": "replaced", "size": line["size"], "by": line["file"],
                            "by_size": line["size"], "certificate": CERTIFICATE}
with open("stem/entries.jsonl", "w", encoding="utf-8") as file:
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
for algorithm, at in (("sha256", 0), ("blake3", 1)):
    name = "tagmanifest-%s.txt" % algorithm
    digests = lambda one: (sha256(open(one, "rb")), blake3_python(open(one, "rb")))[at]
    names = sorted(read_manifest(name))
    with open(name, "w", encoding="utf-8") as file:
        for one in names:
            file.write("%s  %s\n" % (digests(one), one))
"#;

/// Restored, it would keep the store from being opened, or have its files looked for elsewhere.
#[test]
fn a_certificate_that_could_not_be_one_is_not_taken_from_an_archive() {
    let (_place, _, bag) = archived();
    let id = "0".repeat(64);
    for certificate in ["a\0b", "../../../secret", &id[1..], &id] {
        let script = RELIST.replace("CERTIFICATE", &format!("{certificate:?}"));
        let output = python(&bag, &["-c", &script]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let other = Place::new();
        let bag_name = bag.to_str().unwrap();
        let restored = other.run(&["archive", "restore", bag_name, "--dataset", "back"]);
        let said = String::from_utf8_lossy(&restored.stderr);
        let opened = other.run(&["status"]);
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        // The last one could be a certificate, under which a file is given in its own place.
        assert_eq!(restored.status.code(), Some(13), "{said}");
        let (exit, data) = verify(&bag);
        assert_eq!((exit, problems(&data)), (13, vec!["stem/entries.jsonl"]), "{data:#}");
    }
}

/// A clock at one of whose looks something else happens.
struct Meanwhile {
    looks: std::sync::atomic::AtomicU32,
    at: u32,
    happens: Box<dyn Fn() + Send + Sync>,
}

impl stemmata::model::Clock for Meanwhile {
    fn now(&self) -> stemmata::model::Time {
        if self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == self.at {
            (self.happens)();
        }
        stemmata::model::Time::from_unix(1_795_443_000).unwrap()
    }
}

/// A worktree that stages a file just then relies on it as much as one that did before.
#[test]
fn what_somebody_stages_while_it_is_dropped_stays() {
    let (place, _, bag) = archived();
    place.ok(&["state", "set", "work", "retired", "--reason", "over"]);
    let other = place.directory.path().join("other");
    let store = place.store().to_string_lossy().into_owned();
    place.ok(&["init", "-q", "--store", &store, "--dataset", "other", other.to_str().unwrap()]);
    let staging = other.clone();
    // It looks at the clock once it knows what nothing else needs, and is about to say so.
    let clock = Meanwhile {
        looks: 0.into(),
        at: 0,
        happens: Box::new(move || {
            let done = stem(&staging, &["restore", "-S", "-s", "work@main", "."]).output();
            assert!(done.unwrap().status.success());
        }),
    };
    let environment = stemmata::repo::Environment {
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        clock: std::sync::Arc::new(clock),
        ..Default::default()
    };
    let repository = stemmata::repo::Repository::open_to_write(&place.work(), environment).unwrap();
    let dropped = stemmata::ops::archive::leave(&repository, "main", &bag, false).unwrap();
    drop(repository);
    assert_eq!((dropped.files, dropped.kept_files), (0, 6));
    assert!(stem(&other, &["commit", "-q", "-m", "kept"]).status().unwrap().success());
    let content = stem(&other, &["cat", "HEAD:a.csv"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&content.stdout), "id\n1\n2\n3\n");
    place.assert_sound();
}

/// Whoever is about to record a file with that content has not stored it: it was there.
#[test]
fn what_somebody_adds_while_it_is_dropped_stays() {
    let (place, _, bag) = archived();
    place.ok(&["state", "set", "work", "retired", "--reason", "over"]);
    let other = place.directory.path().join("other");
    let store = place.store().to_string_lossy().into_owned();
    place.ok(&["init", "-q", "--store", &store, "--dataset", "other", other.to_str().unwrap()]);
    overwrite(&other.join("mine.csv"), b"id\n1\n2\n3\n");
    let work = place.work();
    let happens = move || {
        let drop = ["archive", "drop", "main", "--archive", bag.to_str().unwrap()];
        assert!(stem(&work, &drop).status().unwrap().success());
    };
    let clock = Meanwhile { looks: 0.into(), at: 0, happens: Box::new(happens) };
    let environment = stemmata::repo::Environment {
        author: Some("Ann Example <ann@example.org>".parse().unwrap()),
        clock: std::sync::Arc::new(clock),
        ..Default::default()
    };
    let repository = stemmata::repo::Repository::open_to_write(&other, environment).unwrap();
    let options = stemmata::ops::add::AddOptions { paths: vec![Vec::new()], ..Default::default() };
    stemmata::ops::add::add(&repository, &options).unwrap();
    drop(repository);
    assert!(stem(&other, &["commit", "-q", "-m", "mine"]).status().unwrap().success());
    place.ok(&["gc", "-y", "--grace", "0s"]);
    let content = stem(&other, &["cat", "HEAD:mine.csv"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&content.stdout), "id\n1\n2\n3\n");
    place.assert_sound();
}
