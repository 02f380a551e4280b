//! Policies against commits: what is missing, by its key.

use serde_json::{Value, json};
use stemmata::model::FixedClock;
use stemmata::model::Time;
use stemmata::ops::commit::{CommitOptions, commit};
use stemmata::ops::policy::set;
use stemmata::repo::{self, Environment, InitOptions, Repository, init};

use super::place::{ANN, verdicts};

fn environment() -> Environment {
    Environment {
        author: Some(ANN.parse().unwrap()),
        clock: std::sync::Arc::new(FixedClock(Time::from_unix(1_800_000_000).unwrap())),
        ..Environment::default()
    }
}

fn attempt(repository: &Repository, said: &Value, message: &str) -> Result<String, Vec<String>> {
    let options = CommitOptions {
        message: message.into(),
        allow_empty: true,
        provenance: serde_json::from_value(said.clone()).unwrap(),
        ..CommitOptions::default()
    };
    match commit(repository, &options) {
        Ok(done) => Ok(done.version.unwrap().to_hex()),
        Err(stemmata::ops::Error::Repo(repo::Error::Refused(refusal))) => {
            assert!(refusal.missing.iter().all(|one| !one.what.is_empty() && !one.how.is_empty()));
            Err(refusal.missing.into_iter().map(|one| one.key).collect())
        }
        Err(other) => panic!("{other}"),
    }
}

/// What the rule demands, what a version says, and the keys that are missing.
fn rows() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let licensed = json!({ "sources": [{ "uri": "https://x/1", "licence": "CC-BY-4.0" }] });
    let two = json!({ "sources": [{ "uri": "https://x/1", "licence": "MIT" }, { "uri": "y:2" }] });
    let good = json!({ "metrics": [{ "name": "accuracy", "value": 0.95 }] });
    let bad = json!({ "metrics": [{ "name": "accuracy", "value": 0.85 }] });
    let slice = json!({ "metrics": [{ "name": "accuracy", "value": 0.95, "slice": "de" }] });
    let reviewed = |by: Value| json!({ "fields": { "reviewed_by": by } });
    let accuracy = "[[rule.metric]]\nname = \"accuracy\"\nmin = 0.9\nmax = 0.99";
    let typed =
        "require = [{ key = \"fields.reviewed_by\", type = \"string\", one_of = [\"b\", \"c\"] }]";
    let deep = "require = [\"fields.a.b\"]";
    let steps = "require = [\"steps.code.commit\"]";
    vec![
        ("require = [\"purpose\"]", json!({}), &["purpose"]),
        ("require = [\"purpose\"]", json!({ "purpose": "  " }), &["purpose"]),
        ("require = [\"purpose\"]", json!({ "purpose": "to test" }), &[]),
        ("require = [\"sources\"]", json!({}), &["sources"]),
        ("require = [\"sources\"]", licensed.clone(), &[]),
        ("require = [\"sources.licence\"]", json!({}), &["sources.licence"]),
        ("require = [\"sources.licence\"]", two.clone(), &["sources.licence"]),
        ("require = [\"sources.licence\"]", licensed.clone(), &[]),
        ("licences = [\"CC-BY-4.0\"]", licensed.clone(), &[]),
        ("licences = [\"MIT\"]", licensed, &["licences"]),
        ("licences = [\"MIT\"]", two, &["licences"]),
        ("licences = [\"MIT\"]", json!({}), &["licences"]),
        ("require = [\"metrics.accuracy\"]", good.clone(), &[]),
        ("require = [\"metrics.accuracy\"]", slice.clone(), &[]),
        ("require = [\"metrics.f1\"]", good.clone(), &["metrics.f1"]),
        (accuracy, good, &[]),
        (accuracy, bad.clone(), &["metrics.accuracy"]),
        (accuracy, json!({}), &["metrics.accuracy"]),
        (accuracy, slice.clone(), &["metrics.accuracy"]),
        ("[[rule.metric]]\nname = \"accuracy\"\nslice = \"de\"\nmin = 0.9", slice, &[]),
        ("[[rule.metric]]\nname = \"f1\"\nmin = 0.9\nmust_exist = false", bad, &[]),
        (typed, reviewed(json!("b")), &[]),
        (typed, reviewed(json!("x")), &["fields.reviewed_by"]),
        (typed, reviewed(json!(7)), &["fields.reviewed_by"]),
        (typed, json!({}), &["fields.reviewed_by"]),
        (deep, json!({ "fields": { "a": { "b": false } } }), &[]),
        (deep, json!({ "fields": { "a": { "c": 1 } } }), &["fields.a.b"]),
        (steps, json!({ "steps": [{ "name": "s", "code": { "commit": "ab" } }] }), &[]),
        (
            steps,
            json!({ "steps": [{ "name": "s" }, { "name": "t" }] }),
            &["steps.code.commit", "steps.code.commit"],
        ),
        ("min_message_length = 9", json!({}), &["min_message_length"]),
        ("min_message_length = 8", json!({}), &[]),
        ("protected = true", json!({}), &["protected"]),
        ("branches = [\"release/*\"]\nprotected = true", json!({}), &[]),
        ("datasets = [\"other\"]\nprotected = true", json!({}), &[]),
        ("on = [\"merge\"]\nrequire = [\"purpose\"]", json!({}), &[]),
        ("on = [\"merge\", \"tag\"]\nsigned = true\nrequired_reviews = 2", json!({}), &[]),
        (
            "min_message_length = 90\nrequire = [\"purpose\"]",
            json!({}),
            &["purpose", "min_message_length"],
        ),
    ]
}

