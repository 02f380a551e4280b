//! What a change does to the presence of a file.

use sqlx::SqliteConnection;

use super::{Context, changed};
use crate::catalogue::presence::one_presence;
use crate::catalogue::read::signed;
use crate::catalogue::{Error, Result, sql};
use crate::model::{FileId, Presence};

/// Makes the presence of `file` that of `new`, if it is `old` now.
pub(super) async fn change_presence(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    file: &FileId,
    old: Option<&Presence>,
    new: Option<&Presence>,
) -> Result<()> {
    let found = one_presence(connection, file).await?;
    if found.as_ref() != old {
        let word = |state: Option<&Presence>| state.map_or("present", Presence::as_str).to_owned();
        return Err(Error::Moved {
            what: format!("the presence of file {file}"),
            expected: word(old),
            found: word(found.as_ref()),
        });
    }
    let Some(new) = new else {
        let query = sqlx::query(sql::presence::CLEAR).bind(file.to_hex());
        return changed(connection, "note that a file is present", query).await.map(drop);
    };
    let (by, by_size) = match new {
        Presence::Replaced { by, by_size, .. } => {
            (Some(by.to_hex()), Some(signed("the size of a file", *by_size)?))
        }
        Presence::Erased { .. } | Presence::Archived { .. } => (None, None),
    };
    let certificate = match new {
        // Empty once the ban was lifted.
        Presence::Erased { certificate, .. } | Presence::Replaced { certificate, .. } => {
            Some(certificate.clone())
        }
        Presence::Archived { .. } => None,
    };
    let place = match new {
        Presence::Archived { place, .. } => Some(place.clone()),
        Presence::Erased { .. } | Presence::Replaced { .. } => None,
    };
    let query = sqlx::query(sql::presence::SET)
        .bind(file.to_hex())
        .bind(new.as_str())
        .bind(signed("the size of a file", new.size())?)
        .bind(certificate)
        .bind(by)
        .bind(by_size)
        .bind(place)
        .bind(signed("the number of a journal entry", context.entry.number)?);
    changed(connection, "note what became of a file", query).await.map(drop)
}
