//! The chain, its copy, and what is found when somebody edits either.

use std::io::Write;

use sqlx::Connection;

use super::*;

/// Runs SQL behind the catalogue's back, as with an SQLite shell.
pub(super) fn shell(directory: &TempDir, text: &'static str) {
    let path = directory.path().join("catalogue.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn open(directory: &TempDir) -> Catalogue {
    Catalogue::open(&directory.path().join("catalogue.db")).unwrap()
}

#[test]
fn the_hash_is_that_of_the_canonical_json_of_the_entry() {
    let (place, _) = with_versions(3);
    for entry in place.catalogue.journal(1, 99, 99).unwrap() {
        let value = serde_json::json!({
            "action": entry.action, "actor": entry.actor, "number": entry.number,
            "detail": serde_json::from_str::<serde_json::Value>(&entry.detail).unwrap(),
            "previous": entry.previous, "subject": entry.subject, "time": entry.time,
        });
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap();
        assert_eq!(blake3::hash(canonical.as_bytes()).to_hex().to_string(), entry.hash);
        let line: serde_json::Value = serde_json::from_str(&entry.to_line()).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&line).unwrap(), entry.to_line());
        assert_eq!(line["hash"], entry.hash);
    }
}

#[test]
fn the_form_of_an_entry_does_not_change() {
    let entry = JournalEntry {
        number: 7,
        time: time(0),
        actor: ada().to_string(),
        action: "commit".into(),
        subject: "corpus:main".into(),
        detail: r#"{"changes":[{"change":"dataset_created","dataset":"corpus"}]}"#.into(),
        previous: "0".repeat(64),
        hash: String::new(),
    };
    assert_eq!(
        entry.computed_hash(),
        "ba8c9611e569cbde1b1e6bdc8f20b01997efd549eb2a5b0d16b61c1b467afd89",
        "a changed form makes every journal wrong"
    );
}

#[test]
fn every_edit_with_a_shell_is_detected_and_the_first_bad_entry_named() {
    let edits: &[(&'static str, u64)] = &[
        ("UPDATE journal SET actor = 'Eve <eve@x>' WHERE number = 4", 4),
        ("UPDATE journal SET action = action || ' ' WHERE number = 1", 1),
        ("UPDATE journal SET subject = '' WHERE number = 2", 2),
        ("UPDATE journal SET time = time + 1 WHERE number = 3", 3),
        ("UPDATE journal SET detail = detail || ' ' WHERE number = 5", 5),
        ("UPDATE journal SET detail = replace(detail, 'main', 'maim') WHERE number = 5", 5),
        ("UPDATE journal SET previous = hash WHERE number = 6", 6),
        ("UPDATE journal SET hash = previous WHERE number = 6", 6),
        ("DELETE FROM journal WHERE number = 1", 1),
        ("DELETE FROM journal WHERE number = 4", 4),
        ("UPDATE journal SET number = 99 WHERE number = 4", 4),
        (
            "UPDATE journal SET number = 99 WHERE number = 4;
             UPDATE journal SET number = 4 WHERE number = 5;
             UPDATE journal SET number = 5 WHERE number = 99",
            4,
        ),
        (
            "INSERT INTO journal SELECT number + 1, time, actor, action, subject, detail, hash, hash
             FROM journal WHERE number = 7",
            8,
        ),
    ];
    for (edit, bad) in edits {
        let (place, _) = with_versions(6);
        let directory = place.close();
        shell(&directory, edit);
        let report = open(&directory).verify_journal().unwrap();
        assert_eq!(report.first_bad.as_ref().map(|(number, _)| number), Some(bad), "{edit}");
        assert_eq!(report.head.number, bad - 1, "{edit}");
    }
}

#[test]
fn the_copy_has_every_entry_and_says_the_same() {
    let (place, _) = with_versions(5);
    let copy = read_copy(&place.catalogue.journal_copy_path()).unwrap();
    assert_eq!(copy, place.catalogue.journal(1, 99, 99).unwrap());
}

#[test]
fn a_copy_that_lacks_its_end_is_completed() {
    let (place, ids) = with_versions(5);
    let path = place.catalogue.journal_copy_path();
    let whole = std::fs::read(&path).unwrap();
    for keep in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(whole.len() as u64).unwrap();
        drop(file);
        rewrite(&path, &whole[..keep]);
        place.catalogue.copy_journal().unwrap();
        let copy = read_copy(&path).unwrap();
        assert_eq!(copy, place.catalogue.journal(1, 99, 99).unwrap(), "kept {keep} bytes");
    }
    std::fs::remove_file(&path).unwrap();
    let (_, changeset) = commit("one more", ids.last().copied());
    assert_eq!(place.catalogue.apply(&changeset).unwrap().copy_problem, None);
    assert_eq!(read_copy(&path).unwrap().len(), 7);
    let zeros = [&whole[..whole.len() - 100], &[0; 4096]].concat();
    rewrite(&path, &zeros);
    place.catalogue.copy_journal().unwrap();
    assert_eq!(read_copy(&path).unwrap().len(), 7, "a tail of zeros is passed over");
}

