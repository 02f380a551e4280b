//! Collecting what nothing needs, beside writers: mark, condemn, fence, mark again, bury, delete.
//!
//! The protocol is that of `docs/catalogue.md`, "The root record", and `tests/gc_model.rs`. Every
//! step is one change of the catalogue that fails if things are not as they were found, so a
//! collector may stop anywhere: the next one goes on where the catalogue says it was.

mod packs;
mod worktrees;

use std::path::PathBuf;

use serde::Serialize;

use self::packs::{Measured, Verdict, measure};
pub use self::worktrees::{forget_worktree, lost_worktrees};
use super::{Error, Result};
use crate::catalogue::{self, Change, Changeset, PackState};
use crate::format::frame::Key;
use crate::model::{ManifestId, PackName, Time, VersionId};
use crate::repo::{self, Fault, Marks, Repository, Tracer, pack_info, pack_record};
use crate::repo::{measure_sweep, sweep, sweep_strangers};
use crate::store::{self, PackInfo};

/// How often the last mark is made again because somebody has changed something meanwhile.
const TRIES: u32 = 100;

/// What to collect.
#[derive(Debug, Clone, Copy)]
pub struct GcOptions {
    /// What was made, named or staged in so many last seconds is kept as well. With 0 everything
    /// goes that no branch, tag, worktree or stage needs, and every pack is rewritten that holds
    /// some of it.
    pub grace_seconds: u64,
    /// Change nothing.
    pub dry_run: bool,
}

/// So much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Chunks of files.
    pub chunks: u64,
    /// Bytes of packs, as they lie on the disk.
    pub bytes: u64,
    /// Packs.
    pub packs: u64,
}

/// What was collected, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Gc {
    /// What went.
    pub removed: Amount,
    /// What is left.
    pub kept: Amount,
    /// Versions that nothing names; they are forgotten.
    pub forgotten: Vec<VersionId>,
    /// Files that killed commands had left.
    pub leftovers: u64,
    /// Worktrees that are not there any more, and for which is kept what they had staged.
    pub lost_worktrees: Vec<PathBuf>,
    /// Those among them that the store was told to forget.
    pub forgotten_worktrees: Vec<PathBuf>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// Removes what nothing needs.
///
/// # Errors
///
/// [`repo::Error::Lost`] or damage if a listing that is needed cannot be followed: nothing goes
/// then. A lost race ([`catalogue::Error::Moved`]) if others do not cease to change things.
pub fn gc(repository: &Repository, options: &GcOptions) -> Result<Gc> {
    let marks = Marks::default();
    let collector = Collector { repository, marks: &marks, options };
    let lost_worktrees = lost_worktrees(repository)?;
    let mut done = Gc { dry_run: options.dry_run, lost_worktrees, ..Gc::default() };
    if options.dry_run {
        let retained = collector.mark()?;
        let packs = measure(repository, &marks)?;
        done.forgotten = retained.unnamed;
        collector.predict(&packs, &mut done)?;
        return Ok(done);
    }
    let before = sum(&measure(repository, &marks)?);
    let before = Amount { bytes: before.bytes + sweep(repository)?, ..before };
    repository.environment.progress.begin("Marking", None, None);
    if collector.condemn()? {
        done.forgotten = collector.bury()?;
    }
    repository.environment.progress.end();
    sweep(repository)?;
    let (leftovers, left_bytes) = sweep_strangers(repository)?;
    done.leftovers = leftovers;
    done.kept = sum(&measure(repository, &marks)?);
    done.removed = Amount { bytes: before.bytes + left_bytes, ..before }.without(&done.kept);
    let epoch = repository.refresh()?;
    repository.store.maintain_index(epoch)?;
    Ok(done)
}

impl Amount {
    fn without(&self, other: &Self) -> Self {
        Self {
            chunks: self.chunks.saturating_sub(other.chunks),
            bytes: self.bytes.saturating_sub(other.bytes),
            packs: self.packs.saturating_sub(other.packs),
        }
    }
}

fn sum(packs: &[Measured]) -> Amount {
    packs.iter().fold(Amount::default(), |sum, pack| Amount {
        chunks: sum.chunks + pack.chunks,
        bytes: sum.bytes + pack.info.bytes,
        packs: sum.packs + 1,
    })
}

struct Collector<'a> {
    repository: &'a Repository,
    /// Everything that was ever found needed in this run; it only grows.
    marks: &'a Marks,
    options: &'a GcOptions,
}

