//! `record`, `source`, `step`, `metric`, `derivation`, `consumer` and `consumer_use`.

/// $1 number, $2 ordinal, $3 kind, $4 dataset, $5 version, $6 path, $7 file, $8 name, $9 value,
/// $10 text, $11 body, $12 time, $13 actor.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO record (number, ordinal, kind, dataset, version, path, file, name, value, text,
                         body, time, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// $1 version, $2 number, $3 ordinal, $4 uri, $5 revision, $6 provider, $7 licence, $8 legal basis,
/// $9 method, $10 collected, $11 retrieved, $12 sha256, $13 blake3, $14 path.
pub(in crate::catalogue) const ADD_SOURCE: &str =
    "INSERT INTO source (version, number, ordinal, uri, revision, provider, licence, legal_basis,
                         method, collected_at, retrieved_at, sha256, blake3, path)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

/// $1 version, $2 number, $3 ordinal, $4 name, $5 command, $6 remote, $7 commit, $8 exit code,
/// $9 started, $10 ended, $11 operator, $12 decided.
pub(in crate::catalogue) const ADD_STEP: &str =
    "INSERT INTO step (version, number, ordinal, name, command, code_remote, code_commit,
                       exit_code, started_at, ended_at, operator, decided)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// $1 version, $2 number, $3 ordinal, $4 name, $5 slice, $6 value, $7 unit, $8 method,
/// $9 sample size, $10 threshold, $11 time, $12 actor.
pub(in crate::catalogue) const ADD_METRIC: &str =
    "INSERT INTO metric (version, number, ordinal, name, slice, value, unit, method, sample_size,
                         threshold, time, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// $1 version, $2 number, $3 ordinal, $4 relation, $5 step, $6 dataset, $7 version it came from,
/// $8 path, $9 time, $10 ordinal of the step.
pub(in crate::catalogue) const ADD_DERIVATION: &str =
    "INSERT INTO derivation (version, number, ordinal, relation, step, from_dataset, from_version,
                             from_path, time, step_ordinal)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// $1 name, $2 kind, $3 uri, $4 number, $5 time, $6 actor.
pub(in crate::catalogue) const SET_CONSUMER: &str =
    "INSERT INTO consumer (name, kind, uri, number, time, actor) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (name) DO UPDATE SET kind = excluded.kind,
        uri = COALESCE(excluded.uri, consumer.uri), number = excluded.number,
        time = excluded.time, actor = excluded.actor";

/// $1 consumer, $2 number, $3 ordinal, $4 dataset, $5 version, $6 path, $7 role, $8 time.
pub(in crate::catalogue) const ADD_USE: &str =
    "INSERT INTO consumer_use (consumer, number, ordinal, dataset, version, path, role, time)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// $1 version. What the version itself said goes with it; what was recorded of it later stays.
pub(in crate::catalogue) const FORGET: [&str; 4] = [
    "DELETE FROM source WHERE version = $1",
    "DELETE FROM step WHERE version = $1",
    "DELETE FROM metric WHERE version = $1",
    "DELETE FROM derivation WHERE version = $1",
];

/// $1 kind or null, $2 dataset or null, $3 version or null, $4 name or null, $5 file or null,
/// $6 least number, $7 limit; oldest first.
pub(in crate::catalogue) const LIST: &str =
    "SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor
     FROM record
     WHERE ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR dataset = $2)
       AND ($3 IS NULL OR version = $3) AND ($4 IS NULL OR name = $4)
       AND ($5 IS NULL OR file = $5) AND number >= $6
     ORDER BY number, ordinal LIMIT $7";

/// As [`LIST`], by the index of versions.
pub(in crate::catalogue) const LIST_OF_VERSION: &str =
    "SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor
     FROM record
     WHERE version = $3 AND ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR dataset = $2)
       AND ($4 IS NULL OR name = $4) AND ($5 IS NULL OR file = $5) AND number >= $6
     ORDER BY number, ordinal LIMIT $7";