fn rewrite(path: &std::path::Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_copy_of_another_journal_is_set_aside_and_kept() {
    let (other, _) = with_versions(9);
    let foreign = std::fs::read(other.catalogue.journal_copy_path()).unwrap();
    let (place, ids) = with_versions(2);
    rewrite(&place.catalogue.journal_copy_path(), &foreign);
    let (_, changeset) = commit("one more", ids.last().copied());
    assert_eq!(place.catalogue.apply(&changeset).unwrap().copy_problem, None);
    assert_eq!(read_copy(&place.catalogue.journal_copy_path()).unwrap().len(), 4);
    let kept = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .any(|bytes| bytes == foreign);
    assert!(kept);
}

#[test]
fn a_change_whose_copy_fails_is_kept_and_says_so() {
    let (place, ids) = with_versions(1);
    let path = place.catalogue.journal_copy_path();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (id, changeset) = commit("one more", ids.last().copied());
    let applied = place.catalogue.apply(&changeset).unwrap();
    assert!(applied.copy_problem.is_some());
    assert!(place.catalogue.has_version(&id).unwrap());
}

#[test]
fn a_copy_with_a_changed_line_is_refused() {
    let (place, _) = with_versions(3);
    let path = place.catalogue.journal_copy_path();
    let text = std::fs::read_to_string(&path).unwrap();
    rewrite(&path, text.replacen("version 1", "version 9", 1).as_bytes());
    assert!(matches!(read_copy(&path), Err(Error::BadJournal { number: 3, .. })));
}

#[test]
fn a_replay_refuses_a_wrong_journal_and_a_catalogue_in_use() {
    let (place, _) = with_versions(3);
    let none = |_: &VersionId| Err::<Version, _>("no such object");
    let entries = place.catalogue.journal(1, 99, 99).unwrap();
    let result = place.catalogue.replay(&entries[..1], none);
    assert!(matches!(result, Err(Error::NotEmpty)));
    let empty = super::place();
    let result = empty.catalogue.replay(&entries[1..], none);
    assert!(matches!(result, Err(Error::BadJournal { number: 1, .. })));
    let result = empty.catalogue.replay(&entries, none);
    assert!(matches!(result, Err(Error::Loading { .. })));
    assert_eq!(empty.catalogue.journal_head().unwrap().number, 0);
}

#[test]
fn numbers_that_json_cannot_hold_are_refused_or_kept() {
    let place = place();
    let mut large = pack(1);
    for (bytes, fits) in [(1 << 53, true), ((1 << 53) + 1, false), (u64::MAX, false)] {
        large.name = PackName::random().unwrap();
        large.bytes = bytes;
        let change = Change::PacksAdded { packs: vec![large.clone()] };
        let result = place.catalogue.apply(&changes(vec![change]));
        assert_eq!(result.is_ok(), fits, "{bytes}: {result:?}");
    }
}

fn notes(count: usize) -> Vec<Change> {
    let note = |number: usize| {
        let mut record = crate::model::Record::new(crate::model::RecordKind::Note);
        record.value = Some(number as f64);
        Change::Recorded { record }
    };
    (0..count).map(note).collect()
}

fn differs(catalogue: &Catalogue) -> Option<u64> {
    let mut none = |_: &VersionId| Err("there are no versions".to_owned());
    let (report, found) = catalogue.audit(&mut |_| (), &mut none).unwrap();
    assert!(report.is_ok());
    assert_eq!(found.count > 0, !found.differences.is_empty());
    found.differences.first().map(|first| first.entry.unwrap())
}

/// More records than are compared at once, in one entry and over several.
#[test]
fn records_are_compared_with_the_journal_however_many_there_are() {
    let place = place();
    for count in [3, 4100, 0, 4000, 200] {
        place.catalogue.apply(&changes(notes(count))).unwrap();
    }
    assert_eq!(differs(&place.catalogue), None);
    let directory = place.close();
    let sound = std::fs::read(directory.path().join("catalogue.db")).unwrap();
    let edits: &[(&'static str, u64)] = &[
        ("DELETE FROM record WHERE number = 2 AND ordinal = 4099", 2),
        ("DELETE FROM record WHERE number = 2 AND ordinal = 0", 2),
        ("UPDATE record SET value = -1 WHERE number = 4 AND ordinal = 3999", 4),
        ("DELETE FROM record WHERE number = 5", 5),
        ("UPDATE record SET number = 3 WHERE number = 2 AND ordinal = 4099", 2),
        ("UPDATE record SET number = 6 WHERE number = 5 AND ordinal = 199", 5),
        ("UPDATE record SET ordinal = 99999 WHERE number = 4 AND ordinal = 1", 4),
    ];
    for (edit, bad) in edits {
        shell(&directory, edit);
        assert_eq!(differs(&open(&directory)), Some(*bad), "{edit}");
        rewrite(&directory.path().join("catalogue.db"), &sound);
    }
}

/// Of numbers that are not whole every one is told from the next, and none for another than it is.
#[test]
fn numbers_are_compared_to_the_last_bit() {
    let place = place();
    let odd = [0.1, 1.0 / 3.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, -1.174_523_987_354_377_2e119];
    let mut values: Vec<f64> = odd.into();
    let mut bits = 1_u64;
    while values.len() < 3000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values.extend(Some(f64::from_bits(bits)).filter(|value| value.is_finite()));
    }
    let mut all = notes(values.len() * 2);
    for (change, value) in all.iter_mut().step_by(2).zip(values) {
        let Change::Recorded { record } = change else { continue };
        record.value = Some(value);
    }
    place.catalogue.apply(&changes(all)).unwrap();
    assert_eq!(differs(&place.catalogue), None);
    let directory = place.close();
    shell(&directory, "UPDATE record SET value = 0.10000000000000002 WHERE ordinal = 0");
    assert!(differs(&open(&directory)).is_some());
    shell(&directory, "UPDATE record SET value = 0.1 WHERE ordinal = 0");
    assert_eq!(differs(&open(&directory)), None);
}
