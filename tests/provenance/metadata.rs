use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;

/// Flags, the exit code, and a part of what is said.
type Case = (&'static [&'static str], i32, &'static str);

const WRONG: &[Case] = &[
    (&["--meta-file", "deep.json"], 2, "deeper than 100"),
    (&["--meta-file", "open.json"], 2, "deeper than 100"),
    (&["--meta-file", "deep.yaml"], 2, "metadata in deep.yaml"),
    (&["--meta-file", "block.yaml"], 2, "deeper than 100"),
    (&["--meta-file", "deep.toml"], 2, "deeper than 100"),
    (&["--meta-file", "dots.toml"], 2, "deeper than 100"),
    (&["--meta-file", "large.json"], 2, "larger than 16 MiB"),
    (&["--meta-file", "large.yaml"], 2, "larger than 16 MiB"),
    (&["--meta-file", "large.toml"], 2, "larger than 16 MiB"),
    (&["--meta-file", "edge.json"], 2, "100 levels"),
    (&["--meta-file", "full.json"], 2, "16 MiB"),
    (&["--meta-file", "bomb.yaml"], 2, "anchors"),
    (&["--meta-file", "twice.yaml"], 2, "`purpose` is there twice"),
    (&["--meta-file", "twice.json"], 2, "`a` is there twice"),
    (&["--meta-file", "twice.toml"], 2, "`purpose` is there twice"),
    (&["--meta-file", "nan.yaml"], 2, "`.nan` is not a number"),
    (&["--meta-file", "nan.json"], 2, "line 1"),
    (&["--meta-file", "inf.toml"], 2, "`inf` is not a number"),
    (&["--meta-file", "list.json"], 2, "not a list of keys"),
    (&["--meta-file", "type.yaml"], 2, "languages is the text `en`, not a list"),
    (&["--meta-file", "unknown.yaml"], 2, "under `fields`"),
    (&["--meta-file", "again.yaml"], 2, "metrics[1] names `a` again"),
    (&["--meta-file", "later.yaml"], 2, "in the future"),
    (&["--meta-file", "licence.yaml"], 2, "SPDX"),
    (&["--meta-file", "absent.yaml"], 10, "absent.yaml"),
    (&["--meta-file", "a"], 2, "not named .yaml"),
    (&["--source", "uri=a,retrieved=tomorrow"], 2, "not a day"),
    (&["--source", "licence=MIT"], 2, "sources[0].uri is missing"),
    (&["--source", "uri=a,licence=GPL"], 2, "SPDX"),
    (&["--source", "uri=https://a:b@host/"], 2, "password"),
    (&["--source", "uri=a,b"], 2, "not key=value"),
    (&["--metric", "a=nan"], 2, "not a finite number"),
    (&["--metric", "a=1", "--metric", "a=2"], 2, "again"),
    (&["--metric", "a=1,slice=x", "--metric", "a=2,slice=x"], 2, "slice `x` again"),
    (&["--meta", "nothing"], 2, "not key=value"),
    (&["--meta", "a=1", "--meta", "a=2"], 2, "twice"),
    (&["--meta", "sources=x"], 2, "not one value"),
    (&["--dataset-kind", "training"], 2, "pretraining"),
    (&["--language", "English language"], 2, "not a tag"),
    (&["--step", "name=s,input=HEAD~7"], 10, "HEAD~7"),
    (&["--step", "name=s,input=nowhere@main"], 10, "nowhere"),
    (&["--step", "name=s,input=HEAD:nothing"], 10, "nothing"),
    (&["--step", "input=HEAD"], 2, "steps[0].name is missing"),
    (&["--step", "name=s,decided=me"], 2, "human"),
    (&["--step", "name=s,command=\"a 'b\""], 2, "does not end"),
];

