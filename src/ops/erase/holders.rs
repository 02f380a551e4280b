//! Who has, or may have, what is erased: the store, its worktrees, the archives that it knows.

use std::path::Path;

use serde_json::Value;

use super::plan::{Holder, Plan};
use crate::catalogue::{RecordFilter, RecordRow};
use crate::model::RecordKind;
use crate::ops::{Error, Result};
use crate::repo::{Ground, Repository};

/// Everybody who has, or may have, the content.
pub(super) fn holders(repository: &Repository) -> Result<Vec<Holder>> {
    let level = |ground: &Ground| match ground.overwrites {
        true => format!("absent, and overwritten in place ({})", ground.kind),
        false => format!("absent ({}: old blocks cannot be overwritten)", ground.kind),
    };
    let store = &repository.place.store;
    let mut holders = vec![Holder {
        kind: "store".into(),
        place: store.display().to_string(),
        provable: level(&Ground::of(store)),
    }];
    for one in repository.worktrees()? {
        let provable = match !one.is_lost && one.path.is_dir() {
            true => level(&Ground::of(&one.path)),
            false => "nothing: it is not there".to_owned(),
        };
        let place = one.path.display().to_string();
        holders.push(Holder { kind: "worktree".into(), place, provable });
    }
    for row in archives(repository)? {
        let place = place_of(&row);
        let provable = match Path::new(&place).is_dir() {
            true => "whether it holds any of it: every file is read, none is changed",
            false => "nothing: it is not there",
        };
        let provable = provable.to_owned();
        let holder = Holder { kind: "archive".into(), place, provable };
        if !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    Ok(holders)
}

/// What was recorded of archives.
fn archives(repository: &Repository) -> Result<Vec<RecordRow>> {
    let filter = RecordFilter { kind: Some(RecordKind::Archive), ..RecordFilter::default() };
    Ok(repository.catalogue.records(&filter)?)
}

/// Where an archive lies, or what it was called.
fn place_of(row: &RecordRow) -> String {
    let record = &row.record;
    let place = record.body.get("place").and_then(Value::as_str).map(str::to_owned);
    place.or(record.text.clone()).or(record.name.clone()).unwrap_or_default()
}

/// Fails if somebody else may have the content by now than the plan `id` says: the certificate would
/// not name a worktree that has come since, or an archive of a version that lists the files. One
/// that was made without them, because they are about to go, does not count.
pub(super) fn refuse_others(repository: &Repository, id: &str, plan: &Plan) -> Result<()> {
    let known = |kind: &str, place: &str| {
        plan.holders.iter().any(|one| one.kind == kind && one.place == place)
    };
    for one in repository.worktrees()? {
        let place = one.path.display().to_string();
        if !known("worktree", &place) {
            let text = format!("a worktree has come since, or was moved: {place}");
            return Err(Error::OutOfDate(text));
        }
    }
    let lists = |row: &RecordRow| {
        let version = row.record.version;
        version.is_none_or(|version| plan.found.versions.iter().any(|one| one.version == version))
    };
    let has_none = |row: &RecordRow| row.record.body.get("without") == Some(&Value::from(id));
    for row in archives(repository)?.iter().filter(|row| lists(row) && !has_none(row)) {
        let place = place_of(row);
        if !known("archive", &place) {
            return Err(Error::OutOfDate(format!("an archive was made since: {place}")));
        }
    }
    Ok(())
}
