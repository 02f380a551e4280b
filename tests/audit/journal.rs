//! Whatever is done to the journal with a shell on the database, `audit verify` finds it.

use stemmata::catalogue::{Catalogue, JournalEntry};

use crate::place::{Place, shell};

/// What an edit leaves: its SQL, and the first entry that is wrong then. There are 9 entries and a
/// checkpoint of 8 of them.
const EDITS: &[(&str, u64)] = &[
    ("UPDATE journal SET actor = 'Eve <eve@x>' WHERE number = 4", 4),
    ("UPDATE journal SET action = 'Commit' WHERE number = 5", 5),
    ("UPDATE journal SET subject = subject || ' ' WHERE number = 2", 2),
    ("UPDATE journal SET time = time + 1 WHERE number = 3", 3),
    ("UPDATE journal SET time = 9000000000000000 WHERE number = 3", 3),
    ("UPDATE journal SET detail = detail || ' ' WHERE number = 5", 5),
    ("UPDATE journal SET detail = replace(detail, 'number', 'nümber') WHERE number = 6", 6),
    ("UPDATE journal SET detail = '{}' WHERE number = 1", 1),
    ("UPDATE journal SET previous = hash WHERE number = 6", 6),
    ("UPDATE journal SET hash = previous WHERE number = 6", 6),
    ("UPDATE journal SET hash = upper(hash) WHERE number = 7", 7),
    ("UPDATE journal SET hash = '' WHERE number = 9", 9),
    ("DELETE FROM journal WHERE number = 1", 1),
    ("DELETE FROM journal WHERE number = 4", 4),
    ("DELETE FROM journal WHERE number BETWEEN 3 AND 8", 3),
    ("DELETE FROM journal", 1),
    ("UPDATE journal SET number = 99 WHERE number = 4", 4),
    ("UPDATE journal SET number = 99 WHERE number = 9", 9),
    (
        "UPDATE journal SET number = 99 WHERE number = 4;
         UPDATE journal SET number = 4 WHERE number = 5;
         UPDATE journal SET number = 5 WHERE number = 99",
        4,
    ),
    (
        "INSERT INTO journal SELECT 10, time, actor, action, subject, detail, hash, hash
         FROM journal WHERE number = 9",
        10,
    ),
    (
        "INSERT INTO journal SELECT 10, time, actor, action, subject, detail, previous, hash
         FROM journal WHERE number = 9",
        10,
    ),
    (
        "INSERT INTO journal SELECT -1, time, actor, action, subject, detail, previous, hash
         FROM journal WHERE number = 9",
        10,
    ),
];

#[test]
fn every_edit_with_a_shell_is_found_and_the_first_bad_entry_named() {
    let (place, _) = Place::with_versions(3);
    place.checkpoint("checkpoint");
    let database = place.store().join("catalogue.db");
    let sound = std::fs::read(&database).unwrap();
    let (exit, report) = place.json(&["audit", "verify"]);
    assert_eq!((exit, &report["ok"], &report["entries"]), (0, &true.into(), &9.into()));
    assert_eq!(report["first_bad"], serde_json::Value::Null);
    for (edit, bad) in EDITS {
        place.shell(edit);
        let (exit, report) = place.json(&["audit", "verify"]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(*bad)), "{edit}: {report}");
        assert_eq!(report["ok"], false, "{edit}");
        let text = String::from_utf8(place.run(&["audit", "verify"]).stdout).unwrap();
        assert!(text.starts_with(&format!("Entry {bad} is wrong: ")), "{edit}: {text}");
        place.fails(13, &["audit", "checkpoint"]);
        crate::place::put(&database, &sound);
    }
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
}

