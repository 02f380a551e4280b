//! Which files are left out: `.stemignore`, in the language of `.gitignore`.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use gix::bstr::ByteSlice;
use gix::glob::pattern::{Case, Mode};
use gix::glob::wildmatch;

use super::Error;

/// The rules of a worktree: those of every `.stemignore` in it, each read when it is first needed.
///
/// A file of rules speaks of what lies in its directory and below; rules in a deeper directory and
/// later lines win; `!` takes a rule back; whatever lies in an ignored directory is ignored, and
/// rules in there are not read. As with Git, a `.stemignore` that is a symbolic link does not count.
///
/// May be asked from many threads. A file that changes after it was read is not read again.
#[derive(Debug)]
pub struct IgnoreRules {
    root: PathBuf,
    directories: RwLock<HashMap<Box<[u8]>, DirectoryRules>>,
    problems: Mutex<Vec<Error>>,
}

/// What [`IgnoreRules`] say of the entries of one directory.
#[derive(Debug, Clone)]
pub struct DirectoryRules(Standing);

#[derive(Debug, Clone)]
enum Standing {
    /// The directory is ignored, and so is everything in it.
    Ignored,
    /// The rules that apply in it, those of the deepest directory first; `None` without any.
    Ruled(Option<Arc<RuleFile>>),
}

#[derive(Debug)]
struct RuleFile {
    /// Length of the path of the directory that the file lies in, with the `/` after it.
    base: usize,
    rules: Vec<gix::glob::Pattern>,
    above: Option<Arc<RuleFile>>,
}

/// A file of rules longer than this is refused; Git's own limit.
const LONGEST_FILE: u64 = 100 << 20;

impl IgnoreRules {
    /// The name of a file of rules.
    pub const FILE_NAME: &'static str = ".stemignore";

    /// The rules of the worktree at `root`. Reads nothing yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            directories: RwLock::new(HashMap::new()),
            problems: Mutex::new(Vec::new()),
        }
    }

    /// Whether `path`, relative to the root and with `/` between components, is ignored: by a rule
    /// of its own or because it lies in an ignored directory. The root never is.
    pub fn is_ignored(&self, path: &[u8], is_dir: bool) -> bool {
        if path.is_empty() {
            return false;
        }
        let (directory, _) = split(path);
        self.directory(directory).is_ignored(path, is_dir)
    }

    /// The rules for the entries of the directory at `path`, which is empty for the root. Cheap to
    /// ask again; asking once for each directory is cheaper.
    pub fn directory(&self, path: &[u8]) -> DirectoryRules {
        let known = self.directories.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(path) {
            return rules.clone();
        }
        drop(known);
        let rules = self.read_directory(path);
        let mut known = self.directories.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.into(), rules.clone());
        rules
    }

    /// The files of rules that could not be read since this was last asked. Until this is empty,
    /// "not ignored" may be wrong.
    pub fn take_problems(&self) -> Vec<Error> {
        std::mem::take(&mut self.problems.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_directory(&self, path: &[u8]) -> DirectoryRules {
        let above = if path.is_empty() {
            None
        } else {
            match self.directory(split(path).0) {
                above if above.is_ignored(path, true) => return DirectoryRules(Standing::Ignored),
                DirectoryRules(Standing::Ruled(above)) => above,
                DirectoryRules(Standing::Ignored) => return DirectoryRules(Standing::Ignored),
            }
        };
        let rules = self.read_file(path);
        DirectoryRules(Standing::Ruled(if rules.is_empty() {
            above
        } else {
            let base = if path.is_empty() { 0 } else { path.len() + 1 };
            Some(Arc::new(RuleFile { base, rules, above }))
        }))
    }

    /// The rules in the file of the directory at `path`; none if it cannot be read.
    fn read_file(&self, path: &[u8]) -> Vec<gix::glob::Pattern> {
        // A name that this platform cannot express is the name of no directory here.
        let Ok(directory) = gix::path::from_byte_slice(path) else { return Vec::new() };
        let file = self.root.join(directory).join(Self::FILE_NAME);
        read(&file).unwrap_or_else(|source| {
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            problems.push(Error::IgnoreFile { path: file, source });
            Vec::new()
        })
    }
}

impl DirectoryRules {
    /// Whether the directory itself is ignored, so that nothing in it needs to be looked at.
    pub fn all_ignored(&self) -> bool {
        matches!(self.0, Standing::Ignored)
    }

    /// Whether the entry of this directory at `path` (relative to the root of the worktree) is
    /// ignored.
    pub fn is_ignored(&self, path: &[u8], is_dir: bool) -> bool {
        let mut file = match &self.0 {
            Standing::Ignored => return true,
            Standing::Ruled(file) => file.as_deref(),
        };
        while let Some(here) = file {
            if let Some(ignored) = here.judge(path, is_dir) {
                return ignored;
            }
            file = here.above.as_deref();
        }
        false
    }
}

impl RuleFile {
    /// What the last rule that fits says.
    fn judge(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let path = path.get(self.base..)?;
        let name = path.rfind_byte(b'/').map(|slash| slash + 1);
        let fits = |rule: &&gix::glob::Pattern| {
            let slashes = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
            let path = path.as_bstr();
            rule.matches_repo_relative_path(path, name, Some(is_dir), Case::Sensitive, slashes)
        };
        self.rules.iter().rev().find(fits).map(|rule| !rule.mode.contains(Mode::NEGATIVE))
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// The rules in `file`; none if there is no such file, or something there that is not a file.
fn read(file: &Path) -> io::Result<Vec<gix::glob::Pattern>> {
    let absent = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    };
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => return Ok(Vec::new()),
        Ok(found) if found.len() > LONGEST_FILE => {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 100 MiB"));
        }
        Ok(_) => {}
        Err(error) if absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
    Ok(gix::ignore::parse(&bytes, false).map(|(rule, _, _)| rule).collect())
}
