//! Every table that the journal makes, many rows at a time, in the order of what they belong to.
//!
//! A statement gives at most one value: rows as one run of bytes, because to hand rows over one by one
//! costs more than all that is done with them. Each row begins with its columns in their order, each
//! ended by a space: whole numbers as they are, others as `r`, texts as their length in bytes, what is
//! null as nothing. The texts follow in the same order without anything between them, so that no text can pass for another.
//! Rows begin with a given key, and there are no more of them than the last parameter says.
//!
//! Numbers that are not whole are read by themselves: as text `SQLite` writes them not exactly enough
//! to tell every one from the next, however many digits it is asked for.

use std::fmt;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalogue) enum Column {
    Int,
    Real,
    Text,
}

/// A table, read so.
pub(in crate::catalogue) struct Folded {
    /// The key's columns are the first parameters; the most rows is the last.
    pub(in crate::catalogue) text: &'static str,
    pub(in crate::catalogue) columns: &'static [Column],
    /// The places of the columns that rows are in the order of.
    pub(in crate::catalogue) key: &'static [usize],
    /// The real numbers of the rows from one key to another, if there are such columns.
    pub(in crate::catalogue) reals: Option<&'static str>,
}

impl fmt::Debug for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

macro_rules! column {
    (int) => {
        Column::Int
    };
    (real) => {
        Column::Real
    };
    (text) => {
        Column::Text
    };
}

macro_rules! head {
    (int $name:literal) => {
        concat!($name, ",' ',")
    };
    (real $name:literal) => {
        concat!("iif(", $name, " IS NULL,'','r'),' ',")
    };
    (text $name:literal) => {
        concat!("octet_length(", $name, "),' ',")
    };
}

macro_rules! tail {
    (text $name:literal) => {
        concat!(",", $name)
    };
    ($kind:ident $name:literal) => {
        ""
    };
}

macro_rules! folded {
    ($table:literal, $key:literal $places:expr, $first:literal, $most:literal;
     $($kind:ident $name:literal),+ $(,)?) => {
        Folded {
            text: concat!(
                "SELECT CAST(group_concat(line, '') AS BLOB) FROM (SELECT concat(",
                $(head!($kind $name),)+ "''", $(tail!($kind $name),)+
                ") AS line FROM ", $table, " WHERE (", $key, ") >= (", $first, ") ORDER BY ", $key,
                " LIMIT ", $most, ")"
            ),
            columns: &[$(column!($kind)),+],
            key: &$places,
            reals: None,
        }
    };
}

pub(in crate::catalogue) const JOURNAL: Folded = folded!(
    "journal", "number" [0], "$1", "$2";
    int "number", int "time", text "actor", text "action", text "subject", text "detail",
    text "previous", text "hash"
);

pub(in crate::catalogue) const ROOT: Folded = folded!(
    "store_root", "one" [0], "$1", "$2";
    int "one", int "epoch", int "min_epoch"
);

pub(in crate::catalogue) const PACK: Folded = folded!(
    "pack", "name" [0], "$1", "$2";
    text "name", text "kind", text "state", int "bytes", int "objects", int "epoch", int "added_at",
    int "condemned_epoch", int "dropped"
);

pub(in crate::catalogue) const DATASET: Folded = folded!(
    "dataset", "name" [0], "$1", "$2";
    text "name", int "created_at"
);

pub(in crate::catalogue) const REF: Folded = folded!(
    "ref", "dataset, kind, name" [0, 1, 2], "$1, $2, $3", "$4";
    text "dataset", text "kind", text "name", text "version", text "message", text "tagger_name",
    text "tagger_email", int "tagged_at"
);

pub(in crate::catalogue) const WORKTREE: Folded = folded!(
    "worktree", "id" [0], "$1", "$2";
    text "id", text "path", text "dataset", text "head_branch", text "head_version", text "staged",
    text "operation", int "generation"
);

