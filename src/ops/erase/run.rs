//! Carrying out a plan: freeze, rewrite, scrub, verify, certify.
//!
//! Every step can be stopped anywhere and done again: the journal says what is decided, the packs
//! say what is left to do.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::approve::{approvals, asked_for};
use super::canary::{Canaries, Window};
use super::certificate::{self, Certified};
use super::doomed::Doomed;
use super::holders::refuse_others;
use super::hunt::Hunt;
use super::job::Job;
use super::plan::{PLANS, Plan, blocked, findings, id_of, store_id};
use super::records::{self, Search};
use super::residue::scrub;
use super::select::{Scope, Selected, select};
use super::told::Told;
use super::verify::{Evidence, Sought, Witness};
use crate::catalogue::{self, Change, Changeset, RecordFilter};
use crate::format::frame::Key;
use crate::format::kind::Kind;
use crate::model::{FileId, Presence, Record, RecordKind};
use crate::ops::{Error, Result};
use crate::repo::policy::Deed;
use crate::repo::{self, Repository, Transaction, free_space, parallel};
use crate::sign::commitment::Salt;

/// How often a step is done again because somebody has changed something meanwhile.
pub(super) const TRIES: u32 = 100;
/// What else may have to be written.
const SPARE_BYTES: u64 = 1 << 20;

/// So much was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Files.
    pub files: u64,
    /// Records inside of files.
    pub records: u64,
    /// Chunks that are gone.
    pub chunks: u64,
    /// By so many bytes the packs are smaller.
    pub bytes: u64,
    /// Packs that are gone.
    pub packs_dropped: u64,
    /// Packs that were written again.
    pub packs_rewritten: u64,
}

/// A plan that was carried out.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The plan's id, which is the certificate's too.
    pub plan: String,
    /// Where the certificate lies.
    pub certificate: String,
    /// `final`, or `pending` while somebody who has the content was not asked.
    pub status: String,
    /// What is gone.
    pub erased: Erased,
    /// What could not be looked at.
    pub not_proven: Vec<String>,
    /// Of these: files and rows that may still hold such records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// Whether nothing was changed: then it says what would be erased, and where the certificate
    /// would lie.
    pub dry_run: bool,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The plan: its id, the beginning of it, or a file.
    pub plan: String,
    /// The key that signs the certificate.
    pub key: Option<String>,
    /// A block device to look through.
    pub device: Option<std::path::PathBuf>,
    /// Only look whether it could be carried out.
    pub dry_run: bool,
}

/// Carries out a plan, or goes on with it.
///
/// # Errors
///
/// [`Error::OutOfDate`], [`Error::NotApproved`], [`Error::Blocked`], [`Error::NoSpace`]: nothing has
/// changed then. [`Error::Incomplete`] if rests were found: the same call goes on.
pub fn run(repository: &Repository, options: &RunOptions) -> Result<Run> {
    let (id, plan) = load(repository, &options.plan)?;
    // Before anything changes: without a key there would be no certificate.
    let signer = repository.signer(options.key.as_deref())?;
    certificate::may_certify(repository, &signer)?;
    let runner = Runner { repository, id: &id, plan: &plan };
    if options.dry_run {
        return runner.foresee();
    }
    let mut job = match runner.is_frozen() {
        true => Job::load(repository, &id)?
            .ok_or_else(|| Error::BadPlan("what its run had kept is gone".into()))?,
        false => runner.freeze()?,
    };
    records::forget(repository, &id)?;
    let start = repository.now();
    runner.rewrite(&job.keys())?;
    job.note("rewrite", start, repository.now());
    let start = repository.now();
    scrub(repository, &plan, &mut job)?;
    repository.catalogue.compact()?;
    job.note("scrub", start, repository.now());
    job.save(repository)?;
    let start = repository.now();
    let last = certificate::made(repository, &signer, &id)?.map(|one| one.journal.number);
    let evidence = witness(repository, &plan, &job, options.device.clone(), last)?;
    if !evidence.found.is_empty() {
        return Err(Error::Incomplete(evidence.found));
    }
    job.note("verify", start, repository.now());
    job.save(repository)?;
    let erased = runner.erased(&job)?;
    let certified = certificate::certify(repository, &signer, &plan, &job, &evidence, erased)?;
    let Certified { path, status, not_proven } = certified;
    let certificate = path.display().to_string();
    let unproven = plan.found.unproven;
    Ok(Run { plan: id, certificate, status, erased, not_proven, unproven, dry_run: false })
}

