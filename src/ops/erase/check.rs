//! Checking a certificate: alone with a key, and against a store.
//!
//! What is refused here is refused by `docs/verify/verify_certificate.py` too, which was written
//! against `docs/format.md`, "Certificates"; the tests compare the two.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::approve::{APPROVAL, Approval};
use super::job;
use super::plan::{Downstream, PLANS, Plan, id_of};
use super::residue::TABLE;
use super::run::gone;
use super::statement::{
    CERTIFICATES, Concerned, Held, PAYLOAD, PREDICATE, Predicate, STATEMENT, Statement,
};
use super::told::Told;
use super::verify::{Sought, Witness};
use crate::catalogue::Catalogue;
use crate::format::canonical;
use crate::format::kind::Kind;
use crate::model::{ChunkId, FileId, Presence};
use crate::ops::{Error, Result};
use crate::repo::{self, Repository, papers::read_file, trusted_keys};
use crate::sign::commitment::{SCHEME, root_of};
use crate::sign::{PublicKey, dsse};

/// The parts of a run, in their order.
const PHASES: [&str; 4] = ["freeze", "rewrite", "scrub", "verify"];

/// What came of checking a certificate.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// Whether everything holds.
    pub ok: bool,
    /// `valid` or `invalid`.
    pub signature: String,
    /// The key that has signed it.
    pub signer: Option<String>,
    /// `final` or `pending`.
    pub status: Option<String>,
    /// The certificate's name: the id of its plan.
    pub certificate: Option<String>,
    /// The files, by commitment.
    pub subject: Vec<String>,
    /// Whether the store was looked through again.
    pub store_checked: bool,
    /// Whom a pending certificate waits for, and what has to be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// What does not hold.
    pub problems: Vec<String>,
}

/// What a certificate is checked with.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The file.
    pub file: PathBuf,
    /// The store to look through again.
    pub store: Option<PathBuf>,
    /// A block device to look through.
    pub device: Option<PathBuf>,
}

/// Checks a certificate. That something does not hold is no error, but what is returned.
///
/// `keys` are those that are trusted to sign certificates.
///
/// # Errors
///
/// When the file, or the store, cannot be read.
pub fn check(options: &CheckOptions, keys: &[PublicKey]) -> Result<Checked> {
    let (mut checked, statement) = alone(&read_file(&options.file)?, keys);
    if let (Some(store), Some(statement)) = (&options.store, statement) {
        against(store, &statement, options.device.clone(), &mut checked.problems)?;
        checked.store_checked = true;
    }
    checked.ok &= checked.problems.is_empty();
    Ok(checked)
}

/// As [`check`], of a certificate alone that is at hand already.
pub fn check_envelope(envelope: &[u8], keys: &[PublicKey]) -> Checked {
    alone(envelope, keys).0
}

/// What a certificate alone shows, and what it says if it is signed.
fn alone(envelope: &[u8], keys: &[PublicKey]) -> (Checked, Option<Statement>) {
    let mut checked = Checked { signature: "invalid".into(), ..Checked::default() };
    let Some(statement) = open(envelope, keys, &mut checked) else { return (checked, None) };
    checked.subject = statement.subject.iter().map(|one| one.digest.salted.clone()).collect();
    checked.status = Some(statement.predicate.status.clone());
    checked.certificate = Some(statement.predicate.plan.clone());
    let signer = checked.signer.clone().unwrap_or_default();
    problems_of(&statement, &signer, &mut checked.problems);
    checked.ok = checked.problems.is_empty();
    (checked, Some(statement))
}

/// The statement, if a key of `keys` has signed exactly this envelope.
fn open(envelope: &[u8], keys: &[PublicKey], checked: &mut Checked) -> Option<Statement> {
    let opened = match dsse::open(envelope, PAYLOAD, keys, 1) {
        Ok(opened) => opened,
        Err(error) => {
            checked.problems.push(error.to_string());
            return None;
        }
    };
    if !opened.is_exact || opened.signers.len() != 1 {
        checked.problems.push("the envelope is not written as it was signed".into());
        return None;
    }
    checked.signature = "valid".into();
    checked.signer = opened.signers.first().map(|key| key.id().to_string());
    if serde_json::from_slice(&opened.payload).is_ok_and(|value| !has_exact_numbers(&value)) {
        checked.problems.push("a number in it is not an integer that JSON can hold exactly".into());
        return None;
    }
    match canonical::decode("certificate", &opened.payload) {
        Ok(statement) => Some(statement),
        Err(error) => {
            checked.problems.push(super::chain(&error));
            None
        }
    }
}

