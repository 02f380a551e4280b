-- Schema 4: views with stable names for `stem query` (docs/catalogue.md, "Views"), and an index of
-- the words of messages, metadata and records.

-- What has words: `number` is 0 for what a version says of itself (`ordinal` 0 its message, 1 its
-- metadata), else the entry of the journal that said it.
CREATE TABLE words (
    id INTEGER NOT NULL PRIMARY KEY,
    version TEXT,
    number INTEGER NOT NULL CHECK (number >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    kind TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX words_by_version ON words (version, number);

-- With secure-delete what is removed is gone from the index at once, not at some later merge.
CREATE VIRTUAL TABLE words_index USING fts5(
    text, content = 'words', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO words_index (words_index, rank) VALUES ('secure-delete', 1);

INSERT INTO words (version, number, ordinal, kind, text)
    SELECT id, 0, 0, 'message', message FROM version WHERE message <> '' ORDER BY generation, id;
INSERT INTO words (version, number, ordinal, kind, text)
    SELECT version, number, ordinal, kind, text FROM record WHERE text <> ''
    ORDER BY number, ordinal;
INSERT INTO words_index (words_index) VALUES ('rebuild');

CREATE VIEW datasets (dataset, created) AS
    SELECT name, strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch') FROM dataset;

CREATE VIEW versions
    (version, dataset, author, author_email, time, message, files, bytes, manifest, generation) AS
    SELECT id, dataset, author_name, author_email,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), message, files, bytes, manifest,
           generation
    FROM version;

CREATE VIEW parents (version, ordinal, parent) AS
    SELECT version, ordinal, parent FROM version_parent;

CREATE VIEW branches (dataset, branch, version) AS
    SELECT dataset, name, version FROM ref WHERE kind = 'branch';

CREATE VIEW tags (dataset, tag, version, message, tagger, time) AS
    SELECT dataset, name, version, message, tagger_name || ' <' || tagger_email || '>',
           strftime('%Y-%m-%dT%H:%M:%SZ', tagged_at, 'unixepoch')
    FROM ref WHERE kind = 'tag';

CREATE VIEW ref_moves
    (number, dataset, kind, name, old_version, new_version, time, actor, action, message) AS
    SELECT number, dataset, kind, name, old_version, new_version,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor, action, message
    FROM ref_log;

CREATE VIEW sources
    (version, number, uri, revision, provider, licence, legal_basis, method, collected, retrieved,
     sha256, blake3, path) AS
    SELECT version, number, uri, revision, provider, licence, legal_basis, method,
           strftime('%Y-%m-%dT%H:%M:%SZ', collected_at, 'unixepoch'),
           strftime('%Y-%m-%dT%H:%M:%SZ', retrieved_at, 'unixepoch'), sha256, blake3, path
    FROM source;

CREATE VIEW steps
    (version, number, name, command, code_remote, code_commit, exit_code, started, ended, operator,
     decided) AS
    SELECT version, number, name, command, code_remote, code_commit, exit_code,
           strftime('%Y-%m-%dT%H:%M:%SZ', started_at, 'unixepoch'),
           strftime('%Y-%m-%dT%H:%M:%SZ', ended_at, 'unixepoch'), operator, decided
    FROM step;

CREATE VIEW metrics
    (version, number, name, slice, value, unit, method, sample_size, threshold, time, actor) AS
    SELECT version, number, name, slice, value, unit, method, sample_size, threshold,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor
    FROM metric;

CREATE VIEW latest_metrics
    (version, number, name, slice, value, unit, method, sample_size, threshold, time, actor) AS
    SELECT version, number, name, slice, value, unit, method, sample_size, threshold,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor
    FROM metric AS one
    WHERE NOT EXISTS (
        SELECT 1 FROM metric AS later
        WHERE later.version = one.version AND later.name = one.name
          AND later.slice IS NOT DISTINCT FROM one.slice
          AND (later.number, later.ordinal) > (one.number, one.ordinal)
    );

CREATE VIEW derivations
    (version, number, relation, step, from_dataset, from_version, from_path, time) AS
    SELECT version, number, relation, step, from_dataset, from_version, from_path,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch')
    FROM derivation;

CREATE VIEW consumers (consumer, kind, uri, number, time, actor) AS
    SELECT name, kind, uri, number, strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor
    FROM consumer;

CREATE VIEW uses (consumer, number, dataset, version, path, role, time) AS
    SELECT consumer, number, dataset, version, path, role,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch')
    FROM consumer_use;

CREATE VIEW notes (number, kind, dataset, version, path, step, consumer, about, text, time, actor) AS
    SELECT number, name, dataset, version, path, body ->> '$.step', body ->> '$.consumer',
           body ->> '$.about', text, strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor
    FROM record WHERE kind = 'note';

CREATE VIEW records
    (number, ordinal, kind, dataset, version, path, file, name, value, text, body, time, actor) AS
    SELECT number, ordinal, kind, dataset, version, path, file, name, value, text, body,
           strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor
    FROM record;

CREATE VIEW journal_entries
    (number, time, actor, action, subject, detail, previous, hash) AS
    SELECT number, strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'), actor, action, subject,
           detail, previous, hash
    FROM journal;

PRAGMA user_version = 4;
