//! A word that means nothing, in every column of every table: told as it is documented, never as a
//! bug of the program, and never passed over.

use sqlx::{Connection as _, Row as _};

use crate::place::{Place, put};

/// Tables that are caches of what others say, or of the store: nothing is believed because of them.
const CACHES: &[&str] = &["words", "fact", "_sqlx_migrations"];
/// Tables that every command reads before it begins, and how `audit verify` names their rows. Damage
/// there ends all others with 13, or with 10 where the worktree is not known any more.
const READ_FIRST: &[(&str, &str)] = &[
    ("worktree", "  the worktree at "),
    ("presence", "  the presence of file "),
    ("store_root", "  the epoch of the store "),
    ("pack", "  pack "),
];

/// `table`, `column` of every column of text.
fn columns(place: &Place) -> Vec<(String, String)> {
    let path = place.store().join("catalogue.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let text = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
                    WHERE m.type = 'table' AND c.type = 'TEXT' AND m.name NOT LIKE 'sqlite%'";
        let rows = sqlx::query(text).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    })
}

#[test]
fn nonsense_in_any_column_is_told_of() {
    let (place, key) = Place::with_versions(1);
    place.ok(&["config", "set", "commit.sign", "false"]);
    place.ok(&["key", "trust", &key, "--role", "custodian", "--role", "approver"]);
    put(&place.work().join("secret.txt"), "a secret that goes\n".repeat(99).as_bytes());
    place.ok(&["add", "-A"]);
    let origin = "--source=uri=https://example.org/raw,licence=MIT";
    place.ok(&["commit", "-q", "-m", "two", origin, "--metric=rows=2"]);
    place.ok(&["tag", "v1", "-m", "first"]);
    place.ok(&["audit", "checkpoint", "-q"]);
    place.ok(&["metric", "set", "HEAD", "accuracy=1"]);
    place.ok(&["note", "add", "HEAD", "looked at"]);
    place.ok(&["consumer", "add", "m", "--kind", "model", "--used", "work@v1=train"]);
    place.ok(&["step", "add", "HEAD", "--name", "clean", "--input", "HEAD~1"]);
    let (_, plan) = place.json(&["erase", "plan", "--path", "secret.txt", "--reason", "asked"]);
    place.ok(&["erase", "run", plan["plan"].as_str().unwrap()]);
    place.shell("PRAGMA wal_checkpoint(TRUNCATE)");
    let database = place.store().join("catalogue.db");
    let sound = std::fs::read(&database).unwrap();
    let mut tried = std::collections::BTreeSet::new();
    for (table, column) in columns(&place) {
        if CACHES.iter().any(|cache| table.starts_with(cache)) {
            continue;
        }
        for (value, ends) in [("nonsense", &["min", "max"][..]), ("", &["max"])] {
            for end in ends {
                let edit = format!(
                    "UPDATE {table} SET {column} = '{value}'
                     WHERE rowid = (SELECT {end}(rowid) FROM {table}) AND {column} IS NOT '{value}'"
                );
                place.shell(&edit);
                if std::fs::read(&database).unwrap() != sound {
                    told(&place, &table, &edit);
                    tried.insert(table.clone());
                }
                for log in ["catalogue.db-wal", "catalogue.db-shm"] {
                    let _ = std::fs::remove_file(place.store().join(log));
                }
                put(&database, &sound);
            }
        }
    }
    assert!(tried.len() >= 14, "{tried:?}");
    assert_eq!(place.json(&["audit", "verify"]).0, 0);
}

fn told(place: &Place, table: &str, edit: &str) {
    let output = place.run(&["audit", "verify"]);
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(1) => assert!(out.contains("ntry"), "{edit}: {out}"),
        code => panic!("{edit}: {code:?} {out} {error}"),
    }
    let read_first = READ_FIRST.iter().find(|(read_first, _)| *read_first == table);
    if let Some((_, named)) = read_first {
        assert!(out.contains(named), "{edit}: {out}");
    }
}

/// Rows that every command reads first, so that it cannot begin: `audit verify` names them all the
/// same, and `fsck --rebuild` makes them right again.
#[test]
fn rows_without_which_nothing_opens_are_named() {
    let (place, _) = Place::with_versions(1);
    let gone = "0".repeat(64);
    let damage = [
        ("worktree", "DELETE FROM worktree".to_owned(), 10),
        ("worktree", "UPDATE worktree SET staged = 'x'".to_owned(), 13),
        (
            "presence",
            format!("INSERT INTO presence VALUES ('{gone}', 'x', 1, NULL, NULL, NULL, NULL, 2)"),
            13,
        ),
        ("store_root", "DELETE FROM store_root".to_owned(), 70),
        ("pack", "UPDATE pack SET added_at = 9223372036854775807 WHERE rowid = 1".to_owned(), 13),
        ("pack", "UPDATE pack SET name = 'x' WHERE rowid = 1".to_owned(), 13),
    ];
    place.shell("PRAGMA wal_checkpoint(TRUNCATE)");
    for (table, edit, others) in damage {
        place.shell(&format!("PRAGMA ignore_check_constraints = ON; {edit}"));
        let code = place.run(&["status"]).status.code();
        assert!(code == Some(others) || others == 70 && code != Some(0), "{edit}: {code:?}");
        told(&place, table, &edit);
        let (code, data) = place.json(&["audit", "verify"]);
        assert_eq!((code, &data["ok"]), (1, &false.into()), "{edit}: {data:#}");
        assert!(data["tables"]["count"].as_u64().unwrap() > 0, "{edit}: {data:#}");
        place.ok(&["fsck", "--rebuild"]);
        place.ok(&["audit", "verify"]);
    }
}
