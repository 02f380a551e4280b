//! `policy.toml` as a [`Policy`]: typed, and nothing that is not known.

use std::collections::HashSet;

use toml::de::DeTable;

use super::toml_tree::{Node, Table, line};
use super::{Act, Approvals, Case, Deed, Kind, MAX_BYTES, Need, On, Policy, Rule, Threshold};
use crate::model::{Provenance, RefName};

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {problem}", show_key(key.as_deref()))]
pub struct PolicyError {
    /// The line, counted from 1.
    pub line: usize,
    /// The key, such as `rule[2].on`.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
}

fn show_key(key: Option<&str>) -> String {
    key.map(|key| format!(", `{}`", key.escape_debug())).unwrap_or_default()
}

type Result<T> = std::result::Result<T, PolicyError>;

/// More rules than this are a mistake.
const MOST_RULES: usize = 1000;

const RULE_KEYS: &[&str] = &[
    "name",
    "branches",
    "datasets",
    "tags",
    "on",
    "require",
    "metric",
    "licences",
    "protected",
    "signed",
    "min_message_length",
    "required_reviews",
];

/// What a version can say, and for lists what each item can.
const KEYS: &[(&str, &[&str])] = &[
    ("purpose", &[]),
    ("dataset_kind", &[]),
    ("languages", &[]),
    ("modalities", &[]),
    ("sensitivity", &[]),
    ("licence", &[]),
    (
        "sources",
        &[
            "uri",
            "revision",
            "provider",
            "licence",
            "legal_basis",
            "method",
            "collected",
            "retrieved",
            "sha256",
            "blake3",
            "path",
        ],
    ),
    (
        "steps",
        &[
            "name",
            "command",
            "parameters",
            "inputs",
            "outputs",
            "code",
            "environment",
            "exit_code",
            "started",
            "ended",
            "operator",
            "decided",
            "output_tail",
            "note",
        ],
    ),
    ("derived_from", &["from", "how"]),
];

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the line and the key.
    pub fn parse(text: &str) -> Result<Self> {
        let whole = |problem: String| PolicyError { line: 1, key: None, problem };
        if text.len() > MAX_BYTES {
            return Err(whole(format!("a policy has at most {MAX_BYTES} bytes")));
        }
        let document = DeTable::parse(text).map_err(|error| PolicyError {
            line: line(text, error.span().map_or(0, |span| span.start)),
            key: None,
            problem: error.message().to_owned(),
        })?;
        let top = Table::top(text, document.get_ref());
        top.only(&["rule", "approval", "test"])?;
        let approvals = top.tables("approval")?.iter().map(approval).collect::<Result<_>>()?;
        let tables = top.tables("rule")?;
        if tables.len() > MOST_RULES {
            return Err(whole(format!("a policy has at most {MOST_RULES} rules")));
        }
        let mut names = HashSet::new();
        let mut rules = Vec::with_capacity(tables.len());
        for (number, table) in (1..).zip(&tables) {
            let rule = rule(table, number)?;
            if !names.insert(rule.name.clone()) {
                return Err(table.wrong(format!("another rule has the name `{}`", rule.name)));
            }
            rules.push(rule);
        }
        let tests = top.tables("test")?;
        let cases = match tests.is_empty() {
            true => Vec::new(),
            false => cases(text, &tests)?,
        };
        Ok(Self { rules, approvals, cases, digest: super::digest(text) })
    }
}

fn approval(table: &Table<'_>) -> Result<Approvals> {
    table.only(&["on", "datasets", "keys"])?;
    let mut on = Vec::new();
    for item in table.items("on")? {
        on.push(match item.text()?.as_str() {
            "erase" => Deed::Erase,
            "retire" => Deed::Retire,
            _ => return Err(item.wrong("it must be \"erase\" or \"retire\"")),
        });
    }
    if table.get("on").is_none() {
        on = vec![Deed::Erase, Deed::Retire];
    }
    let keys = table.count("keys")?;
    if keys == 0 || on.is_empty() {
        return Err(
            table.wrong("it demands nothing: give `keys`, at least 1, and something in `on`")
        );
    }
    let datasets = table.texts("datasets")?.unwrap_or_else(|| vec!["*".to_owned()]);
    Ok(Approvals { on, datasets, keys })
}

