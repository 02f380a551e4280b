//! What an archive says beside the payload.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::card::{Digests, card, croissant, markdown};
use super::super::lineage::{NodeId, Question, around, details, prov};
use super::super::{Error, Result};
use super::entries::Listed;
use super::{About, ENTRIES, HISTORY, JOURNAL, RECORDS, VERSION, entries, proofs, version_bytes};
use crate::bag::Draft;
use crate::catalogue::{Change, JournalEntry, RecordFilter, RecordRow};
use crate::model::{Presence, RecordKind, RefKind, VersionId};
use crate::repo::{self, Repository, Revision};
use crate::sign::PublicKey;

/// How many entries of the journal are read at once.
const PAGE: u64 = 4096;

/// With these anybody can check the archive.
const README: &str = include_str!("README.md");
const VERIFY: &str = include_str!("verify.py");

/// What the archive will say of itself.
pub(super) fn about(repository: &Repository, found: &Revision, listed: &[Listed]) -> Result<About> {
    let row = repository.version(&found.version)?;
    let head = repository.catalogue.journal_head()?;
    let names = |kind| -> Result<Vec<String>> {
        let rows = repository.catalogue.refs(&found.dataset, kind)?.into_iter();
        let here = rows.filter(|row| row.version == found.version);
        Ok(here.map(|row| row.name.to_string()).collect())
    };
    let erased = |one: &&Listed| matches!(one.presence, Some(Presence::Erased { .. }));
    Ok(About {
        format: 1,
        tool: format!("stemmata {}", env!("CARGO_PKG_VERSION")),
        dataset: found.dataset.clone(),
        version: found.version,
        files: row.files,
        bytes: row.bytes,
        branches: names(RefKind::Branch)?,
        tags: names(RefKind::Tag)?,
        created: repository.now(),
        journal_number: head.number,
        journal_hash: head.hash,
        ancestors: repository.catalogue.history(&[found.version])?.count() as u64 - 1,
        erased: listed.iter().filter(erased).count() as u64,
        left_out: Vec::new(),
    })
}

/// Writes everything but the payload, the manifests and `bag-info.txt`.
pub(super) fn write(
    repository: &Repository,
    draft: &Draft,
    about: &mut About,
    listed: &[Listed],
    signed: Option<&(String, PublicKey)>,
) -> Result<()> {
    explain(repository, draft, about, listed)?;
    let version = &about.version;
    let mut text = serde_json::to_vec_pretty(about).map_err(|error| impossible(&error))?;
    text.push(b'\n');
    draft.tag_file(super::ABOUT, &text)?;
    draft.tag_file(VERSION, &version_bytes(repository, version)?)?;
    draft.tag_file(ENTRIES, &entries::write(listed)?)?;
    draft.tag_file(HISTORY, &history(repository, version)?)?;
    draft.tag_file(RECORDS, &records(repository, about)?)?;
    let journal = journal(repository, version, about.journal_number)?;
    draft.tag_file(JOURNAL, &journal)?;
    proofs::write(repository, draft, about, &journal, signed)?;
    draft.tag_file("README.md", README.as_bytes())?;
    Ok(draft.tag_file("verify.py", VERIFY.as_bytes())?)
}