/// Whom the store trusts and who has signed what is read from a table of its own: it must say what
/// the journal says.
#[test]
fn a_record_that_is_not_the_journals_is_found() {
    let (place, _) = Place::with_versions(1);
    place.ok(&["config", "set", "commit.sign", "true"]);
    place.commit("signed");
    place.checkpoint("checkpoint");
    let database = place.store().join("catalogue.db");
    let sound = std::fs::read(&database).unwrap();
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
    let copy =
        "SELECT 3, 0, kind, dataset, version, path, file, name, value, text, body, time, actor
                FROM record WHERE number = 2";
    let inserted = format!("INSERT INTO record {copy}");
    let edits: &[(&str, u64)] = &[
        ("UPDATE record SET name = '0000000000000000' WHERE number = 2", 2),
        ("UPDATE record SET actor = 'Eve <eve@x>' WHERE number = 2", 2),
        ("UPDATE record SET time = time - 1 WHERE number = 2", 2),
        ("UPDATE record SET body = replace(body, 'author', 'approver') WHERE number = 2", 2),
        ("UPDATE record SET ordinal = 7 WHERE number = 2", 2),
        ("UPDATE record SET number = 99 WHERE number = 2", 2),
        ("UPDATE record SET number = 99 WHERE number = 7", 7),
        ("UPDATE record SET text = 'x' WHERE number = 6", 6),
        ("UPDATE record SET version = NULL WHERE number = 6", 6),
        ("DELETE FROM record WHERE number = 6", 6),
        ("DELETE FROM record", 2),
        (&inserted, 3),
    ];
    for (edit, bad) in edits {
        place.shell(edit);
        let (exit, report) = place.json(&["audit", "verify"]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(*bad)), "{edit}: {report}");
        crate::place::put(&database, &sound);
    }
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
}

/// What a shell does to any table that the journal makes, the entry that it is not as then, and a part
/// of what is said. The journal: 1 init, 2 key, 3 add, 4 and 5 commits, 6 tag, 7 metric, 8 consumer,
/// 9 step.
const TABLES: &[(&str, Option<u64>, &str)] = &[
    (
        "UPDATE ref SET version = (SELECT parent FROM version_parent) WHERE kind = 'branch'",
        Some(5),
        "branch `main` of dataset `work` is ",
    ),
    (
        "UPDATE ref SET version = (SELECT parent FROM version_parent) WHERE kind = 'tag'",
        Some(6),
        "tag `v1` of dataset `work` is ",
    ),
    ("UPDATE ref SET message = 'x' WHERE kind = 'tag'", Some(6), "tag `v1`"),
    ("DELETE FROM ref WHERE kind = 'tag'", Some(6), "tag `v1` of dataset `work` is gone"),
    (
        "INSERT INTO ref (dataset, kind, name, version)
         SELECT dataset, 'branch', 'planted', version FROM ref WHERE kind = 'tag'",
        None,
        "branch `planted` of dataset `work` is there, and no entry",
    ),
    ("UPDATE ref_log SET new_version = old_version WHERE number = 5", Some(5), "log of branches"),
    ("DELETE FROM ref_log WHERE number = 6", Some(6), "log of branches"),
    ("UPDATE ref_log SET number = 3 WHERE number = 4", Some(3), "log of branches"),
    ("INSERT INTO dataset VALUES ('other', 0)", None, "dataset `other`"),
    ("UPDATE dataset SET created_at = 0", Some(1), "dataset `work`"),
    ("UPDATE pack SET state = 'tombstone' WHERE rowid = 1", Some(3), "is tombstone and not live"),
    ("UPDATE pack SET bytes = bytes + 1 WHERE rowid = 1", Some(3), "pack "),
    ("DELETE FROM pack WHERE rowid = 1", Some(3), "is gone"),
    ("UPDATE store_root SET epoch = 7", None, "the epoch of the store"),
    ("UPDATE worktree SET path = '/tmp/elsewhere'", Some(5), "the worktree at "),
    ("UPDATE worktree SET generation = 99", Some(5), "the worktree at "),
    (
        "INSERT INTO presence VALUES (printf('%064d', 1), 'erased', 4, 'c', NULL, NULL, NULL, 3)",
        None,
        "the presence of file 0000",
    ),
    (
        "INSERT INTO imported SELECT 'git', 'x', id FROM version WHERE generation = 1",
        None,
        "imported from git",
    ),
    ("UPDATE version SET message = 'another' WHERE generation = 2", Some(5), "version "),
    ("UPDATE version SET author_name = 'Eve' WHERE generation = 1", Some(4), "version "),
    ("UPDATE version SET dataset = NULL WHERE generation = 2", Some(5), "version "),
    ("UPDATE version SET number = 3 WHERE generation = 2", Some(5), "version "),
    ("UPDATE version SET generation = 9 WHERE generation = 2", Some(5), "version "),
    ("DELETE FROM version_parent", Some(5), "the parents of version "),
    ("UPDATE source SET licence = 'CC0-1.0'", Some(5), "the sources of version "),
    ("DELETE FROM source", Some(5), "the sources of version "),
    (
        "INSERT INTO source (version, number, ordinal, uri)
         SELECT version, 0, 9, 'https://example.org/x' FROM source",
        Some(5),
        "the sources of version ",
    ),
    ("INSERT INTO source (version, number, ordinal, uri) VALUES ('zz', 0, 0, 'x:y')", None, "zz"),
    ("INSERT INTO source (version, number, ordinal, uri) VALUES ('', 4, 0, 'x:y')", Some(4), ""),
    ("UPDATE metric SET value = 0.99 WHERE number = 7", Some(7), "the metrics of version "),
    ("DELETE FROM metric WHERE number = 7", Some(7), "the metrics of version "),
    (
        "UPDATE metric SET actor = 'Eve <eve@x>' WHERE number = 0",
        Some(5),
        "the metrics of version ",
    ),
    ("UPDATE step SET name = 'other' WHERE number = 9", Some(9), "the steps of version "),
    ("DELETE FROM derivation", Some(9), "the origins of version "),
    ("UPDATE consumer SET uri = 'https://example.org/other'", Some(8), "consumer `m`"),
    ("DELETE FROM consumer", Some(8), "consumer `m` is gone"),
    ("DELETE FROM consumer_use", Some(8), "what consumers used"),
    ("UPDATE consumer_use SET role = 'reward'", Some(8), "what consumers used"),
];

