//! `presence`.

/// All of it.
pub(in crate::catalogue) const ALL: &str =
    "SELECT file, state, size, certificate, replaced_by, replaced_size, place, number
     FROM presence ORDER BY file";

/// $1 file.
pub(in crate::catalogue) const ONE: &str =
    "SELECT file, state, size, certificate, replaced_by, replaced_size, place, number
     FROM presence WHERE file = $1";

/// $1 file, $2 state, $3 size, $4 certificate, $5 replacement, $6 its size, $7 place, $8 number.
pub(in crate::catalogue) const SET: &str =
    "INSERT INTO presence (file, state, size, certificate, replaced_by, replaced_size, place, number)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (file) DO UPDATE SET state = excluded.state, size = excluded.size,
        certificate = excluded.certificate, replaced_by = excluded.replaced_by,
        replaced_size = excluded.replaced_size, place = excluded.place, number = excluded.number";

/// $1 file.
pub(in crate::catalogue) const CLEAR: &str = "DELETE FROM presence WHERE file = $1";