/// Finds a plan by its id, the beginning of it, or its file.
///
/// # Errors
///
/// [`Error::NoPlan`]; [`Error::BadPlan`] for one that was changed, or is another repository's.
pub(super) fn load(repository: &Repository, text: &str) -> Result<(String, Plan)> {
    let papers = repository.papers(PLANS);
    let names = papers.names()?;
    let is_id = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut fits = names
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter(|name| is_id && name.starts_with(text));
    let bytes = match (fits.next(), fits.next()) {
        (Some(id), None) => papers.read(&format!("{id}.json"))?,
        (Some(_), Some(_)) => {
            return Err(Error::NoPlan(format!("{text} (several begin like that)")));
        }
        (None, _) => match repo::papers::read_file(text.as_ref()) {
            Ok(bytes) => Some(bytes),
            Err(repo::Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            Err(error) => return Err(error.into()),
        },
    };
    let bytes = bytes.ok_or_else(|| Error::NoPlan(text.to_owned()))?;
    let (id, plan) = (id_of(&bytes), Plan::from_bytes(&bytes)?);
    if plan.store != store_id(repository)? {
        return Err(Error::BadPlan("it is of another repository".into()));
    }
    let known = papers.read(&format!("{id}.json"))?;
    if known.as_ref() != Some(&bytes) {
        return Err(Error::BadPlan("it was not made here, or was changed since".into()));
    }
    Ok((id, plan))
}

/// Looks for what a plan has erased, by another way than it was erased by. What the journal says on
/// its own behalf, up to entry `last` if there is a certificate already, is no finding.
pub(super) fn witness(
    repository: &Repository,
    plan: &Plan,
    job: &Job,
    device: Option<std::path::PathBuf>,
    last: Option<u64>,
) -> Result<Evidence> {
    repository.refresh()?;
    let witness = Witness {
        store: repository.place.store.clone(),
        worktrees: repository.worktrees()?,
        versions: repository.catalogue.all_version_ids()?,
        gone: gone(repository.catalogue.presence()?),
        device,
        archives: plan.archives(),
        told: Told::read(&repository.catalogue, &job.canaries(), last)?,
    };
    let files = plan.found.targets.iter().map(|target| target.file).collect();
    let sought = Sought { keys: job.keys(), files, canaries: job.canaries() };
    let mut evidence = witness.look(&sought)?;
    for target in &plan.found.targets {
        match repository.admit(&target.file) {
            Err(repo::Error::Erased { .. }) => evidence.readd_refused += 1,
            _ => evidence.found.push(format!("file {} could be added again", target.file)),
        }
    }
    Ok(evidence)
}

/// What is not present, by file.
pub(super) fn gone(rows: Vec<catalogue::PresenceRow>) -> HashMap<FileId, Presence> {
    rows.into_iter().map(|row| (row.file, row.presence)).collect()
}

pub(super) struct Runner<'a> {
    pub(super) repository: &'a Repository,
    id: &'a str,
    plan: &'a Plan,
}

