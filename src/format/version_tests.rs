use serde_json::json;

use super::*;
use crate::model::{ManifestId, Provenance, Source, Time};

fn version() -> Version {
    Version {
        format: 1,
        manifest: ManifestId::of(b"m"),
        files: 3,
        bytes: 4096,
        parents: vec![VersionId::of(b"p"), VersionId::of(b"q")],
        author: "Ada Lovelace <ada@x.org>".parse().unwrap(),
        time: Time::from_unix(1_795_443_000).unwrap(),
        utc_offset_minutes: Some(-60),
        message: "数据 \"quoted\"\n\u{1}\u{7f}é".into(),
        provenance: Provenance {
            sources: vec![Source {
                uri: "https://example.org/a".into(),
                other: json!({"rows": 12.5, "z": [1, {"b": 1e21, "a": null}]})
                    .as_object()
                    .unwrap()
                    .clone(),
                ..Source::default()
            }],
            other: json!({"€": 1, "\u{1f600}": 2, "\u{fb33}": 3}).as_object().unwrap().clone(),
            ..Provenance::default()
        },
    }
}

#[test]
fn a_version_comes_back_the_same() {
    let bytes = encode(&version()).unwrap();
    assert_eq!(decode(&bytes).unwrap(), version());
    assert_eq!(encode(&decode(&bytes).unwrap()).unwrap(), bytes);
}

#[test]
fn fields_stand_in_the_order_of_rfc_8785() {
    let text = String::from_utf8(encode(&version()).unwrap()).unwrap();
    assert!(
        text.starts_with(r#"{"author":{"email":"ada@x.org","name":"Ada Lovelace"},"bytes":4096"#)
    );
    let at = |key: &str| text.find(key).unwrap();
    assert!(at("€") < at("\u{1f600}") && at("\u{1f600}") < at("\u{fb33}"), "by UTF-16 units");
}

#[test]
fn json_that_says_the_same_in_other_bytes_is_refused() {
    let good = String::from_utf8(encode(&version()).unwrap()).unwrap();
    for (from, to) in [
        ("\"bytes\":4096", "\"bytes\": 4096"),
        ("\"bytes\":4096", "\"bytes\":4096.0"),
        ("\"bytes\":4096", "\"bytes\":4096,\"bytes\":4096"),
        ("\"format\":1", "\"extra\":1,\"format\":1"),
        ("12.5", "1.25e1"),
        ("12.5", "12.5,\"rows\":12.5"),
        ("é", "\\u00e9"),
        ("2026-11-23T14:10:00Z", "2026-11-23T15:10:00+01:00"),
        ("{\"author\"", "\u{feff}{\"author\""),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        assert!(decode(changed.as_bytes()).is_err(), "{to}");
    }
    assert!(decode(format!("{good}\n").as_bytes()).is_err());
    let plain = Version { provenance: Provenance::default(), ..version() };
    let plain = String::from_utf8(encode(&plain).unwrap()).unwrap();
    let empty = plain.replacen(",\"time\"", ",\"provenance\":{},\"time\"", 1);
    assert!(decode(empty.as_bytes()).is_err());
}

#[test]
fn another_format_is_named() {
    let other = Version { format: 2, ..version() };
    assert!(matches!(encode(&other), Err(Error::UnknownFormat { found: 2, .. })));
}

#[test]
fn numbers_that_json_would_change_are_refused() {
    for bytes in [1 << 53, (1 << 53) + 1, u64::MAX] {
        assert!(encode(&Version { bytes, ..version() }).is_err(), "{bytes}");
    }
    let largest = Version { bytes: (1 << 53) - 1, ..version() };
    assert_eq!(decode(&encode(&largest).unwrap()).unwrap(), largest);
    let mut odd = version();
    odd.provenance.other.insert("n".into(), json!(i64::MIN));
    assert!(encode(&odd).is_err());
}

#[test]
fn hostile_json_is_refused_quickly() {
    let deep = "[".repeat(100_000);
    assert!(decode(deep.as_bytes()).is_err());
    assert!(decode(&vec![b' '; MAX_BYTES + 1]).is_err());
    assert!(decode(b"").is_err());
    assert!(decode(b"null").is_err());
    assert!(decode(b"{\"format\":NaN}").is_err());
    // The version and its provenance are two levels.
    for (levels, is_lawful) in [(98, true), (99, false), (200, false)] {
        let value = (0..levels).fold(json!(1), |value, _| json!([value]));
        let mut nested = version();
        nested.provenance.other.insert("deep".into(), value);
        assert_eq!(encode(&nested).is_ok(), is_lawful, "{levels}");
    }
}
