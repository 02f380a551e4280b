//! `doctor`: says what is wrong around a repository, and without one.

use serde_json::Value;

use crate::place::{Place, noise, overwrite, stem};

fn status<'a>(data: &'a Value, name: &str) -> &'a str {
    let checks = data["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no check `{name}`: {data:#}"));
    assert_eq!(check["status"] == "ok", check["advice"] == "", "{check:#}");
    check["status"].as_str().unwrap()
}

#[test]
fn a_sound_repository_has_no_problem() {
    let place = Place::new();
    place.write("a.bin", &noise(1, 100));
    place.commit("first");
    let (exit, data) = place.json(&["doctor"]);
    assert_eq!((exit, &data["ok"]), (0, &true.into()), "{data:#}");
    for name in ["program", "repository", "catalogue", "journal copy", "packs", "author", "index"] {
        assert_eq!(status(&data, name), "ok", "{name}");
    }
    assert!(place.ok(&["doctor"]).contains("STEM_AUTHOR"));
}

#[test]
fn what_is_wrong_is_named_and_a_problem_ends_with_1() {
    let place = Place::new();
    place.write("a.bin", &noise(1, 100));
    place.commit("first");
    overwrite(&place.store().join("tmp/0-0123456789abcdef0123456789abcdef"), b"x");
    overwrite(&place.work().join(".stem/index"), b"ruined");
    std::fs::remove_file(place.store().join("journal.jsonl")).unwrap();
    std::fs::create_dir(place.work().join(".git")).unwrap();
    std::fs::remove_file(place.work().join(".stem/.gitignore")).unwrap();
    let (exit, data) = place.json(&["doctor"]);
    assert_eq!((exit, &data["ok"]), (0, &true.into()), "{data:#}");
    for name in ["temporary files", "index", "journal copy", "git"] {
        assert_eq!(status(&data, name), "warning", "{name}");
    }
    place.write(".gitignore", b".stem/\n");
    assert_eq!(status(&place.json(&["doctor"]).1, "git"), "ok");
    overwrite(&place.store().join("catalogue.db"), b"ruined");
    let (exit, data) = place.json(&["doctor"]);
    assert_eq!((exit, &data["ok"]), (1, &false.into()));
    assert_eq!(status(&data, "catalogue"), "problem");
}

#[test]
fn outside_of_a_repository_it_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let output = stem(directory.path(), &["doctor", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(status(&document["data"], "repository"), "warning");
    let mut nobody = stem(directory.path(), &["doctor", "--json"]);
    nobody.env_remove("STEM_AUTHOR").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL", "XDG_CONFIG_HOME"] {
        nobody.env_remove(name);
    }
    let output = nobody.output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(status(&document["data"], "author"), "problem");
}
