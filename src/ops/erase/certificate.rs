//! Certificates: what was erased, how that was checked, and what is not proven; signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::approve::approvals;
use super::attest::attested;
use super::job::Job;
use super::plan::{AsOf, Bytes, Holder, Plan, TouchedVersion, id_of};
use super::residue::TABLE;
use super::run::Erased;
use super::select::{Scope, listing_any};
use super::statement::{
    ApprovedBy, CERTIFICATES, Concerned, Counts, Deleted, Digest, Held, PAYLOAD, PREDICATE,
    PackCounts, Person, Predicate, Residue, STATEMENT, Set, Statement, Subject, Tests, Tool,
};
use super::verify::Evidence;
use crate::catalogue::{Change, Changeset, PackState, RecordFilter};
use crate::format::canonical;
use crate::format::kind::Kind;
use crate::model::{Record, RecordKind};
use crate::ops::{Error, Result};
use crate::repo::{Ground, KeyRole, Repository, Signer, trusted_keys};
use crate::sign::commitment::{SCHEME, root_of};
use crate::sign::{PublicKey, dsse};

/// So many files of an archive are named.
const MOST_SHOWN: usize = 5;

/// A certificate that was made.
pub(super) struct Certified {
    pub(super) path: PathBuf,
    pub(super) status: String,
    pub(super) not_proven: Vec<String>,
}

/// Fails if a key may not sign certificates here. Where the store trusts no custodian yet, any key
/// may, and whoever reads the certificate decides whether to trust it.
pub(in crate::ops) fn may_certify(repository: &Repository, signer: &Signer) -> Result<()> {
    let number = repository.catalogue.journal_head()?.number;
    let custodian = |key: &crate::repo::TrustedKey| {
        key.roles.contains(&KeyRole::Custodian) && key.is_trusted_at(number)
    };
    let known: Vec<_> =
        trusted_keys(&repository.catalogue)?.into_iter().filter(custodian).collect();
    let public = signer.key.public();
    if known.is_empty() || known.iter().any(|key| key.public == public) {
        return Ok(());
    }
    Err(Error::NotEntitled(format!("key {} is no custodian's here", public.id())))
}

/// Where the certificate of a plan lies.
pub(super) fn place_of(repository: &Repository, plan: &str) -> std::path::PathBuf {
    repository.papers(CERTIFICATES).path(&format!("{plan}.json"))
}

/// Makes and signs the certificate of a plan that was carried out and looked after; once made it
/// is given as it is.
pub(super) fn certify(
    repository: &Repository,
    signer: &Signer,
    plan: &Plan,
    job: &Job,
    evidence: &Evidence,
    erased: Erased,
) -> Result<Certified> {
    let papers = repository.papers(CERTIFICATES);
    let name = format!("{}.json", job.plan);
    let public = signer.key.public();
    if let Some((bytes, predicate)) = final_one(repository, signer, &job.plan)? {
        let Predicate { status, not_proven, .. } = predicate;
        let certified = Certified { path: papers.path(&name), status, not_proven };
        record(repository, &certified, &bytes, &job.plan)?;
        return Ok(certified);
    }
    let statement = statement(repository, &public, plan, job, evidence, erased)?;
    let envelope = dsse::seal(PAYLOAD, &canonical::encode(&statement)?, &[&signer.key]);
    debug_assert!(
        envelope.len() as u64 <= super::bound::most_bytes(plan, all_versions(repository)?),
        "a certificate is larger than was foreseen"
    );
    let path = papers.write(&name, &envelope)?;
    let Predicate { status, not_proven, .. } = statement.predicate;
    let certified = Certified { path, status, not_proven };
    record(repository, &certified, &envelope, &job.plan)?;
    Ok(certified)
}

/// What the certificate of a plan says, if there is a final one that this key has signed.
pub(super) fn made(
    repository: &Repository,
    signer: &Signer,
    plan: &str,
) -> Result<Option<Predicate>> {
    Ok(final_one(repository, signer, plan)?.map(|(_, predicate)| predicate))
}

fn final_one(
    repository: &Repository,
    signer: &Signer,
    plan: &str,
) -> Result<Option<(Vec<u8>, Predicate)>> {
    let bytes = repository.papers(CERTIFICATES).read(&format!("{plan}.json"))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let opened = dsse::open(&bytes, PAYLOAD, &[signer.key.public()], 1).ok();
    let statement = opened
        .and_then(|opened| canonical::decode::<Statement>("certificate", &opened.payload).ok());
    let predicate = statement.map(|statement| statement.predicate);
    Ok(predicate.filter(|one| one.status == "final").map(|predicate| (bytes, predicate)))
}

