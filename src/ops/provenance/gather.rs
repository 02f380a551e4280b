//! Putting together what is said of a new version.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::check::{Check, Flaw};
use super::fields::{SOURCE, STEP};
use super::meta::{self, PLAIN};
use super::pairs::{metric, object, pairs};
use crate::format::document::{self, DocumentError, Syntax};
use crate::format::{manifest, version};
use crate::model::{Author, DataRef, Provenance, RepoPath, Version};
use crate::ops::{Error, Result};
use crate::repo::{self, Repository, split_path};

/// Metadata that did not come from a file, in an error.
pub(super) const GIVEN: &str = "that was given";

/// What the user gives, in the words of the flags.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `uri=…,licence=…`
    pub sources: Vec<String>,
    /// `name=…,command=…,input=…`
    pub steps: Vec<String>,
    /// `name=value[unit][,slice=…]`
    pub metrics: Vec<String>,
    /// `key=value`
    pub meta: Vec<String>,
    /// Fields that have a flag of their own: the name of the field, and its values.
    pub plain: Vec<(&'static str, Vec<String>)>,
    /// A document.
    pub file: Option<PathBuf>,
    /// Take over what the last version says of itself.
    pub keep: bool,
}

impl Given {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.sources, &self.steps, &self.metrics, &self.meta];
        let plain = self.plain.iter().all(|(_, values)| values.is_empty());
        lists.iter().all(|list| list.is_empty()) && plain && self.file.is_none() && !self.keep
    }
}

/// What is said of the next version: kept from the last one, then from the file, then from flags.
/// A later word on a field replaces the earlier; sources, steps and metrics are added up.
///
/// # Errors
///
/// [`Error::Metadata`] with every flaw; what a revision that is named does not resolve to.
pub fn gather(repository: &Repository, given: &Given) -> Result<Provenance> {
    if given.is_empty() {
        return Ok(Provenance::default());
    }
    let mut map = match repository.head()? {
        Some(head) if given.keep => meta::kept(repository, &head)?,
        _ => Map::new(),
    };
    if let Some(path) = &given.file {
        let text = format!("in {}", path.display());
        let file = read(path)?.map_err(|error| bad(&text, vec![error]))?;
        // The file is looked at alone, so that its flaws are told by its own numbers.
        let mut checked = file.clone();
        let flaws = flaws(repository, &mut checked);
        if !flaws.is_empty() {
            return Err(bad(&text, flaws));
        }
        lay_over(&mut map, file);
    }
    let flags = from_flags(given).map_err(|flaws| bad(GIVEN, flaws))?;
    lay_over(&mut map, flags);
    finish(repository, map, GIVEN)
}

/// Metadata that is complete, from a document that is not checked yet.
pub(super) fn finish(
    repository: &Repository,
    mut map: Map<String, Value>,
    what: &str,
) -> Result<Provenance> {
    let flaws = flaws(repository, &mut map);
    if !flaws.is_empty() {
        return Err(bad(what, flaws));
    }
    resolve(repository, &mut map)?;
    let read = serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string());
    let fits = read.and_then(|read| fits(repository, read));
    fits.map_err(|problem| bad(what, vec![Flaw::new("", problem)]))
}

/// What a version can hold: there it lies a level deeper, and not alone.
fn fits(repository: &Repository, provenance: Provenance) -> Result<Provenance, String> {
    let version = Version {
        format: 1,
        manifest: manifest::empty().0,
        files: 0,
        bytes: 0,
        parents: Vec::new(),
        author: Author { name: String::new(), email: String::new() },
        time: repository.now(),
        utc_offset_minutes: None,
        message: String::new(),
        provenance,
    };
    version::encode(&version).map_err(|error| error.to_string())?;
    Ok(version.provenance)
}

/// Everything that is wrong with a document, which is brought into its normal form.
fn flaws(repository: &Repository, map: &mut Map<String, Value>) -> Vec<Flaw> {
    let mut check = Check::new(repository.now());
    check.document(map);
    check.flaws()
}

pub(super) fn bad(what: &str, flaws: Vec<Flaw>) -> Error {
    Error::Metadata { what: what.to_owned(), flaws }
}

