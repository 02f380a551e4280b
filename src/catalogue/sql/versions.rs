//! `version`, `version_parent` and `imported`.

/// How many ids the statements over several versions take; the rest is filled with repetitions.
pub(in crate::catalogue) const BATCH: usize = 32;

/// $1 id, $2 manifest, $3 author, $4 mail, $5 time, $6 offset, $7 message, $8 files, $9 bytes,
/// $10 generation, $11 dataset, $12 number of the entry that adds it.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO version (id, manifest, author_name, author_email, time, utc_offset_minutes,
                          message, files, bytes, generation, dataset, number)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";

/// $1 version, $2 ordinal, $3 parent.
pub(in crate::catalogue) const ADD_PARENT: &str =
    "INSERT INTO version_parent (version, ordinal, parent) VALUES ($1, $2, $3)";

/// $1 id.
pub(in crate::catalogue) const GENERATION: &str = "SELECT generation FROM version WHERE id = $1";

/// $1 id.
pub(in crate::catalogue) const REMOVE: &str = "DELETE FROM version WHERE id = $1";

/// $1 id.
pub(in crate::catalogue) const REMOVE_PARENTS: &str =
    "DELETE FROM version_parent WHERE version = $1";

/// $1 id.
pub(in crate::catalogue) const REMOVE_IMPORTED: &str = "DELETE FROM imported WHERE version = $1";

/// $1 id. What names the version.
pub(in crate::catalogue) const USERS: &str =
    "SELECT kind || ' `' || name || '` of dataset `' || dataset || '`' FROM ref WHERE version = $1
     UNION ALL SELECT 'version ' || version FROM version_parent WHERE parent = $1
     UNION ALL SELECT 'the worktree at ' || path FROM worktree WHERE head_version = $1
     UNION ALL SELECT 'consumer `' || consumer || '`' FROM consumer_use WHERE version = $1 LIMIT 1";

/// $1 least id, $2 first id past the range, $3 limit.
pub(in crate::catalogue) const IN_RANGE: &str =
    "SELECT id FROM version WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3";

/// $1 dataset. What was made in it, and what its branches and tags have ever been at.
pub(in crate::catalogue) const OF_DATASET: &str = "SELECT id FROM version WHERE dataset = $1
     UNION SELECT version FROM ref WHERE dataset = $1
     UNION SELECT new_version FROM ref_log JOIN version ON version.id = new_version
        WHERE ref_log.dataset = $1
     ORDER BY 1";

/// Where each version was made and which entry added it.
pub(in crate::catalogue) const ORIGINS: &str =
    "SELECT id, dataset, COALESCE(number, 0) FROM version";

pub(in crate::catalogue) const ALL_IDS: &str = "SELECT id FROM version ORDER BY id";

/// $1–$32 ids. A version stands once for each of its parents, or once if it has none.
pub(in crate::catalogue) const ROWS: &str =
    "SELECT version.id, manifest, author_name, author_email, time, utc_offset_minutes, message,
            files, bytes, generation, ordinal, parent
     FROM version LEFT JOIN version_parent ON version_parent.version = version.id
     WHERE version.id IN
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
         $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)";

/// $1–$32 ids.
pub(in crate::catalogue) const PARENTS: &str =
    "SELECT version, parent FROM version_parent WHERE version IN
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
         $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
     ORDER BY version, ordinal";

/// As [`ROWS`], and $33 least generation: those versions and their ancestors down to it.
pub(in crate::catalogue) const ANCESTOR_ROWS: &str = "WITH RECURSIVE walk (id) AS (
        SELECT id FROM version WHERE id IN
        ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
         $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
        UNION
        SELECT version_parent.parent FROM walk
            JOIN version_parent ON version_parent.version = walk.id
            JOIN version ON version.id = version_parent.parent
            WHERE version.generation >= $33)
     SELECT version.id, manifest, author_name, author_email, time, utc_offset_minutes, message,
            files, bytes, generation, ordinal, parent
     FROM walk JOIN version ON version.id = walk.id
        LEFT JOIN version_parent ON version_parent.version = version.id";

/// As [`ROWS`], for all of them.
pub(in crate::catalogue) const ALL_ROWS: &str =
    "SELECT version.id, manifest, author_name, author_email, time, utc_offset_minutes, message,
            files, bytes, generation, ordinal, parent
     FROM version LEFT JOIN version_parent ON version_parent.version = version.id
     ORDER BY generation, version.id, ordinal";

/// $1 origin, $2 foreign id, $3 version.
pub(in crate::catalogue) const ADD_IMPORTED: &str =
    "INSERT INTO imported (origin, foreign_id, version) VALUES ($1, $2, $3)
     ON CONFLICT (origin, foreign_id) DO UPDATE SET version = excluded.version";

/// $1 origin, $2 foreign id. As if it had been noted and the version forgotten.
pub(in crate::catalogue) const UNNOTE_IMPORTED: &str =
    "DELETE FROM imported WHERE origin = $1 AND foreign_id = $2";

/// $1 origin.
pub(in crate::catalogue) const IMPORTED: &str =
    "SELECT foreign_id, version FROM imported WHERE origin = $1 ORDER BY foreign_id";

/// Every version in one text, one in a line: id, time, generation. One long text is read much
/// faster than as many rows, and the whole table faster than a tenth of it along its links.
pub(in crate::catalogue) const LINES: &str =
    "SELECT coalesce(group_concat(id || ' ' || time || ' ' || generation, char(10)), '')
     FROM version";

/// Every link in one text, one in a line: version, parent.
pub(in crate::catalogue) const LINK_LINES: &str =
    "SELECT coalesce(group_concat(version || ' ' || parent, char(10)), '') FROM version_parent";

/// $1 a JSON array of versions (`json_array_elements_text` in PostgreSQL).
pub(in crate::catalogue) const DATASETS_OF: &str = "SELECT id, dataset FROM version
     WHERE id IN (SELECT value FROM json_each($1)) AND dataset IS NOT NULL";