/// Notes in the journal that there is a certificate, unless it says so.
fn record(
    repository: &Repository,
    certified: &Certified,
    envelope: &[u8],
    plan: &str,
) -> Result<()> {
    let digest = id_of(envelope);
    if digests(repository)?.iter().any(|(_, known)| *known == digest) {
        return Ok(());
    }
    let mut record = Record::new(RecordKind::Erasure);
    record.name = Some(plan.to_owned());
    record.text = Some(certified.status.clone());
    record.body.insert("certificate".into(), digest.into());
    // Without an epoch: the run has fenced off every session that began before it, its own too.
    let (actor, now) = (repository.author()?, repository.now());
    let mut changeset = Changeset::new(&actor, now, "erase-certify", &plan[..16]);
    changeset.changes.push(Change::Recorded { record });
    repository.catalogue.apply(&changeset)?;
    Ok(())
}

/// The plans that have certificates, and the hashes of these, oldest first.
pub(super) fn digests(repository: &Repository) -> Result<Vec<(String, String)>> {
    let filter = RecordFilter { kind: Some(RecordKind::Erasure), ..RecordFilter::default() };
    let rows = repository.catalogue.records(&filter)?;
    let each = rows.into_iter().filter_map(|row| {
        let digest = row.record.body.get("certificate")?.as_str()?.to_owned();
        Some((row.record.name?, digest))
    });
    Ok(each.collect())
}

fn statement(
    repository: &Repository,
    public: &PublicKey,
    plan: &Plan,
    job: &Job,
    evidence: &Evidence,
    erased: Erased,
) -> Result<Statement> {
    let (subject, deleted) = commitments(plan, job);
    let held = holders(repository, plan, &attested(repository, &job.plan)?, evidence)?;
    let is_final = held.iter().all(|holder| holder.status != "unconfirmed");
    let (number, previous) = place_in_row(repository, &job.plan)?;
    let person =
        Person { name: repository.author()?.to_string(), key: Some(public.id().to_string()) };
    let head = repository.catalogue.journal_head()?;
    let predicate = Predicate {
        schema: 1,
        number,
        plan: job.plan.clone(),
        store: plan.store.clone(),
        status: if is_final { "final" } else { "pending" }.into(),
        tool: tool(),
        reason: plan.reason.clone(),
        basis: plan.basis.clone(),
        request: plan.request.clone(),
        requester: Person { name: plan.requester.clone(), key: None },
        approvals_needed: plan.approvals,
        approvers: approved_by(repository, job, plan)?,
        executor: person.clone(),
        verifier: person,
        planned: plan.time,
        phases: job.phases.clone(),
        issued: repository.now(),
        scope: plan.selector.dataset.as_ref().map(|name| name.as_str().to_owned()),
        selectors: selectors(plan),
        versions: plan.found.versions.clone(),
        kept_for: Some(kept_for(repository, plan)?),
        counts: counts(plan, &deleted, erased),
        not_proven: not_proven(plan, job, evidence, &held),
        deleted,
        residue: residue(evidence),
        holders: held,
        tests: tests(job, evidence),
        downstream: concerned(plan),
        previous,
        journal: AsOf { number: head.number, hash: head.hash },
    };
    Ok(Statement { kind: STATEMENT.into(), subject, predicate_type: PREDICATE.into(), predicate })
}

/// Salted commitments to the files, one by one, and to all files and chunks.
fn commitments(plan: &Plan, job: &Job) -> (Vec<Subject>, Deleted) {
    let salt = job.salt();
    let targets = plan.found.targets.iter();
    let files: Vec<_> = targets.map(|one| salt.commit("file", one.file.as_bytes())).collect();
    let chunks = job.keys().into_iter().filter(|key| key.kind == Kind::Chunk);
    let chunks: Vec<_> = chunks.map(|key| salt.commit("chunk", &key.id)).collect();
    let subject = files.iter().enumerate().map(|(number, leaf)| Subject {
        name: format!("erased-{}", number + 1),
        digest: Digest { salted: hex(leaf) },
    });
    let subject = subject.collect();
    let deleted = Deleted {
        scheme: SCHEME.into(),
        files: Set { count: files.len() as u64, root: hex(&root_of(files)) },
        chunks: Set { count: chunks.len() as u64, root: hex(&root_of(chunks)) },
    };
    (subject, deleted)
}

/// How many versions there are.
pub(super) fn all_versions(repository: &Repository) -> Result<usize> {
    Ok(repository.catalogue.all_version_ids()?.len())
}

fn selectors(plan: &Plan) -> u64 {
    let one = &plan.selector;
    (one.paths.len() + one.files.len() + usize::from(one.records.is_some())) as u64
}

/// The versions that list files which have chunks of what went.
fn kept_for(repository: &Repository, plan: &Plan) -> Result<Vec<TouchedVersion>> {
    let sharers = plan.found.chunks.sharers.iter().map(|one| one.file).collect();
    listing_any(repository, &Scope::of(repository)?, &sharers)
}

