//! That no version is said to be made from itself, on whatever way round.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use crate::catalogue::error::failed;
use crate::catalogue::read::parsed;
use crate::catalogue::{Change, Error, Result, sql};
use crate::model::{DataRef, Record, RecordKind, VersionId};

/// Fails if records among `changes`, which are made already, close a circle.
///
/// Only a record can: what a version says of itself is part of its id, so nothing that it names was
/// made from it.
pub(in crate::catalogue) async fn refuse_cycles(
    connection: &mut SqliteConnection,
    changes: &[Change],
) -> Result<()> {
    let mut said: Vec<(VersionId, Vec<VersionId>)> = Vec::new();
    for change in changes {
        let Change::Recorded { record } = change else { continue };
        let Some(version) = record.version else { continue };
        let origins = origins(record);
        match said.iter_mut().find(|(other, _)| *other == version) {
            Some((_, known)) => known.extend(origins),
            None if origins.is_empty() => {}
            None => said.push((version, origins)),
        }
    }
    for (version, origins) in said {
        if let Some(cycle) = cycle(connection, &version, &origins).await? {
            return Err(Error::Cycle { cycle });
        }
    }
    Ok(())
}

/// What a record says that its version was made from.
fn origins(record: &Record) -> Vec<VersionId> {
    let read = |value: Option<&serde_json::Value>| -> Option<VersionId> {
        Some(value?.as_str()?.parse::<DataRef>().ok()?.version)
    };
    match record.kind {
        RecordKind::Derivation => read(record.body.get("from")).into_iter().collect(),
        RecordKind::Step => {
            let inputs = record.body.get("inputs").and_then(serde_json::Value::as_array);
            inputs.into_iter().flatten().filter_map(|input| read(Some(input))).collect()
        }
        _ => Vec::new(),
    }
}

/// The shortest way round, each version used for the next, from `version` back to it, if it were made
/// from `origins`; none if that closes no circle.
pub(in crate::catalogue) async fn cycle(
    connection: &mut SqliteConnection,
    version: &VersionId,
    origins: &[VersionId],
) -> Result<Option<Vec<VersionId>>> {
    let found: Option<i64> = sqlx::query_scalar(sql::lineage::IS_ORIGIN)
        .bind(list(origins))
        .bind(version.to_hex())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("walk the lineage"))?;
    if found.is_none() { Ok(None) } else { way(connection, version, origins).await }
}

fn list(ids: &[VersionId]) -> String {
    serde_json::Value::from(ids.iter().map(VersionId::to_hex).collect::<Vec<_>>()).to_string()
}

/// Breadth first, so that the way is a short one.
async fn way(
    connection: &mut SqliteConnection,
    version: &VersionId,
    origins: &[VersionId],
) -> Result<Option<Vec<VersionId>>> {
    let mut led_to: HashMap<VersionId, VersionId> = HashMap::new();
    let mut now = origins.to_vec();
    while !now.is_empty() {
        if now.contains(version) {
            let mut cycle = vec![*version];
            let mut at = version;
            while let Some(next) = led_to.get(at) {
                cycle.push(*next);
                if origins.contains(next) {
                    break;
                }
                at = next;
            }
            cycle.push(*version);
            return Ok(Some(cycle));
        }
        let rows: Vec<(String, String)> = sqlx::query_as(sql::lineage::MADE_FROM)
            .bind(list(&now))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed("walk the lineage"))?;
        now.clear();
        for (derived, from) in rows {
            let from: VersionId = parsed("derivation.from_version", &from)?;
            if !origins.contains(&from) && !led_to.contains_key(&from) {
                led_to.insert(from, parsed("derivation.version", &derived)?);
                now.push(from);
            }
        }
    }
    Ok(None)
}
