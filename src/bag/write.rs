//! Making a bag: beside its place first, under its name when it is whole and durable.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::digest::digest_all;
use super::{ALGORITHMS, DECLARATION, Digests, Error, PAYLOAD, Result, manifest, platform};
use crate::model::Progress;

/// A bag that is not there yet. What was made of it stays if it is dropped, so that the next one
/// goes on with it.
#[derive(Debug)]
pub struct Draft {
    place: PathBuf,
    workshop: PathBuf,
    root: PathBuf,
}

/// A bag that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Where it lies.
    pub place: PathBuf,
    /// Files of its payload.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// BLAKE3 of its last manifest, in hexadecimal: stands for every byte of the bag.
    pub digest: String,
}

/// In the directory of an unfinished bag: what it is to become, and the bag.
const LABEL: &str = "label";
const BAG: &str = "bag";

impl Draft {
    /// Begins a bag that shall lie at `place`, or goes on with one. `label` tells what it is to
    /// hold.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if anything has the name; [`Error::Occupied`] if an unfinished bag with
    /// another label lies beside it.
    pub fn begin(place: &Path, label: &str) -> Result<Self> {
        let place = std::path::absolute(place).map_err(Error::io("find", place))?;
        let workshop = workshop_of(&place);
        let root = workshop.join(BAG);
        let has_bag = root.symlink_metadata().is_ok();
        if place.symlink_metadata().is_ok() {
            Self::tidy(&place);
            return Err(Error::Exists { path: place });
        }
        let mark = workshop.join(LABEL);
        // The label is written before the bag is begun, so that a bag without its label is not ours.
        if !has_bag {
            fs::create_dir_all(&workshop).map_err(Error::io("make", &workshop))?;
            write_file(&mark, label.as_bytes())?;
        } else if fs::read_to_string(&mark).ok().as_deref() != Some(label) {
            return Err(Error::Occupied { path: workshop });
        }
        let payload = root.join(PAYLOAD);
        fs::create_dir_all(&payload).map_err(Error::io("make", &payload))?;
        Ok(Self { place, workshop, root })
    }

    /// Removes what the making of the bag at `place` has left beside it, if it was stopped after the
    /// bag had got its name.
    pub fn tidy(place: &Path) {
        let workshop = workshop_of(place);
        if workshop.join(BAG).symlink_metadata().is_err() {
            clear(&workshop);
        }
    }

    /// Destroys what was made so far of the bag that is to lie at `place`; each file by `shred`.
    ///
    /// # Errors
    ///
    /// What keeps it from being read or removed.
    pub fn destroy(place: &Path, shred: &dyn Fn(&Path) -> io::Result<()>) -> Result<()> {
        let place = std::path::absolute(place).map_err(Error::io("find", place))?;
        destroy(&workshop_of(&place), shred)
    }

    /// Where the payload is to be written.
    pub fn payload(&self) -> PathBuf {
        self.root.join(PAYLOAD)
    }

    /// Removes what an earlier attempt has left and is not wanted, and gives those of the wanted
    /// files that are there and have the right content, as `fits` says.
    ///
    /// # Errors
    ///
    /// What keeps the directory from being read or a file from being removed.
    pub fn left_over(
        &self,
        wanted: &BTreeSet<String>,
        threads: usize,
        fits: impl Fn(&str, &Digests) -> bool,
    ) -> Result<BTreeSet<String>> {
        let mut kept = Vec::new();
        for name in walk(&self.root)? {
            let path = self.root.join(&name);
            let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
            match name.to_str().filter(|name| is_file && wanted.contains(*name)) {
                Some(name) => kept.push(name.to_owned()),
                None => fs::remove_file(&path).map_err(Error::io("remove", &path))?,
            }
        }
        let names: Vec<&str> = kept.iter().map(String::as_str).collect();
        let silent = crate::model::Silent;
        let digests = digest_all(&self.root, &names, threads, &silent);
        let mut good = BTreeSet::new();
        for (name, digests) in names.iter().zip(digests) {
            if digests.is_ok_and(|digests| fits(name, &digests)) {
                good.insert((*name).to_owned());
            } else {
                let path = self.root.join(name);
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(good)
    }

    /// Writes a file that is not payload, over what an earlier attempt has left.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn tag_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.root.join(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(Error::io("make", above))?;
        }
        write_file(&path, bytes)
    }

