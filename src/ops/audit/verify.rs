//! Whether the journal is whole: its chain, and every checkpoint that is known of it; and whether the
//! catalogue is what it says.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Result;
use crate::catalogue::{self, Catalogue, Differences, JournalEntry, JournalReport, RecordFilter};
use crate::model::{RecordKind, Time, Version, VersionId};
use crate::repo::{self, Bare, Environment, KeyRole, Place, Repository, TrustedKey, trusted_keys};
use crate::sign::checkpoint::Checkpoint;
use crate::sign::tlog::{self, Hash, Tree};
use crate::sign::{self, KeyId, PublicKey, note};

/// What to hold against the journal besides what lies beside it.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Checkpoints from elsewhere: where each comes from, and the signed note.
    pub checkpoints: Vec<(String, String)>,
    /// Keys that count as trusted, whatever the store says.
    pub keys: Vec<PublicKey>,
}

/// What holding a checkpoint against the journal has shown.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointStatus {
    /// Where it comes from.
    pub place: String,
    /// How long the journal was.
    pub size: Option<u64>,
    /// The key that has signed it, if it is a known one.
    pub key: Option<KeyId>,
    /// Whether that key is trusted as custodian, or was named.
    pub trusted: bool,
    /// Whether the journal is what it says.
    pub ok: bool,
    /// Why not.
    pub problem: Option<String>,
}

/// Entries whose times somebody's clock cannot have been right about.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OddTimes {
    /// How many are dated more than a day before the entry before them, or after the present moment.
    pub count: u64,
    /// The number of the first of them.
    pub first: u64,
}

/// What reading the whole journal has shown.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// Whether every entry follows from the one before it, every checkpoint holds, and the tables are
    /// what the entries say.
    pub ok: bool,
    /// The number of the first entry that is wrong or missing, or that the tables are not as.
    pub first_bad: Option<u64>,
    /// What is wrong with it, or with the tables.
    pub problem: Option<String>,
    /// The hash of the last sound entry.
    pub head: String,
    /// Its number.
    pub head_number: u64,
    /// The name of this journal in checkpoints.
    pub origin: String,
    /// Where clocks went wrong, if anywhere. Nothing is refused for it: the order of the journal is
    /// that of the numbers.
    pub odd_times: Option<OddTimes>,
    /// Every checkpoint that was looked at.
    pub checkpoints: Vec<CheckpointStatus>,
    /// Where the tables are not what the journal, if it is whole, and versions themselves say.
    pub tables: Differences,
}

/// A checkpoint that was read.
struct Known {
    place: String,
    note: String,
    says: sign::Result<Checkpoint>,
    given: bool,
}

/// What reading the journal through gives.
pub(super) struct Walked {
    pub(super) report: JournalReport,
    pub(super) origin: String,
    /// The root over the first so many entries, for the sizes that were asked for.
    pub(super) roots: BTreeMap<u64, Hash>,
}

/// Checks the journal, and holds every checkpoint against it: those given, those in files beside the
/// catalogue, and those recorded. Holds every table of the catalogue against it, too: names, states,
/// packs, records, and what versions say of their origin.
///
/// A checkpoint that contradicts the journal counts whoever has signed it, for who cuts the journal's
/// end may have cut off the trust in its key; one that was given counts only if its key is trusted.
///
/// # Errors
///
/// What keeps the journal from being read; what is wrong with it is no error.
pub fn verify(repository: &Repository, options: &VerifyOptions) -> Result<AuditReport> {
    let audited = Audited {
        place: &repository.place,
        catalogue: &repository.catalogue,
        now: repository.now(),
        read: &|id| repository.read_version(id),
    };
    audited.verify(options)
}

/// As [`verify`], of the repository that `start` lies in. Where it cannot be opened because rows that
/// every command reads first are not what they must be, what is wrong with them is what this tells.
///
/// # Errors
///
/// As [`verify`]; and what keeps the repository from being opened, if nothing in its tables does.
pub fn verify_at(
    start: &Path,
    environment: Environment,
    options: &VerifyOptions,
) -> Result<AuditReport> {
    let clock = environment.clock.clone();
    let error = match Repository::open(start, environment) {
        Ok(repository) => return verify(&repository, options),
        Err(error @ (repo::Error::Catalogue(_) | repo::Error::UnknownWorktree { .. })) => error,
        Err(error) => return Err(error.into()),
    };
    let Ok(bare) = Bare::open(start) else { return Err(error.into()) };
    let audited = Audited {
        place: &bare.place,
        catalogue: &bare.catalogue,
        now: clock.now(),
        read: &|id| bare.read_version(id),
    };
    match audited.verify(options) {
        Ok(report) if !report.ok => Ok(report),
        _ => Err(error.into()),
    }
}

