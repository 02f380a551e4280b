//! Thousands of changed certificates: no forged one is taken, and the two verifiers agree on each.
//!
//! `STEM_MUTANTS` says how many; a few thousand by default. A certificate is taken in exactly one
//! form, byte for byte: even white space in the envelope, which changes no meaning, is refused, so
//! that the hash of a certificate can stand for it (`previous`, the journal). What the right key has
//! signed may hold, as long as it says otherwise only what no rule can refute: that is checked here
//! field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stemmata::ops::erase::check_envelope;
use stemmata::repo::KeyRing;
use stemmata::sign::{SecretKey, dsse};

use super::certificates::{python, verifier};
use super::mutate::{Base, Bench, Mutant};
use super::place::{Place, with_history};

fn base(envelope: Vec<u8>) -> Base {
    let (_, payload) = dsse::peek(&envelope).unwrap();
    Base { statement: serde_json::from_slice(&payload).unwrap(), envelope }
}

/// Makes a key for somebody, trusted as approver, and gives its id.
fn approver(place: &Place, name: &str) -> String {
    let script =
        "stem key generate --json | grep -o '\"id\":\"[^\"]*\"' | head -1 | cut -d'\"' -f4";
    let key = String::from_utf8(place.run_as(name, script).stdout).unwrap().trim().to_owned();
    let trust = format!("stem key trust ../.config/stem/keys/{key}.pub --role approver");
    assert!(place.run_as(name, &trust).status.success());
    key
}

/// Two certificates of one store: a plain one that is final, and one of records with approvals,
/// consumers and holders who were not asked.
fn bench() -> (Place, Bench) {
    let place = with_history();
    let own = place.must("ls ../.config/stem/keys | grep key$ | cut -d. -f1").trim().to_owned();
    let first = place.erase("--path secret.txt");
    let people = "for n in $(seq 300); do echo \"{\\\"id\\\":$n,\\\"mail\\\":\\\"p$n@example.org\\\"}\"; done";
    place.must(&format!(
        "({people}) > people.jsonl && stem add -q -A && stem commit -q -m people && echo >> small.txt \
         && stem commit -q -a -m more && stem consumer add tagger --kind model --used HEAD > /dev/null \
         && stem archive create HEAD ../archive > /dev/null && mkdir ../other && cd ../other \
         && stem init -q --store ../data/.stem/store --dataset second && mv ../other ../away"
    ));
    let second = place.plan("--key id=17 --basis 'Art. 17' --request T-1 --approvals 2");
    let mut approvers = Vec::new();
    let ring = KeyRing::new(place.top().join(".config/stem/keys"));
    for name in ["Bob <b@x.org>", "Cid <c@x.org>"] {
        let id = approver(&place, name);
        place.must(&format!("stem erase approve {second} --key {id}"));
        approvers.push(ring.signer(Some(&id)).unwrap().key);
    }
    place.ends(20, &format!("stem erase run {second} --key {own}"));
    let read = |id: &str| {
        std::fs::read(place.store().join("certificates").join(format!("{id}.json"))).unwrap()
    };
    let bases = [base(read(&first)), base(read(&second))];
    let key = ring.signer(Some(&own)).unwrap().key;
    let bench = Bench { bases, key, approvers, other: SecretKey::from_seed(&[3; 32]) };
    (place, bench)
}