fn rule(table: &Table<'_>, number: usize) -> Result<Rule> {
    table.only(RULE_KEYS)?;
    let all = || vec!["*".to_owned()];
    let tags = table.texts("tags")?;
    let on = match table.get("on") {
        Some(_) => on(table)?,
        None if tags.is_some() => vec![On::Commit, On::Merge, On::Tag],
        None => vec![On::Commit, On::Merge],
    };
    if let (Some(node), false) = (table.get("tags"), on.contains(&On::Tag)) {
        return Err(node.wrong("tags are named, and `on` does not have \"tag\""));
    }
    let rule = Rule {
        name: table.text("name")?.unwrap_or_else(|| format!("rule-{number}")),
        branches: table.texts("branches")?.unwrap_or_else(all),
        datasets: table.texts("datasets")?.unwrap_or_else(all),
        tags: tags.unwrap_or_else(all),
        on,
        require: table.items("require")?.iter().map(need).collect::<Result<_>>()?,
        metrics: table.tables("metric")?.iter().map(threshold).collect::<Result<_>>()?,
        licences: licences(table)?,
        protected: table.flag("protected")?,
        signed: table.flag("signed")?,
        min_message_length: table.count("min_message_length")?,
        required_reviews: table.count("required_reviews")?,
    };
    if !rule.demands_something() {
        return Err(table.wrong("the rule demands nothing"));
    }
    let on_existing = rule.on.contains(&On::Merge) || rule.on.contains(&On::Tag);
    for (key, asked) in [("signed", rule.signed), ("required_reviews", rule.required_reviews > 0)] {
        if let (true, false, Some(node)) = (asked, on_existing, table.get(key)) {
            let why =
                "it can be given only after the commit, so `on` must have \"merge\" or \"tag\"";
            return Err(node.wrong(why));
        }
    }
    Ok(rule)
}

impl Rule {
    fn demands_something(&self) -> bool {
        self.protected
            || self.signed
            || self.min_message_length > 0
            || self.required_reviews > 0
            || !self.require.is_empty()
            || !self.metrics.is_empty()
            || !self.licences.is_empty()
    }
}

fn on(table: &Table<'_>) -> Result<Vec<On>> {
    let mut on = Vec::new();
    for item in table.items("on")? {
        on.push(match item.text()?.as_str() {
            "commit" => On::Commit,
            "merge" => On::Merge,
            "tag" => On::Tag,
            _ => return Err(item.wrong("it must be \"commit\", \"merge\" or \"tag\"")),
        });
    }
    if on.is_empty() {
        return Err(table.wrong("`on` is empty: the rule would never be asked"));
    }
    Ok(on)
}

fn need(node: &Node<'_>) -> Result<Need> {
    if !node.is_table() {
        let key = node.text()?;
        check_key(&key).map_err(|problem| node.wrong(problem))?;
        return Ok(Need { key, kind: None, one_of: Vec::new() });
    }
    let table = node.table()?;
    table.only(&["key", "type", "one_of"])?;
    let key = table.text("key")?.ok_or_else(|| table.wrong("`key` is missing"))?;
    check_key(&key).map_err(|problem| node.wrong(problem))?;
    let kind = match table.text("type")?.as_deref() {
        None => None,
        Some("string") => Some(Kind::String),
        Some("number") => Some(Kind::Number),
        Some("bool") => Some(Kind::Bool),
        Some("list") => Some(Kind::List),
        Some(_) => {
            let problem = "`type` must be \"string\", \"number\", \"bool\" or \"list\"";
            return Err(table.wrong(problem));
        }
    };
    let one_of: Vec<_> = table.items("one_of")?.iter().map(Node::scalar).collect::<Result<_>>()?;
    if table.get("one_of").is_some() && one_of.is_empty() {
        return Err(table.wrong("`one_of` is empty: nothing could pass"));
    }
    if let Some(kind) = kind
        && let Some(odd) = one_of.iter().find(|value| !kind.and_not_list(value))
    {
        let kind = kind.as_str();
        return Err(table.wrong(format!("`one_of` has {odd}, which is not of type {kind}")));
    }
    Ok(Need { key, kind, one_of })
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::List => "list",
        }
    }

    /// Whether a value is of this type.
    pub fn is(self, value: &serde_json::Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Bool => value.is_boolean(),
            Self::List => value.is_array(),
        }
    }

    /// Whether a value can be one of this type, or an item of a list.
    fn and_not_list(self, value: &serde_json::Value) -> bool {
        self == Self::List || self.is(value)
    }
}

/// Refuses keys that no version could ever have, such as misspelt ones.
fn check_key(key: &str) -> std::result::Result<(), String> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(a, b)| (a, Some(b)));
    if rest.is_some_and(|rest| rest.split('.').any(str::is_empty)) {
        return Err(format!("`{key}` is not of the form `a.b`"));
    }
    match (first, rest) {
        ("fields", None) => Err("say which field: `fields.NAME`".into()),
        ("fields" | "metrics", _) => Ok(()),
        _ => {
            let Some((_, parts)) = KEYS.iter().find(|(name, _)| *name == first) else {
                let known: Vec<_> = KEYS.iter().map(|(name, _)| *name).collect();
                let known = known.join(", ");
                return Err(format!(
                    "nothing is called `{first}`; there are {known}, metrics.NAME and fields.NAME"
                ));
            };
            let Some(rest) = rest else { return Ok(()) };
            let part = rest.split('.').next().unwrap_or(rest);
            if parts.contains(&part) {
                return Ok(());
            }
            match parts.is_empty() {
                true => Err(format!("`{first}` has no parts")),
                false => Err(format!("`{first}` has no `{part}`; it has {}", parts.join(", "))),
            }
        }
    }
}

