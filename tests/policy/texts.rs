//! Policies as text: errors name line and key, and nothing panics.

use proptest::prelude::*;
use stemmata::repo::policy::Policy;

use super::place::{Bench, put};

const GOOD: &str = r#"
[[rule]]
name = "release"
branches = ["main", "release/*"]
datasets = ["*"]
tags = ["v*"]
on = ["commit", "merge", "tag"]
require = ["purpose", "sources.licence", { key = "fields.n", type = "number", one_of = [1, 2.5] }]
licences = ["CC-BY-4.0", "MIT"]
protected = true
signed = true
min_message_length = 10
required_reviews = 0x2

[[rule.metric]]
name = "accuracy"
slice = "de"
min = 0.9
max = 1

[[test]]
name = "direct"
action = "commit"
branch = "main"
provenance = { purpose = "x", sources = [{ uri = "u", licence = "MIT" }] }
expect = "refuse"
"#;

#[test]
fn a_good_policy_is_read_whole() {
    let policy = Policy::parse(GOOD).unwrap();
    assert_eq!((policy.rules.len(), policy.cases.len()), (1, 1));
    let rule = &policy.rules[0];
    assert_eq!((rule.require.len(), rule.required_reviews, rule.metrics[0].max), (3, 2, Some(1.0)));
    assert!(!policy.cases[0].judge(&policy)[0].passes());
}

#[test]
fn errors_name_the_line_and_the_key() {
    let deep = format!("x = {}", "[".repeat(100_000));
    let rows: &[(&str, &str)] = &[
        ("[[rule]]\nprotect = true\n", "line 2, `rule[1].protect`: there is no such key"),
        ("[[rule]]\nprotected = 1\n", "line 2, `rule[1].protected`: it must be true or false"),
        ("[[rule]]\n", "line 1, `rule[1]`: the rule demands nothing"),
        ("rule = 1\n", "line 1, `rule`: it must be a list"),
        ("rules = 1\n", "line 1, `rules`: there is no such key"),
        (
            "[[rule]]\nsigned = true\non = [\"commit\"]\n",
            "line 2, `rule[1].signed`: it can be given",
        ),
        ("[[rule]]\nrequire = [\"purposes\"]\n", "line 2, `rule[1].require[1]`: nothing is called"),
        ("[[rule]]\nrequire = [\"sources.license\"]\n", "`sources` has no `license`"),
        ("[[rule]]\nrequire = [\"fields\"]\n", "say which field"),
        ("[[rule]]\nrequire = [\"a..b\"]\n", "is not of the form"),
        ("[[rule]]\nrequire = [3]\n", "line 2, `rule[1].require[1]`: it must be text"),
        ("[[rule]]\nlicences = [\"My Licence\"]\n", "is not an SPDX identifier"),
        ("[[rule]]\nlicences = []\n", "the list is empty"),
        ("[[rule]]\non = [\"push\"]\n", "line 2, `rule[1].on[1]`: it must be \"commit\""),
        (
            "[[rule]]\ntags = [\"v\"]\non = [\"merge\"]\nsigned = true\n",
            "`on` does not have \"tag\"",
        ),
        ("[[rule]]\nmin_message_length = -1\n", "a whole number that is not negative"),
        ("[[rule]]\nmin_message_length = 99999999999999999999\n", "line 2"),
        ("[[rule]]\n[[rule.metric]]\nname = \"a\"\nmin = nan\n", "line 4, `rule[1].metric[1].min`"),
        ("[[rule]]\n[[rule.metric]]\nname = \"a\"\nmin = inf\n", "it must be finite"),
        ("[[rule]]\n[[rule.metric]]\nname = \"a\"\nmin = 2\nmax = 1\n", "nothing could pass"),
        ("[[rule]]\n[[rule.metric]]\nmin = 2\n", "`name` is missing"),
        ("[[rule]]\nname = \"a\"\nname = \"b\"\n", "line 3"),
        (
            "[[rule]]\nname = \"a\"\nsigned = true\n[[rule]]\nname = \"a\"\nsigned = true\n",
            "line 4",
        ),
        ("[[test]]\nexpect = \"maybe\"\n", "`expect` must be"),
        (
            "[[test]]\nexpect = \"pass\"\nprovenance = { purpos = 1 }\n",
            "line 3, `test[1].provenance`",
        ),
        (
            "[[test]]\nexpect = \"pass\"\nprovenance = { sources = 1 }\n",
            "line 3, `test[1].provenance`",
        ),
        ("[[rule]]\nname = \"\\u001b[2J\"\n", "line 2, `rule[1].name`: it has control characters"),
        ("a = \"", "line 1"),
        (&deep, "line 1"),
    ];
    for (text, expected) in rows {
        let error = Policy::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:.200}\n{error}");
    }
    assert!(Policy::parse(&"#".repeat(2 << 20)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Bytes changed, taken out and doubled: a policy or an error with a line of the text, never a
    /// panic; and what is read judges its own tests.
    #[test]
    fn no_text_makes_the_reader_panic(
        edits in prop::collection::vec((0..GOOD.len(), any::<u8>(), 0_u8..4), 0..12)
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at.min(bytes.len().saturating_sub(1));
            match kind {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => { let rest = bytes[at..].to_vec(); bytes.extend(rest.into_iter().take(200)); }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match Policy::parse(&text) {
            Ok(policy) => policy.cases.iter().for_each(|case| drop(case.judge(&policy))),
            Err(error) => prop_assert!((1..=text.lines().count() + 1).contains(&error.line)),
        }
    }
}

#[test]
fn a_policy_that_is_wrong_or_fails_its_own_tests_is_not_set() {
    let bench = Bench::new();
    let path = bench.directory.path().join("p.toml");
    let file = path.to_str().unwrap();
    let failing = "[[rule]]\nprotected = true\n[[test]]\nname = \"t\"\nexpect = \"pass\"\n";
    for (text, code, word) in [
        ("[[rule]]\nx = 1\n", 2, "bad_policy"),
        (failing, 2, "refused"),
        ("\u{0}", 2, "bad_policy"),
    ] {
        put(&path, text);
        let (found, error) = bench.ask(&["policy", "set", file]);
        assert_eq!((found, error["code"].as_str()), (code, Some(word)), "{error}");
    }
    assert_eq!(bench.stem(&["policy", "show"]).status.code(), Some(1));
    assert_eq!(bench.ask(&["policy", "set", "nowhere.toml"]).0, 10);
    put(&path, failing);
    let (code, trial) = bench.ask(&["policy", "test", file]);
    assert_eq!((code, &trial["tests"][0]["ok"]), (1, &false.into()));
    bench.set_policy(GOOD);
    assert_eq!(bench.must(&["policy", "show"]), GOOD);
}