/// The second verifier, which answers each line of base64 with a line: 1, 0, or what broke it.
const DRIVER: &str = "
import base64, importlib.util, sys
spec = importlib.util.spec_from_file_location('verifier', sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
exec(sys.argv[3])
key = verifier.public_key(sys.argv[2])
for line in sys.stdin:
    try:
        verifier.check(base64.b64decode(line), key)
        print(1)
    except verifier.Bad:
        print(0)
    except Exception as error:
        print(repr(error).replace('\\n', ' '))
";

/// What the second verifier says of all these, in one process. `sabotage` is done to it first.
fn second(python: &Path, bench: &Bench, all: &[Mutant], sabotage: &str) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", DRIVER])
        .arg(verifier())
        .args([&bench.key.public().to_line(""), sabotage])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let said = std::thread::scope(|scope| {
        scope.spawn(move || {
            for mutant in all {
                writeln!(stdin, "{}", STANDARD.encode(&mutant.bytes)).unwrap();
            }
        });
        stdout.lines().map(Result::unwrap).collect::<Vec<_>>()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(said.len(), all.len());
    said
}

/// Everything in a certificate that a rule binds: whoever changes any of it in a certificate that
/// holds has found a hole in both verifiers.
fn bound(statement: &Value) -> Value {
    let one = &statement["predicate"];
    let part = |value: &Value, names: &[&str]| {
        let each = names.iter().map(|name| ((*name).to_owned(), value[*name].clone()));
        Value::Object(each.collect())
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut subjects: Vec<String> =
        list(&statement["subject"]).iter().map(|one| one["digest"].to_string()).collect();
    subjects.sort();
    let residue: Vec<Value> = list(&one["residue"])
        .iter()
        .map(|row| match row["kind"] == "worktrees" {
            true => part(row, &["kind", "action"]),
            false => part(row, &["kind", "action", "found"]),
        })
        .collect();
    let phases: Vec<Value> = list(&one["phases"]).iter().map(|one| one["name"].clone()).collect();
    serde_json::json!({
        "top": part(statement, &["_type", "predicateType"]),
        "subjects": subjects,
        "own": part(one, &["schema"]),
        "keys": [one["executor"]["key"], one["verifier"]["key"], one["requester"]["key"]],
        "tool": one["tool"]["name"],
        "deleted": [one["deleted"]["scheme"], one["deleted"]["files"]],
        "files": one["counts"]["files"],
        "residue": residue,
        "tests": part(&one["tests"], &["canary_hits", "readd_refused"]),
        "phases": phases,
    })
}

fn envelopes(statement: &Value) -> BTreeSet<String> {
    let approvers = statement["predicate"]["approvers"].as_array().cloned().unwrap_or_default();
    approvers.iter().map(|one| format!("{} {}", one["public"], one["envelope"])).collect()
}

/// Fails unless a changed certificate that holds is one that nobody could refute.
fn refutable(bench: &Bench, mutant: &Mutant) -> Option<String> {
    if !mutant.signed {
        return Some("it was not signed so by the right key".into());
    }
    let (_, payload) = dsse::peek(&mutant.bytes).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let known: BTreeSet<String> =
        bench.bases.iter().flat_map(|base| envelopes(&base.statement)).collect();
    if !envelopes(&statement).is_subset(&known) {
        return Some("an approver has not signed so".into());
    }
    let fits = bench.bases.iter().any(|base| bound(&base.statement) == bound(&statement));
    // What two certificates of one store say can be mixed, as long as each part is one of theirs.
    (!fits).then(|| format!("bound fields differ: {:#}", bound(&statement)))
}

fn number() -> u64 {
    std::env::var("STEM_MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(4000)
}

#[test]
fn no_changed_certificate_is_taken_and_the_verifiers_agree() {
    let (_place, bench) = bench();
    let public = bench.key.public();
    for base in &bench.bases {
        let checked = check_envelope(&base.envelope, &[public]);
        assert!(checked.ok, "{:?}", checked.problems);
    }
    let python = python();
    if python.is_none() {
        let needed = std::env::var_os("STEM_NEED_VALIDATORS").is_some();
        assert!(!needed, "no Python has `cryptography`");
        eprintln!(
            "no Python has `cryptography`: only one verifier is asked; tests/run installs it"
        );
    }
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let numbers: Vec<u64> = (0..number()).collect();
    for numbers in numbers.chunks(5000) {
        let all: Vec<Mutant> = numbers.iter().map(|number| bench.mutant(*number)).collect();
        let theirs = python.as_ref().map(|python| second(python, &bench, &all, ""));
        for (place, mutant) in all.iter().enumerate() {
            let number = numbers[place];
            let holds = check_envelope(&mutant.bytes, &[public]).ok;
            let shown = || String::from_utf8_lossy(&mutant.bytes).into_owned();
            if let Some(theirs) = &theirs {
                let ours = if holds { "1" } else { "0" };
                let what = format!("mutant {number}, {}: {:?}", mutant.class, said(&bench, mutant));
                assert_eq!(theirs[place], ours, "{what}\n{}", shown());
            }
            if holds && let Some(why) = refutable(&bench, mutant) {
                panic!("mutant {number}, {}, is taken, and {why}\n{}", mutant.class, shown());
            }
            let count = counts.entry(mutant.class).or_default();
            count.0 += 1;
            count.1 += u64::from(holds);
        }
    }
    let classes: BTreeSet<&str> = Bench::classes().into_iter().collect();
    assert_eq!(counts.keys().copied().collect::<BTreeSet<_>>(), classes, "every class was tried");
    for (class, (tried, held)) in counts {
        eprintln!("{tried:>7} {held:>6} hold  {class}");
    }
}

fn said(bench: &Bench, mutant: &Mutant) -> Vec<String> {
    check_envelope(&mutant.bytes, &[bench.key.public()]).problems
}

/// A verifier that forgets one rule must be told from one that does not, or the comparison is void.
#[test]
fn a_verifier_that_forgets_a_rule_is_found_out() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python has `cryptography`; tests/run installs it");
        return;
    };
    let (_place, bench) = bench();
    let all: Vec<Mutant> = (0..number().min(2000)).map(|number| bench.mutant(number)).collect();
    let sound = second(&python, &bench, &all, "");
    for sabotage in [
        "verifier.is_weak = lambda point: False",
        "verifier.check_approvals = lambda one: None",
        "verifier.check_times = lambda one: None",
        "verifier.check_tests = lambda one: None",
        "verifier.check_holders = lambda one: None",
        "verifier.check_subjects = lambda statement, one: None",
        "verifier.key_id = lambda key: '0' * 16",
        "verifier.canonical = lambda value: value",
        "verifier.is_hash = lambda text: isinstance(text, str)",
        "verifier.Ed25519PublicKey = type('Lenient', (), {'from_public_bytes': \
         staticmethod(lambda key: type('Any', (), {'verify': lambda *all: None})())})",
    ] {
        assert!(second(&python, &bench, &all, sabotage) != sound, "not found out: {sabotage}");
    }
}
