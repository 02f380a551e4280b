//! What can be wrong with a key or with what is signed.

/// What failed, and in which text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes that are not of their format.
    #[error("{what} is not understood: {problem}")]
    Malformed {
        /// Which format was expected.
        what: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// A kind of key or signature that this program does not use.
    #[error("{what} is of a kind that is not supported: {found}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// Its kind, in its own words.
        found: String,
    },
    /// A signature that the key has not made over these bytes.
    #[error("the signature of {what} is wrong")]
    Wrong {
        /// What it should be a signature of.
        what: &'static str,
    },
    /// Too few of the given keys have signed.
    #[error("{what} is signed by {found} of the given keys, {needed} needed")]
    TooFew {
        /// What should be signed.
        what: &'static str,
        /// How many different keys must have signed it.
        needed: usize,
        /// How many have.
        found: usize,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    Random(#[source] std::io::Error),
}

/// A format that was not met.
pub(super) fn malformed(what: &'static str, problem: impl Into<String>) -> Error {
    Error::Malformed { what, problem: problem.into() }
}
