//! Where a version came from, what was done to it, how good it was found to be.
//!
//! The words are those of W3C PROV: a source is an entity from outside, a step an activity, whoever
//! did it an agent. As JSON all of it stands inside the version, so it is covered by the version's
//! id; what is learnt later is a [`Record`](super::Record). Fields that this build has no name for
//! are kept as they are, so a version of a later release reads back with its own id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{DatasetName, Time, VersionId};

/// Everything that is known of a version's origin when it is committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What was taken from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// What was done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How good it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Versions that it was made from in another way than by a step or as a parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<Derivation>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What part of a model's life it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_kind: Option<DatasetKind>,
    /// Languages, as BCP 47 tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Modalities: `text`, `image`, `audio`, `video`, `table` and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modalities: Vec<String>,
    /// How sensitive it is: a word of the house, such as `public`, `internal`, `personal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<String>,
    /// The licence of the whole: an SPDX expression where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Fields that users have made up.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Provenance {
    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every value whose shape nothing but JSON limits.
    pub fn free_values(&self) -> impl Iterator<Item = &Value> {
        let sources = self.sources.iter().flat_map(|source| source.other.values());
        let steps = self.steps.iter().flat_map(|step| {
            let code = step.code.iter().flat_map(|code| code.other.values());
            let parts = step.parameters.values().chain(step.environment.values());
            parts.chain(code).chain(step.other.values())
        });
        let metrics = self.metrics.iter().flat_map(|metric| metric.other.values());
        let derived = self.derived_from.iter().flat_map(|derived| derived.other.values());
        let own = self.fields.values().chain(self.other.values());
        own.chain(sources).chain(steps).chain(metrics).chain(derived)
    }
}

/// A place that data was taken from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// What was read: a URI.
    pub uri: String,
    /// The exact state that was read, such as a Git commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Who provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Under which licence: an SPDX expression where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Why it may be processed, such as `consent` or `contract`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// How it was collected, such as `crawl`, `purchase`, `survey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// When it was collected by whoever provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected: Option<Time>,
    /// When it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieved: Option<Time>,
    /// SHA-256 of what was received, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// BLAKE3 of what was received, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// The path in the version that holds it; none for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Something that was done to make a version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it is called, such as `dedupe`.
    pub name: String,
    /// The program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// What it was set to.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// The versions that it read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<DataRef>,
    /// The paths that it wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// The code that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Where it ran: `digest`, `system` and whatever else was taken down.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub environment: Map<String, Value>,
    /// What the command ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// Who did it: `Name <mail>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Who decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// The end of what the command printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tail: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The revision of the code that ran a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// Where the repository can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The commit, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether tracked files differed from the commit.
    #[serde(default)]
    pub dirty: bool,
    /// How many files were not tracked and not ignored.
    #[serde(default)]
    pub untracked: u64,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who decided that a step is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// A person.
    Human,
    /// A person, helped by a program.
    Assisted,
    /// A program.
    Automatic,
}

/// A figure that says how good a version is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured.
    pub name: String,
    /// What came out; finite.
    pub value: f64,
    /// In what: a unit or `%`; none for a bare number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Which part of the version was measured; none for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Over how many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_size: Option<u64>,
    /// The value that it should reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Another version that a version was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Derivation {
    /// Which one.
    pub from: DataRef,
    /// By what, such as `cherry-pick`; `inferred` where it was found out, not said.
    pub how: String,
    /// Fields that this build has no name for, kept as they are.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What part of a model's life a dataset serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// Text and other data that a model is first trained on.
    Pretraining,
    /// What a model is measured with.
    Evaluation,
    /// Instructions and answers.
    Instruction,
    /// Answers that people compared.
    Preference,
    /// Tasks with rewards.
    Reinforcement,
    /// Prompts.
    Prompt,
    /// What users said of answers.
    Feedback,
    /// What a running system has written down.
    OperationsLog,
    /// Anything else.
    Other,
}

/// A version, or a path in it, by its whole id: `dataset@version[:path]` as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataRef {
    /// The dataset that it was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// A file or directory in it; none for the whole.
    pub path: Option<String>,
}

/// Text that is not a [`DataRef`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not of the form `dataset@version[:path]` with 64 hexadecimal digits", .0.escape_debug())]
pub struct DataRefError(pub String);

impl FromStr for DataRef {
    type Err = DataRefError;

    fn from_str(text: &str) -> Result<Self, DataRefError> {
        let fail = || DataRefError(text.into());
        let (dataset, rest) = text.split_once('@').ok_or_else(fail)?;
        let (version, path) = match rest.split_once(':') {
            Some((version, path)) => (version, Some(path)),
            None => (rest, None),
        };
        Ok(Self {
            dataset: dataset.parse().map_err(|_| fail())?,
            version: version.parse().map_err(|_| fail())?,
            path: path.filter(|path| !path.is_empty()).map(str::to_owned),
        })
    }
}

impl fmt::Display for DataRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.dataset, self.version)?;
        match &self.path {
            Some(path) => write!(f, ":{path}"),
            None => Ok(()),
        }
    }
}

impl Serialize for DataRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DataRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Decided {
    /// `human`, `assisted` or `automatic`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Assisted => "assisted",
            Self::Automatic => "automatic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_ref_reads_back_as_it_is_written() {
        let id = VersionId::of(b"x");
        for path in [None, Some("a b/é:1".to_owned())] {
            let one = DataRef { dataset: "raw".parse().unwrap(), version: id, path };
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for wrong in ["", "raw", "raw@abcd", "@", &format!("a b@{id}")] {
            assert!(wrong.parse::<DataRef>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_later_release_adds_is_kept() {
        let text =
            r#"{"new":1,"sources":[{"more":[2],"uri":"x:y"}],"steps":[{"name":"s","odd":3}]}"#;
        let read: Provenance = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&read).unwrap(), text);
        assert_eq!(read.free_values().count(), 3);
    }
}
