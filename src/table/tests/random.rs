//! Formats of lines: laws that hold for whatever is in them.

use proptest::prelude::*;

use super::super::canonical::Form;
use super::super::json;
use super::super::prefilter::{Escapes, Prefilter};
use super::super::selector::Matcher;
use super::*;

/// A text in which much is special.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("42".to_owned()),
        Just("é".to_owned()),
        Just("😀".to_owned()),
        "[a-c,;\"\\\\/ \t\r\n\u{1}]{0,3}",
    ];
    proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// A JSON string for `text`, each character escaped or not as `choice` says.
fn json_string(text: &str, mut choice: u64) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        choice = choice.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let must = c < ' ' || matches!(c, '"' | '\\');
        match choice % 4 {
            0 => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04X}"))
            }
            1 if c == '/' => out += "\\/",
            _ if must => out += &format!("\\u{:04x}", u32::from(c)),
            _ => out.push(c),
        }
    }
    out + "\""
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("42".to_owned()),
        Just("42.0".to_owned()),
        Just("4.2E+1".to_owned()),
        Just("420e-1".to_owned()),
        Just("-0.0".to_owned()),
        Just("0.5".to_owned()),
        Just("5e-1".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f32>().prop_filter("finite", |it| it.is_finite()).prop_map(|it| format!("{it:e}")),
    ]
}