/// As [`LIST`], by the index of kinds.
pub(in crate::catalogue) const LIST_OF_KIND: &str =
    "SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor
     FROM record
     WHERE kind = $1 AND ($2 IS NULL OR dataset = $2) AND ($3 IS NULL OR version = $3)
       AND ($4 IS NULL OR name = $4) AND ($5 IS NULL OR file = $5) AND number >= $6
     ORDER BY number, ordinal LIMIT $7";

/// $1 kind; the newest of those without a name.
pub(in crate::catalogue) const NEWEST: &str =
    "SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor
     FROM record
     WHERE kind = $1 AND name IS NULL
     ORDER BY number DESC, ordinal DESC LIMIT 1";

/// $1 kind; the entry that added the newest of those without a name, or 0.
pub(in crate::catalogue) const NEWEST_NUMBER: &str =
    "SELECT COALESCE(MAX(number), 0) FROM record WHERE kind = $1 AND name IS NULL";

/// Who has used what.
pub(in crate::catalogue) const ALL_USES: &str =
    "SELECT DISTINCT consumer, version FROM consumer_use ORDER BY consumer, version";

/// What was made from what.
pub(in crate::catalogue) const DERIVED: &str =
    "SELECT DISTINCT version, from_version FROM derivation ORDER BY version, from_version";

/// The versions that a consumer has used.
pub(in crate::catalogue) const USED: &str = "SELECT DISTINCT version FROM consumer_use";

/// $1 dataset. The last word on the state of the dataset itself.
pub(in crate::catalogue) const STATE_OF_DATASET: &str = "SELECT name FROM record
     WHERE dataset = $1 AND kind = 'state' AND version IS NULL
     ORDER BY number DESC, ordinal DESC LIMIT 1";

/// $1 version.
pub(in crate::catalogue) const STATE_OF_VERSION: &str = "SELECT name FROM record
     WHERE version = $1 AND kind = 'state' ORDER BY number DESC, ordinal DESC LIMIT 1";

/// $1 version or null, $2 name or null, $3 dataset or null; in the order in which they were said.
pub(in crate::catalogue) const METRICS: &str =
    "SELECT metric.version, version.dataset, version.time AS committed, metric.number,
            metric.ordinal, metric.name, metric.slice, metric.value, metric.unit, metric.method,
            metric.sample_size, metric.threshold, metric.time, metric.actor
     FROM metric JOIN version ON version.id = metric.version
     WHERE ($1 IS NULL OR metric.version = $1) AND ($2 IS NULL OR metric.name = $2)
       AND ($3 IS NULL OR version.dataset IS NULL OR version.dataset = $3)
     ORDER BY version.generation, version.time, metric.version, metric.number, metric.ordinal";

/// As [`METRICS`], by the index of versions.
pub(in crate::catalogue) const METRICS_OF_VERSION: &str =
    "SELECT metric.version, version.dataset, version.time AS committed, metric.number,
            metric.ordinal, metric.name, metric.slice, metric.value, metric.unit, metric.method,
            metric.sample_size, metric.threshold, metric.time, metric.actor
     FROM metric JOIN version ON version.id = metric.version
     WHERE metric.version = $1 AND ($2 IS NULL OR metric.name = $2)
       AND ($3 IS NULL OR version.dataset IS NULL OR version.dataset = $3)
     ORDER BY metric.number, metric.ordinal";

pub(in crate::catalogue) const CONSUMERS: &str =
    "SELECT name, kind, uri, number, time, actor FROM consumer ORDER BY name";

/// $1 consumer or null; in the order in which they were said.
pub(in crate::catalogue) const USES: &str =
    "SELECT consumer, number, dataset, version, path, role, time FROM consumer_use
     WHERE $1 IS NULL OR consumer = $1 ORDER BY number, ordinal";

/// $1 a JSON array of versions (`json_array_elements_text` in PostgreSQL).
pub(in crate::catalogue) const USES_OF: &str =
    "SELECT consumer, number, dataset, version, path, role, time FROM consumer_use
     WHERE version IN (SELECT value FROM json_each($1)) ORDER BY number, ordinal";
