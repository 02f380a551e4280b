//! The forms in which records are compared: bytes that are equal exactly when the records are.

use std::borrow::Cow;

use super::json::{Node, Value, write_string};
use super::number::Decimal;

/// When two records are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON values: order of members and white space aside, numbers by their exact value.
    Json,
    /// As rows of texts: a number or truth value is its JSON text, null is the empty text.
    Texts,
    /// As rows of typed columns: null is as good as absent, numbers as RFC 8785 rounds them.
    Columns,
    /// As what is recognised in any format (`docs/format.md`, "Record fingerprints").
    Fingerprint,
}

/// The bytes of `node` in `form`.
pub(super) fn canonical(node: &Node<'_>, form: Form) -> Vec<u8> {
    let mut out = Vec::new();
    if !write(node, form, &mut out) {
        out.extend_from_slice(b"null");
    }
    out
}

/// Writes `node`; `false` if the form leaves such a value out, and nothing was written.
fn write(node: &Node<'_>, form: Form, out: &mut Vec<u8>) -> bool {
    match &node.value {
        Value::Null => match form {
            Form::Json => out.extend_from_slice(b"null"),
            Form::Texts => write_string("", out),
            Form::Columns | Form::Fingerprint => return false,
        },
        Value::Bool(truth) => {
            let word = if *truth { "true" } else { "false" };
            match form {
                Form::Json | Form::Columns => out.extend_from_slice(word.as_bytes()),
                Form::Texts | Form::Fingerprint => write_string(word, out),
            }
        }
        Value::Number(text) => write_number(text, form, out),
        Value::Text(text) if form == Form::Fingerprint => {
            if text.is_empty() {
                return false;
            }
            write_string(&normal(text), out);
        }
        Value::Text(text) => write_string(text, out),
        Value::List(items) => write_list(items, form, out),
        Value::Object(members) => write_object(members, form, out),
    }
    true
}

fn write_number(text: &str, form: Form, out: &mut Vec<u8>) {
    match form {
        // `NaN` and the infinities are no numbers of JSON, so no other number looks like them.
        Form::Json => match Decimal::parse(text) {
            Some(number) => out.extend_from_slice(number.exact().as_bytes()),
            None => out.extend_from_slice(text.as_bytes()),
        },
        Form::Columns => out.extend_from_slice(normal(text).as_bytes()),
        Form::Texts => write_string(text, out),
        Form::Fingerprint => write_string(&normal(text), out),
    }
}

/// `text` itself, or the one form of the number that it is.
fn normal(text: &str) -> Cow<'_, str> {
    match Decimal::parse(text) {
        Some(number) => Cow::Owned(number.canonical()),
        None => Cow::Borrowed(text),
    }
}

fn write_list(items: &[Node<'_>], form: Form, out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        // The places in a list count, so nothing is left out of it.
        if !write(item, form, out) {
            out.extend_from_slice(b"null");
        }
    }
    out.push(b']');
}

fn write_object(members: &[(Cow<'_, str>, Node<'_>)], form: Form, out: &mut Vec<u8>) {
    let mut sorted: Vec<(&str, &Node<'_>)> = Value::members(members).collect();
    // RFC 8785 sorts by UTF-16, which differs from UTF-8 beyond the first plane.
    sorted.sort_unstable_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    out.push(b'{');
    let mut first = true;
    for (name, node) in sorted {
        let before = out.len();
        if !first {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        if write(node, form, out) {
            first = false;
        } else {
            out.truncate(before);
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    fn form(text: &str, form: Form) -> String {
        String::from_utf8(canonical(&parse(text.as_bytes()).unwrap(), form)).unwrap()
    }

    #[test]
    fn json_differs_only_where_values_do() {
        let same = |a, b| form(a, Form::Json) == form(b, Form::Json);
        assert!(same(r#"{"a":1,"b":[1.0,"é"]}"#, r#" {"b" : [1e0, "\u00e9"], "a":1.00}"#));
        assert!(same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#), "the last of a name counts");
        for other in [r#"{"a":"1"}"#, r#"{"a":1,"b":null}"#, r#"{"a":1.0000000000000001}"#, "[1]"] {
            assert!(!same(r#"{"a":1}"#, other), "{other}");
        }
    }

    #[test]
    fn the_fingerprint_form_is_the_same_in_every_format() {
        let expected = r#"{"id":"42","name":"é"}"#;
        for text in [
            r#"{"id":42,"name":"é"}"#,
            r#"{"name":"\u00e9","id":"42.0","gone":null,"empty":""}"#,
            r#"{"id":"42","name":"é"}"#,
        ] {
            assert_eq!(form(text, Form::Fingerprint), expected);
        }
        assert_eq!(form("null", Form::Fingerprint), "null");
        assert_eq!(form("[null,1]", Form::Fingerprint), r#"[null,"1"]"#);
    }

    #[test]
    fn members_are_sorted_by_utf_16_as_rfc_8785_wants() {
        let text = r#"{"\ud83d\ude00":1,"\ufb33":2}"#;
        let ours = form(text, Form::Texts);
        let theirs: serde_json::Value = serde_json::from_str(&ours).unwrap();
        assert_eq!(ours, serde_json_canonicalizer::to_string(&theirs).unwrap());
    }
}
