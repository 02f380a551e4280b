-- Schema 5: since when a version is known, which step has read what, and what was computed from
-- the content of files.

-- The entry of the journal that added the version.
ALTER TABLE version ADD COLUMN number INTEGER;
UPDATE version SET number = added.number
FROM (
    SELECT json_extract(change.value, '$.version') AS version, MAX(journal.number) AS number
    FROM journal, json_each(journal.detail, '$.changes') AS change
    WHERE json_extract(change.value, '$.change') = 'version_added'
    GROUP BY 1
) AS added
WHERE added.version = version.id;

-- The step's own `ordinal`, so that two steps of one name can be told apart.
ALTER TABLE derivation ADD COLUMN step_ordinal INTEGER;
UPDATE derivation SET step_ordinal = (
    SELECT MIN(step.ordinal) FROM step
    WHERE step.version = derivation.version AND step.number = derivation.number
      AND step.name = derivation.step
) WHERE relation = 'used';

-- A cache: it can be computed again from the content, so it is not in the journal.
CREATE TABLE fact (
    file TEXT NOT NULL,
    analyser TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (file, analyser, version)
) STRICT;

PRAGMA user_version = 5;
