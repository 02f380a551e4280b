-- The catalogue, schema 1. `docs/catalogue.md` explains every table.
-- Ids are lower-case hexadecimal text, times are seconds since 1970 in UTC.
-- Foreign keys are checked when a transaction ends, so that the journal can be replayed.

PRAGMA application_id = 1400137069; -- "Stem"
PRAGMA user_version = 1;

CREATE TABLE store_root (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL CHECK (epoch >= min_epoch),
    min_epoch INTEGER NOT NULL CHECK (min_epoch >= 0)
) STRICT;
INSERT INTO store_root (one, epoch, min_epoch) VALUES (1, 0, 0);

CREATE TABLE pack (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('data', 'meta')),
    state TEXT NOT NULL CHECK (state IN ('live', 'condemned', 'tombstone')),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    objects INTEGER NOT NULL CHECK (objects >= 0),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    added_at INTEGER NOT NULL,
    condemned_epoch INTEGER CHECK (condemned_epoch > 0),
    dropped INTEGER NOT NULL DEFAULT 0 CHECK (dropped IN (0, 1)),
    CHECK (dropped = 0 OR state = 'tombstone'),
    CHECK (state <> 'condemned' OR condemned_epoch IS NOT NULL)
) STRICT;
CREATE INDEX pack_by_state ON pack (state, name);

CREATE TABLE dataset (
    name TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE version (
    id TEXT NOT NULL PRIMARY KEY,
    manifest TEXT NOT NULL,
    author_name TEXT NOT NULL,
    author_email TEXT NOT NULL,
    time INTEGER NOT NULL,
    utc_offset_minutes INTEGER,
    message TEXT NOT NULL,
    files INTEGER NOT NULL CHECK (files >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    generation INTEGER NOT NULL CHECK (generation > 0)
) STRICT;
CREATE INDEX version_by_time ON version (time);

CREATE TABLE version_parent (
    version TEXT NOT NULL REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    parent TEXT NOT NULL REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (version, ordinal)
) STRICT;
CREATE INDEX version_parent_by_parent ON version_parent (parent);

CREATE TABLE ref (
    dataset TEXT NOT NULL REFERENCES dataset (name) DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL CHECK (kind IN ('branch', 'tag')),
    name TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    message TEXT,
    tagger_name TEXT,
    tagger_email TEXT,
    tagged_at INTEGER,
    PRIMARY KEY (dataset, kind, name)
) STRICT;
CREATE INDEX ref_by_version ON ref (version);

CREATE TABLE worktree (
    id TEXT NOT NULL PRIMARY KEY,
    path TEXT NOT NULL,
    dataset TEXT NOT NULL REFERENCES dataset (name) DEFERRABLE INITIALLY DEFERRED,
    head_branch TEXT,
    head_version TEXT REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    staged TEXT NOT NULL,
    operation TEXT,
    generation INTEGER NOT NULL CHECK (generation > 0),
    CHECK (head_branch IS NOT NULL OR head_version IS NOT NULL)
) STRICT;
CREATE INDEX worktree_by_head_version ON worktree (head_version);

CREATE TABLE ref_log (
    number INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('branch', 'tag')),
    name TEXT NOT NULL,
    old_version TEXT,
    new_version TEXT,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    message TEXT,
    PRIMARY KEY (number, ordinal)
) STRICT;
CREATE INDEX ref_log_by_name ON ref_log (dataset, kind, name, number);
CREATE INDEX ref_log_by_time ON ref_log (time);

CREATE TABLE imported (
    origin TEXT NOT NULL,
    foreign_id TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (origin, foreign_id)
) STRICT;
CREATE INDEX imported_by_version ON imported (version);

CREATE TABLE journal (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
