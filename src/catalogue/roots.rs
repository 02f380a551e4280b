//! Reading the root record and the packs.

use sqlx::SqliteConnection;

use super::error::failed;
use super::read::{moment, parsed, unsigned, word};
use super::{Catalogue, PackKind, PackRecord, PackState, Result, sql};
use crate::model::Time;

/// The root record that sessions and collectors agree through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Grows by one with every condemnation.
    pub epoch: u64,
    /// Sessions that began in an earlier epoch can't commit.
    pub min_epoch: u64,
}

/// A pack and how far it is on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRow {
    /// The pack.
    pub pack: PackRecord,
    /// Whether it may be relied on.
    pub state: PackState,
    /// When it was added.
    pub added_at: Time,
    /// The epoch that began when it was condemned.
    pub condemned_epoch: Option<u64>,
    /// Whether its file is known to be gone.
    pub dropped: bool,
}

/// What a session needs to know when it begins, from one state of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The epoch it belongs to.
    pub epoch: u64,
    /// Packs that it may rely on.
    pub live: Vec<PackRecord>,
    /// Packs that it may read and must not rely on.
    pub condemned: Vec<PackRecord>,
}

type PackTuple = (String, String, String, i64, i64, i64, i64, Option<i64>, bool);

fn pack(row: PackTuple) -> Result<PackRow> {
    let (name, kind, state, bytes, objects, epoch, added_at, condemned_epoch, dropped) = row;
    Ok(PackRow {
        pack: PackRecord {
            name: parsed("pack.name", &name)?,
            kind: word("pack.kind", &kind, PackKind::from_text(&kind))?,
            bytes: unsigned("pack.bytes", bytes)?,
            objects: unsigned("pack.objects", objects)?,
            epoch: unsigned("pack.epoch", epoch)?,
        },
        state: word("pack.state", &state, PackState::from_text(&state))?,
        added_at: moment("pack.added_at", added_at)?,
        condemned_epoch: condemned_epoch
            .map(|epoch| unsigned("pack.condemned_epoch", epoch))
            .transpose()?,
        dropped,
    })
}

pub(super) async fn root(connection: &mut SqliteConnection) -> Result<Root> {
    let (epoch, min_epoch): (i64, i64) = sqlx::query_as(sql::packs::ROOT)
        .fetch_one(connection)
        .await
        .map_err(failed("read the root record"))?;
    Ok(Root {
        epoch: unsigned("store_root.epoch", epoch)?,
        min_epoch: unsigned("store_root.min_epoch", min_epoch)?,
    })
}

pub(super) async fn packs_in(
    connection: &mut SqliteConnection,
    state: PackState,
) -> Result<Vec<PackRow>> {
    let rows: Vec<PackTuple> = sqlx::query_as(sql::packs::IN_STATE)
        .bind(state.as_str())
        .fetch_all(connection)
        .await
        .map_err(failed("list packs"))?;
    rows.into_iter().map(pack).collect()
}

pub(super) async fn one_pack(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<PackRow>> {
    let row: Option<PackTuple> = sqlx::query_as(sql::packs::ONE)
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(failed("read a pack"))?;
    row.map(pack).transpose()
}

impl Catalogue {
    /// The root record.
    pub fn root(&self) -> Result<Root> {
        self.run(async |connection| root(connection).await)
    }

    /// Every pack in that state, by name.
    pub fn packs(&self, state: PackState) -> Result<Vec<PackRow>> {
        self.run(async |connection| packs_in(connection, state).await)
    }

    /// Every pack that there ever was, by name.
    pub fn all_packs(&self) -> Result<Vec<PackRow>> {
        let rows: Vec<PackTuple> = self.run(async |connection| {
            sqlx::query_as(sql::packs::ALL)
                .fetch_all(connection)
                .await
                .map_err(failed("list packs"))
        })?;
        rows.into_iter().map(pack).collect()
    }

    /// The epoch and the packs of one moment, for a session that begins.
    pub fn session_view(&self) -> Result<SessionView> {
        self.snapshot(async |connection| {
            let records = |rows: Vec<PackRow>| rows.into_iter().map(|row| row.pack).collect();
            Ok(SessionView {
                epoch: root(connection).await?.epoch,
                live: records(packs_in(connection, PackState::Live).await?),
                condemned: records(packs_in(connection, PackState::Condemned).await?),
            })
        })
    }
}