impl Runner<'_> {
    fn is_frozen(&self) -> bool {
        let overlay = self.repository.overlay();
        self.plan.found.targets.iter().all(|target| {
            overlay.get(&target.file).and_then(Presence::certificate) == Some(self.id)
        })
    }

    /// Checks everything that a run checks before it changes anything, and says what it would do.
    fn foresee(&self) -> Result<Run> {
        let found = &self.plan.found;
        if !self.is_frozen() {
            self.is_current()?;
            let rule = self.plan.selector.records.as_ref();
            let search =
                rule.map(|rule| Search::load(self.repository, self.id, rule)).transpose()?;
            let hunt = search.as_ref().map(|one| Hunt::of_plan(self.repository, one, self.plan));
            let scope = Scope::of(self.repository)?;
            let selected = select(self.repository, &scope, &self.plan.selector, hunt.as_ref())?;
            let doomed = Doomed::of(self.repository, &scope, &selected, &mut None)?;
            self.allow(selected, &doomed)?;
        }
        let certificate = certificate::place_of(self.repository, self.id).display().to_string();
        Ok(Run {
            plan: self.id.to_owned(),
            certificate,
            status: "not run".into(),
            erased: Erased {
                files: found.targets.len() as u64,
                records: self.plan.records(),
                chunks: found.chunks.exclusive,
                bytes: found.bytes.freed,
                packs_dropped: self.plan.packs.drop,
                packs_rewritten: self.plan.packs.rewrite,
            },
            not_proven: Vec::new(),
            unproven: found.unproven.clone(),
            dry_run: true,
        })
    }

    /// Fails unless what is there is what the plan says, and nothing stands in its way.
    fn allow(&self, selected: Selected, doomed: &Doomed) -> Result<()> {
        self.compare(&findings(self.repository, selected, doomed)?)?;
        refuse_others(self.repository, self.id, self.plan)?;
        self.gates()?;
        self.room(doomed)
    }

    /// Checks everything, keeps what the run needs, and marks the files as erased: from here on
    /// nobody reads them, relies on their chunks, or adds them again.
    fn freeze(&self) -> Result<Job> {
        self.is_current()?;
        let start = self.repository.now();
        let rule = self.plan.selector.records.as_ref();
        let search = rule.map(|rule| Search::load(self.repository, self.id, rule)).transpose()?;
        let hunt = search.as_ref().map(|one| Hunt::of_plan(self.repository, one, self.plan));
        let (mut stored, mut needs) = (None, None);
        for _ in 0..TRIES {
            let scope = Scope::of(self.repository)?;
            let epoch = self.repository.catalogue.root()?.epoch;
            let selected = select(self.repository, &scope, &self.plan.selector, hunt.as_ref())?;
            let doomed = Doomed::of(self.repository, &scope, &selected, &mut needs)?;
            self.allow(selected.clone(), &doomed)?;
            // Nothing names what was stored: a collector that has begun since may have taken it.
            if let Some(hunt) = hunt.as_ref().filter(|_| stored != Some(epoch)) {
                self.store(hunt, &selected)?;
                stored = Some(epoch);
                continue;
            }
            let mut job = self.prepare(&doomed, hunt.as_ref().map(|one| (one, &selected)))?;
            job.note("freeze", start, self.repository.now());
            job.save(self.repository)?;
            match self.mark(&scope, epoch, &doomed, &selected) {
                Ok(()) => {
                    self.repository.refresh()?;
                    return Ok(job);
                }
                Err(error) if is_lost_race(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy())
    }

    /// Stores what files become without records, before anything says that they are it.
    fn store(&self, hunt: &Hunt<'_>, selected: &Selected) -> Result<()> {
        let subject = &self.id[..16];
        self.repository.transact("erase-copies", subject, None, |session| {
            hunt.store(session, selected)?;
            Ok((Transaction::default(), ()))
        })?;
        Ok(())
    }

    /// Plans of before say which files the files become, and not which chunks these have.
    fn is_current(&self) -> Result<()> {
        match self.plan.found.targets.iter().any(|target| target.by.is_some()) {
            true => Err(Error::OutOfDate("it was made by a build of before".into())),
            false => Ok(()),
        }
    }

    /// What is there must be what the plan says.
    fn compare(&self, now: &super::plan::Findings) -> Result<()> {
        let then = &self.plan.found;
        let what = if now.targets != then.targets {
            "it selects other files now"
        } else if now.versions != then.versions {
            "other versions list these files now"
        } else if now.branches != then.branches || now.tags != then.tags {
            "a branch or tag that leads to these files has moved"
        } else if now.staged != then.staged {
            "what worktrees have staged of these files has changed"
        } else if now.objects != then.objects || now.chunks != then.chunks {
            "other files have come to share chunks with these, or have ceased to"
        } else if now.downstream != then.downstream {
            "something else was made from these files since"
        } else if (now.bytes.content, now.bytes.freed) != (then.bytes.content, then.bytes.freed) {
            // Not what stays: where all of it is condemned, the run itself stores it once more.
            "the packs hold it in another form now"
        } else if now.unproven != then.unproven {
            "other files cannot be looked through"
        } else {
            return Ok(());
        };
        Err(Error::OutOfDate(what.into()))
    }

    fn gates(&self) -> Result<()> {
        let (_, why) = blocked(self.repository, self.plan)?;
        if !why.is_empty() {
            return Err(Error::Blocked(why));
        }
        let datasets = self.plan.found.datasets(&self.plan.selector);
        let asked = asked_for(self.repository, Deed::Erase, &datasets)?;
        if asked > self.plan.approvals {
            let what = format!("{asked} approvals are asked for now, and it has to have fewer");
            return Err(Error::OutOfDate(what));
        }
        let found =
            approvals(self.repository, self.id, self.plan, self.repository.now())?.len() as u64;
        if found < self.plan.approvals {
            return Err(Error::NotApproved { needed: self.plan.approvals, found });
        }
        Ok(())
    }

    fn room(&self, doomed: &Doomed) -> Result<()> {
        let path = &self.repository.place.store;
        let at = |source| repo::Error::Io { path: path.clone(), source };
        let free = free_space(path).map_err(at)?;
        let database = self.repository.place.catalogue().metadata().map_or(0, |meta| meta.len());
        let copies: u64 = self.plan.found.targets.iter().filter_map(|one| one.by_size).sum();
        let needed = doomed.pack_counts().scratch_bytes + 2 * database + SPARE_BYTES + copies;
        if free < needed { Err(Error::NoSpace { needed, free }) } else { Ok(()) }
    }

    /// Takes windows of what goes.
    fn prepare(&self, doomed: &Doomed, records: Option<(&Hunt<'_>, &Selected)>) -> Result<Job> {
        let salt = Salt::random()?;
        let mut canaries = Canaries::new(&salt);
        let unwatched = match records {
            Some((hunt, selected)) => {
                let (prints, few) = hunt.watch(selected, &salt, &mut canaries)?;
                // Before the files are withdrawn: from then on the records are refused.
                self.repository.ban_records(self.id, salt.as_bytes(), prints)?;
                few
            }
            None => self.sample(doomed, &salt, &mut canaries)?,
        };
        let is_blind = canaries.len() == 0 && unwatched == 0;
        let unwatched = if is_blind { chunks_of(doomed).count() as u64 } else { unwatched };
        let mut job = Job::new(self.id, &salt, &doomed.keys, &canaries);
        job.unwatched = unwatched;
        Ok(job)
    }

    /// Takes windows of the chunks that go, and of those that stand in nothing else; how many chunks
    /// have none.
    fn sample(&self, doomed: &Doomed, salt: &Salt, canaries: &mut Canaries) -> Result<u64> {
        let chunks: Vec<Key> = chunks_of(doomed).collect();
        let taken = self.windows_of(&chunks, canaries, Canaries::sample)?;
        let mut unwatched = taken.iter().filter(|(_, windows)| windows.is_empty()).count() as u64;
        canaries.remove(&self.common(doomed, canaries)?);
        // Chunks of which every window stands in something that stays are looked at more closely.
        let bare = taken.iter().filter(|(_, windows)| !windows.is_empty());
        let bare: Vec<Key> =
            bare.filter(|(_, all)| !canaries.knows_any(all)).map(|(key, _)| *key).collect();
        let mut closer = Canaries::new(salt);
        let taken = self.windows_of(&bare, &mut closer, Canaries::sample_closely)?;
        closer.remove(&self.common(doomed, &closer)?);
        unwatched += taken.iter().filter(|(_, all)| !closer.knows_any(all)).count() as u64;
        canaries.take(&closer);
        Ok(unwatched)
    }

    /// Takes windows of chunks; which of each.
    fn windows_of(
        &self,
        chunks: &[Key],
        canaries: &mut Canaries,
        sample: fn(&mut Canaries, &[u8]) -> Vec<u32>,
    ) -> Result<Vec<(Key, Vec<u32>)>> {
        let mut reader = self.repository.store.reader()?;
        let (mut bytes, mut taken) = (Vec::new(), Vec::with_capacity(chunks.len()));
        for key in chunks {
            reader.read(key, None, &mut bytes)?;
            taken.push((*key, sample(canaries, &bytes)));
        }
        Ok(taken)
    }

    /// The windows that stand in chunks that stay.
    fn common(&self, doomed: &Doomed, canaries: &Canaries) -> Result<Vec<Window>> {
        let common = std::sync::Mutex::new(HashSet::new());
        if canaries.len() == 0 {
            return Ok(Vec::new());
        }
        parallel::each(
            self.repository.threads(),
            &self.repository.store.packs(),
            || Ok(()),
            |(), pack| {
                let mut scan = self.repository.store.scan(pack.name)?;
                while let Some(frame) = scan.next_frame()? {
                    let stays =
                        frame.id.is_none_or(|id| !doomed.keys.contains(&Key::new(frame.kind, id)));
                    if stays && frame.kind == Kind::Chunk {
                        let found = canaries.find(frame.bytes);
                        common
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .extend(found);
                    }
                }
                Ok(())
            },
        )?;
        let common = common.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(common.into_iter().collect())
    }

    /// One change: the files are erased, and the packs that hold them are not relied on any more.
    fn mark(&self, scope: &Scope, epoch: u64, doomed: &Doomed, selected: &Selected) -> Result<()> {
        let mut changes = Vec::new();
        for target in &self.plan.found.targets {
            let by = selected.rests.get(&target.file).and_then(|rest| rest.by);
            let (file, new) = (target.file, Some(target.gone(self.id, by)?));
            changes.push(Change::PresenceChanged { file, old: None, new });
        }
        let live = doomed.packs.iter().filter(|pack| pack.live).map(|pack| pack.info.name);
        let (packs, epoch) = (live.collect(), epoch + 1);
        changes.push(Change::PacksCondemned { packs, epoch });
        changes.push(Change::Fenced { epoch });
        changes.push(self.recorded("frozen", serde_json::Map::new()));
        self.apply("erase-freeze", Some(scope.journal), changes)
    }

    pub(super) fn recorded(
        &self,
        what: &str,
        mut body: serde_json::Map<String, serde_json::Value>,
    ) -> Change {
        let mut record = Record::new(RecordKind::Plan);
        record.name = Some(what.to_owned());
        body.insert("plan".into(), self.id.into());
        record.body = body;
        Change::Recorded { record }
    }

    pub(super) fn apply(
        &self,
        action: &str,
        after: Option<u64>,
        changes: Vec<Change>,
    ) -> Result<()> {
        let (actor, now) = (self.repository.author()?, self.repository.now());
        let mut changeset = Changeset::new(&actor, now, action, &self.id[..16]);
        changeset.after = after;
        changeset.changes = changes;
        self.repository.catalogue.apply(&changeset)?;
        Ok(())
    }

    /// What the journal says was erased.
    fn erased(&self, job: &Job) -> Result<Erased> {
        let mut erased =
            Erased { files: self.plan.found.targets.len() as u64, ..Erased::default() };
        erased.records = self.plan.records();
        let filter = RecordFilter { kind: Some(RecordKind::Plan), ..RecordFilter::default() };
        for row in self.repository.catalogue.records(&filter)? {
            let body = &row.record.body;
            let mine = body.get("plan").and_then(|plan| plan.as_str()) == Some(self.id);
            if mine && row.record.name.as_deref() == Some("rewritten") {
                let number = |name: &str| body.get(name).and_then(serde_json::Value::as_u64);
                erased.bytes += number("freed").unwrap_or(0);
                erased.chunks += number("chunks").unwrap_or(0);
                erased.packs_dropped += number("dropped").unwrap_or(0);
                erased.packs_rewritten += number("rewritten").unwrap_or(0);
            }
        }
        let most = job.keys().iter().filter(|key| key.kind == Kind::Chunk).count() as u64;
        erased.chunks = erased.chunks.min(most);
        Ok(erased)
    }
}

pub(super) fn is_lost_race(error: &Error) -> bool {
    matches!(error, Error::Repo(repo::Error::Catalogue(error)) if error.is_lost_race())
}

pub(super) fn busy() -> Error {
    Error::Repo(repo::Error::Catalogue(catalogue::Error::Moved {
        what: "the journal".into(),
        expected: "the same".into(),
        found: "others at work".into(),
    }))
}

/// The chunks that go.
fn chunks_of(doomed: &Doomed) -> impl Iterator<Item = Key> + '_ {
    doomed.keys.iter().copied().filter(|key| key.kind == Kind::Chunk)
}