/// Whether all numbers are integers from 0 to 2^53 - 1: larger ones are not the same to everybody
/// who reads JSON (RFC 7493, section 2.2), so two readers would see two certificates.
fn has_exact_numbers(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number < 1 << 53),
        Value::Array(items) => items.iter().all(has_exact_numbers),
        Value::Object(fields) => fields.values().all(has_exact_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Everything in a statement that contradicts itself or the rules.
fn problems_of(statement: &Statement, signer: &str, problems: &mut Vec<String>) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    let predicate = &statement.predicate;
    must(statement.kind == STATEMENT, "it is no in-toto statement");
    must(statement.predicate_type == PREDICATE, "it is about something else");
    must(predicate.schema == 1, "its schema is not known");
    must(predicate.tool.name == "stem", "another tool has made it");
    must(is_hash(&predicate.plan) && is_hash(&predicate.store), "plan or store is no hash");
    let says = |character: char| !character.is_whitespace() && !character.is_control();
    must(predicate.reason.chars().any(says), "it gives no reason");
    must(predicate.number >= 1, "it has no number");
    must((predicate.number == 1) == predicate.previous.is_none(), "number and previous disagree");
    must(predicate.previous.as_deref().is_none_or(is_hash), "the previous one is no hash");
    must(predicate.journal.number >= 1 && is_hash(&predicate.journal.hash), "no journal is named");
    let kept_for = predicate.kept_for.iter().flatten();
    let mut listed = predicate.versions.iter().chain(kept_for);
    must(listed.all(|one| one.files > 0), "a version lists nothing of it");
    let mut said = predicate.downstream.iter().filter_map(|one| one.status.as_deref());
    must(said.all(|one| FATES.contains(&one)), "a fate of what was made of it is not known");
    for person in [&predicate.executor, &predicate.verifier] {
        must(person.key.as_deref() == Some(signer), "executor and signer are not the same");
    }
    subjects(statement, &mut must);
    times(predicate, &mut must);
    tests(predicate, &mut must);
    holders(predicate, &mut must);
    approvals(predicate, &mut must);
}

type Must<'a> = &'a mut dyn FnMut(bool, &str);

fn subjects(statement: &Statement, must: Must<'_>) {
    let predicate = &statement.predicate;
    let (deleted, counts) = (&predicate.deleted, &predicate.counts);
    let count = statement.subject.len() as u64;
    must(count > 0, "it has no subject");
    must(deleted.scheme == SCHEME, "its commitments are of an unknown kind");
    must(deleted.files.count == count && counts.files == count, "the number of files is wrong");
    must(deleted.chunks.count == counts.chunks_exclusive, "the number of chunks is wrong");
    // A file is a subject only if something in it went.
    let enough = counts.records == 0 || counts.records >= count;
    must(enough, "fewer records are counted than files had some");
    let named =
        |(at, one): (usize, &super::statement::Subject)| one.name == format!("erased-{}", at + 1);
    must(statement.subject.iter().enumerate().all(named), "its subjects are not named in order");
    let digests: Option<Vec<[u8; 32]>> =
        statement.subject.iter().map(|one| bytes(&one.digest.salted)).collect();
    let Some(digests) = digests else { return must(false, "a subject is no hash") };
    let different: BTreeSet<_> = digests.iter().collect();
    must(different.len() == digests.len(), "a subject stands there twice");
    must(bytes(&deleted.files.root) == Some(root_of(digests)), "the root over the files is wrong");
    must(is_hash(&deleted.chunks.root), "the root over the chunks is no hash");
    let none = deleted.chunks.count == 0;
    must(!none || bytes(&deleted.chunks.root) == Some(root_of(Vec::new())), "a root over nothing");
}

/// Planned, frozen, written anew, scrubbed, looked at, certified: in this order.
fn times(predicate: &Predicate, must: Must<'_>) {
    let names: Vec<&str> = predicate.phases.iter().map(|phase| phase.name.as_str()).collect();
    must(names == PHASES, "a part of the run is missing");
    let mut before = predicate.planned;
    for phase in &predicate.phases {
        must(before <= phase.start && phase.start <= phase.end, "its times are out of order");
        before = phase.start;
    }
    let last = predicate.phases.last().map(|phase| phase.end);
    let latest = predicate.phases.iter().map(|phase| phase.end).max();
    must(last == latest, "something was done after it was looked at");
    must(last.is_some_and(|last| last <= predicate.issued), "it was issued before it was done");
}

fn tests(predicate: &Predicate, must: Must<'_>) {
    let tests = &predicate.tests;
    must(tests.canary_hits == 0, "something was found");
    must(tests.readd_refused == predicate.counts.files, "adding again was not tried for each file");
    must(tests.bytes_read > 0, "nothing was read");
    must(tests.retained_versions as usize >= predicate.versions.len(), "versions were not read");
    let watched = tests.canary_windows > 0
        || tests.chunks_without_window > 0
        || predicate.counts.chunks_exclusive == 0;
    must(watched, "nothing was looked for");
    let rows: Vec<_> =
        predicate.residue.iter().map(|row| (row.kind.as_str(), row.action.as_str())).collect();
    must(rows == TABLE, "its table of residue is not the whole one");
    let clean = predicate.residue.iter().all(|row| row.found == 0 || row.kind == "worktrees");
    must(clean, "residue was found");
    must(!predicate.not_proven.is_empty(), "it claims to prove everything");
}