/// A branch that was moved with a shell, a figure that was bettered, a consumer that is gone.
#[test]
fn a_table_that_is_not_the_journals_is_found_and_named() {
    let (place, _) = Place::with_versions(1);
    place.ok(&["config", "set", "commit.sign", "false"]);
    let origin = ["--source=uri=https://example.org/raw,licence=MIT", "--metric=rows=2"];
    let words = [&["commit", "-q", "--allow-empty", "-m", "two"][..], &origin].concat();
    place.ok(&["add", "-A"]);
    place.ok(&words);
    place.ok(&["tag", "v1", "-m", "first"]);
    place.ok(&["metric", "set", "HEAD", "accuracy=1"]);
    let used = ["--kind", "model", "--used", "work@v1=train", "--uri", "https://example.org/m"];
    place.ok(&[&["consumer", "add", "m"][..], &used].concat());
    place.ok(&["step", "add", "HEAD", "--name", "clean", "--input", "HEAD~1"]);
    let database = place.store().join("catalogue.db");
    let sound = std::fs::read(&database).unwrap();
    let (exit, report) = place.json(&["audit", "verify"]);
    assert_eq!((exit, &report["tables"]["count"]), (0, &0.into()), "{report}");
    for (edit, entry, part) in TABLES {
        place.shell(edit);
        let (exit, report) = place.json(&["audit", "verify"]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, *entry), "{edit}: {report}");
        let first = &report["tables"]["differences"][0];
        assert_eq!(first["entry"].as_u64(), *entry, "{edit}: {report}");
        let text = String::from_utf8(place.run(&["audit", "verify"]).stdout).unwrap();
        let told = first["what"].as_str().unwrap();
        assert!(
            text.contains("not what the journal says") && text.contains(told),
            "{edit}: {text}"
        );
        assert!(report["problem"].as_str().unwrap().contains(part), "{edit}: {report}");
        place.fails(13, &["audit", "checkpoint"]);
        crate::place::put(&database, &sound);
    }
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
}

