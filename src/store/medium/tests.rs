use std::sync::Arc;

use super::doubles::{Flaw, Flawed, Forgetful, contract};
use super::{Disk, Medium, PACKS, TMP};

#[test]
fn every_medium_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    contract(&Disk::create(directory.path().join("store")).unwrap());
    contract(&Forgetful::new());
    contract(&Flawed::new(Arc::new(Forgetful::new()), Flaw::None));
}

#[test]
fn a_directory_that_is_not_there_is_not_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Disk::open(directory.path().join("nowhere")).list(PACKS).is_err());
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_opened_and_links_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let medium = Disk::create(directory.path()).unwrap();
    drop(medium.create_new("tmp/file").unwrap());
    std::os::unix::fs::symlink("file", directory.path().join("tmp/link")).unwrap();
    std::fs::create_dir(directory.path().join("tmp/directory")).unwrap();
    let fifo = directory.path().join("tmp/fifo");
    assert!(std::process::Command::new("mkfifo").arg(fifo).status().unwrap().success());
    for odd in ["tmp/link", "tmp/fifo", "tmp/directory"] {
        assert!(medium.open(odd).is_err(), "{odd}");
    }
    assert!(medium.open("tmp/file").is_ok());
}

#[test]
fn the_forgetful_medium_forgets_what_was_not_synced() {
    let medium = Forgetful::new();
    let mut file = medium.create_new("tmp/a").unwrap();
    file.append(b"kept").unwrap();
    file.sync().unwrap();
    file.append(b" lost").unwrap();
    assert_eq!(medium.crash(0).content("tmp/a"), None);
    medium.sync_dir(TMP).unwrap();
    assert_eq!(medium.crash(0).content("tmp/a").unwrap(), b"kept");
    assert_eq!(medium.crash(1).content("tmp/a").unwrap(), b"kept lost");
    for seed in 2..50 {
        assert!(medium.crash(seed).content("tmp/a").unwrap().starts_with(b"kept"));
    }
    medium.rename_new("tmp/a", "packs/a").unwrap();
    let after: Vec<_> = (0..50).map(|seed| medium.crash(seed)).collect();
    assert!(after[0].content("packs/a").is_none() && after[0].content("tmp/a").is_some());
    assert!(
        after
            .iter()
            .any(|left| left.content("packs/a").is_some() && left.content("tmp/a").is_some())
    );
    assert!(
        after
            .iter()
            .any(|left| left.content("packs/a").is_none() && left.content("tmp/a").is_none())
    );
}