fn put_wrong_files(bench: &Bench) {
    let deep = 100_000;
    for (name, text) in [
        ("deep.json", format!("{{\"fields\":{}{}}}", "[".repeat(deep), "]".repeat(deep))),
        ("open.json", format!("{{\"fields\":{}", "{\"a\":".repeat(deep))),
        ("deep.yaml", format!("fields: {}", "[".repeat(deep))),
        ("block.yaml", (0..300).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("deep.toml", format!("fields = {}", "[".repeat(deep))),
        ("dots.toml", format!("fields.{}a = 1", "a.".repeat(deep))),
        ("bomb.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nfields: {c: [*b, *b]}\n".into()),
        ("edge.json", format!("{{\"fields\":{{\"a\":{}{}}}}}", "[".repeat(98), "]".repeat(98))),
        ("full.json", format!("{{\"purpose\":\"{}\"}}", "x".repeat((16 << 20) - 30))),
        ("twice.yaml", "purpose: a\npurpose: b\n".into()),
        ("twice.json", r#"{"fields":{"a":1,"a":2}}"#.into()),
        ("twice.toml", "purpose = 'a'\npurpose = 'b'\n".into()),
        ("nan.yaml", "metrics: [{name: a, value: .nan}]\n".into()),
        ("nan.json", r#"{"metrics":[{"name":"a","value":NaN}]}"#.into()),
        ("inf.toml", "metrics = [{name = 'a', value = inf}]\n".into()),
        ("list.json", "[1]".into()),
        ("type.yaml", "languages: en\n".into()),
        ("unknown.yaml", "team: x\n".into()),
        ("again.yaml", "metrics: [{name: a, value: 1}, {name: a, value: 2}]\n".into()),
        ("later.yaml", "sources: [{uri: a, retrieved: 2099-01-01}]\n".into()),
        ("licence.yaml", "licence: free for all\n".into()),
    ] {
        bench.put(&format!("data/{name}"), &text);
    }
    // 100 MB without writing them.
    for name in ["large.json", "large.yaml", "large.toml"] {
        bench.put(&format!("data/{name}"), "");
        let path = bench.path(&format!("data/{name}"));
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(100_000_000).unwrap();
    }
}

/// Every way to say something wrong: a clear error, the right exit code, and nothing recorded.
#[test]
fn what_is_wrong_is_refused_and_nothing_is_recorded() {
    let bench = Bench::new(&["data"]);
    put_wrong_files(&bench);
    let before = bench.entries();
    for &(flags, code, part) in WRONG {
        let begun = Instant::now();
        let arguments = [&["commit", "--allow-empty", "-m", "x"], flags].concat();
        let (ended, error) = bench.ask("data", &arguments);
        let message = error.to_string();
        assert_eq!(ended, code, "{flags:?}: {message}");
        assert!(message.contains(part), "{flags:?}: {message}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{flags:?}: {:?}", begun.elapsed());
        assert_eq!(bench.entries(), before, "{flags:?} was recorded");
    }
    let (code, seen) = bench.ask("data", &["meta", "validate", "again.yaml"]);
    assert_eq!((code, &seen["ok"]), (1, &json!(false)));
    let (code, seen) = bench.ask("data", &["meta", "validate", "deep.json"]);
    assert_eq!((code, &seen["problems"][0]["at"]), (1, &json!("")));
}

#[test]
fn flags_and_the_three_kinds_of_files_say_the_same() {
    let bench = Bench::new(&["data"]);
    bench.put(
        "data/m.yaml",
        "purpose: test\nlanguages: [en]\nlicence: MIT\nfields: {team: x, n: 2}\n\
         sources: [{uri: 'a:b', retrieved: 2026-11-01, note: 'a, b'}]\n\
         metrics: [{name: rate, value: 12, unit: '%', slice: en}]\n\
         steps: [{name: s, command: [sh, -c, 'a b'], inputs: ['HEAD:a'], decided: human}]\n",
    );
    bench.put(
        "data/m.toml",
        "purpose = 'test'\nlanguages = ['en']\nlicence = 'MIT'\nfields = {team = 'x', n = 2}\n\
         sources = [{uri = 'a:b', retrieved = 2026-11-01, note = 'a, b'}]\n\
         metrics = [{name = 'rate', value = 12, unit = '%', slice = 'en'}]\n\
         [[steps]]\nname = 's'\ncommand = ['sh', '-c', 'a b']\ninputs = ['HEAD:a']\n\
         decided = 'human'\n",
    );
    bench.put(
        "data/m.json",
        r#"{"purpose":"test","languages":["en"],"licence":"MIT","fields":{"team":"x","n":2},
        "sources":[{"uri":"a:b","retrieved":"2026-11-01T00:00:00Z","note":"a, b"}],
        "metrics":[{"name":"rate","value":12,"unit":"%","slice":"en"}],
        "steps":[{"name":"s","command":["sh","-c","a b"],"inputs":["HEAD:a"],
        "decided":"human"}]}"#,
    );
    let flags = [
        "--purpose=test",
        "--language=en",
        "--licence=MIT",
        "--meta=team=x",
        "--meta=n=2",
        "--source=uri=a:b,retrieved=2026-11-01,note=\"a, b\"",
        "--metric=rate=12%,slice=en",
        "--step=name=s,command=\"sh -c 'a b'\",input=HEAD:a,decided=human",
    ];
    let ways: [&[&str]; 4] =
        [&flags, &["--meta-file=m.yaml"], &["--meta-file=m.toml"], &["--meta-file=m.json"]];
    let start = bench.head("data");
    let mut ids = Vec::new();
    for way in ways {
        bench.must("data", &["reset", "--soft", &start]);
        bench.must("data", &[&["commit", "--allow-empty", "-m", "x"], way].concat());
        ids.push(bench.head("data"));
    }
    let shown = bench.show("data", "HEAD");
    let provenance = &shown["provenance"];
    assert_eq!(provenance["steps"][0]["inputs"][0], format!("data@{start}:a"));
    assert_eq!(provenance["sources"][0]["retrieved"], "2026-11-01T00:00:00Z");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // A flag has the last word on one value, and adds to lists.
    let more = ["--meta-file=m.yaml", "--purpose=other", "--metric=rows=1", "--meta=n=3"];
    bench.must("data", &[&["commit", "--allow-empty", "-m", "y"], &more[..]].concat());
    let provenance = bench.show("data", "HEAD")["provenance"].take();
    assert_eq!(provenance["purpose"], "other");
    assert_eq!(provenance["fields"], json!({"team": "x", "n": 3}));
    assert_eq!(provenance["metrics"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_said_later_never_changes_the_version() {
    let bench = Bench::new(&["data"]);
    bench.must("data", &["commit", "--allow-empty", "-m", "x", "--purpose=a", "--meta=team=x"]);
    let version = bench.head("data");
    let (code, done) =
        bench.ask("data", &["meta", "set", "HEAD", "purpose=b", "team=null", "n=1", "licence=MIT"]);
    assert_eq!((code, &done["version"]), (0, &json!(version)));
    let value = json!({"purpose": "b", "licence": "MIT", "fields": {"n": 1}});
    assert_eq!(bench.ask("data", &["meta", "get", "HEAD"]).1["value"], value);
    assert_eq!(bench.ask("data", &["meta", "get", "HEAD", "purpose"]).1["value"], "b");
    assert_eq!(bench.ask("data", &["meta", "get", "HEAD", "n"]).1["value"], 1);
    assert_eq!(bench.ask("data", &["meta", "get", "HEAD", "team"]).0, 1);
    let shown = bench.show("data", &version);
    assert_eq!(shown["provenance"], json!({"purpose": "a", "fields": {"team": "x"}}));
    let records = shown["records"].as_array().unwrap();
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| record["kind"] == "meta" && record["number"].is_u64()));
    // The next version takes over what is said now.
    bench.must("data", &["commit", "--allow-empty", "-m", "y", "--keep-meta", "--metric=a=1"]);
    let next = bench.show("data", "HEAD")["provenance"].take();
    let metric = json!([{"name": "a", "value": 1.0}]);
    let expected = json!({"purpose": "b", "licence": "MIT", "fields": {"n": 1}, "metrics": metric});
    assert_eq!(next, expected);
    bench.must("data", &["commit", "--allow-empty", "-m", "z", "--keep-meta"]);
    assert_eq!(bench.show("data", "HEAD")["provenance"], value);
    let before = bench.entries();
    for (pairs, part) in [
        (&["licence=mine"][..], "SPDX"),
        (&["purpose"], "not key=value"),
        (&["metrics=1"], "not one value"),
        (&["n=1", "n=2"], "twice"),
        (&["dataset_kind=x", "n=2"], "pretraining"),
    ] {
        let (code, error) = bench.ask("data", &[&["meta", "set", "HEAD"], pairs].concat());
        assert_eq!(code, 2, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    bench.must("data", &["meta", "set", "HEAD", "n=9", "--dry-run"]);
    assert_eq!(bench.entries(), before);
}

#[test]
fn steps_are_told_later_but_never_in_a_circle() {
    let bench = Bench::new(&["raw", "clean"]);
    let raw = bench.head("raw");
    bench.must("clean", &["commit", "--allow-empty", "-m", "two", "--step=name=s,input=raw@main"]);
    let clean = bench.head("clean");
    let add = |revision: &str, input: &str| {
        bench.ask("clean", &["step", "add", revision, "--name", "later", "--input", input])
    };
    // raw was used for clean, so clean cannot have been used for raw; nor anything for itself.
    let before = bench.entries();
    for (revision, input) in [("raw@main", "HEAD"), ("HEAD", "HEAD"), ("HEAD~1", "HEAD")] {
        let (code, error) = add(revision, input);
        assert_eq!((code, &error["code"]), (2, &json!("cycle")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(&clean[..12]), "{error}");
    }
    let (code, error) = add("HEAD", "raw@main~3");
    assert_eq!(code, 10, "{error}");
    assert_eq!(add("nothing", "HEAD").0, 10);
    assert_eq!(bench.entries(), before);
    // A circle of two records, where no version says anything itself.
    bench.must("raw", &["switch", "-q", "-b", "side"]);
    bench.must("raw", &["commit", "--allow-empty", "-m", "side"]);
    bench.must("raw", &["step", "add", "HEAD", "--name", "x", "--input", "clean@main"]);
    let (code, error) = add("HEAD", "raw@side");
    assert_eq!((code, &error["code"]), (2, &json!("cycle")), "{error}");
    let done = bench.ask(
        "clean",
        &[
            "step",
            "add",
            "HEAD",
            "--name=t",
            "--input=raw@main:a",
            "--command=a 'b c'",
            "--param=n=1",
            "--decided=assisted",
            "--with=exit_code=0,code.commit=abc",
        ],
    );
    let step = json!({
        "name": "t", "inputs": [format!("raw@{raw}:a")], "command": ["a", "b c"],
        "parameters": {"n": 1}, "decided": "assisted", "exit_code": 0,
        "code": {"commit": "abc", "dirty": false, "untracked": 0},
    });
    assert_eq!((done.0, &done.1["step"]), (0, &step));
    assert_eq!(bench.head("clean"), clean);
    let steps = bench.ask("clean", &["step", "list"]).1["steps"].take();
    assert_eq!((&steps[0]["record"], &steps[1]["step"]), (&Value::Null, &step));
    assert_eq!(bench.ask("clean", &["step", "show", "HEAD", "2"]).1["step"], step);
    assert_eq!(bench.ask("clean", &["step", "show", "HEAD", "3"]).0, 10);
    assert_eq!(bench.ask("clean", &["step", "show", "HEAD"]).0, 2);
}

/// Two commands at once, each of which is right alone.
#[test]
fn steps_that_are_told_at_once_never_close_a_circle() {
    let bench = Bench::new(&["raw", "clean"]);
    for round in 0..5 {
        for place in ["raw", "clean"] {
            bench
                .must(place, &["commit", "-q", "--allow-empty", "-m", &format!("{place} {round}")]);
        }
        // Both worktrees are of the one store, and each locks only its own.
        let add = |place: &str, input: &str| {
            let words = ["--json", "step", "add", "HEAD", "--name", "s", "--input", input];
            bench.command(place, &words).spawn().unwrap()
        };
        let running = [add("raw", "clean@main"), add("clean", "raw@main")];
        let mut ended: Vec<_> = running
            .into_iter()
            .map(|child| crate::bench::answer(&child.wait_with_output().unwrap()))
            .collect();
        ended.sort_by_key(|(code, _)| *code);
        assert_eq!((ended[0].0, ended[1].0), (0, 2), "{ended:?}");
        assert_eq!(ended[1].1["code"], "cycle", "{ended:?}");
    }
}

#[test]
fn what_comes_from_another_version_says_so() {
    let bench = Bench::new(&["data", "other"]);
    let first = bench.head("data");
    let from = |revision: &str| bench.show("data", revision)["provenance"]["derived_from"].clone();
    let derived = |dataset: &str, version: &str, how: &str| json!([{"from": format!("{dataset}@{version}"), "how": how}]);
    bench.put("data/b", "two\n");
    bench.must("data", &["add", "-A"]);
    bench.must("data", &["commit", "-m", "two"]);
    let second = bench.head("data");
    bench.must("data", &["revert", &second]);
    assert_eq!(from("HEAD"), derived("data", &second, "revert"));
    bench.must("data", &["cherry-pick", &second]);
    assert_eq!(from("HEAD"), derived("data", &second, "cherry-pick"));
    bench.must("data", &["rollback", "main", &first, "-m", "why"]);
    assert_eq!(from("HEAD"), derived("data", &first, "rollback"));
    // A merge of the same dataset says it by its parents, one of another dataset also in words.
    bench.put("other/c", "three\n");
    bench.must("other", &["add", "-A"]);
    bench.must("other", &["commit", "-m", "three"]);
    bench.must("data", &["merge", "other@main"]);
    assert_eq!(from("HEAD"), derived("other", &bench.head("other"), "merge"));
    // With a conflict in between.
    bench.must("data", &["switch", "-b", "side", &second]);
    bench.put("data/b", "mine\n");
    bench.must("data", &["commit", "-a", "-m", "mine"]);
    bench.put("other/b", "theirs\n");
    bench.must("other", &["add", "-A"]);
    bench.must("other", &["commit", "-m", "theirs"]);
    let (code, _) = bench.ask("data", &["cherry-pick", "other@main"]);
    assert_eq!(code, 4);
    bench.must("data", &["add", "b"]);
    bench.put("data/b", "both\n");
    bench.must("data", &["add", "b"]);
    bench.must("data", &["cherry-pick", "--continue"]);
    assert_eq!(from("HEAD"), derived("other", &bench.head("other"), "cherry-pick"));
}

#[test]
fn the_template_and_the_schema_come_with_the_program() {
    let bench = Bench::new(&["data"]);
    bench.put("data/t.yaml", &bench.must("data", &["meta", "template"]));
    assert_eq!(bench.ask("data", &["meta", "validate", "t.yaml"]).0, 0);
    let schema: Value = serde_json::from_str(&bench.must("data", &["meta", "schema"])).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(bench.ask("data", &["meta", "validate", "HEAD"]).0, 0);
    assert_eq!(bench.ask("data", &["meta", "validate", "nothing"]).0, 10);
    assert_eq!(bench.ask("data", &["meta", "validate", "nothing.yaml"]).0, 10);
}
