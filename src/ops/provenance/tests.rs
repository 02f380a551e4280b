use serde_json::{Map, Value, json};

use super::check::Check;
use super::fields::{CODE, DERIVATION, METRIC, PROVENANCE, SOURCE, STEP};
use super::shape::{Fields, Shape};
use super::{Flaw, TEMPLATE, schema};
use crate::format::document::{Syntax, parse};
use crate::model::{Provenance, Time};

fn now() -> Time {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn checked(document: &Value) -> (Map<String, Value>, Vec<Flaw>) {
    let mut map = document.as_object().unwrap().clone();
    let mut check = Check::new(now());
    check.document(&mut map);
    (map, check.flaws())
}

fn sha() -> String {
    "AB".repeat(32)
}

#[test]
fn good_documents_are_read_as_they_are_written() {
    for good in good() {
        let (map, flaws) = checked(&good);
        assert_eq!(flaws, [], "{good}");
        // What names a revision is not resolved here.
        if good.get("derived_from").is_none() {
            let read: Provenance = serde_json::from_value(Value::Object(map.clone())).unwrap();
            let mut back = serde_json::to_value(&read).unwrap();
            let mut given = Value::Object(map);
            drop_nothing(&mut given);
            drop_nothing(&mut back);
            assert_eq!(back, given);
        }
    }
}

/// What is empty, and what code says even where nothing was said.
fn drop_nothing(value: &mut Value) {
    if let Value::Object(map) = value {
        map.values_mut().for_each(drop_nothing);
        map.retain(|_, value| !matches!(value, Value::Array(list) if list.is_empty()));
        map.retain(|_, value| !matches!(value, Value::Object(map) if map.is_empty()));
        map.retain(|key, value| {
            !(key == "dirty" && *value == json!(false) || key == "untracked" && *value == json!(0))
        });
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(drop_nothing);
    } else if let Some(number) = value.as_f64() {
        *value = json!(number);
    }
}

fn good() -> Vec<Value> {
    vec![
        json!({}),
        json!({"purpose": "x", "dataset_kind": "operations-log", "languages": ["en", "zh-Hant-TW"],
               "modalities": ["text"], "sensitivity": "public", "licence": "MIT OR Apache-2.0"}),
        json!({"licence": "LicenseRef-house"}),
        json!({"licence": "other: contract 17"}),
        json!({"sources": [{"uri": "https://ann@example.org/a?b", "retrieved": "2026-11-23",
               "collected": "2026-11-23T00:00:00+00:00", "sha256": sha(), "note": "a\nb",
               "x_rank": {"a": [1, null, 0.5]}}]}),
        json!({"steps": [{"name": "s", "command": ["a", "b c"], "parameters": {"n": 1},
               "outputs": ["o"], "code": {"dirty": true, "untracked": 3}, "exit_code": -1,
               "decided": "assisted", "output_tail": "\u{1b}[1mbold", "environment": {}}]}),
        json!({"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 0.5, "slice": "en"},
               {"name": "b", "value": -1e-9, "sample_size": 0, "threshold": 1}]}),
        json!({"derived_from": [{"from": "raw@main", "how": "sampled"}]}),
        json!({"fields": {"": 1, "any name": [true, {"deep": null}]}}),
    ]
}

/// Bad documents, what is said of them, and whether the schema sees it too.
fn bad() -> Vec<(Value, &'static str, bool)> {
    [bad_values(), bad_sources(), bad_steps(), bad_metrics()].concat()
}

fn bad_values() -> Vec<(Value, &'static str, bool)> {
    vec![
        (json!({"license": "MIT"}), "did you mean `licence`?", true),
        (json!({"team": "x"}), "under `fields`", true),
        (json!({"purpose": 1}), "purpose is the number 1, not text", true),
        (json!({"purpose": "  "}), "purpose is empty", true),
        (json!({"purpose": null}), "purpose is nothing, not text", true),
        (json!({"purpose": "a\u{1b}[2J"}), "control characters", false),
        (json!({"languages": "en"}), "not a list", true),
        (json!({"languages": ["English language"]}), "not a tag", true),
        (json!({"dataset_kind": "training"}), "not one of pretraining", true),
        (json!({"fields": []}), "not an object", true),
        (json!({"fields": {"n": 9007199254740993_u64}}), "2^53 - 1", false),
        (json!({"licence": "my licence"}), "SPDX", false),
        (json!({"licence": "apache-2.0"}), "did you mean `Apache-2.0`?", false),
        (json!({"licence": "other: "}), "says nothing", false),
    ]
}

