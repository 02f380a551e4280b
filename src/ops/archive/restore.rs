//! Bringing a version back from an archive.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::entries::Listed;
use super::verify::{Contents, verify};
use super::{Archived, bad, receipt_of};
use crate::catalogue::Change;
use crate::format::frame::Key;
use crate::model::{
    DatasetName, Entry, FileId, FileRef, Mode, Presence, RefKind, RefName, RepoPath, State,
    VersionId,
};
use crate::ops::Result;
use crate::ops::state::{States, record_of};
use crate::ops::target::Target;
use crate::repo::{
    self, Absent, ChunkList, Ingested, Repository, Session, Transaction, ingest, ingest_bytes,
};
use crate::store;
use crate::worktree::{FileList, Found, Root};

/// A version that was brought back, or would be.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The archive.
    #[serde(serialize_with = "crate::model::exact_path")]
    pub place: PathBuf,
    /// The dataset that it came back to.
    pub dataset: DatasetName,
    /// The version: the same id as before.
    pub version: VersionId,
    /// Files whose content was taken from the archive.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Branches and tags that were made, so that it is not collected.
    pub named: Vec<RefName>,
    /// Versions that led to it and that this store does not know.
    pub absent_parents: Vec<VersionId>,
    /// Paths whose content was erased and stays so; and those of which not even the copy without
    /// what was erased is there any more.
    pub erased: Vec<Absent>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// What is to be recorded.
struct Plan<'a> {
    repository: &'a Repository,
    place: &'a Path,
    contents: &'a Contents,
    dataset: DatasetName,
    /// Whether the store knows the version.
    known: bool,
    wanted: Vec<&'a Listed>,
}

/// Why a copy lies nowhere.
const LOST: &str = "the copy without what was erased went with the last version of it";