fn concerned(plan: &Plan) -> Vec<Concerned> {
    let touched: BTreeSet<String> =
        plan.found.versions.iter().map(|one| one.version.to_hex()).collect();
    let each = plan.found.downstream.iter().map(|one| {
        let is_touched = one.kind == "version" && touched.contains(&one.name);
        let status = if is_touched { "erased" } else { "out of control" };
        let (kind, name, used) = (one.kind.clone(), one.name.clone(), one.used);
        Concerned { kind, name, used, status: Some(status.to_owned()) }
    });
    each.collect()
}

fn counts(plan: &Plan, deleted: &Deleted, erased: Erased) -> Counts {
    Counts {
        files: erased.files,
        records: erased.records,
        chunks_exclusive: deleted.chunks.count,
        chunks_shared: plan.found.chunks.shared,
        bytes: Bytes { freed: erased.bytes, ..plan.found.bytes },
        packs: Some(PackCounts {
            dropped: erased.packs_dropped,
            rewritten: erased.packs_rewritten,
        }),
    }
}

/// The so-manieth certificate of the store it is, and the hash of the one before.
fn place_in_row(repository: &Repository, plan: &str) -> Result<(u64, Option<String>)> {
    let mut others = digests(repository)?;
    others.retain(|(known, _)| known != plan);
    let plans: BTreeSet<&String> = others.iter().map(|(name, _)| name).collect();
    let previous = others.last().map(|(_, digest)| digest.clone());
    Ok((plans.len() as u64 + 1, previous))
}

fn tool() -> Tool {
    let program = std::env::current_exe().ok();
    let binary = program.and_then(|path| super::residue::hash(&path).ok());
    Tool {
        name: "stem".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        binary: binary.map(|id| id.to_hex()),
    }
}

/// The approvals that counted when the run began.
fn approved_by(repository: &Repository, job: &Job, plan: &Plan) -> Result<Vec<ApprovedBy>> {
    let began = job.phases.first().map_or(repository.now(), |phase| phase.start);
    let found = approvals(repository, &job.plan, plan, began)?;
    let each = found.into_iter().map(|one| ApprovedBy {
        public: one.trusted.public.to_line(""),
        name: one.by,
        envelope: one.envelope,
    });
    Ok(each.collect())
}

fn tests(job: &Job, evidence: &Evidence) -> Tests {
    Tests {
        frames_read: evidence.frames,
        bytes_read: evidence.bytes,
        canary_windows: evidence.windows,
        chunks_without_window: job.unwatched,
        canary_hits: evidence.found.len() as u64,
        readd_refused: evidence.readd_refused,
        retained_versions: evidence.versions,
        retained_files: evidence.retained_files,
        device_bytes: evidence.device_bytes,
    }
}

fn residue(evidence: &Evidence) -> Vec<Residue> {
    let row = |(kind, action): &(&str, &str)| {
        let (found, looked_at) = evidence.kinds.get(kind).copied().unwrap_or_default();
        Residue { kind: (*kind).to_owned(), action: (*action).to_owned(), looked_at, found }
    };
    TABLE.iter().map(row).collect()
}

/// What each holder was brought to, and how; never more than what is known.
fn holders(
    repository: &Repository,
    plan: &Plan,
    attested: &BTreeMap<String, String>,
    evidence: &Evidence,
) -> Result<Vec<Held>> {
    let held = |holder: &Holder, level: Option<&str>, method: String| Held {
        kind: holder.kind.clone(),
        place: holder.place.clone(),
        level: level.map(str::to_owned),
        method,
        status: if level.is_some() { "confirmed" } else { "unconfirmed" }.into(),
    };
    let mut all = Vec::new();
    for holder in &plan.holders {
        let ground = Ground::of(holder.place.as_ref());
        let place = Path::new(&holder.place);
        let absent = || evidence.absent_worktrees.iter().any(|top| top == place);
        all.push(match holder.kind.as_str() {
            "store" => {
                let (level, method) = store_level(repository, &ground, evidence)?;
                held(holder, Some(level), method)
            }
            "worktree" if absent() => absence(holder, attested, held),
            "worktree" => {
                let mine = evidence.reported.iter().any(|text| text.contains(&holder.place));
                match mine {
                    true => held(holder, None, "files of it hold a part of the content".into()),
                    // A user's programs write copies as they please, so no more is known.
                    false => held(holder, Some("L1"), "every file read again".into()),
                }
            }
            _ => match evidence.archives.get(place) {
                None => absence(holder, attested, held),
                Some(found) if found.is_empty() => {
                    held(holder, Some("L1"), "every file of it read again".into())
                }
                Some(found) => held(holder, None, of_archive(found)),
            },
        });
    }
    Ok(all)
}

