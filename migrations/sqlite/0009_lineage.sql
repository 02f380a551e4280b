-- Schema 9: what was made from a version is read from the index alone. The walk down goes through the
-- table in the order of its targets, so every row that the index did not hold was a page of its own.

DROP INDEX derivation_by_from;
CREATE INDEX derivation_by_from
    ON derivation (from_version, version, number, step_ordinal, relation, from_dataset, time);

PRAGMA user_version = 9;
