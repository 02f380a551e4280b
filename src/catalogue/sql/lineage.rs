//! Walks through `version_parent`, `derivation`, `source` and `consumer_use`, and `fact`.

/// The versions a walk begins with: $1–$32 ids, those that name source $33, those that consumer
/// $34 has used.
macro_rules! seeds {
    () => {
        "SELECT id FROM version WHERE id IN
            ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
         UNION SELECT version FROM source WHERE uri = $33
         UNION SELECT version FROM consumer_use WHERE consumer = $34"
    };
}

/// Everything that is reached, each once.
///
/// Two recursive members: joining with a union of the two tables instead, which PostgreSQL would
/// take, makes SQLite read both tables whole in every walk.
macro_rules! walk {
    ($from:literal, $to:literal, $origin_from:literal, $origin_to:literal) => {
        concat!(
            "WITH RECURSIVE walk (id) AS (",
            seeds!(),
            " UNION SELECT version_parent.",
            $to,
            " FROM walk JOIN version_parent ON version_parent.",
            $from,
            " = walk.id UNION SELECT derivation.",
            $origin_to,
            " FROM walk JOIN derivation ON derivation.",
            $origin_from,
            " = walk.id), reached (id) AS MATERIALIZED (SELECT id FROM walk)"
        )
    };
}

/// As `walk`, $35 versions far. A version stands in it once for each distance, so this is for
/// short ways.
macro_rules! walk_some {
    ($from:literal, $to:literal, $origin_from:literal, $origin_to:literal) => {
        concat!(
            "WITH RECURSIVE seed (id) AS (",
            seeds!(),
            "), walk (id, depth) AS (SELECT id, 0 FROM seed UNION SELECT version_parent.",
            $to,
            ", depth + 1 FROM walk JOIN version_parent ON version_parent.",
            $from,
            " = walk.id WHERE depth < $35 UNION SELECT derivation.",
            $origin_to,
            ", depth + 1 FROM walk JOIN derivation ON derivation.",
            $origin_from,
            " = walk.id WHERE depth < $35),
             reached (id) AS MATERIALIZED (SELECT DISTINCT id FROM walk)"
        )
    };
}

/// Rows of one shape, told apart by the first column; what the others hold is said in `lineage.rs`.
///
/// The links between versions are most of it. They come as JSON arrays with the version, because a
/// row costs more than all the rest of the question.
macro_rules! rows {
    ($walk:expr, $parent:literal, $far_parent:literal, $derivation:literal, $far:literal) => {
        concat!(
            $walk,
            " SELECT 'version', reached.id, version.number, NULL, version.dataset, version.message,
                     (SELECT json_group_array(version_parent.",
            $far_parent,
            ") FROM version_parent WHERE version_parent.",
            $parent,
            " = reached.id), version.time, journal.time,
                     (SELECT json_group_array(json_array(derivation.",
            $far,
            ", number, step_ordinal, relation, from_dataset, time))
                      FROM derivation WHERE derivation.",
            $derivation,
            " = reached.id)
              FROM reached LEFT JOIN version ON version.id = reached.id
                LEFT JOIN journal ON journal.number = version.number
              UNION ALL
              SELECT 'step', version, step.number, ordinal, NULL, name, NULL,
                     COALESCE(started_at, ended_at), journal.time, NULL
              FROM reached JOIN step ON step.version = reached.id
                LEFT JOIN journal ON journal.number = step.number
              UNION ALL
              SELECT 'source', version, source.number, NULL, uri, provider, NULL, retrieved_at,
                     journal.time, NULL
              FROM reached JOIN source ON source.version = reached.id
                LEFT JOIN journal ON journal.number = source.number
              UNION ALL
              SELECT 'use', consumer_use.version, consumer_use.number, NULL,
                     consumer_use.consumer, consumer_use.role, consumer.kind, consumer_use.time,
                     consumer_use.time, NULL
              FROM reached JOIN consumer_use ON consumer_use.version = reached.id
                LEFT JOIN consumer ON consumer.name = consumer_use.consumer"
        )
    };
}

/// Where versions come from: the seeds, and everything that they were made from.
pub(in crate::catalogue) const UP: &str = rows!(
    walk!("version", "parent", "version", "from_version"),
    "version",
    "parent",
    "version",
    "from_version"
);

/// What became of versions: the seeds, and everything that was made from them.
pub(in crate::catalogue) const DOWN: &str = rows!(
    walk!("parent", "version", "from_version", "version"),
    "parent",
    "version",
    "from_version",
    "version"
);

/// As [`UP`], $35 versions far.
pub(in crate::catalogue) const UP_SOME: &str = rows!(
    walk_some!("version", "parent", "version", "from_version"),
    "version",
    "parent",
    "version",
    "from_version"
);

/// As [`DOWN`], $35 versions far.
pub(in crate::catalogue) const DOWN_SOME: &str = rows!(
    walk_some!("parent", "version", "from_version", "version"),
    "parent",
    "version",
    "from_version",
    "version"
);

/// $1 uri.
pub(in crate::catalogue) const HAS_SOURCE: &str = "SELECT 1 FROM source WHERE uri = $1 LIMIT 1";

/// $1 name.
pub(in crate::catalogue) const HAS_CONSUMER: &str = "SELECT 1 FROM consumer WHERE name = $1";

/// $1 analyser, $2 its version, $3–$34 ids of files.
pub(in crate::catalogue) const FACTS: &str =
    "SELECT file, body FROM fact WHERE analyser = $1 AND version = $2 AND file IN
        ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
         $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)";

/// $1 file, $2 analyser, $3 its version, $4 body. Of a file that was erased nothing is kept: whoever
/// had read it before may come only now.
pub(in crate::catalogue) const KEEP_FACT: &str =
    "INSERT INTO fact (file, analyser, version, body) SELECT $1, $2, $3, $4
     WHERE NOT EXISTS
        (SELECT 1 FROM presence WHERE file = $1 AND state IN ('erased', 'replaced'))
     ON CONFLICT (file, analyser, version) DO UPDATE SET body = excluded.body";

/// $1 file.
pub(in crate::catalogue) const FORGET_FACTS: &str = "DELETE FROM fact WHERE file = $1";

/// $1 a JSON array of versions, $2 a version: whether it is one of these or they were made from it.
pub(in crate::catalogue) const IS_ORIGIN: &str = "WITH RECURSIVE walk (id) AS (
        SELECT value FROM json_each($1)
        UNION SELECT parent FROM walk JOIN version_parent ON version_parent.version = walk.id
        UNION SELECT from_version FROM walk JOIN derivation ON derivation.version = walk.id)
     SELECT 1 FROM walk WHERE id = $2 LIMIT 1";

/// $1 a JSON array of versions: each with a version that it was made from.
pub(in crate::catalogue) const MADE_FROM: &str = "SELECT version, parent FROM version_parent
     WHERE version IN (SELECT value FROM json_each($1))
     UNION SELECT version, from_version FROM derivation
     WHERE version IN (SELECT value FROM json_each($1)) ORDER BY 1, 2";