pub(in crate::catalogue) const PRESENCE: Folded = folded!(
    "presence", "file" [0], "$1", "$2";
    text "file", text "state", int "size", text "certificate", text "replaced_by",
    int "replaced_size", text "place", int "number"
);

pub(in crate::catalogue) const IMPORTED: Folded = folded!(
    "imported", "origin, foreign_id" [0, 1], "$1, $2", "$3";
    text "origin", text "foreign_id", text "version"
);

pub(in crate::catalogue) const CONSUMER: Folded = folded!(
    "consumer", "name" [0], "$1", "$2";
    text "name", text "kind", text "uri", int "number", int "time", text "actor"
);

pub(in crate::catalogue) const REF_LOG: Folded = folded!(
    "ref_log", "number, ordinal" [0, 1], "$1, $2", "$3";
    int "number", int "ordinal", text "dataset", text "kind", text "name", text "old_version",
    text "new_version", int "time", text "actor", text "action", text "message"
);

pub(in crate::catalogue) const RECORD: Folded = Folded {
    reals: Some(
        "SELECT value FROM record
         WHERE (number, ordinal) >= ($1, $2) AND (number, ordinal) <= ($3, $4)
           AND value IS NOT NULL ORDER BY number, ordinal",
    ),
    ..folded!(
        "record", "number, ordinal" [0, 1], "$1, $2", "$3";
        int "number", int "ordinal", text "kind", text "dataset", text "version", text "path",
        text "file", text "name", real "value", text "text", text "body", int "time", text "actor"
    )
};

pub(in crate::catalogue) const USE: Folded = folded!(
    "consumer_use", "number, ordinal" [1, 2], "$1, $2", "$3";
    text "consumer", int "number", int "ordinal", text "dataset", text "version", text "path",
    text "role", int "time"
);

pub(in crate::catalogue) const VERSION: Folded = folded!(
    "version", "id" [0], "$1", "$2";
    text "id", text "manifest", text "author_name", text "author_email", int "time",
    int "utc_offset_minutes", text "message", int "files", int "bytes", int "generation",
    text "dataset", int "number"
);

pub(in crate::catalogue) const PARENT: Folded = folded!(
    "version_parent", "version, ordinal" [0, 1], "$1, $2", "$3";
    text "version", int "ordinal", text "parent"
);

pub(in crate::catalogue) const SOURCE: Folded = folded!(
    "source", "version, number, ordinal" [0, 1, 2], "$1, $2, $3", "$4";
    text "version", int "number", int "ordinal", text "uri", text "revision", text "provider",
    text "licence", text "legal_basis", text "method", int "collected_at", int "retrieved_at",
    text "sha256", text "blake3", text "path"
);

pub(in crate::catalogue) const STEP: Folded = folded!(
    "step", "version, number, ordinal" [0, 1, 2], "$1, $2, $3", "$4";
    text "version", int "number", int "ordinal", text "name", text "command", text "code_remote",
    text "code_commit", int "exit_code", int "started_at", int "ended_at", text "operator",
    text "decided"
);

pub(in crate::catalogue) const METRIC: Folded = Folded {
    reals: Some(
        "SELECT value, threshold FROM metric
         WHERE (version, number, ordinal) >= ($1, $2, $3)
           AND (version, number, ordinal) <= ($4, $5, $6) ORDER BY version, number, ordinal",
    ),
    ..folded!(
        "metric", "version, number, ordinal" [0, 1, 2], "$1, $2, $3", "$4";
        text "version", int "number", int "ordinal", text "name", text "slice", real "value",
        text "unit", text "method", int "sample_size", real "threshold", int "time", text "actor"
    )
};

pub(in crate::catalogue) const DERIVATION: Folded = folded!(
    "derivation", "version, number, ordinal" [0, 1, 2], "$1, $2, $3", "$4";
    text "version", int "number", int "ordinal", text "relation", text "step", text "from_dataset",
    text "from_version", text "from_path", int "time", int "step_ordinal"
);
