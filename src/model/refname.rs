//! Names of datasets, branches and tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be a name: {problem}", name.escape_debug())]
pub struct NameError {
    /// What was given.
    pub name: String,
    /// The rule it breaks.
    pub problem: &'static str,
}

/// Whether a name is a branch, which moves, or a tag, which stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefKind {
    /// Moves with every commit.
    Branch,
    /// Stays where it was put.
    Tag,
}

impl RefKind {
    /// `branch` or `tag`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                match $check(name) {
                    None => Ok(Self(name.into())),
                    Some(problem) => Err(NameError { name: name.into(), problem }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// The name of a branch or tag, by the rules of `git check-ref-format`, at most 255 bytes.
    RefName,
    ref_problem
);
name_type!(
    /// The name of a dataset: as a branch, without `/`, at most 100 bytes.
    DatasetName,
    dataset_problem
);

const ALWAYS_WRONG: &[char] = &[' ', '~', '^', ':', '?', '*', '[', '\\', '\u{7f}'];

fn ref_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > 255 {
        Some("it is longer than 255 bytes")
    } else if name == "HEAD" || name == "@" {
        Some("HEAD and @ always mean the current version")
    } else if name.starts_with('-') {
        Some("it begins with `-`")
    } else if name.chars().any(|c| c.is_control() || ALWAYS_WRONG.contains(&c)) {
        Some("it contains a space, a control character or one of ~ ^ : ? * [ \\")
    } else if name.contains("..") || name.contains("@{") {
        Some("it contains `..` or `@{`, which have a meaning in revisions")
    } else if name.starts_with('/') || name.ends_with('/') || name.contains("//") {
        Some("it begins or ends with `/` or contains `//`")
    } else if name.ends_with('.')
        || name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"))
    {
        Some("a part begins with `.` or ends with `.lock`, or it ends with `.`")
    } else {
        None
    }
}

fn dataset_problem(name: &str) -> Option<&'static str> {
    if name.contains(['/', '@']) {
        Some("a dataset's name has no `/` and no `@`")
    } else if name.len() > 100 {
        Some("it is longer than 100 bytes")
    } else {
        ref_problem(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_revision_could_not_mean_are_refused() {
        let long = "x".repeat(4096);
        for wrong in [
            "", "HEAD", "@", "a..b", "../x", "a b", "-d", "/a", "a/", "a//b", ".a", "a.lock",
            "a~1", "x@{1}", &long,
        ] {
            assert!(wrong.parse::<RefName>().is_err(), "{wrong}");
        }
        for right in ["main", "feature/数据", "v1.0", "🚀"] {
            assert!(right.parse::<RefName>().is_ok(), "{right}");
        }
        assert!("a/b".parse::<DatasetName>().is_err());
        assert!("a@b".parse::<DatasetName>().is_err());
    }
}
