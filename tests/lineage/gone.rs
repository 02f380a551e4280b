//! What is handed out of histories in which content was erased, redacted, archived or retired.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::documents::{Story, schemas, validators};

/// `raw` has lost a file and a record of two tables, which `clean` was made of; `eval` lies in an
/// archive only. Each step is an hour later than the one before.
const GONE: &str = r#"
set -e
at() { export SOURCE_DATE_EPOCH=$((1767312000 + 3600 * $1)); }
at 0
for name in raw clean eval; do stem init -q $name --store store --dataset $name; done
stem -C raw key generate > /dev/null
stem -C raw key trust "$(ls "$PWD"/.config/stem/keys/*.pub)" --role custodian --role approver > /dev/null
cd raw
cp "$FIXTURES/small.parquet" t.parquet
seq 40 | sed 's/.*/{"id":&,"text":"text number &"}/' > people.jsonl
(echo id,text; seq 40 | sed 's/.*/&,"text, number &"/') > people.csv
printf 'kept\n' > kept.txt
printf 'name,secret\nx,a canary that must go\n' > secret.csv
at 1; stem add -q -A; stem commit -q -m Received --source 'uri=https://example.org/a,licence=CC-BY-4.0'
cd ../clean
at 2; stem run -q -i raw@main:people.jsonl -o part.jsonl -m Cleaned -- sh -c 'head -20 ../raw/people.jsonl > part.jsonl'
cd ../eval
printf '{"question":1}\n' > e.jsonl; stem add -q -A
at 3; stem commit -q -m Sampled --step 'name=sample,input=clean@main,output=e.jsonl'
stem consumer add helper --kind model --used clean@main=train --used eval@main=evaluation > /dev/null
erase() { stem erase run "$(stem erase plan "$@" --reason asked --json | grep -o '"plan":"[0-9a-f]*' | head -1 | cut -d'"' -f4)" > /dev/null; }
at 5; erase --path secret.csv --dataset raw
at 6; erase --key id=3
at 7; stem classify eval core --reason measured --reviewer Bo > /dev/null
stem retire run "$(stem retire plan eval --core-to ../bags --aux keep --json | grep -o '"plan":"[0-9a-f]*' | head -1 | cut -d'"' -f4)" > /dev/null
at 9; stem archive drop eval@main --archive ../bags/eval-* > /dev/null
cd ..; mkdir out
"#;

fn gone() -> Story {
    let story = Story { directory: tempfile::tempdir().unwrap() };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables");
    let told = story.run(&format!("FIXTURES='{}'\n{GONE}", fixtures.display()));
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    story
}

impl Story {
    /// What `stem` says in `raw`, which must be JSON.
    fn asked(&self, words: &str) -> Value {
        let told = self.run(&format!("cd raw && stem {words}"));
        assert!(told.status.success(), "{words}: {}", String::from_utf8_lossy(&told.stderr));
        serde_json::from_slice(&told.stdout).unwrap()
    }

    fn kept(&self, words: &str, file: &str) {
        let told = self.run(&format!("cd raw && stem {words} > ../out/{file}"));
        assert!(told.status.success(), "{words}: {}", String::from_utf8_lossy(&told.stderr));
    }
}

/// Paths relative to the card are those that `export` writes, and what it does not write is not
/// among them: a loader would look for it in vain, and the standard wants a digest of every file.
#[test]
fn croissant_names_what_export_writes() {
    let story = gone();
    for (dataset, paths, absent) in [
        (
            "raw",
            &["kept.txt", "people.csv", "people.jsonl", "t.parquet"][..],
            "partly erased: 1 file",
        ),
        ("clean", &["part.jsonl"], "null"),
        ("eval", &[], "archived: 1 file"),
    ] {
        let card = story.asked(&format!("card {dataset}@main --format croissant"));
        story.run(&format!("cd raw && stem export {dataset}@main ../out/{dataset}"));
        let mut said = Vec::new();
        for object in card["distribution"].as_array().unwrap() {
            let path = object["contentUrl"].as_str().unwrap();
            let at = story.file(dataset).join(path);
            let size = std::fs::metadata(&at).unwrap().len();
            assert_eq!(object["contentSize"], format!("{size} B"), "{dataset}:{path}");
            let sum = story.run(&format!("sha256sum '{}'", at.display())).stdout;
            let sum = String::from_utf8_lossy(&sum[..64]);
            assert_eq!(object["sha256"], *sum, "{dataset}:{path}");
            said.push(path);
        }
        assert_eq!(said, paths, "{dataset}");
        let limits = card["rai:dataLimitations"].to_string();
        assert!(limits.contains(absent), "{dataset}: {limits}");
    }
    let card = story.asked("card raw@main --format croissant");
    let sets = card["recordSet"].as_array().unwrap();
    let tables: Vec<_> = sets.iter().map(|set| set["name"].clone()).collect();
    assert_eq!(tables, ["people.csv", "people.jsonl", "t.parquet"]);
}

