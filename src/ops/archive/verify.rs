//! Reading an archive back: every byte, and whether it is the version that it says it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::entries::{self, Listed};
use super::proofs::{self, Proven};
use super::{ABOUT, About, ENTRIES, Error, HISTORY, VERSION};
use crate::bag::{self, Checked, Problem};
use crate::format::{manifest, version};
use crate::model::{Entry, FileId, ManifestId, Presence, Progress, Version, VersionId};
use crate::ops::Result;
use crate::sign::PublicKey;

/// What reading an archive has shown.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The archive.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub place: PathBuf,
    /// The version that it says it holds.
    pub version: Option<VersionId>,
    /// Files of its payload.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Stands for every byte of it: BLAKE3 of its last manifest.
    pub digest: String,
    /// What is shown of the journal's entries in it.
    pub journal: Proven,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    #[serde(skip)]
    pub(super) contents: Option<Contents>,
}

/// What an archive holds that is all right.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) about: About,
    pub(super) version: Version,
    pub(super) version_bytes: Vec<u8>,
    pub(super) listed: Vec<Listed>,
}

impl Verified {
    /// Demands that `key` has signed what the journal's entries in the archive are proven by.
    pub fn demand(&mut self, key: &PublicKey) {
        self.journal.trusted = self.ok && self.journal.public.as_ref() == Some(key);
        if !self.journal.trusted {
            self.ok = false;
            let problem = format!("is not signed by key {}", key.id());
            self.problems.push(Problem { path: proofs::CHECKPOINT.into(), problem });
        }
    }

    /// Fails if anything is wrong.
    ///
    /// # Errors
    ///
    /// [`Error::BadArchive`].
    pub fn refuse_problems(&self) -> Result<()> {
        if self.ok {
            return Ok(());
        }
        let words = |one: &Problem| format!("{} {}", one.path, one.problem);
        let problems = self.problems.iter().map(words).collect();
        Err(Error::BadArchive { place: self.place.clone(), problems })
    }
}

/// Reads the archive at `place`, every byte of it. Needs no repository.
///
/// # Errors
///
/// [`bag::Error::NoBag`]; what keeps the directory from being listed. What is wrong inside is part
/// of the answer.
pub fn verify(place: &Path, threads: usize, progress: &dyn Progress) -> Result<Verified> {
    let place = place
        .canonicalize()
        .map_err(|source| crate::repo::Error::Io { path: place.to_path_buf(), source })?;
    progress.begin("verifying", None, None);
    let checked = bag::check(&place, threads, progress);
    progress.end();
    let mut checked = checked?;
    let mut journal = Proven::default();
    let contents = contents(&place, &mut checked, &mut journal);
    let Checked { files, bytes, digest, mut problems, .. } = checked;
    problems.sort_by(|a, b| (&a.path, &a.problem).cmp(&(&b.path, &b.problem)));
    let version = contents.as_ref().map(|contents| contents.about.version);
    let ok = problems.is_empty();
    let contents = contents.filter(|_| ok);
    Ok(Verified { ok, place, version, files, bytes, digest, journal, problems, contents })
}

/// Compares what the archive says with the ids that follow from it.
fn contents(place: &Path, checked: &mut Checked, proven: &mut Proven) -> Option<Contents> {
    let mut read = |name: &str| match fs::read(place.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            checked.tell(name, &format!("cannot be read: {error}"));
            None
        }
    };
    let (about, version_bytes, history) = (read(ABOUT)?, read(VERSION)?, read(HISTORY)?);
    let about: About = match serde_json::from_slice(&about) {
        Ok(about) => about,
        Err(error) => {
            checked.tell(ABOUT, &format!("is not understood: {error}"));
            return None;
        }
    };
    if about.format != 1 {
        checked.tell(ABOUT, &format!("is of format {}, this program knows 1", about.format));
        return None;
    }
    let id = version::id(&version_bytes);
    if id != about.version {
        checked.tell(VERSION, &format!("is version {id}, not {}", about.version));
    }
    let version = match version::decode(&version_bytes) {
        Ok(version) => version,
        Err(error) => {
            checked.tell(VERSION, &format!("is not understood: {error}"));
            return None;
        }
    };
    check_history(&version, &history, &about, checked);
    *proven = proofs::check(place, &about, checked);
    let listed = File::open(place.join(ENTRIES)).map_err(|error| error.to_string());
    let listed = match listed.and_then(entries::read) {
        Ok(listed) => listed,
        Err(problem) => {
            checked.tell(ENTRIES, &problem);
            return None;
        }
    };
    check_entries(&version, &listed, checked);
    let info = fs::read_to_string(place.join("bag-info.txt")).unwrap_or_default();
    if !info.lines().any(|line| line == format!("External-Identifier: {}", about.version)) {
        checked.tell("bag-info.txt", "does not name the version");
    }
    Some(Contents { about, version, version_bytes, listed })
}

