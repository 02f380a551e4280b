//! Fingerprints: recognised across formats, and not without the salt.

use super::*;

const SALT: [u8; 32] = [7; 32];

fn set_of(record: &str) -> FingerprintSet {
    let print = fingerprint(&SALT, &canonical_record(record).unwrap());
    FingerprintSet::new(SALT, [print], Vec::new())
}

fn hits(data: &[u8], format: Format, set: &FingerprintSet) -> Vec<u64> {
    let hits = find_fingerprints(bytes(data), format, set, 100).unwrap();
    assert_eq!(hits.unreadable, Unreadable::default());
    hits.first.iter().map(|hit| hit.row).collect()
}

#[test]
fn a_record_is_recognised_in_every_format() {
    let set = set_of(r#"{"id": 42, "name": "Zoë", "gone": null}"#);
    let json = "{}\n{\"name\":\"Zo\\u00eb\",\"id\":42.0}\n{\"id\":43,\"name\":\"Zoë\"}\n";
    assert_eq!(hits(json.as_bytes(), JSON, &set), [2]);
    assert_eq!(hits("name,id,gone\nZoë,43,\n\"Zoë\",42,\n".as_bytes(), CSV, &set), [2]);
    let text = set_of("\"a line\"");
    assert_eq!(hits(b"no\r\na line\r\n", Format::Text, &text), [2]);
}

#[test]
fn what_a_scan_tells_of_a_record_finds_it_again() {
    let data =
        b"{\"id\":9007199254740993,\"x\":[1,null,{\"y\":1e400}]}\n{\"id\":9007199254740992}\n";
    let mut prints = Vec::new();
    let selector = keys(&["id=9007199254740993"]);
    let found = &mut |found: Match| {
        prints.push(fingerprint(&SALT, &found.canonical.unwrap()));
    };
    scan(bytes(data), JSON, &selector, Want::Records, found).unwrap();
    assert_eq!(prints.len(), 1);
    let set = FingerprintSet::new(SALT, prints.clone(), Vec::new());
    assert_eq!(hits(data, JSON, &set), [1]);
    let other = FingerprintSet::new([8; 32], prints, Vec::new());
    assert_eq!(hits(data, JSON, &other), [0; 0], "nothing is recognised under another salt");
}

#[test]
fn keys_are_recognised_as_the_selector_finds_them() {
    let data = concat!(
        "{\"id\":42,\"m\":{\"e\":\"x\"}}\n",
        "{\"id\":\"42\",\"m\":[{\"e\":\"x\"}]}\n",
        "{\"id\":4.2e1,\"m\":{\"e\":\"y\"}}\n",
        "{\"id\":\"42.0\",\"m\":{\"e\":\"x\"}}\n",
        "{\"id\":420,\"m\":{\"e\":\"x\"}}\n",
    );
    for list in [&["id=42"][..], &["id=42.0"], &["m.e=x", "id=42"], &["m.e=y"], &["id=7"]] {
        let selector = keys(list);
        let print = key_fingerprint(&SALT, selector.key_list());
        let print: KeyFingerprint =
            serde_json::from_str(&serde_json::to_string(&print).unwrap()).unwrap();
        let set = FingerprintSet::new(SALT, [], vec![print]);
        assert_eq!(
            hits(data.as_bytes(), JSON, &set),
            rows(data.as_bytes(), JSON, &selector),
            "{list:?}"
        );
    }
}

#[test]
fn looking_stops_at_the_limit_and_lists_what_cannot_be_read() {
    let set = set_of("{\"a\":1}");
    let data = b"{\"a\":1}\nbroken\n{\"a\":1}\nbroken\n";
    let hits = find_fingerprints(bytes(data), JSON, &set, 2).unwrap();
    assert_eq!(hits.first.len(), 2);
    assert_eq!(hits.first[1].bytes, Some(15..22));
    assert_eq!(hits.unreadable.count, 1);
    assert!(FingerprintSet::new(SALT, [], Vec::new()).is_empty());
}

/// Held by `docs/format.md`, "Record fingerprints".
#[test]
fn the_fingerprint_is_the_one_that_the_format_describes() {
    let canonical = canonical_record(r#"{"b":[1.50,true,null],"a":"é","c":null,"d":""}"#).unwrap();
    let text = r#"{"a":"é","b":["1.5","true",null]}"#;
    assert_eq!(canonical, text.as_bytes());
    let hash = crate::model::Fingerprint::keyed(&SALT, format!("record\0{text}").as_bytes());
    assert_eq!(fingerprint(&SALT, &canonical), hash);
    let key = key_fingerprint(&SALT, keys(&["a.b=4.20e1"]).key_list());
    let keyed = |text: &str| crate::model::Fingerprint::keyed(&SALT, text.as_bytes());
    assert_eq!(key.parts[0].text, keyed("text\0a.b\x004.20e1"));
    assert_eq!(key.parts[0].number, Some(keyed("number\0a.b\x0042e0")));
}