#[test]
fn every_policy_says_of_every_commit_what_it_should() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    drop(init(&data, &InitOptions::default(), environment()).unwrap());
    let repository = Repository::open_to_write(&data, environment()).unwrap();
    for (rule, said, expected) in rows() {
        set(&repository, &format!("[[rule]]\nname = \"r\"\n{rule}\n"), false).unwrap();
        let before = repository.catalogue.journal_head().unwrap().number;
        let done = attempt(&repository, &said, "In words");
        let new: Vec<_> =
            verdicts(&repository.catalogue).into_iter().filter(|row| row.number > before).collect();
        match done {
            Ok(version) => {
                assert!(expected.is_empty(), "{rule} lets {said} pass");
                let told: Vec<_> = new.iter().map(|row| row.record.version.unwrap()).collect();
                assert!(told.iter().all(|id| id.to_hex() == version));
                assert!(new.iter().all(|row| row.record.body["verdict"] == "pass"));
            }
            Err(missing) => {
                assert_eq!(missing, expected, "{rule} {said}");
                assert_eq!(new.len(), 1);
                let after = repository.catalogue.journal_head().unwrap().number;
                assert_eq!(after, before + 1, "{rule}");
                assert_eq!(new[0].record.body["verdict"], "refuse");
                assert_eq!(new[0].record.version, None, "the version was not made");
            }
        }
        for row in new {
            let body = &row.record.body;
            assert_eq!(row.record.name.as_deref(), Some("r"));
            assert_eq!((&body["action"], &body["branch"]), (&json!("commit"), &json!("main")));
            let digest = repository.policy().unwrap().unwrap().1.digest;
            assert_eq!(body["inputs"]["policy"], json!(digest));
        }
    }
}

#[test]
fn without_a_policy_nothing_is_recorded_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    drop(init(&data, &InitOptions::default(), environment()).unwrap());
    let repository = Repository::open_to_write(&data, environment()).unwrap();
    attempt(&repository, &json!({}), "first").unwrap();
    assert!(verdicts(&repository.catalogue).is_empty());
    set(&repository, "", false).unwrap();
    attempt(&repository, &json!({}), "a policy without rules").unwrap();
    assert!(verdicts(&repository.catalogue).is_empty());
}

/// The figures that a verdict was given on stand in it.
#[test]
fn a_verdict_holds_its_inputs() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    drop(init(&data, &InitOptions::default(), environment()).unwrap());
    let repository = Repository::open_to_write(&data, environment()).unwrap();
    set(&repository, "[[rule]]\n[[rule.metric]]\nname = \"a\"\nmin = 0.5\n", false).unwrap();
    let said = json!({ "metrics": [{ "name": "a", "value": 0.75 }] });
    attempt(&repository, &said, "first").unwrap();
    let rows = verdicts(&repository.catalogue);
    let inputs = &rows[0].record.body["inputs"];
    assert_eq!(inputs["metrics"], json!([{ "name": "a", "value": 0.75 }]));
    assert_eq!(rows[0].record.name.as_deref(), Some("rule-1"));
}
