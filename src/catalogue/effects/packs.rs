//! What changes do to packs and to the root record.

use sqlx::SqliteConnection;

use super::{Context, changed};
use crate::catalogue::read::signed;
use crate::catalogue::roots::{one_pack, root};
use crate::catalogue::{Change, Error, PackRecord, Result, sql};
use crate::model::PackName;

pub(super) async fn change_packs(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    change: &Change,
) -> Result<()> {
    match change {
        Change::PacksAdded { packs } => add_packs(connection, context, packs).await,
        Change::PacksCondemned { packs, epoch } => {
            begin_epoch(connection, *epoch).await?;
            turn_packs(connection, sql::packs::CONDEMN, packs, Some(*epoch), "live").await
        }
        Change::Fenced { epoch } => {
            let query = sqlx::query(sql::packs::FENCE).bind(signed("an epoch", *epoch)?);
            match changed(connection, "fence sessions", query).await? {
                0 => Err(epoch_moved(connection, *epoch).await?),
                _ => Ok(()),
            }
        }
        Change::PacksSpared { packs, epoch } => {
            turn_packs(connection, sql::packs::SPARE, packs, Some(*epoch), "condemned").await
        }
        Change::PacksTombstoned { packs, epoch } => {
            let least = root(connection).await?.min_epoch;
            if least < *epoch {
                return Err(Error::NotFenced { epoch: *epoch, least });
            }
            turn_packs(connection, sql::packs::BURY, packs, Some(*epoch), "condemned").await
        }
        Change::PacksMerged { added, removed } => {
            add_packs(connection, context, added).await?;
            turn_packs(connection, sql::packs::MERGE_AWAY, removed, None, "live").await
        }
        Change::PacksDropped { packs } => {
            turn_packs(connection, sql::packs::DROP, packs, None, "tombstone").await
        }
        _ => Ok(()),
    }
}

async fn begin_epoch(connection: &mut SqliteConnection, epoch: u64) -> Result<()> {
    let query = sqlx::query(sql::packs::BEGIN_EPOCH).bind(signed("an epoch", epoch)?);
    match changed(connection, "begin an epoch", query).await? {
        0 => Err(epoch_moved(connection, epoch.saturating_sub(1)).await?),
        _ => Ok(()),
    }
}

async fn epoch_moved(connection: &mut SqliteConnection, expected: u64) -> Result<Error> {
    Ok(Error::Moved {
        what: "the epoch of the store".into(),
        expected: expected.to_string(),
        found: root(connection).await?.epoch.to_string(),
    })
}

async fn add_packs(
    connection: &mut SqliteConnection,
    context: &Context<'_>,
    packs: &[PackRecord],
) -> Result<()> {
    for pack in packs {
        let query = sqlx::query(sql::packs::ADD)
            .bind(pack.name.to_hex())
            .bind(pack.kind.as_str())
            .bind(signed("the size of a pack", pack.bytes)?)
            .bind(signed("the number of objects", pack.objects)?)
            .bind(signed("an epoch", pack.epoch)?)
            .bind(context.entry.time.unix());
        if changed(connection, "add a pack", query).await? == 0 {
            return Err(Error::Taken { what: format!("pack {}", pack.name) });
        }
    }
    Ok(())
}

/// Changes the state of packs that must be in state `expected`, condemned in `epoch` if given.
async fn turn_packs(
    connection: &mut SqliteConnection,
    text: &'static str,
    packs: &[PackName],
    epoch: Option<u64>,
    expected: &str,
) -> Result<()> {
    for name in packs {
        let mut query = sqlx::query(text).bind(name.to_hex());
        if let Some(epoch) = epoch {
            query = query.bind(signed("an epoch", epoch)?);
        }
        if changed(connection, "change the state of a pack", query).await? == 1 {
            continue;
        }
        let Some(row) = one_pack(connection, &name.to_hex()).await? else {
            return Err(Error::Unknown { what: format!("pack {name}") });
        };
        let in_epoch = |epoch: Option<u64>| epoch.map_or(String::new(), |e| format!(" in {e}"));
        return Err(Error::Moved {
            what: format!("pack {name}"),
            expected: format!("{expected}{}", in_epoch(epoch)),
            found: format!("{}{}", row.state.as_str(), in_epoch(row.condemned_epoch)),
        });
    }
    Ok(())
}
