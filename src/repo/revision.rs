//! Revisions: what a user writes to name a version.
//!
//! `name`, `HEAD`, `@`, `@{n}`, `name@{n}`, an id or the beginning of one, `dataset@revision`, each
//! followed by any number of `~n` and `^n`. A name of the current dataset comes before everything
//! else, then `dataset@…`, then an id.

use std::path::Path;

use super::{Error, Repository, Result, nearest};
use crate::catalogue::{self, Head};
use crate::format::manifest;
use crate::model::{DatasetName, RefKind, RefName, RepoPath, VersionId};

/// The least digits that stand for an id.
const LEAST_DIGITS: usize = 4;

/// A version, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The dataset it was looked for in.
    pub dataset: DatasetName,
    /// The version.
    pub version: VersionId,
    /// The branch or tag, if the text is just its name.
    pub name: Option<(RefKind, RefName)>,
}

/// Splits `revision:path`. The path may be empty; without a colon there is none. `:path` is one of
/// `HEAD`.
pub fn split_path(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((revision, path)) => (or_head(revision), Some(path)),
        None => (text, None),
    }
}

/// One side of a range, which is `HEAD` where nothing stands.
pub fn or_head(side: &str) -> &str {
    if side.is_empty() { "HEAD" } else { side }
}

impl Repository {
    /// The path that stands after the colon in `revision:path`, without its last slashes; empty
    /// for the top. From the top, or with `./` and `../` from where the user stands, as in Git. It
    /// may be given as [`RepoPath::exact`] writes it.
    ///
    /// # Errors
    ///
    /// [`Error::NoPath`] if the version has neither a file nor a directory there.
    pub fn path_in(&self, version: &VersionId, revision: &str, path: &str) -> Result<Vec<u8>> {
        let root = self.manifest_of(version)?;
        let nodes = self.nodes();
        let is_there = |path: &[u8]| -> Result<bool> {
            Ok(path.is_empty() || manifest::list(&nodes, &root, path)?.next_entry()?.is_some())
        };
        let from_here = |path: &str| self.place.inside(Path::new(path)).ok();
        let given = path.trim_end_matches('/');
        let relative =
            matches!(given, "." | "..") || given.starts_with("./") || given.starts_with("../");
        let wanted = if relative { from_here(given) } else { Some(given.as_bytes().to_vec()) };
        let unescaped = RepoPath::from_exact(given);
        for bytes in wanted.iter().chain(&unescaped) {
            if is_there(bytes)? {
                return Ok(bytes.clone());
            }
        }
        let here = from_here(given).filter(|_| !relative && !given.starts_with('/'));
        let here =
            here.map(|here| is_there(&here).map(|there| there.then_some(here))).transpose()?;
        Err(Error::NoPath {
            path: RepoPath::show_bytes(unescaped.as_deref().unwrap_or(given.as_bytes())),
            revision: revision.to_owned(),
            here: here.flatten().map(|here| RepoPath::show_bytes(&here)),
        })
    }

    /// The version that `text` names. Nothing names nothing: a script's variable that was not set must
    /// not stand for whatever the worktree is at.
    ///
    /// # Errors
    ///
    /// [`Error::NoRevision`], [`Error::Ambiguous`], [`Error::BadRevision`],
    /// [`Error::NoVersionYet`], [`Error::NoDataset`].
    pub fn resolve(&self, text: &str) -> Result<Revision> {
        if text.is_empty() {
            return Err(Error::BadRevision { text: String::new(), problem: "it is empty" });
        }
        self.resolve_in(self.dataset(), text)
    }