/// Where the version came from and who used it, as W3C PROV, Croissant and a data card. What needs
/// the content of a table that was erased is left out, and said to be so.
fn explain(
    repository: &Repository,
    draft: &Draft,
    about: &mut About,
    listed: &[Listed],
) -> Result<()> {
    let graph = around(repository, &[NodeId::Version(about.version)], &Question::default())?;
    let details = details(repository, &graph, None)?;
    let pretty = |value: &Value| {
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| impossible(&error))?;
        text.push(b'\n');
        Ok::<_, Error>(text)
    };
    draft.tag_file("stem/prov.json", &pretty(&prov(&graph, &details))?)?;
    match card(repository, &format!("{}@{}", about.dataset, about.version), Digests::Kept) {
        Ok(mut card) => {
            let places: HashMap<_, _> =
                listed.iter().filter_map(|one| Some((&one.path, one.payload.as_ref()?))).collect();
            for file in &mut card.files {
                if let Some(place) = places.get(&file.entry.path) {
                    // The document lies in `stem/`.
                    file.place = format!("../{place}");
                }
            }
            draft.tag_file("stem/croissant.json", &pretty(&croissant(&card))?)?;
            draft.tag_file("stem/card.md", markdown(&card).as_bytes())?;
        }
        Err(Error::Repo(repo::Error::Erased { .. } | repo::Error::Archived { .. })) => {
            about.left_out = vec!["stem/croissant.json".into(), "stem/card.md".into()];
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Adds a line of JSON.
pub(super) fn push_line(text: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *text, value).map_err(|error| impossible(&error))?;
    text.push(b'\n');
    Ok(())
}

fn impossible(error: &serde_json::Error) -> Error {
    Error::Refused(format!("cannot write as JSON: {error}"))
}

/// The records of all versions that led to this one, newest first, one in a line: `b3sum` of a line
/// without its end is the id of a version.
fn history(repository: &Repository, version: &VersionId) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for row in repository.catalogue.history(&[*version])? {
        let id = row?.id;
        if id != *version {
            text.extend(version_bytes(repository, &id)?);
            text.push(b'\n');
        }
    }
    Ok(text)
}

/// What was recorded of the version later, and what was decided about its dataset.
fn records(repository: &Repository, about: &About) -> Result<Vec<u8>> {
    let own = RecordFilter { version: Some(about.version), ..RecordFilter::default() };
    let mut rows = repository.catalogue.records(&own)?;
    let dataset = RecordFilter { dataset: Some(about.dataset.clone()), ..RecordFilter::default() };
    let decided = |row: &RecordRow| {
        use RecordKind::{Class, Hold, HoldReleased, State};
        row.record.version.is_none()
            && matches!(row.record.kind, Class | Hold | HoldReleased | State)
    };
    rows.extend(repository.catalogue.records(&dataset)?.into_iter().filter(decided));
    rows.sort_by_key(|row| (row.number, row.ordinal));
    let mut text = Vec::new();
    for row in rows {
        let line: Value = json!({
            "number": row.number,
            "ordinal": row.ordinal,
            "time": row.time,
            "actor": row.actor,
            "record": row.record,
        });
        push_line(&mut text, &line)?;
    }
    Ok(text)
}

/// The entries of the journal that speak of the version, whole, so that each can be checked against
/// its hash, up to the one with the number `last`.
fn journal(repository: &Repository, version: &VersionId, last: u64) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut first = 1;
    loop {
        let page = repository.catalogue.journal(first, last, PAGE)?;
        let Some(end) = page.last() else { return Ok(text) };
        first = end.number + 1;
        for entry in &page {
            if speaks_of(entry, version)? {
                text.extend(entry.to_line().trim_end().as_bytes());
                text.push(b'\n');
            }
        }
    }
}

fn speaks_of(entry: &JournalEntry, version: &VersionId) -> Result<bool> {
    let names = |change: &Change| match change {
        Change::VersionAdded { version: one, .. }
        | Change::VersionRestored { version: one, .. } => one == version,
        Change::RefMoved { old, new, .. } => {
            [old, new].into_iter().flatten().any(|id| id == version)
        }
        Change::Recorded { record } => record.version.as_ref() == Some(version),
        _ => false,
    };
    Ok(entry.changes()?.iter().any(names))
}

/// What `bag-info.txt` says, in its order.
pub(super) fn info(repository: &Repository, about: &About) -> Result<Vec<(&'static str, String)>> {
    let row = repository.version(&about.version)?;
    let day = |time: crate::model::Time| time.to_string().chars().take(10).collect::<String>();
    Ok(vec![
        ("Bagging-Date", day(about.created)),
        ("Bag-Software-Agent", about.tool.clone()),
        ("Contact-Name", row.author.name.clone()),
        ("Contact-Email", row.author.email.clone()),
        ("External-Identifier", about.version.to_hex()),
        ("External-Description", row.message.lines().next().unwrap_or_default().to_owned()),
        ("Stem-Dataset", about.dataset.to_string()),
        ("Stem-Journal", format!("{} {}", about.journal_number, about.journal_hash)),
    ])
}
