//! The vectors of the specification, and what is refused.

use super::*;

const IN_TOTO: &str = "application/vnd.in-toto+json";
const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
/// RFC 8032, section 7.1: the first two keys, which the vectors of the specification use.
const SEEDS: [&str; 2] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
];
const SIGNED_BY: [&str; 2] = [
    "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==",
    "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==",
];

fn key(which: usize) -> SecretKey {
    let mut seed = [0; 32];
    for (byte, pair) in seed.iter_mut().zip(SEEDS[which].as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    SecretKey::from_seed(&seed)
}

fn keys() -> [PublicKey; 2] {
    [key(0).public(), key(1).public()]
}

fn envelope(payload: &str, payload_type: &str, signatures: &[(&str, Option<&str>)]) -> Vec<u8> {
    let signatures: Vec<_> = signatures
        .iter()
        .map(|(sig, keyid)| match keyid {
            Some(keyid) => serde_json::json!({"sig": sig, "keyid": keyid}),
            None => serde_json::json!({"sig": sig}),
        })
        .collect();
    let value = serde_json::json!({
        "payload": payload, "payloadType": payload_type, "signatures": signatures,
    });
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn what_is_signed_is_as_the_specification_writes_it() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("a\u{e4}", b""), "DSSEv1 3 a\u{e4} 0 ".as_bytes(), "lengths are bytes");
}

#[test]
fn signatures_are_those_of_the_specifications_vectors() {
    for (which, expected) in SIGNED_BY.into_iter().enumerate() {
        let sealed = seal(IN_TOTO, STATEMENT, &[&key(which)]);
        let parsed: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(parsed["signatures"][0]["sig"], expected);
        assert_eq!(parsed["payload"], to_base64(STATEMENT));
    }
    let cases: [(&str, &[u8], &str); 3] = [
        (
            IN_TOTO,
            b"",
            "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
        ),
        (
            "application/vnd.ex\u{e4}mple+json",
            STATEMENT,
            "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
        ),
        (
            IN_TOTO,
            b"\xfb\xff\xbf>?",
            "P+/KHICeR7tI6S/YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU/svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
        ),
    ];
    for (payload_type, payload, expected) in cases {
        let sealed = seal(payload_type, payload, &[&key(0)]);
        let parsed: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(parsed["signatures"][0]["sig"], expected);
        assert_eq!(open(&sealed, payload_type, &keys(), 1).unwrap().payload, payload);
    }
}

#[test]
fn both_alphabets_of_base64_are_read() {
    let sig =
        "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==";
    let opened = open(&envelope("-_-_Pj8=", IN_TOTO, &[(sig, Some("A"))]), IN_TOTO, &keys(), 1);
    let opened = opened.unwrap();
    assert_eq!(opened.payload, b"\xfb\xff\xbf>?");
    assert!(!opened.is_exact);
}

#[test]
fn another_type_than_the_signed_one_is_refused() {
    let payload = to_base64(STATEMENT);
    let swapped = envelope(&payload, "application/vnd.example.other+json", &[(SIGNED_BY[0], None)]);
    let other = open(&swapped, "application/vnd.example.other+json", &keys(), 1);
    assert!(matches!(other, Err(Error::TooFew { found: 0, .. })));
    assert!(matches!(open(&swapped, IN_TOTO, &keys(), 1), Err(Error::Malformed { .. })));
    let none =
        "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg==";
    assert!(open(&envelope(&payload, "", &[(none, None)]), IN_TOTO, &keys(), 1).is_err());
}

#[test]
fn a_threshold_counts_keys_and_not_signatures() {
    let payload = to_base64(STATEMENT);
    let case = |signatures: &[(&str, Option<&str>)]| {
        open(&envelope(&payload, IN_TOTO, signatures), IN_TOTO, &keys(), 2)
    };
    let both = case(&[(SIGNED_BY[0], None), (SIGNED_BY[1], None)]).unwrap();
    assert_eq!(both.signers, keys());
    let twice = case(&[(SIGNED_BY[0], Some("A")), (SIGNED_BY[0], Some("B"))]);
    assert!(matches!(twice, Err(Error::TooFew { needed: 2, found: 1, .. })));
    let sealed = cosign(&seal(IN_TOTO, STATEMENT, &[&key(0)]), &key(1)).unwrap();
    assert_eq!(sealed, seal(IN_TOTO, STATEMENT, &[&key(0), &key(1)]));
    let opened = open(&sealed, IN_TOTO, &keys(), 2).unwrap();
    assert!(opened.is_exact && opened.ignored == 0);
    let one = open(&sealed, IN_TOTO, &keys()[..1], 1).unwrap();
    assert_eq!((one.ignored, one.is_exact), (1, false), "a stranger's signature is passed over");
    assert!(open(&sealed, IN_TOTO, &[], 0).is_err(), "nobody's signature is none");
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    let sealed = String::from_utf8(seal(IN_TOTO, STATEMENT, &[&key(0)])).unwrap();
    let payload = to_base64(STATEMENT);
    let field = format!("\"payload\":\"{payload}\"");
    let wrong = [
        sealed.replacen('{', "{\"more\":1,", 1),
        sealed.replacen('{', &format!("{{{field},"), 1),
        sealed.replacen("{\"keyid\"", "{\"cert\":\"\",\"keyid\"", 1),
        sealed.replacen("{\"keyid\"", "{\"keyid\":\"\",\"keyid\"", 1),
        sealed.replace("\"sig\"", "\"signature\""),
        sealed.replace(&payload, &payload[1..]),
        sealed.replace(&payload, "!"),
        format!("{sealed} {{}}"),
        sealed.replacen(SIGNED_BY[0], "", 1),
        "{}".into(),
        "[]".into(),
        envelope_without_signatures(&payload),
    ];
    for text in &wrong {
        assert!(open(text.as_bytes(), IN_TOTO, &keys(), 1).is_err(), "{text}");
    }
}

fn envelope_without_signatures(payload: &str) -> String {
    String::from_utf8(envelope(payload, IN_TOTO, &[])).unwrap()
}

/// Whatever bit of an envelope is turned: it is refused, or it is told to be no longer exact.
#[test]
fn no_bit_can_be_turned_unnoticed() {
    let sealed = seal(IN_TOTO, STATEMENT, &[&key(0), &key(1)]);
    assert!(open(&sealed, IN_TOTO, &keys(), 2).unwrap().is_exact);
    for at in 0..sealed.len() * 8 {
        let mut bytes = sealed.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        let exact = open(&bytes, IN_TOTO, &keys(), 2).is_ok_and(|opened| opened.is_exact);
        assert!(!exact, "{}", String::from_utf8_lossy(&bytes));
    }
}
