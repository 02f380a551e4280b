//! How far a long operation has come, and whether it should stop.

/// Told about long work, from any thread.
pub trait Progress: Send + Sync {
    /// A phase begins: what is done, and how much is expected, as far as known.
    fn begin(&self, what: &str, files: Option<u64>, bytes: Option<u64>);

    /// So much more is done since the last call.
    fn advance(&self, files: u64, bytes: u64);

    /// The phase is over.
    fn end(&self);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn end(&self) {}
}
