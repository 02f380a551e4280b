//! The tables of what the documents have at least.

use serde_json::Value;

use crate::place::Place;
use crate::{busy, words};

/// A verb as it is typed, the schema of its answer, and the fields that must be there: `[]` goes
/// into every element of a list, which must have some.
const ANSWERS: &[(&str, &str, &[&str])] = &[
    ("init", "init", &["repository", "store", "dataset", "branch"]),
    ("datasets", "datasets", &["datasets[].name", "datasets[].current"]),
    (
        "status",
        "status",
        &["branch", "head", "clean", "staged[].path", "staged[].change", "changed[].path"],
    ),
    ("status", "status", &["changed[].change", "untracked[].path", "untracked[].change"]),
    ("add -A", "add", &["added[]", "modified[]"]),
    (
        "commit -m fourth",
        "commit",
        &["version", "manifest", "parents[]", "branch", "files", "bytes", "changed.added"],
    ),
    ("commit -m fifth --allow-empty", "commit", &["changed.modified", "changed.deleted"]),
    (
        "commit -m sixth --allow-empty",
        "commit",
        &["stored.new_bytes", "stored.new_chunks", "stored.reused_bytes"],
    ),
    (
        "log",
        "log",
        &["versions[].version", "versions[].parents", "versions[].author", "versions[].time"],
    ),
    ("log -n 2", "log", &["versions[].message", "versions[].branch_names", "versions[].tags"]),
    ("log --graph --oneline -- a", "log", &["versions[].files", "versions[].bytes"]),
    ("show", "show", &["version", "parents", "author", "time", "message", "branch_names"]),
    ("show v1", "show", &["tags[]", "files", "bytes", "manifest", "provenance", "records"]),
    ("show HEAD:a", "show", &["entries[].path", "entries[].file"]),
    ("diff HEAD~4 HEAD", "diff", &["from", "to", "changes[].path", "changes[].change"]),
    ("diff v1 side", "diff", &["changes[].new.file", "changes[].new.size", "changes[].old"]),
    ("diff side v1 --stat", "diff", &["changes[].old.file", "changes[].old.size"]),
    ("diff v1..side --name-status", "diff", &["totals.added", "totals.modified"]),
    ("diff v1 side -- s", "diff", &["totals.deleted", "totals.renamed", "totals.bytes_added"]),
    ("diff v1 side -- s", "diff", &["totals.bytes_removed"]),
    ("branch", "branch", &["branches[].name", "branches[].version", "branches[].current"]),
    ("branch fresh v1", "branch", &["branches[].name"]),
    ("branch -m fresh renamed", "branch", &["branches[].name"]),
    ("branch -d renamed", "branch", &["branches[].name"]),
    ("tag", "tag", &["tags[].name", "tags[].version", "tags[].current"]),
    ("tag v2 side", "tag", &["tags[].name"]),
    ("ls", "ls", &["entries[].path", "entries[].kind", "entries[].size", "entries[].presence"]),
    ("ls HEAD -r -l", "ls", &["entries[].file"]),
    ("ls v1 d", "ls", &["entries[].path"]),
    ("du", "du", &["logical_bytes", "stored_bytes", "unique_bytes", "shared_bytes"]),
    ("du v1", "du", &["objects", "packs"]),
    (
        "fsck",
        "fsck",
        &["checked.versions", "checked.manifests", "checked.files", "checked.chunks", "ok"],
    ),
    ("fsck --quick", "fsck", &["checked.packs", "checked.bytes", "damaged", "missing"]),
    ("fsck --read-data", "fsck", &["erased", "ok"]),
    ("gc", "gc", &["removed.chunks", "removed.bytes", "removed.packs", "kept", "dry_run"]),
    ("mv a z", "mv", &["renamed[].from", "renamed[].to"]),
    ("restore --staged a z", "restore", &["staged[]"]),
    ("rm --cached m", "rm", &["removed[]"]),
    ("restore a", "restore", &[]),
    ("checkout -- a", "checkout", &["branch", "version", "restored", "staged"]),
    ("switch -- a", "switch", &["branch", "version", "restored", "staged"]),
    ("reset --hard HEAD", "reset", &["version", "branch"]),
    ("switch side", "switch", &["branch", "version"]),
    ("checkout main", "checkout", &["branch", "version", "written", "removed"]),
    ("merge side -m joined", "merge", &["version", "conflicts"]),
    ("revert side", "revert", &["version"]),
    ("cherry-pick side", "cherry-pick", &["version"]),
    ("rollback main v1 -m \"too far\"", "rollback", &["version"]),
    ("undo", "undo", &["action"]),
    ("reflog", "reflog", &["entries[].new", "entries[].time", "entries[].action"]),
    ("reset --soft HEAD~1", "reset", &["version"]),
    ("reset HEAD", "reset", &["version"]),
    ("export v1 ../out", "export", &["files", "bytes", "version"]),
    ("config set user.name Ann", "config", &["key", "value"]),
    ("config get user.name", "config", &["value"]),
    ("config list", "config", &["settings"]),
    ("doctor", "doctor", &["checks[].name"]),
    ("bisect start", "bisect", &["state"]),
    ("bisect good v1", "bisect", &["state"]),
    ("bisect bad side", "bisect", &["state"]),
    ("bisect reset", "bisect", &["state"]),
];

