//! YAML 1.2, from the parser's events: no anchors, so that a small text cannot become a large value.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::{DocumentError, MAX_DEPTH};

const ANCHORS: &str = "anchors and aliases (`&name`, `*name`) are not taken here";
const TAGS: &str = "tags (`!name`) are not taken here";
const KEYS: &str = "a key must be a single word or text";
const SEVERAL: &str = "there is more than one document in it";

/// A list or mapping that is not complete.
enum Open {
    List(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// Reads a document; null if there is none.
pub(super) fn parse(text: &str) -> Result<Value, DocumentError> {
    let mut open: Vec<Open> = Vec::new();
    let mut whole = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| DocumentError::Syntax(error.to_string()))?;
        let done = match event {
            Event::Alias(_) => return Err(DocumentError::Refused(ANCHORS)),
            Event::Scalar(text, style, anchor, tag) => {
                refuse(anchor, tag.is_some())?;
                if let Some(Open::Mapping(map, key @ None)) = open.last_mut() {
                    if map.contains_key(&*text) {
                        return Err(DocumentError::Repeated(text.into_owned()));
                    }
                    *key = Some(text.into_owned());
                    continue;
                }
                scalar(&text, style)?
            }
            Event::SequenceStart(anchor, tag) => {
                refuse(anchor, tag.is_some())?;
                begin(&mut open, Open::List(Vec::new()))?;
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                refuse(anchor, tag.is_some())?;
                begin(&mut open, Open::Mapping(Map::new(), None))?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Mapping(map, _)) => Value::Object(map),
                None => return Err(DocumentError::Syntax("a list ends that did not begin".into())),
            },
            _ => continue,
        };
        match open.last_mut() {
            Some(Open::List(items)) => items.push(done),
            Some(Open::Mapping(map, key)) => {
                map.insert(key.take().ok_or(DocumentError::Refused(KEYS))?, done);
            }
            None if whole.is_some() => return Err(DocumentError::Refused(SEVERAL)),
            None => whole = Some(done),
        }
    }
    Ok(whole.unwrap_or(Value::Null))
}

fn refuse(anchor: usize, tagged: bool) -> Result<(), DocumentError> {
    match (anchor, tagged) {
        (0, false) => Ok(()),
        (0, true) => Err(DocumentError::Refused(TAGS)),
        _ => Err(DocumentError::Refused(ANCHORS)),
    }
}

fn begin(open: &mut Vec<Open>, new: Open) -> Result<(), DocumentError> {
    if let Some(Open::Mapping(_, None)) = open.last() {
        return Err(DocumentError::Refused(KEYS));
    }
    if open.len() == MAX_DEPTH {
        return Err(DocumentError::TooDeep);
    }
    open.push(new);
    Ok(())
}

/// A value by the core schema of YAML 1.2.2, section 10.3: `yes` and `no` are words.
fn scalar(text: &str, style: ScalarStyle) -> Result<Value, DocumentError> {
    if style != ScalarStyle::Plain {
        return Ok(Value::String(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => {
                Value::Number(number.ok_or_else(|| DocumentError::Number(text.to_owned()))?)
            }
            None => Value::String(text.to_owned()),
        },
    })
}

/// The number that plain text is, if it is one; none inside if JSON cannot say it.
fn number(text: &str) -> Option<Option<Number>> {
    let digits = text.trim_start_matches(['+', '-']);
    if text.len() - digits.len() > 1 {
        return None;
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    let based = |prefix, base| {
        let digits = text.strip_prefix(prefix)?;
        let fits = digits.chars().all(|c: char| c.is_digit(base)) && !digits.is_empty();
        fits.then(|| u64::from_str_radix(digits, base).ok().map(Number::from))
    };
    if let Some(number) = based("0x", 16).or_else(|| based("0o", 8)) {
        return Some(number);
    }
    let begins = |c: char| c.is_ascii_digit() || c == '.';
    let all = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !digits.starts_with(begins) || !digits.chars().all(all) {
        return None;
    }
    if digits.chars().all(|c| c.is_ascii_digit()) {
        let plain = text.trim_start_matches('+');
        let whole = plain.parse::<u64>().map(Number::from).ok();
        return Some(whole.or_else(|| plain.parse::<i64>().map(Number::from).ok()));
    }
    text.parse::<f64>().ok().map(Number::from_f64)
}