fn threshold(table: &Table<'_>) -> Result<Threshold> {
    table.only(&["name", "slice", "min", "max", "must_exist"])?;
    let name = table.text("name")?.ok_or_else(|| table.wrong("`name` is missing"))?;
    let (min, max) = (table.number("min")?, table.number("max")?);
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        return Err(table.wrong("`min` is greater than `max`: nothing could pass"));
    }
    let must_exist = match table.get("must_exist") {
        Some(_) => table.flag("must_exist")?,
        None => true,
    };
    if min.is_none() && max.is_none() && !must_exist {
        return Err(table.wrong("it demands nothing: give `min`, `max` or `must_exist`"));
    }
    Ok(Threshold { name, slice: table.text("slice")?, min, max, must_exist })
}

fn licences(table: &Table<'_>) -> Result<Vec<String>> {
    let licences = table.texts("licences")?.unwrap_or_default();
    let odd = |id: &&String| !super::licence::is_id(id);
    match (licences.iter().find(odd), table.get("licences")) {
        (Some(id), Some(node)) => {
            let problem = format!("`{}` is not an SPDX identifier", id.escape_debug());
            Err(node.wrong(problem))
        }
        _ => Ok(licences),
    }
}

const CASE_KEYS: &[&str] = &[
    "name",
    "action",
    "branch",
    "tag",
    "dataset",
    "message",
    "signed",
    "reviews",
    "provenance",
    "expect",
];

fn cases(text: &str, tables: &[Table<'_>]) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let values: toml::Table = toml::from_str(text).map_err(|error| PolicyError {
        line: line(text, error.span().map_or(0, |span| span.start)),
        key: Some("test".into()),
        problem: error.message().to_owned(),
    })?;
    for (place, table) in tables.iter().enumerate() {
        let provenance = values
            .get("test")
            .and_then(|tests| tests.get(place)?.get("provenance"))
            .map_or(Ok(Provenance::default()), read_provenance)
            .map_err(|problem| {
                table.get("provenance").map_or_else(
                    || table.wrong(problem.clone()),
                    |node| node.wrong(problem.clone()),
                )
            })?;
        cases.push(case(table, place + 1, provenance)?);
    }
    Ok(cases)
}

fn read_provenance(value: &toml::Value) -> std::result::Result<Provenance, String> {
    let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    let read: Provenance = serde_json::from_value(value).map_err(|error| error.to_string())?;
    match read.other.keys().next() {
        Some(key) => Err(format!("a version says nothing that is called `{key}`")),
        None if read.metrics.iter().any(|metric| !metric.value.is_finite()) => {
            Err("a metric must be finite".into())
        }
        None => Ok(read),
    }
}

fn case(table: &Table<'_>, number: usize, provenance: Provenance) -> Result<Case> {
    table.only(CASE_KEYS)?;
    let act = match table.text("action")?.as_deref() {
        None if table.get("tag").is_some() => Act::Tag,
        None | Some("commit") => Act::Commit,
        Some("merge") => Act::Merge,
        Some("move") => Act::Move,
        Some("tag") => Act::Tag,
        Some(_) => {
            let problem = "`action` must be \"commit\", \"merge\", \"move\" or \"tag\"";
            return Err(table.wrong(problem));
        }
    };
    let (wanted, other) = if act == Act::Tag { ("tag", "branch") } else { ("branch", "tag") };
    if let Some(node) = table.get(other) {
        return Err(node.wrong(format!("the action is on a {wanted}")));
    }
    let target = table.text(wanted)?.unwrap_or_else(|| "main".into());
    target.parse::<RefName>().map_err(|error| table.wrong(error.to_string()))?;
    let passes = match table.text("expect")?.as_deref() {
        Some("pass") => true,
        Some("refuse") => false,
        _ => return Err(table.wrong("`expect` must be \"pass\" or \"refuse\"")),
    };
    Ok(Case {
        name: table.text("name")?.unwrap_or_else(|| format!("test-{number}")),
        act,
        target,
        dataset: table.text("dataset")?.unwrap_or_else(|| "data".into()),
        provenance,
        message: table.text("message")?.unwrap_or_default(),
        signed: table.flag("signed")?,
        reviews: table.count("reviews")?,
        passes,
    })
}
