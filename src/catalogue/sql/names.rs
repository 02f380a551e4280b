//! `dataset`, `ref` and `ref_log`.

pub(in crate::catalogue) const DATASETS: &str =
    "SELECT name, created_at FROM dataset ORDER BY name";

/// $1 name.
pub(in crate::catalogue) const HAS_DATASET: &str = "SELECT 1 FROM dataset WHERE name = $1";

/// $1 name, $2 moment.
pub(in crate::catalogue) const ADD_DATASET: &str =
    "INSERT INTO dataset (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// $1 name.
pub(in crate::catalogue) const REMOVE_DATASET: &str = "DELETE FROM dataset WHERE name = $1";

/// $1 dataset. What keeps it: references and worktrees.
pub(in crate::catalogue) const DATASET_USERS: &str =
    "SELECT kind || ' `' || name || '`' FROM ref WHERE dataset = $1
     UNION ALL SELECT 'the worktree at ' || path FROM worktree WHERE dataset = $1 LIMIT 1";

pub(in crate::catalogue) const ALL_REFS: &str =
    "SELECT dataset, kind, name, version, message, tagger_name, tagger_email, tagged_at
     FROM ref ORDER BY dataset, kind, name";

/// $1 dataset, $2 kind.
pub(in crate::catalogue) const REFS: &str =
    "SELECT dataset, kind, name, version, message, tagger_name, tagger_email, tagged_at
     FROM ref WHERE dataset = $1 AND kind = $2 ORDER BY name";

/// $1 dataset, $2 kind, $3 name.
pub(in crate::catalogue) const ONE_REF: &str =
    "SELECT dataset, kind, name, version, message, tagger_name, tagger_email, tagged_at
     FROM ref WHERE dataset = $1 AND kind = $2 AND name = $3";

/// $1 dataset, $2 kind, $3 name, $4 version, $5–$8 annotation.
pub(in crate::catalogue) const ADD_REF: &str =
    "INSERT INTO ref (dataset, kind, name, version, message, tagger_name, tagger_email, tagged_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

/// $1 dataset, $2 kind, $3 name, $4 version, $5–$8 annotation, $9 version that it had.
pub(in crate::catalogue) const MOVE_REF: &str =
    "UPDATE ref SET version = $4, message = $5, tagger_name = $6, tagger_email = $7, tagged_at = $8
     WHERE dataset = $1 AND kind = $2 AND name = $3 AND version = $9";

/// $1 dataset, $2 kind, $3 name, $4 version that it had.
pub(in crate::catalogue) const REMOVE_REF: &str =
    "DELETE FROM ref WHERE dataset = $1 AND kind = $2 AND name = $3 AND version = $4";

/// $1 number, $2 ordinal, $3 dataset, $4 kind, $5 name, $6 old, $7 new, $8 time, $9 actor,
/// $10 action, $11 message.
pub(in crate::catalogue) const LOG_REF: &str =
    "INSERT INTO ref_log (number, ordinal, dataset, kind, name, old_version, new_version, time,
                          actor, action, message)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// $1 dataset, $2 kind, $3 name, $4 limit.
pub(in crate::catalogue) const REF_LOG: &str =
    "SELECT number, ordinal, dataset, kind, name, old_version, new_version, time, actor, action,
            message
     FROM ref_log WHERE dataset = $1 AND kind = $2 AND name = $3
     ORDER BY number DESC, ordinal DESC LIMIT $4";

/// $1 moment. Every version that a reference had left or reached since then.
pub(in crate::catalogue) const LOGGED_SINCE: &str =
    "SELECT old_version FROM ref_log WHERE time >= $1 AND old_version IS NOT NULL
     UNION SELECT new_version FROM ref_log WHERE time >= $1 AND new_version IS NOT NULL";

/// $1 kind, $2 moment. What references of a kind named then, by what was known then.
pub(in crate::catalogue) const REFS_AS_OF: &str = "SELECT dataset, name, new_version FROM (
        SELECT dataset, name, new_version, row_number() OVER (
            PARTITION BY dataset, name ORDER BY number DESC, ordinal DESC) AS place
        FROM ref_log WHERE kind = $1 AND time <= $2) AS moves
     WHERE place = 1 AND new_version IS NOT NULL ORDER BY dataset, name";
