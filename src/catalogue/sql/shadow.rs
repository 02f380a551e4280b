//! Every table that the journal makes, in the order of what its rows belong to. All but the small
//! ones are read in parts: from $1 on, below $2.

pub(in crate::catalogue) const ROOT: &str = "SELECT one, epoch, min_epoch FROM store_root";

pub(in crate::catalogue) const IMPORTED: &str =
    "SELECT origin, foreign_id, version FROM imported ORDER BY origin, foreign_id";

pub(in crate::catalogue) const CONSUMER: &str =
    "SELECT name, kind, uri, number, time, actor FROM consumer ORDER BY name";

pub(in crate::catalogue) const REF_LOG: &str =
    "SELECT number, ordinal, dataset, kind, name, old_version, new_version, time, actor, action,
            message
     FROM ref_log WHERE number >= $1 AND number < $2 ORDER BY number, ordinal";

pub(in crate::catalogue) const RECORD: &str =
    "SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor
     FROM record WHERE number >= $1 AND number < $2 ORDER BY number, ordinal";

pub(in crate::catalogue) const USE: &str =
    "SELECT consumer, number, ordinal, dataset, version, path, role, time
     FROM consumer_use WHERE number >= $1 AND number < $2 ORDER BY number, ordinal";

pub(in crate::catalogue) const VERSION: &str =
    "SELECT id, manifest, author_name, author_email, time, utc_offset_minutes, message, files, bytes,
            generation, dataset, number
     FROM version WHERE id >= $1 AND id < $2 ORDER BY id";

pub(in crate::catalogue) const PARENT: &str =
    "SELECT version, ordinal, parent FROM version_parent WHERE version >= $1 AND version < $2
     ORDER BY version, ordinal";

pub(in crate::catalogue) const SOURCE: &str =
    "SELECT version, number, ordinal, uri, revision, provider, licence, legal_basis, method,
            collected_at, retrieved_at, sha256, blake3, path
     FROM source WHERE version >= $1 AND version < $2 ORDER BY version, number, ordinal";

pub(in crate::catalogue) const STEP: &str =
    "SELECT version, number, ordinal, name, command, code_remote, code_commit, exit_code, started_at,
            ended_at, operator, decided
     FROM step WHERE version >= $1 AND version < $2 ORDER BY version, number, ordinal";

pub(in crate::catalogue) const METRIC: &str =
    "SELECT version, number, ordinal, name, slice, value, unit, method, sample_size, threshold, time,
            actor
     FROM metric WHERE version >= $1 AND version < $2 ORDER BY version, number, ordinal";

pub(in crate::catalogue) const DERIVATION: &str =
    "SELECT version, number, ordinal, relation, step, from_dataset, from_version, from_path, time,
            step_ordinal
     FROM derivation WHERE version >= $1 AND version < $2 ORDER BY version, number, ordinal";