/// What is checked, and how versions are read from its store.
struct Audited<'a> {
    place: &'a Place,
    catalogue: &'a Catalogue,
    now: Time,
    read: &'a dyn Fn(&VersionId) -> repo::Result<Version>,
}

impl Audited<'_> {
    fn verify(&self, options: &VerifyOptions) -> Result<AuditReport> {
        let copied = self.catalogue.copied_head()?;
        // A record that cannot be read is in no checkpoint's way: the tables say what is wrong with it.
        let (known, unread) = match self.checkpoints(options) {
            Ok(known) => (known, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let sizes = known.iter().filter_map(|known| Some(known.says.as_ref().ok()?.size));
        let mut load = |id: &VersionId| (self.read)(id).map_err(|error| error.to_string());
        let mut tables = Differences::default();
        let mut times = Times { now: self.now.unix(), before: i64::MIN, odd: None };
        let walked = walk(sizes, |each| {
            let mut each = |entry: &JournalEntry| {
                times.look(entry);
                each(entry);
            };
            let (report, differences) = self.catalogue.audit(&mut each, &mut load)?;
            tables = differences;
            Ok(report)
        })?;
        if let Some(error) = unread.filter(|_| walked.report.is_ok() && tables.count == 0) {
            return Err(error);
        }
        let trusted = match trusted_keys(self.catalogue) {
            Err(_) if !walked.report.is_ok() || tables.count > 0 => Vec::new(),
            trusted => trusted?,
        };
        let judge = Judge { trusted: &trusted, named: &options.keys, walked: &walked };
        let (mut checkpoints, mut refuted) = (Vec::new(), Vec::new());
        for known in known {
            let says = known.says.as_ref().ok().map(|says| says.size);
            let (status, contradicts) = judge.status(known);
            refuted.extend(says.filter(|_| contradicts));
            checkpoints.push(status);
        }
        let Walked { report, origin, .. } = walked;
        let head = report.head.number;
        let first_bad = report.first_bad.or_else(|| lost(&checkpoints, &refuted, head));
        let first_bad = first_bad.or_else(|| cut(copied, head));
        let ok = first_bad.is_none() && tables.count == 0 && checkpoints.iter().all(|one| one.ok);
        let (first_bad, problem) = worst(first_bad, &tables);
        Ok(AuditReport {
            entries: report.entries,
            ok,
            first_bad,
            problem,
            head: report.head.hash,
            head_number: report.head.number,
            origin,
            odd_times: times.odd,
            checkpoints,
            tables,
        })
    }

    /// Every checkpoint there is, each once.
    fn checkpoints(&self, options: &VerifyOptions) -> Result<Vec<Known>> {
        let mut known: Vec<Known> = Vec::new();
        let mut add = |place: String, text: String, given: bool| {
            if known.iter().all(|one| one.note != text) {
                let says = note::peek(&text).and_then(Checkpoint::from_text);
                known.push(Known { place, note: text, says, given });
            }
        };
        for (place, text) in &options.checkpoints {
            add(place.clone(), text.clone(), true);
        }
        for file in self.place.list_checkpoints()? {
            add(file.path.display().to_string(), file.note, false);
        }
        let filter = RecordFilter { kind: Some(RecordKind::Checkpoint), ..RecordFilter::default() };
        for row in self.catalogue.records(&filter)? {
            add(format!("entry {}", row.number), row.record.text.unwrap_or_default(), false);
        }
        Ok(known)
    }
}

/// What is named: the first wrong entry, or else the first row that is not as an entry says.
fn worst(first_bad: Option<(u64, String)>, tables: &Differences) -> (Option<u64>, Option<String>) {
    match (first_bad, tables.differences.first()) {
        (Some((number, problem)), _) => (Some(number), Some(problem)),
        (None, Some(first)) => (first.entry, Some(format!("{} {}", first.what, first.problem))),
        (None, None) => (None, None),
    }
}

/// How far clocks may differ.
const DAY_SECONDS: i64 = 86_400;

/// A look at the times of entries, one after the other.
struct Times {
    now: i64,
    before: i64,
    odd: Option<OddTimes>,
}

impl Times {
    fn look(&mut self, entry: &JournalEntry) {
        let time = entry.time.unix();
        let is_odd = time < self.before.saturating_sub(DAY_SECONDS)
            || time > self.now.saturating_add(DAY_SECONDS);
        if is_odd {
            let one = self.odd.get_or_insert(OddTimes { count: 0, first: entry.number });
            one.count += 1;
        }
        self.before = time;
    }
}

/// The first entry that the copy of the journal has and the journal has not.
fn cut(copied: Option<u64>, head: u64) -> Option<(u64, String)> {
    let copied = copied.filter(|copied| *copied > head)?;
    let text = format!("it is missing; the copy of the journal goes on to entry {copied}");
    Some((head + 1, text))
}

/// The first entry that is not what was signed, as far as checkpoints tell: all before the last one
/// that holds are, and one up to the first that does not is not.
fn lost(checkpoints: &[CheckpointStatus], refuted: &[u64], head: u64) -> Option<(u64, String)> {
    let size = refuted.iter().copied().min()?;
    if size > head {
        let text = format!("it is missing; a checkpoint was made when there were {size} entries");
        return Some((head + 1, text));
    }
    let held = checkpoints.iter().filter(|one| one.ok).filter_map(|one| one.size);
    let first = held.filter(|held| *held < size).max().unwrap_or(0) + 1;
    let text = format!("it or one up to {size} is not the entry that was signed");
    Some((first, text))
}

/// Reads the journal through with `read`, and takes the roots over the first `sizes` entries.
pub(super) fn walk(
    sizes: impl IntoIterator<Item = u64>,
    read: impl FnOnce(&mut (dyn FnMut(&JournalEntry) + Send)) -> catalogue::Result<JournalReport>,
) -> Result<Walked> {
    let mut tree = Tree::default();
    let mut roots: BTreeMap<u64, Hash> = BTreeMap::new();
    let mut wanted: Vec<u64> = sizes.into_iter().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut wanted = wanted.into_iter().peekable();
    while let Some(empty) = wanted.next_if(|size| *size == 0) {
        roots.insert(empty, tree.root());
    }
    let mut origin = String::new();
    let report = read(&mut |entry| {
        if entry.number == 1 {
            origin = origin_of(&entry.hash);
        }
        tree.push(leaf_of(entry));
        if let Some(size) = wanted.next_if(|size| *size == tree.size()) {
            roots.insert(size, tree.root());
        }
    })?;
    roots.insert(tree.size(), tree.root());
    Ok(Walked { report, origin, roots })
}

/// An entry's leaf in the tree over the journal.
pub(super) fn leaf_of(entry: &JournalEntry) -> Hash {
    tlog::leaf(&bytes_of(&entry.hash))
}

/// The name of a journal in checkpoints: no other journal has this first entry.
fn origin_of(first_hash: &str) -> String {
    format!("stem-journal/{}", first_hash.get(..32).unwrap_or(first_hash))
}

/// The 32 bytes that a hash of an entry stands for. A sound entry has nothing else.
pub(super) fn bytes_of(hash: &str) -> Hash {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hash.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    bytes
}

struct Judge<'a> {
    trusted: &'a [TrustedKey],
    named: &'a [PublicKey],
    walked: &'a Walked,
}

