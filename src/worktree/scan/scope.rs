//! The part of the worktree that is looked at.

/// Paths and directories, with everything below them.
pub(super) struct Scope<'a> {
    paths: &'a [Vec<u8>],
}

impl<'a> Scope<'a> {
    pub(super) fn new(paths: &'a [Vec<u8>]) -> Self {
        let all = paths.iter().any(Vec::is_empty);
        Self { paths: if all { &[] } else { paths } }
    }

    /// Whether a path is in it.
    pub(super) fn covers(&self, path: &[u8]) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|scope| is_at_or_below(path, scope))
    }

    /// Whether a directory is in it, or has something below it that is.
    pub(super) fn reaches(&self, directory: &[u8]) -> bool {
        self.covers(directory) || self.paths.iter().any(|scope| is_at_or_below(scope, directory))
    }
}

fn is_at_or_below(path: &[u8], prefix: &[u8]) -> bool {
    prefix.is_empty()
        || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}
