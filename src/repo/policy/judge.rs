//! One rule and the evidence: what is missing, and how it can be added.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::evidence::Evidence;
use super::{Act, Asked, Kind, Need, Rule, Threshold, licence};
use crate::model::RefKind;

/// Something that a rule demands and does not find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The rule.
    pub rule: String,
    /// What it asks for, such as `sources.licence`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// How to put it right.
    pub how: String,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The rule.
    pub rule: String,
    /// What it does not find; it passes if that is nothing.
    pub missing: Vec<Missing>,
    /// What it has looked at.
    pub inputs: Map<String, Value>,
}

impl Judgement {
    /// Whether the rule lets it pass.
    pub fn passes(&self) -> bool {
        self.missing.is_empty()
    }

    /// `pass` or `refuse`.
    pub fn verdict(&self) -> &'static str {
        if self.passes() { "pass" } else { "refuse" }
    }
}

/// What a rule that applies says.
pub(super) fn judge(rule: &Rule, asked: &Asked<'_>, evidence: &Evidence) -> Judgement {
    let mut judge = Judge { rule, asked, evidence, missing: Vec::new(), inputs: Map::new() };
    if !judge.protection() {
        let is_asked = asked.act.on().is_some_and(|on| rule.on.contains(&on));
        if is_asked {
            judge.everything();
        }
    }
    Judgement { rule: rule.name.clone(), missing: judge.missing, inputs: judge.inputs }
}

struct Judge<'a> {
    rule: &'a Rule,
    asked: &'a Asked<'a>,
    evidence: &'a Evidence,
    missing: Vec<Missing>,
    inputs: Map<String, Value>,
}

