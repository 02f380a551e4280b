//! Certificates that were changed: both verifiers refuse them all.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stemmata::ops::erase::{CheckOptions, check};
use stemmata::repo::KeyRing;
use stemmata::sign::{SecretKey, dsse};

use super::place::{Place, with_history};

const PAYLOAD: &str = "application/vnd.in-toto+json";

struct Certified {
    place: Place,
    key: SecretKey,
    envelope: Vec<u8>,
    statement: Value,
}

fn certified() -> Certified {
    let place = with_history();
    let id = place.erase("--path secret.txt");
    let file = place.store().join("certificates").join(format!("{id}.json"));
    let key = KeyRing::new(place.top().join(".config/stem/keys")).signer(None).unwrap().key;
    let envelope = std::fs::read(file).unwrap();
    let (_, payload) = dsse::peek(&envelope).unwrap();
    let statement = serde_json::from_slice(&payload).unwrap();
    Certified { place, key, envelope, statement }
}

/// A statement, signed anew by the place's own key.
pub(crate) fn sealed(place: &Place, statement: &Value) -> Vec<u8> {
    let key = KeyRing::new(place.top().join(".config/stem/keys")).signer(None).unwrap().key;
    dsse::seal(PAYLOAD, statement.to_string().as_bytes(), &[&key])
}

impl Certified {
    /// A statement with another content, signed by the right key.
    fn signed(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut statement = self.statement.clone();
        change(&mut statement);
        // Keys in order and no spaces: canonical for what stands in here.
        dsse::seal(PAYLOAD, statement.to_string().as_bytes(), &[&self.key])
    }

    fn mutants(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        for number in 0..240 {
            let mut bytes = self.envelope.clone();
            let bit = number * bytes.len() * 8 / 240 + number % 7;
            bytes[bit / 8] ^= 1 << (bit % 8);
            all.push((format!("bit {bit}"), bytes));
        }
        for number in 1..30 {
            let end = self.envelope.len() * number / 30;
            all.push((format!("cut at {end}"), self.envelope[..end].to_vec()));
        }
        let text = String::from_utf8(self.envelope.clone()).unwrap();
        let repeated = text.replacen("{\"payload\":", "{\"payload\":\"e30=\",\"payload\":", 1);
        all.push(("a repeated field".into(), repeated.into_bytes()));
        all.push(("an unknown field".into(), text.replacen('{', "{\"more\":1,", 1).into_bytes()));
        all.push(("a space".into(), text.replacen(':', ": ", 1).into_bytes()));
        all.push(("a line feed".into(), format!("{text}\n").into_bytes()));
        let payload = self.statement.to_string();
        let other = SecretKey::from_seed(&[3; 32]);
        let seal = |kind: &str, payload: &str, key: &SecretKey| {
            dsse::seal(kind, payload.as_bytes(), &[key])
        };
        all.push(("another type".into(), seal("application/json", &payload, &self.key)));
        all.push(("another key".into(), seal(PAYLOAD, &payload, &other)));
        all.push(("two keys".into(), dsse::cosign(&self.envelope, &other).unwrap()));
        all.push(("signed twice".into(), dsse::cosign(&self.envelope, &self.key).unwrap()));
        for (from, to) in [
            ("{\"_type\"", "{\"_type\":\"x\",\"_type\""),
            ("{\"_type\"", "{ \"_type\""),
            ("\"predicate\":{", "\"predicate\":{\"approvals\":0,"),
            ("\"basis\":null,", ""),
            ("\"schema\":1", "\"schema\":1.0"),
            ("\"schema\":1", "\"schema\":true"),
            ("\"schema\":1", "\"schema\":\"1\""),
        ] {
            let changed = payload.replacen(from, to, 1);
            assert_ne!(changed, payload, "{from}");
            all.push((to.into(), seal(PAYLOAD, &changed, &self.key)));
        }
        all.extend(self.rewritten());
        all
    }

