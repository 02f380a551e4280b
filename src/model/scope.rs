//! A part of a tree: some paths, with everything below them.

/// Paths and directories with everything below them; without any it is everything.
///
/// A question takes time with the depth of a path and the logarithm of how many paths there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// In byte order, each once, and none below another.
    paths: Vec<Vec<u8>>,
}

impl Scope {
    /// The part at and below `paths`: everything if there are none, or if one is the empty path.
    pub fn of(paths: &[Vec<u8>]) -> Self {
        let mut sorted = if paths.iter().any(Vec::is_empty) { Vec::new() } else { paths.to_vec() };
        sorted.sort_unstable();
        sorted.dedup();
        let all = Self { paths: sorted };
        let is_top = |path: &&Vec<u8>| !ancestors(path).any(|above| all.has(above));
        let paths = all.paths.iter().filter(is_top).cloned().collect();
        Self { paths }
    }

    /// Whether it is everything.
    pub fn is_everything(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether a path is in it.
    pub fn covers(&self, path: impl AsRef<[u8]>) -> bool {
        let path = path.as_ref();
        self.is_everything() || self.has(path) || ancestors(path).any(|above| self.has(above))
    }

    /// Whether a directory is in it, or has something below it that is; the empty path is the top.
    pub fn reaches(&self, directory: &[u8]) -> bool {
        if directory.is_empty() || self.covers(directory) {
            return true;
        }
        let below = [directory, b"/"].concat();
        let first = self.paths.partition_point(|path| *path < below);
        self.paths.get(first).is_some_and(|path| path.starts_with(&below))
    }

    fn has(&self, path: &[u8]) -> bool {
        self.paths.binary_search_by(|known| known.as_slice().cmp(path)).is_ok()
    }
}

/// The directories that a path lies in, from the top; not the top itself.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_at_or_below(path: &[u8], prefix: &[u8]) -> bool {
        prefix.is_empty()
            || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// Few names, some of which begin with another or sort around the slash.
    fn path() -> impl Strategy<Value = Vec<u8>> {
        let name = proptest::sample::select(vec![&b"a"[..], b"a-", b"a0", b"ab", b"b", b"\xff"]);
        proptest::collection::vec(name, 0..5).prop_map(|names| names.join(&b'/'))
    }

    proptest! {
        /// It says what comparing with each path says.
        #[test]
        fn a_scope_is_what_comparing_with_every_path_says(
            paths in proptest::collection::vec(path(), 0..12),
            asked in path(),
        ) {
            let scope = Scope::of(&paths);
            let covers = paths.is_empty() || paths.iter().any(|one| is_at_or_below(&asked, one));
            prop_assert_eq!(scope.covers(&asked), covers);
            let reaches = covers || paths.iter().any(|one| is_at_or_below(one, &asked));
            prop_assert_eq!(scope.reaches(&asked), reaches);
            let everything = paths.is_empty() || paths.iter().any(Vec::is_empty);
            prop_assert_eq!(scope.is_everything(), everything);
        }
    }
}