/// The text of a JSON value.
fn json_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        (text(), any::<u64>()).prop_map(|(text, choice)| json_string(&text, choice)),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            proptest::collection::vec(
                (prop_oneof!["id", "m", "id/x", "é"], any::<u64>(), inner),
                0..3
            )
            .prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, u64, String)>) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, choice, value)| format!("{}:{value}", json_string(name, *choice)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn json_row() -> impl Strategy<Value = String> {
    let member = (prop_oneof!["id", "m", "text"], any::<u64>(), json_value());
    proptest::collection::vec(member, 1..4).prop_map(object)
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n"), Just("\n  \r\n")]
}

fn selector() -> impl Strategy<Value = Selector> {
    let value = || prop_oneof![number(), text()];
    prop_oneof![
        (prop_oneof!["id", "m.id", "m", "id/x", "é"], value())
            .prop_map(|(path, value)| keys(&[&format!("{path}={value}")])),
        text()
            .prop_filter("not empty", |text| !text.is_empty())
            .prop_map(|text| Selector::containing(&text).unwrap()),
        json_row().prop_map(|row| Selector::records(&row).unwrap()),
    ]
}

/// Whether a row matches a single key, by another JSON reader and other code.
fn has_42(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text == "42",
        serde_json::Value::Number(number) => number.as_f64() == Some(42.0),
        serde_json::Value::Array(items) => items.iter().any(has_42),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn our_reader_reads_what_serde_json_reads(row in json_value()) {
        let theirs: serde_json::Value = serde_json::from_str(&row).unwrap();
        let node = json::parse(row.as_bytes()).unwrap();
        prop_assert!(same(&node, &theirs, row.as_bytes()), "{row}");
        for cut in 0..row.len() {
            let theirs = serde_json::from_slice::<serde_json::Value>(&row.as_bytes()[..cut]);
            let ours = json::parse(&row.as_bytes()[..cut]);
            prop_assert_eq!(theirs.is_ok(), ours.is_ok(), "{} cut at {}", row, cut);
        }
    }

    #[test]
    fn no_line_that_matches_is_passed_over(row in json_row(), selector in selector()) {
        let node = json::parse(row.as_bytes()).unwrap();
        if Matcher::new(&selector, Form::Json).matches(&node) {
            let passes = Prefilter::new(&selector, Escapes::Json).may_match(row.as_bytes());
            prop_assert!(passes, "{row} {selector:?}");
        }
    }

    #[test]
    fn json_lines_lose_exactly_the_rows_that_match(
        rows in proptest::collection::vec((json_row(), line_end()), 0..8),
        bom in any::<bool>(),
        last in any::<bool>(),
    ) {
        let mut data = if bom { "\u{feff}".to_owned() } else { String::new() };
        let mut expected = data.clone();
        let mut dropped = 0;
        for (index, (row, end)) in rows.iter().enumerate() {
            let end = if last && index + 1 == rows.len() { "" } else { end };
            let value: serde_json::Value = serde_json::from_str(row).unwrap();
            let matches = value.get("id").is_some_and(has_42);
            data += &format!("{row}{end}");
            // What follows the line end are blank lines of their own, which stay.
            let blank = end.trim_start_matches('\r').strip_prefix('\n').unwrap_or("");
            expected += &if matches { blank.to_owned() } else { format!("{row}{end}") };
            dropped += u64::from(matches);
        }
        let (out, done) = rewritten(data.as_bytes(), JSON, &keys(&["id=42"]), &Mode::Drop);
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        prop_assert_eq!((done.matched, done.rows_after), (dropped, rows.len() as u64 - dropped));
        prop_assert_eq!(done.unreadable.count, 0);
    }

    #[test]
    fn redaction_keeps_rows_and_all_other_values(
        rows in proptest::collection::vec(json_row(), 1..6),
        selector in selector(),
        with in proptest::option::of(text()),
    ) {
        let data = rows.join("\n");
        let (out, done) = rewritten(data.as_bytes(), JSON, &selector, &redact(&["m"], with.as_deref()));
        prop_assert_eq!(done.rows_after, done.rows_before);
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = out.split('\n').collect();
        prop_assert_eq!(lines.len(), rows.len());
        let found = super::rows(data.as_bytes(), JSON, &selector);
        for (index, (before, after)) in rows.iter().zip(lines).enumerate() {
            if !found.contains(&(index as u64 + 1)) {
                prop_assert_eq!(before, after);
                continue;
            }
            let mut expected: serde_json::Value = serde_json::from_str(before).unwrap();
            if let Some(member) = expected.get_mut("m") {
                *member = with.clone().into();
            }
            let after: serde_json::Value = serde_json::from_str(after).unwrap();
            prop_assert_eq!(after, expected);
        }
    }

    #[test]
    fn csv_loses_exactly_the_rows_that_match(
        rows in proptest::collection::vec(
            (proptest::collection::vec((text(), any::<bool>()), 3), prop_oneof!["\n", "\r\n", "\r"]),
            0..8,
        ),
        bom in any::<bool>(),
        last in any::<bool>(),
        needle in prop_oneof![Just("42".to_owned()), Just("\"".to_owned()), "[a-c]{1,2}"],
    ) {
        let mark = if bom { "\u{feff}" } else { "" };
        let mut data = format!("{mark}a,\"b\",c\r\n");
        let (mut by_key, mut by_text, mut redacted) = (data.clone(), data.clone(), data.clone());
        for (index, (fields, end)) in rows.iter().enumerate() {
            let end = if last && index + 1 == rows.len() { "" } else { end };
            let written: Vec<String> = fields.iter().map(|(text, quoted)| quote(text, *quoted)).collect();
            let row = format!("{}{end}", written.join(","));
            data += &row;
            let key = fields[1].0 == "42";
            let text = fields.iter().any(|(text, _)| text.contains(&needle));
            by_key += if key { "" } else { &row };
            by_text += if text { "" } else { &row };
            // Where a field has no bytes there is nothing to replace.
            redacted += &match key && !written[2].is_empty() {
                true => format!("{},{},gone{end}", written[0], written[1]),
                false => row,
            };
        }
        let found = super::rows(data.as_bytes(), CSV, &keys(&["b=42"]));
        let (out, done) = rewritten(data.as_bytes(), CSV, &keys(&["b=42"]), &Mode::Drop);
        prop_assert_eq!(String::from_utf8(out).unwrap(), by_key);
        prop_assert_eq!((done.rows_before, done.matched), (rows.len() as u64, found.len() as u64));
        let contains = Selector::containing(&needle).unwrap();
        if !"abc".contains(&needle) {
            let (out, _) = rewritten(data.as_bytes(), CSV, &contains, &Mode::Drop);
            prop_assert_eq!(String::from_utf8(out).unwrap(), by_text);
        }
        let mode = redact(&["c"], Some("gone"));
        let (out, done) = rewritten(data.as_bytes(), CSV, &keys(&["b=42"]), &mode);
        prop_assert_eq!(std::str::from_utf8(&out).unwrap(), redacted);
        prop_assert_eq!(done.rows_after, rows.len() as u64);
        prop_assert_eq!(super::rows(&out, CSV, &keys(&["b=42"])), found);
    }

    #[test]
    fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200), csv in "[a,\"\r\n;]{0,60}") {
        let all = [keys(&["a=1"]), Selector::containing("a").unwrap(), Selector::records("{\"a\":\"a\"}").unwrap()];
        for selector in &all {
            for format in [JSON, CSV, Format::Text] {
                for data in [&data[..], csv.as_bytes()] {
                    let (out, done) = rewritten(data, format, selector, &redact(&["a"], Some("b")));
                    prop_assert_eq!(done.rows_before, done.rows_after);
                    if done.changed == 0 {
                        prop_assert_eq!(out, data);
                    }
                }
            }
        }
        for format in [JSON, CSV, Format::Text] {
            super::super::profile(bytes(&data), format).unwrap();
        }
    }
}

fn quote(text: &str, quoted: bool) -> String {
    let must = text.contains(['"', ',', '\n', '\r']);
    if quoted || must { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Whether our value is theirs, and stands where it says.
fn same(ours: &json::Node<'_>, theirs: &serde_json::Value, source: &[u8]) -> bool {
    use json::Value;
    let there: Result<serde_json::Value, _> = serde_json::from_slice(&source[ours.span.clone()]);
    there.is_ok_and(|there| there == *theirs)
        && match (&ours.value, theirs) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
            (Value::Number(a), serde_json::Value::Number(b)) => {
                close(a.parse().unwrap(), b.as_f64().unwrap())
            }
            (Value::Text(a), serde_json::Value::String(b)) => a == b,
            (Value::List(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, source))
            }
            (Value::Object(a), serde_json::Value::Object(b)) => {
                let last: Vec<_> = Value::members(a).collect();
                last.len() == b.len()
                    && last.iter().all(|(name, a)| b.get(*name).is_some_and(|b| same(a, b, source)))
            }
            _ => false,
        }
}

/// Whether two doubles are the same but for the last bit, which serde_json does not always get right.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= a.abs() * 1e-15
}
