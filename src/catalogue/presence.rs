//! Reading what became of content that can no longer be read.

use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{parsed, unsigned};
use super::{Catalogue, Error, Result, sql};
use crate::model::{FileId, Presence};

/// A file whose content is not present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceRow {
    /// The file.
    pub file: FileId,
    /// What became of it.
    pub presence: Presence,
    /// The entry of the journal that said so last.
    pub number: u64,
}

type Tuple =
    (String, String, i64, Option<String>, Option<String>, Option<i64>, Option<String>, i64);

fn presence(row: Tuple) -> Result<PresenceRow> {
    let (file, state, size, certificate, by, by_size, place, number) = row;
    let bad = || Error::BadRow { what: format!("presence of {file}: `{state}`") };
    let size = unsigned("presence.size", size)?;
    let presence = match state.as_str() {
        "erased" => Presence::Erased { size, certificate: certificate.ok_or_else(bad)? },
        "replaced" => Presence::Replaced {
            size,
            by: parsed("presence.replaced_by", &by.ok_or_else(bad)?)?,
            by_size: unsigned("presence.replaced_size", by_size.ok_or_else(bad)?)?,
            certificate: certificate.ok_or_else(bad)?,
        },
        "archived" => Presence::Archived { size, place: place.ok_or_else(bad)? },
        _ => return Err(bad()),
    };
    let number = unsigned("presence.number", number)?;
    Ok(PresenceRow { file: parsed("presence.file", &file)?, presence, number })
}

pub(super) async fn one_presence(
    connection: &mut SqliteConnection,
    file: &FileId,
) -> Result<Option<Presence>> {
    let row: Option<Tuple> = sqlx::query_as(sql::presence::ONE)
        .bind(file.to_hex())
        .fetch_optional(connection)
        .await
        .map_err(failed("read what became of a file"))?;
    Ok(row.map(presence).transpose()?.map(|row| row.presence))
}

impl Catalogue {
    /// Every file whose content is not present, by id.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn presence(&self) -> Result<Vec<PresenceRow>> {
        let rows: Vec<Tuple> = self.run(async |connection| {
            sqlx::query_as(sql::presence::ALL)
                .fetch_all(connection)
                .await
                .map_err(failed("read what became of files"))
        })?;
        rows.into_iter().map(presence).collect()
    }
}