    /// Statements that say something else, one field at a time, signed by the right key.
    fn rewritten(&self) -> Vec<(String, Vec<u8>)> {
        let zeros = "0".repeat(64);
        let changes: Vec<(&str, Value)> = vec![
            ("/_type", json!("https://in-toto.io/Statement/v0.1")),
            ("/predicateType", json!("urn:other")),
            ("/subject", json!([])),
            ("/subject/0/name", json!("erased-2")),
            ("/subject/0/digest/stemSaltedSha256", json!(zeros)),
            ("/subject/1", self.statement["subject"][0].clone()),
            ("/predicate/schema", json!(2)),
            ("/predicate/number", json!(0)),
            ("/predicate/number", json!(2)),
            ("/predicate/previous", json!(zeros)),
            ("/predicate/plan", json!("short")),
            ("/predicate/store", json!("")),
            ("/predicate/status", json!("pending")),
            ("/predicate/status", json!("done")),
            ("/predicate/reason", json!("  ")),
            ("/predicate/tool/name", json!("other")),
            ("/predicate/executor/key", json!("0000000000000000")),
            ("/predicate/verifier/key", json!(null)),
            ("/predicate/requester/key", json!("0000000000000000")),
            ("/predicate/approvals_needed", json!(1)),
            ("/predicate/planned", json!("2030-01-01T00:00:00Z")),
            ("/predicate/planned", json!("yesterday")),
            ("/predicate/issued", json!("2000-01-01T00:00:00Z")),
            ("/predicate/phases", json!([])),
            ("/predicate/phases/3/name", json!("trust me")),
            ("/predicate/phases/0/start", json!("2030-01-01T00:00:00Z")),
            ("/predicate/phases/1/end", json!("2030-01-01T00:00:00Z")),
            ("/predicate/counts/files", json!(1)),
            ("/predicate/counts/records", json!(1)),
            ("/predicate/counts/chunks_exclusive", json!(1)),
            ("/predicate/deleted/scheme", json!("md5")),
            ("/predicate/deleted/files/root", json!(zeros)),
            ("/predicate/deleted/files/count", json!(9)),
            ("/predicate/deleted/chunks/root", json!("x")),
            ("/predicate/residue", json!([])),
            ("/predicate/residue/0/found", json!(1)),
            ("/predicate/residue/3/kind", json!("other files")),
            ("/predicate/holders", json!([])),
            ("/predicate/holders/0/level", json!("L4")),
            ("/predicate/holders/0/level", json!("L3")),
            ("/predicate/holders/0/level", json!(null)),
            ("/predicate/holders/0/status", json!("unconfirmed")),
            ("/predicate/holders/0/kind", json!("cloud")),
            (
                "/predicate/holders/0",
                json!({"kind": "store", "place": "", "level": "L2", "method": "trust", "status": "confirmed"}),
            ),
            ("/predicate/tests/canary_hits", json!(1)),
            ("/predicate/tests/readd_refused", json!(0)),
            ("/predicate/tests/bytes_read", json!(0)),
            ("/predicate/tests/retained_versions", json!(0)),
            // Verification was skipped.
            ("/predicate/tests/canary_windows", json!(0)),
            ("/predicate/not_proven", json!([])),
            ("/predicate/journal/number", json!(0)),
            ("/predicate/journal/hash", json!("")),
            ("/predicate/versions/0/files", json!(0)),
            ("/predicate/kept_for", json!(null)),
            ("/predicate/kept_for", json!([{"version": zeros, "files": 0}])),
            ("/predicate/counts/packs", json!(null)),
            ("/predicate/counts/packs/dropped", json!(-1)),
            (
                "/predicate/downstream",
                json!([{"kind": "consumer", "name": "m", "used": zeros, "status": "fine"}]),
            ),
            (
                "/predicate/downstream",
                json!([{"kind": "consumer", "name": "m", "used": zeros, "status": null}]),
            ),
            (
                "/predicate/approvers",
                json!([{"name": "Bob <b@x.org>", "public": "stem-ed25519 AAAA", "envelope": "{}"}]),
            ),
        ];
        let change = |(place, value): (&str, Value)| {
            let name = format!("{place} = {value}");
            let envelope = self.signed(|statement| {
                *statement.pointer_mut(place).expect("a field") = value;
            });
            (name, envelope)
        };
        changes.into_iter().map(change).collect()
    }
}