fn bad_sources() -> Vec<(Value, &'static str, bool)> {
    let long = "x".repeat(64);
    vec![
        (json!({"sources": [{}]}), "sources[0].uri is missing", true),
        (json!({"sources": [{"uri": ""}]}), "sources[0].uri is empty", true),
        (json!({"sources": [{"uri": "a b"}]}), "spaces", true),
        (json!({"sources": [{"uri": "https://ann:word@host/"}]}), "password", false),
        (json!({"sources": [{"uri": "a", "licens": "x"}]}), "begin a field of your own", true),
        (json!({"sources": [{"uri": "a", "url": "x"}]}), "did you mean `uri`?", true),
        (json!({"sources": [{"uri": "a", "sha256": "abc"}]}), "64 hexadecimal", true),
        (json!({"sources": [{"uri": "a", "sha256": long}]}), "64 hexadecimal", true),
        (json!({"sources": [{"uri": "a", "retrieved": "soon"}]}), "not a day", true),
        (json!({"sources": [{"uri": "a", "retrieved": "2026-13-01"}]}), "not a day", false),
        (json!({"sources": [{"uri": "a", "retrieved": "2026-11-26"}]}), "in the future", false),
        (json!({"sources": [{"uri": "a", "retrieved": 20261123}]}), "not text", true),
        (
            json!({"sources": [{"uri": "a", "collected": "2026-02-01", "retrieved": "2026-01-01"}]}),
            "`retrieved` before `collected`",
            false,
        ),
        (json!({"sources": {"uri": "a"}}), "sources is an object, not a list", true),
    ]
}

fn bad_steps() -> Vec<(Value, &'static str, bool)> {
    vec![
        (json!({"steps": [{"name": "s", "command": "a b"}]}), "not a list", true),
        (json!({"steps": [{"name": "s", "exit_code": 0.5}]}), "not an exit code", true),
        (json!({"steps": [{"name": "s", "exit_code": 4294967296_u64}]}), "exit code", true),
        (json!({"steps": [{"name": "s", "decided": "me"}]}), "not one of human", true),
        (json!({"steps": [{"name": "s", "code": {"dirty": "yes"}}]}), "not true or false", true),
        (
            json!({"steps": [{"name": "s", "code": {"remote": "https://a:b@host/"}}]}),
            "password",
            false,
        ),
        (
            json!({"steps": [{"name": "s", "started": "2026-02-02", "ended": "2026-02-01"}]}),
            "`ended` before `started`",
            false,
        ),
    ]
}

fn bad_metrics() -> Vec<(Value, &'static str, bool)> {
    vec![
        (json!({"metrics": [{"name": "a"}]}), "metrics[0].value is missing", true),
        (json!({"metrics": [{"name": "a", "value": "1"}]}), "not a finite number", true),
        (json!({"metrics": [{"name": "a", "value": null}]}), "not a finite number", true),
        (json!({"metrics": [{"name": "a", "value": 1, "sample_size": -1}]}), "whole number", true),
        (
            json!({"metrics": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]}),
            "metrics[1] names `a` again",
            false,
        ),
        (
            json!({"metrics": [{"name": "a", "value": 1, "slice": "en"},
                               {"name": "a", "value": 2, "slice": "en"}]}),
            "of the slice `en` again",
            false,
        ),
        (json!({"derived_from": [{"from": "raw"}]}), "derived_from[0].how is missing", true),
    ]
}

#[test]
fn every_flaw_is_named_where_it_is() {
    for (document, expected, _) in bad() {
        let (_, flaws) = checked(&document);
        let told = flaws.iter().map(Flaw::to_string).collect::<Vec<_>>().join("; ");
        assert!(told.contains(expected), "{document}: {told}");
        assert_eq!(flaws.len(), 1, "{document}: {told}");
    }
    let both = json!({"purpose": 1, "licence": 2, "x": 3});
    assert_eq!(checked(&both).1.len(), 3);
}

#[test]
fn days_become_moments_and_hashes_lower_case() {
    let (map, flaws) = checked(&json!({
        "sources": [{"uri": "a", "retrieved": "2026-11-23", "sha256": sha()}],
    }));
    assert_eq!(flaws, []);
    assert_eq!(map["sources"][0]["retrieved"], "2026-11-23T00:00:00Z");
    assert_eq!(map["sources"][0]["sha256"], "ab".repeat(32));
}