/// A clock that lies changes nothing in the order of the journal; who reads it is told.
#[test]
fn a_clock_that_lies_is_told_of() {
    let (place, _) = Place::with_versions(1);
    let (exit, report) = place.json(&["audit", "verify"]);
    assert_eq!((exit, &report["odd_times"]), (0, &serde_json::Value::Null), "{report}");
    let note = |clock: &str| {
        let mut command = place.command(&["note", "add", "HEAD", "seen"]);
        command.env("SOURCE_DATE_EPOCH", clock).output().unwrap().status.code()
    };
    let entries = report["entries"].as_u64().unwrap();
    // 2096, then today, then half a day back, which clocks may differ by, and 1969.
    for clock in ["4000000000", "1795443000", "1795400000", "-5"] {
        assert_eq!(note(clock), Some(0), "{clock}");
    }
    for clock in ["soon", "99999999999999", "-99999999999999", "1e9"] {
        assert_eq!(note(clock), Some(2), "{clock}");
    }
    let (exit, report) = place.json(&["audit", "verify"]);
    assert_eq!((exit, &report["ok"]), (0, &true.into()), "{report}");
    assert_eq!(report["entries"], entries + 4, "{report}");
    assert_eq!(report["odd_times"]["first"], entries + 1, "{report}");
    assert_eq!(report["odd_times"]["count"], 3, "{report}");
    let text = place.ok(&["audit", "verify"]);
    assert!(text.contains(&format!("A clock was wrong: entry {} is", entries + 1)), "{text}");
    assert!(text.contains(", and 2 more are"), "{text}");
}

/// Any one byte of any text of any entry, and any number.
#[test]
fn no_single_change_goes_unnoticed() {
    let (place, _) = Place::with_versions(2);
    let database = place.store().join("catalogue.db");
    let entries = Catalogue::open(&database).unwrap().journal(1, 99, 99).unwrap();
    let sound = std::fs::read(&database).unwrap();
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..150 {
        let entry = &entries[random(entries.len())];
        let texts = [
            ("actor", &entry.actor),
            ("action", &entry.action),
            ("subject", &entry.subject),
            ("detail", &entry.detail),
            ("previous", &entry.previous),
            ("hash", &entry.hash),
        ];
        let (column, text) = texts[random(texts.len())];
        let mut changed: Vec<char> = text.chars().collect();
        let at = random(changed.len());
        changed[at] = char::from(b'!' + random(90) as u8);
        let changed: String = changed.into_iter().collect();
        if changed == *text {
            continue;
        }
        let value = changed.replace('\'', "''");
        let number = entry.number;
        shell(
            &database,
            &format!("UPDATE journal SET {column} = '{value}' WHERE number = {number}"),
        );
        let report = Catalogue::open(&database).unwrap().verify_journal().unwrap();
        let first = report.first_bad.map(|(number, _)| number);
        assert_eq!(first, Some(number), "{column}: {text} became {changed}");
        crate::place::put(&database, &sound);
    }
}

/// The end was cut off, with everything that the database itself says of it.
fn cut(place: &Place, last: u64) {
    place.shell(&format!(
        "DELETE FROM journal WHERE number > {last}; DELETE FROM record WHERE number > {last};
         DELETE FROM ref_log WHERE number > {last}"
    ));
}

