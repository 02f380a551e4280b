//! Changes of any JSON document, as a value and as text.

use serde_json::{Value, json};

use super::dice::Dice;

/// Every place in a document, as JSON pointers.
pub(crate) fn places(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut below = |name: String, value: &Value| {
        found.extend(places(value).into_iter().map(|rest| format!("/{name}{rest}")));
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| below(number.to_string(), item));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, item)| below(name.clone(), item)),
        _ => {}
    }
    found
}

/// One of them, but not the whole.
pub(crate) fn place(value: &Value, dice: &mut Dice) -> String {
    dice.pick(&places(value)[1..]).clone()
}

/// Swaps two values, of which none is in the other.
pub(crate) fn swap(statement: &mut Value, dice: &mut Dice) -> Option<()> {
    let (one, other) = (place(statement, dice), place(statement, dice));
    if one.starts_with(&other) || other.starts_with(&one) {
        return None;
    }
    let (first, second) = (statement.pointer(&one)?.clone(), statement.pointer(&other)?.clone());
    *statement.pointer_mut(&one)? = second;
    *statement.pointer_mut(&other)? = first;
    Some(())
}

/// A value that stands at the edge of something.
pub(crate) fn odd(dice: &mut Dice) -> Value {
    let texts = [
        "",
        " ",
        "\u{1c}\u{1f}",
        "\u{85}\u{a0}\u{3000}",
        "\u{200b}",
        "x",
        "final",
        "pending",
        "L0",
        "L1",
        "L2",
        "L4",
        "store",
        "archive",
        "confirmed",
        "unconfirmed",
        "raw device",
        "erased-1",
        "stem",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-30T21:59:59Z",
        "0000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+00:00",
        "2026-01-02t03:04:05z",
        "2026-01-02T03:04:05.000Z",
        "2026-01-02T03:04:05Z",
        "ABCDEF0000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000000000000000000000000000000000000000000",
        "stem-ed25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        // The root over nothing.
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    match dice.below(8) {
        0 => Value::Null,
        1 => Value::Bool(dice.below(2) == 0),
        2 => json!(*dice.pick(&[0, 1, 2, u64::MAX, 1 << 53, (1 << 53) - 1])),
        3 => json!(*dice.pick(&[-1.0, 0.5, 1e300])),
        4 => dice
            .pick(&[json!([]), json!({}), json!([[]]), json!([null]), json!({"name": "x"})])
            .clone(),
        _ => json!(*dice.pick(&texts)),
    }
}

/// Where each structural character of a JSON text stands, outside of strings.
fn structure(text: &str) -> Vec<(usize, u8)> {
    let (mut found, mut inside, mut escaped) = (Vec::new(), false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'}' | b'[' | b']' | b':' | b',' if !inside => found.push((at, byte)),
            _ => {}
        }
    }
    found
}

/// White space where JSON allows it.
pub(crate) fn spaced(text: &str, dice: &mut Dice) -> Option<String> {
    let (at, _) = *dice.pick(&structure(text));
    let at = at + dice.below(2);
    let space = dice.pick(&[" ", "\n", "\t", "\r\n", "   "]);
    Some(format!("{}{space}{}", &text[..at], &text[at..]))
}

/// A member that stands there twice: with its own value, or with another one first or last.
pub(crate) fn repeated(text: &str, dice: &mut Dice) -> Option<String> {
    let marks = structure(text);
    let starts: Vec<usize> = marks
        .iter()
        .filter(|(at, byte)| *byte == b'{' || (*byte == b',' && is_member(text, *at)))
        .map(|(at, _)| at + 1)
        .collect();
    let start = *dice.pick(&starts);
    let mut depth = 0;
    let mut end = text.len();
    for (at, byte) in marks.into_iter().filter(|(at, _)| *at >= start) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b'}' | b',' if depth == 0 => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let member = &text[start..end];
    let (name, value) = member.split_at(member.find(':')? + 1);
    let more = match dice.below(3) {
        0 => format!("{name}{value}"),
        1 => format!("{name}null"),
        _ => format!("{name}\"x\""),
    };
    Some(match dice.below(2) {
        0 => format!("{}{more},{}", &text[..start], &text[start..]),
        _ => format!("{},{more}{}", &text[..end], &text[end..]),
    })
}

/// Whether a comma stands between members, not between items.
fn is_member(text: &str, at: usize) -> bool {
    let rest = &text[at + 1..];
    let Some(rest) = rest.strip_prefix('"') else { return false };
    rest.find('"').is_some_and(|end| rest[end..].starts_with("\":"))
}
