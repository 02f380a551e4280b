//! Whether a document has the shape of the metadata; every flaw of it, not just the first.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::fields::PROVENANCE;
use super::licence;
use super::shape::{Fields, OWN, Shape};
use crate::model::Time;

/// Something that is wrong with metadata.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Flaw {
    /// Where, such as `sources[0].licence`; empty for the whole.
    pub at: String,
    /// What is wrong.
    pub problem: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl Flaw {
    /// A flaw at `at`.
    pub(super) fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { at: at.into(), problem: problem.into(), hint: None }
    }

    /// With what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{} ", self.at)?;
        }
        f.write_str(&self.problem)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// How long a clock may be ahead of ours.
const AHEAD_SECONDS: i64 = 86_400;
/// Integers beyond this are not exact in JSON.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// What is looked at, and what was found.
pub(super) struct Check {
    now: Time,
    flaws: Vec<Flaw>,
}

impl Check {
    /// A look at `now`.
    pub(super) fn new(now: Time) -> Self {
        Self { now, flaws: Vec::new() }
    }

    /// What was found.
    pub(super) fn flaws(self) -> Vec<Flaw> {
        self.flaws
    }

    fn found(&mut self, at: &str, problem: impl Into<String>) {
        self.flaws.push(Flaw::new(at, problem));
    }

    /// Looks at a whole document. Days become moments, hashes lower case.
    pub(super) fn document(&mut self, map: &mut Map<String, Value>) {
        self.object(PROVENANCE, map, "");
        self.repeated_metrics(map);
    }

    /// Looks at one value.
    pub(super) fn value(&mut self, shape: Shape, value: &mut Value, at: &str) {
        match (shape, value) {
            (Shape::List(of), Value::Array(items)) => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.value(*of, item, &format!("{at}[{number}]"));
                }
            }
            (Shape::Object(fields), Value::Object(map)) => self.object(fields, map, at),
            (Shape::Free, Value::Object(map)) => {
                map.iter().for_each(|(key, value)| self.integers(value, &format!("{at}.{key}")));
            }
            (Shape::Truth, Value::Bool(_)) => {}
            (Shape::Number, Value::Number(number)) if number.as_f64().is_some() => {
                self.integers(&Value::Number(number.clone()), at);
            }
            (Shape::Count, Value::Number(number)) if whole(number).is_some() => {}
            (Shape::ExitCode, Value::Number(number))
                if number.as_i64().is_some_and(|code| i32::try_from(code).is_ok()) => {}
            (shape, Value::String(text)) if is_text(shape) => self.text(shape, text, at),
            (shape, value) => {
                self.found(at, format!("is {}, not {}", kind(value), expected(shape)));
            }
        }
    }

    fn object(&mut self, fields: &'static Fields, map: &mut Map<String, Value>, at: &str) {
        let inside = |name: &str| {
            if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
        };
        for (name, value) in map.iter_mut() {
            match fields.get(name) {
                Some(field) => self.value(field.shape, value, &inside(name)),
                None if fields.extensible && name.starts_with(OWN) => {
                    self.integers(value, &inside(name));
                }
                None => {
                    let flaw = Flaw::new(inside(&show(name)), "is not a field that is known");
                    self.flaws.push(flaw.hint(advice(fields, name)));
                }
            }
        }
        for field in fields.known.iter().filter(|field| field.required) {
            if !map.contains_key(field.name) {
                self.found(&inside(field.name), "is missing");
            }
        }
        self.order(map, at);
    }

    fn text(&mut self, shape: Shape, text: &mut String, at: &str) {
        if text.trim().is_empty() {
            return self.found(at, "is empty");
        }
        // The end of what a command has printed is kept as it was, to be escaped when it is shown.
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        if text.contains(control) && !at.ends_with("output_tail") {
            return self.found(at, "has control characters in it");
        }
        match shape {
            Shape::Uri => self.uri(text, at),
            Shape::Moment => self.moment(text, at),
            Shape::Word(words) if !words.contains(&text.as_str()) => {
                self.found(at, format!("is `{}`, not one of {}", show(text), words.join(", ")));
            }
            Shape::Hash if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                text.make_ascii_lowercase();
            }
            Shape::Hash => self.found(at, "is not a hash of 64 hexadecimal digits"),
            Shape::Licence => {
                if let Some((problem, hint)) = licence::flaw(text) {
                    self.flaws.push(Flaw { at: at.into(), problem, hint });
                }
            }
            Shape::Language if !is_language(text) => {
                self.found(at, format!("is `{}`, not a tag such as en or pt-BR", show(text)));
            }
            _ => {}
        }
    }

    fn uri(&mut self, text: &str, at: &str) {
        if text.contains(char::is_whitespace) {
            return self.found(at, "has spaces in it: write them as %20");
        }
        let authority = text.split_once("://").map(|(_, rest)| rest.split('/').next());
        let user = authority.flatten().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) {
            let flaw = Flaw::new(at, "has a password in it, and a version keeps it for ever");
            self.flaws.push(flaw.hint("leave out what stands before `@`"));
        }
    }

    fn moment(&mut self, text: &mut String, at: &str) {
        let Some(time) = moment(text) else {
            let problem = format!("is `{}`, not a day or a moment", show(text));
            let hint = "write 2026-11-23 or 2026-11-23T14:10:00Z";
            self.flaws.push(Flaw::new(at, problem).hint(hint));
            return;
        };
        if time.unix() > self.now.unix().saturating_add(AHEAD_SECONDS) {
            let problem = format!("is in the future: {time}, and it is {}", self.now);
            self.flaws.push(Flaw::new(at, problem));
        }
        *text = time.to_string();
    }

    /// What ended has begun before.
    fn order(&mut self, map: &Map<String, Value>, at: &str) {
        let time = |name: &str| map.get(name).and_then(Value::as_str).and_then(moment);
        for (first, last) in [("started", "ended"), ("collected", "retrieved")] {
            if let (Some(began), Some(ended)) = (time(first), time(last))
                && began > ended
            {
                self.found(at, format!("has `{last}` before `{first}`"));
            }
        }
    }

    fn repeated_metrics(&mut self, map: &Map<String, Value>) {
        let Some(Value::Array(metrics)) = map.get("metrics") else { return };
        let mut seen = HashSet::new();
        for (number, metric) in metrics.iter().enumerate() {
            let text = |name: &str| metric.get(name).and_then(Value::as_str);
            let Some(name) = text("name") else { continue };
            if !seen.insert((name, text("slice"))) {
                let of = text("slice").map(|slice| format!(" of the slice `{}`", show(slice)));
                let problem = format!("names `{}`{} again", show(name), of.unwrap_or_default());
                self.flaws.push(Flaw::new(format!("metrics[{number}]"), problem));
            }
        }
    }

    fn integers(&mut self, value: &Value, at: &str) {
        match value {
            Value::Number(number) => {
                let large = number.as_f64().is_some_and(|float| {
                    float.abs() > MAX_EXACT as f64 && float.fract() == 0.0 && float.abs() < 1e21
                });
                if large {
                    self.found(at, "is larger than 2^53 - 1, which JSON cannot say exactly");
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.integers(item, &format!("{at}[{number}]"));
                }
            }
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| self.integers(value, &format!("{at}.{key}")));
            }
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
}