#[test]
fn mlcroissant_loads_what_is_left() {
    let Some(venv) = validators() else { return };
    let story = gone();
    for (revision, rows) in [
        ("raw@main", json!({"people.csv": 39, "people.jsonl": 39, "t.parquet": 4})),
        ("clean@main", json!({"part.jsonl": 19})),
        ("eval@main", json!({})),
    ] {
        story.run("rm -rf out");
        story.run(&format!("cd raw && stem export {revision} ../out; mkdir -p ../out"));
        story.kept(&format!("card {revision} --format croissant"), "croissant.json");
        let found = story.validate(&venv, "croissant", "croissant.json", &[]).unwrap();
        assert_eq!(found["rows"], rows, "{revision}");
        let mut command = Command::new(venv.join("bin/mlcroissant"));
        command.args(["validate", "--jsonld"]).arg(story.file("croissant.json"));
        let told = command.env("HOME", story.directory.path()).output().unwrap();
        assert!(told.status.success(), "{revision}: {}", String::from_utf8_lossy(&told.stderr));
    }
}

/// What became of content is known from the day on which it happened, in every form.
#[test]
fn lineage_as_of_a_day_says_what_was_gone_by_then() {
    let story = gone();
    let erased = "[partly erased: 1 file]";
    for (hour, raw, eval) in
        [(4, "", ""), (6, erased, ""), (8, erased, "[retired]"), (9, erased, "[archived: 1 file]")]
    {
        let then = format!("lineage eval@main --as-of 2026-01-02T0{hour}:00:00Z");
        for format in ["text", "dot", "mermaid"] {
            let told = story.run(&format!("cd raw && stem {then} --format {format}"));
            let text = String::from_utf8_lossy(&told.stdout).into_owned();
            for (dataset, words) in [("raw@", raw), ("eval@", eval)] {
                let line = text.lines().find(|line| line.contains(dataset)).unwrap();
                assert!(line.contains(words), "{then}: {text}");
                let others = ["partly", "retired", "archived"];
                let other = |word: &&str| line.contains(*word) && !words.contains(*word);
                assert!(!others.iter().any(other), "{then}: {line}");
            }
        }
        let graph = story.asked(&format!("{then} --json"));
        for (dataset, words) in [("raw", raw), ("eval", eval)] {
            let nodes = graph["data"]["nodes"].as_array().unwrap();
            let is_it = |node: &&Value| node["kind"] == "version" && node["dataset"] == dataset;
            let words = words.trim_start_matches('[').split_once(':');
            let presence = words.map_or("present", |(presence, _)| presence);
            assert_eq!(nodes.iter().find(is_it).unwrap()["presence"], presence, "{then}");
        }
    }
    let told = story.run("cd raw && stem lineage raw@main --as-of 2026-01-01");
    assert_eq!(String::from_utf8_lossy(&told.stdout), "Nothing was known of it then.\n");
}

#[test]
fn prov_and_openlineage_hold_for_what_is_gone() {
    let (Some(venv), Some(schemas)) = (validators(), schemas()) else { return };
    let story = gone();
    for target in ["raw@main", "clean@main", "eval@main", "raw@main:secret.csv", "consumer:helper"]
    {
        for then in ["", " --as-of 2026-01-02T04:00:00Z", " --as-of 2026-01-02T08:00:00Z"] {
            let words = format!("lineage {target}{then}");
            story.kept(&format!("{words} --format prov"), "prov.json");
            let found = story.validate(&venv, "prov", "prov.json", &[]).unwrap();
            assert!(found["ProvEntity"].as_u64() >= Some(3), "{words}: {found}");
            story.kept(&format!("{words} --format openlineage"), "events.jsonl");
            story.validate(&venv, "openlineage", "events.jsonl", &[&schemas]).unwrap();
        }
    }
}

/// In an archive the document lies in `stem/` and the files beside it, under names that any system
/// can have.
#[test]
fn croissant_in_an_archive_can_be_loaded_there() {
    let story = gone();
    story.run("cd raw && printf 'x\\n' > $'odd\\xff' && stem add -q -A && stem commit -q -m odd");
    let made = story.run("cd raw && stem archive create raw@main ../out/bag");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let card = std::fs::read(story.file("bag/stem/croissant.json")).unwrap();
    let card: Value = serde_json::from_slice(&card).unwrap();
    let files = card["distribution"].as_array().unwrap();
    assert_eq!(files.len(), 5, "{card}");
    for object in files {
        let place = story.file("bag/stem").join(object["contentUrl"].as_str().unwrap());
        let sum = story.run(&format!("sha256sum '{}'", place.display())).stdout;
        assert_eq!(object["sha256"], *String::from_utf8_lossy(&sum[..64]), "{object}");
    }
    let Some(venv) = validators() else { return };
    let found = story.validate(&venv, "croissant", "bag/stem/croissant.json", &[]).unwrap();
    let rows = json!({"people.csv": 39, "people.jsonl": 39, "t.parquet": 4});
    assert_eq!(found["rows"], rows);
}

