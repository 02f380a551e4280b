//! The SQL of the catalogue: static text, one file per group of tables, the same for every database.
//!
//! Here: `$1` parameters, `ON CONFLICT`, `RETURNING` and `WITH RECURSIVE` only.
//! Not here: what is special to SQLite (`open`), the tables themselves (`migrations/`).
//! Invariant: nothing that a user wrote is ever part of a statement's text. (What users ask in SQL
//! has its own room, `query`, and its own connection, which cannot write.)

pub(super) mod contents;
pub(super) mod journal;
pub(super) mod lineage;
pub(super) mod names;
pub(super) mod packs;
pub(super) mod presence;
pub(super) mod records;
pub(super) mod shadow;
pub(super) mod versions;
pub(super) mod words;
pub(super) mod worktrees;

/// Every table and how to read it whole, in an order that depends on its content only.
pub(super) const DUMP: [(&str, &str); 19] = [
    ("store_root", "SELECT * FROM store_root"),
    ("pack", "SELECT * FROM pack ORDER BY name"),
    ("dataset", "SELECT * FROM dataset ORDER BY name"),
    ("version", "SELECT * FROM version ORDER BY id"),
    ("version_parent", "SELECT * FROM version_parent ORDER BY version, ordinal"),
    ("ref", "SELECT * FROM ref ORDER BY dataset, kind, name"),
    ("worktree", "SELECT * FROM worktree ORDER BY id"),
    ("ref_log", "SELECT * FROM ref_log ORDER BY number, ordinal"),
    ("imported", "SELECT * FROM imported ORDER BY origin, foreign_id"),
    ("record", "SELECT * FROM record ORDER BY number, ordinal"),
    ("source", "SELECT * FROM source ORDER BY version, number, ordinal"),
    ("step", "SELECT * FROM step ORDER BY version, number, ordinal"),
    ("metric", "SELECT * FROM metric ORDER BY version, number, ordinal"),
    ("derivation", "SELECT * FROM derivation ORDER BY version, number, ordinal"),
    ("consumer", "SELECT * FROM consumer ORDER BY name"),
    ("consumer_use", "SELECT * FROM consumer_use ORDER BY number, ordinal"),
    ("presence", "SELECT * FROM presence ORDER BY file"),
    (
        "words",
        "SELECT version, number, ordinal, kind, text FROM words ORDER BY version, number, ordinal",
    ),
    ("journal", "SELECT * FROM journal ORDER BY number"),
];

/// At most 100 lines on what is wrong with the file, or `ok`.
pub(super) const INTEGRITY: &str = "PRAGMA integrity_check(100)";

/// One row for each row that names what is not there.
pub(super) const FOREIGN_KEYS: &str = "PRAGMA foreign_key_check";
