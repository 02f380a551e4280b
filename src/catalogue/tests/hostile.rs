//! Files that are not what they should be: refused, unchanged, and told apart.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::journal::shell;
use super::*;

fn lay(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

fn refused(directory: &TempDir) -> Error {
    let path = directory.path().join("catalogue.db");
    let before = fs::read(&path).ok();
    let error = Catalogue::open(&path).unwrap_err();
    assert_eq!(fs::read(&path).ok(), before, "a refused file is not written to: {error}");
    error
}

#[test]
fn what_is_not_a_database_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalogue.db");
    assert!(matches!(refused(&directory), Error::Missing { .. }));
    let noise: Vec<u8> =
        (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    for bytes in [&b""[..], b"x", b"SQLite format 3\0", &noise, &[0; 5000]] {
        lay(&path, bytes);
        let error = refused(&directory);
        assert!(matches!(error, Error::NotACatalogue { .. }), "{}: {error}", bytes.len());
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(&directory), Error::NotACatalogue { .. }));
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalogue.db");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    assert!(matches!(Catalogue::open(&path), Err(Error::NotACatalogue { .. })));
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    lay(&directory.path().join("catalogue.db"), b"");
    shell(&directory, "CREATE TABLE t (x); PRAGMA application_id = 42; PRAGMA user_version = 1");
    let error = refused(&directory);
    assert!(error.to_string().contains("42"), "{error}");
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = place().close();
    shell(&directory, "PRAGMA user_version = 1000");
    assert!(
        matches!(refused(&directory), Error::Newer { found: 1000, known, .. } if known == open::SCHEMA)
    );
}

#[test]
fn planted_triggers_and_views_are_refused() {
    for text in [
        "CREATE TRIGGER evil AFTER INSERT ON journal BEGIN DELETE FROM ref; END",
        "CREATE VIEW evil AS SELECT * FROM ref",
    ] {
        let directory = place().close();
        shell(&directory, text);
        let error = refused(&directory);
        assert!(matches!(error, Error::Planted { .. }), "{error}");
        assert!(error.to_string().contains("evil"), "{error}");
    }
}

#[test]
fn a_catalogue_is_not_made_over_something() {
    let place = place();
    assert!(matches!(Catalogue::create(&place.path()), Err(Error::Exists { .. })));
    #[cfg(unix)]
    {
        let link = place.directory.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(matches!(Catalogue::create(&link), Err(Error::Exists { .. })));
    }
    let absent = place.directory.path().join("absent/catalogue.db");
    assert!(matches!(Catalogue::create(&absent), Err(Error::Io { .. })));
}

#[test]
fn making_a_catalogue_leaves_nothing_else_behind() {
    let directory = place().close();
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["catalogue.db"]);
}

#[test]
fn a_closed_catalogue_is_one_file_that_opens_without_its_log() {
    let (place, ids) = with_versions(3);
    let directory = place.close();
    assert!(!directory.path().join("catalogue.db-wal").exists());
    let catalogue = Catalogue::open(&directory.path().join("catalogue.db")).unwrap();
    assert_eq!(catalogue.all_versions().unwrap().len(), ids.len());
}

#[test]
fn the_log_of_another_database_is_not_believed() {
    let (other, _) = with_versions(5);
    let log = fs::read(other.directory.path().join("catalogue.db-wal")).unwrap();
    assert!(!log.is_empty());
    let (place, ids) = with_versions(2);
    let directory = place.close();
    let path = directory.path().join("catalogue.db");
    // SQLite takes a log by its salts, which a checkpoint has changed; noise has none at all.
    for bytes in [b"noise".repeat(1000), log[..log.len() / 2 + 13].to_vec()] {
        lay(&directory.path().join("catalogue.db-wal"), &bytes);
        match Catalogue::open(&path) {
            Ok(catalogue) => {
                let report = catalogue.verify_journal();
                let versions = catalogue.all_versions();
                let sound = versions.is_ok_and(|rows| rows.len() >= ids.len());
                assert!(sound || report.is_err() || !report.unwrap().is_ok());
            }
            Err(error) => assert!(!matches!(error, Error::Missing { .. })),
        }
    }
}

#[test]
fn a_catalogue_opened_for_reading_cannot_be_changed() {
    let (place, ids) = with_versions(2);
    let path = place.path();
    let reader = Catalogue::open_read_only(&path).unwrap();
    assert_eq!(reader.all_versions().unwrap().len(), 2);
    let (_, changeset) = commit("third", ids.last().copied());
    assert!(matches!(reader.apply(&changeset), Err(Error::ReadOnly { .. })));
    place.catalogue.apply(&changeset).unwrap();
    assert_eq!(reader.all_versions().unwrap().len(), 3, "it sees what others write");
}