#[test]
fn a_cut_end_shows_against_any_checkpoint() {
    let (place, _) = Place::with_versions(3);
    let noted = place.checkpoint("checkpoint");
    place.commit("one more");
    for last in [0, 1, 2, 5, 7] {
        let (again, _) = Place::with_versions(3);
        let given = again.checkpoint("checkpoint");
        cut(&again, last);
        // By the file beside the catalogue.
        let (exit, report) = again.json(&["audit", "verify"]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(last + 1)), "{report}");
        // By the copy of the journal alone.
        std::fs::remove_dir_all(again.store().join("checkpoints")).unwrap();
        let (exit, report) = again.json(&["audit", "verify"]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(last + 1)), "{report}");
        // By a checkpoint that was kept elsewhere alone.
        std::fs::remove_file(again.store().join("journal.jsonl")).unwrap();
        let (exit, report) = again.json(&["audit", "verify", "--checkpoint", &given]);
        assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(last + 1)), "{report}");
    }
    // What was added after the checkpoint can be cut off so that the checkpoint still holds; the tables
    // tell of it then. Only who puts every one of them back as it was goes unseen, as
    // docs/catalogue.md says.
    let database = place.store().join("catalogue.db");
    place.shell("PRAGMA wal_checkpoint(TRUNCATE)");
    let before = std::fs::read(&database).unwrap();
    place.commit("another");
    cut(&place, 10);
    std::fs::remove_file(place.store().join("journal.jsonl")).unwrap();
    let (exit, report) = place.json(&["audit", "verify", "--checkpoint", &noted]);
    assert_eq!((exit, &report["checkpoints"][0]["ok"]), (1, &true.into()), "{report}");
    let named: Vec<_> = report["tables"]["differences"].as_array().unwrap().iter().collect();
    let branch = named.iter().find(|one| one["what"] == "branch `main` of dataset `work`");
    assert_eq!(branch.unwrap()["entry"], 8, "{report}");
    crate::place::put(&database, &before);
    let (exit, report) = place.json(&["audit", "verify", "--checkpoint", &noted]);
    assert_eq!((exit, &report["ok"]), (0, &true.into()), "{report}");
}

/// Who can write the database can also make the chain fit again. The tree over it does not.
#[test]
fn a_journal_written_anew_shows_against_a_checkpoint() {
    let (place, _) = Place::with_versions(1);
    place.checkpoint("first");
    place.commit("two");
    let second = place.checkpoint("second");
    let database = place.store().join("catalogue.db");
    let entries = Catalogue::open(&database).unwrap().journal(1, 99, 99).unwrap();
    let size = entries.len() as u64 - 1;
    let forged = forge(entries, 7);
    for entry in &forged {
        let JournalEntry { number, actor, previous, hash, .. } = entry;
        shell(
            &database,
            &format!(
                "UPDATE journal SET actor = '{actor}', previous = '{previous}', hash = '{hash}'
                 WHERE number = {number}"
            ),
        );
    }
    assert!(Catalogue::open(&database).unwrap().verify_journal().unwrap().is_ok());
    std::fs::remove_file(place.store().join("journal.jsonl")).unwrap();
    let (exit, report) = place.json(&["audit", "verify"]);
    // The first checkpoint, of 4 entries, holds.
    assert_eq!((exit, report["first_bad"].as_u64()), (1, Some(5)), "{report}");
    assert!(report["problem"].as_str().unwrap().contains(&format!("up to {size}")), "{report}");
    std::fs::remove_dir_all(place.store().join("checkpoints")).unwrap();
    place.shell("DELETE FROM record WHERE kind = 'checkpoint'");
    let (exit, _) = place.json(&["audit", "verify", "--checkpoint", &second]);
    assert_eq!(exit, 1);
}

/// The journal with another actor in entry `from`, and hashes that fit.
fn forge(mut entries: Vec<JournalEntry>, from: u64) -> Vec<JournalEntry> {
    let mut previous = "0".repeat(64);
    for entry in &mut entries {
        if entry.number == from {
            entry.actor = "Eve <eve@example.org>".into();
        }
        entry.previous = previous;
        entry.hash = entry.computed_hash();
        previous = entry.hash.clone();
    }
    entries
}