/// A document's keys, or why it is not understood.
///
/// # Errors
///
/// When the file cannot be read, or its name does not say what it is.
pub(super) fn read(path: &Path) -> Result<Result<Map<String, Value>, Flaw>> {
    let io = |source| repo::Error::Io { path: path.to_path_buf(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(syntax) = Syntax::of_name(&name) else {
        let text = format!(
            "{} is not named .yaml, .yml, .toml or .json, which says how it is written",
            path.display()
        );
        return Err(Error::Refused(text));
    };
    let mut bytes = Vec::new();
    let most = document::MAX_BYTES as u64 + 1;
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(most).read_to_end(&mut bytes).map_err(io)?;
    let read: Result<_, DocumentError> = document::parse(syntax, &bytes);
    Ok(read.map_err(|error| Flaw::new("", error.to_string())))
}

/// Puts one document over another.
fn lay_over(map: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (map.get_mut(&key), value) {
            (Some(Value::Array(list)), Value::Array(more)) if !PLAIN.contains(&key.as_str()) => {
                list.extend(more);
            }
            (Some(Value::Object(fields)), Value::Object(more)) => fields.extend(more),
            (_, value) => {
                map.insert(key, value);
            }
        }
    }
}

/// What the flags say, or what is wrong with them.
fn from_flags(given: &Given) -> Result<Map<String, Value>, Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut map = Map::new();
    let mut list = |name: &str, items: Vec<Result<Map<String, Value>, Flaw>>| {
        let mut read = Vec::new();
        for item in items {
            match item {
                Ok(item) => read.push(Value::Object(item)),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if !read.is_empty() {
            map.insert(name.into(), Value::Array(read));
        }
    };
    let source = |text: &String| object(SOURCE, pairs(text, "--source")?, "--source");
    let step = |text: &String| object(STEP, pairs(text, "--step")?, "--step");
    list("sources", given.sources.iter().map(source).collect());
    list("steps", given.steps.iter().map(step).collect());
    list("metrics", given.metrics.iter().map(|text| metric(text, "--metric")).collect());
    for text in &given.meta {
        if let Err(flaw) = meta::assign(&mut map, text, "--meta") {
            flaws.push(flaw);
        }
    }
    for (name, values) in given.plain.iter().filter(|(_, values)| !values.is_empty()) {
        if map.contains_key(*name) {
            flaws.push(Flaw::new(*name, "is given twice"));
        }
        map.insert((*name).into(), meta::plain(name, values));
    }
    if flaws.is_empty() { Ok(map) } else { Err(flaws) }
}

/// Makes whole references of the revisions that steps and derivations name.
fn resolve(repository: &Repository, map: &mut Map<String, Value>) -> Result<()> {
    if let Some(Value::Array(all)) = map.get_mut("derived_from") {
        for value in all.iter_mut().filter_map(|one| one.get_mut("from")) {
            replace(repository, value)?;
        }
    }
    if let Some(Value::Array(steps)) = map.get_mut("steps") {
        let inputs = steps.iter_mut().filter_map(|step| step.get_mut("inputs"));
        for value in inputs.filter_map(Value::as_array_mut).flatten() {
            replace(repository, value)?;
        }
    }
    Ok(())
}

fn replace(repository: &Repository, value: &mut Value) -> Result<()> {
    if let Value::String(text) = value {
        *text = reference(repository, text)?.to_string();
    }
    Ok(())
}

/// The version, and the path in it, that `dataset@revision[:path]` names.
///
/// # Errors
///
/// [`repo::Error::NoRevision`] and its like; [`repo::Error::NoPath`] if the version lacks the path.
pub fn reference(repository: &Repository, text: &str) -> Result<DataRef> {
    let (revision, path) = split_path(text.trim());
    let found = repository.resolve(revision)?;
    let path = path.map(|path| repository.path_in(&found.version, revision, path)).transpose()?;
    let path = path.filter(|path| !path.is_empty()).map(|path| RepoPath::exact_bytes(&path));
    Ok(DataRef { dataset: found.dataset, version: found.version, path })
}