    /// Reads the payload back, writes the manifests and what `info` says, makes everything durable
    /// and gives the bag its name. `payload` are the names that it must have, and `fits` says
    /// whether one has the right content.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if a file does not fit; [`Error::Exists`]; [`Error::Io`].
    pub fn seal(
        self,
        payload: &BTreeSet<String>,
        info: &[(&str, String)],
        threads: usize,
        progress: &dyn Progress,
        fits: impl Fn(&str, &Digests) -> bool,
    ) -> Result<Sealed> {
        let names: Vec<&str> = payload.iter().map(String::as_str).collect();
        let digests = self.digests(&names, threads, progress)?;
        for (name, digests) in names.iter().zip(&digests) {
            if !fits(name, digests) {
                return Err(Error::Changed { name: (*name).to_owned() });
            }
        }
        let (files, bytes) = (names.len() as u64, digests.iter().map(|one| one.size).sum());
        self.tag_file("bagit.txt", DECLARATION.as_bytes())?;
        let oxum = ("Payload-Oxum", format!("{bytes}.{files}"));
        let mut text = String::new();
        for (label, value) in info.iter().chain([&oxum]) {
            let line: String =
                value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("{label}: {}\n", line.trim()));
        }
        self.tag_file("bag-info.txt", text.as_bytes())?;
        self.manifests("manifest", &names, &digests)?;
        let tags = self.tag_names()?;
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let digests = self.digests(&tags, threads, &crate::model::Silent)?;
        let digest = self.manifests("tagmanifest", &tags, &digests)?;
        platform::sync_tree(&self.root).map_err(Error::io("sync", &self.root))?;
        match platform::publish(&self.root, &self.place) {
            Ok(()) => {
                clear(&self.workshop);
                Ok(Sealed { place: self.place, files, bytes, digest })
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::Exists { path: self.place })
            }
            Err(error) => Err(Error::io("rename", &self.root)(error)),
        }
    }

    fn digests(
        &self,
        names: &[&str],
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Digests>> {
        let answers = digest_all(&self.root, names, threads, progress);
        let read = |(name, answer): (&&str, std::io::Result<Digests>)| {
            answer.map_err(Error::io("read", self.root.join(name)))
        };
        names.iter().zip(answers).map(read).collect()
    }

    /// Writes the manifests of `names`; the BLAKE3 of the first of them.
    fn manifests(&self, kind: &str, names: &[&str], digests: &[Digests]) -> Result<String> {
        let mut first = None;
        for algorithm in ALGORITHMS {
            let lines = names.iter().zip(digests).map(|(name, one)| (*name, one.hex(algorithm)));
            let text = manifest::write(lines);
            self.tag_file(&format!("{kind}-{algorithm}.txt"), text.as_bytes())?;
            first.get_or_insert_with(|| blake3::hash(text.as_bytes()).to_hex().to_string());
        }
        Ok(first.unwrap_or_default())
    }

    /// Every file that is not payload, sorted.
    fn tag_names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for name in walk(&self.root)? {
            let Some(name) = name.to_str() else { continue };
            let is_tag = !name.starts_with("data/") && !name.starts_with("tagmanifest-");
            if is_tag {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Where a bag is made that shall lie at `place`.
fn workshop_of(place: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".unfinished-archive");
    place.with_file_name(name)
}

/// Destroys a directory, each file by `shred`; one that is not there is destroyed already.
///
/// # Errors
///
/// What keeps it from being read or removed.
pub fn destroy(root: &Path, shred: &dyn Fn(&Path) -> io::Result<()>) -> Result<()> {
    if root.symlink_metadata().is_err() {
        return Ok(());
    }
    for name in walk(root)? {
        let path = root.join(name);
        shred(&path).map_err(Error::io("destroy", &path))?;
    }
    fs::remove_dir_all(root).map_err(Error::io("remove", root))
}

/// Removes the directory of a bag that has left it; what cannot be removed does no harm.
fn clear(workshop: &Path) {
    let _ = fs::remove_file(workshop.join(LABEL));
    let _ = fs::remove_dir(workshop);
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
    opened.and_then(|mut file| file.write_all(bytes)).map_err(Error::io("write", path))
}

/// Everything below `root` that is not a directory, relative to it.
pub(super) fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let path = root.join(&directory);
        let entries = fs::read_dir(&path).map_err(Error::io("list", &path))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &path))?;
            let name = directory.join(entry.file_name());
            let kind = entry.file_type().map_err(Error::io("look at", entry.path()))?;
            if kind.is_dir() { open.push(name) } else { found.push(name) }
        }
    }
    found.sort();
    Ok(found)
}
