//! After a crash, an error or a lie of the medium.

use super::*;

/// Invariant 1 and 4 of the design, at the store: after a crash at any moment whatever has a pack's
/// name is whole, and what `finish` reported is there. Returns what is wrong.
fn after_crash(medium: &Forgetful, reported: &[PackInfo], seed: u64) -> Option<String> {
    let left = medium.crash(seed);
    let store = small_store(Arc::new(left), reported.to_vec());
    let named = store.list_packs().unwrap().packs;
    let mut checker = store.checker().unwrap();
    for pack in &named {
        match checker.check(*pack) {
            Ok(check) if check.findings.is_empty() => {}
            other => return Some(format!("{pack} is not whole: {other:?}")),
        }
    }
    let lost = reported.iter().find(|pack| !named.contains(&pack.name))?;
    Some(format!("{} was reported and is lost", lost.name))
}

/// Writes with the power failing after every number of changes, and a flaw.
fn try_every_crash(flaw: Flaw) -> Result<u64, String> {
    for calls in 0.. {
        let forgetful = Forgetful::stopping_after(calls);
        let flawed = Flawed::new(Arc::new(forgetful.clone()), flaw);
        let store = small_store(Arc::new(flawed), Vec::new());
        let result = write(&store, 0..20, 5);
        let reported = result.as_deref().unwrap_or_default();
        for seed in 0..12 {
            if let Some(wrong) = after_crash(&forgetful, reported, seed) {
                return Err(wrong);
            }
        }
        if result.is_ok() {
            return Ok(calls);
        }
    }
    unreachable!("the loop ends when everything was written")
}

#[test]
fn after_a_crash_at_any_moment_what_has_a_name_is_whole_and_what_was_reported_is_there() {
    assert!(try_every_crash(Flaw::None).unwrap() > 20);
}

#[test]
fn a_pack_that_is_not_synced_is_caught() {
    assert!(try_every_crash(Flaw::SkipsFileSync).unwrap_err().contains("not whole"));
}

#[test]
fn a_directory_that_is_not_synced_is_caught() {
    assert!(try_every_crash(Flaw::SkipsDirSync).unwrap_err().contains("lost"));
}

#[test]
fn an_error_of_the_medium_at_any_call_ends_the_session() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for number in 0.. {
            let forgetful = Forgetful::new();
            let flaw = Flaw::FailsAt(number, kind);
            let flawed = Arc::new(Flawed::new(Arc::new(forgetful.clone()), flaw));
            let store = small_store(Arc::clone(&flawed) as Arc<dyn Medium>, Vec::new());
            let result = write(&store, 0..20, 5);
            if !flawed.has_failed() {
                assert!(number > 20);
                assert_eq!(result.unwrap().iter().map(|pack| pack.objects).sum::<u32>(), 26);
                break;
            }
            assert!(result.is_err(), "call {number}");
            assert!(forgetful.list(TMP).unwrap().is_empty(), "call {number}");
            assert!(after_crash(&forgetful, &[], 1).is_none());
        }
    }
}

#[test]
fn a_pack_that_a_lying_medium_keeps_is_noticed() {
    let (medium, store) = written(5, 0);
    let packs = store.packs();
    let liar = Flawed::new(Arc::new(medium), Flaw::KeepsRemoved);
    let store = small_store(Arc::new(liar), packs.clone());
    let result = store.remove_pack(packs[0].name);
    assert!(matches!(result, Err(Error::StillPresent { .. })));
}
