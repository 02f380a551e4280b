//! An address of a person goes from every version of a history that comes from Git.
//!
//! `STEM_GIT_COMMITS` says how many commits the history has; 60 by default.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::place::{Place, has};

/// What must go. It is in a table, in JSON lines and in text; and never the author of a commit,
/// because who made a version is part of its id.
const ADDRESS: &str = "eve.marlow@private.example.net";

fn commits() -> usize {
    std::env::var("STEM_GIT_COMMITS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// A Git repository in which branches come and go, people join and leave, and the files change a
/// little in every commit, as `git fast-import` reads it.
fn stream(commits: usize) -> String {
    let mut dice = Dice::new(9);
    let mut text = String::new();
    // For each branch its people, and the mark of its newest commit.
    let mut branches: BTreeMap<&str, (Vec<u32>, usize)> = BTreeMap::new();
    let mail = |id: u32| match id {
        13 => ADDRESS.to_owned(),
        id => format!("person{id}@example.org"),
    };
    for mark in 1..=commits {
        let branch = *dice.pick(&["main", "main", "side", "topic"]);
        let branch = if branches.is_empty() { "main" } else { branch };
        let base = branches.get("main").cloned().unwrap_or(((0..200).collect(), 0));
        let (mut people, parent) = branches.get(branch).cloned().unwrap_or(base);
        let other = *dice.pick(&["main", "side", "topic"]);
        let merged = branches.get(other).filter(|(_, mark)| *mark != parent && dice.below(5) == 0);
        if let Some((theirs, _)) = merged {
            people.extend(theirs);
            people.sort_unstable();
            people.dedup();
        }
        match dice.below(3) {
            0 => people.push(200 + mark as u32),
            _ => drop(people.remove(dice.below(people.len()))),
        }
        // She comes and goes.
        people.retain(|id| *id != 13);
        if mark % 7 != 0 {
            people.insert(people.len().min(13), 13);
        }
        let jsonl: String = people
            .iter()
            .map(|id| format!("{{\"id\":{id},\"email\":\"{}\",\"n\":\"{id:x}\"}}\n", mail(*id)))
            .collect();
        let rows: String = people.iter().map(|id| format!("{id},{},{mark}\n", mail(*id))).collect();
        let csv = format!("id,email,seen\n{rows}");
        let names: String =
            people.iter().map(|id| format!("* Person {id} <{}>\n", mail(*id))).collect();
        let plain = format!("Thanks to\n\n{names}\nin {mark} steps.\n");
        let message = format!("Step {mark}\n");
        text += &format!("commit refs/heads/{branch}\nmark :{mark}\n");
        let author =
            format!("A{} <a{}@example.org> {} +0000\n", mark % 17, mark % 17, 1_700_000_000 + mark);
        text += &format!("author {author}committer {author}data {}\n{message}", message.len());
        if parent > 0 {
            text += &format!("from :{parent}\n");
        }
        if let Some((_, theirs)) = merged {
            text += &format!("merge :{theirs}\n");
        }
        for (path, bytes) in
            [("users.jsonl", &jsonl), ("data/seen.csv", &csv), ("CONTRIBUTORS", &plain)]
        {
            text += &format!("M 100644 inline {path}\ndata {}\n{bytes}\n", bytes.len());
        }
        text.push('\n');
        branches.insert(branch, (people, mark));
    }
    text
}

/// Every file of every version, as it is given out.
fn exported(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let script = "rm -rf ../out && mkdir ../out && for v in $(stem log --all --json \
                  | grep -o '\"version\":\"[0-9a-f]*\"' | cut -d'\"' -f4 | sort -u); \
                  do stem export -q $v ../out/$v; done";
    place.must(script);
    let top = place.top().join("out");
    let (mut files, mut open) = (BTreeMap::new(), vec![top.clone()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&top).unwrap().display().to_string();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    place.must("rm -rf ../out");
    files
}

/// The same without the lines that hold the address.
fn without(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !has(line, ADDRESS.as_bytes())).collect::<Vec<_>>().concat()
}

#[test]
fn an_address_goes_from_every_version_of_an_imported_history() {
    let place = Place::new();
    let commits = commits();
    std::fs::write(place.top().join("stream"), stream(commits)).unwrap();
    place.must(
        "git init -q -b main ../git && git -C ../git fast-import --quiet < ../stream && rm ../stream \
         && stem init -q --dataset people && stem key generate > /dev/null && stem import git ../git",
    );
    let merges = place.must("git -C ../git log --all --merges --oneline | wc -l");
    assert!(merges.trim().parse::<usize>().unwrap() * 20 > commits, "{merges} merges");
    let before = exported(&place);
    let versions = place.must("stem log --all --json | grep -o '\"version\":\"[0-9a-f]*\"'");
    assert_eq!(versions.lines().count(), commits);
    let held = before.values().filter(|bytes| has(bytes, ADDRESS.as_bytes())).count();
    assert!(held > commits, "{held}");
    place.must("rm -rf ../git");
    // By the field in tables, then by the text in whatever has lines.
    for ask in [format!("--key email={ADDRESS}"), format!("--containing {ADDRESS}")] {
        let id = place.erase(&ask);
        place.must(&format!("stem erase verify {id}"));
    }
    assert_eq!(place.places(ADDRESS.as_bytes()), Vec::<String>::new());
    let after = exported(&place);
    assert_eq!(before.len(), after.len());
    for (path, bytes) in &before {
        assert!(after[path] == without(bytes), "{path}");
    }
    let now = place.must("stem log --all --json | grep -o '\"version\":\"[0-9a-f]*\"'");
    assert_eq!(versions, now, "ids stay");
    place.must("stem fsck --read-data && stem gc -q -y --grace 0s && stem fsck --rebuild");
    assert_eq!(place.places(ADDRESS.as_bytes()), Vec::<String>::new());
    eprintln!("{commits} commits, {} files, {held} of them with the address", before.len());
}

/// What was erased does not come back by importing the same history again, or more of it.
#[test]
fn importing_again_brings_nothing_back() {
    let place = Place::new();
    std::fs::write(place.top().join("stream"), stream(12)).unwrap();
    place.must(
        "git init -q -b main ../git && git -C ../git fast-import --quiet < ../stream && rm ../stream \
         && stem init -q --dataset people && stem key generate > /dev/null && stem import git ../git",
    );
    for ask in [format!("--key email={ADDRESS}"), format!("--containing {ADDRESS}")] {
        place.erase(&ask);
    }
    let git = place.top().join("git");
    place.must(
        "git -C ../git checkout -q main && cd ../git && git log --oneline > more.txt && git add more.txt \
         && git -c user.name=a -c user.email=a@example.org commit -q -m more",
    );
    let again = place.run("stem import git ../git");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(matches!(again.status.code(), Some(0 | 3 | 19)), "{:?} {said}", again.status.code());
    // A new store object with a record that was erased, under another version.
    place.must("cd ../git && echo x >> users.jsonl && git -c user.name=a -c user.email=a@example.org commit -q -a -m x");
    let again = place.run("stem import git ../git");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(matches!(again.status.code(), Some(0 | 3 | 19)), "{:?} {said}", again.status.code());
    std::fs::remove_dir_all(git).unwrap();
    place.must("rm -f users.jsonl data/seen.csv CONTRIBUTORS");
    assert_eq!(place.places(ADDRESS.as_bytes()), Vec::<String>::new(), "{said}");
    place.must("stem fsck --read-data");
}

/// A line that stands in a version's message too, as those who signed a commit off do: it goes from
/// the files, and stays in the version and the catalogue's copy of it, which the certificate says.
#[test]
fn who_signed_a_version_off_can_be_erased_from_files() {
    let place = Place::new();
    place.must(
        "stem init -q && stem key generate > /dev/null && git init -q -b main ../git && cd ../git && \
         (seq 1 20; echo 'Eve Marlow-Longname <eve.marlow@private.example.net>'; seq 21 40) > AUTHORS && \
         git add AUTHORS && git -c user.name='Eve Marlow-Longname' \
         -c user.email=eve.marlow@private.example.net commit -q -m one -m 'Signed-off-by: Eve Marlow-Longname <eve.marlow@private.example.net>' && cd ../data && \
         stem import git ../git -q",
    );
    let id = place.erase("--containing eve.marlow@private.example.net");
    place.must(&format!("stem erase verify {id}"));
    let shown = place.must(&format!("stem certificate show {id}"));
    assert!(
        shown.contains("authors, messages or paths of versions, which cannot change"),
        "{shown}"
    );
    let now = place.must("stem cat main:AUTHORS");
    assert_eq!(now, (1..=40).map(|n| format!("{n}\n")).collect::<String>());
}