/// Condemned packs, told apart.
#[derive(Default)]
struct Decided {
    spared: Vec<(u64, PackName)>,
    buried: Vec<(u64, PackName)>,
    /// Some of their objects are needed; they are buried once these are copied.
    mixed: Vec<(u64, PackInfo)>,
}

impl Collector<'_> {
    /// Marks everything that is needed, as of now.
    fn mark(&self) -> Result<repo::Retained> {
        let grace = i64::try_from(self.options.grace_seconds).unwrap_or(i64::MAX);
        let now = self.repository.now().unix();
        let since = Time::from_unix(now.saturating_sub(grace)).or(Time::from_unix(0)).ok();
        let retained = self.repository.retained(since.filter(|_| grace > 0))?;
        // After the names: the packs of everything that they need are known by now.
        self.repository.refresh()?;
        for version in &retained.versions {
            self.marks.add(&Key::version(version));
        }
        // Whatever cannot be followed may need anything: then nothing may go.
        let strict = |fault: Fault| match fault.error {
            repo::Error::Store(store::Error::NotFound { key }) => {
                Err(repo::Error::Lost { what: key.to_string() })
            }
            error => Err(error),
        };
        let needed: Vec<ManifestId> = retained.listings.iter().copied().collect();
        Tracer::new(self.repository, self.marks, &strict).listings(&needed)?;
        // What was staged once may have been collected before.
        let lenient = |_| Ok(());
        let hoped_for: Vec<ManifestId> = retained.hoped_for.iter().copied().collect();
        Tracer::new(self.repository, self.marks, &lenient).listings(&hoped_for)?;
        Ok(retained)
    }

    fn verdict(&self, pack: &Measured) -> Verdict {
        pack.verdict(self.options.grace_seconds == 0)
    }

    /// What collecting would come to now, to the byte, unless somebody changes something meanwhile
    /// or a pack that should be copied is damaged: then it stays.
    fn predict(&self, packs: &[Measured], done: &mut Gc) -> Result<()> {
        let mut mixed = Vec::new();
        let mut changes = !done.forgotten.is_empty();
        for pack in packs {
            changes |= pack.condemned.is_some();
            match self.verdict(pack) {
                Verdict::Keep => {
                    done.kept.chunks += pack.chunks;
                    done.kept.bytes += pack.info.bytes;
                    done.kept.packs += 1;
                    continue;
                }
                Verdict::Rewrite => mixed.push(pack.info.clone()),
                Verdict::Bury => {}
            }
            changes = true;
        }
        let keep = |key: &Key| self.marks.contains(key);
        let copies = self.repository.store.measure_merge(&mixed, &keep)?;
        done.kept.chunks += copies.chunks;
        done.kept.bytes += copies.bytes;
        done.kept.packs += copies.packs;
        let (leftovers, bytes) = measure_sweep(self.repository, changes)?;
        done.leftovers = leftovers;
        let before = sum(packs);
        done.removed = Amount { bytes: before.bytes + bytes, ..before }.without(&done.kept);
        Ok(())
    }

    /// Marks, condemns what was not marked, and shuts out the sessions that may rely on it.
    /// Whether anything is condemned now, or versions are to be forgotten.
    fn condemn(&self) -> Result<bool> {
        let epoch = self.repository.refresh()?;
        let retained = self.mark()?;
        let packs = measure(self.repository, self.marks)?;
        let chosen: Vec<PackName> = packs
            .iter()
            .filter(|pack| pack.condemned.is_none() && self.verdict(pack) != Verdict::Keep)
            .map(|pack| pack.info.name)
            .collect();
        // A collector before this one may have stopped behind its condemnation.
        let others = packs.iter().any(|pack| pack.condemned.is_some());
        if chosen.is_empty() && !others && retained.unnamed.is_empty() {
            return Ok(false);
        }
        let epoch = epoch + 1;
        self.apply("condemn-packs", None, vec![Change::PacksCondemned { packs: chosen, epoch }])?;
        self.apply("fence", None, vec![Change::Fenced { epoch }])?;
        self.repository.refresh()?;
        Ok(true)
    }

    /// Marks again, until nobody has changed anything since: then names are withdrawn, and what is
    /// condemned is spared or buried, in one change.
    fn bury(&self) -> Result<Vec<VersionId>> {
        let mut copies = Copies::default();
        for _ in 0..TRIES {
            let epoch = self.repository.refresh()?;
            let retained = self.mark()?;
            let mut decided = self.decide()?;
            copies.make(self, epoch, &mut decided)?;
            let changes = publish(epoch, &retained.unnamed, &decided, &copies.made);
            if changes.is_empty() {
                return Ok(Vec::new());
            }
            match self.apply("bury-packs", Some(retained.journal), changes) {
                Ok(()) => return Ok(retained.unnamed),
                Err(Error::Repo(repo::Error::Catalogue(error))) if error.is_lost_race() => {}
                Err(error) => return Err(error),
            }
        }
        // What is condemned stays so; the next collector spares or buries it.
        Err(Error::Repo(repo::Error::Catalogue(catalogue::Error::Moved {
            what: "the journal".into(),
            expected: "the same".into(),
            found: "others at work".into(),
        })))
    }

    fn decide(&self) -> Result<Decided> {
        let mut decided = Decided::default();
        for pack in measure(self.repository, self.marks)? {
            let Some(epoch) = pack.condemned else { continue };
            match self.verdict(&pack) {
                Verdict::Keep => decided.spared.push((epoch, pack.info.name)),
                Verdict::Bury => decided.buried.push((epoch, pack.info.name)),
                Verdict::Rewrite => decided.mixed.push((epoch, pack.info)),
            }
        }
        Ok(decided)
    }

    fn apply(&self, action: &str, after: Option<u64>, changes: Vec<Change>) -> Result<()> {
        let (actor, now) = (self.repository.author()?, self.repository.now());
        let mut changeset = Changeset::new(&actor, now, action, "gc");
        changeset.after = after;
        changeset.changes = changes;
        self.repository.catalogue.apply(&changeset)?;
        Ok(())
    }
}

