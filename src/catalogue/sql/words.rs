//! `words`, and the index over it. `words_index` is a table of SQLite's FTS5.

/// $1 version, $2 number, $3 ordinal, $4 kind, $5 text.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO words (version, number, ordinal, kind, text) VALUES ($1, $2, $3, $4, $5)
     RETURNING id";

/// $1 id, $2 text.
pub(in crate::catalogue) const INDEX: &str =
    "INSERT INTO words_index (rowid, text) VALUES ($1, $2)";

/// $1 version. Takes what a version says of itself out of the index; before [`FORGET`].
pub(in crate::catalogue) const UNINDEX: &str = "INSERT INTO words_index (words_index, rowid, text)
     SELECT 'delete', id, text FROM words WHERE version = $1 AND number = 0";

/// $1 version.
pub(in crate::catalogue) const FORGET: &str = "DELETE FROM words WHERE version = $1 AND number = 0";

/// $1 what to look for, $2 kind or null, $3 limit; the best first.
pub(in crate::catalogue) const SEARCH: &str =
    "SELECT words.kind, words.version, words.number, words.ordinal
     FROM words_index JOIN words ON words.id = words_index.rowid
     WHERE words_index MATCH $1 AND ($2 IS NULL OR words.kind = $2)
     ORDER BY words_index.rank, words.id LIMIT $3";

/// The index is made again from the words that are there now.
pub(in crate::catalogue) const REBUILD: [&str; 2] = [
    "INSERT INTO words_index (words_index) VALUES ('rebuild')",
    "INSERT INTO words_index (words_index) VALUES ('optimize')",
];
