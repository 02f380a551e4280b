//! `worktree`.

pub(in crate::catalogue) const ALL: &str =
    "SELECT id, path, dataset, head_branch, head_version, staged, operation, generation
     FROM worktree ORDER BY id";

/// $1 id.
pub(in crate::catalogue) const ONE: &str =
    "SELECT id, path, dataset, head_branch, head_version, staged, operation, generation
     FROM worktree WHERE id = $1";

/// $1 id, $2 path, $3 dataset, $4 branch, $5 version, $6 staged, $7 operation.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO worktree (id, path, dataset, head_branch, head_version, staged, operation,
                           generation)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT DO NOTHING";

/// As [`ADD`], and $8 the generation that was read.
pub(in crate::catalogue) const CHANGE: &str =
    "UPDATE worktree SET path = $2, dataset = $3, head_branch = $4, head_version = $5, staged = $6,
                         operation = $7, generation = generation + 1
     WHERE id = $1 AND generation = $8";

/// $1 id, $2 the generation that was read.
pub(in crate::catalogue) const REMOVE: &str =
    "DELETE FROM worktree WHERE id = $1 AND generation = $2";
