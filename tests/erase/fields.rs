//! A certificate beside the list of what it must say: section 3 of the specification of reliability,
//! "Certificate". Every field that is named there is in it, and says something.

use serde_json::Value;
use stemmata::sign::dsse;

use super::place::{Place, SECRETS};

/// What is named, where it stands, and whether that may be empty in this history: never, since the
/// history has one of each.
const NAMED: &[(&str, &[&str])] = &[
    ("schema version", &["/schema"]),
    ("number", &["/number"]),
    ("repository", &["/store"]),
    ("tool name, version and binary hash", &["/tool/name", "/tool/version", "/tool/binary"]),
    ("plan id", &["/plan"]),
    ("reason, legal basis, request reference", &["/reason", "/basis", "/request"]),
    ("requester", &["/requester/name"]),
    (
        "approvers, executor, verifier with key ids",
        &[
            "/approvers/0/name",
            "/approvers/0/public",
            "/approvers/0/envelope",
            "/executor/name",
            "/executor/key",
            "/verifier/name",
            "/verifier/key",
        ],
    ),
    (
        "start and end of each phase",
        &[
            "/planned",
            "/phases/0/start",
            "/phases/0/end",
            "/phases/3/start",
            "/phases/3/end",
            "/issued",
        ],
    ),
    ("selector and scope", &["/selectors", "/scope"]),
    ("versions touched (ids stay valid)", &["/versions/0/version", "/versions/0/files"]),
    (
        "counts and bytes: exclusive",
        &[
            "/counts/files",
            "/counts/chunks_exclusive",
            "/counts/bytes/freed",
            "/counts/bytes/content",
        ],
    ),
    (
        "shared and kept (because of which versions)",
        &[
            "/counts/chunks_shared",
            "/counts/bytes/kept_shared",
            "/kept_for/0/version",
            "/kept_for/0/files",
        ],
    ),
    ("packs dropped and rewritten", &["/counts/packs/rewritten"]),
    (
        "deleted set {count, Merkle root, commitment scheme}",
        &[
            "/deleted/scheme",
            "/deleted/files/count",
            "/deleted/files/root",
            "/deleted/chunks/count",
            "/deleted/chunks/root",
        ],
    ),
    (
        "residue [{kind, action, found}]",
        &["/residue/0/kind", "/residue/0/action", "/residue/0/looked_at"],
    ),
    (
        "holders [{kind, where, level, method, status}]",
        &[
            "/holders/0/kind",
            "/holders/0/place",
            "/holders/0/level",
            "/holders/0/method",
            "/holders/0/status",
            "/holders/1/kind",
        ],
    ),
    (
        "tests {read-back, canary windows, re-add refused, retained versions read}",
        &[
            "/tests/frames_read",
            "/tests/bytes_read",
            "/tests/canary_windows",
            "/tests/readd_refused",
            "/tests/retained_versions",
            "/tests/retained_files",
        ],
    ),
    (
        "downstream [{dataset or consumer, notified or erased or out of control}]",
        &["/downstream/0/kind", "/downstream/0/name", "/downstream/0/used", "/downstream/0/status"],
    ),
    ("not proven, in plain words", &["/not_proven/0", "/not_proven/1", "/not_proven/2"]),
    ("previous certificate", &["/previous"]),
    ("journal number and hash", &["/journal/number", "/journal/hash"]),
];

/// What may be nothing, and must be there all the same.
const NOTHING: &[&str] =
    &["/tests/canary_hits", "/residue/0/found", "/counts/packs/dropped", "/counts/records"];

/// Everything in a list or object, and in those below.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| leaves(one, &format!("{at}/*"), found)),
        Value::Object(all) => {
            all.iter().for_each(|(name, one)| leaves(one, &format!("{at}/{name}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// A history in which every field has something to say: two certificates, an approval, a shared
/// chunk, a consumer, a version made of another.
fn certified() -> (Place, Value) {
    let place = Place::new();
    place.must(&format!(
        "stem init -q && seq 1 9000 > keep.txt && echo a > small.txt && (seq 1 9000; {SECRETS}) > secret.txt \
         && stem add -q -A && stem commit -q -m one && stem consumer add model --kind model --used data@main"
    ));
    let key = |name: &str, role: Option<&str>| {
        let script =
            "stem key generate --json | grep -o '\"id\":\"[^\"]*\"' | head -1 | cut -d'\"' -f4";
        let made = place.run_as(name, script);
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        if let Some(role) = role {
            let trust = format!("stem key trust ../.config/stem/keys/{key}.pub --role {role}");
            assert!(place.run_as(name, &trust).status.success());
        }
        key
    };
    let own = key("Ann Example <ann@example.org>", None);
    let other = key("Bob Example <bob@example.org>", Some("approver"));
    let run = |arguments: &str| {
        let id = place.plan(arguments);
        place.must(&format!("stem erase run {id} --key {own}"));
        id
    };
    run("--path small.txt");
    let id = place
        .plan("--path secret.txt --dataset data --approvals 1 --basis 'Art. 17' --request R-7");
    let approve = format!("stem erase approve {id} --key {other}");
    assert!(place.run_as("Bob Example <bob@example.org>", &approve).status.success());
    place.must(&format!("stem erase run {id} --key {own}"));
    let file = place.store().join("certificates").join(format!("{id}.json"));
    let (_, payload) = dsse::peek(&std::fs::read(file).unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let shown = place.must(&format!("stem certificate show {id}"));
    for words in ["written again", "because of 1 version", "model used version", "out of control"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    (place, statement["predicate"].clone())
}

#[test]
fn every_field_that_is_promised_is_there_and_says_something() {
    let (_place, one) = certified();
    for (what, fields) in NAMED {
        for field in *fields {
            let value = one.pointer(field);
            let empty = match value {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.trim().is_empty(),
                Some(Value::Number(number)) => number.as_u64() == Some(0),
                Some(_) => true,
            };
            assert!(!empty, "{what}: {field} is {value:?} in {one:#}");
        }
    }
    for field in NOTHING {
        assert!(one.pointer(field).is_some_and(|value| value.as_u64() == Some(0)), "{field}");
    }
    // And nothing else is in it that nobody has named.
    let mut said = Vec::new();
    leaves(&one, "", &mut said);
    let star = |field: &str| {
        let parts = field.split('/');
        let parts = parts.map(|part| if part.parse::<u64>().is_ok() { "*" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let named = NAMED.iter().flat_map(|(_, fields)| *fields).chain(NOTHING);
    let mut named: Vec<String> = named.map(|field| star(field)).collect();
    // Of these the list speaks in other words.
    named.extend(
        [
            "/status",
            "/requester/key",
            "/approvals_needed",
            "/phases/*/name",
            "/tests/chunks_without_window",
            "/tests/device_bytes",
        ]
        .map(str::to_owned),
    );
    said.retain(|field| !named.contains(field));
    said.dedup();
    assert!(said.is_empty(), "not in the list: {said:?}");
}