fn holders(predicate: &Predicate, must: Must<'_>) {
    let store: Vec<_> = predicate.holders.iter().filter(|one| one.kind == "store").collect();
    must(store.len() == 1, "it does not name one store");
    let confirmed = store.iter().all(|one| one.status == "confirmed");
    must(confirmed, "the store itself is not confirmed");
    for holder in &predicate.holders {
        let known = matches!(holder.kind.as_str(), "store" | "worktree" | "archive");
        must(known, "a holder is of an unknown kind");
        match (holder.status.as_str(), holder.level.as_deref()) {
            ("confirmed", Some("L1")) | ("unconfirmed" | "attested", None) => {}
            ("confirmed", Some("L2")) => {
                let looked = predicate.tests.device_bytes.is_some();
                let said = if looked { "raw device" } else { "overwritten in place" };
                must(
                    holder.method.contains(said),
                    "a level is claimed that its method does not give",
                );
            }
            _ => must(false, "a level is claimed that cannot be given"),
        }
    }
    let all = predicate.holders.iter().all(|one| one.status != "unconfirmed");
    let says = match predicate.status.as_str() {
        "final" => all,
        "pending" => !all,
        _ => false,
    };
    must(says, "its status does not follow from its holders");
}

fn approvals(predicate: &Predicate, must: Must<'_>) {
    must(predicate.requester.key.is_none(), "the requester has no key here");
    must(predicate.approvers.len() as u64 >= predicate.approvals_needed, "approvals are missing");
    let mut keys = BTreeSet::new();
    let frozen = predicate.phases.first().map(|phase| phase.start);
    for one in &predicate.approvers {
        must(one.name != predicate.requester.name, "who asked for it has approved it");
        let Ok((key, _)) = PublicKey::from_line(&one.public) else {
            must(false, "an approver's key cannot be read");
            continue;
        };
        must(one.public == key.to_line(""), "an approver's key is written in another form");
        must(keys.insert(*key.as_bytes()), "one key has approved it twice");
        let opened = dsse::open(one.envelope.as_bytes(), APPROVAL, &[key], 1);
        let opened = opened.ok().filter(|opened| opened.is_exact);
        let approval = opened
            .and_then(|opened| canonical::decode::<Approval>("approval", &opened.payload).ok());
        let Some(approval) = approval.filter(|one| one.journal < 1 << 53) else {
            must(false, "an approval is not signed by its key");
            continue;
        };
        let meant = approval.plan == predicate.plan && approval.store == predicate.store;
        must(meant, "an approval is of another plan");
        let in_time = frozen.is_some_and(|at| approval.time <= at && at < approval.expires);
        must(in_time, "an approval did not count when the run began");
    }
}

/// What may be said of what was made from erased content.
const FATES: [&str; 3] = ["erased", "notified", "out of control"];

/// What was made of it, as a plan has it.
fn plain(concerned: &[Concerned]) -> Vec<Downstream> {
    let each = concerned.iter().map(|one| {
        let (kind, name, used) = (one.kind.clone(), one.name.clone(), one.used);
        Downstream { kind, name, used }
    });
    each.collect()
}

