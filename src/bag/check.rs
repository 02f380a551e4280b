//! Reading a bag back, every byte of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::digest::digest_all;
use super::manifest::{self, Lines};
use super::write::walk;
use super::{ALGORITHMS, DECLARATION, Digests, Error, Result};
use crate::model::Progress;

/// Something that is wrong with a bag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file it concerns, relative to the bag.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

/// A bag that was read.
#[derive(Debug, Default)]
pub struct Checked {
    /// Files of the payload that are there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that is wrong, by path.
    pub problems: Vec<Problem>,
    /// What every file that could be read is.
    pub found: BTreeMap<String, Digests>,
    /// BLAKE3 of the bag's last manifest, in hexadecimal.
    pub digest: String,
}

/// Reads the bag at `root`. It must be one of ours: both manifests, and every file in them.
///
/// # Errors
///
/// [`Error::NoBag`]; what keeps the directory from being listed. What is wrong inside is no error.
pub fn check(root: &Path, threads: usize, progress: &dyn Progress) -> Result<Checked> {
    if fs::symlink_metadata(root.join("bagit.txt")).is_err() {
        return Err(Error::NoBag { path: root.to_path_buf() });
    }
    let mut bag = Checked::default();
    let mut names = Vec::new();
    for path in walk(root)? {
        let is_file = root.join(&path).symlink_metadata().is_ok_and(|found| found.is_file());
        match path.to_str() {
            Some(name) if is_file => names.push(name.to_owned()),
            Some(name) => bag.tell(name, "is not a regular file"),
            None => bag.tell(&path.to_string_lossy(), "has a name that is not UTF-8"),
        }
    }
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    for (name, answer) in names.iter().zip(digest_all(root, &borrowed, threads, progress)) {
        match answer {
            Ok(digests) => drop(bag.found.insert(name.clone(), digests)),
            Err(error) => bag.tell(name, &format!("cannot be read: {error}")),
        }
    }
    let (payload, tags): (BTreeSet<_>, BTreeSet<_>) =
        names.into_iter().partition(|name| name.starts_with("data/"));
    bag.compare(root, "manifest", &payload);
    let covered = tags.iter().filter(|name| !name.starts_with("tagmanifest-"));
    bag.compare(root, "tagmanifest", &covered.cloned().collect());
    let known = |name: &&String| {
        ALGORITHMS.iter().any(|algorithm| **name == format!("tagmanifest-{algorithm}.txt"))
    };
    for name in tags.iter().filter(|name| name.starts_with("tagmanifest-") && !known(name)) {
        bag.tell(name, "is in no manifest");
    }
    let sizes = payload.iter().filter_map(|name| bag.found.get(name)).map(|found| found.size);
    (bag.files, bag.bytes) = (payload.len() as u64, sizes.sum());
    bag.declarations(root);
    bag.digest = fs::read(root.join("tagmanifest-blake3.txt"))
        .map(|bytes| blake3::hash(&bytes).to_hex().to_string())
        .unwrap_or_default();
    bag.problems.sort_by(|a, b| (&a.path, &a.problem).cmp(&(&b.path, &b.problem)));
    bag.problems.dedup();
    Ok(bag)
}

impl Checked {
    /// Notes something that is wrong.
    pub fn tell(&mut self, path: &str, problem: &str) {
        self.problems.push(Problem { path: path.to_owned(), problem: problem.to_owned() });
    }

    /// Compares files with what both manifests of a kind say of them. Where the manifests disagree,
    /// one of them is damaged, not the file.
    fn compare(&mut self, root: &Path, kind: &str, files: &BTreeSet<String>) {
        let mut manifests: Vec<(&str, String, Lines)> = Vec::new();
        for algorithm in ALGORITHMS {
            let name = format!("{kind}-{algorithm}.txt");
            match fs::read(root.join(&name)).ok().map(|bytes| manifest::read(&bytes)) {
                Some(Some(lines)) => manifests.push((algorithm, name, lines)),
                Some(None) => self.tell(&name, "is not a manifest as this program writes it"),
                None => self.tell(&name, "is missing"),
            }
        }
        let listed: BTreeSet<&String> = manifests.iter().flat_map(|(_, _, it)| it.keys()).collect();
        let all: BTreeSet<&String> = listed.into_iter().chain(files).collect();
        let mut told = Vec::new();
        for name in all {
            let Some(found) = self.found.get(name) else {
                if !files.contains(name) {
                    told.push((name.clone(), "is missing".to_owned()));
                }
                continue;
            };
            let right = |(algorithm, _, lines): &&(&str, String, Lines)| {
                lines.get(name) == Some(&found.hex(algorithm))
            };
            let good = manifests.iter().filter(right).count();
            if good == manifests.len() {
                continue;
            }
            if good > 0 {
                for (_, manifest, _) in manifests.iter().filter(|one| !right(one)) {
                    told.push((manifest.clone(), format!("is wrong about {name}")));
                }
            } else if manifests.iter().any(|(_, _, lines)| lines.contains_key(name)) {
                told.push((name.clone(), "is not what the manifests say".into()));
            } else {
                told.push((name.clone(), "is in no manifest".into()));
            }
        }
        for (name, problem) in told {
            self.tell(&name, &problem);
        }
    }

    fn declarations(&mut self, root: &Path) {
        if fs::read(root.join("bagit.txt")).ok().as_deref() != Some(DECLARATION.as_bytes()) {
            self.tell("bagit.txt", "does not declare BagIt 1.0 in UTF-8");
        }
        let info = fs::read_to_string(root.join("bag-info.txt")).unwrap_or_default();
        let oxum = info.lines().find_map(|line| line.strip_prefix("Payload-Oxum: "));
        let is = format!("{}.{}", self.bytes, self.files);
        if oxum != Some(&is) {
            self.tell("bag-info.txt", &format!("says another size than the payload's {is}"));
        }
    }
}