/// Whether the store has every part of a file.
fn is_whole(repository: &Repository, file: &FileRef) -> repo::Result<bool> {
    let there = || -> repo::Result<bool> {
        let list = ChunkList::of(repository, file)?;
        for number in 0..list.part_count() {
            for chunk in list.part(repository, number)? {
                if !repository.store.contains(&Key::chunk(&chunk.id))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    };
    match there() {
        Err(repo::Error::Store(store::Error::NotFound { .. })) => Ok(false),
        there => there,
    }
}

/// Reads the archive at `place` whole, and brings its version back, into `dataset` or the one it
/// came from, which is made if it is not there. If nothing names the version, a branch or tag is
/// made.
///
/// # Errors
///
/// [`crate::ops::Error::BadArchive`] if anything is wrong with it: nothing is changed then. A retired dataset
/// takes back only versions that it has already.
pub fn restore(
    repository: &Repository,
    place: &Path,
    dataset: Option<DatasetName>,
    dry_run: bool,
) -> Result<Restored> {
    let read = verify(place, repository.threads(), &*repository.environment.progress)?;
    read.refuse_problems()?;
    let contents = read.contents.as_ref().ok_or_else(|| bad(place, "it could not be read"))?;
    let about = &contents.about;
    let (wanted, erased) = told_apart(repository, contents)?;
    let plan = Plan {
        repository,
        place: &read.place,
        contents,
        dataset: dataset.unwrap_or_else(|| about.dataset.clone()),
        known: repository.catalogue.has_version(&about.version)?,
        wanted,
    };
    let mut done = Restored {
        place: read.place.clone(),
        dataset: plan.dataset.clone(),
        version: about.version,
        files: plan.wanted.len() as u64,
        bytes: plan.wanted.iter().map(|one| one.payload_size()).sum(),
        named: Vec::new(),
        absent_parents: plan.absent_parents()?,
        erased,
        dry_run,
    };
    let (changes, named) = plan.changes(&done.absent_parents, &read.digest)?;
    done.named = named;
    if dry_run {
        done.erased.extend(plan.lost()?);
        return Ok(done);
    }
    let subject = format!("{}@{}", done.dataset, done.version);
    let versions = match plan.known {
        true => Vec::new(),
        false => vec![(about.version, contents.version.clone())],
    };
    let lost = repository.transact("archive-restore", &subject, None, |session| {
        plan.store(session)?;
        let lost = plan.lost()?;
        let (mut changes, versions) = (changes.clone(), versions.clone());
        changes.extend(marks(repository, &lost)?);
        Ok((Transaction { changes, versions, state: None }, lost))
    })?;
    done.erased.extend(lost);
    Ok(done)
}

/// What is to be taken from the archive, and paths whose content was erased and stays so.
fn told_apart<'a>(
    repository: &Repository,
    contents: &'a Contents,
) -> Result<(Vec<&'a Listed>, Vec<Absent>)> {
    let (mut wanted, mut erased) = (Vec::new(), Vec::new());
    for one in &contents.listed {
        match repository
            .admit(&one.file.file)
            .and_then(|()| repository.admit(&one.delivered().file))
        {
            Ok(()) if one.payload.is_some() => wanted.push(one),
            Ok(()) => {}
            // What is given out in its place here may be what the archive holds.
            Err(repo::Error::Erased { .. })
                if one.payload.is_some() && stands_for(repository, one) =>
            {
                wanted.push(one)
            }
            Err(repo::Error::Erased { .. }) => {
                erased.extend(repository.absence(&one.path, &one.file))
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((wanted, erased))
}

/// Whether the archive holds the very copy that is given out here in the place of a file.
fn stands_for(repository: &Repository, listed: &Listed) -> bool {
    let given = match repository.delivered(&listed.file) {
        Ok(last) => last.file,
        Err(repo::Error::Archived { file, .. }) => file,
        Err(_) => return false,
    };
    given != listed.file.file && given == listed.delivered().file
}

/// Says of copies that are not there any more that they are not.
fn marks(repository: &Repository, lost: &[Absent]) -> repo::Result<Vec<Change>> {
    let mut marks = BTreeMap::new();
    for one in lost {
        let size = one.presence.size();
        let file = FileRef { mode: Mode::File, size, file: one.file };
        let copy = repository.delivered(&file)?;
        let new = Some(one.presence.clone());
        marks.insert(copy.file, Change::PresenceChanged { file: copy.file, old: None, new });
    }
    Ok(marks.into_values().collect())
}

impl Plan<'_> {
    fn absent_parents(&self) -> Result<Vec<VersionId>> {
        let mut absent = Vec::new();
        for parent in &self.contents.version.parents {
            if !self.known && !self.repository.catalogue.has_version(parent)? {
                absent.push(*parent);
            }
        }
        Ok(absent)
    }

    /// Everything that the catalogue has to learn, and the names that are made.
    fn changes(&self, absent: &[VersionId], digest: &str) -> Result<(Vec<Change>, Vec<RefName>)> {
        let (repository, about) = (self.repository, &self.contents.about);
        let dataset = &self.dataset;
        let mut changes = Vec::new();
        if !repository.catalogue.has_dataset(dataset)? {
            changes.push(Change::DatasetCreated { dataset: dataset.clone() });
        }
        if !self.known {
            let absent = absent.to_vec();
            let (version, dataset) = (about.version, dataset.clone());
            changes.push(Change::VersionRestored { version, dataset, absent });
        }
        let name = if self.is_named()? { None } else { Some(self.free_name()?) };
        if let Some((kind, name)) = &name {
            changes.push(Change::RefMoved {
                dataset: dataset.clone(),
                kind: *kind,
                name: name.clone(),
                old: None,
                new: Some(about.version),
                annotation: None,
            });
        }
        self.presence(&mut changes)?;
        let states = States::load(repository)?;
        let reason = "Restored from an archive";
        let whole = Target { dataset: dataset.clone(), version: None, pattern: None };
        if states.dataset(dataset) == State::Archived {
            changes.push(Change::Recorded { record: record_of(&whole, State::Retired, reason) });
        }
        if states.version(&about.version) == State::Archived {
            let one = Target { version: Some(about.version), ..whole };
            changes.push(Change::Recorded { record: record_of(&one, State::Retired, reason) });
        }
        let archive = Archived {
            place: self.place.to_path_buf(),
            dataset: dataset.clone(),
            version: about.version,
            files: self.wanted.len() as u64,
            bytes: self.wanted.iter().map(|one| one.payload_size()).sum(),
            erased: about.erased,
            digest: Some(digest.to_owned()),
            dry_run: false,
        };
        let mut record = receipt_of("restored", &archive, repository);
        if !absent.is_empty() {
            let ids = absent.iter().map(|id| id.to_hex().into()).collect();
            record.body.insert("absent".into(), serde_json::Value::Array(ids));
        }
        changes.push(Change::Recorded { record });
        Ok((changes, name.map(|(_, name)| name).into_iter().collect()))
    }

    /// What was erased before the archive was made is known to be so. That content which was
    /// archived is present again, the session says itself.
    fn presence(&self, changes: &mut Vec<Change>) -> Result<()> {
        let overlay = self.repository.overlay();
        let mut seen: HashSet<FileId> = HashSet::new();
        for one in &self.contents.listed {
            let file = one.file.file;
            if one.presence.is_some() && overlay.get(&file).is_none() && seen.insert(file) {
                let here = |key: Key| self.repository.has(&key);
                if !here(Key::recipe(&file))? && !here(Key::chunk(&file.into()))? {
                    let new = one.presence.clone();
                    changes.push(Change::PresenceChanged { file, old: None, new });
                }
            }
        }
        Ok(())
    }

    /// Paths whose content was erased, and of which the copy that was left has gone as well, with the
    /// last version that needed it: the archive has only what it was made of.
    fn lost(&self) -> repo::Result<Vec<Absent>> {
        let overlay = self.repository.overlay();
        let taken: HashSet<FileId> = self.wanted.iter().map(|one| one.delivered().file).collect();
        let mut lost = Vec::new();
        for one in self.contents.listed.iter().filter(|one| overlay.get(&one.file.file).is_some()) {
            let Ok(copy) = overlay.delivered(&one.file) else { continue };
            if !taken.contains(&copy.file) && !is_whole(self.repository, &copy)? {
                let presence = Presence::nowhere(copy.size, LOST);
                lost.push(Absent { path: one.path.clone(), file: one.file.file, presence });
            }
        }
        Ok(lost)
    }

    /// Whether a branch or tag of the dataset leads to the version.
    fn is_named(&self) -> Result<bool> {
        let version = self.contents.about.version;
        let refs = self.repository.catalogue.all_refs()?.into_iter();
        for row in refs.filter(|row| self.known && row.dataset == self.dataset) {
            if self.repository.catalogue.is_ancestor(&version, &row.version)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A branch if the dataset has none, else a tag.
    fn free_name(&self) -> Result<(RefKind, RefName)> {
        let catalogue = &self.repository.catalogue;
        let about = &self.contents.about;
        if catalogue.refs(&self.dataset, RefKind::Branch)?.is_empty() {
            let name = about.branches.first().map_or("main", String::as_str);
            return Ok((RefKind::Branch, name.parse()?));
        }
        let short = &about.version.to_hex()[..12];
        Ok((RefKind::Tag, format!("restored-{short}").parse()?))
    }

    /// Stores content, listing and version, and checks that they have the ids that they must have.
    fn store(&self, session: &Session<'_>) -> repo::Result<()> {
        let changed = |name: &str| repo::Error::Lost { what: format!("{name} of the archive") };
        let mut in_place: HashMap<&str, Vec<(RepoPath, FileRef)>> = HashMap::new();
        let mut packer = session.packer()?;
        for one in &self.wanted {
            let Some(name) = &one.payload else { continue };
            let file = one.delivered();
            if file.mode == Mode::Symlink {
                let path = self.place.join(name);
                let bytes = std::fs::read(&path)
                    .map_err(|source| repo::Error::Io { path: path.clone(), source })?;
                if ingest_bytes(session, &mut packer, &bytes, file.mode)?.file != file.file {
                    return Err(changed(name));
                }
                continue;
            }
            let Some((directory, rest)) = ["data/files", "data/odd"].iter().find_map(|directory| {
                Some((*directory, name.strip_prefix(directory)?.strip_prefix('/')?))
            }) else {
                return Err(changed(name));
            };
            let path = RepoPath::new(rest).map_err(crate::format::Error::from)?;
            in_place.entry(directory).or_default().push((path, file));
        }
        session.give_back(packer)?;
        for (directory, mut files) in in_place {
            files.sort_by(|a, b| a.0.cmp(&b.0));
            self.take(session, &self.place.join(directory), &files)?;
        }
        let listed = self.contents.listed.iter();
        let entries = listed.map(|one| Entry { path: one.path.clone(), file: one.file });
        let manifest = session.build_manifest(entries)?;
        let version = session.put_version(&self.contents.version)?;
        let right = manifest == self.contents.version.manifest
            && version == self.contents.about.version
            && crate::format::version::id(&self.contents.version_bytes) == version;
        if right { Ok(()) } else { Err(changed("the version")) }
    }

    fn take(
        &self,
        session: &Session<'_>,
        directory: &Path,
        files: &[(RepoPath, FileRef)],
    ) -> repo::Result<()> {
        let root = Root::open(directory)?;
        let mut wanted = FileList::default();
        for (path, _) in files {
            let lost = || repo::Error::Lost { what: format!("{} of the archive", path.show()) };
            let stat = root.stat(path)?.ok_or_else(lost)?;
            wanted.push(&Found { path: path.clone(), stat, known: None });
        }
        let mut changed = None;
        let mut sink = |found: Found, ingested: Ingested| {
            let place = files.binary_search_by(|(path, _)| path.cmp(&found.path));
            if !place.is_ok_and(|place| files[place].1.file == ingested.file.file) {
                changed.get_or_insert(found.path);
            }
            Ok(())
        };
        let failed = ingest(session, &root, wanted, &mut sink)?;
        if let Some(failed) = failed.into_iter().next() {
            return Err(failed.error);
        }
        if let Some(path) = changed {
            let what = format!("{} of the archive: it has changed", path.show());
            return Err(repo::Error::Lost { what });
        }
        Ok(())
    }
}
