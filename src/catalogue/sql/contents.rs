//! `contains.db`, the index of contents; SQLite's own, for it is a cache beside the database.

pub(in crate::catalogue) const TABLES: &str = "SELECT count(*) FROM sqlite_schema";

/// `change` has what came to a path with a version (`gone` 0) and what left it (`gone` 1), both
/// against the version's first parent.
pub(in crate::catalogue) const MAKE: &str = "
    CREATE TABLE seen (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), hash TEXT NOT NULL) STRICT;
    INSERT INTO seen (one, hash) VALUES (1, '');
    CREATE TABLE version (
        number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        first_parent INTEGER,
        dataset TEXT
    ) STRICT;
    CREATE INDEX version_by_first_parent ON version (first_parent);
    CREATE TABLE parent (
        parent INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (parent, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE change (
        file BLOB NOT NULL, version INTEGER NOT NULL, path BLOB NOT NULL, gone INTEGER NOT NULL,
        PRIMARY KEY (file, version, path)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;";

pub(in crate::catalogue) const SEEN: &str = "SELECT hash FROM seen";

/// $1 hash.
pub(in crate::catalogue) const SET_SEEN: &str = "UPDATE seen SET hash = $1";

pub(in crate::catalogue) const VERSIONS: &str = "SELECT id FROM version";

/// $1 id.
pub(in crate::catalogue) const NUMBER: &str = "SELECT number FROM version WHERE id = $1";

/// $1 id, $2 number of the first parent or null, $3 dataset or null.
pub(in crate::catalogue) const ADD_VERSION: &str =
    "INSERT INTO version (id, first_parent, dataset) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
     RETURNING number";

/// $1 version, $2 parent.
pub(in crate::catalogue) const ADD_PARENT: &str =
    "INSERT INTO parent (version, parent) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// $1 id. What came and left with it stays, under a number that is never given again and that no
/// answer leads to.
pub(in crate::catalogue) const FORGET: [&str; 2] = [
    "DELETE FROM parent WHERE version = (SELECT number FROM version WHERE id = $1)",
    "DELETE FROM version WHERE id = $1",
];

/// Adds so many rows of file, version, path and gone.
pub(in crate::catalogue) fn add(rows: usize) -> String {
    let mut text = String::from("INSERT INTO change (file, version, path, gone) VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(?, ?, ?, ?)" } else { ", (?, ?, ?, ?)" });
    }
    text.push_str(" ON CONFLICT DO NOTHING");
    text
}

/// $1 least, $2 greatest, $3 limit.
pub(in crate::catalogue) const FILES: &str =
    "SELECT DISTINCT file FROM change JOIN version ON version.number = change.version
     WHERE file >= $1 AND file <= $2 AND gone = 0 LIMIT $3";

/// $1 file. From each version with which it came to a path, along first parents, until it left.
/// One row for each dataset and path, with the ids of the versions in one text: one long text is
/// read much faster than as many rows.
pub(in crate::catalogue) const HOLDERS: &str = "WITH RECURSIVE held (version, path) AS (
        SELECT change.version, change.path
        FROM change JOIN version ON version.number = change.version
        WHERE change.file = $1 AND change.gone = 0
        UNION
        SELECT child.number, held.path
        FROM held JOIN version AS child ON child.first_parent = held.version
        WHERE NOT EXISTS (SELECT 1 FROM change WHERE change.file = $1
            AND change.version = child.number AND change.path = held.path))
     SELECT version.dataset, held.path,
            group_concat(lower(hex(version.id)), '' ORDER BY version.number)
     FROM held JOIN version ON version.number = held.version
     GROUP BY version.dataset, held.path ORDER BY version.dataset, held.path";

/// $1 file, $2 a JSON array of versions: those of them that hold it, or that continue one that
/// does; all of these continue one with which it came.
pub(in crate::catalogue) const HEIRS: &str = "WITH RECURSIVE heir (version) AS (
        SELECT change.version
        FROM change JOIN version ON version.number = change.version
        WHERE change.file = $1 AND change.gone = 0
        UNION
        SELECT parent.version FROM heir JOIN parent ON parent.parent = heir.version)
     SELECT version.id FROM version
     WHERE version.id IN (SELECT unhex(value) FROM json_each($2))
       AND version.number IN (SELECT version FROM heir)";