/// Something that is not there: nothing can be looked at, so only a person can say more.
fn absence(
    holder: &Holder,
    attested: &BTreeMap<String, String>,
    held: impl Fn(&Holder, Option<&str>, String) -> Held,
) -> Held {
    match attested.get(&holder.place) {
        Some(words) => Held { status: "attested".into(), ..held(holder, None, words.clone()) },
        None => {
            let text = "it is not there: bring it back to be looked into, or say with `stem erase \
                        attest` that it was destroyed";
            held(holder, None, text.into())
        }
    }
}

/// What somebody has to do about an archive, which others may hold for whole.
fn of_archive(found: &[String]) -> String {
    let (shown, more) = (found.iter().take(MOST_SHOWN), found.len().saturating_sub(MOST_SHOWN));
    let shown = shown.cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "it holds {shown}{more}: archive the version again at another place, destroy this one, and \
         say so with `stem erase attest`"
    )
}

/// L2 only where old blocks were overwritten and no earlier pack was let go without that, or where
/// the device itself was looked through.
fn store_level(
    repository: &Repository,
    ground: &Ground,
    evidence: &Evidence,
) -> Result<(&'static str, String)> {
    if evidence.device_hits > 0 {
        let hits = evidence.device_hits;
        return Ok(("L1", format!("everything read again; {hits} windows are left in raw blocks")));
    }
    if evidence.device_bytes.is_some() {
        return Ok(("L2", "everything read again, and the raw device looked through".into()));
    }
    let kind = &ground.kind;
    if !ground.overwrites {
        return Ok(("L1", format!("everything read again; {kind} does not overwrite in place")));
    }
    let mut before = repository.catalogue.packs(PackState::Tombstone)?;
    let erasures = erasure_epochs(repository)?;
    before.retain(|row| {
        row.pack.kind == crate::catalogue::PackKind::Data
            && row.condemned_epoch.is_none_or(|epoch| !erasures.contains(&epoch))
    });
    Ok(match before.len() {
        0 => ("L2", format!("everything read again; old packs overwritten in place ({kind})")),
        some => (
            "L1",
            format!(
                "everything read again; old packs overwritten in place ({kind}), but {some} packs \
                 were merged or collected before, and their blocks were not"
            ),
        ),
    })
}

/// The epochs in which packs were condemned for an erasure, and so overwritten.
fn erasure_epochs(repository: &Repository) -> Result<Vec<u64>> {
    let mut epochs = Vec::new();
    let mut first = 1;
    loop {
        let page = repository.catalogue.journal(first, u64::MAX, 4096)?;
        let Some(last) = page.last() else { return Ok(epochs) };
        first = last.number + 1;
        let mine = |action: &str| matches!(action, "erase-freeze" | "erase-condemn");
        for entry in page.iter().filter(|entry| mine(&entry.action)) {
            epochs.extend(entry.changes()?.iter().filter_map(|change| match change {
                Change::PacksCondemned { epoch, .. } => Some(*epoch),
                _ => None,
            }));
        }
    }
}

fn not_proven(plan: &Plan, job: &Job, evidence: &Evidence, held: &[Held]) -> Vec<String> {
    let mut all: Vec<String> = [
        "copies that nobody told this store of: exports, backups, screens, e-mail",
        "what a storage provider keeps below the file system, and blocks that a drive has remapped",
        "models and other things made from the content",
    ]
    .map(str::to_owned)
    .into();
    for holder in held.iter().filter(|holder| holder.status != "confirmed") {
        all.push(format!("{} {}: {}", holder.kind, holder.place, holder.method));
    }
    all.extend(evidence.reported.iter().cloned());
    if plan.found.chunks.shared > 0 {
        let shared = plan.found.chunks.shared;
        let others = match plan.selector.records {
            Some(_) => "the copies without the records, or other files,",
            None => "other files",
        };
        all.push(format!("{shared} chunks stay, because {others} have exactly the same ones"));
    }
    all.extend(plan.found.unproven.iter().cloned());
    if job.unwatched > 0 {
        let few = job.unwatched;
        all.push(format!(
            "{few} chunks are too short or too plain for a window, or hold nothing that stands \
             nowhere else: looked for by hash only"
        ));
    }
    if evidence.device_hits > 0 {
        let hits = evidence.device_hits;
        all.push(format!("{hits} windows of the content were found in the raw device's blocks"));
    }
    if evidence.in_metadata > 0 {
        let windows = evidence.in_metadata;
        all.push(format!(
            "{windows} windows of the content stand in authors, messages or paths of versions, which \
             cannot change"
        ));
    }
    all.extend(evidence.in_journal.words());
    all
}

fn hex(hash: &[u8; 32]) -> String {
    crate::model::ChunkId::from_bytes(*hash).to_hex()
}
