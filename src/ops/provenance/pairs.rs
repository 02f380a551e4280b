//! The words of flags: `key=value` pairs with commas between them, a metric with its unit, a command
//! in one line.
//!
//! A value may stand in single or double quotes, and then has commas in it as they are; in double
//! quotes a backslash keeps the next character. What is quoted is text, never a number.

use serde_json::{Map, Number, Value};

use super::check::{Flaw, show};
use super::fields::METRIC;
use super::shape::{Field, Fields, OWN, Shape};
use crate::format::document::json_value;

/// A key and its value, and whether the value was quoted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    key: String,
    value: String,
    quoted: bool,
}

/// Takes `key=value,key=value` apart.
pub(super) fn pairs(text: &str, flag: &str) -> Result<Vec<Pair>, Flaw> {
    let mut found = Vec::new();
    for (piece, quoted) in split(text, flag, |c| c == ',')? {
        let Some((key, value)) = piece.split_once('=') else {
            let problem = format!("has `{}`, which is not key=value", show(&piece));
            return Err(Flaw::new(flag, problem).hint("put values with commas in quotes"));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        if key.is_empty() {
            return Err(Flaw::new(flag, format!("has no key before `={}`", show(&value))));
        }
        found.push(Pair { key, value, quoted });
    }
    Ok(found)
}

/// A command line as words: white space separates, quotes keep together.
pub(super) fn words(text: &str, flag: &str) -> Result<Vec<String>, Flaw> {
    let words = split(text, flag, char::is_whitespace)?;
    Ok(words.into_iter().map(|(word, _)| word).collect())
}

/// The pieces between separators, without quotes, and whether there were any. Empty pieces go.
fn split(
    text: &str,
    flag: &str,
    separates: impl Fn(char) -> bool,
) -> Result<Vec<(String, bool)>, Flaw> {
    let mut pieces = Vec::new();
    let (mut piece, mut quoted, mut open) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (Some('"'), '\\') => piece.extend(chars.next()),
            (None, '"' | '\'') => (open, quoted) = (Some(c), true),
            (None, c) if separates(c) => {
                if quoted || !piece.trim().is_empty() {
                    pieces.push((std::mem::take(&mut piece), quoted));
                }
                (piece, quoted) = (String::new(), false);
            }
            (_, c) => piece.push(c),
        }
    }
    if let Some(quote) = open {
        return Err(Flaw::new(flag, format!("has a {quote} that does not end")));
    }
    if quoted || !piece.trim().is_empty() {
        pieces.push((piece, quoted));
    }
    Ok(pieces)
}

/// An object of these fields, from pairs.
pub(super) fn object(
    fields: &'static Fields,
    pairs: Vec<Pair>,
    flag: &str,
) -> Result<Map<String, Value>, Flaw> {
    let mut map = Map::new();
    for Pair { key, value, quoted } in pairs {
        put(fields, &mut map, &key, (&value, quoted), flag)?;
    }
    Ok(map)
}

fn put(
    fields: &'static Fields,
    map: &mut Map<String, Value>,
    key: &str,
    (value, quoted): (&str, bool),
    flag: &str,
) -> Result<(), Flaw> {
    let twice = || Flaw::new(flag, format!("has `{}` twice", show(key)));
    if let Some((outer, inner)) = key.split_once('.') {
        let shape = named(fields, outer).map(|field| (field.name, field.shape));
        let (name, inside) = match shape {
            Some((name, Shape::Object(inside))) => (name, Some(inside)),
            Some((name, Shape::Free)) => (name, None),
            _ => return Err(unknown(fields, key, flag)),
        };
        let entry = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(below) = entry else { return Err(twice()) };
        return match inside {
            Some(inside) => put(inside, below, inner, (value, quoted), flag),
            None if below.contains_key(inner) => Err(twice()),
            None => {
                below.insert(inner.to_owned(), guess(value, quoted));
                Ok(())
            }
        };
    }
    let field = named(fields, key);
    if let Some(Field { name, shape: Shape::List(_), .. }) = field {
        let items = if *name == "command" { words(value, flag)? } else { vec![value.to_owned()] };
        let entry = map.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = entry {
            list.extend(items.into_iter().map(Value::String));
        }
        return Ok(());
    }
    let (name, done) = match field {
        Some(field) => (field.name.to_owned(), typed(field.shape, value, key, flag)?),
        None if fields.extensible && key.starts_with(OWN) => (key.to_owned(), guess(value, quoted)),
        None => return Err(unknown(fields, key, flag)),
    };
    if map.contains_key(&name) {
        return Err(twice());
    }
    map.insert(name, done);
    Ok(())
}