#[cfg(unix)]
#[test]
fn a_catalogue_in_a_directory_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let (place, _) = with_versions(2);
    let directory = place.close();
    let path = directory.path().join("catalogue.db");
    let set =
        |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set(&path, 0o444);
    set(directory.path(), 0o555);
    let opened = Catalogue::open(&path).map(|catalogue| {
        assert_eq!(catalogue.all_versions().unwrap().len(), 2);
        catalogue.is_writable()
    });
    set(directory.path(), 0o755);
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(opened.unwrap(), is_root);
}

#[test]
fn a_file_deleted_while_open_does_no_harm() {
    let (place, ids) = with_versions(1);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(place.directory.path().join(format!("catalogue.db{suffix}")));
    }
    let (_, changeset) = commit("second", ids.last().copied());
    let _ = place.catalogue.apply(&changeset);
    assert!(matches!(Catalogue::open(&place.path()), Err(Error::Missing { .. })));
}

#[test]
fn damage_is_reported_and_never_a_panic() {
    let (place, _) = with_versions(4);
    let directory = place.close();
    let path = directory.path().join("catalogue.db");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(911) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        lay(&path, &bytes);
        let _ = fs::remove_file(directory.path().join("catalogue.db-wal"));
        let _ = fs::remove_file(directory.path().join("catalogue.db-shm"));
        if let Ok(catalogue) = Catalogue::open(&path) {
            let _ = (catalogue.verify_journal(), catalogue.all_versions(), catalogue.all_refs());
            let _ = catalogue.session_view();
        }
    }
    for length in (0..whole.len()).step_by(4999) {
        lay(&path, &whole[..length]);
        if let Ok(catalogue) = Catalogue::open(&path) {
            let _ = (catalogue.verify_journal(), catalogue.all_versions());
        }
    }
}

#[test]
fn file_systems_that_are_not_safe_are_known_by_their_number() {
    use super::super::platform::unsafe_kind;
    assert_eq!(unsafe_kind(0x6969), Some("NFS"));
    assert_eq!(unsafe_kind(0xff53_4d42), Some("SMB"));
    assert_eq!(unsafe_kind(0x6573_5546), Some("FUSE"));
    for safe in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994] {
        assert_eq!(unsafe_kind(safe), None);
    }
}

#[test]
fn every_connection_has_the_settings_that_keep_data() {
    use sqlx::Row;
    let place = place();
    let values = place.catalogue.run(async |connection| {
        let mut values = Vec::new();
        for text in [
            "PRAGMA journal_mode",
            "PRAGMA synchronous",
            "PRAGMA secure_delete",
            "PRAGMA foreign_keys",
            "PRAGMA trusted_schema",
            "PRAGMA cell_size_check",
            "PRAGMA busy_timeout",
            "PRAGMA application_id",
            "PRAGMA user_version",
        ] {
            let row = sqlx::raw_sql(text).fetch_one(&mut *connection).await.unwrap();
            values.push(
                row.try_get::<String, _>(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string()),
            );
        }
        Ok(values)
    });
    let schema = open::SCHEMA.to_string();
    let wanted = ["wal", "2", "1", "1", "0", "1", "10000", "1400137069", &schema];
    assert_eq!(values.unwrap(), wanted);
}

#[test]
fn a_chain_of_five_thousand_parents_and_a_cycle_are_walked() {
    let (place, ids) = with_versions(2);
    let (mut last, mut changeset) = (ids[1], changes(vec![]));
    for at in 0..5000 {
        let (id, record) = version(&format!("long {at}"), &[last]);
        changeset.changes.push(Change::VersionAdded { version: id, dataset: None });
        changeset.versions.push((id, record));
        last = id;
    }
    place.catalogue.apply(&changeset).unwrap();
    assert_eq!(place.catalogue.history(&[last]).unwrap().count(), 5002);
    assert_eq!(place.catalogue.merge_bases(&ids[0], &last).unwrap(), [ids[0]]);
    let directory = place.close();
    // Somebody makes the first version a child of the last one.
    shell(
        &directory,
        "INSERT INTO version_parent SELECT v.id, 0, w.id FROM version v, version w
         WHERE v.generation = 1 AND w.generation = 5002",
    );
    let catalogue = Catalogue::open(&directory.path().join("catalogue.db")).unwrap();
    assert_eq!(catalogue.history(&[last]).unwrap().count(), 5002);
    assert!(catalogue.is_ancestor(&ids[0], &last).unwrap());
    catalogue.merge_bases(&ids[0], &last).unwrap();
}