#[test]
fn a_checkpoint_that_is_none_or_of_a_stranger_does_not_count() {
    let (place, id) = Place::with_versions(1);
    let noted = place.checkpoint("checkpoint");
    let text = std::fs::read_to_string(&noted).unwrap();
    let path = place.path("other").to_str().unwrap().to_owned();
    let verify = |text: &str| {
        crate::place::put(path.as_ref(), text.as_bytes());
        place.json(&["audit", "verify", "--checkpoint", &path]).0
    };
    assert_eq!(verify(&text), 0);
    for (from, to) in [("\n4\n", "\n3\n"), ("stem-journal/", "stem-journal/0"), ("=\n", "\n")] {
        assert_eq!(verify(&text.replacen(from, to, 1)), 1, "{from:?}");
    }
    assert_eq!(verify(""), 1);
    // A stranger's: it says what is true, and nobody has to believe it.
    let (other, stranger) = Place::with_key();
    let key = other.path("keys").join(format!("{stranger}.key"));
    let foreign = place.path("foreign").to_str().unwrap().to_owned();
    place.ok(&["audit", "checkpoint", "-o", &foreign, "--key", key.to_str().unwrap()]);
    let (exit, report) = place.json(&["audit", "verify", "--checkpoint", &foreign]);
    assert_eq!(exit, 1);
    assert!(report["checkpoints"][0]["problem"].as_str().unwrap().contains("custodian"));
    let public = other.ok(&["key", "export", &stranger]);
    let named = ["audit", "verify", "--checkpoint", &foreign, "--key", public.trim()];
    assert_eq!(place.json(&named).0, 0);
    // Once the key is revoked, a checkpoint of it still has to hold, and is not trusted.
    place.ok(&["key", "revoke", &id, "--reason", "lost"]);
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
    assert_eq!(place.json(&["audit", "verify", "--checkpoint", &noted]).0, 1);
}

#[test]
fn a_checkpoint_survives_fsck_rebuild_and_undo() {
    let (place, _) = Place::with_versions(2);
    let noted = place.checkpoint("checkpoint");
    place.ok(&["undo"]);
    std::fs::remove_file(place.store().join("catalogue.db")).unwrap();
    place.ok(&["fsck", "--rebuild"]);
    let (exit, report) = place.json(&["audit", "verify", "--checkpoint", &noted]);
    assert_eq!((exit, &report["ok"]), (0, &true.into()), "{report}");
    assert_eq!(report["checkpoints"][0]["trusted"], true, "{report}");
}

#[test]
fn the_log_is_searched_and_the_export_is_the_copy() {
    let (place, _) = Place::with_versions(3);
    let of = |more: &[&str]| {
        let entries = place.json(&[&["audit", "log"], more].concat()).1["entries"].clone();
        entries.as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect()
    };
    let all: Vec<u64> = of(&[]);
    assert_eq!(all, (1..=8).rev().collect::<Vec<_>>());
    let commits: Vec<u64> = of(&["--action", "commit"]);
    assert_eq!(commits, [8, 6, 4]);
    assert_eq!(of(&["--action", "commit", "-n", "1"]) as Vec<u64>, [8]);
    assert_eq!(of(&["--actor", "EXAMPLE.org", "-n", "2"]) as Vec<u64>, [8, 7]);
    assert_eq!(of(&["--actor", "%"]) as Vec<u64>, [] as [u64; 0]);
    assert_eq!(of(&["--subject", ":main", "--action", "commit"]) as Vec<u64>, commits);
    assert_eq!(of(&["--since", "2030-01-01"]) as Vec<u64>, [] as [u64; 0]);
    assert_eq!(of(&["--since", "yesterday"]) as Vec<u64>, all);
    place.fails(2, &["audit", "log", "--since", "soon"]);
    let entry = &place.json(&["audit", "log", "-n", "1"]).1["entries"][0];
    let fields: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["number", "time", "actor", "action", "subject", "detail", "hash", "previous"];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    let exported = place.ok(&["audit", "export", "--format", "jsonl"]);
    assert_eq!(exported, std::fs::read_to_string(place.store().join("journal.jsonl")).unwrap());
    let path = place.path("journal").to_str().unwrap().to_owned();
    place.ok(&["audit", "export", "-o", &path]);
    assert_eq!(exported, std::fs::read_to_string(&path).unwrap());
    place.fails(2, &["audit", "export", "-o", &path]);
}