/// The second verifier's words on every file of a directory, as `name verdict`.
const DRIVER: &str = "
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location('verifier', sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
key = verifier.public_key(open(sys.argv[3]).read())
for name in os.listdir(sys.argv[2]):
    try:
        verifier.check(open(os.path.join(sys.argv[2], name), 'rb').read(), key)
        print(name, 'holds')
    except verifier.Bad:
        print(name, 'not')
";

/// A Python that has `cryptography`, if there is one.
pub(crate) fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("STEM_VENV").map(|venv| PathBuf::from(venv).join("bin/python"));
    [venv, Some("python3".into())].into_iter().flatten().find(|python| {
        let tried = Command::new(python).args(["-c", "import cryptography"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}

pub(crate) fn verifier() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify/verify_certificate.py")
}

#[test]
fn every_changed_certificate_is_refused_by_both_verifiers() {
    let certified = certified();
    let mut all = certified.mutants();
    assert!(all.len() > 330, "{}", all.len());
    all.push(("as it is".into(), certified.envelope.clone()));
    all.push(("signed again".into(), certified.signed(|_| {})));
    let folder = certified.place.top().join("mutants");
    std::fs::create_dir(&folder).unwrap();
    let public = certified.key.public();
    let mut ours = Vec::new();
    for (number, (what, bytes)) in all.iter().enumerate() {
        let file = folder.join(number.to_string());
        std::fs::write(&file, bytes).unwrap();
        let options = CheckOptions { file, ..CheckOptions::default() };
        let holds = check(&options, &[public]).unwrap().ok;
        assert_eq!(holds, number + 2 >= all.len(), "{what}");
        ours.push(holds);
    }
    let Some(python) = python() else {
        let needed = std::env::var_os("STEM_NEED_VALIDATORS").is_some();
        assert!(!needed, "no Python has `cryptography`");
        eprintln!("skipped: no Python has `cryptography`; tests/run installs it");
        return;
    };
    let key = certified.place.top().join("key.pub");
    std::fs::write(&key, public.to_line("")).unwrap();
    let said = Command::new(python)
        .args(["-c", DRIVER])
        .args([&verifier(), &folder, &key])
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut heard = 0;
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        let (number, verdict) = line.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(verdict == "holds", ours[number], "{}", all[number].0);
        heard += 1;
    }
    assert_eq!(heard, all.len());
}

#[test]
fn a_certificate_needs_no_repository() {
    let certified = certified();
    let place = &certified.place;
    place.must("mkdir ../away && cp .stem/store/certificates/*.json ../away/c.json && cp ../.config/stem/keys/*.pub ../away/k.pub");
    place.must("cd ../away && stem certificate verify c.json --key k.pub && stem certificate show c.json --html | grep -q '</html>'");
    place.must("cd ../away && stem certificate verify c.json --key \"$(cat k.pub)\" --store ../data/.stem/store");
    let lines = std::fs::read_to_string(verifier()).unwrap().lines().count();
    assert!(lines < 300, "the second verifier has {lines} lines");
    let text = place
        .must("cat ../away/c.json | grep -o '\"payload\":\"[^\"]*\"' | cut -d'\"' -f4 | base64 -d");
    assert!(!text.contains("secret.txt"), "no path stands in a certificate");
    let other = SecretKey::from_seed(&[3; 32]).public().to_line("");
    place.ends(12, &format!("cd ../away && stem certificate verify c.json --key '{other}'"));
    place.must("cd ../away && stem certificate verify c.json 2>&1 | grep 'hint: `--key` takes'");
    place.ends(2, "cd ../away && stem certificate verify c.json");
    place.ends(10, "cd ../away && stem certificate verify gone.json --key k.pub");
    if let Some(python) = python() {
        let (python, verifier) = (python.display().to_string(), verifier().display().to_string());
        place.must(&format!("cd ../away && {python} {verifier} c.json k.pub"));
    }
}
