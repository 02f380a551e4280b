//! `store_root` and `pack`.

pub(in crate::catalogue) const ROOT: &str = "SELECT epoch, min_epoch FROM store_root WHERE one = 1";

/// $1 the new epoch: the present one plus one.
pub(in crate::catalogue) const BEGIN_EPOCH: &str =
    "UPDATE store_root SET epoch = $1 WHERE one = 1 AND epoch = $1 - 1";

/// $1 the least epoch that may still commit; it never goes back.
pub(in crate::catalogue) const FENCE: &str =
    "UPDATE store_root SET min_epoch = CASE WHEN min_epoch < $1 THEN $1 ELSE min_epoch END
     WHERE one = 1 AND epoch >= $1";

pub(in crate::catalogue) const ALL: &str =
    "SELECT name, kind, state, bytes, objects, epoch, added_at, condemned_epoch, dropped
     FROM pack ORDER BY name";

/// $1 state.
pub(in crate::catalogue) const IN_STATE: &str =
    "SELECT name, kind, state, bytes, objects, epoch, added_at, condemned_epoch, dropped
     FROM pack WHERE state = $1 ORDER BY name";

/// $1 name.
pub(in crate::catalogue) const ONE: &str =
    "SELECT name, kind, state, bytes, objects, epoch, added_at, condemned_epoch, dropped
     FROM pack WHERE name = $1";

/// $1 name, $2 kind, $3 bytes, $4 objects, $5 epoch, $6 moment.
pub(in crate::catalogue) const ADD: &str =
    "INSERT INTO pack (name, kind, state, bytes, objects, epoch, added_at)
     VALUES ($1, $2, 'live', $3, $4, $5, $6) ON CONFLICT DO NOTHING";

/// $1 name, $2 epoch that began with it.
pub(in crate::catalogue) const CONDEMN: &str =
    "UPDATE pack SET state = 'condemned', condemned_epoch = $2 WHERE name = $1 AND state = 'live'";

/// $1 name, $2 epoch of the condemnation.
pub(in crate::catalogue) const SPARE: &str =
    "UPDATE pack SET state = 'live', condemned_epoch = NULL
     WHERE name = $1 AND state = 'condemned' AND condemned_epoch = $2";

/// $1 name, $2 epoch of the condemnation.
pub(in crate::catalogue) const BURY: &str = "UPDATE pack SET state = 'tombstone'
     WHERE name = $1 AND state = 'condemned' AND condemned_epoch = $2";

/// $1 name.
pub(in crate::catalogue) const MERGE_AWAY: &str =
    "UPDATE pack SET state = 'tombstone' WHERE name = $1 AND state = 'live'";

/// $1 name.
pub(in crate::catalogue) const DROP: &str =
    "UPDATE pack SET dropped = 1 WHERE name = $1 AND state = 'tombstone'";