/// The field of this name; of a list also without the s at its end.
fn named(fields: &'static Fields, key: &str) -> Option<&'static Field> {
    let is = |field: &&Field| {
        let one = matches!(field.shape, Shape::List(_)).then(|| field.name.strip_suffix('s'));
        field.name == key || one.flatten() == Some(key)
    };
    fields.known.iter().find(is)
}

fn unknown(fields: &Fields, key: &str, flag: &str) -> Flaw {
    let names: Vec<_> = fields.known.iter().map(|field| field.name).collect();
    let own = if fields.extensible { ", or one of your own that begins with x_" } else { "" };
    Flaw::new(flag, format!("has `{}`, which is not a field that is known", show(key)))
        .hint(format!("fields are {}{own}", names.join(", ")))
}

/// A value of the shape, where text can say one; the check says what is wrong with the rest.
fn typed(shape: Shape, value: &str, key: &str, flag: &str) -> Result<Value, Flaw> {
    let wrong = |what: &str| Flaw::new(flag, format!("has {key}=`{}`, not {what}", show(value)));
    match shape {
        Shape::Number => {
            let number = number(value).ok_or_else(|| wrong("a finite number"))?;
            Ok(Value::Number(number))
        }
        Shape::Count => Ok(value.parse::<u64>().map_err(|_| wrong("a whole number"))?.into()),
        Shape::ExitCode => Ok(value.parse::<i32>().map_err(|_| wrong("an exit code"))?.into()),
        Shape::Truth => Ok(value.parse::<bool>().map_err(|_| wrong("true or false"))?.into()),
        Shape::Free => Err(wrong("an object").hint(format!("write {key}.NAME=VALUE"))),
        Shape::Object(_) => Err(wrong("an object").hint(format!("write {key}.FIELD=VALUE"))),
        _ => Ok(Value::String(value.to_owned())),
    }
}

/// What a value of a free field is: JSON where it is, otherwise text.
pub(super) fn guess(value: &str, quoted: bool) -> Value {
    let plain = || Value::String(value.to_owned());
    if quoted { plain() } else { json_value(value).unwrap_or_else(|_| plain()) }
}

/// A finite number as JSON has it: whole where it was written so.
fn number(text: &str) -> Option<Number> {
    if !text.contains(['.', 'e', 'E'])
        && let Ok(whole) = text.trim_start_matches('+').parse::<i64>()
    {
        return Some(whole.into());
    }
    let begins = text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    text.parse::<f64>().ok().filter(|_| begins).and_then(Number::from_f64)
}

/// A metric: `name=value[unit]`, and after commas any other fields.
pub(super) fn metric(text: &str, flag: &str) -> Result<Map<String, Value>, Flaw> {
    let mut pairs = pairs(text, flag)?;
    let named = pairs.first().is_some_and(|pair| pair.key == "name");
    if named || pairs.is_empty() {
        return object(METRIC, pairs, flag);
    }
    let Pair { key, value, .. } = pairs.remove(0);
    let (value, unit) = measured(&value)
        .ok_or_else(|| Flaw::new(flag, format!("has `{}`, not a finite number", show(&value))))?;
    let mut map = object(METRIC, pairs, flag)?;
    if map.contains_key("name") || map.contains_key("value") {
        return Err(Flaw::new(flag, "says the name or the value twice"));
    }
    if !unit.is_empty() && map.insert("unit".into(), unit.into()).is_some() {
        return Err(Flaw::new(flag, "says the unit twice"));
    }
    map.insert("name".into(), key.into());
    map.insert("value".into(), Value::Number(value));
    Ok(map)
}

/// `12.5 ms` as a number and its unit.
fn measured(text: &str) -> Option<(Number, &str)> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut end = digits(sign);
    if end == sign {
        return None;
    }
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + signed;
        if digits(exponent) > exponent {
            end = digits(exponent);
        }
    }
    Some((number(&text[..end])?, text[end..].trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fields::{SOURCE, STEP};
    use super::*;

    fn read(fields: &'static Fields, text: &str) -> Result<Value, String> {
        let map = pairs(text, "-").and_then(|pairs| object(fields, pairs, "-"));
        map.map(Value::Object).map_err(|flaw| flaw.to_string())
    }

    #[test]
    fn pairs_are_taken_apart() {
        for (text, expected) in [
            ("uri=a:b, licence=MIT", json!({"uri": "a:b", "licence": "MIT"})),
            ("uri=https://x/?a=b&c=d", json!({"uri": "https://x/?a=b&c=d"})),
            (r#"uri=a:b,note="a, b""#, json!({"uri": "a:b", "note": "a, b"})),
            (r#"uri=a:b,"note=a, b""#, json!({"uri": "a:b", "note": "a, b"})),
            (r#"note="say \"a\"",uri='x"y'"#, json!({"note": "say \"a\"", "uri": "x\"y"})),
            ("x_rank=3,x_more='3'", json!({"x_rank": 3, "x_more": "3"})),
            ("", json!({})),
        ] {
            assert_eq!(read(SOURCE, text), Ok(expected), "{text}");
        }
        let step = "name=s,command=\"python3 a.py 'b c'\",input=raw@main,input=HEAD:x,output=y,\
                    parameters.rate=0.5,parameters.how=exact,code.commit=abc,code.dirty=true,\
                    exit_code=0,decided=human";
        let expected = json!({
            "name": "s", "command": ["python3", "a.py", "b c"], "inputs": ["raw@main", "HEAD:x"],
            "outputs": ["y"], "parameters": {"rate": 0.5, "how": "exact"},
            "code": {"commit": "abc", "dirty": true}, "exit_code": 0, "decided": "human",
        });
        assert_eq!(read(STEP, step), Ok(expected));
    }

    #[test]
    fn pairs_that_say_nothing_clear_are_refused() {
        for (text, part) in [
            ("uri=a:b,c", "not key=value"),
            ("=x", "no key"),
            ("uri=a,uri=b", "`uri` twice"),
            ("uri=\"a", "does not end"),
            ("url=a", "not a field"),
            ("uri.x=a", "not a field"),
        ] {
            let error = read(SOURCE, text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        for (text, part) in [
            ("exit_code=x", "an exit code"),
            ("parameters=x", "parameters.NAME"),
            ("parameters.a=1,parameters.a=2", "twice"),
            ("code.dirty=maybe", "true or false"),
        ] {
            let error = read(STEP, text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_metric_is_a_number_with_its_unit() {
        for (text, name, value, unit) in [
            ("accuracy=0.93", "accuracy", json!(0.93), None),
            ("rows=1000", "rows", json!(1000), None),
            ("rate=93%", "rate", json!(93), Some("%")),
            ("size=1.5e3 MiB", "size", json!(1500.0), Some("MiB")),
            ("delta=-2e", "delta", json!(-2), Some("e")),
            ("name=x,value=2,unit=s", "x", json!(2), Some("s")),
            ("a=5.", "a", json!(5), Some(".")),
        ] {
            let map = metric(text, "-").unwrap_or_else(|flaw| panic!("{text}: {flaw}"));
            assert_eq!(map["name"], name, "{text}");
            assert_eq!(map["value"], value, "{text}");
            assert_eq!(map.get("unit").and_then(Value::as_str), unit, "{text}");
        }
        for text in ["a=nan", "a=inf", "a=-infinity", "a=1e999", "a=", "a", "a=x", "a=1,name=b"] {
            assert!(metric(text, "-").is_err(), "{text}");
        }
    }
}