impl Judge<'_> {
    fn tell(&mut self, key: impl Into<String>, what: impl Into<String>, how: impl Into<String>) {
        let (rule, key) = (self.rule.name.clone(), key.into());
        self.missing.push(Missing { rule, key, what: what.into(), how: how.into() });
    }

    /// How to say something that the version does not say: `flag` for a commit, `later` for one that
    /// exists.
    fn how(&self, flag: &str, later: Option<&str>) -> String {
        match (self.asked.act, later) {
            (Act::Commit, _) => format!("`stem commit … {flag}`"),
            (_, Some(later)) => format!("`stem {later}`"),
            (_, None) => format!("commit it anew with `stem commit --allow-empty … {flag}`"),
        }
    }

    /// Whether protection alone refuses it.
    fn protection(&mut self) -> bool {
        let Asked { act, name, kind, exists, .. } = *self.asked;
        if !self.rule.protected {
            return false;
        }
        let how = match (kind, act) {
            (_, Act::Remove) => "a policy without this rule first: `stem policy set FILE`".into(),
            (RefKind::Branch, _) => format!(
                "`stem switch -b work`, commit there, `stem switch {name}`, then `stem merge work`"
            ),
            (RefKind::Tag, _) => "put another tag: `stem tag NAME REV`".to_owned(),
        };
        let what = match (kind, act) {
            (RefKind::Branch, Act::Commit) => {
                format!("branch `{name}` is protected: it takes merges, and no direct commit")
            }
            (RefKind::Branch, Act::Move) if exists => {
                format!("branch `{name}` is protected: only a merge moves it")
            }
            (RefKind::Branch, Act::Remove) => {
                format!("branch `{name}` is protected: it is not removed or renamed")
            }
            (RefKind::Tag, Act::Remove) => format!("tag `{name}` is protected: it is not removed"),
            (RefKind::Tag, Act::Tag) if exists => {
                format!("tag `{name}` is protected: it is not moved")
            }
            _ => return false,
        };
        self.tell("protected", what, how);
        true
    }

    fn everything(&mut self) {
        for need in &self.rule.require {
            self.need(need);
        }
        for threshold in &self.rule.metrics {
            self.threshold(threshold);
        }
        self.licences();
        self.message();
        if self.asked.act != Act::Commit {
            self.signature();
            self.reviews();
        }
    }

    fn message(&mut self) {
        let least = self.rule.min_message_length;
        if least == 0 {
            return;
        }
        let length = self.evidence.message.trim().chars().count() as u64;
        self.inputs.insert("message_length".into(), length.into());
        if length < least {
            let what =
                format!("the message has {length} characters, and at least {least} are asked for");
            let how = match self.asked.act {
                Act::Commit => "`stem commit -m` with more words".into(),
                _ => "commit it anew with `stem commit --allow-empty -m` and more words".to_owned(),
            };
            self.tell("min_message_length", what, how);
        }
    }

    fn signature(&mut self) {
        if !self.rule.signed {
            return;
        }
        self.inputs.insert("signed".into(), self.evidence.signed.into());
        if !self.evidence.signed {
            let id = self.version();
            let what = format!("version {id} carries no good signature by a key that is trusted");
            let how = format!(
                "`stem tag --sign NAME {id}`, or commit it anew with `stem commit --allow-empty \
                 --sign`; `stem key trust` says whose keys are trusted"
            );
            self.tell("signed", what, how);
        }
    }

    fn reviews(&mut self) {
        let least = self.rule.required_reviews;
        if least == 0 {
            return;
        }
        let (approved, rejected) = (&self.evidence.approved, &self.evidence.rejected);
        let seen = json!({ "approved": approved, "rejected": rejected });
        let (good, bad) = (approved.len() as u64, rejected.join(", "));
        self.inputs.insert("reviews".into(), seen);
        let id = self.version();
        if !bad.is_empty() {
            let what = format!("{bad} found version {id} wanting");
            self.tell(
                "required_reviews",
                what,
                format!("`stem review {id} --approve` by the same"),
            );
        }
        if good < least {
            let what = format!(
                "version {id} has {good} of {least} approvals by people other than its author"
            );
            let how = format!("`stem review {id} --approve` by somebody else");
            self.tell("required_reviews", what, how);
        }
    }

    /// The version that exists, for a command line.
    fn version(&self) -> String {
        self.evidence.versions.last().map_or("REV".into(), |id| id.to_hex()[..12].to_owned())
    }

    fn licences(&mut self) {
        if self.rule.licences.is_empty() {
            return;
        }
        let sources = list(&self.evidence.said, "sources");
        let seen: Vec<Value> = sources
            .iter()
            .map(|source| source.get("licence").cloned().unwrap_or_default())
            .collect();
        let allowed = self.rule.licences.join(", ");
        let how = self.how("--source 'uri=…,licence=…'", None);
        if sources.is_empty() {
            self.tell(
                "licences",
                "no source is named, so none has a licence that is allowed",
                &how,
            );
        }
        for (place, licence) in (1..).zip(&seen) {
            let name = source_name(sources, place);
            let what = match licence.as_str() {
                Some(text) if licence::is_allowed(text, &self.rule.licences) => continue,
                Some(text) => format!(
                    "{name} has the licence `{}`, and only {allowed} are allowed",
                    text.escape_debug()
                ),
                None => format!("{name} does not say its licence; {allowed} are allowed"),
            };
            self.tell("licences", what, &how);
        }
        self.inputs.insert("licences".into(), seen.into());
    }

    fn threshold(&mut self, asked: &Threshold) {
        let Threshold { name, slice, min, max, must_exist } = asked;
        let of = slice.as_ref().map(|slice| format!(" of slice `{slice}`")).unwrap_or_default();
        let key = format!("metrics.{name}");
        let id = self.version();
        let slice_flag =
            slice.as_ref().map(|slice| format!(" --slice {slice}")).unwrap_or_default();
        let later = format!("metric set {id} {name}=…{slice_flag}");
        let how = self.how(&format!("--metric {name}=…"), Some(&later));
        let Some(seen) = self.evidence.metric(name, slice.as_deref()) else {
            if *must_exist {
                self.tell(key, format!("metric `{name}`{of} is not recorded"), how);
            }
            return;
        };
        self.see(json!(seen));
        let value = seen.value;
        let bound = match (min, max) {
            (Some(min), _) if value < *min => format!("below {min}"),
            (_, Some(max)) if value > *max => format!("above {max}"),
            _ => return,
        };
        let what = format!("metric `{name}`{of} is {value}, which is {bound}");
        self.tell(key, what, "change the data, or measure again");
    }

    fn see(&mut self, metric: Value) {
        let seen = self.inputs.entry("metrics").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(seen) = seen
            && !seen.contains(&metric)
        {
            seen.push(metric);
        }
    }

    fn need(&mut self, need: &Need) {
        let (first, rest) = match need.key.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (need.key.as_str(), None),
        };
        match (first, rest) {
            ("metrics", Some(name)) => self.need_metric(need, name),
            ("sources" | "steps" | "derived_from" | "metrics", _) => {
                self.need_items(need, first, rest)
            }
            _ => {
                let key = &need.key;
                let value = if first == "fields" {
                    let fields = self.evidence.said.get("fields");
                    fields.and_then(|fields| within(fields, rest.unwrap_or_default()))
                } else {
                    self.evidence.said.get(first)
                };
                let name = rest.filter(|_| first == "fields").unwrap_or(key).to_owned();
                let value = value.cloned();
                let later = format!("meta set {} {key}=…", self.version());
                let how = self.how(&format!("--meta {key}=…"), Some(&later));
                self.value(need, &format!("`{name}`"), value.as_ref(), &how);
            }
        }
    }

    fn need_metric(&mut self, need: &Need, name: &str) {
        let found = self.evidence.metrics.iter().rev().find(|metric| metric.name == name);
        let seen = found.map(|metric| json!(metric));
        let value = found.map(|metric| json!(metric.value));
        seen.into_iter().for_each(|metric| self.see(metric));
        let later = format!("metric set {} {name}=…", self.version());
        let how = self.how(&format!("--metric {name}=…"), Some(&later));
        self.value(need, &format!("metric `{name}`"), value.as_ref(), &how);
    }

    /// Every item of a list must say it, and there must be one.
    fn need_items(&mut self, need: &Need, list_name: &str, part: Option<&str>) {
        let evidence = self.evidence;
        let items = list(&evidence.said, list_name);
        let (one, flag, later) = match list_name {
            "sources" => ("source", "--source 'uri=…,licence=…'", None),
            "steps" => {
                ("step", "--step 'name=…'", Some(format!("step add {} --name …", self.version())))
            }
            "metrics" => {
                let later = format!("metric set {} NAME=…", self.version());
                ("metric", "--metric NAME=…", Some(later))
            }
            _ => ("version that it was made from", "--meta-file FILE", None),
        };
        let how = self.how(flag, later.as_deref().filter(|_| part.is_none()));
        if items.is_empty() {
            return self.tell(&need.key, format!("no {one} is named"), how);
        }
        let Some(part) = part else { return };
        for place in 1..=items.len() {
            let name = match list_name {
                "sources" => source_name(items, place),
                _ => format!("{one} {place}"),
            };
            let name = format!("`{part}` of {name}");
            self.value(need, &name, within(&items[place - 1], part), &how);
        }
    }

    fn value(&mut self, need: &Need, name: &str, value: Option<&Value>, how: &str) {
        let Some(value) = value.filter(|value| !is_empty(value)) else {
            return self.tell(&need.key, format!("{name} is not said"), how);
        };
        if let Some(kind) = need.kind
            && !kind.is(value)
        {
            let what =
                format!("{name} must be of type {}, and is {}", kind.as_str(), type_of(value));
            return self.tell(&need.key, what, how);
        }
        if need.one_of.is_empty() {
            return;
        }
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if let Some(odd) = items.iter().find(|item| !need.one_of.iter().any(|one| same(one, item)))
        {
            let allowed: Vec<_> = need.one_of.iter().map(Value::to_string).collect();
            let what = format!("{name} is {}, and may be {}", short(odd), allowed.join(", "));
            self.tell(&need.key, what, how);
        }
    }
}

/// 1 and 1.0 are the same.
fn same(one: &Value, other: &Value) -> bool {
    one == other || one.as_f64().is_some_and(|one| other.as_f64() == Some(one))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn type_of(value: &Value) -> &'static str {
    for kind in [Kind::String, Kind::Number, Kind::Bool, Kind::List] {
        if kind.is(value) {
            return kind.as_str();
        }
    }
    "a table"
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn list<'a>(said: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    said.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The value at `a.b`; a key that has dots itself is found as well.
fn within<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    within(value.get(first)?, rest)
}

fn source_name(sources: &[Value], place: usize) -> String {
    let uri = sources.get(place - 1).and_then(|source| source.get("uri")).and_then(Value::as_str);
    match uri {
        Some(uri) => format!("source {place} (`{}`)", uri.escape_debug()),
        None => format!("source {place}"),
    }
}