#[test]
fn every_answer_is_one_document_with_the_fields_that_are_promised() {
    let place = busy();
    for (line, schema, fields) in ANSWERS {
        let document = answer(&place, line);
        assert_eq!(document["schema"], format!("stem.{schema}/1"), "{line}");
        assert_eq!(document.as_object().unwrap().len(), 2, "{line}: {document:#}");
        for field in *fields {
            must_have(&document["data"], field, line);
        }
        lawful("", &document["data"], line);
    }
    place.is_whole();
}

/// The words of changes are these and no others.
#[test]
fn changes_are_added_modified_deleted_or_renamed() {
    let place = Place::new();
    place.write("stays", b"stays as it is\n");
    place.write("goes", b"goes away\n");
    place.good(&["add", "-A"]);
    place.good(&["commit", "-m", "more"]);
    place.good(&["mv", "stays", "moved"]);
    place.good(&["rm", "goes"]);
    place.write("a", b"changed\n");
    place.write("fresh", b"fresh\n");
    place.good(&["add", "-A"]);
    let staged = |data: &Value, list: &str| {
        let changes = data[list].as_array().unwrap().iter();
        let mut words: Vec<_> = changes
            .map(|it| {
                format!("{} {}", it["change"].as_str().unwrap(), it["path"].as_str().unwrap())
            })
            .collect();
        words.sort();
        words
    };
    let expected = ["added fresh", "deleted goes", "modified a", "renamed moved"];
    assert_eq!(staged(&place.json(&["status"]), "staged"), expected);
    place.good(&["commit", "-m", "all kinds"]);
    assert_eq!(staged(&place.json(&["diff", "HEAD~1", "HEAD"]), "changes"), expected);
    let porcelain = place.good(&["diff", "HEAD~1", "HEAD", "--name-status"]).out;
    assert_eq!(porcelain, "M\ta\nA\tfresh\nD\tgoes\nR\tstays\tmoved\n");
}

fn answer(place: &Place, line: &str) -> Value {
    let mut args = vec!["--json".to_owned()];
    args.extend(words(line));
    let ran = place.run(&args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}: {ran:?}");
    assert_eq!(ran.out.lines().count(), 1, "{line}: {ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{line}: {error}: {ran:?}"))
}

fn must_have(data: &Value, field: &str, line: &str) {
    let (name, rest) = field.split_once('.').unwrap_or((field, ""));
    let found = data.get(name.trim_end_matches("[]"));
    let found = found.unwrap_or_else(|| panic!("{line}: no {name} in {data:#}"));
    let each: Vec<&Value> = match name.ends_with("[]") {
        true => {
            found.as_array().unwrap_or_else(|| panic!("{line}: {name} is no list")).iter().collect()
        }
        false => vec![found],
    };
    assert!(!each.is_empty(), "{line}: {name} is empty");
    if !rest.is_empty() {
        each.into_iter().for_each(|one| must_have(one, rest, line));
    }
}

/// Ids are whole, times are in UTC, sizes are numbers, wherever they stand.
fn lawful(key: &str, value: &Value, line: &str) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| lawful(key, value, line)),
        Value::Array(items) => items.iter().for_each(|item| lawful(key, item, line)),
        Value::String(text) => {
            let is_id = matches!(
                key,
                "version"
                    | "manifest"
                    | "parents"
                    | "head"
                    | "file"
                    | "to"
                    | "new"
                    | "other"
                    | "newest"
            );
            if is_id && line != "mv a z" {
                let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                assert!(text.len() == 64 && hex, "{line}: {key} is {text}");
            }
            if matches!(key, "time" | "created") {
                let time: jiff_free::Moment =
                    text.parse().unwrap_or_else(|()| panic!("{line}: {key} is {text}"));
                assert!(time.year > 2000, "{line}: {text}");
            }
            assert!(!matches!(key, "size" | "bytes" | "files"), "{line}: {key} is {text}");
        }
        _ => {}
    }
}

/// Just enough to know a time in UTC when it is seen.
mod jiff_free {
    pub(super) struct Moment {
        pub(super) year: u32,
    }

    impl std::str::FromStr for Moment {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            let shape: String =
                text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            match shape.as_str() {
                "0000-00-00T00:00:00Z" => Ok(Self { year: text[..4].parse().map_err(drop)? }),
                _ => Err(()),
            }
        }
    }
}