impl Judge<'_> {
    /// What a checkpoint is worth, and whether the journal is not what it says.
    fn status(&self, known: Known) -> (CheckpointStatus, bool) {
        let mut status = CheckpointStatus {
            place: known.place,
            size: known.says.as_ref().ok().map(|says| says.size),
            key: None,
            trusted: false,
            ok: false,
            problem: None,
        };
        let keys: Vec<_> =
            self.named.iter().copied().chain(self.trusted.iter().map(|key| key.public)).collect();
        let signed = match Checkpoint::open(&known.note, &keys) {
            Ok((_, signers)) => {
                let trusted = signers.iter().find(|key| self.trusts(key));
                status.trusted = trusted.is_some();
                status.key = trusted.or(signers.first()).map(PublicKey::id);
                Ok(())
            }
            // Nobody known has signed it; what it says is compared all the same.
            Err(sign::Error::TooFew { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        let holds = known.says.map_err(|error| error.to_string());
        let holds = holds.and_then(|says| self.compare(&says));
        let contradicts = signed.is_ok() && status.size.is_some() && holds.is_err();
        status.problem = signed.and(holds).err();
        if known.given && !status.trusted && status.problem.is_none() {
            status.problem = Some("no key that is trusted as custodian has signed it".into());
        }
        status.ok = status.problem.is_none();
        (status, contradicts)
    }

    fn trusts(&self, key: &PublicKey) -> bool {
        let custodian = |known: &&TrustedKey| {
            known.public == *key
                && known.revoked.is_none()
                && known.roles.contains(&KeyRole::Custodian)
        };
        self.named.contains(key) || self.trusted.iter().find(custodian).is_some()
    }

    /// Whether the journal is what a checkpoint says.
    fn compare(&self, says: &Checkpoint) -> Result<(), String> {
        let head = self.walked.report.head.number;
        if says.origin != self.walked.origin && head > 0 {
            return Err(format!("it is of another journal, {}", says.origin.escape_debug()));
        }
        match self.walked.roots.get(&says.size) {
            Some(root) if *root == says.root => Ok(()),
            Some(_) => Err("the journal's first entries are not those that were signed".into()),
            None => Err(format!("the journal has only {head} sound entries")),
        }
    }
}