/// Whether the list makes the version's manifest, and the payload is what it says.
fn check_entries(version: &Version, listed: &[Listed], checked: &mut Checked) {
    let entries = listed.iter().map(|one| Entry { path: one.path.clone(), file: one.file });
    let root =
        manifest::build(entries, |_: ManifestId, _: Vec<u8>| Ok::<(), crate::format::Error>(()));
    match root {
        Ok(root) if root == version.manifest => {}
        Ok(root) => checked.tell(ENTRIES, &format!("makes manifest {root}, not the version's")),
        Err(error) => checked.tell(ENTRIES, &format!("makes no manifest: {error}")),
    }
    let gone = |one: &&Listed| one.presence.is_some();
    let gone: HashSet<FileId> = listed.iter().filter(gone).map(|one| one.file.file).collect();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for one in listed {
        if matches!(&one.presence, Some(Presence::Replaced { by, .. }) if gone.contains(by)) {
            let path = one.path.show();
            checked.tell(ENTRIES, &format!("gives in the place of {path} what is gone itself"));
        }
        let Some(name) = &one.payload else {
            if !matches!(one.presence, Some(Presence::Erased { .. })) {
                checked.tell(ENTRIES, &format!("has no content for {}", one.path.show()));
            }
            continue;
        };
        let file = one.delivered();
        if !named.insert(name) {
            checked.tell(ENTRIES, &format!("names {name} twice"));
        }
        let right = checked
            .found
            .get(name)
            .is_some_and(|found| found.blake3 == *file.file.as_bytes() && found.size == file.size);
        // What the manifests contradict has been told of by name.
        let told = checked.problems.iter().any(|one| one.path == *name);
        if !right && !told {
            checked.tell(name, &format!("is not file {}", file.file));
        }
    }
    let strangers: Vec<String> = checked
        .found
        .keys()
        .filter(|name| name.starts_with("data/") && !named.contains(name.as_str()))
        .cloned()
        .collect();
    for name in strangers {
        checked.tell(&name, "belongs to no path of the version");
    }
}

/// Whether every version that led to this one is there.
fn check_history(version: &Version, history: &[u8], about: &About, checked: &mut Checked) {
    let mut known: BTreeMap<VersionId, Vec<VersionId>> = BTreeMap::new();
    for line in history.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match version::decode(line) {
            Ok(older) => drop(known.insert(version::id(line), older.parents)),
            Err(error) => checked.tell(HISTORY, &format!("is not understood: {error}")),
        }
    }
    let mut reached: HashSet<VersionId> = HashSet::new();
    let mut open = version.parents.clone();
    while let Some(id) = open.pop() {
        match known.get(&id) {
            Some(parents) if reached.insert(id) => open.extend(parents),
            Some(_) => {}
            // A store that got the version from an archive does not know what came before.
            None if about.ancestors == known.len() as u64 => {}
            None => checked.tell(HISTORY, &format!("lacks version {id}")),
        }
    }
    if reached.len() != known.len() || about.ancestors != known.len() as u64 {
        checked.tell(HISTORY, "does not hold the versions that led to this one, and no others");
    }
}
