//! How large the certificate of a plan may become: what cannot be opened must not be needed.

use super::plan::Plan;
use crate::sign::dsse;

/// Whatever there is but once.
const FIXED: usize = 64 << 10;
/// A file: a name of up to eight digits and a commitment.
const SUBJECT: usize = 136;
/// A version, and how many paths of it.
const VERSION: usize = 112;
/// A key and an envelope.
const APPROVER: usize = 4 << 10;

/// So many bytes the certificate of a plan has at most, in a store of so many versions.
pub(super) fn most_bytes(plan: &Plan, all_versions: usize) -> u64 {
    let found = &plan.found;
    let texts = [Some(&plan.reason), plan.basis.as_ref(), plan.request.as_ref()];
    let texts = texts.into_iter().flatten().chain(&found.unproven).map(String::len);
    let holders = plan.holders.iter().map(|one| one.place.len() + one.provable.len() + 512);
    let downstream = found.downstream.iter().map(|one| one.name.len() + 256);
    // A character is six bytes at most, escaped.
    let words: usize = texts.chain(holders).chain(downstream).map(|len| len * 6 + 16).sum();
    // Any version may be one because of which chunks are kept, if any are.
    let kept_for = if found.chunks.sharers.is_empty() { 0 } else { all_versions };
    let versions = VERSION * (found.versions.len() + kept_for);
    let payload = FIXED + SUBJECT * found.targets.len() + versions + words;
    let approvers = plan.approvals.saturating_mul(APPROVER as u64);
    (payload as u64).saturating_add(approvers).saturating_mul(4) / 3
}

/// Why there could be no certificate that anybody can open, if so: then nothing may be destroyed.
pub(super) fn too_large(plan: &Plan, all_versions: usize) -> Option<String> {
    let files = plan.found.targets.len();
    let what = format!(
        "its certificate would name {files} files, and be too large to be opened: plan it in parts"
    );
    (most_bytes(plan, all_versions) > dsse::MAX_BYTES as u64).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileId;
    use crate::ops::erase::plan::Target;

    fn plan(files: u32) -> Plan {
        let hash = "0".repeat(64);
        let mut plan: Plan = serde_json::from_value(serde_json::json!({
            "schema": "stem.erase-plan/1", "store": hash, "journal": {"number": 1, "hash": hash},
            "time": "2026-01-01T00:00:00Z", "requester": "A <a@x>", "reason": "r", "basis": null,
            "request": null, "selector": {"paths": ["*"], "files": [], "dataset": null},
            "found": {
                "targets": [], "versions": [], "branches": [], "tags": [], "staged": [],
                "chunks": {"exclusive": 0, "shared": 0, "sharers": []}, "objects": hash,
                "bytes": {"freed": 0, "kept_shared": 0, "content": 0}, "downstream": []
            },
            "packs": {"drop": 0, "rewrite": 0, "scratch_bytes": 0},
            "residue": [], "holders": [], "approvals": 0
        }))
        .unwrap();
        plan.found.targets = (0..files)
            .map(|number| {
                let file = FileId::of(&number.to_le_bytes());
                let (paths, records) = (Vec::new(), None);
                Target { file, size: 1, paths, records, by: None, by_size: None, by_chunks: None }
            })
            .collect();
        plan
    }

    #[test]
    fn what_could_not_be_opened_is_not_begun() {
        assert_eq!(too_large(&plan(300_000), 10_000), None);
        let why = too_large(&plan(500_000), 10_000).unwrap();
        assert!(why.contains("500000 files"), "{why}");
    }
}
