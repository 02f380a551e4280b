-- Schema 2: where versions come from, and what was recorded of them later.
-- `number` is the entry of the journal that said it, and 0 where the version itself says it.

ALTER TABLE version ADD COLUMN dataset TEXT;
CREATE INDEX version_by_dataset ON version (dataset, time);

CREATE TABLE record (
    number INTEGER NOT NULL CHECK (number > 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    kind TEXT NOT NULL,
    dataset TEXT,
    version TEXT,
    path TEXT,
    file TEXT,
    name TEXT,
    value REAL,
    text TEXT,
    body TEXT NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (number, ordinal)
) STRICT;
CREATE INDEX record_by_kind ON record (kind, name, number);
CREATE INDEX record_by_version ON record (version, number);
CREATE INDEX record_by_dataset ON record (dataset, kind, number);
CREATE INDEX record_by_file ON record (file);

CREATE TABLE source (
    version TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    uri TEXT NOT NULL,
    revision TEXT,
    provider TEXT,
    licence TEXT,
    legal_basis TEXT,
    method TEXT,
    collected_at INTEGER,
    retrieved_at INTEGER,
    sha256 TEXT,
    blake3 TEXT,
    path TEXT,
    PRIMARY KEY (version, number, ordinal)
) STRICT;
CREATE INDEX source_by_uri ON source (uri);

CREATE TABLE step (
    version TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    name TEXT NOT NULL,
    command TEXT,
    code_remote TEXT,
    code_commit TEXT,
    exit_code INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    operator TEXT,
    decided TEXT,
    PRIMARY KEY (version, number, ordinal)
) STRICT;
CREATE INDEX step_by_name ON step (name);

CREATE TABLE metric (
    version TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    name TEXT NOT NULL,
    slice TEXT,
    value REAL NOT NULL,
    unit TEXT,
    method TEXT,
    sample_size INTEGER,
    threshold REAL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    PRIMARY KEY (version, number, ordinal)
) STRICT;
CREATE INDEX metric_by_name ON metric (name, time);

-- What a version was made from, besides its parents: the inputs of its steps, and what was said or
-- found out. `relation` is `used` for an input of a step.
CREATE TABLE derivation (
    version TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    relation TEXT NOT NULL,
    step TEXT,
    from_dataset TEXT NOT NULL,
    from_version TEXT NOT NULL,
    from_path TEXT,
    time INTEGER NOT NULL,
    PRIMARY KEY (version, number, ordinal)
) STRICT;
CREATE INDEX derivation_by_from ON derivation (from_version);

-- The newest word on each consumer, and everything that it has ever used.
CREATE TABLE consumer (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('model', 'evaluation', 'export')),
    uri TEXT,
    number INTEGER NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL
) STRICT;

CREATE TABLE consumer_use (
    consumer TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    dataset TEXT NOT NULL,
    version TEXT NOT NULL,
    path TEXT,
    role TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (number, ordinal)
) STRICT;
CREATE INDEX consumer_use_by_version ON consumer_use (version);
CREATE INDEX consumer_use_by_consumer ON consumer_use (consumer);

PRAGMA user_version = 2;