    fn resolve_in(&self, dataset: &DatasetName, text: &str) -> Result<Revision> {
        let (base, steps) = match text.find(['~', '^']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let mut found = self.base(dataset, base, text)?;
        if !steps.is_empty() {
            found.name = None;
            found.version = self.walk(found.version, steps, text, dataset)?;
        }
        Ok(found)
    }

    fn base(&self, dataset: &DatasetName, base: &str, text: &str) -> Result<Revision> {
        if let Some(found) = self.by_name(dataset, base)? {
            return Ok(found);
        }
        if base == "HEAD" || base == "@" {
            return self.head_of(dataset);
        }
        if let Some((name, number)) = reflog_entry(base) {
            return self.logged(dataset, name, number, text);
        }
        if let Some((other, rest)) = base.split_once('@')
            && let Ok(other) = other.parse::<DatasetName>()
        {
            if !self.catalogue.has_dataset(&other)? {
                return Err(Error::NoDataset(other));
            }
            return self.base(&other, or_head(rest), text);
        }
        self.by_id(dataset, base, text)
    }

    fn by_name(&self, dataset: &DatasetName, name: &str) -> Result<Option<Revision>> {
        let Ok(name) = name.parse::<RefName>() else { return Ok(None) };
        for kind in [RefKind::Branch, RefKind::Tag] {
            if let Some(row) = self.catalogue.get_ref(dataset, kind, &name)? {
                let version = row.version;
                return Ok(Some(Revision {
                    dataset: dataset.clone(),
                    version,
                    name: Some((kind, name)),
                }));
            }
        }
        let unborn = matches!(self.state().head, Head::Branch { name: head, .. } if head == name);
        if unborn && dataset == self.dataset() {
            return Err(Error::NoVersionYet { name: name.to_string() });
        }
        Ok(None)
    }

    /// The worktree's version; of another dataset, that of its branch `main` or its only branch.
    fn head_of(&self, dataset: &DatasetName) -> Result<Revision> {
        let found = |version| Revision { dataset: dataset.clone(), version, name: None };
        if dataset == self.dataset() {
            let unborn = || Error::NoVersionYet { name: self.branch_text() };
            return Ok(found(self.head()?.ok_or_else(unborn)?));
        }
        let branches = self.catalogue.refs(dataset, RefKind::Branch)?;
        let main = branches.iter().find(|row| row.name.as_str() == "main");
        let row = main.or(if branches.len() == 1 { branches.first() } else { None });
        row.map(|row| found(row.version)).ok_or_else(|| self.no_revision(dataset, "HEAD"))
    }

    /// That `text` names nothing, and what of the dataset has almost that name.
    pub fn no_revision(&self, dataset: &DatasetName, text: &str) -> Error {
        let word = text.split(['~', '^']).next().unwrap_or_default();
        let word = word.strip_prefix(&format!("{dataset}@")).unwrap_or(word);
        let of_kind = |kind| self.catalogue.refs(dataset, kind).unwrap_or_default();
        let names = [RefKind::Branch, RefKind::Tag].into_iter().flat_map(of_kind);
        let names: Vec<String> = names.map(|row| row.name.to_string()).collect();
        let similar = nearest(word, names.iter().map(String::as_str)).map(str::to_owned);
        Error::NoRevision { text: text.into(), dataset: dataset.clone(), similar }
    }

    fn branch_text(&self) -> String {
        match self.state().head {
            Head::Branch { name, .. } => name.to_string(),
            Head::Detached { version } => version.to_hex(),
        }
    }

    /// What a branch named `number` changes ago.
    fn logged(
        &self,
        dataset: &DatasetName,
        name: &str,
        number: u32,
        text: &str,
    ) -> Result<Revision> {
        let none = || self.no_revision(dataset, text);
        let bad = |problem| Error::BadRevision { text: text.into(), problem };
        let name: RefName = match (name, self.state().head) {
            ("" | "HEAD" | "@", Head::Branch { name, .. }) => name,
            ("" | "HEAD" | "@", Head::Detached { .. }) => {
                return Err(bad("there is no branch whose past it could mean"));
            }
            (name, _) => name.parse().map_err(|_| bad("it names no branch"))?,
        };
        let rows =
            self.catalogue.ref_log(dataset, RefKind::Branch, &name, u64::from(number) + 1)?;
        let version = match rows.get(number as usize) {
            Some(row) => row.new,
            None => rows.last().filter(|_| rows.len() == number as usize).and_then(|row| row.old),
        };
        let version = version.ok_or_else(none)?;
        Ok(Revision { dataset: dataset.clone(), version, name: None })
    }

    fn by_id(&self, dataset: &DatasetName, base: &str, text: &str) -> Result<Revision> {
        let none = || self.no_revision(dataset, text);
        let is_hex = base.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || base.len() < LEAST_DIGITS || base.len() > 64 {
            return Err(none());
        }
        let candidates = self.catalogue.versions_by_prefix(&base.to_ascii_lowercase(), 4)?;
        match candidates[..] {
            [] => Err(none()),
            [version] => Ok(Revision { dataset: dataset.clone(), version, name: None }),
            _ => Err(Error::Ambiguous { text: text.into(), candidates }),
        }
    }

    /// Follows `~n` (n first parents) and `^n` (the n-th parent).
    fn walk(
        &self,
        mut version: VersionId,
        steps: &str,
        text: &str,
        dataset: &DatasetName,
    ) -> Result<VersionId> {
        let none = || self.no_revision(dataset, text);
        let bad = |problem| Error::BadRevision { text: text.into(), problem };
        let mut rest = steps;
        while let Some(step) = rest.chars().next() {
            rest = &rest[1..];
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u32 = match &rest[..digits] {
                "" => 1,
                digits => digits.parse().map_err(|_| bad("its number is too large"))?,
            };
            rest = &rest[digits..];
            let (times, which) = match step {
                '~' => (number, 0),
                '^' if number == 0 => (0, 0),
                '^' => (1, number as usize - 1),
                _ => return Err(bad("only `~` and `^` may follow")),
            };
            for _ in 0..times {
                let row = self.catalogue.version(&version)?.ok_or_else(none)?;
                version = row.parents.get(which).copied().ok_or_else(none)?;
            }
        }
        Ok(version)
    }

    /// A version's row.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the catalogue does not know it.
    pub fn version(&self, id: &VersionId) -> Result<catalogue::VersionRow> {
        let lost = || Error::Lost { what: format!("version {id}") };
        self.catalogue.version(id)?.ok_or_else(lost)
    }
}

/// `name@{n}` taken apart.
fn reflog_entry(text: &str) -> Option<(&str, u32)> {
    let (name, rest) = text.split_once("@{")?;
    Some((name, rest.strip_suffix('}')?.parse().ok()?))
}