/// The template as it is, and with every example taken.
#[test]
fn the_template_is_valid_and_complete() {
    let read = |text: &str| Value::Object(parse(Syntax::Yaml, text.as_bytes()).unwrap());
    assert_eq!(read(TEMPLATE), json!({}));
    let taken = taken_template();
    let (map, flaws) = checked(&taken);
    assert_eq!(flaws, []);
    let whole = |fields: &Fields, value: &Value, without: &[&str]| {
        for field in fields.known {
            let there = value.get(field.name).is_some() || without.contains(&field.name);
            assert!(there, "the template lacks {}", field.name);
        }
    };
    whole(PROVENANCE, &Value::Object(map), &[]);
    whole(SOURCE, &taken["sources"][0], &[]);
    whole(STEP, &taken["steps"][0], &["output_tail", "inputs_unsaved"]);
    whole(METRIC, &taken["metrics"][0], &["note"]);
    whole(DERIVATION, &taken["derived_from"][0], &["note"]);
}

fn taken_template() -> Value {
    let lines = TEMPLATE.lines().filter(|line| !line.starts_with("##"));
    let text: Vec<_> = lines.map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    Value::Object(parse(Syntax::Yaml, text.join("\n").as_bytes()).unwrap())
}

/// The struct has no field that the table lacks, and the other way round.
#[test]
fn the_table_and_the_struct_have_the_same_fields() {
    let text = |fields: &Fields| -> Vec<String> {
        let own = fields.known.iter().filter(|field| field.name != "note" || has_note(fields));
        own.map(|field| field.name.to_owned()).collect()
    };
    fn has_note(fields: &Fields) -> bool {
        fields.get("command").is_some()
    }
    for (fields, extra) in [(SOURCE, "x_a"), (STEP, "x_a"), (METRIC, "x_a"), (CODE, "x_a")] {
        assert!(fields.extensible && extra.starts_with("x_"));
    }
    let full = json!({
        "sources": [full(SOURCE)], "steps": [full(STEP)], "metrics": [full(METRIC)],
    });
    let read: Provenance = serde_json::from_value(full).unwrap();
    assert!(read.other.is_empty());
    let note: Vec<&String> = read.sources[0].other.keys().collect();
    assert_eq!(note, ["note"], "{:?}", text(SOURCE));
    let written_by_run: Vec<&String> = read.steps[0].other.keys().collect();
    assert_eq!(written_by_run, ["inputs_unsaved"]);
    assert!(read.steps[0].code.as_ref().unwrap().other.is_empty());
    let note: Vec<&String> = read.metrics[0].other.keys().collect();
    assert_eq!(note, ["note"]);
    let back = serde_json::to_value(&read).unwrap();
    for (list, fields) in [("sources", SOURCE), ("steps", STEP), ("metrics", METRIC)] {
        let mut names: Vec<_> = text(fields);
        if list != "steps" {
            names.push("note".into());
        }
        let mut found: Vec<_> = back[list][0].as_object().unwrap().keys().cloned().collect();
        names.sort();
        found.sort();
        assert_eq!(found, names);
    }
}

/// An object with every field.
fn full(fields: &Fields) -> Value {
    let value = |shape: Shape| match shape {
        Shape::Number | Shape::Count | Shape::ExitCode => json!(1),
        Shape::Truth => json!(true),
        Shape::Moment => json!("2026-01-01T00:00:00Z"),
        Shape::Word(words) => json!(words[0]),
        Shape::List(&Shape::Reference) => json!([format!("raw@{}", "ab".repeat(32))]),
        Shape::List(_) => json!(["x"]),
        Shape::Object(inside) => full(inside),
        Shape::Free => json!({"a": 1}),
        _ => json!("x"),
    };
    fields.known.iter().map(|field| (field.name.to_owned(), value(field.shape))).collect()
}

/// The package jsonschema is among the validators that `tests/run` installs.
#[test]
fn the_schema_agrees_with_the_checks() {
    let Some(venv) = std::env::var_os("STEM_VENV") else {
        assert!(std::env::var_os("STEM_NEED_VALIDATORS").is_none(), "STEM_VENV is not set");
        eprintln!("skipped: no validators are installed, `tests/run` does it");
        return;
    };
    let python = std::path::Path::new(&venv).join("bin/python");
    let mut cases: Vec<Value> = good().into_iter().map(|good| json!([good, true])).collect();
    cases.push(json!([taken_template(), true]));
    cases.extend(bad().into_iter().map(|(bad, _, seen)| json!([bad, !seen])));
    let input = json!({"schema": schema(), "cases": cases}).to_string();
    let mut child = std::process::Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

const SCRIPT: &str = "
import json, sys
from jsonschema import Draft202012Validator as Validator
given = json.load(sys.stdin)
Validator.check_schema(given['schema'])
validator = Validator(given['schema'])
for document, expected in given['cases']:
    if validator.is_valid(document) != expected:
        print('valid' if not expected else 'invalid', document)
";
