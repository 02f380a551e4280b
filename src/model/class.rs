//! How much a dataset's content matters, and which stage of its life it is in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of those that are expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is none of {}", word.escape_debug(), known.join(", "))]
pub struct WordError {
    /// What was given.
    pub word: String,
    /// What could have been given.
    pub known: Vec<&'static str>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$one:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$one])* $variant,)*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                let known = || Self::ALL.iter().map(|one| one.as_str()).collect();
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                found.ok_or_else(|| WordError { word: text.into(), known: known() })
            }
        }
    };
}

words! {
    /// What becomes of content when its dataset is retired.
    Class {
        /// It is archived.
        Core = "core",
        /// It may be destroyed.
        Auxiliary = "auxiliary",
        /// Nobody has decided; nothing that destroys goes on.
        Unclassified = "unclassified",
    }
}

words! {
    /// The stage that a dataset or a version has reached.
    State {
        /// In use; where nothing else was said.
        Active = "active",
        /// Still there, but something else should be used.
        Deprecated = "deprecated",
        /// Its life is over: branches and tags stand still.
        Retired = "retired",
        /// Its content lies in an archive and was dropped here.
        Archived = "archived",
        /// Its content was erased under a certificate.
        Erased = "erased",
    }
}

impl State {
    /// Whether what is in this state may go over to `next`.
    ///
    /// | from | to |
    /// |---|---|
    /// | active | deprecated, retired |
    /// | deprecated | active, retired |
    /// | retired | deprecated, archived, erased |
    /// | archived | retired, erased |
    /// | erased | |
    pub fn may_become(self, next: Self) -> bool {
        use State::{Active, Archived, Deprecated, Erased, Retired};
        matches!(
            (self, next),
            (Active, Deprecated | Retired)
                | (Deprecated, Active | Retired)
                | (Retired, Deprecated | Archived | Erased)
                | (Archived, Retired | Erased)
        )
    }

    /// Whether the branches and tags of a dataset in this state stand still.
    pub fn is_frozen(self) -> bool {
        self >= Self::Retired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reached_and_only_the_last_is_never_left() {
        for state in State::ALL {
            assert!(!state.may_become(*state), "{state}");
            let left = State::ALL.iter().any(|next| state.may_become(*next));
            assert_eq!(left, *state != State::Erased, "{state}");
            let reached = State::ALL.iter().any(|from| from.may_become(*state));
            assert!(reached, "{state}");
        }
    }

    #[test]
    fn words_read_back() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
        }
        let error = "dead".parse::<State>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`dead` is none of active, deprecated, retired, archived, erased"
        );
    }
}
