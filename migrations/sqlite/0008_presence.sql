-- Schema 8: content that can no longer be read, by design. A file without a row is present.

CREATE TABLE presence (
    file TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('erased', 'replaced', 'archived')),
    size INTEGER NOT NULL CHECK (size >= 0),
    certificate TEXT,
    replaced_by TEXT,
    replaced_size INTEGER,
    place TEXT,
    number INTEGER NOT NULL CHECK (number > 0),
    CHECK ((state = 'archived') = (place IS NOT NULL)),
    CHECK ((state = 'archived') = (certificate IS NULL)),
    CHECK ((state = 'replaced') = (replaced_by IS NOT NULL)),
    CHECK ((state = 'replaced') = (replaced_size IS NOT NULL))
) STRICT;

PRAGMA user_version = 8;
