//! The proof that an entry stands in the journal, checked by somebody who has nothing else.

use std::process::Command;

use stemmata::ops::audit::check_proof;
use stemmata::sign::{PublicKey, SecretKey};

use crate::place::{Place, put};

/// A proof of entry 3, and the key under it.
fn proof() -> (Place, String, PublicKey) {
    let (place, id) = Place::with_versions(3);
    place.checkpoint("checkpoint");
    let text = place.ok(&["audit", "prove", "3"]);
    let (key, _) = PublicKey::from_line(&place.ok(&["key", "export", &id])).unwrap();
    (place, text, key)
}

#[test]
fn every_entry_under_a_checkpoint_is_proven_and_no_other() {
    let (place, _, key) = proof();
    for number in 1..=8u64 {
        let text = place.ok(&["audit", "prove", &number.to_string()]);
        let checked = check_proof(text.as_bytes(), Some(&key));
        assert!(checked.ok && checked.trusted, "{checked:?}");
        assert_eq!(checked.entry.unwrap().number, number);
        assert_eq!(checked.size, Some(8));
    }
    let said = place.fails(10, &["audit", "prove", "9"]);
    assert!(said.contains("no checkpoint"), "{said}");
    place.fails(10, &["audit", "prove", "10"]);
    place.fails(10, &["audit", "prove", "0"]);
}

#[test]
fn a_proof_that_is_changed_anywhere_proves_nothing() {
    let (_place, text, key) = proof();
    assert!(check_proof(text.as_bytes(), Some(&key)).ok);
    assert!(check_proof(text.as_bytes(), None).ok);
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            for key in [Some(&key), None] {
                let checked = check_proof(&changed, key);
                assert!(!checked.ok && !checked.trusted && checked.problem.is_some());
            }
        }
        let cut = [&bytes[..at], &bytes[at + 1..]].concat();
        assert!(!check_proof(&cut, Some(&key)).ok, "without byte {at}");
        let more = [&bytes[..at], b" ", &bytes[at..]].concat();
        assert!(!check_proof(&more, Some(&key)).ok, "with a space at byte {at}");
    }
}

#[test]
fn parts_of_two_proofs_do_not_make_a_third() {
    let (place, text, key) = proof();
    let other = place.ok(&["audit", "prove", "4"]);
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for field in ["entry", "path"] {
        let mut mixed = parse(&text);
        mixed[field] = parse(&other)[field].clone();
        assert!(!check_proof(format!("{mixed}\n").as_bytes(), Some(&key)).ok, "{field}");
    }
    let stranger = SecretKey::from_seed(&[1; 32]).public();
    let checked = check_proof(text.as_bytes(), Some(&stranger));
    assert!(checked.problem.unwrap().contains("another key"));
}

#[test]
fn a_proof_is_checked_without_a_repository() {
    let (place, text, key) = proof();
    let elsewhere = tempfile::tempdir().unwrap();
    put(&elsewhere.path().join("proof"), text.as_bytes());
    put(&elsewhere.path().join("key"), key.to_line("").as_bytes());
    drop(place);
    let check = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stem"));
        command.args(["audit", "check-proof", "proof"]).args(more);
        let output = command.env_clear().current_dir(elsewhere.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    };
    assert_eq!(check(&["--key", "key"]), (0, String::new()));
    let (exit, said) = check(&[]);
    assert!(exit == 0 && said.contains("--key"), "{said}");
    assert_eq!(check(&["--key", &SecretKey::from_seed(&[1; 32]).public().to_line("")]).0, 1);
    assert_eq!(check(&["--key", "nowhere"]).0, 10);
    assert_eq!(check(&["--key", "proof"]).0, 12);
    put(&elsewhere.path().join("proof"), b"{}");
    assert_eq!(check(&["--key", "key"]).0, 1);
}