/// A version was made first and went later: the event that made it does not say that it is gone.
#[test]
fn openlineage_tells_of_the_end_at_its_time() {
    let story = gone();
    let told = story.run("cd raw && stem lineage eval@main --format openlineage");
    let mut changes = Vec::new();
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let time = event["eventTime"].as_str().unwrap()[11..13].to_owned();
        let none = Vec::new();
        let outputs = event["outputs"].as_array().unwrap_or(&none).iter();
        for dataset in outputs.chain(event.get("dataset")) {
            let change = &dataset["facets"]["lifecycleStateChange"]["lifecycleStateChange"];
            let (name, change) = (dataset["name"].as_str().unwrap(), change.as_str().unwrap());
            changes.push(format!("{time} {name} {change}"));
        }
    }
    changes.dedup();
    let expected =
        ["01 raw CREATE", "02 clean CREATE", "03 eval CREATE", "05 raw ALTER", "09 eval DROP"];
    assert_eq!(changes, expected);
    let graph = story.asked("lineage eval@main --json");
    let nodes = graph["data"]["nodes"].as_array().unwrap();
    let eval = nodes.iter().find(|node| node["dataset"] == "eval" && node["kind"] == "version");
    assert_eq!(eval.unwrap()["absent_since"], "2026-01-02T09:00:00Z");
}

/// What is only archived can come back, and the advice is to bring it.
#[test]
fn what_is_archived_is_not_called_erased() {
    let story = gone();
    for words in ["export eval@main ../x", "cat eval@main:e.jsonl"] {
        let told = story.run(&format!("cd raw && stem {words}"));
        assert_eq!(told.status.code(), Some(19), "{words}");
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(said.contains("hint: `stem archive restore` brings it back"), "{words}: {said}");
    }
}

/// Which version had which tag, as far as a document says so anywhere.
fn tagged(value: &Value, found: &mut std::collections::BTreeSet<(String, String)>) {
    if let Some(tags) = value["tags"]["tags"].as_array() {
        let version = value["version"]["datasetVersion"].as_str().unwrap();
        for tag in tags.iter().filter(|tag| tag["key"] == "tag") {
            found.insert((version.to_owned(), tag["value"].as_str().unwrap().to_owned()));
        }
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| tagged(one, found)),
        Value::Object(all) => all.values().for_each(|one| tagged(one, found)),
        _ => {}
    }
}

/// A tag that was made, moved or removed later is told of as it was then.
#[test]
fn openlineage_as_of_a_day_names_the_tags_of_that_day() {
    let story = Story { directory: tempfile::tempdir().unwrap() };
    let told = story.run(
        "set -e; at() { export SOURCE_DATE_EPOCH=$((1767312000 + 3600 * $1)); }
         at 0; stem init -q raw; cd raw; echo 1 > a; stem add -q a; stem commit -q -m one
         echo 2 > a; stem commit -q -a -m two
         at 2; stem tag moves HEAD~1 > /dev/null; stem tag goes HEAD~1 > /dev/null
         at 4; stem tag -d moves > /dev/null; stem tag moves HEAD > /dev/null
         at 6; stem tag -d goes > /dev/null; stem tag late HEAD > /dev/null",
    );
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let id = |revision: &str| {
        let shown = story.asked(&format!("show {revision} --json"));
        shown["data"]["version"].as_str().unwrap().to_owned()
    };
    let (one, two) = (id("HEAD~1"), id("HEAD"));
    for (then, expected) in [
        (" --as-of 2026-01-02T01:00:00Z", vec![]),
        (" --as-of 2026-01-02T02:00:00Z", vec![(&one, "goes"), (&one, "moves")]),
        (" --as-of 2026-01-02T05:00:00Z", vec![(&one, "goes"), (&two, "moves")]),
        (" --as-of 2026-01-02T06:00:00Z", vec![(&two, "late"), (&two, "moves")]),
        ("", vec![(&two, "late"), (&two, "moves")]),
    ] {
        let told = story.run(&format!("cd raw && stem lineage HEAD{then} --format openlineage"));
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let mut found = std::collections::BTreeSet::new();
        for line in String::from_utf8(told.stdout).unwrap().lines() {
            tagged(&serde_json::from_str(line).unwrap(), &mut found);
        }
        let expected = expected.into_iter().map(|(id, tag)| (id.clone(), tag.to_owned()));
        assert_eq!(found, expected.collect(), "{then}");
    }
}
