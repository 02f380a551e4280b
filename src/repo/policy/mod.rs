//! The rules of a store: what a version must say before a branch or tag takes it.
//!
//! Here: `policy.toml` read, a version's evidence gathered, each rule judged, and the gate that
//! every move of a branch or tag goes through ([`super::Session`] calls it, so no verb can forget).
//! Not here: verbs (`ops::policy`), how a refusal is shown (`cli::report`).
//! Invariant: whatever moves a branch or tag was judged by the policy that holds at that moment, and
//! the verdict, pass or refusal, is in the journal.

mod evidence;
mod gate;
mod judge;
mod licence;
mod parse;
mod toml_tree;
mod words;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::model::{Provenance, RefKind};

pub use evidence::{Evidence, SeenMetric, is_signed};
pub use gate::Refusal;
pub(super) use gate::{Gated, policy_moved};
pub use judge::{Judgement, Missing};
pub use parse::PolicyError;

/// The longest policy, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A policy that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// By how many keys erasures and retirements must be approved.
    pub approvals: Vec<Approvals>,
    /// What its author expects of it.
    pub cases: Vec<Case>,
    /// BLAKE3 of the file, in hexadecimal.
    pub digest: String,
}

/// What destroys or ends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Erasing files or records.
    Erase,
    /// Retiring a dataset or version.
    Retire,
}

/// One `[[approval]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// What needs it.
    pub on: Vec<Deed>,
    /// Patterns of datasets.
    pub datasets: Vec<String>,
    /// By how many keys of people other than who asks for it.
    pub keys: u64,
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// A version is made on a branch by anything but a merge.
    Commit,
    /// A branch takes what exists already: by a merge, or by being put there.
    Merge,
    /// A tag is put somewhere.
    Tag,
}

/// What is done to a branch or tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// A new version on top of a branch.
    Commit,
    /// `merge`, whether it makes a version or moves the branch.
    Merge,
    /// A branch is put at a version that exists, by anything but `merge`.
    Move,
    /// A branch or tag is taken away.
    Remove,
    /// A tag is put at a version.
    Tag,
}

/// One `[[rule]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// Its name; `rule-N` if it was given none.
    pub name: String,
    /// Patterns of branches.
    pub branches: Vec<String>,
    /// Patterns of tags.
    pub tags: Vec<String>,
    /// Patterns of datasets.
    pub datasets: Vec<String>,
    /// When it is asked.
    pub on: Vec<On>,
    /// What must be said.
    pub require: Vec<Need>,
    /// What must be reached.
    pub metrics: Vec<Threshold>,
    /// The licences that sources may have; all if empty.
    pub licences: Vec<String>,
    /// Branches move by `merge` only, and neither they nor tags are moved or taken away.
    pub protected: bool,
    /// The version must be signed by a key that the store trusts.
    pub signed: bool,
    /// The least length of the message in characters.
    pub min_message_length: u64,
    /// How many people other than the author must have looked at it.
    pub required_reviews: u64,
}

/// Something that a version must say.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// Where it is said, such as `sources.licence`.
    pub key: String,
    /// What type of value it has.
    pub kind: Option<Kind>,
    /// The values it may have; all if empty.
    pub one_of: Vec<Value>,
}

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A list.
    List,
}

/// Bounds of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The metric.
    pub name: String,
    /// The part that was measured; none for the whole.
    pub slice: Option<String>,
    /// The least value.
    pub min: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
    /// Whether a version without it is refused.
    pub must_exist: bool,
}

/// One `[[test]]`: a made-up version, and what the policy should say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What is done.
    pub act: Act,
    /// The branch or tag.
    pub target: String,
    /// The dataset.
    pub dataset: String,
    /// What the version says.
    pub provenance: Provenance,
    /// Its message.
    pub message: String,
    /// Whether it is signed.
    pub signed: bool,
    /// How many people have looked at it.
    pub reviews: u64,
    /// Whether it should pass.
    pub passes: bool,
}

/// What a policy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is done.
    pub act: Act,
    /// The dataset.
    pub dataset: &'a str,
    /// To a branch or to a tag.
    pub kind: RefKind,
    /// Its name.
    pub name: &'a str,
    /// Whether the branch or tag is there already.
    pub exists: bool,
}

impl Act {
    /// The word in `on` that covers it; none for a removal.
    pub fn on(self) -> Option<On> {
        match self {
            Self::Commit => Some(On::Commit),
            Self::Merge | Self::Move => Some(On::Merge),
            Self::Tag => Some(On::Tag),
            Self::Remove => None,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Merge => "merge",
            Self::Move => "move",
            Self::Remove => "remove",
            Self::Tag => "tag",
        }
    }
}

/// What a policy is known by: BLAKE3 of its file, in hexadecimal.
pub fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Policy {
    /// By how many keys a deed on these datasets must be approved. Where no dataset is known, every
    /// rule counts.
    pub fn approvals_for(&self, deed: Deed, datasets: &BTreeSet<String>) -> u64 {
        let applies = |one: &&Approvals| {
            let mine = || datasets.iter().any(|name| fits(&one.datasets, name));
            one.on.contains(&deed) && (datasets.is_empty() || mine())
        };
        self.approvals.iter().filter(applies).map(|one| one.keys).max().unwrap_or(0)
    }

    /// Judges by every rule that applies, in the order of the file.
    pub fn judge(&self, asked: &Asked<'_>, evidence: &Evidence) -> Vec<Judgement> {
        let applying = self.rules.iter().filter(|rule| rule.applies(asked));
        applying.map(|rule| judge::judge(rule, asked, evidence)).collect()
    }
}

impl Case {
    /// What the policy says of it.
    pub fn judge(&self, policy: &Policy) -> Vec<Judgement> {
        let kind = if self.act == Act::Tag { RefKind::Tag } else { RefKind::Branch };
        let exists = kind == RefKind::Branch;
        let (act, dataset, name) = (self.act, self.dataset.as_str(), self.target.as_str());
        policy.judge(&Asked { act, dataset, kind, name, exists }, &Evidence::made_up(self))
    }
}

impl Rule {
    /// Whether the rule has a say.
    pub fn applies(&self, asked: &Asked<'_>) -> bool {
        // A rule about tags alone protects no branch, and one about branches alone no tag.
        let (patterns, about) = match asked.kind {
            RefKind::Branch => (&self.branches, &[On::Commit, On::Merge][..]),
            RefKind::Tag => (&self.tags, &[On::Tag][..]),
        };
        let kept = self.protected && about.iter().any(|on| self.on.contains(on));
        let is_asked = asked.act.on().is_some_and(|on| self.on.contains(&on));
        fits(&self.datasets, asked.dataset) && fits(patterns, asked.name) && (is_asked || kept)
    }
}

fn fits(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
}

/// Whether `name` is of the form `pattern`: `*` is any run of bytes, also of none and with `/`, `?`
/// is one byte. Takes at most the product of the lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut here, mut star) = (0, 0, None);
    while here < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[here] => {
                at += 1;
                here += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, here) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_stars_and_question_marks() {
        let yes = [("*", ""), ("*", "a/b"), ("main", "main"), ("release/*", "release/1.0")];
        let no = [("main", "main2"), ("release/*", "release"), ("?", ""), ("a*b", "ac")];
        for (pattern, name) in yes.into_iter().chain([("a*b*c", "aXbYbc"), ("v?.*", "v1.2")]) {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in no {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        let (pattern, name) = ("*a".repeat(1000), "a".repeat(5000) + "b");
        assert!(!matches(pattern.as_bytes(), name.as_bytes()));
    }
}
