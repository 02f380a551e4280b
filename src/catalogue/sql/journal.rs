//! `journal`.

pub(in crate::catalogue) const HEAD: &str =
    "SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1";

/// $1 number, $2 time, $3 actor, $4 action, $5 subject, $6 detail, $7 previous, $8 hash.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO journal (number, time, actor, action, subject, detail, previous, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// $1 first, $2 last, $3 limit; oldest first.
pub(in crate::catalogue) const RANGE: &str =
    "SELECT number, time, actor, action, subject, detail, previous, hash
     FROM journal WHERE number >= $1 AND number <= $2 ORDER BY number LIMIT $3";

/// $1 number that all are below, $2 limit; newest first.
pub(in crate::catalogue) const BEFORE: &str =
    "SELECT number, time, actor, action, subject, detail, previous, hash
     FROM journal WHERE number < $1 ORDER BY number DESC LIMIT $2";

pub(in crate::catalogue) const COUNT: &str = "SELECT COUNT(*) FROM journal";

/// $1 least time, $2 pattern of the actor or null, $3 action or null, $4 pattern of the subject or
/// null, $5 limit; newest first.
pub(in crate::catalogue) const FILTERED: &str =
    "SELECT number, time, actor, action, subject, detail, previous, hash
     FROM journal
     WHERE time >= $1 AND ($2 IS NULL OR actor LIKE $2 ESCAPE '\\')
       AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR subject LIKE $4 ESCAPE '\\')
     ORDER BY number DESC LIMIT $5";