/// The needed objects of mixed packs, in new packs that the catalogue does not know yet.
#[derive(Default)]
struct Copies {
    made: Vec<PackInfo>,
    of: Vec<PackName>,
    /// How much was marked when they were made.
    marked: usize,
}

impl Copies {
    /// Copies what is needed of the mixed packs, unless that was done and nothing more is needed
    /// since. A pack that cannot be copied because it is damaged is spared.
    fn make(&mut self, by: &Collector<'_>, epoch: u64, decided: &mut Decided) -> Result<()> {
        let names: Vec<PackName> = decided.mixed.iter().map(|(_, pack)| pack.name).collect();
        if names != self.of || by.marks.len() != self.marked {
            for pack in std::mem::take(&mut self.made) {
                by.repository.store.remove_pack(pack.name)?;
            }
            let packs: Vec<_> = decided.mixed.iter().map(|(_, pack)| pack.clone()).collect();
            let keep = |key: &Key| by.marks.contains(key);
            match by.repository.store.merge(&packs, &keep, epoch, None) {
                Ok(made) => self.made = made,
                Err(store::Error::Damaged { .. }) => {
                    let spared = decided.mixed.drain(..).map(|(epoch, pack)| (epoch, pack.name));
                    decided.spared.extend(spared);
                    (self.of, self.marked) = (Vec::new(), by.marks.len());
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            (self.of, self.marked) = (names, by.marks.len());
        }
        let buried = decided.mixed.drain(..).map(|(epoch, pack)| (epoch, pack.name));
        decided.buried.extend(buried);
        Ok(())
    }
}

/// Names are withdrawn, packs spared or buried, and a new epoch is begun and fenced: a session that
/// has read a version which is forgotten here cannot commit what it took from there.
fn publish(
    epoch: u64,
    unnamed: &[VersionId],
    decided: &Decided,
    copies: &[PackInfo],
) -> Vec<Change> {
    let mut changes = Vec::new();
    if !unnamed.is_empty() || !decided.buried.is_empty() {
        changes.push(Change::PacksCondemned { packs: Vec::new(), epoch: epoch + 1 });
        changes.push(Change::Fenced { epoch: epoch + 1 });
    }
    if !unnamed.is_empty() {
        changes.push(Change::VersionsForgotten { versions: unnamed.to_vec() });
    }
    if !copies.is_empty() {
        changes.push(Change::PacksAdded { packs: copies.iter().map(pack_record).collect() });
    }
    for (epoch, packs) in by_epoch(&decided.spared) {
        changes.push(Change::PacksSpared { packs, epoch });
    }
    for (epoch, packs) in by_epoch(&decided.buried) {
        changes.push(Change::PacksTombstoned { packs, epoch });
    }
    changes
}

fn by_epoch(packs: &[(u64, PackName)]) -> std::collections::BTreeMap<u64, Vec<PackName>> {
    let mut groups = std::collections::BTreeMap::<u64, Vec<PackName>>::new();
    for (epoch, name) in packs {
        groups.entry(*epoch).or_default().push(*name);
    }
    groups
}