/// A day at its beginning, or a moment.
pub(super) fn moment(text: &str) -> Option<Time> {
    let day = text.get(..10)?;
    let digits = day.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !digits {
        return None;
    }
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { text.parse().ok() }
}

fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().filter(|number| *number <= MAX_EXACT)
}

fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let is_first = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    is_first && parts.all(part)
}

fn is_text(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::Text
            | Shape::Uri
            | Shape::Moment
            | Shape::Word(_)
            | Shape::Hash
            | Shape::Licence
            | Shape::Language
            | Shape::Reference
    )
}

fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Number => "a finite number",
        Shape::Count => "a whole number from 0",
        Shape::ExitCode => "an exit code",
        Shape::Truth => "true or false",
        Shape::List(_) => "a list",
        Shape::Object(_) | Shape::Free => "an object of keys and values",
        _ => "text",
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", show(text)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Text for a message: short, and nothing in it that means something to a terminal.
pub(super) fn show(text: &str) -> String {
    let short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() { format!("{short}…") } else { short }
}

/// What to do about a field that is not known.
fn advice(fields: &Fields, name: &str) -> String {
    const MEANT: &[(&str, &str)] = &[
        ("license", "licence"),
        ("language", "languages"),
        ("modality", "modalities"),
        ("source", "sources"),
        ("step", "steps"),
        ("metric", "metrics"),
        ("kind", "dataset_kind"),
        ("url", "uri"),
        ("input", "inputs"),
        ("output", "outputs"),
        ("params", "parameters"),
        ("cmd", "command"),
        ("date", "retrieved"),
    ];
    let lower = name.to_ascii_lowercase().replace('-', "_");
    let meant = MEANT.iter().find(|(wrong, _)| *wrong == lower).map(|(_, right)| *right);
    let meant = meant.unwrap_or(&lower);
    match fields.get(meant) {
        Some(field) => format!("did you mean `{}`?", field.name),
        None if fields.get("fields").is_some() => "put fields of your own under `fields`".into(),
        None => "begin a field of your own with `x_`".into(),
    }
}