/// Looks through the store again, and compares the certificate with what is kept there.
fn against(
    store: &Path,
    statement: &Statement,
    device: Option<PathBuf>,
    problems: &mut Vec<String>,
) -> Result<()> {
    let predicate = &statement.predicate;
    let catalogue = Catalogue::open_read_only(&store.join("catalogue.db"))?;
    let mut problem = |what: &str| problems.push(what.to_owned());
    let entry = catalogue.journal(predicate.journal.number, predicate.journal.number, 1)?;
    if entry.first().map(|entry| &entry.hash) != Some(&predicate.journal.hash) {
        problem("the store's journal is not the one that it names");
    }
    let papers = store.join(PLANS);
    let Ok(document) = read_file(&papers.join(format!("{}.json", predicate.plan))) else {
        problem("the store does not have its plan");
        return Ok(());
    };
    let plan = Plan::from_bytes(&document)?;
    let same = id_of(&document) == predicate.plan
        && plan.store == predicate.store
        && plan.reason == predicate.reason
        && plan.requester == predicate.requester.name
        && plan.approvals == predicate.approvals_needed
        && plan.time == predicate.planned
        && plan.found.versions == predicate.versions
        && plan.found.downstream == plain(&predicate.downstream);
    if !same {
        problem("it does not say what its plan says");
    }
    let Ok(secret) = read_file(&papers.join(format!("{}.secret", predicate.plan))) else {
        problem("the store does not have the salt of its commitments");
        return Ok(());
    };
    let job = job::parse(&secret)?;
    let salt = job.salt();
    let files: Vec<_> =
        plan.found.targets.iter().map(|one| salt.commit("file", one.file.as_bytes())).collect();
    let keys = job.keys();
    let chunks = keys.iter().filter(|key| key.kind == Kind::Chunk);
    let chunks: Vec<_> = chunks.map(|key| salt.commit("chunk", &key.id)).collect();
    let roots = (bytes(&predicate.deleted.files.root), bytes(&predicate.deleted.chunks.root));
    if roots != (Some(root_of(files)), Some(root_of(chunks))) {
        problem("its commitments are not to what the plan names");
    }
    let presence = gone(catalogue.presence()?);
    for target in &plan.found.targets {
        match presence.get(&target.file) {
            Some(Presence::Erased { certificate, .. } | Presence::Replaced { certificate, .. })
                if *certificate == predicate.plan => {}
            _ => problem("a file that it names is not marked as erased under it"),
        }
    }
    look(store, &catalogue, presence, (&plan, &job), device, predicate, problems)
}

/// Reads every byte of the store and its worktrees again.
fn look(
    store: &Path,
    catalogue: &Catalogue,
    presence: HashMap<FileId, Presence>,
    (plan, job): (&Plan, &job::Job),
    device: Option<PathBuf>,
    predicate: &Predicate,
    problems: &mut Vec<String>,
) -> Result<()> {
    // What was said later is not told by it.
    let last = Some(predicate.journal.number);
    let at = |source| repo::Error::Io { path: store.into(), source };
    let store = store.canonicalize().map_err(at)?;
    let witness = Witness {
        worktrees: repo::worktrees(catalogue, &store)?,
        store,
        versions: catalogue.all_version_ids()?,
        gone: presence,
        device,
        archives: plan.archives(),
        told: Told::read(catalogue, &job.canaries(), last)?,
    };
    let files = plan.found.targets.iter().map(|target| target.file).collect();
    let sought = Sought { keys: job.keys(), files, canaries: job.canaries() };
    let evidence = witness.look(&sought)?;
    problems.extend(evidence.found);
    if let Some(number) = evidence.in_journal.untold(&predicate.not_proven) {
        let what = "holds a part of it, and the certificate does not say so";
        problems.push(format!("entry {number} of the journal {what}"));
    }
    let confirmed = |one: &&Held| one.kind == "archive" && one.status == "confirmed";
    for holder in predicate.holders.iter().filter(confirmed) {
        for what in evidence.archives.get(Path::new(&holder.place)).into_iter().flatten() {
            problems.push(format!("archive {} holds {what}", holder.place));
        }
    }
    Ok(())
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    hex.parse::<ChunkId>().ok().map(|id| *id.as_bytes())
}

fn is_hash(text: &str) -> bool {
    bytes(text).is_some()
}

/// The keys that a store trusts to sign certificates, or that have signed one here when none was
/// trusted for it: the user's own.
///
/// # Errors
///
/// The catalogue's.
pub fn certifiers(repository: &Repository) -> Result<Vec<PublicKey>> {
    let keys = trusted_keys(&repository.catalogue)?.into_iter();
    let custodians: Vec<PublicKey> = keys
        .filter(|key| key.roles.contains(&repo::KeyRole::Custodian))
        .map(|key| key.public)
        .collect();
    if !custodians.is_empty() {
        return Ok(custodians);
    }
    Ok(repository.key_ring()?.list()?.into_iter().map(|key| key.public).collect())
}

/// The certificate that `text` names: a file, or the beginning of its plan's id.
///
/// # Errors
///
/// [`Error::NoCertificate`].
pub fn find(repository: &Repository, text: &str) -> Result<PathBuf> {
    let papers = repository.papers(CERTIFICATES);
    let is_id = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let names = papers.names()?;
    let mut fits =
        names.iter().filter(|name| is_id && name.starts_with(text) && name.ends_with(".json"));
    match (fits.next(), fits.next()) {
        (Some(name), None) => Ok(papers.path(name)),
        _ if Path::new(text).is_file() => Ok(PathBuf::from(text)),
        _ => Err(Error::NoCertificate(text.to_owned())),
    }
}

/// What a certificate says, without any check.
///
/// # Errors
///
/// For what is no certificate.
pub fn peek(file: &Path) -> Result<Statement> {
    let (_, payload) = dsse::peek(&read_file(file)?)?;
    let bad = |error: crate::format::Error| Error::Refused(super::chain(&error));
    canonical::decode("certificate", &payload).map_err(bad)
}
